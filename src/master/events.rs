//! What happens in a master process, and what others are told of it.

use crate::link::{Closed, Inbox, Link};
use alloc::sync::Arc;
use core::fmt;
use core::time::Duration;
use tangelo_core::coordinator::{Epoch, LeaderInfo};
use tangelo_core::master::{Input, LinkId, Report};
use tangelo_core::wire::{Hello, Message};

/// What is taken in, one after the other.
#[derive(Debug)]
pub(super) enum Event {
    /// Somebody has linked to this master's port.
    Linked(Link, Inbox, Hello),
    /// A linked peer says something.
    Message(LinkId, Message),
    /// A link has ended.
    Closed(LinkId, Closed),
    /// The answer to something that the leader of this epoch had ordered, or news of its leadership.
    Reign(Epoch, Input),
    /// This standby is linked to that leader.
    Following(LeaderInfo),
    /// The leader ends the cluster, this standby included.
    Ended,
    /// Somebody asks this process to stop.
    Interrupt,
}

/// What a person, or a program that waits, wants to know of a master.
#[derive(Debug)]
pub(crate) enum MasterEvent<'a> {
    /// It is a standby of this leader.
    Standby(&'a LeaderInfo),
    /// It leads.
    Leading { epoch: Epoch, servers: usize },
    /// A server's state has changed.
    Server { id: &'a str, report: &'a Report },
    /// Every server that should run is up or has failed.
    Settled { up: usize, failed: usize, after: Duration },
    /// The cluster is stopping.
    Ending,
    /// Its leadership has ended.
    SteppedDown,
}

impl MasterEvent<'_> {
    /// Whether something went wrong.
    pub(crate) const fn is_problem(&self) -> bool {
        match self {
            Self::Server { report, .. } => matches!(
                report,
                Report::Crashed { .. } | Report::Failed { .. } | Report::LinkLost { silent: true }
            ),
            Self::Settled { failed, .. } => *failed > 0,
            Self::SteppedDown => true,
            Self::Standby(_) | Self::Leading { .. } | Self::Ending => false,
        }
    }
}

/// A line for people.
impl fmt::Display for MasterEvent<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Standby(leader) => write!(
                f,
                "standby: {} leads at {}:{} (epoch {}); this master launches nothing, and takes over when it dies",
                leader.id, leader.host, leader.port, leader.epoch
            ),
            Self::Leading { epoch, servers } => write!(f, "leading: epoch {epoch}, {servers} servers"),
            Self::Server { id, report } => write!(f, "{id}: {report}"),
            Self::Settled { up, failed: 0, after } => {
                write!(f, "all {up} servers are up after {} ms", after.as_millis())
            }
            Self::Settled { up, failed, after } => {
                write!(f, "{up} servers are up, {failed} failed, after {} ms", after.as_millis())
            }
            Self::Ending => f.write_str("stopping the cluster; once more to stop without waiting"),
            Self::SteppedDown => f.write_str("this master leads no longer: it is a standby now"),
        }
    }
}

/// An observer that writes everything into the log.
pub(crate) fn logger() -> Observer {
    Arc::new(|event| {
        if event.is_problem() {
            tracing::warn!("{event}");
        } else {
            tracing::info!("{event}");
        }
    })
}

/// Who is told.
pub(crate) type Observer = Arc<dyn Fn(&MasterEvent<'_>) + Send + Sync>;
