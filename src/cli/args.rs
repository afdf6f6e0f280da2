//! What the command line understands.

use super::help;
use clap::{Args, Parser, Subcommand, ValueEnum};
use std::path::PathBuf;

/// Keeps a fleet of realtime servers alive as one highly available cluster
///
/// One program is the command line, the master and every server: the master launches this very
/// program once for each server of config/servers.json, watches it, and restarts it where asked to.
#[derive(Debug, Parser)]
#[command(version, about, long_about, max_term_width = 100, after_help = help::APP)]
pub(super) struct Cli {
    #[command(subcommand)]
    pub(super) command: Command,
    /// The directory that holds config/, and gets logs/ and run/ [default: the current one]
    #[arg(long, short = 'd', global = true, value_name = "DIR")]
    pub(super) dir: Option<PathBuf>,
    /// The environment: which part of master.json and servers.json counts
    #[arg(
        long,
        short = 'e',
        global = true,
        value_name = "ENV",
        env = "TANGELO_ENV",
        default_value = "development"
    )]
    pub(super) env: String,
    /// How log lines are written
    #[arg(long, global = true, value_name = "FORMAT", env = "TANGELO_LOG_FORMAT", default_value = "human")]
    pub(super) log_format: LogFormat,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum LogFormat {
    /// Lines for people
    Human,
    /// An object a line for machines
    Json,
}

impl LogFormat {
    /// The word of the command line.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Human => "human",
            Self::Json => "json",
        }
    }
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Start the cluster: a master and every server of servers.json; or start stopped servers again
    ///
    /// In the foreground it shows the servers coming up, and Ctrl-C or SIGTERM stops the whole cluster
    /// in order. Where a master is active already, this one launches nothing: it becomes a standby that
    /// takes over, servers and all, when the active one dies. With IDs, the active master starts these
    /// servers, which were stopped or have failed.
    #[command(
        after_help = help::START,
        // A new master listens where master.json says; only whoever starts IDs has a master to ask.
        mut_arg("port", |port| port.requires("ids").conflicts_with_all(["daemon", "server_type", "id"])),
    )]
    Start(StartArgs),
    /// Run a standby master, which takes over when the active one dies
    ///
    /// For a second life of the cluster: start one or more beside a running cluster. Several may share one
    /// directory. A signal to it ends this master alone, never the cluster. Where no master is active it
    /// becomes the active one.
    #[command(after_help = help::MASTER)]
    Master(MasterArgs),
    /// Show masters and servers
    ///
    /// Who leads, which servers are up and since when, how often they were restarted, on which CPUs they
    /// really run, and why one is down. A standby that is asked forwards to the leader.
    #[command(after_help = help::LIST)]
    List(ListArgs),
    /// Stop servers in order; without IDs the whole cluster, masters too
    ///
    /// Each server runs its before-stop hooks and stops its components; one that takes longer than its
    /// stop-timeout (10 s by default) is killed. What is stopped stays stopped, across masters too, until it
    /// is started again. Returns when all have gone.
    #[command(after_help = help::STOP)]
    Stop(SelectArgs),
    /// Stop servers in order and start them again; without IDs all servers
    ///
    /// For a new build or new settings. Returns when all are up again. Masters go on running. With
    /// --rolling a server that does not come up again ends the round, and the rest stays as it is.
    #[command(after_help = help::RESTART)]
    Restart(RestartArgs),
    /// Kill servers at once, without their hooks; without IDs the whole cluster, masters too
    ///
    /// For servers that hang, when their players have nothing to lose. What is killed this way stays down,
    /// as with `stop`.
    #[command(after_help = help::KILL)]
    Kill(SelectArgs),
    /// Add servers to the running cluster
    ///
    /// They are checked as servers.json is, live as long as the cluster does, across masters, and are
    /// forgotten when it ends; to keep them for good, write them into servers.json too.
    #[command(after_help = help::ADD)]
    Add(AddArgs),
    /// Hand the leadership over to a standby, at once and without stopping a server
    ///
    /// For maintenance of the machine that the active master runs on. Refused if the standby does not live;
    /// the old leader becomes a standby.
    #[command(after_help = help::HANDOVER)]
    Handover(HandoverArgs),
    /// Start the standby masters of config/masterha.json, in the background
    ///
    /// As Pomelo's `masterha`. Those on other hosts are started through ssh. Each takes over when the active
    /// master dies. Those that live already are left alone.
    #[command(after_help = help::MASTERHA)]
    Masterha,
    /// Make a new application: a crate with servers, handlers, configuration and a page
    ///
    /// PATH must not exist yet, or be empty; its last part becomes the crate's name.
    #[command(after_help = help::INIT)]
    Init(InitArgs),
    /// What a master runs in each server process
    #[command(hide = true)]
    Serve(ServeArgs),
    /// What a master runs on another host
    #[command(hide = true)]
    Agent,
    /// What a master on ZooKeeper runs beside itself
    #[cfg(feature = "coordinator-zookeeper")]
    #[command(hide = true)]
    Guard,
}

