//! What a master is made from.

use super::{Master, MasterOptions, Observer, Outcome, log_spec};
use crate::channel::purger;
use crate::config::{load, secret};
use crate::context::Context;
use crate::election::Part;
use crate::link::Secret;
use crate::parts;
use alloc::sync::Arc;
use tangelo_core::config::{self, ClusterConfig};
use tangelo_core::master::Mode;
use tangelo_core::{CpuSet, Error, ErrorKind, Result};

/// What a person may say of this one master; the rest is in master.json.
#[derive(Debug, Default)]
pub(crate) struct Own<'a> {
    pub(crate) id: Option<&'a str>,
    pub(crate) host: Option<&'a str>,
    pub(crate) port: Option<u16>,
    pub(crate) priority: Option<i32>,
}

/// What a master is for.
#[derive(Debug)]
pub(crate) struct Role {
    /// Whether it begins a cluster, or only takes over what there is.
    pub(crate) mode: Mode,
    /// Whether a signal to it as the leader ends the whole cluster, or only this master.
    pub(crate) ends_cluster: bool,
    /// The servers that a fresh cluster starts; `None`: all that are declared.
    pub(crate) only: Option<Vec<String>>,
    /// Whether its output goes to a log of its own, which it rotates.
    pub(crate) logs: bool,
}

impl Role {
    /// Whoever begins a cluster and stays with it until it is interrupted.
    pub(crate) const START: Self = Self { mode: Mode::Start, ends_cluster: true, only: None, logs: false };
    /// A standby of its own.
    #[cfg(feature = "cli")]
    pub(crate) const STANDBY: Self =
        Self { mode: Mode::TakeOver, ends_cluster: false, only: None, logs: false };
}

/// Everything a master is made from.
pub(crate) struct Plan {
    pub(crate) context: Context,
    pub(crate) config: ClusterConfig,
    pub(crate) secret: config::Secret,
    /// The id in master.json, whatever this master calls itself.
    #[cfg_attr(not(feature = "cli"), expect(dead_code, reason = "only a command line asks for it"))]
    pub(crate) configured_id: String,
    allowed: CpuSet,
    /// Whether the port is the configured one, not one that the user insists on.
    any_port: bool,
}

impl Plan {
    /// Reads the configuration and the secret, and gives the master its own name.
    pub(crate) fn new(context: Context, env: &str, own: &Own<'_>) -> Result<Self> {
        // Without CPU binding nothing is allowed, and a server that asks for it is told why.
        let affinity = parts::affinity(&context.app)?.allowed();
        let mut config = load(&context.dir, env, affinity.as_ref().ok())?;
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
        def.priority = own.priority.unwrap_or(def.priority);
        let secret = secret::obtain(&context.dir, &config)?;
        if secret::is_in_environment() {
            // So the machine knows that it was set, and not made for loopback only.
            config.master.secret = Some(secret.clone());
        }
        let allowed = affinity.unwrap_or_default();
        Ok(Self { context, config, secret, configured_id, allowed, any_port: own.port.is_none() })
    }

    /// Is a master, in this process, until it is told to go; whether it has ended the cluster.
    pub(crate) fn run(self, role: Role, observer: Observer) -> Result<Outcome> {
        let Self { context, config, secret, allowed, any_port, .. } = self;
        let lease = config.master.timing.lease;
        let coordinator = context.election.coordinator(&context.runtime, Part::Master, lease)?;
        let dir = &context.dir;
        let options = MasterOptions {
            dir: dir.clone(),
            env: config.env,
            log: role.logs.then(|| log_spec(dir, &config.master.id)),
            def: config.master,
            any_port,
            declared: config.servers,
            only: role.only,
            mode: role.mode,
            ends_cluster: role.ends_cluster,
            allowed_cpus: allowed,
            secret: Secret::from_text(secret.expose())?,
            coordinator,
            supervisor: parts::supervisor(&context.app)?,
            observer,
            purger: purger(&context.app)?.map(Arc::new),
        };
        let runtime = Arc::clone(&context.runtime);
        context.block_on(async { Master::listen(runtime, options).await?.run().await })
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

/// The masters that one knows of. Nobody waits for a coordinator that is away: ids may repeat.
fn living(context: &Context) -> Result<Vec<String>> {
    let Context { runtime, election, .. } = context;
    let look = async {
        let leader = election.leader(runtime).await?.map(|leader| leader.id);
        let standbys = election.standbys(runtime).await?.into_iter().map(|standby| standby.id);
        Ok(leader.into_iter().chain(standbys).collect())
    };
    context
        .block_on(look)
        .or_else(|error: Error| if error.is_temporary() { Ok(Vec::new()) } else { Err(error) })
}
