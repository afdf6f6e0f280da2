//! What the register holds: who leads, who stands by, and what the leader has stored.

use crate::coordinator::{Candidate, Epoch, LeaderInfo};
use crate::{Error, ErrorKind, Instant, Result};
use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::cmp::Reverse;
use core::time::Duration;
use serde::{Deserialize, Serialize};

/// The first byte of a value: how the rest is written.
const FORMAT: u8 = 1;

/// A candidate or leader.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Seat {
    /// Of one candidacy, and of the reign that comes of it.
    id: u64,
    candidate: Candidate,
    /// Counts up while somebody is there. Nobody compares clocks: a seat is empty for whoever has seen the same
    /// number for a lease.
    beat: u64,
    /// The last leader has handed over to it.
    chosen: bool,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Table {
    /// Counts up with every change, so that no value comes back: what was meant for an older one never fits.
    serial: u64,
    /// That of the last reign.
    epoch: u64,
    leader: Option<u64>,
    /// The leader's, and those of candidates, in the order of their arrival.
    seats: Vec<Seat>,
    #[serde(with = "serde_bytes")]
    state: Option<Vec<u8>>,
}

impl Table {
    /// An empty value is a fresh table.
    pub(super) fn decode(value: &[u8]) -> Result<Self> {
        let damaged = || {
            let message = "the register of masters holds something else: empty it while no master runs";
            Error::new(ErrorKind::Invalid, message)
        };
        match value {
            [] => Ok(Self::default()),
            [FORMAT, table @ ..] => postcard::from_bytes(table).map_err(|error| damaged().with_source(error)),
            _ => Err(damaged()),
        }
    }

    /// The next value.
    pub(super) fn encode(&mut self) -> Result<Vec<u8>> {
        self.serial += 1;
        postcard::to_extend(self, Vec::from([FORMAT])).map_err(|error| {
            Error::new(ErrorKind::Invalid, "cannot write the table of masters").with_source(error)
        })
    }

    /// Stands for election; leads, if nobody does and nobody goes first. The epoch of whoever leads, which has
    /// counted then: others have heard of it no earlier than it has asked for that.
    pub(super) fn stand(&mut self, id: u64, candidate: &Candidate, beat: bool) -> Option<Epoch> {
        if !self.seats.iter().any(|seat| seat.id == id) {
            self.seats.push(Seat { id, candidate: candidate.clone(), beat: 0, chosen: false });
        }
        if self.leader.is_none() && self.standing().first().is_some_and(|first| first.id == id) {
            self.leader = Some(id);
            self.epoch += 1;
            self.seats.iter_mut().for_each(|seat| seat.chosen = false);
        }
        let leads = self.leader == Some(id);
        if beat || leads {
            self.count(id);
        }
        leads.then_some(Epoch(self.epoch))
    }

    fn count(&mut self, id: u64) {
        self.seats.iter_mut().filter(|seat| seat.id == id).for_each(|seat| seat.beat += 1);
    }

    /// The leader, and only it, says that it is there.
    pub(super) fn renew(&mut self, id: u64) -> Result<()> {
        self.led_by(id)?;
        self.count(id);
        Ok(())
    }

    pub(super) fn led_by(&self, id: u64) -> Result<()> {
        if self.leader == Some(id) {
            return Ok(());
        }
        let message = format_args!("this reign is over: the last one is that of epoch {}", self.epoch);
        Err(Error::new(ErrorKind::Fenced, alloc::format!("{message}")))
    }

    pub(super) fn store(&mut self, id: u64, state: &[u8]) -> Result<()> {
        self.led_by(id)?;
        self.state = Some(state.to_vec());
        Ok(())
    }

    pub(super) fn load(&self, id: u64) -> Result<Option<Vec<u8>>> {
        self.led_by(id)?;
        Ok(self.state.clone())
    }

    pub(super) fn leave(&mut self, id: u64) {
        self.seats.retain(|seat| seat.id != id);
        self.leader.take_if(|leader| *leader == id);
    }

    /// The leader lets the one that is named lead.
    pub(super) fn hand_over(&mut self, id: u64, to: &str) -> Result<()> {
        self.led_by(id)?;
        let standing = self.standing().into_iter().find(|seat| seat.candidate.is_named(to));
        let chosen = standing.map(|seat| seat.id);
        let Some(chosen) = chosen else {
            return Err(Error::new(ErrorKind::NotFound, alloc::format!("no master {to} stands by")));
        };
        self.leave(id);
        self.seats.iter_mut().for_each(|seat| seat.chosen = seat.id == chosen);
        Ok(())
    }

    pub(super) fn leader(&self) -> Option<LeaderInfo> {
        let seat = self.seats.iter().find(|seat| self.leader == Some(seat.id))?;
        let Candidate { id, host, port, .. } = seat.candidate.clone();
        Some(LeaderInfo { id, host, port, epoch: Epoch(self.epoch) })
    }

    pub(super) fn candidates(&self) -> Vec<Candidate> {
        self.standing().into_iter().map(|seat| seat.candidate.clone()).collect()
    }

    /// Who stands by, in the order in which they would lead.
    fn standing(&self) -> Vec<&Seat> {
        let mut standing: Vec<_> = self.seats.iter().filter(|seat| self.leader != Some(seat.id)).collect();
        // A stable sort: among equals, who came first goes first.
        standing.sort_by_key(|seat| (!seat.chosen, Reverse(seat.candidate.priority)));
        standing
    }
}

/// What one process has heard of the seats: the last number, and since when.
#[derive(Debug, Default)]
pub(super) struct Heard(BTreeMap<u64, (u64, Instant)>);

