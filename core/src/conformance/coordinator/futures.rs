//! Driving several futures from one task.

use crate::coordinator::Candidate;
use crate::{BoxFuture, Coordinator, Leadership, Result};
use alloc::boxed::Box;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::future::poll_fn;
use core::pin::{Pin, pin};
use core::task::Poll;

/// A candidacy; dropping it withdraws it.
pub(super) type Campaign = BoxFuture<'static, Result<Box<dyn Leadership>>>;

pub(super) fn campaign(coordinator: &Arc<dyn Coordinator>, id: &str, priority: i32) -> Campaign {
    campaign_at(coordinator, id, 3005, priority)
}

pub(super) fn campaign_at(
    coordinator: &Arc<dyn Coordinator>,
    id: &str,
    port: u16,
    priority: i32,
) -> Campaign {
    let coordinator = Arc::clone(coordinator);
    let candidate = Candidate { id: String::from(id), host: "127.0.0.1".into(), port, priority };
    Box::pin(async move { coordinator.campaign(candidate).await })
}

/// The first of several campaigns that ends; it is taken out. Never, if there is none.
pub(super) async fn first(campaigns: &mut Vec<Campaign>) -> Result<Box<dyn Leadership>> {
    poll_fn(|cx| {
        for n in 0..campaigns.len() {
            if let Poll::Ready(result) = campaigns[n].as_mut().poll(cx) {
                drop(campaigns.swap_remove(n));
                return Poll::Ready(result);
            }
        }
        Poll::Pending
    })
    .await
}

/// The end of a campaign that goes on if nobody waits.
pub(super) fn first_of(campaign: &mut [Campaign; 1]) -> &mut Campaign {
    &mut campaign[0]
}

pub(super) enum Either<A, B> {
    One(A),
    Other(B),
}

/// Whichever ends first, the former if both have.
pub(super) async fn either<A, B>(
    one: impl Future<Output = A>,
    other: impl Future<Output = B>,
) -> Either<A, B> {
    let (mut one, mut other) = (pin!(one), pin!(other));
    poll_fn(|cx| {
        if let Poll::Ready(value) = one.as_mut().poll(cx) {
            return Poll::Ready(Either::One(value));
        }
        other.as_mut().poll(cx).map(Either::Other)
    })
    .await
}

/// Both, at the same time.
pub(super) async fn both<A, B>(one: impl Future<Output = A>, other: impl Future<Output = B>) -> (A, B) {
    let (mut one, mut other) = (pin!(one), pin!(other));
    let (mut a, mut b) = (None, None);
    poll_fn(|cx| {
        if a.is_none()
            && let Poll::Ready(value) = one.as_mut().poll(cx)
        {
            a = Some(value);
        }
        if b.is_none()
            && let Poll::Ready(value) = other.as_mut().poll(cx)
        {
            b = Some(value);
        }
        if a.is_some() && b.is_some() { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    a.zip(b).expect("both have ended")
}

/// Polls once, and says whether it has ended.
pub(super) async fn poll_once<F: Future + ?Sized>(future: &mut Pin<Box<F>>) -> bool {
    poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx).is_ready())).await
}
