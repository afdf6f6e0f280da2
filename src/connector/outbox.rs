//! What waits to be sent to one client.

use super::frame::Frame;
use super::why::Why;
use alloc::collections::VecDeque;
use core::task::Waker;

/// Queues that had to hold more than this give their memory back when they are empty.
const KEPT: usize = 32;

/// How much may wait for a client.
#[derive(Debug, Clone, Copy)]
pub(super) struct Room {
    pub(super) bytes: usize,
    pub(super) frames: usize,
}

/// What waits for one client, and what is known of its connection. Its lock is never held across a system
/// call, so whoever pushes waits for nobody's network.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    queue: VecDeque<Frame>,
    /// What waits in all: here, and what the pipe has taken and not yet written.
    bytes: usize,
    frames: usize,
    /// A flusher will see to it.
    pub(super) listed: bool,
    /// The connection takes no more at present: the client's own task waits until it does.
    pub(super) blocked: bool,
    /// The client's own task is at work, and writes what is here when it is through.
    pub(super) turning: bool,
    /// The client is not read from since too much waits for it.
    pub(super) paused: bool,
    /// The connection has taken something.
    pub(super) progress: bool,
    closing: Option<Why>,
    /// The client's own task.
    pub(super) task: Option<Waker>,
}

/// What became of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Put {
    /// It waits, and nobody is on the way to write it: now it is the caller's to see to that.
    Flush,
    /// It waits, and somebody will write it.
    Waits,
    /// Too much waits already.
    Full,
    /// The connection is closed, or about to be.
    Closed,
}

impl Outbox {
    /// Queues a frame. An empty queue takes one of any size.
    pub(super) fn put(&mut self, frame: Frame, room: Room) -> Put {
        if self.closing.is_some() {
            return Put::Closed;
        }
        let full = self.frames >= room.frames || self.bytes + frame.weight() > room.bytes;
        if full && self.frames > 0 {
            return Put::Full;
        }
        self.force(frame);
        if self.listed || self.blocked || self.turning {
            return Put::Waits;
        }
        self.listed = true;
        Put::Flush
    }

    /// The client's own task is through. `true`: what waits is for it to write.
    pub(super) fn end_turn(&mut self) -> bool {
        self.turning = false;
        self.blocked || (!self.listed && !self.queue.is_empty())
    }

    fn force(&mut self, frame: Frame) {
        self.bytes += frame.weight();
        self.frames += 1;
        self.queue.push_back(frame);
    }

    /// Whether little enough waits that more may be asked for.
    pub(super) fn is_relaxed(&self, room: Room) -> bool {
        self.bytes <= room.bytes / 2 && self.frames <= room.frames / 2
    }

    /// Begins the end: `last` is what the client hears last. `false`: it has begun already.
    pub(super) fn close(&mut self, why: Why, last: impl IntoIterator<Item = Frame>) -> bool {
        if self.closing.is_some() {
            return false;
        }
        self.closing = Some(why);
        last.into_iter().for_each(|frame| self.force(frame));
        true
    }

    pub(super) fn closing(&self) -> Option<Why> {
        self.closing
    }

    /// Takes what waits, into a queue that is empty; it still counts until it is [`settle`](Self::settle)d.
    /// `false`: nothing waits.
    pub(super) fn take(&mut self, into: &mut VecDeque<Frame>) -> bool {
        if self.queue.is_empty() {
            if self.queue.capacity() > KEPT {
                self.queue = VecDeque::new();
            }
            if into.capacity() > KEPT {
                *into = VecDeque::new();
            }
            return false;
        }
        core::mem::swap(&mut self.queue, into);
        true
    }

    /// So much has been written.
    pub(super) fn settle(&mut self, bytes: usize, frames: usize) {
        self.bytes = self.bytes.saturating_sub(bytes);
        self.frames = self.frames.saturating_sub(frames);
        self.progress |= frames > 0;
    }

    /// Forgets all that waits.
    pub(super) fn clear(&mut self) {
        self.queue = VecDeque::new();
        (self.bytes, self.frames) = (0, 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROOM: Room = Room { bytes: 100, frames: 3 };

    fn frame(length: usize) -> Frame {
        Frame::raw(vec![0; length])
    }

    #[test]
    fn one_frame_in_a_burst_asks_for_a_flush() {
        let mut outbox = Outbox::default();
        assert_eq!(outbox.put(frame(10), ROOM), Put::Flush);
        assert_eq!(outbox.put(frame(10), ROOM), Put::Waits);
        let mut sending = VecDeque::new();
        assert!(outbox.take(&mut sending));
        assert_eq!(sending.len(), 2);
        outbox.settle(20, 2);
        outbox.listed = false;
        assert!(!outbox.take(&mut VecDeque::new()));
        assert_eq!(outbox.put(frame(10), ROOM), Put::Flush);
    }

    #[test]
    fn the_queue_is_bounded_in_bytes_and_in_messages() {
        let mut outbox = Outbox::default();
        assert_eq!(outbox.put(frame(60), ROOM), Put::Flush);
        assert_eq!(outbox.put(frame(60), ROOM), Put::Full);
        assert_eq!(outbox.put(frame(1), ROOM), Put::Waits);
        assert_eq!(outbox.put(frame(1), ROOM), Put::Waits);
        assert_eq!(outbox.put(frame(1), ROOM), Put::Full);
        // What is on its way still counts.
        assert!(outbox.take(&mut VecDeque::new()));
        assert_eq!(outbox.put(frame(1), ROOM), Put::Full);
        outbox.settle(62, 3);
        // One that is larger than the whole queue still goes, alone.
        assert_eq!(outbox.put(frame(1000), ROOM), Put::Waits);
        assert_eq!(outbox.put(frame(1), ROOM), Put::Full);
    }

    #[test]
    fn a_burst_leaves_no_memory_behind() {
        let mut outbox = Outbox::default();
        let room = Room { bytes: 1 << 20, frames: 1000 };
        (0..1000).for_each(|_| _ = outbox.put(frame(1), room));
        let mut sending = VecDeque::new();
        assert!(outbox.take(&mut sending));
        outbox.settle(1000, 1000);
        sending.clear();
        assert!(!outbox.take(&mut sending));
        assert_eq!((outbox.queue.capacity(), sending.capacity()), (0, 0));
    }
}
