//! The end of everything under a prefix, in small steps.

use crate::error::Failure;
use crate::keys::Server;
use crate::link::Attempt;
use crate::manager::RedisChannelManager;
use crate::script::{FORGET, Request};
use alloc::collections::BTreeMap;
use redis::{Cmd, FromRedisValue, Value};
use tangelo_core::{Error, ErrorKind, Result};

/// So many keys are looked at in one step of SCAN, and so many channels or sets removed in one step.
const STEP: usize = 500;

/// Removes all keys under the manager's prefix, and no other.
pub(crate) async fn clean(manager: &RedisChannelManager) -> Result<()> {
    for slot in nodes(manager).await? {
        let mut cursor = Some(0);
        while let Some(at) = cursor {
            let keys = scan(manager, slot, at, &manager.keys.hash_pattern(), &mut cursor).await?;
            for server in keys.iter().filter_map(|key| manager.keys.hash_server(key)) {
                forget(manager, &server).await?;
            }
        }
        // What is left was put there by a server that keeps no hash.
        cursor = Some(0);
        while let Some(at) = cursor {
            let keys = scan(manager, slot, at, &manager.keys.members_pattern(), &mut cursor).await?;
            remove(manager, keys.into_iter().filter(|key| manager.keys.is_members(key)).collect()).await?;
        }
    }
    // Should one have lost its hash to somebody else, it is still listed.
    for server in manager.listed().await? {
        forget(manager, &server).await?;
    }
    Ok(())
}

/// Removes a server with its channels, some at a time.
async fn forget(manager: &RedisChannelManager, server: &Server) -> Result<()> {
    let keys = [&*manager.keys.hash(server), &manager.keys.list(server)];
    let mut request = Request::script("clean up", &FORGET, &keys).writing();
    request.arg(server.as_str());
    request.arg(manager.keys.members_head()).arg(manager.keys.members_tail(server)).arg(STEP);
    let mut left = u64::MAX;
    loop {
        let still = manager.ask::<u64>(&request, false).await?;
        if still == 0 {
            return Ok(());
        }
        if still >= left {
            let message =
                "cannot clean up: somebody enters channels meanwhile; clean when the cluster does not run";
            return Err(Error::new(ErrorKind::Unavailable, message));
        }
        left = still;
    }
}

/// Removes sets of members.
async fn remove(manager: &RedisChannelManager, keys: Vec<String>) -> Result<()> {
    let requests = keys.iter().map(|key| Request::command("clean up", "UNLINK", key).writing());
    manager.ask_all::<Value>(requests.collect()).await.map(drop)
}

/// One slot of each node that has some; on a single server any slot does.
async fn nodes(manager: &RedisChannelManager) -> Result<Vec<u16>> {
    if !manager.config.is_cluster() {
        return Ok(vec![0]);
    }
    let mut slots = redis::cmd("CLUSTER");
    slots.arg("SLOTS");
    let ranges: Vec<Vec<Value>> = send(manager, slots, 0).await?;
    let mut nodes = BTreeMap::new();
    for range in ranges {
        // From, to, the master with its address and id, its replicas.
        let [first, _, master, ..] = &range[..] else { continue };
        if let Ok(first) = redis::from_redis_value_ref(first) {
            nodes.entry(format!("{master:?}")).or_insert(first);
        }
    }
    Ok(nodes.into_values().collect())
}

/// The next keys of a node; none is left when there is no cursor any more.
async fn scan(
    manager: &RedisChannelManager,
    slot: u16,
    from: u64,
    pattern: &str,
    cursor: &mut Option<u64>,
) -> Result<Vec<String>> {
    let mut scan = redis::cmd("SCAN");
    scan.arg(from).arg("MATCH").arg(pattern).arg("COUNT").arg(STEP);
    let (next, keys): (u64, Vec<Vec<u8>>) = send(manager, scan, slot).await?;
    *cursor = (next != 0).then_some(next);
    // A key that is no text is not ours.
    Ok(keys.into_iter().filter_map(|key| String::from_utf8(key).ok()).collect())
}

/// Asks once: after a reconnect a cursor may mean nothing.
async fn send<T: FromRedisValue>(manager: &RedisChannelManager, line: Cmd, slot: u16) -> Result<T> {
    let request = Request::to_slot("clean up", line, slot);
    let failed = |failure: Failure| failure.error(request.doing);
    let ticket = manager.link.get(manager.deadline()).await.map_err(failed)?;
    match manager.link.attempt(&ticket, &request, manager.config.response_timeout).await {
        Attempt::Done(value) => redis::from_redis_value(value).map_err(|error| {
            Error::new(ErrorKind::Protocol, "cannot clean up: a strange answer of Redis").with_source(error)
        }),
        Attempt::Again(failure) | Attempt::Failed(failure) => Err(failed(failure)),
    }
}
