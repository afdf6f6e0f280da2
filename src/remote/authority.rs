//! Until when orders may be given.

use super::host::over;
use alloc::sync::Arc;
use core::time::Duration;
use tangelo_core::coordinator::LeadershipState;
use tangelo_core::runtime::Runtime;
use tangelo_core::{Error, ErrorKind, Instant, Leadership, Result};

/// How often a leader that may not act now looks whether it may again.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// By whose right orders are given.
#[derive(Debug, Clone)]
pub(crate) enum Authority {
    /// A leader's, as long as it leads, by its own clock.
    Reign(Arc<dyn Leadership>),
    /// A person's, who waits so long for the outcome.
    Until(Instant),
}

impl Authority {
    /// The moment after which no order may be obeyed.
    pub(super) fn deadline(&self) -> Instant {
        match self {
            Self::Reign(leadership) => leadership.deadline(),
            Self::Until(deadline) => *deadline,
        }
    }

    /// Whether orders may be given now.
    pub(super) fn may_act(&self) -> bool {
        !self.is_over() && Instant::now() < self.deadline()
    }

    /// Whether none will ever be given again.
    pub(super) fn is_over(&self) -> bool {
        match self {
            Self::Reign(leadership) => leadership.state() == LeadershipState::Lost,
            Self::Until(deadline) => Instant::now() >= *deadline,
        }
    }

    /// Waits until orders may be given, which a coordinator that answers again can bring about.
    ///
    /// # Errors
    /// [`Fenced`](ErrorKind::Fenced) once it is over.
    pub(super) async fn acts(&self, runtime: &dyn Runtime) -> Result<()> {
        while !self.is_over() {
            if self.may_act() {
                return Ok(());
            }
            runtime.sleep(LOOK_AGAIN).await;
        }
        Err(match self {
            Self::Reign(_) => over(),
            Self::Until(_) => Error::new(ErrorKind::Timeout, "it was not done in time"),
        })
    }
}
