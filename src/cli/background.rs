//! `start -D`: a master in the background, waited for until its servers are up.

use super::admin::logs_of_failed;
use super::args::{Cli, StartArgs};
use super::bar::say;
use super::console::{Console, unexpected};
use super::{bar, find, tail};
use crate::context::Context;
use crate::master::{MasterEvent, Plan, log_spec};
use crate::parts;
use crate::program::own_file;
use crate::time::{Elapsed, timeout};
use alloc::sync::Arc;
use core::time::Duration;
use futures_lite::future;
use std::path::Path;
use tangelo_core::config::ClusterConfig;
use tangelo_core::process::{LaunchSpec, Signal};
use tangelo_core::wire::{MasterRole, MasterRow, Request, Response, Selection};
use tangelo_core::{Error, ErrorKind, Instant, ProcessRef, Result, Supervisor};
use tracing::warn;

/// Holds, in the process that `start -D` makes, the id of this master, whose log is its output.
const ID_VARIABLE: &str = "TANGELO_BACKGROUND_MASTER";

/// How long a master may take, beyond two leases of a leader that may have to be replaced, until it
/// leads or stands by.
const PATIENCE: Duration = Duration::from_secs(10);

/// How often one looks whether it does.
const LOOK_AGAIN: Duration = Duration::from_millis(10);

/// The same while the coordinator cannot be asked.
const ASK_AGAIN: Duration = Duration::from_millis(200);

/// The id that this process was given if it is a master in the background.
pub(super) fn own_id() -> Option<String> {
    std::env::var(ID_VARIABLE).ok()
}

/// Starts the master and waits until every server is up, or until it stands by.
pub(super) fn start(cli: &Cli, plan: Plan, args: &StartArgs) -> Result<()> {
    let spec = launch_spec(cli, &plan, args)?;
    let Plan { context, config, secret, .. } = plan;
    let log = tail::log_of(&context.dir, &config.master.id);
    let patience = patience(&context, &config);
    let console = Console::new(context, config, &secret, None)?;
    let (logged, since) = (tail::length(&log), Instant::now());
    let supervisor = parts::supervisor(&console.context.app)?;
    let Begun { row, process, supervisor } = begin(&console, supervisor, spec, &log, patience)?;
    if row.role == MasterRole::Standby {
        return standing_by(&console, &row);
    }
    let about = format!("master {} runs in the background: pid {}, log {}", row.id, row.pid, log.display());
    tail::show(&[about]);

    let response = console.context.block_on(future::or(
        future::or(console.put(Request::AwaitStart), died(&*supervisor, &process)),
        console.show_progress(),
    ));
    bar::clear();
    match response {
        Ok(Response::Done(ids)) => {
            let after = Instant::now().saturating_since(since);
            say(&MasterEvent::Settled { up: ids.len(), failed: 0, after }.to_string());
            Ok(())
        }
        Ok(other) => Err(unexpected(&other)),
        Err(error) => {
            let Ok(listing) = console.list() else {
                tail::show(&tail::of(&log, logged));
                return Err(error);
            };
            tail::show(&logs_of_failed(&console.context.dir, &listing, &Selection::default()));
            let hint =
                "see logs/; the cluster runs on without them, `start ID` tries one again, `stop` ends all";
            Err(Error::new(error.kind(), format!("{error} ({hint})")))
        }
    }
}

/// A master in the background that leads or stands by.
pub(super) struct Begun {
    pub(super) row: MasterRow,
    process: ProcessRef,
    supervisor: Arc<dyn Supervisor>,
}

/// Starts a master and waits until it leads or stands by; one that does neither is not left behind.
pub(super) fn begin(
    console: &Console,
    supervisor: Arc<dyn Supervisor>,
    spec: LaunchSpec,
    log: &Path,
    patience: Duration,
) -> Result<Begun> {
    let runtime = &console.context.runtime;
    let logged = tail::length(log);
    let process = console.context.block_on(supervisor.launch(spec))?;
    let row = console.context.block_on(async {
        let settled = timeout(runtime, patience, role(console, &process));
        let settled = async { settled.await.unwrap_or_else(|Elapsed| Err(hung(&process, patience))) };
        future::or(settled, died(&*supervisor, &process)).await
    });
    let row = row.map_err(|error| give_up(console, &*supervisor, &process, error, (log, logged)))?;
    Ok(Begun { row, process, supervisor })
}

