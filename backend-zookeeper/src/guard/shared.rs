//! What the handle of a guard and the task that keeps it have in common.

use super::link;
use super::orders::{Hold, Order};
use crate::sync::Mutex;
use alloc::vec::Vec;
use event_listener::Event;
use std::os::unix::net::UnixStream;
use std::sync::MutexGuard;

/// How many lock nodes are remembered: the present one, and those of sessions that ended lately.
const HOLDS: usize = 4;

/// What the handle and the supervising task have in common.
#[derive(Debug, Default)]
pub(super) struct Shared {
    state: Mutex<State>,
    changed: Event,
}

#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) holds: Vec<Hold>,
    /// Of the last order.
    number: u64,
    /// To the guard that runs; none while it is being replaced.
    pub(super) line: Option<UnixStream>,
    pub(super) closed: bool,
    /// The guard that runs, as far as it has answered: its pid and whether it has a session.
    pub(super) seen: Option<(u32, bool)>,
}

impl Shared {
    pub(super) fn hold(&self, hold: Hold) {
        let mut state = self.state();
        state.holds.retain(|held| *held != hold);
        if state.holds.len() == HOLDS {
            state.holds.remove(0);
        }
        state.holds.push(hold);
        self.order(&mut state);
    }

    pub(super) fn release(&self) {
        let mut state = self.state();
        state.holds.clear();
        self.order(&mut state);
    }

    pub(super) fn close(&self) {
        self.state().closed = true;
        self.changed.notify(usize::MAX);
    }

    /// Writes an order from right here, so that it is the kernel's before the caller goes on.
    pub(super) fn order(&self, state: &mut State) -> u64 {
        state.number += 1;
        let order = Order { number: state.number, holds: state.holds.clone() };
        if state.line.as_ref().is_some_and(|line| link::send(line, &order).is_err()) {
            // It does not read, or is dead: the task replaces it.
            state.line = None;
            self.changed.notify(usize::MAX);
        }
        state.number
    }

    /// Whether the guard that runs is still the one to talk to.
    pub(super) async fn cut_off(&self) {
        self.until(|state| state.closed || state.line.is_none()).await;
    }

    pub(super) async fn closed(&self) {
        self.until(|state| state.closed).await;
    }

    async fn until(&self, condition: impl Fn(&State) -> bool) {
        loop {
            let changed = self.changed.listen();
            if condition(&self.state()) {
                return;
            }
            changed.await;
        }
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }

    /// Whether there is a guard that was told whom to guard, whether or not it has begun to run.
    #[cfg(test)]
    pub(super) fn told(&self) -> bool {
        self.state().line.is_some()
    }

    /// The guard that runs and has a session; `None` while there is none.
    #[cfg(test)]
    pub(super) fn ready(&self) -> Option<u32> {
        self.state().seen.filter(|(_, connected)| *connected).map(|(pid, _)| pid)
    }
}
