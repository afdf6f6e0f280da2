//! What an observer sees.

use super::within;
use alloc::sync::Arc;
use core::future::poll_fn;
use tangelo_core::coordinator::LeaderInfo;
use tangelo_core::runtime::Runtime;
use tangelo_core::{BoxStream, Error, Result};

pub(crate) struct Observed {
    runtime: Arc<dyn Runtime>,
    stream: BoxStream<'static, Result<Option<LeaderInfo>>>,
}

impl Observed {
    pub(crate) fn new(
        runtime: &Arc<dyn Runtime>,
        stream: BoxStream<'static, Result<Option<LeaderInfo>>>,
    ) -> Self {
        Self { runtime: Arc::clone(runtime), stream }
    }

    pub(crate) async fn next(&mut self) -> Result<Option<LeaderInfo>> {
        poll_fn(|cx| self.stream.as_mut().poll_next(cx)).await.expect("the stream of leaders has ended")
    }

    /// The first item that fits.
    pub(crate) async fn until(
        &mut self,
        what: &str,
        fits: impl Fn(&Result<Option<LeaderInfo>>) -> bool,
    ) -> Result<Option<LeaderInfo>> {
        let runtime = Arc::clone(&self.runtime);
        let search = async {
            loop {
                let item = self.next().await;
                if fits(&item) {
                    return item;
                }
            }
        };
        within(&runtime, &format!("an observer to see {what}"), search).await
    }

    /// Waits until `id` leads.
    pub(crate) async fn leader(&mut self, id: &str) -> LeaderInfo {
        let fits = |item: &Result<Option<LeaderInfo>>| matches!(item, Ok(Some(info)) if info.id == id);
        self.until(&format!("{id} lead"), fits).await.unwrap().unwrap()
    }

    pub(crate) async fn error(&mut self) -> Error {
        self.until("an error", Result::is_err).await.unwrap_err()
    }
}
