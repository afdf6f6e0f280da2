//! The managers that a case works with, and what it reads from them.

use super::Suite;
use crate::channel::{Capability, ChannelMember, Frontend, MAX_PAGE};
use crate::config::Incarnation;
use crate::{BoxStream, ChannelManager, ErrorKind, Result};
use alloc::boxed::Box;
use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::future::poll_fn;

pub(super) type Manager = Arc<dyn ChannelManager>;
pub(super) type Pages<'a> = BoxStream<'a, Result<Vec<ChannelMember>>>;

/// Managers on one store: several if they may share it, or else the same one under two names.
pub(super) struct Stores {
    pub(super) a: Manager,
    pub(super) b: Manager,
    pub(super) capability: Capability,
}

impl Stores {
    pub(super) async fn close(self) {
        if self.capability.shared {
            self.b.stop().await.expect("a manager does not stop");
        }
        self.a.stop().await.expect("a manager does not stop");
    }
}

/// A task of a case.
pub(super) struct Task<T>(async_channel::Receiver<T>);

impl<T> Task<T> {
    pub(super) fn ended(&self) -> bool {
        !self.0.is_empty() || self.0.is_closed()
    }

    pub(super) async fn end(self) -> T {
        self.0.recv().await.expect("a task of this case has panicked")
    }
}

impl Suite<'_> {
    pub(super) async fn open(&self) -> Stores {
        let a = self.one().await;
        let capability = a.capability();
        let b = if capability.shared { self.one().await } else { Arc::clone(&a) };
        Stores { a, b, capability }
    }

    pub(super) async fn one(&self) -> Manager {
        let manager = (self.connect)().await;
        if self.outage.is_some() {
            // With a short timeout, which a busy machine may miss.
            self.persists("start", || manager.start()).await;
        } else {
            manager.start().await.expect("a manager does not start");
        }
        manager
    }

    pub(super) fn spawn<T: Send + 'static>(&self, task: impl Future<Output = T> + Send + 'static) -> Task<T> {
        let (tell, told) = async_channel::bounded(1);
        self.runtime.spawn(Box::pin(async move {
            let _ = tell.send(task.await).await;
        }));
        Task(told)
    }
}

/// `n` users.
pub(super) fn users(n: usize) -> Vec<String> {
    (0..n).map(|n| format!("user-{n}")).collect()
}

pub(super) fn set<'a>(
    names: impl IntoIterator<Item = &'a (impl AsRef<str> + ?Sized + 'a)>,
) -> BTreeSet<String> {
    names.into_iter().map(|name| name.as_ref().into()).collect()
}

/// Another life of the same frontend.
pub(super) fn life(frontend: &Frontend, incarnation: u64) -> Frontend {
    Frontend { sid: frontend.sid.clone(), incarnation: Incarnation(incarnation) }
}

/// The users of a channel at a frontend.
pub(super) async fn at(manager: &Manager, channel: &str, sid: &str) -> BTreeSet<String> {
    try_at(manager, channel, sid).await.expect("members_by_server")
}

/// The same, if the store tells.
pub(super) async fn try_at(manager: &Manager, channel: &str, sid: &str) -> Result<BTreeSet<String>> {
    Ok(distinct(&manager.members_by_server(channel, sid).await?, "members_by_server repeats a user"))
}

/// The channels of a frontend.
pub(super) async fn channels(manager: &Manager, sid: &str) -> BTreeSet<String> {
    let channels = manager.channels_of_server(sid).await.expect("channels_of_server");
    distinct(&channels, "channels_of_server repeats a channel")
}

fn distinct(names: &[String], repeats: &str) -> BTreeSet<String> {
    let distinct = set(names);
    assert_eq!(distinct.len(), names.len(), "{repeats}");
    distinct
}

/// The next page.
pub(super) async fn page(pages: &mut Pages<'_>) -> Option<Vec<ChannelMember>> {
    try_page(pages).await.map(|page| page.expect("a page of members"))
}

async fn try_page(pages: &mut Pages<'_>) -> Option<Result<Vec<ChannelMember>>> {
    let page = poll_fn(|cx| pages.as_mut().poll_next(cx)).await?;
    if let Ok(page) = &page {
        assert!(page.len() <= MAX_PAGE, "a page of {} members; {MAX_PAGE} are allowed", page.len());
    }
    Some(page)
}

/// All members of a channel, as (sid, uid).
pub(super) async fn all(manager: &Manager, channel: &str) -> BTreeSet<(String, String)> {
    try_all(manager, channel).await.expect("a page of members")
}

/// The same, if the store tells.
pub(super) async fn try_all(manager: &Manager, channel: &str) -> Result<BTreeSet<(String, String)>> {
    let (mut pages, mut all) = (manager.members(channel), BTreeSet::new());
    while let Some(page) = try_page(&mut pages).await {
        all.extend(page?.into_iter().map(|member| (member.sid, member.uid)));
    }
    Ok(all)
}

/// That a change was refused because its frontend's life is over.
pub(super) fn assert_stale(result: Result<()>, what: &str) {
    assert_eq!(kind(result), Some(ErrorKind::StaleIncarnation), "{what}");
}

pub(super) fn kind<T>(result: Result<T>) -> Option<ErrorKind> {
    result.err().map(|error| error.kind())
}
