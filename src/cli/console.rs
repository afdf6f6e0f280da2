//! Asking the active master.

use super::args::{Cli, Target};
use super::bar;
use super::find::{LOOK_AGAIN, Place, living, look_again, no_master, place};
use crate::config::{load_master, secret};
use crate::context::Context;
use crate::link::{LinkConfig, Secret};
use crate::master;
use crate::parts;
use crate::time::{Elapsed, timeout};
use core::time::Duration;
use futures_lite::future;
use tangelo_core::config::{self, ClusterConfig};
use tangelo_core::wire::{Hello, Listing, MasterRow, Request, Response, Role, ServerState};
use tangelo_core::{Error, ErrorKind, Instant, ProcessRef, Result};
use tracing::warn;

/// How often one looks for a leader that does not answer, when another leads each time.
const TRIES: u32 = 200;

/// How long a master may take to leave once the cluster has ended.
const LEAVE: Duration = Duration::from_secs(15);

/// After so long, whoever waits is told for what; and how often.
const SHOW_AFTER: Duration = Duration::from_millis(400);
const SHOW_EVERY: Duration = Duration::from_millis(300);

/// The way to the masters of a directory.
pub(super) struct Console {
    pub(super) context: Context,
    config: ClusterConfig,
    link: LinkConfig,
    named: Option<Place>,
}

impl Console {
    /// Finds out how to get in. Nobody is asked yet.
    pub(super) fn open(cli: &Cli, context: Context, target: &Target) -> Result<Self> {
        let config = load_master(&context.dir, &cli.env)?;
        let secret = secret::find(&context.dir, &config).map_err(|error| match error.kind() {
            ErrorKind::NotFound => no_master(&context),
            _ => error,
        })?;
        let named = target.port.map(|port| {
            Place::Named(target.host.clone().unwrap_or_else(|| config.master.host.clone()), port)
        });
        Self::new(context, config, &secret, named)
    }

    pub(super) fn new(
        context: Context,
        config: ClusterConfig,
        secret: &config::Secret,
        named: Option<Place>,
    ) -> Result<Self> {
        let hello = Hello { role: Role::Admin, id: "command line".into(), pid: std::process::id() };
        let mut link = LinkConfig::new(Secret::from_text(secret.expose())?, hello);
        link.heartbeat = config.master.timing.heartbeat;
        Ok(Self { context, config, link, named })
    }

    /// Asks the master, and takes its word: a failure becomes an error. A terminal shows what is
    /// waited for, should it take long.
    pub(super) fn ask(&self, request: Request) -> Result<Response> {
        let answered = self.context.block_on(future::or(self.put(request), self.show_progress()));
        bar::clear();
        answered
    }

    /// Asks the master. One that cannot be reached is looked for again while there is an election.
    pub(super) async fn put(&self, request: Request) -> Result<Response> {
        let Self { context, link, .. } = self;
        let since = Instant::now();
        // To ask these twice does no harm.
        let repeatable = matches!(request, Request::List | Request::AwaitStart);
        for tries in 1.. {
            let place = self.place().await?;
            let (host, port) = place.address();
            let (error, again) = match master::open(&context.runtime, link, host, port).await {
                Ok(open) => {
                    place.warn();
                    match master::answer(open, &format!("{host}:{port}"), request.clone()).await {
                        Ok(Response::Failed { kind, message }) => return Err(Error::new(kind, message)),
                        Ok(response) => return Ok(response),
                        Err(error) => (error, repeatable),
                    }
                }
                Err(error) => (place.explain(context, error), true),
            };
            let temporary = matches!(error.kind(), ErrorKind::Unavailable | ErrorKind::Timeout);
            if !(again && temporary && tries < TRIES && look_again(context, &place, since).await?) {
                return Err(error);
            }
        }
        Err(no_master(context))
    }

    async fn place(&self) -> Result<Place> {
        match &self.named {
            Some(place) => Ok(place.clone()),
            None => place(&self.context, &self.config).await,
        }
    }

