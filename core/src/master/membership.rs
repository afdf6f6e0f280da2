//! Telling every server who is up. Changes are gathered for a moment, so that a hundred servers
//! that come up together cost each of them a few messages, not a hundred.

use super::Machine;
use super::io::{Action, LinkId};
use super::server::Server;
use super::store::Deferred;
use crate::Instant;
use crate::config::Incarnation;
use crate::wire::{Digest, Message, ServerInfo};
use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;
use core::mem;
use core::time::Duration;

/// How long changes are gathered.
const GATHER: Duration = Duration::from_millis(5);

/// Changes that are not told yet: the latest for each server.
#[derive(Debug, Default)]
pub(super) struct Changes {
    pending: BTreeMap<String, Change>,
    flush_at: Option<Instant>,
}

#[derive(Debug)]
enum Change {
    Added(Box<ServerInfo>),
    Removed(Incarnation),
}

impl Changes {
    pub(super) const fn deadline(&self) -> Option<Instant> {
        self.flush_at
    }

    fn note(&mut self, now: Instant, id: String, change: Change) {
        self.pending.insert(id, change);
        self.flush_at.get_or_insert(now + GATHER);
    }
}

impl Machine {
    /// The server is up: the others shall know, once that is stored. So a successor knows at least
    /// those that anybody has heard of, and never tells that one has gone which has not.
    pub(super) fn announce(&mut self, index: usize) {
        if self.servers[index].told {
            // They heard of this life from an earlier leader, or before its link was lost.
            return;
        }
        let record = &mut self.servers[index].record;
        record.up = true;
        let (id, incarnation) = (record.def.id.clone(), record.incarnation);
        self.changed();
        self.when_stored(Deferred::Announce(id, incarnation));
    }

    pub(super) fn announce_now(&mut self, now: Instant, id: &str, incarnation: Incarnation) {
        let Some(index) = self.index(id) else { return };
        let server = &mut self.servers[index];
        if server.record.up && server.record.incarnation == incarnation {
            server.told = true;
            let info = server.info();
            self.changes.note(now, id.into(), Change::Added(Box::new(info)));
        }
    }

    /// The server's present incarnation is not up any more: the others shall know.
    pub(super) fn withdraw(&mut self, now: Instant, index: usize) {
        let server = &mut self.servers[index];
        if mem::take(&mut server.record.up) {
            let (id, incarnation) = (server.record.def.id.clone(), server.record.incarnation);
            let told = mem::take(&mut server.told);
            self.changed();
            if told {
                self.changes.note(now, id, Change::Removed(incarnation));
            }
        }
    }

    /// That of [`everybody`](Self::everybody).
    pub(super) fn digest(&mut self) -> Digest {
        let told = self.servers.iter_mut().filter(|server| server.told);
        told.fold(Digest::default(), |digest, server| digest.with(server.digest()))
    }

    /// Everybody who is up and of whom others may know, for a newcomer.
    pub(super) fn everybody(&self) -> Vec<ServerInfo> {
        self.servers.iter().filter(|server| server.told).map(Server::info).collect()
    }

    /// To every server that has been welcomed.
    pub(super) fn broadcast(&mut self, message: Message) {
        let links: Vec<LinkId> = self.servers.iter().filter_map(Server::welcomed_link).collect();
        if !links.is_empty() {
            self.actions.push(Action::Broadcast { links, message });
        }
    }

    pub(super) fn flush_changes(&mut self, now: Instant) {
        if self.changes.flush_at.is_some_and(|at| at <= now) {
            self.tell_changes();
        }
    }

    /// Says that all servers are up, to servers that know all of them by then.
    pub(super) fn tell_all_started(&mut self) {
        self.all_told = true;
        self.tell_changes();
        self.broadcast(Message::AllStarted);
    }

    /// Tells what has been gathered.
    fn tell_changes(&mut self) {
        if self.changes.flush_at.take().is_none() {
            return;
        }
        let (mut added, mut removed) = (Vec::new(), Vec::new());
        for (id, change) in mem::take(&mut self.changes.pending) {
            match change {
                Change::Added(info) => added.push(*info),
                Change::Removed(incarnation) => removed.push((id, incarnation)),
            }
        }
        self.broadcast(Message::Servers { added, removed });
    }
}
