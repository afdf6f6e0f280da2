//! Commands that run a master: `start` and `master`.

use super::args::{Cli, MasterArgs, StartArgs};
use super::find::link_config;
use super::progress;
use crate::config::{load, secret};
use crate::link::Secret;
use crate::master::{Master, MasterOptions, Outcome, ask, log_spec};
use crate::parts;
use crate::program::{Context, own_file};
use alloc::sync::Arc;
use core::time::Duration;
use futures_lite::future;
use std::path::Path;
use tangelo_core::config::{self, ClusterConfig};
use tangelo_core::master::Mode;
use tangelo_core::process::LaunchSpec;
use tangelo_core::wire::{Request, Response};
use tangelo_core::{CpuSet, Error, ErrorKind, Result};

/// Set in the background process that `start -D` makes: it logs to the master's own file.
const DAEMON_VARIABLE: &str = "TANGELO_DAEMON";

/// How often `start -D` tries to reach the master that it has started.
const LOOK_AGAIN: Duration = Duration::from_millis(10);

/// Everything a master is made from.
struct Plan {
    context: Context,
    config: ClusterConfig,
    secret: config::Secret,
    allowed: CpuSet,
    /// Whether the master's port is the configured one, not one that the user insists on.
    any_port: bool,
}

impl Plan {
    fn new(cli: &Cli, dir: &Path, adjust: impl FnOnce(&mut ClusterConfig)) -> Result<Self> {
        let context = Context::new(dir)?;
        // Without CPU binding nothing is allowed, and a server that asks for it is told why.
        let affinity = parts::affinity().allowed();
        let mut config = load(&context.dir, &cli.env, affinity.as_ref().ok())?;
        if let (Err(error), Some(server)) = (&affinity, config.servers.iter().find(|def| def.cpu.is_some())) {
            return Err(Error::new(error.kind(), format!("server {}: {error}", server.id)));
        }
        adjust(&mut config);
        let secret = secret::obtain(&context.dir, &config)?;
        Ok(Self { context, config, secret, allowed: affinity.unwrap_or_default(), any_port: true })
    }

    fn run(self, mode: Mode, ends_cluster: bool, only: Option<Vec<String>>) -> Result<()> {
        let Self { context, config, secret, allowed, any_port } = self;
        let daemon = std::env::var_os(DAEMON_VARIABLE).is_some();
        let coordinator = context.coordinator(&config.master.timing)?;
        let options = MasterOptions {
            dir: context.dir.clone(),
            env: config.env,
            log: daemon.then(|| log_spec(&context.dir, &config.master.id)),
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
            observer: progress::observer(),
        };
        let runtime = Arc::clone(&context.runtime);
        let outcome = context.block_on(async { Master::listen(runtime, options).await?.run().await })?;
        progress::goodbye(outcome == Outcome::ClusterEnded);
        Ok(())
    }
}

/// `master`: a standby of its own.
pub(super) fn master(cli: &Cli, dir: &Path, args: &MasterArgs) -> Result<()> {
    let mut plan = Plan::new(cli, dir, |config| {
        let def = &mut config.master;
        if let Some(id) = &args.id {
            def.id.clone_from(id);
        }
        if let Some(host) = &args.host {
            def.host.clone_from(host);
        }
        def.port = args.port.unwrap_or(def.port);
    })?;
    plan.any_port = args.port.is_none();
    config::check_name(&plan.config.master.id)
        .map_err(|problem| Error::new(ErrorKind::Invalid, format!("--id: {problem}")))?;
    plan.run(Mode::TakeOver, false, None)
}

/// `start` without IDs: a cluster, or a standby of one.
pub(super) fn start(cli: &Cli, dir: &Path, args: &StartArgs) -> Result<()> {
    let plan = Plan::new(cli, dir, |_| {})?;
    let only = only(&plan.config, args)?;
    if args.daemon {
        return daemonize(cli, plan, args);
    }
    plan.run(Mode::Start, true, only)
}

/// Which servers `-t` and `-i` choose; `None`: all.
fn only(config: &ClusterConfig, args: &StartArgs) -> Result<Option<Vec<String>>> {
    let master = |name: &Option<String>, own: &str| name.as_deref().is_some_and(|name| name == own);
    if master(&args.server_type, "master") || master(&args.id, &config.master.id) {
        return Ok(Some(Vec::new()));
    }
    if args.server_type.is_none() && args.id.is_none() {
        return Ok(None);
    }
    let chosen = config.servers.iter().filter(|def| {
        args.server_type.as_ref().is_none_or(|server_type| *server_type == def.server_type)
            && args.id.as_ref().is_none_or(|id| *id == def.id)
    });
    let ids: Vec<String> = chosen.map(|def| def.id.clone()).collect();
    if ids.is_empty() {
        let known: Vec<&str> = config.servers.iter().map(|def| def.id.as_str()).collect();
        let message = format!("no server of servers.json is meant: there are {}", known.join(", "));
        return Err(Error::new(ErrorKind::NotFound, message));
    }
    Ok(Some(ids))
}

/// Starts the master in the background and waits until every server is up.
fn daemonize(cli: &Cli, plan: Plan, args: &StartArgs) -> Result<()> {
    let Plan { context, config, secret, .. } = plan;
    let log = log_spec(&context.dir, &config.master.id);
    let mut argv: Vec<String> = ["start", "--env", &cli.env, "--dir"].map(String::from).into();
    argv.push(context.dir.to_string_lossy().into_owned());
    for (flag, value) in [("--type", &args.server_type), ("--id", &args.id)] {
        if let Some(value) = value {
            argv.extend([flag.into(), value.clone()]);
        }
    }
    let spec = LaunchSpec {
        host: config.master.host.clone(),
        program: own_file()?,
        args: argv,
        env: vec![(DAEMON_VARIABLE.into(), "1".into())],
        log: Some(log.clone()),
        cpus: None,
    };
    let link = link_config(&secret, &config)?;
    let (host, port) = (config.master.host, config.master.port);
    let supervisor = parts::supervisor(Arc::clone(&context.runtime));
    let started = tangelo_core::Instant::now();
    let response = context.block_on(async {
        let process = supervisor.launch(spec).await?;
        let died = async {
            let exit = supervisor.wait(&process).await?;
            let message = format!("the master has {exit}: see {}", log.path);
            Err(Error::new(ErrorKind::Unavailable, message))
        };
        let answered = async {
            loop {
                match ask(&context.runtime, &link, &host, port, Request::AwaitStart).await {
                    Err(error) if error.is_temporary() => context.runtime.sleep(LOOK_AGAIN).await,
                    answer => return answer,
                }
            }
        };
        future::or(answered, died).await
    })?;
    match response {
        Response::Done(ids) => {
            let ms = tangelo_core::Instant::now().saturating_since(started).as_millis();
            progress::all_up(ids.len(), ms);
            Ok(())
        }
        Response::Failed { kind, message } => Err(Error::new(kind, message)),
        _ => Err(Error::new(ErrorKind::Protocol, "the master has not answered as this version does")),
    }
}
