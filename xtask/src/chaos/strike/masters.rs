//! Masters and their guards: killed, frozen, cut off.

use super::super::fault::Span;
use super::super::place::{GRACE, SESSION, SILENCE};
use super::{LIMIT, Striker, Struck, kill, signal};
use crate::clock;
use anyhow::{Context as _, Result, bail};
use core::time::Duration;
use rustix::process::Signal;

impl Striker<'_> {
    pub(super) fn kill_master(&mut self, place: usize, struck: &mut Struck) -> Result<String> {
        self.field.places[place].kill()?;
        struck.masters.insert(place);
        let after = self.wait(0.0, Duration::from_millis(1500))?;
        self.field.places[place].start()?;
        Ok(format!("{}, started again {after:.2?} later", self.field.places[place].id))
    }

    pub(super) fn freeze_master(&mut self, place: usize, span: Span) -> Result<String> {
        self.field.places[place].signal(Signal::STOP)?;
        let time = self.wait_span(span, SESSION);
        // Whatever happened: nothing stays frozen.
        self.field.places[place].signal(Signal::CONT)?;
        Ok(format!("{} for {:.2?}", self.field.places[place].id, time?))
    }

    pub(super) fn kill_guard(&mut self) -> Result<String> {
        let place = self.random.usize(..self.before.guards.len());
        kill(self.before.guards[place])?;
        Ok(format!("that of {}", self.field.places[place].id))
    }

    pub(super) fn freeze_guard(&mut self) -> Result<String> {
        let place = self.random.usize(..self.before.guards.len());
        let guard = self.before.guards[place];
        signal(guard, Signal::STOP)?;
        let time = self.wait(0.1, SESSION * 2);
        // Its master may have replaced it, which ends it.
        let _ = signal(guard, Signal::CONT);
        Ok(format!("that of {} for {:.2?}", self.field.places[place].id, time?))
    }

    pub(super) fn cut_from_zookeeper(&mut self, place: usize, span: Span, severed: bool) -> Result<String> {
        if severed {
            self.field.places[place].sever_zookeeper();
        } else {
            self.field.places[place].cut_zookeeper();
        }
        let time = self.wait_span(span, SESSION);
        self.field.places[place].mend_zookeeper()?;
        Ok(format!("{} for {:.2?}", self.field.places[place].id, time?))
    }

    pub(super) fn cut_from_servers(&mut self, place: usize) -> Result<String> {
        let (network, host) = (self.field.network, self.field.places[place].host());
        network.cut(host)?;
        // Servers must have the time to come back before they are given up.
        let time = self.wait(0.2, SILENCE + GRACE.mul_f64(0.2));
        network.mend(host)?;
        Ok(format!("{} for {:.2?}", self.field.places[place].id, time?))
    }

    /// Waits until another master than that of before leads.
    pub(super) fn next_leader(&mut self) -> Result<usize> {
        let (field, before) = (&*self.field, &self.before.said);
        clock::poll_until(clock::now() + LIMIT, Duration::from_millis(5), || {
            let said = field.history.last().map(|record| record.said).unwrap_or_default();
            if !said.is_leader() || said.epoch <= before.epoch {
                bail!("nobody has come after {before:?}");
            }
            let place = field.places.iter().position(|place| place.host().to_string() == said.host);
            place.with_context(|| format!("nobody is at {said:?}"))
        })
    }
}
