//! The end of the whole cluster: frontends first, so that no client is served by half a cluster,
//! then the servers behind them, then the standbys, then the stored state, then this master.

use super::Machine;
use super::io::{LinkId, Ticket};
use super::server::{Server, Then};
use super::store::Deferred;
use crate::wire::{Message, Response};
use crate::{ErrorKind, Instant};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

/// How long the store may take to note the end, and then the standbys to go.
pub(super) const PATIENCE: Duration = Duration::from_secs(3);

/// How long the store may take to forget the cluster: no server waits for it any more, and a disk
/// under load has been seen to hold a write up for 6 s.
const FORGETTING: Duration = Duration::from_secs(10);

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
    /// When servers are told to stop though the store does not answer; `None`: it is past.
    noted_by: Option<Instant>,
    tickets: Vec<Ticket>,
}

impl Ending {
    /// Whether nothing is left but to forget the cluster and leave.
    pub(super) const fn is_over(&self) -> bool {
        matches!(self.wave, Wave::Over { .. })
    }

    /// Whether nobody is asked to stop in order.
    pub(super) const fn kills(&self) -> bool {
        self.kill
    }

    /// Whether it goes on without the store.
    pub(super) const fn waits_no_more(&self) -> bool {
        self.noted_by.is_none()
    }

    /// Whether standbys have been told to stop.
    pub(super) const fn stops_masters(&self) -> bool {
        matches!(self.wave, Wave::Standbys { .. } | Wave::Over { .. })
    }

    pub(super) fn take_tickets(&mut self) -> Vec<Ticket> {
        core::mem::take(&mut self.tickets)
    }
}

impl Machine {
    /// Ends the cluster; `kill` asks nobody.
    pub(super) fn end(&mut self, now: Instant, ticket: Option<Ticket>, kill: bool) {
        if let Some(ending) = &mut self.ending {
            ending.kill |= kill;
            ending.tickets.extend(ticket);
        } else {
            self.ending = Some(Ending {
                wave: Wave::Frontends,
                kill,
                noted_by: Some(now + PATIENCE),
                tickets: ticket.into_iter().collect(),
            });
            self.changed();
            self.stop_where(now, |server| server.record.def.frontend || !server.has_process());
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
        let ending = self.ending.as_ref()?;
        match ending.wave {
            Wave::Standbys { until } | Wave::Over { until } => Some(until),
            Wave::Frontends | Wave::Backends => ending.noted_by,
        }
    }

    /// Goes on to the next wave when one is through.
    pub(super) fn drive_ending(&mut self, now: Instant) {
        if let Some(ending) = &mut self.ending {
            ending.noted_by = ending.noted_by.filter(|by| now < *by);
        }
        while let Some(ending) = &self.ending {
            let next = match ending.wave {
                Wave::Frontends if !self.any_live(now, |server| server.record.def.frontend) => Wave::Backends,
                Wave::Backends if !self.any_live(now, |_| true) => Wave::Standbys { until: now + PATIENCE },
                // The next cluster purges what this one cannot.
                Wave::Standbys { until }
                    if self.standbys.is_empty() && self.purges.is_empty() || until <= now =>
                {
                    Wave::Over { until: now + FORGETTING }
                }
                Wave::Over { until } if until <= now => {
                    // The store does not answer: the next master finds an ended cluster all the same.
                    self.exit();
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
                    self.stop_standby(link);
                }
            }
            Wave::Over { .. } => {
                let tickets = ending.take_tickets();
                for record in self.servers.iter().map(|server| server.record.clone()).collect::<Vec<_>>() {
                    self.bury(&record);
                }
                self.changed();
                let left = self.left_behind(now);
                for ticket in tickets {
                    let response = left.clone().map_or_else(
                        || Response::Done(Vec::new()),
                        |message| Response::Failed { kind: ErrorKind::Unavailable, message },
                    );
                    self.when_stored(Deferred::Reply(ticket, response));
                }
                self.when_stored(Deferred::Exit);
            }
        }
    }

    pub(super) fn stop_standby(&mut self, link: LinkId) {
        self.send(link, Message::Stop { epoch: self.epoch, timeout: PATIENCE });
    }

    fn any_live(&self, now: Instant, chosen: impl Fn(&Server) -> bool) -> bool {
        let mut servers = self.servers.iter();
        servers.any(|server| chosen(server) && server.is_live() && !server.is_beyond_reach(now))
    }

    /// The servers whose end was not waited for any longer, if there are some.
    fn left_behind(&self, now: Instant) -> Option<String> {
        let left = self.servers.iter().filter(|server| server.is_beyond_reach(now));
        let left: Vec<String> =
            left.map(|server| format!("{} on {}", server.record.def.id, server.record.def.host)).collect();
        (!left.is_empty()).then(|| {
            format!(
                "the cluster has ended, but not {}: killed in vain, as on a host that is away; the next cluster turns away what is left",
                left.join(", ")
            )
        })
    }
}
