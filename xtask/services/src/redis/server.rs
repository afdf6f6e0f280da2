//! One server: its port, its data, and the process that comes and goes.

use super::{Certificates, Connection, Options, Reply, Security, missing};
use crate::clock;
use crate::ports::{self, Reserved};
use crate::process::{Process, tail};
use crate::spawner;
use anyhow::{Context as _, Result, bail};
use core::net::SocketAddr;
use core::time::Duration;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use tempfile::TempDir;

/// A busy machine starts one within this, with the data of a test to load.
pub(super) const START_LIMIT: Duration = Duration::from_secs(30);
pub(super) const PAUSE: Duration = Duration::from_millis(5);

/// Redis on a port of its own, with data of its own; dropping it ends it and removes the data.
#[derive(Debug)]
pub struct Redis {
    // Before the directory: the process ends first.
    process: Mutex<Option<Process>>,
    port: Reserved,
    password: Option<String>,
    certificates: Option<Certificates>,
    mode: &'static [&'static str],
    dir: TempDir,
}

impl Redis {
    /// A server that is ready when this returns.
    ///
    /// # Errors
    /// If something is not installed, or it does not come up.
    pub fn start(options: &Options) -> Result<Self> {
        let server = Self::prepare(options)?;
        server.start_again()?;
        server.await_ready(START_LIMIT)?;
        Ok(server)
    }

    /// A server with its port taken and its configuration written, not started.
    ///
    /// # Errors
    /// If there is no port, no place for the data, or no openssl for its certificates.
    pub fn prepare(options: &Options) -> Result<Self> {
        let dir = directory()?;
        let certificates = match options.security {
            Security::Plain => None,
            Security::Tls { .. } => Some(Certificates::new(dir.path())?),
        };
        let port = Reserved::new()?;
        let file = options.file(port.port(), &socket(dir.path()), dir.path(), certificates.as_ref());
        Self::with_file(dir, port, &file, &[], options.password.clone(), certificates)
    }

    /// A process of the same program in another mode, with a configuration file of its own.
    pub(super) fn with_file(
        dir: TempDir,
        port: Reserved,
        file: &str,
        mode: &'static [&'static str],
        password: Option<String>,
        certificates: Option<Certificates>,
    ) -> Result<Self> {
        // It may hold passwords.
        let path = configuration(dir.path());
        let mut open = std::fs::OpenOptions::new();
        let written = open.write(true).create_new(true).mode(0o600).open(&path);
        written.and_then(|mut written| written.write_all(file.as_bytes())).context("redis.conf")?;
        Ok(Self { process: Mutex::new(None), port, password, certificates, mode, dir })
    }

    /// Starts it with the data that it has; does not wait for it.
    ///
    /// # Errors
    /// If it runs already, or cannot be started.
    pub fn start_again(&self) -> Result<()> {
        let mut process = self.process();
        if process.as_mut().is_some_and(|process| process.ended().is_ok_and(|ended| ended.is_none())) {
            bail!("Redis on port {} runs already", self.port());
        }
        let mut arguments = vec![configuration(self.dir.path()).to_string_lossy().into_owned()];
        arguments.extend(self.mode.iter().map(|&word| word.to_owned()));
        let mut command = spawner::command("redis-server", &arguments);
        command.current_dir(self.dir.path());
        *process = Some(Process::start(command, &self.log()).with_context(|| missing("redis-server"))?);
        Ok(())
    }

    /// Waits until it answers.
    ///
    /// # Errors
    /// If it does not within `limit`, or has ended; with the end of its log.
    pub fn await_ready(&self, limit: Duration) -> Result<()> {
        let ready = || -> Result<Result<()>> {
            let pid = {
                let mut process = self.process();
                let process = process.as_mut().context("it is not started")?;
                if let Some(status) = process.ended()? {
                    // It does not come back by itself.
                    return Ok(Err(anyhow::anyhow!("it has ended: {status}")));
                }
                process.pid()
            };
            ports::listens(pid, self.port())?;
            self.ask(&["PING"]).map(|_| Ok(()))
        };
        let ready = clock::poll_until(clock::now() + limit, PAUSE, ready);
        ready.and_then(core::convert::identity).with_context(|| {
            format!("Redis on port {} is not ready; its log ends:\n{}", self.port(), tail(&self.log(), 15))
        })
    }

    /// Where clients reach it over TCP.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.port.address()
    }

    /// The port of [`address`](Self::address).
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port.port()
    }

    /// The Unix socket that it listens on too.
    #[must_use]
    pub fn socket(&self) -> PathBuf {
        socket(self.dir.path())
    }

    /// Its certificates, if it speaks TLS.
    #[must_use]
    pub const fn certificates(&self) -> Option<&Certificates> {
        self.certificates.as_ref()
    }

    /// Its process, if it was started and not killed.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        self.process().as_ref().map(Process::pid)
    }

    /// Where it writes its log.
    #[must_use]
    pub fn log(&self) -> PathBuf {
        self.dir.path().join("log")
    }

    /// What it answers to a command, asked on a connection of its own.
    ///
    /// # Errors
    /// Its error, or that it does not answer within 5 s.
    pub fn ask(&self, command: &[&str]) -> Result<Reply> {
        let mut connection = Connection::open(&self.socket())?;
        if let Some(password) = &self.password {
            connection.ask(&["AUTH", "default", password])?;
        }
        connection.ask(command)
    }

    /// All keys, sorted.
    ///
    /// # Errors
    /// If it does not answer.
    pub fn keys(&self) -> Result<Vec<String>> {
        self.ask(&["KEYS", "*"])?.texts()
    }

    /// Kills it (SIGKILL) and waits for its end; its port stays taken and its data stays.
    ///
    /// # Errors
    /// If it would not end.
    pub fn kill(&self) -> Result<()> {
        self.process().take().map_or(Ok(()), |mut process| process.kill())
    }

    /// Stops it in its tracks (SIGSTOP): connections stay open and nothing answers.
    ///
    /// # Errors
    /// If it does not run.
    pub fn freeze(&self) -> Result<()> {
        self.process().as_mut().context("Redis is not started")?.freeze()
    }

    /// Lets it go on (SIGCONT).
    ///
    /// # Errors
    /// If it does not run.
    pub fn thaw(&self) -> Result<()> {
        self.process().as_mut().context("Redis is not started")?.thaw()
    }

    fn process(&self) -> MutexGuard<'_, Option<Process>> {
        // A panic in another test's thread leaves it as it is.
        self.process.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(super) fn directory() -> Result<TempDir> {
    // A Unix socket's path is short.
    tempfile::Builder::new().prefix("tangelo-redis-").tempdir_in("/tmp").context("no place for data")
}

pub(super) fn socket(dir: &Path) -> PathBuf {
    dir.join("redis.sock")
}

fn configuration(dir: &Path) -> PathBuf {
    dir.join("redis.conf")
}
