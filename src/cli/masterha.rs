//! `masterha`: the standby masters of masterha.json.

use super::args::Cli;
use super::background;
use super::bar::say;
use super::console::Console;
use super::{find, tail};
use crate::config::{load_master, load_masterha, secret};
use crate::context::Context;
use crate::parts;
use crate::program::own_file;
use crate::remote::{Authority, HostSupervisor, Reach};
use alloc::collections::BTreeSet;
use alloc::sync::Arc;
use core::time::Duration;
use tangelo_core::config::StandbyDef;
use tangelo_core::wire::MasterRole;
use tangelo_core::{Error, ErrorKind, Instant, Result};

pub(super) fn masterha(cli: &Cli, context: Context) -> Result<()> {
    let config = load_master(&context.dir, &cli.env)?;
    let standbys = load_masterha(&context.dir, &cli.env)?;
    let secret = secret::obtain(&context.dir, &config)?;
    let patience = background::patience(&context, &config);
    let own_program = own_file()?;
    let reach = Reach::new(&config.master.ssh, &context.dir, &cli.env, &own_program);
    let names = names(&config.master.id, &standbys);
    let console = Console::new(context, config, &secret, None)?;
    let living = console.context.block_on(find::living(&console.context))?;
    let mut failed = Vec::new();
    for (def, id) in standbys.iter().zip(names) {
        let address = format!("{}:{}", def.host, def.port);
        if living.contains(&address) {
            say(&format!("{id} at {address} lives already"));
            continue;
        }
        let start = Start { cli, console: &console, reach: &reach, own_program: &own_program, patience };
        match start.master(def, &id) {
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

/// What it takes to start one.
struct Start<'a> {
    cli: &'a Cli,
    console: &'a Console,
    reach: &'a Reach,
    own_program: &'a str,
    patience: Duration,
}

impl Start<'_> {
    /// Starts a master where it belongs, and says what it does.
    fn master(&self, def: &StandbyDef, id: &str) -> Result<String> {
        let Context { runtime, dir, app, .. } = &self.console.context;
        let StandbyDef { host, port, priority, .. } = def;
        let mut args: Vec<String> = vec!["--host".into(), host.clone(), "--port".into(), port.to_string()];
        if let Some(priority) = priority {
            args.extend(["--priority".into(), priority.to_string()]);
        }
        let until = Authority::Until(Instant::now() + self.patience * 2);
        let local = parts::supervisor(app)?;
        let supervisor = HostSupervisor::new(runtime, local, self.reach.clone(), until);
        let here = self.console.context.block_on(supervisor.is_here(host));
        let place = if here {
            (self.own_program.to_owned(), &**dir)
        } else {
            (self.reach.program.clone(), &*self.reach.dir)
        };
        let log = tail::log_of(place.1, id);
        let spec = background::spec(self.cli, place, "master", (id, host), args);
        let begun = background::begin(self.console, Arc::new(supervisor), spec, &log, self.patience)?;
        let role = match begun.row.role {
            MasterRole::Leader => "leads",
            MasterRole::Standby => "stands by",
        };
        Ok(format!("{id} at {host}:{port} {role} (pid {}, log {})", begun.row.pid, log.display()))
    }
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