/// Where the master is asked.
#[derive(Debug, Args)]
pub(super) struct Target {
    /// Ask the master on this host instead of the one that the directory knows
    #[arg(long, value_name = "HOST", requires = "port")]
    pub(super) host: Option<String>,
    /// Ask the master on this port
    #[arg(long, short = 'P', value_name = "PORT")]
    pub(super) port: Option<u16>,
}

#[derive(Debug, Args)]
pub(super) struct StartArgs {
    /// Servers of the running cluster to start again
    #[arg(value_name = "ID", conflicts_with_all = ["daemon", "server_type", "id"])]
    pub(super) ids: Vec<String>,
    /// Return when all servers are up, and leave the cluster running in the background
    #[arg(long, short = 'D')]
    pub(super) daemon: bool,
    /// Start only the servers of this type; `master`: the master alone
    #[arg(long = "type", short = 't', value_name = "TYPE")]
    pub(super) server_type: Option<String>,
    /// Start only this server; a master's id: the master alone
    #[arg(long, short = 'i', value_name = "ID")]
    pub(super) id: Option<String>,
    #[command(flatten)]
    pub(super) target: Target,
}

#[derive(Debug, Args)]
pub(super) struct MasterArgs {
    /// This master's id; by default the one of master.json, with a number if another master has it
    #[arg(long, value_name = "ID")]
    pub(super) id: Option<String>,
    /// Where it listens; the host of master.json by default
    #[arg(long, value_name = "HOST")]
    pub(super) host: Option<String>,
    /// Where it listens; by default the port of master.json, or a free one if another master has it
    #[arg(long, short = 'P', value_name = "PORT")]
    pub(super) port: Option<u16>,
    /// Among standbys the one with the highest leads next; that of master.json, or else 0, by default
    #[arg(long, value_name = "NUMBER", allow_negative_numbers = true)]
    pub(super) priority: Option<i32>,
}

#[derive(Debug, Args)]
pub(super) struct HandoverArgs {
    /// The standby's id or host:port; by default the one that would lead next
    #[arg(long, value_name = "ID")]
    pub(super) to: Option<String>,
    #[command(flatten)]
    pub(super) target: Target,
}

#[derive(Debug, Args)]
pub(super) struct ListArgs {
    /// JSON for programs
    #[arg(long)]
    pub(super) json: bool,
    #[command(flatten)]
    pub(super) target: Target,
}

#[derive(Debug, Args)]
pub(super) struct SelectArgs {
    /// Servers; none: the whole cluster
    #[arg(value_name = "ID")]
    pub(super) ids: Vec<String>,
    #[command(flatten)]
    pub(super) target: Target,
}

