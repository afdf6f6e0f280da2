//! A channel manager of one's own: members in one file, for all processes of a machine.
//!
//! [`Members`] knows the rules: sets of users, and one life of a frontend at a time. What is left is to keep them where
//! every process finds them, so that each change happens whole or not at all, and every call has an end.

mod store;

use async_channel::Sender;
use futures_lite::{StreamExt as _, stream};
use std::sync::Arc;
use std::time::Duration;
use store::{Job, Store};
use tangelo::core::channel::{
    Capability, ChannelManager, ChannelMember, Frontend, MAX_PAGE, ManagerContext, Members, check_change,
    check_frontend, check_name,
};
use tangelo::core::runtime::Runtime;
use tangelo::core::{BoxStream, patience};
use tangelo::{Error, ErrorKind, Result, async_trait};

/// Members in the file `run/channels.bin` of the application.
#[derive(Debug)]
pub struct FileChannelManager {
    runtime: Arc<dyn Runtime>,
    timeout: Duration,
    jobs: Sender<Job>,
}

impl FileChannelManager {
    /// A manager for an application; nothing is opened yet.
    pub fn new(context: &ManagerContext) -> Result<Self> {
        let (runtime, timeout) = (context.runtime.clone(), context.config.timeout);
        // When the queue is full, callers wait, until their timeout. The thread ends with the manager.
        let ((jobs, queue), store) = (async_channel::bounded(1024), Store(context.dir.join("run")));
        let thread = std::thread::Builder::new().name("channels.bin".into());
        thread.spawn(move || store.work(&queue, timeout)).map_err(|e| Error::io("start a thread", e))?;
        Ok(Self { runtime, timeout, jobs })
    }

    /// What `job` says of the members, once all that it has seen or changed is on disk.
    async fn visit<T: Send + 'static>(
        &self,
        job: impl FnOnce(&mut Members) -> T + Send + 'static,
    ) -> Result<T> {
        let (answer, answered) = async_channel::bounded(1);
        let job: Job = Box::new(move |members| {
            // Whoever has given up may try again, and must not be overtaken by what was tried first.
            let done = members.filter(|_| !answer.is_closed()).map(job);
            Box::new(move |kept| _ = answer.try_send(kept.map(|()| done)))
        });
        let unavailable = |why: &str| Error::new(ErrorKind::Unavailable, why);
        let gone = || unavailable("the thread for channels.bin has panicked");
        let visited = async {
            self.jobs.send(job).await.map_err(|_| gone())?;
            let told = answered.recv().await.map_err(|_| gone())?;
            told.map_err(|why| unavailable(&why))?.ok_or_else(gone)
        };
        let late = || Err(Error::new(ErrorKind::Timeout, "channels.bin has not answered in time"));
        patience::within(&*self.runtime, self.timeout, visited).await.unwrap_or_else(late)
    }
}

#[async_trait]
impl ChannelManager for FileChannelManager {
    fn capability(&self) -> Capability {
        Capability::LOCAL.durable(true).shared(true)
    }

    /// Nothing is to be prepared, but a store that is away is told.
    async fn start(&self) -> Result<()> {
        self.visit(|_| ()).await
    }

    async fn add_many(&self, channel: &str, frontend: &Frontend, uids: &[String]) -> Result<()> {
        check_change(channel, frontend, uids)?;
        let (channel, frontend, uids) = (channel.to_owned(), frontend.clone(), uids.to_vec());
        self.visit(move |members| members.add(&channel, &frontend, &uids)).await?
    }

    async fn leave_many(&self, channel: &str, frontend: &Frontend, uids: &[String]) -> Result<()> {
        check_change(channel, frontend, uids)?;
        let (channel, frontend, uids) = (channel.to_owned(), frontend.clone(), uids.to_vec());
        self.visit(move |members| members.leave(&channel, &frontend, &uids)).await?
    }

    fn members(&self, channel: &str) -> BoxStream<'_, Result<Vec<ChannelMember>>> {
        let channel = channel.to_owned();
        // All that are there now, cut into pages: the file fits in memory anyway.
        let pages = async move {
            check_name("channel", &channel)?;
            self.visit(move |members| {
                let at = |sid: String| members.page(&channel, &sid, None, usize::MAX);
                let all: Vec<_> = members.frontends(&channel).into_iter().flat_map(at).collect();
                all.chunks(MAX_PAGE).map(|page| Ok(page.to_vec())).collect()
            })
            .await
        };
        let pages = async { pages.await.unwrap_or_else(|error| vec![Err(error)]) };
        Box::pin(stream::once_future(pages).flat_map(stream::iter))
    }

    async fn members_by_server(&self, channel: &str, sid: &str) -> Result<Vec<String>> {
        check_name("channel", channel)?;
        check_name("frontend", sid)?;
        let (channel, sid) = (channel.to_owned(), sid.to_owned());
        self.visit(move |members| members.at(&channel, &sid)).await
    }

    async fn channels_of_server(&self, sid: &str) -> Result<Vec<String>> {
        check_name("frontend", sid)?;
        let sid = sid.to_owned();
        self.visit(move |members| members.channels(&sid)).await
    }

    async fn destroy(&self, channel: &str) -> Result<()> {
        check_name("channel", channel)?;
        let channel = channel.to_owned();
        self.visit(move |members| members.destroy(&channel)).await
    }

    async fn purge_server(&self, frontend: &Frontend) -> Result<()> {
        check_frontend(frontend)?;
        let frontend = frontend.clone();
        self.visit(move |members| members.purge(&frontend)).await
    }

    async fn clean(&self) -> Result<()> {
        self.visit(|members| *members = Members::default()).await
    }
}
