//! Members of global channels go with the life of the frontend that they belong to.
//!
//! A life is over once no master will ever welcome it again: its process has ended, or was never
//! found. That is stored first, so what is purged is dead for every later leader too, and what a
//! leader leaves undone its successor finds in the state: lives that are over and not yet purged.

use super::Machine;
use super::io::Action;
use super::server::Server;
use super::state::{PastFrontend, ServerRecord};
use super::store::Deferred;
use crate::Instant;
use crate::channel::Frontend;
use crate::config::{Incarnation, MAX_SERVERS, ServerDef};
use crate::wire::{ChannelsRow, PurgeRow};
use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;

/// What is to be purged and is not known to be, by server id.
#[derive(Debug, Default)]
pub(super) struct Purges(BTreeMap<String, Owed>);

/// A life, and those before it.
#[derive(Debug, Clone, Copy)]
struct Owed {
    incarnation: Incarnation,
    since: Instant,
}

impl Purges {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl ServerRecord {
    /// The latest life that is over for good.
    pub(super) const fn over(&self) -> Incarnation {
        match self.process {
            Some(_) => Incarnation(self.incarnation.0.saturating_sub(1)),
            None => self.incarnation,
        }
    }
}

impl Machine {
    /// A record for a server that is new here. Its lives go on where those of an earlier one with
    /// its id ended: stores of members refuse those that are over for good.
    pub(super) fn new_record(&mut self, def: ServerDef) -> ServerRecord {
        let mut record = ServerRecord::new(def);
        if let Some(past) = self.past.remove(&record.def.id) {
            record.fronted = true;
            (record.incarnation, record.reserved) = (past.incarnation, past.incarnation);
            record.purged = past.purged;
        }
        record
    }

    /// The server leaves the cluster; what its lives have left behind is not forgotten with it.
    pub(super) fn bury(&mut self, record: &ServerRecord) {
        if !record.fronted || record.reserved == Incarnation(0) {
            return;
        }
        let incarnation = record.incarnation.max(record.reserved);
        self.past.insert(record.def.id.clone(), PastFrontend { incarnation, purged: record.purged });
        if self.past.len() > MAX_SERVERS {
            let done = self.past.iter().find(|(_, past)| past.purged >= past.incarnation);
            if let Some(id) = done.map(|(id, _)| id.clone()) {
                self.past.remove(&id);
            }
        }
    }

    /// A cluster is started: the store may be another one than that in which all was purged.
    pub(super) fn purge_anew(&mut self) {
        self.servers.iter_mut().for_each(|server| server.record.purged = Incarnation(0));
        self.past.values_mut().for_each(|past| past.purged = Incarnation(0));
    }

    /// What earlier reigns have left to be purged.
    pub(super) fn owe_what_is_over(&mut self, now: Instant) {
        let records = self.servers.iter().map(|server| &server.record).filter(|record| record.fronted);
        let present = records.map(|record| (&record.def.id, record.over(), record.purged));
        let past = self.past.iter().map(|(id, past)| (id, past.incarnation, past.purged));
        let owed: Vec<(String, Incarnation)> = present
            .chain(past)
            .filter(|(_, over, purged)| over > purged)
            .map(|(id, over, _)| (id.clone(), over))
            .collect();
        for (id, over) in owed {
            self.owe(now, id, over);
        }
    }

    /// The present life of this server is over.
    pub(super) fn life_over(&mut self, now: Instant, index: usize) {
        let Server { record, .. } = &self.servers[index];
        if record.fronted {
            let (id, incarnation) = (record.def.id.clone(), record.incarnation);
            self.owe(now, id, incarnation);
        }
    }

    fn owe(&mut self, now: Instant, id: String, incarnation: Incarnation) {
        if !self.setup.purges {
            return;
        }
        let owed = self.purges.0.entry(id.clone()).or_insert(Owed { incarnation, since: now });
        owed.incarnation = owed.incarnation.max(incarnation);
        self.when_stored(Deferred::Purge(id, incarnation));
    }

    /// That this life is over is stored.
    pub(super) fn purge_now(&mut self, sid: String, incarnation: Incarnation) {
        self.actions.push(Action::Purge(Frontend { sid, incarnation }));
    }

    pub(super) fn purged(&mut self, done: &Frontend) {
        self.purges.0.retain(|id, owed| *id != done.sid || owed.incarnation > done.incarnation);
        let record = self.servers.iter_mut().map(|server| &mut server.record);
        let record = record.filter(|record| record.def.id == done.sid).map(|record| &mut record.purged);
        let past = self.past.get_mut(&done.sid).map(|past| &mut past.purged);
        for purged in record.chain(past) {
            *purged = done.incarnation.max(*purged);
        }
        self.changed();
    }

    /// What of channels `list` shows, if there are some.
    pub(super) fn channels_row(&self, now: Instant) -> Option<ChannelsRow> {
        let row = |(id, owed): (&String, &Owed)| PurgeRow {
            id: id.clone(),
            incarnation: owed.incarnation,
            for_ms: u64::try_from(now.saturating_since(owed.since).as_millis()).unwrap_or(u64::MAX),
            error: None,
        };
        self.setup.purges.then(|| ChannelsRow { purges: self.purges.0.iter().map(row).collect() })
    }
}
