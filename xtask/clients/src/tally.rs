//! Which pushes have come to which clients.

use anyhow::{Result, ensure};

/// Of the pushes with numbers from `first` on.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    first: u32,
    clients: usize,
    /// Of each push.
    pushes: Vec<Push>,
    /// Of each client.
    heard: Vec<Heard>,
    /// So many have come to every client.
    pub(crate) complete: usize,
    /// From each push to each receipt, in nanoseconds.
    pub(crate) latencies: Vec<u64>,
    /// From each request to push to the last receipt, in nanoseconds.
    pub(crate) completions: Vec<u64>,
    /// Receipts after one of a later number.
    pub(crate) overtaken: u64,
}

#[derive(Debug, Clone, Copy)]
struct Push {
    requested: u64,
    receipts: usize,
}

#[derive(Debug, Clone, Copy, Default)]
struct Heard {
    count: u32,
    /// Of the numbers.
    sum: u64,
    /// The next number, if none overtakes another.
    next: u32,
}

impl Tally {
    /// Nothing has been pushed yet.
    pub(crate) fn begin(&mut self, first: u32, clients: usize, pushes: usize) {
        *self = Self { first, clients, heard: vec![Heard::default(); clients], ..Self::default() };
        self.latencies.reserve(clients * pushes);
    }

    /// The next one is being asked for.
    pub(crate) fn requested(&mut self, now: u64) {
        self.pushes.push(Push { requested: now, receipts: 0 });
    }

    /// A push has come to a client.
    pub(crate) fn received(&mut self, client: usize, pushed: u64, number: u32, now: u64) -> Result<()> {
        let index = number.wrapping_sub(self.first);
        let push = usize::try_from(index).ok().and_then(|index| self.pushes.get_mut(index));
        let (Some(push), Some(heard)) = (push, self.heard.get_mut(client)) else {
            anyhow::bail!("a message that nobody has asked for: number {number}, to client {client}");
        };
        push.receipts += 1;
        ensure!(push.receipts <= self.clients, "number {number} has come more often than there are clients");
        if push.receipts == self.clients {
            self.complete += 1;
            self.completions.push(now.saturating_sub(push.requested));
        }
        self.overtaken += u64::from(index < heard.next);
        *heard = Heard { count: heard.count + 1, sum: heard.sum + u64::from(index), next: index + 1 };
        self.latencies.push(now.saturating_sub(pushed));
        Ok(())
    }

    /// Every client must have heard every push, once.
    pub(crate) fn check(&self) -> Result<()> {
        let pushes = self.pushes.len() as u64;
        let sum = pushes * pushes.saturating_sub(1) / 2;
        for (client, heard) in self.heard.iter().enumerate() {
            let whole = u64::from(heard.count) == pushes && heard.sum == sum;
            ensure!(whole, "client {client} has heard {} of {pushes} pushes, or some twice", heard.count);
        }
        Ok(())
    }

    /// For whoever waits in vain.
    pub(crate) fn shown(&self) -> String {
        format!(
            "{} receipts of {} pushes to {} clients",
            self.latencies.len(),
            self.pushes.len(),
            self.clients
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of_two_pushes_to_two_clients() -> Tally {
        let mut tally = Tally::default();
        tally.begin(10, 2, 2);
        tally.requested(100);
        tally.requested(200);
        tally
    }

    #[test]
    fn complete_once_all_have_it() {
        let mut tally = of_two_pushes_to_two_clients();
        for (client, number, now, complete) in
            [(0, 10, 150, 0), (1, 11, 250, 0), (1, 10, 300, 1), (0, 11, 350, 2)]
        {
            tally.received(client, 120, number, now).expect("asked for");
            assert_eq!(tally.complete, complete);
        }
        tally.check().expect("all have all");
        assert_eq!((tally.overtaken, &tally.completions[..]), (1, &[200, 150][..]));
        assert_eq!(tally.latencies, [30, 130, 180, 230]);
    }

    #[test]
    fn one_that_is_lost_and_one_that_comes_twice_are_seen() {
        let mut tally = of_two_pushes_to_two_clients();
        for (client, number) in [(0, 10), (0, 11), (1, 10), (1, 10 + 1)] {
            tally.received(client, 0, number, 0).expect("asked for");
        }
        tally.check().expect("all have all");
        assert!(tally.received(0, 0, 11, 0).is_err(), "more often than there are clients");
        assert!(tally.received(0, 0, 12, 0).is_err(), "not asked for");

        let mut tally = of_two_pushes_to_two_clients();
        for (client, number) in [(0, 10), (0, 10), (1, 11), (1, 11)] {
            tally.received(client, 0, number, 0).expect("as many as there are clients");
        }
        assert!(tally.check().is_err(), "each has one twice and misses the other");
    }
}
