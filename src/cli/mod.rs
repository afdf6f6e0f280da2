//! The command line, the same in every program: `--help` of each command is its documentation.

mod admin;
mod args;
mod background;
mod bar;
mod close;
mod console;
mod find;
mod foreground;
mod handover;
mod help;
mod init;
mod logs;
mod masterha;
mod masters;
mod screen;
mod story;
mod table;
mod tail;

use crate::app::App;
use crate::context::Context;
#[cfg(feature = "coordinator-zookeeper")]
use crate::election::guard;
use crate::member::Launch;
use crate::program::{exit, serve};
use crate::remote::agent;
use args::{Cli, Command};
use clap::FromArgMatches;
use core::time::Duration;
use std::path::Path;
use std::process::ExitCode;
use tangelo_core::Result;

/// How long a screen that has stopped is waited for at the end.
const SHOWN_WITHIN: Duration = Duration::from_secs(1);

/// Parses the command line and does what it says.
pub(crate) fn run(default_dir: &Path, configure: impl FnOnce(&App)) -> ExitCode {
    let cli = parse();
    logs::init(&cli);
    let dir = cli.dir.as_deref().unwrap_or(default_dir);
    if let Command::Serve(_) = cli.command {
        exit(Launch::from_environment().and_then(|launch| serve(dir, launch, configure)));
    }
    let done = match &cli.command {
        Command::Init(args) => init::init(&args.path),
        Command::Agent => agent::run(dir, &cli.env, configure),
        #[cfg(feature = "coordinator-zookeeper")]
        Command::Guard => guard(),
        command => {
            Context::of_master(dir, &cli.env, configure).and_then(|context| dispatch(&cli, command, context))
        }
    };
    screen::flush(SHOWN_WITHIN);
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// What the command line says; ends the process with the usage, or the help that was asked for.
fn parse() -> Cli {
    let parsed = Cli::from_arg_matches(&help::command().get_matches());
    parsed.unwrap_or_else(|error| error.format(&mut help::command()).exit())
}

fn dispatch(cli: &Cli, command: &Command, context: Context) -> Result<()> {
    match command {
        Command::Start(args) if args.ids.is_empty() => masters::start(cli, context, args),
        Command::Start(args) => admin::start(cli, context, args),
        Command::Master(args) => masters::master(cli, context, args),
        Command::List(args) => admin::list(cli, context, args),
        Command::Stop(args) => admin::stop(cli, context, args),
        Command::Restart(args) => admin::restart(cli, context, args),
        Command::Kill(args) => admin::kill(cli, context, args),
        Command::Add(args) => admin::add(cli, context, args),
        Command::Handover(args) => handover::handover(cli, context, args),
        Command::Masterha => masterha::masterha(cli, context),
        // They ask no master.
        _ => Ok(()),
    }
}
