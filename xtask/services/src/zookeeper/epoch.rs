//! A fault of ZooKeeper that kill -9 meets now and then (ZOOKEEPER-1653, ZOOKEEPER-2354): a follower writes the snapshot
//! that a new leader has sent it, and only then which epoch that belongs to. Killed in between, it does not start again:
//! "The current epoch, 2, is older than the last zxid, 12884901888".

use anyhow::{Context as _, Result};
use std::path::Path;

/// Does what an operator would: writes the epoch that the newest snapshot belongs to, if a later one than is noted.
pub(super) fn mend(data: &Path) -> Result<()> {
    let (versions, noted) = (data.join("version-2"), data.join("version-2/currentEpoch"));
    // A node that has not run in an ensemble yet has noted none.
    let Ok(text) = std::fs::read_to_string(&noted) else { return Ok(()) };
    let current: u64 = text.trim().parse().with_context(|| format!("{} is no epoch", noted.display()))?;
    let mut newest = 0;
    for entry in std::fs::read_dir(&versions).context("version-2")? {
        let name = entry?.file_name();
        // Named after the last transaction in it, whose upper half is the epoch.
        let zxid = name.to_str().and_then(|name| name.strip_prefix("snapshot."));
        newest = newest.max(zxid.and_then(|zxid| u64::from_str_radix(zxid, 16).ok()).unwrap_or(0) >> 32);
    }
    if newest > current {
        std::fs::write(&noted, newest.to_string()).context("currentEpoch")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_epoch_that_was_not_noted_in_time_is_noted_and_no_other() {
        let dir = tempfile::tempdir().expect("a directory");
        mend(dir.path()).expect("a node that is new");
        let versions = dir.path().join("version-2");
        std::fs::create_dir(&versions).expect("version-2");
        let (noted, snapshot) =
            (versions.join("currentEpoch"), |zxid: &str| versions.join(format!("snapshot.{zxid}")));
        let after = |zxid: &str, epoch: &str| {
            std::fs::write(snapshot(zxid), "").expect("a snapshot");
            std::fs::write(&noted, epoch).expect("an epoch");
            mend(dir.path()).expect("mended");
            std::fs::read_to_string(&noted).expect("an epoch")
        };
        assert_eq!(after("2000000ff", "2"), "2");
        assert_eq!(after("300000000", "2"), "3");
        assert_eq!(after("300000000", "4"), "4");
    }
}
