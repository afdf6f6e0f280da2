//! Who leads, as a session of our own beside the cluster's sees it, to the microsecond.

use crate::clock;
use anyhow::{Context as _, Result, bail};
use core::time::Duration;
use serde::Deserialize;
use tangelo_services::zookeeper::words::Mode;
use tangelo_services::zookeeper::{Change, Ensemble, Happened, Shell};

const LIMIT: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(5);

/// Follows the masters' znode and all below it.
pub(super) struct Observer {
    shell: Shell,
    path: String,
}

/// How it was before something was done to a master.
#[derive(Debug)]
pub(super) struct Before {
    epoch: u64,
    version: i32,
}

/// How another master came to lead. All times are since boot.
#[derive(Debug)]
pub(super) struct ChangeOver {
    /// When a lock node was gone.
    pub(super) freed: Option<Duration>,
    /// When the znode named the new leader.
    pub(super) published: Duration,
}

/// What the znode says, as far as it is needed here.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Said {
    epoch: u64,
    /// Its lock node, if it names a leader.
    lock: Option<String>,
}

impl Observer {
    /// Follows `path`. Of several nodes it asks one that follows, since most clients do.
    pub(super) fn connect(ensemble: &Ensemble, path: &str) -> Result<Self> {
        let follows = |&i: &usize| ensemble.status(i).is_ok_and(|status| status.mode == Mode::Follower);
        let node = (0..ensemble.nodes()).find(follows).unwrap_or(0);
        let mut shell = Shell::connect(ensemble.address(node), LIMIT)?;
        shell.follow(path)?;
        Ok(Self { shell, path: path.to_owned() })
    }

    /// Waits until so many masters stand for election or lead.
    pub(super) fn await_masters(&mut self, masters: usize) -> Result<()> {
        let lock = format!("{}/lock", self.path);
        clock::poll_until(clock::now() + LIMIT, PAUSE, || {
            let there = self.shell.children(&lock)?.unwrap_or_default().len();
            if there != masters {
                bail!("{lock} has {there} nodes, not {masters}");
            }
            Ok(())
        })
    }

    /// Looks at how things are, and forgets what was.
    pub(super) fn look(&mut self) -> Result<Before> {
        let (said, version) = self.read()?;
        self.shell.take_changes();
        Ok(Before { epoch: said.epoch, version })
    }

    /// How many changes there were since the last look.
    pub(super) fn changes(&mut self) -> Result<usize> {
        // What was told before this answer has come before it.
        self.read()?;
        Ok(self.shell.take_changes().len())
    }

    /// Keeps the session.
    pub(super) fn stay(&mut self) -> Result<()> {
        self.read().map(drop)
    }

    /// Waits until a later reign is published.
    pub(super) fn change_over(&mut self, before: &Before, deadline: Duration) -> Result<ChangeOver> {
        let mut changes = Vec::new();
        loop {
            if !self.shell.changed(deadline)? {
                bail!("nobody leads after epoch {}: {changes:?}", before.epoch);
            }
            changes.append(&mut self.shell.take_changes());
            let (said, version) = self.read()?;
            changes.append(&mut self.shell.take_changes());
            if said.epoch > before.epoch && said.lock.is_some() {
                return over(&changes, &self.path, version - before.version).with_context(|| {
                    format!("version {version} of {} was written by nobody: {changes:?}", self.path)
                });
            }
        }
    }

    fn read(&mut self) -> Result<(Said, i32)> {
        let node = self.shell.get(&self.path)?.with_context(|| format!("{} is gone", self.path))?;
        if node.data.is_empty() {
            return Ok((Said::default(), node.version));
        }
        let said = serde_json::from_slice(&node.data);
        let said = said.with_context(|| format!("{} holds {:?}", self.path, node.data))?;
        Ok((said, node.version))
    }
}

/// The change-over that ends with the write number `writes` to `path`. That write, and not the look that
/// found what it wrote, is the moment which counts.
fn over(changes: &[Change], path: &str, writes: i32) -> Option<ChangeOver> {
    let number = usize::try_from(writes).ok()?.checked_sub(1)?;
    let mut written = changes.iter().filter(|change| change.what == Happened::Written && change.path == path);
    let gone = |change: &&Change| {
        let below = change.path.strip_prefix(path).is_some_and(|rest| rest.starts_with("/lock/"));
        below && change.what == Happened::Deleted
    };
    let freed = changes.iter().find(gone).map(|change| change.at);
    Some(ChangeOver { freed, published: written.nth(number)?.at })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(ms: u64, what: Happened, path: &str) -> Change {
        Change { at: Duration::from_millis(ms), what, path: path.to_owned() }
    }

    #[test]
    fn the_write_that_names_the_leader_counts_and_not_those_before_and_after() {
        let changes = [
            change(1, Happened::Deleted, "/m/lock/a-1"),
            change(2, Happened::Written, "/m"),
            change(3, Happened::Written, "/m/state"),
            change(4, Happened::Written, "/m"),
            change(5, Happened::Deleted, "/m/lock/b-2"),
            change(6, Happened::Written, "/m"),
        ];
        let over = |writes| over(&changes, "/m", writes);
        let second = over(2).expect("there are two");
        assert_eq!((second.freed, second.published), (Some(changes[0].at), changes[3].at));
        assert!(over(4).is_none() && over(0).is_none() && over(-1).is_none());
    }
}
