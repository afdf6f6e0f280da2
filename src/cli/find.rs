//! Finding the active master and asking it.

use super::args::{Cli, Target};
use crate::config::{load_master, secret};
use crate::embedded;
use crate::link::{LinkConfig, Secret};
use crate::master;
use crate::parts;
use crate::program::Context;
use crate::time::{Elapsed, timeout};
use alloc::sync::Arc;
use core::time::Duration;
use std::path::Path;
use tangelo_core::config::{self, ClusterConfig};
use tangelo_core::wire::{Hello, Listing, Request, Response, Role};
use tangelo_core::{Error, ErrorKind, Instant, ProcessRef, Result};

/// How long masters that stand by may take to elect a leader, and how often one looks.
const ELECTION: Duration = Duration::from_secs(3);
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// How long a master may take to leave once the cluster has ended.
const LEAVE: Duration = Duration::from_secs(15);

/// Where the master is, and how to get in.
pub(super) struct Console {
    pub(super) context: Context,
    config: LinkConfig,
    host: String,
    port: u16,
    /// Whether the user has named the address.
    named: bool,
}

impl Console {
    /// Finds the active master: the one that is named, or the one that the directory's
    /// coordinator knows, or the one of master.json.
    pub(super) fn open(cli: &Cli, dir: &Path, target: &Target) -> Result<Self> {
        let context = Context::new(dir)?;
        let config = load_master(&context.dir, &cli.env)?;
        let (host, port) = match target.port {
            Some(port) => (target.host.clone().unwrap_or_else(|| config.master.host.clone()), port),
            None => find(&context, &config)?,
        };
        let named = target.port.is_some();
        let secret = secret::find(&context.dir, &config).map_err(|error| match error.kind() {
            ErrorKind::NotFound => no_master(&context).with_source(error),
            _ => error,
        })?;
        Ok(Self { config: link_config(&secret, &config)?, context, host, port, named })
    }

    /// Asks the master, and takes its word: a failure becomes an error.
    pub(super) fn ask(&self, request: Request) -> Result<Response> {
        let Self { context, config, host, port, named } = self;
        let asked = context.block_on(master::ask(&context.runtime, config, host, *port, request));
        match asked {
            Ok(Response::Failed { kind, message }) => Err(Error::new(kind, message)),
            Ok(response) => Ok(response),
            Err(error) if error.kind() == ErrorKind::Unavailable && !named && !self.is_led()? => {
                Err(no_master(context))
            }
            Err(error) => Err(error),
        }
    }

    /// Whether the directory's coordinator knows a living leader.
    fn is_led(&self) -> Result<bool> {
        Ok(embedded::current_leader(&self.context.dir.join("run"))?.is_some())
    }

    /// Waits until these masters, which have been told to go, are gone.
    pub(super) fn wait_for(&self, masters: &[ProcessRef]) -> Result<()> {
        let runtime = &self.context.runtime;
        let supervisor = parts::supervisor(Arc::clone(runtime));
        self.context.block_on(async {
            for master in masters {
                timeout(runtime, LEAVE, supervisor.wait(master)).await.unwrap_or_else(|Elapsed| {
                    let message =
                        format!("the master with {master} is still there: look at its log, or kill it");
                    Err(Error::new(ErrorKind::Timeout, message))
                })?;
            }
            Ok(())
        })
    }

    pub(super) fn list(&self) -> Result<Listing> {
        match self.ask(Request::List)? {
            Response::Listing(listing) => Ok(listing),
            _ => Err(Error::new(
                ErrorKind::Protocol,
                "the master has not answered with a list: use one version",
            )),
        }
    }
}

/// How the command line links with a master.
pub(super) fn link_config(secret: &config::Secret, config: &ClusterConfig) -> Result<LinkConfig> {
    let hello = Hello { role: Role::Admin, id: "command line".into(), pid: std::process::id() };
    let mut link = LinkConfig::new(Secret::from_text(secret.expose())?, hello);
    link.heartbeat = config.master.timing.heartbeat;
    Ok(link)
}

/// The leader that the directory's coordinator knows, or else the address in master.json. Masters
/// that stand by without a leader are about to elect one: that is waited for.
fn find(context: &Context, config: &ClusterConfig) -> Result<(String, u16)> {
    let run = context.dir.join("run");
    let patience = Instant::now() + ELECTION;
    loop {
        if let Some(leader) = embedded::current_leader(&run)? {
            return Ok((leader.host, leader.port));
        }
        if Instant::now() >= patience || embedded::standbys(&run)?.is_empty() {
            return Ok((config.master.host.clone(), config.master.port));
        }
        context.block_on(context.runtime.sleep(LOOK_AGAIN));
    }
}

fn no_master(context: &Context) -> Error {
    let message = format!("no master is alive in {}: `start` starts the cluster", context.dir.display());
    Error::new(ErrorKind::Unavailable, message)
}
