//! What a master is made from.

use super::args::Cli;
use super::foreground;
use crate::config::{load, secret};
use crate::embedded;
use crate::link::Secret;
use crate::master::{Master, MasterOptions, Outcome, log_spec};
use crate::parts;
use crate::program::Context;
use alloc::sync::Arc;
use std::path::Path;
use tangelo_core::config::{self, ClusterConfig};
use tangelo_core::master::Mode;
use tangelo_core::{CpuSet, Error, ErrorKind, Result};

/// What a person may say of this one master; the rest is in master.json.
#[derive(Debug, Default)]
pub(super) struct Own<'a> {
    pub(super) id: Option<&'a str>,
    pub(super) host: Option<&'a str>,
    pub(super) port: Option<u16>,
}

/// Everything a master is made from.
pub(super) struct Plan {
    pub(super) context: Context,
    pub(super) config: ClusterConfig,
    pub(super) secret: config::Secret,
    /// The id in master.json, whatever this master calls itself.
    pub(super) configured_id: String,
    allowed: CpuSet,
    /// Whether the port is the configured one, not one that the user insists on.
    any_port: bool,
}

impl Plan {
    /// Reads the configuration and the secret, and gives the master its own name.
    pub(super) fn new(cli: &Cli, dir: &Path, own: &Own<'_>) -> Result<Self> {
        let context = Context::new(dir)?;
        // Without CPU binding nothing is allowed, and a server that asks for it is told why.
        let affinity = parts::affinity().allowed();
        let mut config = load(&context.dir, &cli.env, affinity.as_ref().ok())?;
        if let (Err(error), Some(server)) = (&affinity, config.servers.iter().find(|def| def.cpu.is_some())) {
            return Err(Error::new(error.kind(), format!("server {}: {error}", server.id)));
        }
        let def = &mut config.master;
        let configured_id = def.id.clone();
        def.id = match own.id {
            Some(id) => chosen(&context, id)?,
            None => free(&context, &def.id)?,
        };
        if let Some(host) = own.host {
            def.host = host.into();
        }
        def.port = own.port.unwrap_or(def.port);
        let secret = secret::obtain(&context.dir, &config)?;
        let allowed = affinity.unwrap_or_default();
        Ok(Self { context, config, secret, configured_id, allowed, any_port: own.port.is_none() })
    }

    /// Is a master, in this process, until it is told to go. `logs`: its output goes to its own
    /// log, and nobody watches.
    pub(super) fn run(
        self,
        mode: Mode,
        ends_cluster: bool,
        only: Option<Vec<String>>,
        logs: bool,
    ) -> Result<()> {
        let Self { context, config, secret, allowed, any_port, .. } = self;
        let coordinator = context.coordinator(&config.master.timing)?;
        let dir = &context.dir;
        let options = MasterOptions {
            dir: dir.clone(),
            env: config.env,
            log: logs.then(|| log_spec(dir, &config.master.id)),
            def: config.master,
            any_port,
            declared: config.servers,
            only,
            mode,
            ends_cluster,
            allowed_cpus: allowed,
            secret: Secret::from_text(secret.expose())?,
            coordinator,
            supervisor: parts::supervisor(Arc::clone(&context.runtime)),
            observer: if logs { foreground::logger() } else { foreground::observer(dir) },
        };
        let runtime = Arc::clone(&context.runtime);
        let outcome = context.block_on(async { Master::listen(runtime, options).await?.run().await })?;
        foreground::goodbye(outcome == Outcome::ClusterEnded);
        Ok(())
    }
}

/// The id that the user has chosen, if no other master has it.
fn chosen(context: &Context, id: &str) -> Result<String> {
    config::check_name(id).map_err(|problem| Error::new(ErrorKind::Invalid, format!("--id: {problem}")))?;
    if living(context)?.iter().any(|other| other == id) {
        let message = format!("a master {id} lives already: choose another --id");
        return Err(Error::new(ErrorKind::AlreadyExists, message));
    }
    Ok(id.to_owned())
}

/// The id of master.json for the first of several masters, with a number for the others.
fn free(context: &Context, id: &str) -> Result<String> {
    let living = living(context)?;
    let numbered = (2_u32..).map(|n| format!("{id}-{n}"));
    let mut ids = core::iter::once(id.to_owned()).chain(numbered);
    // There are more numbers than masters.
    Ok(ids.find(|id| !living.contains(id)).unwrap_or_default())
}

fn living(context: &Context) -> Result<Vec<String>> {
    let run = context.dir.join("run");
    let leader = embedded::current_leader(&run)?.map(|leader| leader.id);
    let standbys = embedded::standbys(&run)?.into_iter().map(|standing| standing.candidate.id);
    Ok(leader.into_iter().chain(standbys).collect())
}
