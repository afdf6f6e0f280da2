//! Commands that ask the active master.

use super::args::{AddArgs, Cli, ListArgs, RestartArgs, SelectArgs, StartArgs};
use super::bar::{say, some_of};
use super::console::{Console, unexpected};
use super::{close, table, tail};
use crate::context::Context;
use crate::remote::Places;
use std::path::Path;
use tangelo_core::config::{ServerDef, is_loopback};
use tangelo_core::local::find_process;
use tangelo_core::wire::{Listing, Request, Response, Selection, ServerState};
use tangelo_core::{Error, ErrorKind, ProcessRef, Result};

pub(super) fn list(cli: &Cli, context: Context, args: &ListArgs) -> Result<()> {
    let listing = Console::open(cli, context, &args.target)?.list()?;
    if args.json {
        say(&json(&listing)?);
    } else {
        say(&table::listing(&listing, table::Page::of_stdout()));
    }
    Ok(())
}

/// The list for programs. What there is nothing of is left out: `channels`, where none are shared.
pub(super) fn json(listing: &Listing) -> Result<String> {
    let failed = |error| Error::new(ErrorKind::Invalid, "cannot write the list as JSON").with_source(error);
    let mut json = serde_json::to_value(listing).map_err(failed)?;
    if let (None, Some(keys)) = (&listing.channels, json.as_object_mut()) {
        keys.remove("channels");
    }
    Ok(json.to_string())
}

pub(super) fn start(cli: &Cli, context: Context, args: &StartArgs) -> Result<()> {
    let selection = Selection { ids: args.ids.clone(), server_type: None };
    let ids =
        change(&Console::open(cli, context, &args.target)?, &selection, Request::Start(selection.clone()))?;
    say(&format!("up: {}", shown(&ids)));
    Ok(())
}

pub(super) fn stop(cli: &Cli, context: Context, args: &SelectArgs) -> Result<()> {
    end(cli, context, args, "stopped", Request::Stop)
}

pub(super) fn kill(cli: &Cli, context: Context, args: &SelectArgs) -> Result<()> {
    end(cli, context, args, "killed", Request::Kill)
}

/// Stops or kills some servers, or the cluster; then the masters' processes are waited for too.
fn end(
    cli: &Cli,
    context: Context,
    args: &SelectArgs,
    verb: &str,
    request: impl FnOnce(Selection) -> Request,
) -> Result<()> {
    let console = Console::open(cli, context, &args.target)?;
    let selection = Selection { ids: args.ids.clone(), server_type: None };
    if !args.ids.is_empty() {
        let ids = change(&console, &selection, request(selection.clone()))?;
        say(&format!("{verb}: {}", shown(&ids)));
        return Ok(());
    }
    let listing = console.list()?;
    let masters = local_masters(&console.context, &listing)?;
    console.ask(request(selection))?;
    console.wait_for(&masters)?;
    console.wait_until_gone(&listing.masters)?;
    say(&format!("the cluster is {verb}"));
    Ok(())
}

/// The masters' processes, as far as they run on this host and can be waited for.
fn local_masters(context: &Context, listing: &Listing) -> Result<Vec<ProcessRef>> {
    let (places, mut found) = (Places::default(), Vec::new());
    for master in &listing.masters {
        if context.block_on(places.is_here(&context.runtime, &master.host)) {
            let process = find_process(&master.host, master.pid);
            found.extend(process.map_err(|e| Error::io("look for the masters' processes in /proc", e))?);
        }
    }
    Ok(found)
}

pub(super) fn restart(cli: &Cli, context: Context, args: &RestartArgs) -> Result<()> {
    let selection = Selection { ids: args.ids.clone(), server_type: args.server_type.clone() };
    let request = Request::Restart { selection: selection.clone(), rolling: args.rolling };
    let ids = change(&Console::open(cli, context, &args.target)?, &selection, request)?;
    say(&format!("up again: {}", shown(&ids)));
    Ok(())
}

pub(super) fn add(cli: &Cli, context: Context, args: &AddArgs) -> Result<()> {
    let pairs: Vec<(&str, &str)> = args.pairs.iter().map(|pair| split(pair)).collect::<Result<_>>()?;
    let console = Console::open(cli, context, &args.target)?;
    let listing = console.list()?;
    let ids = listing.servers.iter().map(|server| server.id.as_str());
    let defs = ServerDef::from_pairs_beside(pairs, ids)?;
    let selection = Selection { ids: defs.iter().map(|def| def.id.clone()).collect(), server_type: None };
    let ids = change(&console, &selection, Request::Add(defs))?;
    say(&format!("up: {}", shown(&ids)));
    Ok(())
}

