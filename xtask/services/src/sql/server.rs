//! One server: its port, its data, and the processes that come and go.

use super::{Flavor, NAME, PASSWORD, Place, missing, output, program};
use crate::account::Account;
use crate::clock;
use crate::family::Family;
use crate::ports::{self, Reserved};
use crate::process::tail;
use crate::spawner;
use anyhow::{Context as _, Result, bail};
use core::marker::PhantomData;
use core::time::Duration;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};
use tempfile::TempDir;

/// A busy machine starts one within this, with the log of a killed one to replay.
const START_LIMIT: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_millis(20);

/// A database server on a port of its own, with data of its own; dropping it ends it and removes the data. What it
/// has acknowledged is on the disk.
#[derive(Debug)]
pub struct Server<F> {
    // Before the directory: the processes end first.
    family: Mutex<Option<Family>>,
    port: Reserved,
    account: Option<Account>,
    settings: Vec<String>,
    dir: TempDir,
    flavor: PhantomData<F>,
}

impl<F: Flavor> Server<F> {
    /// A server that is ready when this returns.
    ///
    /// # Errors
    /// If something is not installed, or it does not come up.
    pub fn start() -> Result<Self> {
        Self::start_with(&[])
    }

    /// The same with further arguments on its command line.
    ///
    /// # Errors
    /// If something is not installed, or it does not come up.
    pub fn start_with(settings: &[&str]) -> Result<Self> {
        // A Unix socket's path is short.
        let dir = tempfile::Builder::new()
            .prefix("tangelo-sql-")
            .tempdir_in("/tmp")
            .context("no place for data")?;
        let account = Account::instead_of_root(F::ACCOUNT)?;
        if let Some(account) = account {
            account.give(dir.path())?;
        }
        let settings = settings.iter().map(|&setting| setting.to_owned()).collect();
        let port = Reserved::new()?;
        let family = Mutex::new(None);
        let server = Self { family, port, account, settings, dir, flavor: PhantomData };
        let (initialize, args) = F::initialize(&server.place());
        let command = program(account, &initialize, &args, server.dir.path());
        output(command, "").with_context(|| missing::<F>(&initialize))?;
        server.start_again()?;
        server.await_ready(START_LIMIT)?;
        server.sql(None, F::PREPARATION)?;
        server.sql(None, &F::create_database(NAME))?;
        Ok(server)
    }

    /// Starts it with the data that it has; does not wait for it.
    ///
    /// # Errors
    /// If it runs already, or cannot be started.
    pub fn start_again(&self) -> Result<()> {
        let mut family = self.family();
        if family.as_mut().is_some_and(|family| family.ended().is_ok_and(|ended| ended.is_none())) {
            bail!("{} on port {} runs already", F::PRODUCT, self.port());
        }
        let (daemon, mut args) = F::daemon(&self.place());
        args.extend(self.settings.iter().cloned());
        let mut command = spawner::command_as(self.account, &daemon.to_string_lossy(), &args);
        command.current_dir(self.dir.path()).env("TMPDIR", self.dir.path());
        *family = Some(Family::start(command, &self.log()).with_context(|| missing::<F>(&daemon))?);
        Ok(())
    }

    /// Waits until it answers.
    ///
    /// # Errors
    /// If it does not within `limit`, or has ended; with the end of its log.
    pub fn await_ready(&self, limit: Duration) -> Result<()> {
        let ready = || -> Result<Result<()>> {
            let pid = {
                let mut family = self.family();
                let family = family.as_mut().context("it is not started")?;
                if let Some(status) = family.ended()? {
                    // It does not come back by itself.
                    return Ok(Err(anyhow::anyhow!("it has ended: {status}")));
                }
                family.pid()
            };
            ports::listens(pid, self.port())?;
            self.sql(None, "SELECT 1;").map(|_| Ok(()))
        };
        let ready = clock::poll_until(clock::now() + limit, PAUSE, ready);
        ready.and_then(core::convert::identity).with_context(|| {
            let log = tail(&self.log(), 15);
            format!("{} on port {} is not ready; its log ends:\n{log}", F::PRODUCT, self.port())
        })
    }

    /// How clients reach the database that it comes with, over TCP.
    #[must_use]
    pub fn url(&self) -> String {
        self.url_of(NAME)
    }

    /// Makes another database; how clients reach it.
    ///
    /// # Errors
    /// If there is one of this name.
    pub fn database(&self, name: &str) -> Result<String> {
        self.sql(None, &F::create_database(name))?;
        Ok(self.url_of(name))
    }

    fn url_of(&self, database: &str) -> String {
        format!("{}://{NAME}:{PASSWORD}@127.0.0.1:{}/{database}", F::SCHEME, self.port())
    }

    /// Its port on 127.0.0.1.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port.port()
    }

    /// Its process, if it was started and not killed.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        self.family().as_ref().map(Family::pid)
    }

    /// Where it writes its log.
    #[must_use]
    pub fn log(&self) -> PathBuf {
        self.dir.path().join("log")
    }

    /// What it answers to statements of the superuser: fields separated by tabs, rows by newlines.
    ///
    /// # Errors
    /// Its error.
    pub fn sql(&self, database: Option<&str>, statements: &str) -> Result<String> {
        let (client, args) = F::client(&self.place(), database);
        let command = program(self.account, &client, &args, self.dir.path());
        output(command, statements).with_context(|| format!("{} says", F::PRODUCT))
    }

    /// Kills it (SIGKILL) with all its processes, and waits for their end; its port stays taken and its data stays.
    ///
    /// # Errors
    /// If it would not end.
    pub fn kill(&self) -> Result<()> {
        self.family().take().map_or(Ok(()), |mut family| family.kill())
    }

    /// Stops all its processes in their tracks (SIGSTOP): connections stay open and nothing answers.
    ///
    /// # Errors
    /// If it does not run.
    pub fn freeze(&self) -> Result<()> {
        self.family().as_mut().context("it is not started")?.freeze()
    }

    /// Lets it go on (SIGCONT).
    ///
    /// # Errors
    /// If it does not run.
    pub fn thaw(&self) -> Result<()> {
        self.family().as_mut().context("it is not started")?.thaw()
    }

    fn place(&self) -> Place<'_> {
        Place { dir: self.dir.path(), port: self.port() }
    }

    fn family(&self) -> MutexGuard<'_, Option<Family>> {
        // A panic in another test's thread leaves it as it is.
        self.family.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
