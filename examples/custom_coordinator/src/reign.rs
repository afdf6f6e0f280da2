//! A seat at the table, and what its holder may do once it leads.

use crate::table::{Seat, Table};
use crate::{LOOK, TableCoordinator};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tangelo::core::coordinator::{Candidate, Epoch, Leadership, LeadershipState};
use tangelo::core::{Instant, local};
use tangelo::{Error, ErrorKind, Result, async_trait};

/// Holds a seat, and leaves it when it is dropped.
#[derive(Debug)]
pub(crate) struct Chair {
    coordinator: TableCoordinator,
    pub(crate) seat: Seat,
}

impl Chair {
    pub(crate) fn new(coordinator: &TableCoordinator, candidate: Candidate) -> Result<Self> {
        static NUMBERS: AtomicU64 = AtomicU64::new(0);
        let process =
            local::process_ref("localhost").map_err(|e| Error::io("find out who this process is", e))?;
        let seat = Seat { process, number: NUMBERS.fetch_add(1, SeqCst), candidate, until: Duration::ZERO };
        Ok(Self { coordinator: coordinator.clone(), seat })
    }
}

impl Drop for Chair {
    fn drop(&mut self) {
        let (files, seat, lease) =
            (self.coordinator.files.clone(), self.seat.clone(), self.coordinator.lease);
        // If it fails the seat is empty when its time is over, or its process.
        let leave = move |table: &mut Table| {
            table.leave(&seat);
            Ok(())
        };
        self.coordinator.runtime.spawn_blocking(Box::new(move || drop(files.change(lease, leave))));
    }
}

/// What the leader knows of its own lead.
#[derive(Debug)]
struct Lead {
    until: Mutex<Instant>,
    failing: AtomicBool,
    over: AtomicBool,
}

impl Lead {
    fn until(&self) -> Instant {
        *self.until.lock().unwrap_or_else(|broken| broken.into_inner())
    }

    /// Once it is over it stays so, whatever is heard later.
    fn is_over(&self) -> bool {
        if Instant::now() >= self.until() {
            self.over.store(true, SeqCst);
        }
        self.over.load(SeqCst)
    }
}

/// A reign.
#[derive(Debug)]
pub(crate) struct Reign {
    chair: Chair,
    epoch: Epoch,
    lead: Arc<Lead>,
}

impl Reign {
    pub(crate) fn begin(chair: Chair, epoch: Epoch, until: Instant) -> Self {
        let lead = Lead { until: until.into(), failing: false.into(), over: false.into() };
        let reign = Self { chair, epoch, lead: Arc::new(lead) };
        let (coordinator, seat) = (reign.chair.coordinator.clone(), reign.chair.seat.clone());
        let (lease, lead) = (coordinator.lease, Arc::downgrade(&reign.lead));
        coordinator.runtime.clone().spawn(Box::pin(async move {
            loop {
                coordinator.runtime.sleep(lease / 4).await;
                let (Some(lead), seat) = (lead.upgrade(), seat.clone()) else { return };
                if lead.is_over() {
                    return;
                }
                let renewed = coordinator.change(move |table| Ok(table.renew(&seat, lease))).await;
                lead.failing.store(renewed.is_err(), SeqCst);
                match renewed {
                    Ok(Some((_, until))) => {
                        *lead.until.lock().unwrap_or_else(|broken| broken.into_inner()) = until;
                    }
                    Ok(None) => lead.over.store(true, SeqCst),
                    Err(_) => {}
                }
            }
        }));
        reign
    }

    /// Does something with the table as its leader, or not at all.
    async fn leading<T: Send + 'static>(
        &self,
        job: impl FnOnce(&mut Table) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let (seat, lead, epoch) = (self.chair.seat.clone(), self.lead.clone(), self.epoch);
        let change = move |table: &mut Table| {
            if lead.is_over() || !table.led_by(&seat) {
                return Err(Error::new(ErrorKind::Fenced, format!("the reign of epoch {epoch} is over")));
            }
            job(table)
        };
        self.chair.coordinator.change(change).await
    }
}

#[async_trait]
impl Leadership for Reign {
    fn epoch(&self) -> Epoch {
        self.epoch
    }

    fn state(&self) -> LeadershipState {
        match (self.lead.is_over(), self.lead.failing.load(SeqCst)) {
            (true, _) => LeadershipState::Lost,
            (false, true) => LeadershipState::Suspended,
            (false, false) => LeadershipState::Leading,
        }
    }

    fn deadline(&self) -> Instant {
        self.lead.until().saturating_sub(self.chair.coordinator.lease / 8)
    }

    async fn changed(&self, seen: LeadershipState) -> LeadershipState {
        while self.state() == seen {
            self.chair.coordinator.runtime.sleep(LOOK).await;
        }
        self.state()
    }

    async fn store(&self, state: &[u8]) -> Result<()> {
        let (files, state) = (self.chair.coordinator.files.clone(), state.to_vec());
        self.leading(move |_| files.write("state", &state)).await
    }

    async fn load(&self) -> Result<Option<Vec<u8>>> {
        let files = self.chair.coordinator.files.clone();
        self.leading(move |_| files.read("state")).await
    }

    async fn resign(&self) -> Result<()> {
        self.lead.over.store(true, SeqCst);
        let seat = self.chair.seat.clone();
        let leave = move |table: &mut Table| {
            table.leave(&seat);
            Ok(())
        };
        self.chair.coordinator.change(leave).await
    }

    async fn hand_over(&self, to: &str) -> Result<()> {
        let (to, lead) = (to.to_owned(), self.lead.clone());
        let hand_over = move |table: &mut Table| {
            let place = table.candidates.iter().position(|seat| seat.candidate.is_named(&to));
            let place =
                place.ok_or_else(|| Error::new(ErrorKind::NotFound, format!("no master {to} stands by")))?;
            // Before anybody can see another leader.
            lead.over.store(true, SeqCst);
            table.promote(place);
            Ok(())
        };
        self.leading(hand_over).await
    }
}
