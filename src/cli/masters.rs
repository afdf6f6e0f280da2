//! Commands that run a master: `start` and `master`.

use super::args::{Cli, MasterArgs, StartArgs};
use super::{background, close, foreground};
use crate::channel;
use crate::context::Context;
use crate::master::{Outcome, Own, Plan, Role, logger};
use tangelo_core::config::ClusterConfig;
use tangelo_core::{Error, ErrorKind, Result};

/// `master`: a standby of its own.
pub(super) fn master(cli: &Cli, context: Context, args: &MasterArgs) -> Result<()> {
    channel::check(&context.app)?;
    let MasterArgs { id, host, port, priority } = args;
    let background = background::own_id();
    let id = background.as_deref().or(id.as_deref());
    let own = Own { id, host: host.as_deref(), port: *port, priority: *priority };
    let plan = Plan::new(context, &cli.env, &own)?;
    if background.is_some() {
        return plan.run(Role { logs: true, ..Role::STANDBY }, logger()).map(|_| ());
    }
    foreground(plan, Role::STANDBY)
}

/// `start` without IDs: a cluster, or a standby of one.
pub(super) fn start(cli: &Cli, context: Context, args: &StartArgs) -> Result<()> {
    channel::check(&context.app)?;
    let background = background::own_id();
    let plan = Plan::new(context, &cli.env, &Own { id: background.as_deref(), ..Own::default() })?;
    let only = only(&plan.config, &plan.configured_id, args)?;
    if args.daemon {
        return background::start(cli, plan, args);
    }
    if background.is_some() {
        return plan.run(Role { only, logs: true, ..Role::START }, logger()).map(|_| ());
    }
    foreground(plan, Role { only, ..Role::START })
}

/// Is a master whose story is shown to the person who started it.
fn foreground(plan: Plan, role: Role) -> Result<()> {
    let observer = foreground::observer(&plan.context.dir);
    let outcome = plan.run(role, observer)?;
    foreground::goodbye(outcome == Outcome::ClusterEnded);
    Ok(())
}

/// Which servers `-t` and `-i` choose; `None`: all.
fn only(config: &ClusterConfig, master: &str, args: &StartArgs) -> Result<Option<Vec<String>>> {
    let (server_type, id) = (args.server_type.as_deref(), args.id.as_deref());
    if server_type == Some("master") || id == Some(master) {
        return Ok(Some(Vec::new()));
    }
    if server_type.is_none() && id.is_none() {
        return Ok(None);
    }
    let servers = &config.servers;
    let chosen = servers.iter().filter(|def| {
        server_type.is_none_or(|server_type| server_type == def.server_type)
            && id.is_none_or(|id| id == def.id)
    });
    let ids: Vec<String> = chosen.map(|def| def.id.clone()).collect();
    if !ids.is_empty() {
        return Ok(Some(ids));
    }
    let message = match (server_type, id) {
        (Some(server_type), Some(id)) if servers.iter().any(|def| def.id == id) => {
            format!("server {id} is not of type {server_type}: leave out one of -t and -i")
        }
        (_, Some(id)) => {
            let known = servers.iter().map(|def| def.id.as_str());
            format!("servers.json has no server {id}: {}", close::suggestion(id, known))
        }
        (server_type, None) => {
            let server_type = server_type.unwrap_or_default();
            let mut known: Vec<&str> = servers.iter().map(|def| def.server_type.as_str()).collect();
            known.dedup();
            let suggestion = close::suggestion(server_type, known.into_iter());
            format!("servers.json has no servers of type {server_type}: {suggestion}")
        }
    };
    Err(Error::new(ErrorKind::NotFound, message))
}
