//! Members in this process's memory.

#[cfg(test)]
mod tests;

use crate::sync::Mutex;
use alloc::collections::VecDeque;
use alloc::sync::Arc;
use async_trait::async_trait;
use futures_lite::stream;
use tangelo_core::channel::{
    Capability, ChannelManager, ChannelMember, Frontend, Members, check_change, check_frontend, check_name,
};
use tangelo_core::{BoxStream, Result};

/// How many members a page has, and for how many the lock is held.
const PAGE: usize = 1024;

/// Channels in memory: for a cluster of one process, and for tests. Clones share their members.
///
/// Nothing of it is seen by another process, nor outlives this one.
#[derive(Debug, Clone, Default)]
pub struct MemoryChannelManager(Arc<Mutex<Members>>);

impl MemoryChannelManager {
    /// Without any members.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }
}

#[async_trait]
impl ChannelManager for MemoryChannelManager {
    fn capability(&self) -> Capability {
        Capability::LOCAL
    }

    async fn add_many(&self, channel: &str, frontend: &Frontend, uids: &[String]) -> Result<()> {
        check_change(channel, frontend, uids)?;
        self.0.lock().add(channel, frontend, uids)
    }

    async fn leave_many(&self, channel: &str, frontend: &Frontend, uids: &[String]) -> Result<()> {
        check_change(channel, frontend, uids)?;
        self.0.lock().leave(channel, frontend, uids)
    }

    fn members(&self, channel: &str) -> BoxStream<'_, Result<Vec<ChannelMember>>> {
        if let Err(error) = check_name("channel", channel) {
            return Box::pin(stream::once(Err(error)));
        }
        // A frontend at a time, each from its last user on: no lock is held between two pages.
        let sids: VecDeque<_> = self.0.lock().frontends(channel).into();
        let start = (channel.to_owned(), sids, None::<ChannelMember>);
        Box::pin(stream::unfold(start, move |(channel, mut sids, mut last)| async move {
            loop {
                let page = {
                    let sid = sids.front()?;
                    let after = last.take().map(|member| member.uid);
                    self.0.lock().page(&channel, sid, after.as_deref(), PAGE)
                };
                if page.len() < PAGE {
                    sids.pop_front();
                } else {
                    last = page.last().cloned();
                }
                if !page.is_empty() {
                    return Some((Ok(page), (channel, sids, last)));
                }
            }
        }))
    }

    async fn members_by_server(&self, channel: &str, sid: &str) -> Result<Vec<String>> {
        check_name("channel", channel)?;
        check_name("frontend", sid)?;
        Ok(self.0.lock().at(channel, sid))
    }

    async fn channels_of_server(&self, sid: &str) -> Result<Vec<String>> {
        check_name("frontend", sid)?;
        Ok(self.0.lock().channels(sid))
    }

    async fn contains(&self, channel: &str, sid: &str, uid: &str) -> Result<bool> {
        check_name("channel", channel)?;
        check_name("frontend", sid)?;
        check_name("user", uid)?;
        Ok(self.0.lock().contains(channel, sid, uid))
    }

    async fn count(&self, channel: &str) -> Result<u64> {
        check_name("channel", channel)?;
        Ok(self.0.lock().count(channel))
    }

    async fn destroy(&self, channel: &str) -> Result<()> {
        check_name("channel", channel)?;
        self.0.lock().destroy(channel);
        Ok(())
    }

    async fn purge_server(&self, frontend: &Frontend) -> Result<()> {
        check_frontend(frontend)?;
        self.0.lock().purge(frontend);
        Ok(())
    }

    async fn clean(&self) -> Result<()> {
        *self.0.lock() = Members::default();
        Ok(())
    }
}
