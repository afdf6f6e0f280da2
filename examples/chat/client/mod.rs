//! The terminal's side: `chat client` and `chat bots`, which speak Pomelo's protocol over TCP as any client does.

mod bots;
mod link;
mod reader;
mod screen;
mod visit;

use clap::Parser;
use screen::Screen;
use std::io::BufRead as _;
use std::process::ExitCode;
use std::sync::mpsc::{SyncSender, sync_channel};
use visit::{Place, Visit};

/// Events that wait until they are handled; whoever brings more waits, too.
const EVENTS: usize = 256;

/// A client of the chat demo.
#[derive(Debug, Parser)]
#[command(name = "chat")]
enum Cli {
    /// Chat in this terminal: every line is said; /help tells the rest
    Client {
        #[command(flatten)]
        place: Place,
        /// Who you are: up to 20 letters, digits, "-" and "_"
        #[arg(long)]
        name: String,
    },
    /// Let many clients chat, to see what the servers do
    Bots {
        #[command(flatten)]
        place: Place,
        /// How many
        #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u16).range(1..=1000))]
        count: u16,
        /// How often each says something, in s
        #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u16).range(1..))]
        every: u16,
    },
}

/// What happens to a client.
enum Event {
    /// Somebody has typed a line.
    Typed(String),
    /// Nobody will type any more.
    End,
    /// A link brings something.
    Link(u64, link::Brought),
}

/// Whether the command line is for this module; all others are the cluster's.
pub(crate) fn is_asked() -> bool {
    matches!(std::env::args().nth(1).as_deref(), Some("client" | "bots"))
}

pub(crate) fn run() -> ExitCode {
    match Cli::parse() {
        Cli::Client { place, name } => {
            let (tell, told) = sync_channel(EVENTS);
            let typist = tell.clone();
            std::thread::spawn(move || read_lines(&typist));
            Visit::new(place, name, Screen::of_terminal(), tell).run(&told)
        }
        Cli::Bots { place, count, every } => bots::run(&place, count, every),
    }
}

fn read_lines(tell: &SyncSender<Event>) {
    for line in std::io::stdin().lock().lines().map_while(Result::ok) {
        if tell.send(Event::Typed(line)).is_err() {
            return;
        }
    }
    let _ = tell.send(Event::End);
}
