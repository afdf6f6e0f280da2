//! Where the active master is.

use crate::context::Context;
use alloc::collections::BTreeSet;
use core::fmt;
use core::time::Duration;
use tangelo_core::config::ClusterConfig;
use tangelo_core::coordinator::LeaderInfo;
use tangelo_core::{Error, ErrorKind, Instant, Result};
use tracing::warn;

/// How long masters that stand by may take to elect a leader, and how often one looks.
const ELECTION: Duration = Duration::from_secs(3);
pub(super) const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// Where a master is said to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Place {
    /// The user has named it.
    Named(String, u16),
    /// The coordinator knows it.
    Leader(LeaderInfo),
    /// The coordinator knows nobody, so it can only be where master.json says.
    Configured(String, u16),
    /// The coordinator cannot be asked, and this is why: it may be where master.json says.
    Unseen(String, u16, String),
}

impl Place {
    pub(super) fn address(&self) -> (&str, u16) {
        match self {
            Self::Named(host, port) | Self::Configured(host, port) | Self::Unseen(host, port, _) => {
                (host, *port)
            }
            Self::Leader(leader) => (&leader.host, leader.port),
        }
    }

    /// Says so if a master was reached that may not be the leader.
    pub(super) fn warn(&self) {
        if let Self::Unseen(.., why) = self {
            warn!(error = why, "asking at the address in master.json");
        }
    }

    /// What to make of a failure to reach it.
    pub(super) fn explain(&self, context: &Context, error: Error) -> Error {
        let kind = error.kind();
        match self {
            Self::Leader(leader) if kind == ErrorKind::Timeout => {
                let message = format!(
                    "{self} does not answer, it hangs or was stopped: `start -D` runs a second master, which ends it \
                     once its lease is over and goes on with its servers (epoch {})",
                    leader.epoch
                );
                Error::new(kind, message).with_source(error)
            }
            Self::Leader(_) | Self::Named(..) => {
                Error::new(kind, format!("cannot ask {self}")).with_source(error)
            }
            Self::Unseen(.., why) => {
                let message =
                    format!("{why}; and no master of this cluster answers at {self}, as master.json has it");
                Error::new(ErrorKind::Unavailable, message).with_source(error)
            }
            Self::Configured(..) if kind == ErrorKind::Unavailable => no_master(context),
            Self::Configured(..) => {
                let message = format!("{}; whoever is at {self} is none of it", no_master(context));
                Error::new(kind, message).with_source(error)
            }
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Named(host, port) => write!(f, "the master at {host}:{port}"),
            Self::Leader(leader) => write!(f, "the master {} at {}:{}", leader.id, leader.host, leader.port),
            Self::Configured(host, port) | Self::Unseen(host, port, _) => write!(f, "{host}:{port}"),
        }
    }
}

/// The active master, as the coordinator has it; who has died is not in there.
pub(super) async fn leader(context: &Context) -> Result<Option<LeaderInfo>> {
    context.election.leader(&context.runtime).await
}

/// The leader that the directory's coordinator knows, or else the address in master.json. Masters
/// that stand by without a leader are about to elect one: that is waited for.
pub(super) async fn place(context: &Context, config: &ClusterConfig) -> Result<Place> {
    let patience = Instant::now() + ELECTION;
    let (host, port) = (config.master.host.clone(), config.master.port);
    loop {
        match leader(context).await {
            Ok(Some(leader)) => return Ok(Place::Leader(leader)),
            Ok(None) => {}
            // The masters may be well while their coordinator is away.
            Err(error) if error.is_temporary() => return Ok(Place::Unseen(host, port, error.to_string())),
            Err(error) => return Err(error),
        }
        if Instant::now() >= patience || context.election.standbys(&context.runtime).await?.is_empty() {
            return Ok(Place::Configured(host, port));
        }
        context.runtime.sleep(LOOK_AGAIN).await;
    }
}

/// The addresses of the masters that lead or stand by, as the coordinator has them.
pub(super) async fn living(context: &Context) -> Result<BTreeSet<String>> {
    let leader = leader(context).await?;
    let standbys = context.election.standbys(&context.runtime).await?;
    let standbys = standbys.into_iter().map(|standby| format!("{}:{}", standby.host, standby.port));
    Ok(leader.into_iter().map(|leader| format!("{}:{}", leader.host, leader.port)).chain(standbys).collect())
}

/// Whether it is worth to look again after a failure to reach `place`: somebody else leads by now,
/// or the leader is just coming or going.
pub(super) async fn look_again(context: &Context, place: &Place, since: Instant) -> Result<bool> {
    let Place::Leader(asked) = place else { return Ok(false) };
    if leader(context).await?.as_ref() == Some(asked) {
        let soon = Instant::now() < since + ELECTION;
        context.runtime.sleep(LOOK_AGAIN).await;
        return Ok(soon);
    }
    Ok(true)
}

/// The error of every command that needs a master.
pub(super) fn no_master(context: &Context) -> Error {
    let dir = context.dir.display();
    let message = format!(
        "no master is alive in {dir}: `start` starts the cluster, and takes over servers that still run"
    );
    Error::new(ErrorKind::Unavailable, message)
}
