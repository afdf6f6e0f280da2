//! Where log lines go: stderr, by `RUST_LOG`.

use super::args::{Cli, Command, LogFormat};
use super::bar;
use std::io::{IsTerminal, stderr};
use tracing_subscriber::EnvFilter;

/// Sets the log up for this process. Without `RUST_LOG`, servers and masters say what is
/// noteworthy, unless a person watches the progress bar; commands say only what went wrong.
pub(super) fn init(cli: &Cli) {
    let long_lived = match &cli.command {
        Command::Start(args) => args.ids.is_empty() && !args.daemon,
        Command::Master(_) | Command::Serve(_) => true,
        _ => false,
    };
    let default = if long_lived && !stderr().is_terminal() { "info" } else { "warn" };
    // What that library says of every attempt to connect, our coordinator says once a second.
    let default = format!("{default},zookeeper_client=off");
    let filter = filter(std::env::var("RUST_LOG").ok().as_deref(), &default);
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(|| bar::Stderr);
    // Somebody else's subscriber, set before, stays.
    let _ = match cli.log_format {
        LogFormat::Human => builder.with_ansi(stderr().is_terminal()).try_init(),
        LogFormat::Json => builder.json().flatten_event(true).with_ansi(false).try_init(),
    };
}

fn filter(asked: Option<&str>, default: &str) -> EnvFilter {
    let Some(asked) = asked.filter(|asked| !asked.is_empty()) else { return EnvFilter::new(default) };
    // That library's debug lines hold the passwords of its sessions: only for whoever names it.
    let quiet = if asked.contains("zookeeper_client") { "" } else { ",zookeeper_client=off" };
    EnvFilter::try_new(format!("{asked}{quiet}")).unwrap_or_else(|error| {
        eprintln!("RUST_LOG is not used: {error}; expected something like `info,tangelo=debug`");
        EnvFilter::new(default)
    })
}
