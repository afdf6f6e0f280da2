//! Clients by the thousand, on one thread, for `cargo xtask bench clients`: the same for every server that is compared,
//! be it one that speaks Pomelo's protocol or socket.io's, over WebSocket. And the barest server for such clients, which
//! shows what a machine can do at most.

extern crate alloc;

mod body;
mod client;
mod clock;
mod echo;
mod events;
mod frame;
mod limit;
mod orders;
mod pomelo;
mod push;
mod quantile;
mod relay;
mod server;
mod socket_io;
mod swarm;
mod tally;

use anyhow::{Context as _, Result};
use clap::{Parser, Subcommand};
use rustix::process::{Resource, getrlimit, setrlimit};
use std::process::ExitCode;

/// Clients by the thousand, on one thread
#[derive(Parser)]
#[command(max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    work: Work,
}

#[derive(Subcommand)]
enum Work {
    /// Clients that do what they are told by lines on standard input, each answered by a line of JSON
    ///
    /// `connect COUNT ABREAST`, `enter CHANNEL ABREAST`, `push CHANNEL COUNT WINDOW BATCH`, `echo CLIENTS
    /// OUTSTANDING MILLISECONDS`, `idle MILLISECONDS`.
    Load(orders::Args),
    /// A server that does nothing but write the same frame to each of its clients, one after the other
    ///
    /// Prints its port. For each `push` of a client: one write a client.
    Limit,
    /// A server that passes requests on to a backend, and answers back, as they are
    ///
    /// Prints its port.
    Relay {
        /// The port of the backend, on 127.0.0.1
        backend: u16,
    },
    /// A backend that gives everything back as it is
    ///
    /// Prints its port.
    Backend,
}

fn main() -> ExitCode {
    let done = match Cli::parse().work {
        Work::Load(args) => files().and_then(|()| orders::obey(&args)),
        Work::Limit => files().and_then(|()| server::serve(&mut limit::Pushes)),
        Work::Relay { backend } => {
            files().and_then(|()| relay::Relay::to(backend)).and_then(|mut relay| server::serve(&mut relay))
        }
        Work::Backend => relay::backend(),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// As many open files as we may have.
fn files() -> Result<()> {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    setrlimit(Resource::Nofile, limit).context("the limit of open files")
}
