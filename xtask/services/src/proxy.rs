//! A TCP proxy that can cut what it carries: the network between two processes, as bad as a test wants.

use crate::ports::Reserved;
use alloc::sync::Arc;
use anyhow::Result;
use core::net::SocketAddr;
use core::time::Duration;
use rustix::net::Shutdown as Both;
use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// Listens on a port of its own and carries each connection to the target.
#[derive(Debug)]
pub struct Proxy {
    port: Reserved,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    target: SocketAddr,
    network: Mutex<Network>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Network {
    cut: bool,
    delay: Duration,
    /// None while new connections are refused.
    listener: Option<TcpListener>,
    /// Both sides of every connection, by its number.
    open: Vec<(u64, TcpStream)>,
    next: u64,
}

impl Proxy {
    /// A proxy to `target`, which need not listen yet.
    ///
    /// # Errors
    /// If there is no port for it.
    pub fn to(target: SocketAddr) -> Result<Self> {
        let shared = Shared { target, network: Mutex::default(), changed: Condvar::new() };
        let proxy = Self { port: Reserved::new()?, shared: Arc::new(shared) };
        proxy.listen()?;
        Ok(proxy)
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.port.address()
    }

    /// From now on nothing passes: connections stay open and silent, new ones are accepted and
    /// silent, and nobody is told. What was sent meanwhile arrives after [`Self::mend`], as TCP
    /// sends again what was lost.
    pub fn cut(&self) {
        self.shared.lock().cut = true;
        self.shared.changed.notify_all();
    }

    /// Closes every connection on both sides and refuses new ones.
    pub fn sever(&self) {
        let (listener, open) = {
            let mut network = self.shared.lock();
            (network.listener.take(), core::mem::take(&mut network.open))
        };
        if let Some(listener) = listener {
            // Wakes the thread that accepts.
            let _ = rustix::net::shutdown(&listener, Both::Both);
        }
        for (_, stream) in open {
            let _ = stream.shutdown(Shutdown::Both);
        }
        self.shared.changed.notify_all();
    }

    /// Lets everything pass again.
    ///
    /// # Errors
    /// If it cannot listen again after [`Self::sever`].
    pub fn mend(&self) -> Result<()> {
        self.shared.lock().cut = false;
        self.shared.changed.notify_all();
        self.listen()
    }

    /// Each piece of data, of up to 64 KiB, waits so long before it is passed on, in both directions.
    pub fn delay(&self, delay: Duration) {
        self.shared.lock().delay = delay;
    }

    /// How many connections it carries or holds at the moment.
    #[must_use]
    pub fn connections(&self) -> usize {
        let network = self.shared.lock();
        let mut numbers: Vec<_> = network.open.iter().map(|&(number, _)| number).collect();
        numbers.dedup();
        numbers.len()
    }

    fn listen(&self) -> Result<()> {
        let mut network = self.shared.lock();
        if network.listener.is_none() {
            let listener = self.port.listen()?;
            network.listener = Some(listener.try_clone()?);
            let shared = Arc::clone(&self.shared);
            std::thread::spawn(move || shared.accept(&listener));
        }
        Ok(())
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.sever();
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Network> {
        self.network.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn accept(self: Arc<Self>, listener: &TcpListener) {
        while let Ok((client, _)) = listener.accept() {
            let shared = Arc::clone(&self);
            std::thread::spawn(move || shared.carry(client));
        }
    }

    /// A connection from its beginning to its end.
    fn carry(self: Arc<Self>, client: TcpStream) {
        let Some(number) = self.enter(None, &client) else { return };
        if self.pass(number, false)
            && let Ok(server) = TcpStream::connect(self.target)
        {
            self.carry_to(number, &client, &server);
        }
        // The peers see the end even if a copy of a stream still lives.
        let _ = client.shutdown(Shutdown::Both);
        self.lock().open.retain(|(other, _)| *other != number);
    }

    fn carry_to(self: &Arc<Self>, number: u64, client: &TcpStream, server: &TcpStream) {
        if self.enter(Some(number), server).is_none() {
            return;
        }
        for stream in [client, server] {
            let _ = stream.set_nodelay(true);
        }
        std::thread::scope(|scope| {
            scope.spawn(|| self.pump(number, server, client));
            self.pump(number, client, server);
        });
    }

    /// Notes a side of a connection so that it can be severed; none if it has been already.
    fn enter(&self, number: Option<u64>, stream: &TcpStream) -> Option<u64> {
        let mut network = self.lock();
        let severed = number.map_or_else(|| network.listener.is_none(), |number| !network.has(number));
        if severed {
            return None;
        }
        let number = number.unwrap_or(network.next);
        network.next = network.next.max(number + 1);
        let stream = stream.try_clone().ok()?;
        network.open.push((number, stream));
        Some(number)
    }

    fn pump(&self, number: u64, mut from: &TcpStream, mut to: &TcpStream) {
        let mut buffer = vec![0; 64 * 1024];
        loop {
            let read = from.read(&mut buffer);
            // An end, too, is known on the other side only when it can pass.
            if !self.pass(number, true) {
                return;
            }
            let passed = match read {
                Ok(0) | Err(_) => break,
                Ok(len) => to.write_all(&buffer[..len]),
            };
            if passed.is_err() {
                break;
            }
        }
        let _ = to.shutdown(Shutdown::Write);
        let _ = from.shutdown(Shutdown::Read);
    }

    /// Waits while the network is cut, and the delay if `delayed`; false if the connection was severed.
    fn pass(&self, number: u64, delayed: bool) -> bool {
        let mut network = self.lock();
        if delayed && !network.delay.is_zero() {
            let delay = network.delay;
            let waited = self.changed.wait_timeout_while(network, delay, |network| network.has(number));
            network = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        let waits = |network: &mut Network| network.cut && network.has(number);
        network = self.changed.wait_while(network, waits).unwrap_or_else(PoisonError::into_inner);
        network.has(number)
    }
}

impl Network {
    fn has(&self, number: u64) -> bool {
        self.open.iter().any(|&(other, _)| other == number)
    }
}
