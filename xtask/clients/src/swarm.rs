//! All clients, on one thread: whatever comes is looked at where it comes.

use crate::client::{Client, LOOK, Protocol};
use crate::clock;
use crate::events::Events;
use anyhow::{Context as _, Result, bail, ensure};
use core::net::{Ipv4Addr, SocketAddrV4};
use rustix::buffer::spare_capacity;
use rustix::event::Timespec;
use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};
use rustix::fd::OwnedFd;
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType, sockopt};

/// The mark of standard input among clients' numbers.
const ORDERS: u64 = u64::MAX;
/// Whoever waits longer than this for the next sign of life waits in vain: in nanoseconds.
const PATIENCE: u64 = clock::milliseconds(20_000);

/// Edge-triggered: a socket that was read is not looked at again until more comes.
const IN: EventFlags = EventFlags::IN.union(EventFlags::ET);

/// All clients.
pub(crate) struct Swarm {
    epoll: OwnedFd,
    protocol: Protocol,
    ports: Vec<u16>,
    pub(crate) clients: Vec<Client>,
    pub(crate) events: Events,
    found: Vec<Event>,
    buffer: Vec<u8>,
    next_look: u64,
    /// When something came the last time.
    last: u64,
    /// Somebody has written to standard input, or closed it.
    pub(crate) order_waits: bool,
}

impl Swarm {
    /// Nobody yet.
    pub(crate) fn new(protocol: Protocol, ports: &[u16]) -> Result<Self> {
        let epoll = epoll::create(CreateFlags::CLOEXEC)?;
        epoll::add(&epoll, rustix::stdio::stdin(), EventData::new_u64(ORDERS), EventFlags::IN)
            .context("standard input has to be a pipe")?;
        Ok(Self {
            epoll,
            protocol,
            ports: ports.to_vec(),
            clients: Vec::new(),
            events: Events::default(),
            found: Vec::with_capacity(1024),
            buffer: vec![0; 1 << 18],
            next_look: 0,
            last: clock::now(),
            order_waits: false,
        })
    }

    /// The first client of each port.
    pub(crate) fn first_of_each_port(&self) -> usize {
        self.ports.len().min(self.clients.len())
    }

    /// One client more begins to connect.
    pub(crate) fn connect(&mut self) -> Result<()> {
        let index = self.clients.len();
        let port = self.ports[index % self.ports.len()];
        let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
        let socket = rustix::net::socket_with(AddressFamily::INET, SocketType::STREAM, flags, None)?;
        sockopt::set_tcp_nodelay(&socket, true)?;
        match rustix::net::connect(&socket, &SocketAddrV4::new(Ipv4Addr::LOCALHOST, port)) {
            Ok(()) | Err(Errno::INPROGRESS) => {}
            Err(error) => return Err(error).with_context(|| format!("cannot connect to port {port}")),
        }
        epoll::add(&self.epoll, &socket, EventData::new_u64(index as u64), EventFlags::OUT)?;
        self.clients.push(Client::new(socket, index, self.protocol));
        Ok(())
    }

    /// Has a client request something; [`flush`](Self::flush) sends it.
    pub(crate) fn request(&mut self, client: usize, id: u32, what: &str, body: &str) {
        self.clients[client].request(id, what, body);
    }

    /// Writes what a client has to say; the rest goes out once that is possible.
    pub(crate) fn flush(&mut self, client: usize) -> Result<()> {
        let written = self.clients[client].flush().with_context(|| self.clients[client].shown())?;
        if !written {
            self.interest(client, IN.union(EventFlags::OUT))?;
        }
        Ok(())
    }

    fn interest(&self, client: usize, flags: EventFlags) -> Result<()> {
        let socket = &self.clients[client].socket;
        Ok(epoll::modify(&self.epoll, socket, EventData::new_u64(client as u64), flags)?)
    }

    /// Waits until something has come, or for a moment, and looks at all of it.
    ///
    /// # Errors
    /// If a server closes a connection or says what it should not, or `busy` and nothing comes for too long.
    pub(crate) fn poll(&mut self, busy: bool) -> Result<()> {
        let mut found = core::mem::take(&mut self.found);
        let timeout = Timespec { tv_sec: 0, tv_nsec: LOOK.cast_signed() };
        match epoll::wait(&self.epoll, spare_capacity(&mut found), Some(&timeout)) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(error).context("epoll"),
        }
        for event in found.drain(..) {
            let index = event.data.u64();
            if index == ORDERS {
                self.order_waits = true;
                continue;
            }
            let client = usize::try_from(index)?;
            self.happened(client, event.flags).with_context(|| self.clients[client].shown())?;
        }
        self.found = found;
        let now = clock::now();
        if now >= self.next_look {
            self.next_look = now + LOOK;
            self.look(now)?;
        }
        if busy && now > self.last + PATIENCE {
            bail!("nothing comes any more; {}; {} ready", self.events.tally.shown(), self.events.ready);
        }
        Ok(())
    }

    /// What is said from now on counts as the first sign of life.
    pub(crate) fn begin(&mut self) -> u64 {
        self.last = clock::now();
        self.last
    }

    fn happened(&mut self, index: usize, flags: EventFlags) -> Result<()> {
        let client = &mut self.clients[index];
        if client.is_connecting() {
            sockopt::socket_error(&client.socket)?
                .map_err(|error| anyhow::anyhow!("cannot connect: {error}"))?;
            client.connected();
            self.flush(index)?;
            return if self.clients[index].unsent.is_empty() { self.interest(index, IN) } else { Ok(()) };
        }
        if flags.contains(EventFlags::OUT) {
            self.flush(index)?;
            if self.clients[index].unsent.is_empty() {
                self.interest(index, IN)?;
            }
        }
        if flags.intersects(EventFlags::IN | EventFlags::HUP | EventFlags::ERR) {
            self.read(index)?;
        }
        Ok(())
    }

    fn read(&mut self, index: usize) -> Result<()> {
        let client = &mut self.clients[index];
        let waited = client.unsent.len();
        loop {
            let read = match rustix::io::read(&client.socket, &mut self.buffer[..]) {
                Ok(read) => read,
                Err(Errno::AGAIN) => break,
                Err(Errno::INTR) => continue,
                Err(error) => return Err(error).context("cannot read"),
            };
            ensure!(read > 0, "the server has closed the connection");
            let now = clock::now();
            self.last = now;
            client.receive(&self.buffer[..read], now, &mut self.events)?;
            if read < self.buffer.len() {
                break;
            }
        }
        // What waited before goes out when that is possible.
        if waited == 0 && !client.unsent.is_empty() { self.flush(index) } else { Ok(()) }
    }

    /// Sends the heartbeats whose time has come.
    fn look(&mut self, now: u64) -> Result<()> {
        for index in 0..self.clients.len() {
            if self.clients[index].tick(now) {
                self.flush(index)?;
            }
        }
        Ok(())
    }
}
