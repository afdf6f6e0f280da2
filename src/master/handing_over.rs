//! A leader hands over to a standby because somebody asked it to.

use crate::link::Link;
use crate::time::{Elapsed, timeout};
use alloc::boxed::Box;
use alloc::sync::Arc;
use async_channel::Receiver;
use core::convert::Infallible;
use core::time::Duration;
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
    pub(super) fn begin(
        runtime: &Arc<dyn Runtime>,
        coordinator: &Arc<dyn Coordinator>,
        leadership: &Arc<dyn Leadership>,
        to: Option<String>,
        (link, id): (Link, u32),
    ) -> Self {
        let (clock, coordinator) = (Arc::clone(runtime), Arc::clone(coordinator));
        let leadership = Arc::clone(leadership);
        let (over, waiting) = async_channel::bounded(1);
        runtime.spawn(Box::pin(async move {
            let handed = timeout(&clock, LIMIT, hand_over(&*coordinator, &*leadership, to)).await;
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
) -> Result<String> {
    let to = match to {
        Some(to) => to,
        None => match coordinator.candidates().await?.first() {
            Some(first) => format!("{}:{}", first.host, first.port),
            None => return Err(Error::new(ErrorKind::NotFound, "no standby lives: `master` starts one")),
        },
    };
    leadership.hand_over(&to).await?;
    info!(%to, "handed over");
    Ok(to)
}
