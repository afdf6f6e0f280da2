//! `masterha`: the standby masters of masterha.json.

use super::args::Cli;
use super::background;
use super::bar::say;
use super::console::Console;
use super::tail;
use crate::config::{load_master, load_masterha, secret};
use crate::context::Context;
use alloc::collections::BTreeSet;
use core::time::Duration;
use tangelo_core::config::StandbyDef;
use tangelo_core::wire::MasterRole;
use tangelo_core::{Error, ErrorKind, Result};

pub(super) fn masterha(cli: &Cli, context: Context) -> Result<()> {
    let config = load_master(&context.dir, &cli.env)?;
    let standbys = load_masterha(&context.dir, &cli.env)?;
    let secret = secret::obtain(&context.dir, &config)?;
    let patience = background::patience(&context, &config);
    let names = names(&config.master.id, &standbys);
    let console = Console::new(context, config, &secret, None)?;
    let living = console.context.block_on(living(&console.context))?;
    let mut failed = Vec::new();
    for (def, id) in standbys.iter().zip(names) {
        let address = format!("{}:{}", def.host, def.port);
        if living.contains(&address) {
            say(&format!("{id} at {address} lives already"));
            continue;
        }
        match start(cli, &console, def, &id, patience) {
            Ok(line) => say(&line),
            Err(error) => {
                say(&format!("{id} at {address} has not started: {error}"));
                failed.push(id);
            }
        }
    }
    if failed.is_empty() {
        return Ok(());
    }
    let message =
        format!("{} of {} masters have not started: {}", failed.len(), standbys.len(), failed.join(", "));
    Err(Error::new(ErrorKind::Unavailable, message))
}

fn start(cli: &Cli, console: &Console, def: &StandbyDef, id: &str, patience: Duration) -> Result<String> {
    let StandbyDef { host, port, priority, .. } = def;
    let mut args: Vec<String> = vec!["--host".into(), host.clone(), "--port".into(), port.to_string()];
    if let Some(priority) = priority {
        args.extend(["--priority".into(), priority.to_string()]);
    }
    let dir = &console.context.dir;
    let spec = background::spec(cli, dir, "master", (id, host), args)?;
    let log = tail::log_of(dir, id);
    let row = background::begin(console, spec, &log, patience)?.row;
    let role = match row.role {
        MasterRole::Leader => "leads",
        MasterRole::Standby => "stands by",
    };
    Ok(format!("{id} at {host}:{port} {role} (pid {}, log {})", row.pid, log.display()))
}

/// The addresses of the masters that live.
async fn living(context: &Context) -> Result<BTreeSet<String>> {
    let leader = context.election.leader(&context.runtime).await?;
    let standbys = context.election.standbys(&context.runtime).await?;
    let standbys = standbys.into_iter().map(|standby| format!("{}:{}", standby.host, standby.port));
    Ok(leader.into_iter().map(|leader| format!("{}:{}", leader.host, leader.port)).chain(standbys).collect())
}

/// A name for each: Pomelo's samples give all masters one id, and logs and `list` tell them apart by it.
fn names(master: &str, standbys: &[StandbyDef]) -> Vec<String> {
    let mut taken = BTreeSet::from([master.to_owned()]);
    let mut names = Vec::new();
    for def in standbys {
        let numbered = (2_u32..).map(|n| format!("{}-{n}", def.id));
        let mut free = core::iter::once(def.id.clone()).chain(numbered).filter(|id| !taken.contains(id));
        // There are more numbers than masters.
        let name = free.next().unwrap_or_default();
        taken.insert(name.clone());
        names.push(name);
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn masters_of_one_id_are_numbered() {
        let def = |id: &str| StandbyDef { id: id.into(), host: "127.0.0.1".into(), port: 1, priority: None };
        let names = names("m", &[def("m"), def("m"), def("other"), def("m-2")]);
        assert_eq!(names, ["m-2", "m-3", "other", "m-2-2"]);
    }
}
