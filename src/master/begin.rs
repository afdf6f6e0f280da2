//! The beginning of a reign: the desired state is loaded, while the world goes on.

use super::events::Event;
use super::launcher::PAST_DEADLINE;
use super::process::Master;
use alloc::collections::VecDeque;
use alloc::sync::Arc;
use futures_lite::future;
use tangelo_core::master::{ClusterState, Mode};
use tangelo_core::{ErrorKind, Leadership, Result};
use tracing::warn;

/// How many events wait for the reign at most; what comes beyond that waits in its channel.
const MANY: usize = 4096;

/// How loading has ended.
pub(super) enum Begun {
    /// With the stored state, if there is one, and with what came in meanwhile.
    Loaded(Option<ClusterState>, VecDeque<Event>),
    /// The reign was over before.
    Over,
    /// This master was told to go.
    Interrupted,
}

impl Master {
    /// Loads the desired state, however long the coordinator takes.
    ///
    /// # Errors
    /// If it cannot be read, and only a person can mend it.
    pub(super) async fn begin(&self, leadership: &Arc<dyn Leadership>) -> Result<Begun> {
        let mut waiting = VecDeque::new();
        let interrupted = async {
            while waiting.len() < MANY {
                match self.incoming.recv().await {
                    Ok(Event::Interrupt) => return Ok(Begun::Interrupted),
                    Ok(event) => waiting.push_back(event),
                    // We hold a sender too, so there is always an event.
                    Err(_) => break,
                }
            }
            future::pending::<Result<Begun>>().await
        };
        let loaded = async {
            let Some(state) = self.load(leadership).await? else { return Ok(Begun::Over) };
            let runs = state.iter().flat_map(|state| &state.servers).any(|server| server.process.is_some());
            if let Some(purger) = &self.options.purger
                && self.options.mode == Mode::Start
                && !runs
            {
                // Before anybody joins. What cannot be cleaned now keeps no cluster from starting.
                purger.clean_on_start_up().await;
            }
            Ok(Begun::Loaded(state, VecDeque::new()))
        };
        Ok(match future::or(loaded, interrupted).await? {
            Begun::Loaded(state, _) => Begun::Loaded(state, waiting),
            other => other,
        })
    }

    /// The desired state; none at all if the reign ends before it is loaded.
    async fn load(&self, leadership: &Arc<dyn Leadership>) -> Result<Option<Option<ClusterState>>> {
        loop {
            match leadership.load().await {
                Ok(bytes) => return bytes.as_deref().map(ClusterState::decode).transpose().map(Some),
                Err(error) if error.is_temporary() => warn!(%error, "cannot load the cluster's state yet"),
                Err(error) if error.kind() == ErrorKind::Fenced => return Ok(None),
                // Another reign would fare no better: to stand again at once would only turn in circles.
                Err(error) => return Err(error),
            }
            self.runtime.sleep(PAST_DEADLINE).await;
        }
    }
}