#[derive(Debug, Args)]
pub(super) struct RestartArgs {
    /// Servers; none: all
    #[arg(value_name = "ID")]
    pub(super) ids: Vec<String>,
    /// The servers of this type, besides those with an ID
    #[arg(long = "type", short = 't', value_name = "TYPE")]
    pub(super) server_type: Option<String>,
    /// One after the other, each only when the one before it is up
    #[arg(long)]
    pub(super) rolling: bool,
    #[command(flatten)]
    pub(super) target: Target,
}

#[derive(Debug, Args)]
pub(super) struct AddArgs {
    /// What servers.json would say, such as: serverType=chat id=chat-2 host=127.0.0.1 port=6052
    #[arg(value_name = "KEY=VALUE", required = true)]
    pub(super) pairs: Vec<String>,
    #[command(flatten)]
    pub(super) target: Target,
}

#[derive(Debug, Args)]
pub(super) struct InitArgs {
    /// The new crate's directory; its last part becomes the crate's name
    pub(super) path: PathBuf,
}

#[derive(Debug, Args)]
pub(super) struct ServeArgs {
    /// The server's id, to be seen in `ps`
    #[arg(long)]
    id: String,
    /// The server's type, to be seen in `ps`
    #[arg(long = "type")]
    server_type: String,
    /// The server's own arguments
    #[arg(last = true)]
    args: Vec<String>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::error::ErrorKind;

    fn parse(line: &str) -> Result<Cli, clap::Error> {
        Cli::try_parse_from(core::iter::once("app").chain(line.split_whitespace()))
    }

    #[test]
    fn every_line_of_the_manual_is_understood() {
        for line in [
            "start",
            "start -e production --dir /srv -D -t chat -i chat-server-1",
            "start --daemon --env production",
            "start chat-server-1 chat-server-2",
            "start chat-server-1 --host 127.0.0.1 --port 3005",
            "master -e production --dir /srv --id m2 --host 10.0.0.1 --port 3006",
            "list",
            "list --json --host 127.0.0.1 --port 3005",
            "stop",
            "stop a b",
            "restart a -t chat --rolling",
            "kill",
            "kill a",
            "add id=a serverType=chat host=127.0.0.1 port=1",
            "master --priority -5",
            "handover",
            "handover --to 10.0.0.2:3006 --host 127.0.0.1 --port 3005",
            "masterha -e production -d /srv",
            "init new/app",
            "--dir /srv list",
            "serve --id a --type chat --dir /srv --env production -- --own -x",
        ] {
            assert!(parse(line).is_ok(), "{line}: {:?}", parse(line));
        }
    }

    #[test]
    fn what_makes_no_sense_is_wrong_usage() {
        for (line, kind) in [
            ("", ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand),
            ("nonsense", ErrorKind::InvalidSubcommand),
            ("list --nonsense", ErrorKind::UnknownArgument),
            ("list --host 127.0.0.1", ErrorKind::MissingRequiredArgument),
            ("list --port 70000", ErrorKind::ValueValidation),
            ("start a -D", ErrorKind::ArgumentConflict),
            ("start a -t chat", ErrorKind::ArgumentConflict),
            ("start --port 3006", ErrorKind::MissingRequiredArgument),
            ("start -D --host 127.0.0.1 --port 3006", ErrorKind::ArgumentConflict),
            ("add", ErrorKind::MissingRequiredArgument),
            ("init", ErrorKind::MissingRequiredArgument),
        ] {
            let error = parse(line).expect_err(line);
            assert_eq!((error.kind(), error.exit_code()), (kind, 2), "{line}");
        }
        assert_eq!(parse("--help").unwrap_err().exit_code(), 0);
        assert_eq!(parse("stop --help").unwrap_err().exit_code(), 0);
    }

    #[test]
    fn the_environment_is_development_unless_said() {
        // A variable of whoever runs the tests counts as said.
        if std::env::var_os("TANGELO_ENV").is_none() {
            assert_eq!(parse("list").unwrap().env, "development");
        }
        assert_eq!(parse("list -e production").unwrap().env, "production");
    }
}
