//! The command line, the same in every program: `--help` of each command is its documentation.

mod admin;
mod args;
mod background;
mod bar;
mod close;
mod console;
mod find;
mod foreground;
mod help;
mod init;
mod logs;
mod masters;
mod screen;
mod story;
mod table;
mod tail;

use crate::app::App;
use crate::member::Launch;
use crate::program::{exit, serve};
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
    let done = dispatch(&cli, dir);
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

fn dispatch(cli: &Cli, dir: &Path) -> Result<()> {
    match &cli.command {
        Command::Start(args) if args.ids.is_empty() => masters::start(cli, dir, args),
        Command::Start(args) => admin::start(cli, dir, args),
        Command::Master(args) => masters::master(cli, dir, args),
        Command::List(args) => admin::list(cli, dir, args),
        Command::Stop(args) => admin::stop(cli, dir, args),
        Command::Restart(args) => admin::restart(cli, dir, args),
        Command::Kill(args) => admin::kill(cli, dir, args),
        Command::Add(args) => admin::add(cli, dir, args),
        Command::Init(args) => init::init(&args.path),
        Command::Serve(_) => Ok(()),
    }
}
