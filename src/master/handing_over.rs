//! A leader hands over to a standby because somebody asked it to.

use crate::link::Link;
use crate::time::{Elapsed, timeout};
use alloc::boxed::Box;
use alloc::sync::Arc;
use async_channel::Receiver;
use core::convert::Infallible;
use core::time::Duration;
use tangelo_core::coordinator::Candidate;
use tangelo_core::runtime::Runtime;
use tangelo_core::wire::{Message, Response};
use tangelo_core::{Coordinator, Error, ErrorKind, Leadership, Result};
use tracing::info;

/// How long the coordinator may take over it.
const LIMIT: Duration = Duration::from_secs(10);

/// A hand-over that is under way; whoever asked has the answer once it is over.
pub(super) struct HandingOver(Receiver<Infallible>);

impl HandingOver {
    /// Begins it. The answer to request `id` goes out on `link` itself, since the reign may end at any moment.
    /// Unless somebody is named, a standby at one of the addresses `linked` goes first: that one lives.
    pub(super) fn begin(
        runtime: &Arc<dyn Runtime>,
        coordinator: &Arc<dyn Coordinator>,
        leadership: &Arc<dyn Leadership>,
        to: Option<String>,
        linked: Vec<(String, u16)>,
        (link, id): (Link, u32),
    ) -> Self {
        let (clock, coordinator) = (Arc::clone(runtime), Arc::clone(coordinator));
        let leadership = Arc::clone(leadership);
        let (over, waiting) = async_channel::bounded(1);
        runtime.spawn(Box::pin(async move {
            let handed = timeout(&clock, LIMIT, hand_over(&*coordinator, &*leadership, to, &linked)).await;
            let response = match handed {
                Ok(Ok(to)) => Response::Done(vec![to]),
                Ok(Err(error)) => error.into(),
                Err(Elapsed) => {
                    let message = "the coordinator does not answer: `list` shows who leads";
                    Error::new(ErrorKind::Timeout, message).into()
                }
            };
            // Whoever asked may have gone.
            let _ = link.send(Message::Response { id, response }).await;
            drop(over);
        }));
        Self(waiting)
    }

    /// Waits until it is over and answered.
    pub(super) async fn ended(self) {
        let _ = self.0.recv().await;
    }
}

/// Hands over and says to whom.
async fn hand_over(
    coordinator: &dyn Coordinator,
    leadership: &dyn Leadership,
    to: Option<String>,
    linked: &[(String, u16)],
) -> Result<String> {
    let to = match to {
        Some(to) => to,
        None => match first(&coordinator.candidates().await?, linked) {
            Some(first) => format!("{}:{}", first.host, first.port),
            None => return Err(Error::new(ErrorKind::NotFound, "no standby lives: `master` starts one")),
        },
    };
    leadership.hand_over(&to).await?;
    info!(%to, "handed over");
    Ok(to)
}

/// Who is to lead: in the order of the coordinator, which may still have some that are frozen or dead.
fn first<'a>(candidates: &'a [Candidate], linked: &[(String, u16)]) -> Option<&'a Candidate> {
    let is_linked = |candidate: &&Candidate| {
        linked.iter().any(|(host, port)| (host, *port) == (&candidate.host, candidate.port))
    };
    candidates.iter().find(is_linked).or_else(|| candidates.first())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_standby_that_is_linked_goes_before_one_that_may_be_dead() {
        let at = |port| Candidate { id: format!("m-{port}"), host: "127.0.0.1".into(), port, priority: 0 };
        let candidates = [at(1), at(2), at(3)];
        let chosen = |linked: &[(String, u16)]| first(&candidates, linked).map(|chosen| chosen.port);
        assert_eq!(chosen(&[("127.0.0.1".into(), 3), ("127.0.0.1".into(), 2)]), Some(2));
        assert_eq!(chosen(&[("10.0.0.1".into(), 2)]), Some(1), "nobody is linked: as good as any");
        assert_eq!(first(&[], &[]), None);
    }
}