impl Heard {
    /// Removes the seats that have been silent for `lease` from `table`, which was asked for at `asked` and came at
    /// `came`: a number counts as new as it can be, and silence as long as it must have been.
    pub(super) fn sweep(&mut self, table: &mut Table, asked: Instant, came: Instant, lease: Duration) {
        let mut present = BTreeMap::new();
        for seat in &table.seats {
            let heard = self.0.get(&seat.id).filter(|(beat, _)| *beat == seat.beat);
            present.insert(seat.id, heard.copied().unwrap_or((seat.beat, came)));
        }
        self.0 = present;
        for (id, (_, since)) in &self.0 {
            if asked.saturating_since(*since) >= lease {
                table.leave(*id);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::String;

    const LEASE: Duration = Duration::from_secs(4);

    fn candidate(id: &str, priority: i32) -> Candidate {
        Candidate { id: String::from(id), host: "127.0.0.1".into(), port: 3005, priority }
    }

    fn at(seconds: u64) -> Instant {
        Instant::from_boot(Duration::from_secs(seconds))
    }

    fn ids(table: &Table) -> Vec<String> {
        table.candidates().into_iter().map(|candidate| candidate.id).collect()
    }

    /// A leader, and three who stand by.
    fn table() -> Table {
        let mut table = Table::default();
        assert_eq!(table.stand(1, &candidate("leader", 0), true), Some(Epoch(1)));
        for (id, name, priority) in [(2, "low", -1), (3, "high", 7), (4, "high too", 7)] {
            assert_eq!(table.stand(id, &candidate(name, priority), true), None);
        }
        assert_eq!(ids(&table), ["high", "high too", "low"]);
        table
    }

    #[test]
    fn the_highest_goes_first_and_each_reign_has_a_number_of_its_own() {
        let mut table = table();
        table.leave(1);
        assert_eq!(table.leader(), None);
        for id in [2, 4] {
            assert_eq!(table.stand(id, &candidate("any", 9), true), None, "{id} is not the first");
        }
        assert_eq!(table.stand(3, &candidate("high", 7), true), Some(Epoch(2)));
        assert_eq!(table.renew(1).unwrap_err().kind(), ErrorKind::Fenced);
        assert_eq!(table.store(1, b"late").unwrap_err().kind(), ErrorKind::Fenced);
        assert_eq!(table.load(3).unwrap(), None);
    }

    #[test]
    fn the_chosen_one_goes_before_the_highest_and_only_once() {
        let mut table = table();
        assert_eq!(table.hand_over(1, "nobody").unwrap_err().kind(), ErrorKind::NotFound);
        assert_eq!(table.hand_over(1, "leader").unwrap_err().kind(), ErrorKind::NotFound, "itself");
        assert!(table.renew(1).is_ok(), "the reign goes on");
        table.hand_over(1, "low").unwrap();
        assert_eq!(ids(&table), ["low", "high", "high too"]);
        assert_eq!(table.stand(3, &candidate("high", 7), true), None);
        assert_eq!(table.stand(2, &candidate("low", -1), true), Some(Epoch(2)));
        assert_eq!(table.stand(5, &candidate("lowest", -9), true), None);
        assert_eq!(ids(&table), ["high", "high too", "lowest"]);
    }

    #[test]
    fn who_is_silent_for_a_lease_is_removed_and_who_is_heard_is_not() {
        let (mut table, mut heard) = (table(), Heard::default());
        heard.sweep(&mut table, at(100), at(101), LEASE);
        assert!(table.renew(1).is_ok());
        heard.sweep(&mut table, at(103), at(103), LEASE);
        // Those who stand by were first heard when the first look came back, not when it began.
        heard.sweep(&mut table, at(104), at(110), LEASE);
        assert_eq!(ids(&table).len(), 3);
        heard.sweep(&mut table, at(105), at(105), LEASE);
        assert_eq!(ids(&table), [""; 0]);
        assert_eq!(table.leader().map(|leader| leader.id).as_deref(), Some("leader"));
        heard.sweep(&mut table, at(107), at(107), LEASE);
        assert_eq!(table.leader(), None);
    }

    /// Or else the others would give up a leader earlier than it gives up itself.
    #[test]
    fn who_begins_to_lead_or_finds_that_it_leads_is_heard_anew() {
        let (mut table, mut heard) = (table(), Heard::default());
        heard.sweep(&mut table, at(100), at(100), LEASE);
        table.leave(1);
        for (now, epoch) in [(103, Epoch(2)), (106, Epoch(2))] {
            // It has counted not long ago, so at this look it need not.
            assert_eq!(table.stand(3, &candidate("high", 7), false), Some(epoch));
            heard.sweep(&mut table, at(now), at(now), LEASE);
            assert_eq!(table.leader().map(|leader| leader.epoch), Some(epoch), "at {now}");
        }
        heard.sweep(&mut table, at(109), at(109), LEASE);
        assert!(table.leader().is_some());
        heard.sweep(&mut table, at(110), at(110), LEASE);
        assert_eq!(table.leader(), None);
    }

    #[test]
    fn no_value_comes_back_and_what_is_none_is_refused() {
        let mut table = table();
        let (one, two) = (table.encode().unwrap(), table.encode().unwrap());
        assert_ne!(one, two);
        assert_eq!(Table::decode(&two).unwrap(), table);
        assert_eq!(Table::decode(b"").unwrap(), Table::default());
        for other in [&b"nonsense"[..], &two[..two.len() / 2], &[FORMAT]] {
            assert_eq!(Table::decode(other).unwrap_err().kind(), ErrorKind::Invalid);
        }
    }
}
