//! The examples at the end of each `--help`, with the name by which the program was called.

use super::args::Cli;
use clap::{Command, CommandFactory};
use std::path::Path;

/// Stands for the program's name in what follows.
const NAME: &str = "{app}";

pub(super) const APP: &str = "\
Examples:
  {app} start                      start the cluster, stay in the foreground
  {app} start -D -e production     start it in the background
  {app} list                       show masters and servers
  {app} restart -t chat --rolling  restart the chat servers one by one
  {app} stop                       stop the whole cluster, masters too

Exit codes: 0 done; 1 failed, with one line on stderr that says why and what to do; 2 wrong usage.

Environment: RUST_LOG says what is logged, such as debug; TANGELO_SECRET lets masters, servers and commands \
of one cluster in (made in run/secret where all hosts are this machine); NO_COLOR.";

pub(super) const START: &str = "\
Examples:
  {app} start                     in the foreground; Ctrl-C stops it in order
  {app} start -D                  in the background; see logs/<master id>.log
  {app} start -t chat             of servers.json, only the chat servers
  {app} start -i master-server-1  the master alone; `start ID` does the rest
  {app} start chat-server-2       bring a stopped or failed server up again";

pub(super) const MASTER: &str = "\
Examples:
  {app} master                            a standby of the running cluster
  {app} master --id master-2 --port 3006  with a name and port of its own";

pub(super) const LIST: &str = "\
States of servers: starting; up; stopping; stopped (on purpose); backoff (crashed, about to be restarted); \
failed (crashed for good, DETAIL says why). A narrow terminal leaves columns out.

Examples:
  {app} list
  {app} list --json | jq -r '.servers[] | select(.state != \"up\") | .id'";

pub(super) const STOP: &str = "\
Examples:
  {app} stop                the whole cluster
  {app} stop chat-server-2  this server, until `start chat-server-2`";

pub(super) const RESTART: &str = "\
Examples:
  {app} restart chat-server-1
  {app} restart -t connector --rolling  never two connectors away at a time";

pub(super) const KILL: &str = "\
Examples:
  {app} kill chat-server-2  this server, until `start chat-server-2`
  {app} kill                the whole cluster, if it cannot stop in order";

pub(super) const ADD: &str = "\
Keys: serverType, id, host (needed); port, clientHost, clientPort, frontend, auto-restart, cpu, args, \
max-connections, stop-timeout, clusterCount and so on, as in servers.json; others reach the server as they are.

Examples:
  {app} add serverType=chat id=chat-4 host=127.0.0.1 port=6053
  {app} add serverType=chat host=127.0.0.1 port=6060++ clusterCount=3";

pub(super) const HANDOVER: &str = "\
Examples:
  {app} handover                to whoever would lead next
  {app} handover --to master-2  by its id, as `list` shows it
  {app} handover --to 10.0.0.2:3006";

pub(super) const MASTERHA: &str = "\
config/masterha.json: {\"masterha\": [{\"id\": \"master-2\", \"host\": \"127.0.0.1\", \"port\": 3006}, …]}

Examples:
  {app} masterha
  {app} masterha -e production";

pub(super) const INIT: &str = "\
Examples:
  {app} init ../my-game  then: cd ../my-game && cargo run -- start";

/// The command line's definition, its examples with the program's own name.
pub(super) fn command() -> Command {
    let program = std::env::args_os().next().unwrap_or_default();
    let name =
        Path::new(&program).file_name().map_or_else(|| "tangelo".into(), |name| name.to_string_lossy());
    named(Cli::command(), &name).mut_subcommands(|command| named(command, &name))
}

fn named(command: Command, name: &str) -> Command {
    match command.get_after_help().map(ToString::to_string) {
        Some(help) => command.after_help(help.replace(NAME, name)),
        None => command,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_teaches() {
        let mut command = command();
        command.clone().debug_assert();
        let visible = command.get_subcommands_mut().filter(|command| !command.is_hide_set());
        let mut names = Vec::new();
        for command in visible {
            let help = command.render_long_help().to_string();
            names.push(command.get_name().to_owned());
            assert!(help.contains("Examples:") && !help.contains(NAME), "{help}");
            assert!(command.get_long_about().is_some(), "{} says what and when", command.get_name());
        }
        names.sort_unstable();
        assert_eq!(names.join(" "), "add handover init kill list master masterha restart start stop");
    }
    #[test]
    fn examples_fit_a_narrow_terminal() {
        for help in [APP, START, MASTER, LIST, STOP, RESTART, KILL, ADD, HANDOVER, MASTERHA, INIT] {
            for line in help.lines().filter(|line| line.contains(NAME)) {
                let line = line.replace(NAME, "tangelo");
                assert!(line.chars().count() <= 80, "{line}");
            }
        }
    }
}
