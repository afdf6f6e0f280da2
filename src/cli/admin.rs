//! Commands that ask the active master.

use super::args::{AddArgs, Cli, ListArgs, RestartArgs, SelectArgs, StartArgs};
use super::find::Console;
use super::table;
use std::io::{Write, stdout};
use std::path::Path;
use tangelo_core::config::{ServerDef, is_loopback};
use tangelo_core::local::find_process;
use tangelo_core::wire::{Listing, Request, Response, Selection};
use tangelo_core::{Error, ErrorKind, ProcessRef, Result};

pub(super) fn list(cli: &Cli, dir: &Path, args: &ListArgs) -> Result<()> {
    let listing = Console::open(cli, dir, &args.target)?.list()?;
    if args.json {
        let json = serde_json::to_string(&listing).map_err(|error| {
            Error::new(ErrorKind::Invalid, "cannot write the list as JSON").with_source(error)
        })?;
        say(&json);
    } else {
        say(&table::listing(&listing));
    }
    Ok(())
}

pub(super) fn start(cli: &Cli, dir: &Path, args: &StartArgs) -> Result<()> {
    let selection = Selection { ids: args.ids.clone(), server_type: None };
    let response = Console::open(cli, dir, &args.target)?.ask(Request::Start(selection))?;
    done("up", &response);
    Ok(())
}

pub(super) fn stop(cli: &Cli, dir: &Path, args: &SelectArgs) -> Result<()> {
    end(cli, dir, args, "stopped", Request::Stop)
}

pub(super) fn kill(cli: &Cli, dir: &Path, args: &SelectArgs) -> Result<()> {
    end(cli, dir, args, "killed", Request::Kill)
}

/// Stops or kills some servers, or the cluster; then the masters' processes are waited for too.
fn end(
    cli: &Cli,
    dir: &Path,
    args: &SelectArgs,
    verb: &str,
    request: impl FnOnce(Selection) -> Request,
) -> Result<()> {
    let console = Console::open(cli, dir, &args.target)?;
    let masters = if args.ids.is_empty() { local_masters(&console.list()?)? } else { Vec::new() };
    let response = console.ask(request(Selection { ids: args.ids.clone(), server_type: None }))?;
    if !args.ids.is_empty() {
        done(verb, &response);
        return Ok(());
    }
    console.wait_for(&masters)?;
    say(&format!("the cluster is {verb}"));
    Ok(())
}

/// The masters' processes, as far as they run on this host and can be waited for.
fn local_masters(listing: &Listing) -> Result<Vec<ProcessRef>> {
    let local = listing.masters.iter().filter(|master| is_loopback(&master.host));
    let found = local.filter_map(|master| find_process(&master.host, master.pid).transpose());
    found
        .collect::<Result<_, _>>()
        .map_err(|error| Error::io("look for the masters' processes in /proc", error))
}

pub(super) fn restart(cli: &Cli, dir: &Path, args: &RestartArgs) -> Result<()> {
    let selection = Selection { ids: args.ids.clone(), server_type: args.server_type.clone() };
    let request = Request::Restart { selection, rolling: args.rolling };
    let response = Console::open(cli, dir, &args.target)?.ask(request)?;
    done("up again", &response);
    Ok(())
}

pub(super) fn add(cli: &Cli, dir: &Path, args: &AddArgs) -> Result<()> {
    let pairs: Vec<(&str, &str)> = args.pairs.iter().map(|pair| split(pair)).collect::<Result<_>>()?;
    let console = Console::open(cli, dir, &args.target)?;
    let listing = console.list()?;
    let ids = listing.servers.iter().map(|server| server.id.as_str());
    let defs = ServerDef::from_pairs_beside(pairs, ids)?;
    let response = console.ask(Request::Add(defs))?;
    done("up", &response);
    Ok(())
}

fn split(pair: &str) -> Result<(&str, &str)> {
    pair.split_once('=').ok_or_else(|| {
        let message = format!("`{pair}`: expected key=value, such as port=6052");
        Error::new(ErrorKind::Invalid, message)
    })
}

fn done(verb: &str, response: &Response) {
    if let Response::Done(ids) = response {
        say(&format!("{verb}: {}", ids.join(", ")));
    }
}

/// Prints a line; a reader that has gone, such as `head`, is no error.
fn say(line: &str) {
    let _ = writeln!(stdout(), "{line}");
}
