//! What happens in a master process, and what others are told of it.

use crate::link::{Closed, Inbox, Link};
use alloc::sync::Arc;
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

/// Who is told.
pub(crate) type Observer = Arc<dyn Fn(&MasterEvent<'_>) + Send + Sync>;