    /// Shows what is waited for, for ever.
    pub(super) async fn show_progress<T>(&self) -> Result<T> {
        if !bar::is_useful() {
            future::pending::<()>().await;
        }
        self.context.runtime.sleep(SHOW_AFTER).await;
        bar::spinner("waiting for the master".to_owned());
        loop {
            if let Ok(listing) = self.listing().await {
                bar::spinner(waiting_for(&listing));
            }
            self.context.runtime.sleep(SHOW_EVERY).await;
        }
    }

    pub(super) fn list(&self) -> Result<Listing> {
        match self.ask(Request::List)? {
            Response::Listing(listing) => Ok(listing),
            other => Err(unexpected(&other)),
        }
    }

    pub(super) async fn listing(&self) -> Result<Listing> {
        match self.put(Request::List).await? {
            Response::Listing(listing) => Ok(listing),
            other => Err(unexpected(&other)),
        }
    }

    /// Waits until these masters, which have been told to go, are gone.
    pub(super) fn wait_for(&self, masters: &[ProcessRef]) -> Result<()> {
        let runtime = &self.context.runtime;
        let supervisor = parts::supervisor(&self.context.app)?;
        let until = Instant::now() + LEAVE;
        self.context.block_on(async {
            for master in masters {
                let left = until.saturating_since(Instant::now());
                timeout(runtime, left, supervisor.wait(master)).await.unwrap_or_else(|Elapsed| {
                    let pid = master.pid;
                    let message = format!(
                        "the servers have gone, the master with {master} has not: `kill -9 {pid}` ends it"
                    );
                    Err(Error::new(ErrorKind::Timeout, message))
                })?;
            }
            Ok(())
        })
    }

    /// Waits until none of these masters leads or stands by: of those on other hosts there is no more to be seen.
    pub(super) fn wait_until_gone(&self, masters: &[MasterRow]) -> Result<()> {
        let until = Instant::now() + LEAVE;
        let context = &self.context;
        context.block_on(async {
            loop {
                let living = match living(context).await {
                    Ok(living) => living,
                    Err(error) if error.is_temporary() => {
                        warn!(%error, "cannot see whether all masters have gone");
                        return Ok(());
                    }
                    Err(error) => return Err(error),
                };
                let left = |master: &&MasterRow| living.contains(&format!("{}:{}", master.host, master.port));
                let Some(MasterRow { id, host, port, pid, .. }) = masters.iter().find(left) else {
                    return Ok(());
                };
                if Instant::now() >= until {
                    let message = format!(
                        "the servers have gone, the master {id} at {host}:{port} has not: end its process {pid} there"
                    );
                    return Err(Error::new(ErrorKind::Timeout, message));
                }
                context.runtime.sleep(LOOK_AGAIN).await;
            }
        })
    }
}

/// An answer that does not belong to its question.
pub(super) fn unexpected(_: &Response) -> Error {
    let message = "the master has not answered as this version does: use one version everywhere";
    Error::new(ErrorKind::Protocol, message)
}

/// Who is on the way up or down.
fn waiting_for(listing: &Listing) -> String {
    let moving =
        |state| matches!(state, ServerState::Starting | ServerState::Stopping | ServerState::Backoff);
    let moving = listing.servers.iter().filter(|row| moving(row.state));
    let names: Vec<String> = moving.map(|row| format!("{} ({})", row.id, row.state)).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    if names.is_empty() {
        "waiting for the master".into()
    } else {
        format!("waiting for {}", bar::some_of(&names))
    }
}

#[cfg(test)]
mod tests {
    use super::super::table::tests::row;
    use super::*;

    #[test]
    fn who_waits_is_told_for_whom() {
        let mut listing = Listing { masters: vec![], servers: vec![row("a"), row("b")], channels: None };
        assert_eq!(waiting_for(&listing), "waiting for the master");
        listing.servers[1].state = ServerState::Stopping;
        assert_eq!(waiting_for(&listing), "waiting for b (stopping)");
    }
}
