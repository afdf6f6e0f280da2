//! Who leads: election, fencing and the leader's durable state.

#[cfg(feature = "std")]
mod register;

#[cfg(feature = "std")]
pub use register::{Register, RegisterCoordinator};

use crate::{BoxStream, Instant, Result};
use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use async_trait::async_trait;
use core::fmt::{self, Debug};
use serde::{Deserialize, Serialize};

/// The number of a reign. It only grows; whoever has seen a higher one refuses a lower one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Epoch(pub u64);

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// A master that wants to lead. Its port accepts connections already.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Candidate {
    /// The master's id; several masters may bear the same one.
    pub id: String,
    /// Where it is reached.
    pub host: String,
    /// Where it is reached.
    pub port: u16,
    /// When the lock frees, the candidate with the higher priority goes first.
    pub priority: i32,
}

impl Candidate {
    /// Whether `name` names it: its id, or its `host:port`.
    #[must_use]
    pub fn is_named(&self, name: &str) -> bool {
        let at = || name.rsplit_once(':').and_then(|(host, port)| Some((host, port.parse().ok()?)));
        self.id == name || at() == Some((&*self.host, self.port))
    }
}

/// The active master, as published to everybody.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeaderInfo {
    /// The master's id.
    pub id: String,
    /// Where it is reached.
    pub host: String,
    /// Where it is reached.
    pub port: u16,
    /// The reign it was published in.
    pub epoch: Epoch,
}

/// What a leader may do now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LeadershipState {
    /// It leads, until [`Leadership::deadline`].
    Leading,
    /// The coordinator is out of reach: it leads until the deadline unless it hears better news.
    Suspended,
    /// It leads no longer and never will again in this epoch.
    Lost,
}

/// Elects one leader among the masters.
///
/// # Contract
///
/// - At any moment at most one [`Leadership`] is before its deadline, and a later one has a higher [`Epoch`].
/// - The epoch comes from the coordination service, never from a clock.
/// - The leader's address is published only after it has won, by [`campaign`](Self::campaign) itself.
#[async_trait]
pub trait Coordinator: Debug + Send + Sync {
    /// Waits until this candidate leads. It retries by itself through whatever is temporary.
    ///
    /// # Errors
    /// Only what no waiting can cure: [`Denied`](crate::ErrorKind::Denied), [`Invalid`](crate::ErrorKind::Invalid), …
    ///
    /// # Cancel safety
    /// Cancel safe: the candidacy is withdrawn, and if it had just won, the win is given back.
    async fn campaign(&self, candidate: Candidate) -> Result<Box<dyn Leadership>>;

    /// The leader now (`None`: nobody leads), then every change. Late readers get the latest, not
    /// all. An error says that the service is out of reach; the stream goes on after it.
    fn observe(&self) -> BoxStream<'static, Result<Option<LeaderInfo>>>;

    /// Who stands for election now, the leader not among them, in the order in which they would lead.
    ///
    /// # Errors
    /// [`Unavailable`](crate::ErrorKind::Unavailable) if the service cannot be asked.
    ///
    /// # Cancel safety
    /// Cancel safe.
    async fn candidates(&self) -> Result<Vec<Candidate>>;
}

/// A reign. Dropping it resigns without waiting.
#[async_trait]
pub trait Leadership: Debug + Send + Sync {
    /// The number of this reign.
    fn epoch(&self) -> Epoch;

    /// What the leader may do now.
    fn state(&self) -> LeadershipState;

    /// The moment after which this leader must act no more, unless the deadline has moved by
    /// then: last proof of the session + session timeout − margin.
    fn deadline(&self) -> Instant;

    /// Waits until [`state`](Self::state) differs from `seen`, and returns it.
    ///
    /// # Cancel safety
    /// Cancel safe.
    async fn changed(&self, seen: LeadershipState) -> LeadershipState;

    /// Replaces the cluster's desired state. When it returns, the state survives any master.
    ///
    /// # Errors
    /// [`Fenced`](crate::ErrorKind::Fenced) once this reign is over (nothing was written),
    /// [`Unavailable`](crate::ErrorKind::Unavailable) or [`Timeout`](crate::ErrorKind::Timeout) if the outcome is unknown.
    ///
    /// # Cancel safety
    /// Cancel safe in that the old or the new state is there, never a mixture.
    async fn store(&self, state: &[u8]) -> Result<()>;

    /// The desired state that was stored last, by this reign or an earlier one.
    ///
    /// # Errors
    /// As for [`store`](Self::store).
    ///
    /// # Cancel safety
    /// Cancel safe.
    async fn load(&self) -> Result<Option<Vec<u8>>>;

    /// Gives the leadership up at once and takes the published address back.
    ///
    /// # Errors
    /// [`Unavailable`](crate::ErrorKind::Unavailable) if the service could not be told; the reign is over all the same.
    ///
    /// # Cancel safety
    /// The reign is over as soon as it was polled once.
    async fn resign(&self) -> Result<()>;

    /// Gives the leadership up in favour of the live candidate `to`: its id, or its `host:port`,
    /// since several may bear one id.
    ///
    /// # Errors
    /// [`NotFound`](crate::ErrorKind::NotFound) if `to` is no live candidate (the reign goes on),
    /// [`Unsupported`](crate::ErrorKind::Unsupported) if the coordinator cannot choose.
    ///
    /// # Cancel safety
    /// Not cancel safe: the hand-over may happen all the same.
    async fn hand_over(&self, to: &str) -> Result<()>;
}
