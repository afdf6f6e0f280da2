//! The end of the whole cluster: frontends first, so that no client is served by half a cluster,
//! then the servers behind them, then the standbys, then the stored state, then this master.

use super::Machine;
use super::io::{LinkId, Ticket};
use super::server::{Server, Then};
use super::store::Deferred;
use crate::Instant;
use crate::wire::{Message, Response};
use alloc::vec::Vec;
use core::time::Duration;

/// How long the standbys, and then the store, may take.
const PATIENCE: Duration = Duration::from_secs(3);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wave {
    Frontends,
    Backends,
    Standbys { until: Instant },
    Over { until: Instant },
}

/// How far the end has come.
#[derive(Debug)]
pub(super) struct Ending {
    wave: Wave,
    kill: bool,
    tickets: Vec<Ticket>,
}

impl Ending {
    /// Whether nothing is left but to forget the cluster and leave.
    pub(super) const fn is_over(&self) -> bool {
        matches!(self.wave, Wave::Over { .. })
    }
}

impl Machine {
    /// Ends the cluster; `kill` asks nobody.
    pub(super) fn end(&mut self, now: Instant, ticket: Option<Ticket>, kill: bool) {
        if let Some(ending) = &mut self.ending {
            ending.kill |= kill;
            ending.tickets.extend(ticket);
        } else {
            self.ending = Some(Ending { wave: Wave::Frontends, kill, tickets: ticket.into_iter().collect() });
            self.changed();
            self.stop_where(now, |server| server.record.def.frontend);
        }
        if kill {
            self.stop_where(now, |_| true);
            for index in 0..self.servers.len() {
                self.hasten(now, index);
            }
        }
    }

    fn stop_where(&mut self, now: Instant, chosen: impl Fn(&Server) -> bool) {
        for index in 0..self.servers.len() {
            if chosen(&self.servers[index]) {
                self.begin_stop(now, index, Then::Stay);
            }
        }
    }

    pub(super) fn ending_deadline(&self) -> Option<Instant> {
        match self.ending.as_ref()?.wave {
            Wave::Standbys { until } | Wave::Over { until } => Some(until),
            Wave::Frontends | Wave::Backends => None,
        }
    }

    /// Goes on to the next wave when one is through.
    pub(super) fn drive_ending(&mut self, now: Instant) {
        while let Some(ending) = &self.ending {
            let next = match ending.wave {
                Wave::Frontends if !self.any_live(|server| server.record.def.frontend) => Wave::Backends,
                Wave::Backends if !self.any_live(|_| true) => Wave::Standbys { until: now + PATIENCE },
                Wave::Standbys { until } if self.standbys.is_empty() || until <= now => {
                    Wave::Over { until: now + PATIENCE }
                }
                Wave::Over { until } if until <= now => {
                    // The store does not answer: the next master finds an ended cluster all the same.
                    self.actions.push(super::Action::Exit);
                    return;
                }
                _ => return,
            };
            self.enter(now, next);
        }
    }

    fn enter(&mut self, now: Instant, wave: Wave) {
        let Some(ending) = &mut self.ending else { return };
        ending.wave = wave;
        match wave {
            Wave::Frontends => {}
            Wave::Backends => self.stop_where(now, |_| true),
            Wave::Standbys { .. } => {
                let links: Vec<LinkId> = self.standbys.keys().copied().collect();
                for link in links {
                    self.send(link, Message::Stop { epoch: self.epoch, timeout: PATIENCE });
                }
            }
            Wave::Over { .. } => {
                let tickets = core::mem::take(&mut ending.tickets);
                self.changed();
                for ticket in tickets {
                    self.when_stored(Deferred::Reply(ticket, Response::Done(Vec::new())));
                }
                self.when_stored(Deferred::Exit);
            }
        }
    }

    fn any_live(&self, chosen: impl Fn(&Server) -> bool) -> bool {
        self.servers.iter().any(|server| chosen(server) && server.is_live())
    }
}
