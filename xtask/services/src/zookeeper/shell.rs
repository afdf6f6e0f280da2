//! A look at the znodes, and a hand in them, without the client that is under test.

use super::jute::{Reader, Writer};
use crate::clock;
use anyhow::{Context as _, Result, bail};
use core::net::SocketAddr;
use core::time::Duration;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;

/// What a session that nobody uses for so long loses.
const SESSION: Duration = Duration::from_secs(30);
const PING: Duration = Duration::from_secs(5);
/// No reply of a test's ensemble is longer.
const LONGEST: usize = 64 << 20;

const WATCH_XID: i32 = -1;
const PING_XID: i32 = -2;
const AUTH_XID: i32 = -4;

/// A session on one node of an ensemble. Each call blocks, for the limit given to it at most.
#[derive(Debug)]
pub struct Shell {
    stream: TcpStream,
    limit: Duration,
    xid: i32,
    zxid: u64,
    changes: u64,
    follows: bool,
    told: Vec<Change>,
}

/// A change that was told to a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// When it came here, since boot.
    pub at: Duration,
    /// What has happened.
    pub what: Happened,
    /// To which znode.
    pub path: String,
}

/// What has happened to a znode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Happened {
    /// It was made.
    Created,
    /// It is gone.
    Deleted,
    /// It was written.
    Written,
    /// A child was made or has gone, or the connection has changed.
    Other,
}

/// A znode as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Znode {
    /// What stands in it.
    pub data: Vec<u8>,
    /// The transaction that made it.
    pub created: u64,
    /// The transaction that wrote it last: later ones have higher numbers.
    pub written: u64,
    /// How often it was written.
    pub version: i32,
    /// The session that it goes with; 0 if it stays.
    pub owner: u64,
}

/// The result codes of ZooKeeper that are an answer, and not a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Code {
    Ok,
    NoNode,
    NodeExists,
    Other(i32),
}

impl Shell {
    /// Opens a session on the node at `address`; each of its calls waits for `limit` at most.
    ///
    /// # Errors
    /// If the node does not serve.
    pub fn connect(address: SocketAddr, limit: Duration) -> Result<Self> {
        Self::connect_after(0, address, limit)
    }

    /// As [`connect`](Self::connect), but only to a node that has seen transaction `zxid`: what is read
    /// is not older than what another session has read.
    ///
    /// # Errors
    /// If the node does not serve, or lags behind.
    pub fn connect_after(zxid: u64, address: SocketAddr, limit: Duration) -> Result<Self> {
        Self::open(zxid, address, limit, SESSION)
    }

    /// As [`connect`](Self::connect), with a session that ends once nothing was heard of it for `session`.
    ///
    /// # Errors
    /// If the node does not serve.
    pub fn connect_for(session: Duration, address: SocketAddr, limit: Duration) -> Result<Self> {
        Self::open(0, address, limit, session)
    }

    fn open(zxid: u64, address: SocketAddr, limit: Duration, session: Duration) -> Result<Self> {
        let place = || format!("ZooKeeper at {address} opens no session");
        let stream = TcpStream::connect_timeout(&address, limit).with_context(place)?;
        stream.set_nodelay(true)?;
        stream.set_write_timeout(Some(limit))?;
        let mut shell = Self { stream, limit, xid: 0, zxid, changes: 0, follows: false, told: Vec::new() };
        let timeout = i32::try_from(session.as_millis())?;
        let seen = i64::from_ne_bytes(zxid.to_ne_bytes());
        let hello = Writer::default().int(0).long(seen).int(timeout).long(0).bytes(&[0; 16]).bool(false);
        shell.stream.write_all(&hello.packet()).with_context(place)?;
        let reply = shell.packet(clock::now() + limit).with_context(place)?;
        let mut reply = Reader(&reply);
        let (_protocol, timeout) = (reply.int()?, reply.int()?);
        if timeout <= 0 {
            bail!("ZooKeeper at {address} refuses a session");
        }
        Ok(shell)
    }

    /// Says who this is, by the scheme `digest`.
    ///
    /// # Errors
    /// If the node does not answer or refuses.
    pub fn log_in(&mut self, username: &str, password: &str) -> Result<()> {
        const AUTH: i32 = 100;
        let auth = Writer::default().int(AUTH_XID).int(AUTH).int(0).bytes(b"digest");
        let auth = auth.bytes(format!("{username}:{password}").as_bytes());
        self.stream.write_all(&auth.packet())?;
        match self.reply(AUTH_XID)? {
            (Code::Ok, _) => Ok(()),
            (code, _) => bail!("ZooKeeper refuses the login: {code:?}"),
        }
    }

