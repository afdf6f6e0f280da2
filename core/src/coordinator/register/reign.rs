//! A seat, and what its holder may do once it leads.

use super::Shared;
use crate::coordinator::{Epoch, Leadership, LeadershipState};
use crate::{ErrorKind, Instant, Result};
use alloc::boxed::Box;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use async_trait::async_trait;
use core::hash::BuildHasher;
use std::hash::RandomState;
use std::sync::{Mutex, PoisonError};

/// Holds a seat, and leaves it when it is dropped.
#[derive(Debug)]
pub(super) struct Chair {
    shared: Arc<Shared>,
    pub(super) id: u64,
}

impl Chair {
    pub(super) fn new(shared: &Arc<Shared>) -> Self {
        // Its keys come from the system's randomness: no other process has the same.
        Self { shared: Arc::clone(shared), id: RandomState::new().hash_one(0) }
    }
}

impl Drop for Chair {
    fn drop(&mut self) {
        let (shared, id) = (Arc::clone(&self.shared), self.id);
        // If it fails the seat is empty once it has been silent for a lease.
        self.shared.runtime.spawn(Box::pin(async move {
            drop(
                shared
                    .change(|table| {
                        table.leave(id);
                        Ok(())
                    })
                    .await,
            );
        }));
    }
}

/// What the leader knows of its own lead.
#[derive(Debug)]
struct Lead {
    shared: Arc<Shared>,
    id: u64,
    now: Mutex<(LeadershipState, Instant)>,
}

impl Lead {
    /// The state and until when it lasts, after `news` of them. Once it is over it stays so, whatever is heard later.
    fn hear(&self, news: Option<(LeadershipState, Option<Instant>)>) -> (LeadershipState, Instant) {
        let mut now = self.now.lock().unwrap_or_else(PoisonError::into_inner);
        if Instant::now() >= now.1 {
            now.0 = LeadershipState::Lost;
        }
        if let (Some((state, until)), true) = (news, now.0 != LeadershipState::Lost) {
            *now = (state, until.unwrap_or(now.1));
        }
        *now
    }

    fn is_over(&self) -> bool {
        self.hear(None).0 == LeadershipState::Lost
    }

    async fn renew(&self) {
        // Who looks has heard of it later than this.
        let until = Instant::now() + self.shared.lease;
        self.hear(Some(match self.shared.change(|table| table.renew(self.id)).await {
            Ok(()) => (LeadershipState::Leading, Some(until)),
            Err(error) if error.kind() == ErrorKind::Fenced => (LeadershipState::Lost, None),
            Err(_) => (LeadershipState::Suspended, None),
        }));
    }
}

/// A reign.
#[derive(Debug)]
pub(super) struct Reign {
    epoch: Epoch,
    lead: Arc<Lead>,
    _chair: Chair,
}

impl Reign {
    pub(super) fn begin(chair: Chair, epoch: Epoch, until: Instant) -> Self {
        let (shared, now) = (Arc::clone(&chair.shared), (LeadershipState::Leading, until).into());
        let lead = Arc::new(Lead { shared: Arc::clone(&shared), id: chair.id, now });
        let renewed = Arc::downgrade(&lead);
        chair.shared.runtime.spawn(Box::pin(async move {
            loop {
                shared.runtime.sleep(shared.lease / 4).await;
                match renewed.upgrade() {
                    Some(lead) if !lead.is_over() => lead.renew().await,
                    _ => return,
                }
            }
        }));
        Self { epoch, lead, _chair: chair }
    }
}

#[async_trait]
impl Leadership for Reign {
    fn epoch(&self) -> Epoch {
        self.epoch
    }

    fn state(&self) -> LeadershipState {
        self.lead.hear(None).0
    }

    fn deadline(&self) -> Instant {
        self.lead.hear(None).1.saturating_sub(self.lead.shared.lease / 8)
    }

    async fn changed(&self, seen: LeadershipState) -> LeadershipState {
        while self.state() == seen {
            self.lead.shared.runtime.sleep(self.lead.shared.pause()).await;
        }
        self.state()
    }

    async fn store(&self, state: &[u8]) -> Result<()> {
        let (id, state) = (self.lead.id, state.to_vec());
        self.lead.shared.change(|table| table.store(id, &state)).await
    }

    async fn load(&self) -> Result<Option<Vec<u8>>> {
        self.lead.shared.change(|table| table.load(self.lead.id)).await
    }

    async fn resign(&self) -> Result<()> {
        let lead = &self.lead;
        lead.hear(Some((LeadershipState::Lost, None)));
        lead.shared
            .change(|table| {
                table.leave(lead.id);
                Ok(())
            })
            .await
    }

    async fn hand_over(&self, to: &str) -> Result<()> {
        let (lead, to) = (&self.lead, String::from(to));
        lead.shared
            .change(|table| {
                table.hand_over(lead.id, &to)?;
                // Before anybody can see another leader.
                lead.hear(Some((LeadershipState::Lost, None)));
                Ok(())
            })
            .await
    }
}
