//! What managers are driven to do.

use crate::meter::Meter;
use alloc::sync::Arc;
use anyhow::{Context as _, Result, ensure};
use futures_channel::oneshot;
use futures_util::TryStreamExt as _;
use futures_util::stream;
use tangelo_core::channel::{ChannelManager, Frontend};
use tangelo_core::config::Incarnation;
use tangelo_core::runtime::Runtime;

/// How many members, and in how many channels.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shape {
    pub(crate) members: usize,
    pub(crate) channels: usize,
}

fn frontend() -> Frontend {
    Frontend { sid: "connector-1".to_owned(), incarnation: Incarnation(1) }
}

pub(crate) fn room(n: usize) -> String {
    format!("room-{n}")
}

/// The members as batches.
pub(crate) fn users(members: usize, batch: usize) -> Vec<Vec<String>> {
    let batch = batch.max(1);
    let until = |first: usize| members.min(first + batch);
    let starts = (0..members).step_by(batch);
    starts.map(|first| (first..until(first)).map(|n| format!("user-{n}")).collect()).collect()
}

/// All members enter one by one, so many at once, and leave.
pub(crate) async fn single(
    manager: &Arc<dyn ChannelManager>,
    runtime: &Arc<dyn Runtime>,
    shape: Shape,
    outstanding: usize,
    meter: &mut Meter,
) -> Result<()> {
    for (what, adding) in [("add", true), ("leave", false)] {
        let started = Meter::start();
        let ends = (0..outstanding).map(|task| {
            let (tell, told) = oneshot::channel();
            let (manager, frontend) = (Arc::clone(manager), frontend());
            runtime.spawn(Box::pin(async move {
                let mut outcome = Ok(());
                for n in (task..shape.members).step_by(outstanding) {
                    let (channel, user) = (room(n % shape.channels), format!("user-{n}"));
                    outcome = if adding {
                        manager.add(&channel, &frontend, &user).await
                    } else {
                        manager.leave(&channel, &frontend, &user).await
                    };
                    if outcome.is_err() {
                        break;
                    }
                }
                let _ = tell.send(outcome);
            }));
            told
        });
        for end in ends.collect::<Vec<_>>() {
            end.await.context("a task has panicked")??;
        }
        meter.ended(what, &started, shape.members);
        let expected = if adding { shape.members.div_ceil(shape.channels) } else { 0 };
        has(&**manager, &room(0), expected).await?;
    }
    Ok(())
}

/// All members enter, each batch a channel of its own as long as there are some.
pub(crate) async fn batches(
    manager: &dyn ChannelManager,
    shape: Shape,
    batch: usize,
    meter: &mut Meter,
) -> Result<()> {
    let (frontend, users) = (frontend(), users(shape.members, batch));
    let started = Meter::start();
    for (n, some) in users.iter().enumerate() {
        manager.add_many(&room(n % shape.channels), &frontend, some).await?;
    }
    meter.ended("add_many", &started, shape.members);
    let first = users.iter().step_by(shape.channels).map(Vec::len).sum();
    has(manager, &room(0), first).await
}

/// A frontend that has all members is purged.
pub(crate) async fn purge(manager: &dyn ChannelManager, shape: Shape, meter: &mut Meter) -> Result<()> {
    let frontend = frontend();
    let users = users(shape.members, shape.members.div_ceil(shape.channels));
    let filled = users.iter().enumerate().map(|(n, some)| Ok((room(n), some)));
    stream::iter(filled)
        .try_for_each_concurrent(64, |(room, some)| {
            let frontend = &frontend;
            async move { manager.add_many(&room, frontend, some).await }
        })
        .await?;
    ensure!(manager.channels_of_server(&frontend.sid).await?.len() == users.len(), "channels are missing");
    let started = Meter::start();
    manager.purge_server(&frontend).await?;
    meter.ended("purge", &started, shape.members);
    ensure!(manager.channels_of_server(&frontend.sid).await?.is_empty(), "channels are left");
    has(manager, &room(0), 0).await
}

async fn has(manager: &dyn ChannelManager, channel: &str, expected: usize) -> Result<()> {
    let count = manager.count(channel).await?;
    ensure!(count == expected as u64, "{channel} has {count} members instead of {expected}");
    Ok(())
}