    /// A znode, if there is one.
    ///
    /// # Errors
    /// If the node does not answer, or refuses.
    pub fn get(&mut self, path: &str) -> Result<Option<Znode>> {
        self.read(path, false)
    }

    /// As [`get`](Self::get); the next change of it, its making and its end too, is told to
    /// [`changed`](Self::changed).
    ///
    /// # Errors
    /// If the node does not answer, or refuses.
    pub fn watch(&mut self, path: &str) -> Result<Option<Znode>> {
        if let Some(node) = self.read(path, true)? {
            return Ok(Some(node));
        }
        // Where nothing is, only this leaves a watch. It may have come meanwhile.
        const EXISTS: i32 = 3;
        match self.ask(EXISTS, Writer::default().bytes(path.as_bytes()).bool(true))? {
            (Code::NoNode, _) => Ok(None),
            _ => self.read(path, true),
        }
    }

    /// Has every change of `path` and of all below it told to [`changed`](Self::changed) from now on.
    ///
    /// # Errors
    /// If the node does not answer, or refuses.
    pub fn follow(&mut self, path: &str) -> Result<()> {
        const ADD_WATCH: i32 = 106;
        const PERSISTENT_RECURSIVE: i32 = 1;
        let request = Writer::default().bytes(path.as_bytes()).int(PERSISTENT_RECURSIVE);
        self.follows = true;
        self.ask(ADD_WATCH, request).map(drop)
    }

    /// The changes that were told since the last call, in their order, once [`follow`](Self::follow) was called.
    pub fn take_changes(&mut self) -> Vec<Change> {
        core::mem::take(&mut self.told)
    }

    /// Waits for the change of anything watched; false if none came until `deadline`.
    ///
    /// # Errors
    /// If the connection is lost.
    pub fn changed(&mut self, deadline: Duration) -> Result<bool> {
        const PING_TYPE: i32 = 11;
        while self.changes == 0 {
            let until = deadline.min(clock::now() + PING);
            if clock::readable_before(&self.stream, until)? {
                let packet = self.packet(clock::now() + self.limit)?;
                self.note(&packet)?;
            } else if clock::now() >= deadline {
                return Ok(false);
            } else {
                self.stream.write_all(&Writer::default().int(PING_XID).int(PING_TYPE).packet())?;
            }
        }
        self.changes = 0;
        Ok(true)
    }

    /// The names of the znodes below `path`, in no order; none if it does not exist.
    ///
    /// # Errors
    /// If the node does not answer, or refuses.
    pub fn children(&mut self, path: &str) -> Result<Option<Vec<String>>> {
        const GET_CHILDREN: i32 = 8;
        match self.ask(GET_CHILDREN, Writer::default().bytes(path.as_bytes()).bool(false))? {
            (Code::NoNode, _) => Ok(None),
            (_, reply) => {
                let mut reply = Reader(&reply);
                (0..reply.int()?).map(|_| reply.text()).collect::<Result<_>>().map(Some)
            }
        }
    }

    /// Makes a znode that stays, open to everybody; false if it exists.
    ///
    /// # Errors
    /// If the node does not answer, or refuses, as it does without a parent.
    pub fn create(&mut self, path: &str, data: &[u8]) -> Result<bool> {
        const STAYS: i32 = 0;
        self.make(path, data, STAYS)
    }

    /// Makes a znode that goes with this session, open to everybody; false if it exists.
    ///
    /// # Errors
    /// As for [`create`](Self::create).
    pub fn create_ephemeral(&mut self, path: &str, data: &[u8]) -> Result<bool> {
        const EPHEMERAL: i32 = 1;
        self.make(path, data, EPHEMERAL)
    }

    fn make(&mut self, path: &str, data: &[u8], flags: i32) -> Result<bool> {
        const CREATE: i32 = 1;
        const ALL: i32 = 31;
        let node = Writer::default().bytes(path.as_bytes()).bytes(data);
        let open = node.int(1).int(ALL).bytes(b"world").bytes(b"anyone");
        match self.ask(CREATE, open.int(flags))? {
            (Code::NodeExists, _) => Ok(false),
            (Code::NoNode, _) => bail!("{path} has no parent in ZooKeeper"),
            _ => Ok(true),
        }
    }

    /// Writes a znode, whatever its version; false if there is none.
    ///
    /// # Errors
    /// If the node does not answer, or refuses.
    pub fn set(&mut self, path: &str, data: &[u8]) -> Result<bool> {
        const SET_DATA: i32 = 5;
        let asked = self.ask(SET_DATA, Writer::default().bytes(path.as_bytes()).bytes(data).int(-1))?;
        Ok(asked.0 == Code::Ok)
    }

