//! Where log lines go: stderr, by `RUST_LOG`.

use super::args::{Cli, Command, LogFormat};
use std::io::{IsTerminal, stderr};
use tracing_subscriber::EnvFilter;

/// Sets the log up for this process. Without `RUST_LOG`, servers and masters say what is
/// noteworthy, and commands only what went wrong.
pub(super) fn init(cli: &Cli) {
    let long_lived = match &cli.command {
        Command::Start(args) => args.ids.is_empty() && !args.daemon && !stderr().is_terminal(),
        Command::Master(_) | Command::Serve(_) => true,
        _ => false,
    };
    let default = if long_lived { "info" } else { "warn" };
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(default));
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(stderr);
    // Somebody else's subscriber, set before, stays.
    let _ = match cli.log_format {
        LogFormat::Human => builder.with_ansi(stderr().is_terminal()).try_init(),
        LogFormat::Json => builder.json().flatten_event(true).with_ansi(false).try_init(),
    };
}