fn split(pair: &str) -> Result<(&str, &str)> {
    pair.split_once('=').ok_or_else(|| {
        let message = format!("`{pair}`: expected key=value, such as port=6052");
        Error::new(ErrorKind::Invalid, message)
    })
}

/// Has the master change servers and returns which. When that fails, says what can be said about it.
fn change(console: &Console, selection: &Selection, request: Request) -> Result<Vec<String>> {
    match console.ask(request) {
        Ok(Response::Done(ids)) => Ok(ids),
        Ok(other) => Err(unexpected(&other)),
        Err(error) => Err(match console.list() {
            Ok(listing) if error.kind() == ErrorKind::NotFound => {
                unknown(&listing, selection).unwrap_or(error)
            }
            Ok(listing) => {
                let logs = logs_of_failed(&console.context.dir, &listing, selection);
                tail::show(&logs);
                if logs.is_empty() { error } else { Error::new(error.kind(), format!("{error} (see logs/)")) }
            }
            // The first error is the one that counts.
            Err(_) => error,
        }),
    }
}

/// What the logs of the selected servers that have failed end with.
pub(super) fn logs_of_failed(dir: &Path, listing: &Listing, selection: &Selection) -> Vec<String> {
    let failed = listing.servers.iter().filter(|row| {
        let selected = selection.is_all()
            || selection.ids.contains(&row.id)
            || selection.server_type.as_ref() == Some(&row.server_type);
        selected && row.state == ServerState::Failed && is_loopback(&row.host)
    });
    tail::explain(dir, failed.map(|row| row.id.as_str()))
}

/// Which of the selected does not exist, and what there is instead.
fn unknown(listing: &Listing, selection: &Selection) -> Option<Error> {
    let not_found = |message| Some(Error::new(ErrorKind::NotFound, message));
    let ids = || listing.servers.iter().map(|row| row.id.as_str());
    if let Some(id) = selection.ids.iter().find(|id| !ids().any(|known| known == *id)) {
        if let Some(master) = listing.masters.iter().find(|master| master.id == *id) {
            let pid = master.pid;
            return not_found(format!(
                "{id} is a master, not a server: `kill {pid}` (SIGTERM) stops it in order"
            ));
        }
        return not_found(format!("there is no server {id}: {}", close::suggestion(id, ids())));
    }
    let server_type = selection.server_type.as_ref()?;
    let mut types: Vec<&str> = listing.servers.iter().map(|row| row.server_type.as_str()).collect();
    types.sort_unstable();
    types.dedup();
    if types.contains(&server_type.as_str()) {
        return None;
    }
    let suggestion = close::suggestion(server_type, types.into_iter());
    not_found(format!("there is no server of type {server_type}: {suggestion}"))
}

/// The ids, or how many there are.
fn shown(ids: &[String]) -> String {
    let names: Vec<&str> = ids.iter().map(String::as_str).collect();
    if names.len() <= 10 {
        names.join(", ")
    } else {
        format!("{} servers ({})", names.len(), some_of(&names))
    }
}

#[cfg(test)]
mod tests {
    use super::super::table::tests::{master, row};
    use super::*;

    fn selection(ids: &[&str], server_type: Option<&str>) -> Selection {
        Selection {
            ids: ids.iter().map(ToString::to_string).collect(),
            server_type: server_type.map(Into::into),
        }
    }

    #[test]
    fn who_does_not_exist_is_told_with_who_does() {
        let listing = Listing {
            masters: vec![master("master-1")],
            servers: vec![row("chat-1"), row("chat-2")],
            channels: None,
        };
        let told = |ids: &[&str], server_type| {
            unknown(&listing, &selection(ids, server_type)).map(|error| error.to_string())
        };
        assert_eq!(told(&["chat-1"], None), None);
        assert_eq!(
            told(&["chat-1", "caht-2"], None).unwrap(),
            "there is no server caht-2: did you mean chat-2?"
        );
        let text = told(&["master-1"], None).unwrap();
        assert!(text.starts_with("master-1 is a master, not a server: `kill 41`"), "{text}");
        assert_eq!(told(&[], Some("caht")).unwrap(), "there is no server of type caht: did you mean chat?");
        assert_eq!(told(&[], Some("chat")), None);
    }

    #[test]
    fn many_ids_are_counted() {
        let ids: Vec<String> = (0..11).map(|n| format!("s{n}")).collect();
        assert_eq!(shown(&ids[..2]), "s0, s1");
        assert_eq!(shown(&ids), "11 servers (s0, s1, s2 and 8 more)");
    }

    #[test]
    fn a_pair_needs_its_sign() {
        assert_eq!(split("cpu=0-3=x").unwrap(), ("cpu", "0-3=x"));
        assert!(split("port").unwrap_err().to_string().contains("expected key=value"));
    }
}
