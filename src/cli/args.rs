//! What the command line understands.

use clap::{Args, Parser, Subcommand, ValueEnum};
use std::path::PathBuf;

/// Keeps a fleet of realtime servers alive as one highly available cluster.
#[derive(Debug, Parser)]
#[command(
    version,
    about,
    max_term_width = 100,
    after_help = "\
Examples:
  start                     start the cluster of ./config and stay in the foreground
  start -D -e production    start it in the background, return when all servers are up
  list                      show masters and servers
  stop                      stop the whole cluster, masters too
  restart -t chat --rolling restart the chat servers one after the other"
)]
pub(super) struct Cli {
    #[command(subcommand)]
    pub(super) command: Command,
    /// The directory that holds config/, and gets logs/ and run/
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

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Start the cluster: a master and every server of servers.json; or start stopped servers again
    ///
    /// Where a master is active already, this becomes a standby that takes over when the active one
    /// dies. With IDs, the active master starts these servers, which were stopped or have failed.
    Start(StartArgs),
    /// Run a standby master, which takes over when the active one dies
    Master(MasterArgs),
    /// Show masters and servers
    List(ListArgs),
    /// Stop servers in order; without IDs the whole cluster, masters too
    Stop(SelectArgs),
    /// Stop servers in order and start them again
    Restart(RestartArgs),
    /// Kill servers at once, without their hooks; without IDs the whole cluster, masters too
    Kill(SelectArgs),
    /// Add servers to the running cluster
    ///
    /// They live as long as the cluster does, across masters; to keep them for good, write them
    /// into servers.json too.
    Add(AddArgs),
    /// Make a new application: a crate with servers, configuration and a first hook
    Init(InitArgs),
    /// What a master runs in each server process
    #[command(hide = true)]
    Serve(ServeArgs),
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
    /// This master's id; the one of master.json by default
    #[arg(long, value_name = "ID")]
    pub(super) id: Option<String>,
    /// Where it listens; the host of master.json by default
    #[arg(long, value_name = "HOST")]
    pub(super) host: Option<String>,
    /// Where it listens; the port of master.json by default
    #[arg(long, short = 'P', value_name = "PORT")]
    pub(super) port: Option<u16>,
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
    /// The servers of this type
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
    /// The server's id, for `ps`
    #[arg(long)]
    id: String,
    /// The server's type, for `ps`
    #[arg(long = "type")]
    server_type: String,
    /// The server's own arguments
    #[arg(last = true)]
    args: Vec<String>,
}