/// How long a master in the background may take until it leads or stands by.
pub(super) fn patience(context: &Context, config: &ClusterConfig) -> Duration {
    context.election.patience(config.master.timing.lease) + PATIENCE
}

fn launch_spec(cli: &Cli, plan: &Plan, args: &StartArgs) -> Result<LaunchSpec> {
    let mut argv = Vec::new();
    for (flag, value) in [("--type", &args.server_type), ("--id", &args.id)] {
        if let Some(value) = value {
            argv.extend([flag.into(), value.clone()]);
        }
    }
    let master = &plan.config.master;
    let place = (own_file()?, &*plan.context.dir);
    Ok(spec(cli, place, "start", (&master.id, &master.host), argv))
}

/// What runs `command` as the master `id` on `host` in the background, with the program and directory there.
pub(super) fn spec(
    cli: &Cli,
    (program, dir): (String, &Path),
    command: &str,
    (id, host): (&str, &str),
    more: Vec<String>,
) -> LaunchSpec {
    let mut args: Vec<String> =
        [command, "--env", &cli.env, "--log-format", cli.log_format.as_str(), "--dir"]
            .map(String::from)
            .into();
    args.push(dir.to_string_lossy().into_owned());
    args.extend(more);
    LaunchSpec {
        host: host.into(),
        program,
        args,
        env: vec![(ID_VARIABLE.into(), id.into())],
        log: Some(log_spec(dir, id)),
        cpus: None,
    }
}

/// Waits until the new master leads or is linked to the leader, as the leader itself lists it.
async fn role(console: &Console, process: &ProcessRef) -> Result<MasterRow> {
    let mut told = false;
    loop {
        let pause = match find::leader(&console.context).await {
            Ok(Some(_)) => {
                let listing = console.listing().await;
                let is_it = |row: &MasterRow| row.pid == process.pid && row.host == process.host;
                if let Some(row) = listing.ok().and_then(|listing| listing.masters.into_iter().find(is_it)) {
                    return Ok(row);
                }
                LOOK_AGAIN
            }
            // Before somebody leads there is nobody to ask.
            Ok(None) => LOOK_AGAIN,
            Err(error) if error.is_temporary() => {
                if !told {
                    warn!(%error, "the master in the background waits");
                    told = true;
                }
                ASK_AGAIN
            }
            Err(error) => return Err(error),
        };
        console.context.runtime.sleep(pause).await;
    }
}

fn standing_by(console: &Console, row: &MasterRow) -> Result<()> {
    let leader = console.context.block_on(find::leader(&console.context))?;
    let leader = leader.map_or_else(
        || "another master led a moment ago".to_owned(),
        |leader| format!("{} leads at {}:{} (epoch {})", leader.id, leader.host, leader.port, leader.epoch),
    );
    say(&format!(
        "standby: {leader}; master {} (pid {}) runs in the background, launches nothing, and takes over when it dies",
        row.id, row.pid
    ));
    Ok(())
}

/// Waits for the end of the master, which is an error whenever it comes.
async fn died<T>(supervisor: &dyn Supervisor, process: &ProcessRef) -> Result<T> {
    let exit = supervisor.wait(process).await?;
    Err(Error::new(ErrorKind::Unavailable, format!("the master in the background has {exit}")))
}

fn hung(process: &ProcessRef, patience: Duration) -> Error {
    let seconds = patience.as_secs();
    let message = format!(
        "the master in the background ({process}) neither leads nor stands by after {seconds} s; it was killed"
    );
    Error::new(ErrorKind::Timeout, message)
}

/// Leaves nothing behind, and says what the master has said of it.
fn give_up(
    console: &Console,
    supervisor: &dyn Supervisor,
    process: &ProcessRef,
    error: Error,
    (log, logged): (&Path, u64),
) -> Error {
    // That it has gone already is the usual case.
    let _ = console.context.block_on(supervisor.signal(process, Signal::Kill));
    if let Some(reason) = tail::last_error(log, logged) {
        return Error::new(error.kind(), reason);
    }
    tail::show(&tail::of(log, logged));
    error
}
