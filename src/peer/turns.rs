//! Who comes first is served first.

use crate::sync::Mutex;
use alloc::collections::VecDeque;
use core::pin::Pin;
use core::task::{Context, Poll, Waker};

/// A queue in front of something that is used by one at a time. Other than a fair mutex it is never
/// jumped: that would change the order of messages.
#[derive(Debug, Default)]
pub(crate) struct Turns(Mutex<Queue>);

#[derive(Debug, Default)]
struct Queue {
    busy: bool,
    last: u64,
    waiting: VecDeque<(u64, Waker)>,
}

impl Turns {
    /// Does what needs no waiting, unless others wait: the lock is held meanwhile.
    pub(crate) fn at_once<T>(&self, work: impl FnOnce() -> Option<T>) -> Option<T> {
        let queue = self.0.lock();
        if queue.busy || !queue.waiting.is_empty() { None } else { work() }
    }

    /// Waits until everybody who came before has had a turn.
    ///
    /// # Cancel safety
    /// Cancel safe: the place in the queue is given up.
    pub(crate) const fn enter(&self) -> Enter<'_> {
        Enter { turns: self, place: None }
    }

    fn wake_first(queue: &Queue) {
        if let (false, Some((_, waker))) = (queue.busy, queue.waiting.front()) {
            waker.wake_by_ref();
        }
    }
}

/// Somebody in the queue.
#[derive(Debug)]
pub(crate) struct Enter<'a> {
    turns: &'a Turns,
    place: Option<u64>,
}

impl<'a> Future for Enter<'a> {
    type Output = Turn<'a>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Turn<'a>> {
        let turns = self.turns;
        let mut queue = turns.0.lock();
        let first = queue.waiting.front().map(|(place, _)| *place);
        if !queue.busy && (first.is_none() || first == self.place) {
            queue.busy = true;
            if self.place.take().is_some() {
                queue.waiting.pop_front();
            }
            return Poll::Ready(Turn(turns));
        }
        match self.place {
            Some(mine) => {
                if let Some((_, waker)) = queue.waiting.iter_mut().find(|(place, _)| *place == mine) {
                    waker.clone_from(cx.waker());
                }
            }
            None => {
                queue.last += 1;
                let mine = queue.last;
                queue.waiting.push_back((mine, cx.waker().clone()));
                drop(queue);
                self.place = Some(mine);
            }
        }
        Poll::Pending
    }
}

impl Drop for Enter<'_> {
    fn drop(&mut self) {
        if let Some(mine) = self.place {
            let mut queue = self.turns.0.lock();
            queue.waiting.retain(|(place, _)| *place != mine);
            Turns::wake_first(&queue);
        }
    }
}

/// Whoever holds it is served; dropping it lets the next one in.
#[derive(Debug)]
pub(crate) struct Turn<'a>(&'a Turns);

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let mut queue = self.0.0.lock();
        queue.busy = false;
        Turns::wake_first(&queue);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::pin::pin;
    use core::sync::atomic::{AtomicUsize, Ordering};
    use futures_lite::future::{block_on, poll_once};

    #[test]
    fn nobody_jumps_the_queue_and_who_leaves_it_blocks_nobody() {
        block_on(async {
            let turns = Turns::default();
            let served = AtomicUsize::new(0);
            let count = || Some(served.fetch_add(1, Ordering::Relaxed));
            assert_eq!(turns.at_once(count), Some(0));
            let held = turns.enter().await;
            assert_eq!(turns.at_once(count), None, "somebody is being served");
            let (mut second, mut third) = (pin!(turns.enter()), Box::pin(turns.enter()));
            let mut fourth = pin!(turns.enter());
            assert!(poll_once(&mut second).await.is_none());
            assert!(poll_once(&mut third).await.is_none());
            assert!(poll_once(&mut fourth).await.is_none());
            drop(held);
            assert_eq!(turns.at_once(count), None, "others wait");
            assert!(poll_once(&mut fourth).await.is_none(), "it is not its turn");
            let held = poll_once(&mut second).await.expect("its turn");
            drop(third);
            drop(held);
            drop(poll_once(&mut fourth).await.expect("its turn"));
            assert_eq!(turns.at_once(count), Some(1));
        });
    }
}