    /// Deletes a znode without children, whatever its version; false if there is none.
    ///
    /// # Errors
    /// If the node does not answer, or refuses.
    pub fn delete(&mut self, path: &str) -> Result<bool> {
        const DELETE: i32 = 2;
        let asked = self.ask(DELETE, Writer::default().bytes(path.as_bytes()).int(-1))?;
        Ok(asked.0 == Code::Ok)
    }

    /// The last transaction that was heard of.
    #[must_use]
    pub const fn zxid(&self) -> u64 {
        self.zxid
    }

    fn read(&mut self, path: &str, watch: bool) -> Result<Option<Znode>> {
        const GET_DATA: i32 = 4;
        match self.ask(GET_DATA, Writer::default().bytes(path.as_bytes()).bool(watch))? {
            (Code::NoNode, _) => Ok(None),
            (_, reply) => {
                let mut reply = Reader(&reply);
                let data = reply.bytes()?;
                let (created, written) = (unsigned(reply.long()?), unsigned(reply.long()?));
                let _times = (reply.long()?, reply.long()?);
                let version = reply.int()?;
                let _versions = (reply.int()?, reply.int()?);
                let owner = unsigned(reply.long()?);
                Ok(Some(Znode { data, created, written, version, owner }))
            }
        }
    }

    /// Sends a request and waits for its reply: the result, and what came with it.
    fn ask(&mut self, kind: i32, request: Writer) -> Result<(Code, Vec<u8>)> {
        self.xid += 1;
        let head = Writer::default().int(self.xid).int(kind);
        let packet = head.then(request).packet();
        self.stream.write_all(&packet).context("ZooKeeper has closed the connection")?;
        match self.reply(self.xid)? {
            (Code::Other(code), _) => bail!("ZooKeeper refuses: error {code}"),
            reply => Ok(reply),
        }
    }

    fn reply(&mut self, xid: i32) -> Result<(Code, Vec<u8>)> {
        let deadline = clock::now() + self.limit;
        loop {
            let packet = self.packet(deadline)?;
            if let Some(reply) = self.note(&packet)?.filter(|(of, ..)| *of == xid) {
                return Ok((reply.1, reply.2));
            }
        }
    }

    /// Takes in a packet: the reply to a request of ours, with its number, or news.
    fn note(&mut self, packet: &[u8]) -> Result<Option<(i32, Code, Vec<u8>)>> {
        let mut reader = Reader(packet);
        let (xid, zxid, code) = (reader.int()?, reader.long()?, reader.int()?);
        // News and pings bear none.
        self.zxid = self.zxid.max(u64::try_from(zxid).unwrap_or(0));
        if xid == WATCH_XID {
            self.changes += 1;
            let (what, _state) = (reader.int()?, reader.int()?);
            let what = match what {
                1 => Happened::Created,
                2 => Happened::Deleted,
                3 => Happened::Written,
                _ => Happened::Other,
            };
            if self.follows {
                self.told.push(Change { at: clock::now(), what, path: reader.text()? });
            }
            return Ok(None);
        }
        let code = match code {
            0 => Code::Ok,
            -101 => Code::NoNode,
            -110 => Code::NodeExists,
            other => Code::Other(other),
        };
        Ok(Some((xid, code, reader.0.to_vec())))
    }

    fn packet(&mut self, deadline: Duration) -> Result<Vec<u8>> {
        let mut len = [0; 4];
        self.fill(&mut len, deadline)?;
        let len = usize::try_from(i32::from_be_bytes(len)).ok().filter(|len| *len <= LONGEST);
        let mut packet = vec![0; len.context("a packet of ZooKeeper has no length")?];
        self.fill(&mut packet, deadline)?;
        Ok(packet)
    }

    fn fill(&mut self, mut buffer: &mut [u8], deadline: Duration) -> Result<()> {
        while !buffer.is_empty() {
            if !clock::readable_before(&self.stream, deadline)? {
                bail!("ZooKeeper does not answer");
            }
            match self.stream.read(buffer).context("the connection to ZooKeeper is lost")? {
                0 => bail!("ZooKeeper has closed the connection"),
                len => buffer = &mut buffer[len..],
            }
        }
        Ok(())
    }
}

impl Drop for Shell {
    fn drop(&mut self) {
        const CLOSE: i32 = -11;
        // Without it the session lasts until it expires.
        let _ = self.stream.write_all(&Writer::default().int(self.xid + 1).int(CLOSE).packet());
    }
}

const fn unsigned(value: i64) -> u64 {
    u64::from_ne_bytes(value.to_ne_bytes())
}
