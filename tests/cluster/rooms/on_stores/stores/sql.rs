//! Databases. They are asked by a manager of this process, which knows only what is in them.

use super::Store;
use alloc::sync::Arc;
use futures_lite::StreamExt;
use serde_json::{Value, json};
use tangelo::core::channel::ChannelManager;
use tangelo::core::runtime::Runtime;
use tangelo_sql::{SqlChannelManager, SqlConfig};
use tempfile::TempDir;

/// A database, with whatever keeps it there.
pub(crate) struct Sql<K> {
    url: String,
    /// Its server, or the directory of its file.
    _keeper: K,
}

/// A file.
pub(crate) fn sqlite() -> Sql<TempDir> {
    let dir = TempDir::with_prefix("tangelo-rooms-").expect("a temporary directory");
    Sql { url: format!("sqlite://{}", dir.path().join("rooms.db").display()), _keeper: dir }
}

impl<K> Store for Sql<K> {
    fn config(&self) -> Value {
        json!({"url": self.url, "timeout": 1000})
    }

    fn members(&self, channel: &str) -> Vec<String> {
        let runtime = runtime();
        let config = SqlConfig::from_url(&self.url).expect("a URL");
        let manager = SqlChannelManager::new(config, Arc::clone(&runtime)).expect("a manager");
        let mut members = Vec::new();
        runtime.block_on(Box::pin(async {
            manager.start().await.expect("the database answers");
            let mut pages = manager.members(channel);
            while let Some(page) = pages.next().await {
                let page = page.expect("the database answers");
                members.extend(page.into_iter().map(|member| format!("{} {}", member.sid, member.uid)));
            }
            drop(pages);
            manager.stop().await.expect("the manager stops");
        }));
        members.sort();
        members.dedup();
        members
    }
}

/// The one that the application has, too.
fn runtime() -> Arc<dyn Runtime> {
    #[cfg(feature = "runtime-tokio")]
    let runtime = tangelo_runtime_tokio::TokioRuntime::new();
    #[cfg(not(feature = "runtime-tokio"))]
    let runtime = tangelo_runtime_smol::SmolRuntime::new();
    Arc::new(runtime.expect("a runtime"))
}
