//! Deletes the lock node of a master that is dead.

use super::keeper::{FIRST_LIMIT, Keeper, LONGEST_LIMIT};
use super::orders::Hold;
use super::time::within;
use crate::error::Fault;
use core::fmt;
use core::time::Duration;
use tangelo_core::runtime::Runtime;
use tangelo_core::{Error, ErrorKind, Instant, Result};
use zookeeper_client::Client;

/// A node may be written between a look at it and its deletion; more often than this it is somebody's doing.
const LOOKS: u32 = 10;
/// Between attempts, so that a server that refuses is not asked in a loop.
const PAUSE: Duration = Duration::from_millis(20);

/// What has become of a lock node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// It is deleted.
    Deleted,
    /// It was gone already.
    Gone,
    /// Another session owns a node of this name (0: none does): it was left alone.
    Foreign(i64),
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Deleted => f.write_str("deleted"),
            Self::Gone => f.write_str("gone already"),
            Self::Foreign(owner) => write!(f, "left alone, since session {owner:#x} owns it"),
        }
    }
}

/// Deletes the node of `hold`, through lost connections and sessions, until `deadline`.
///
/// # Errors
/// If it could not be deleted until then, or never can be.
pub(super) async fn remove(
    runtime: &dyn Runtime,
    keeper: &Keeper,
    hold: &Hold,
    deadline: Instant,
) -> Result<Outcome> {
    let mut limit = FIRST_LIMIT;
    let mut last = None;
    loop {
        let left = deadline.saturating_since(Instant::now());
        let Some(client) = within(runtime, left, keeper.client()).await else {
            let message = "ZooKeeper was out of reach until the master's session ended by itself";
            let error = Error::new(ErrorKind::Unavailable, message);
            return Err(match last {
                Some(last) => error.with_source(last),
                None => error,
            });
        };
        match within(runtime, limit, attempt(&client, hold)).await {
            Some(Ok(outcome)) => return Ok(outcome),
            Some(Err(fault @ (Fault::NoAuth | Fault::BadArguments(_)))) => {
                return Err(keeper.settings().error("delete", &hold.lock, fault));
            }
            // Whether a deletion came through shows at the next look.
            Some(Err(fault)) => last = Some(fault),
            None => {
                keeper.discard(&client);
                limit = (limit * 2).min(LONGEST_LIMIT);
            }
        }
        runtime.sleep(PAUSE).await;
    }
}

/// One look and one deletion: two round trips, if all is as usual.
async fn attempt(client: &Client, hold: &Hold) -> Result<Outcome, Fault> {
    let mut synced = false;
    for _ in 0..LOOKS {
        let found = client.check_stat(&hold.lock).await?;
        match found {
            // Only a node that is still as it was seen. Its name is used again only if somebody deletes and
            // makes anew the directory of locks, with its counter, between these two lines.
            Some(stat) if stat.ephemeral_owner == hold.session => {
                match client.delete(&hold.lock, Some(stat.version)).await {
                    Ok(()) => return Ok(Outcome::Deleted),
                    Err(Fault::NoNode) => return Ok(Outcome::Gone),
                    Err(Fault::BadVersion) => {}
                    Err(e) => return Err(e),
                }
            }
            Some(stat) if synced => return Ok(Outcome::Foreign(stat.ephemeral_owner)),
            None if synced => return Ok(Outcome::Gone),
            // This server may lag behind the one that the master wrote to.
            _ => {
                client.sync(&hold.lock).await?;
                synced = true;
            }
        }
    }
    Err(Fault::BadVersion)
}
