//! A channel manager of one's own: members in one file, for all processes of a machine.
//!
//! [`Members`] knows the rules: sets of users, and one life of a frontend at a time. What is left is to keep them where
//! every process finds them, so that each change happens whole or not at all, and every call has an end.

mod store;

use async_channel::Sender;
use futures_lite::{StreamExt as _, stream};
use std::{sync::Arc, time::Duration};
use store::{Job, Store};
use tangelo::core::channel::{
    Capability, ChannelManager, ChannelMember, Frontend, MAX_PAGE, ManagerContext, Members, check_change,
    check_frontend, check_name,
};
use tangelo::core::{BoxStream, patience, runtime::Runtime};
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
        let ((jobs, queue), dir) = (async_channel::bounded(1024), context.dir.join("run"));
        let thread = std::thread::Builder::new().name("channels.bin".into());
        let work = move || Store { dir, seen: None }.work(&queue, timeout);
        thread.spawn(work).map_err(|error| Error::io("start a thread", error))?;
        Ok(Self { runtime, timeout, jobs })
    }

    /// What `f` says of the members, once all that it has seen or changed is on disk.
    async fn ask<T: Send + 'static>(&self, f: impl FnOnce(&mut Members) -> T + Send + 'static) -> Result<T> {
        let (answer, answered) = async_channel::bounded(1);
        let job: Job = Box::new(move |members| {
            // Whoever has given up may try again, and must not be overtaken by what was tried first.
            let done = members.filter(|_| !answer.is_closed()).map(f);
            Box::new(move |kept| _ = answer.try_send(kept.map(|()| done)))
        });
        let away = |why| Error::new(ErrorKind::Unavailable, why);
        let asked = async {
            self.jobs.send(job).await.ok()?;
            answered.recv().await.ok()?.map_err(away).transpose()
        };
        let late = || Error::new(ErrorKind::Timeout, "channels.bin has not answered in time");
        let asked = patience::within(&*self.runtime, self.timeout, asked).await.ok_or_else(late)?;
        asked.unwrap_or_else(|| Err(away("the thread for channels.bin has panicked".into())))
    }
}

#[async_trait]
impl ChannelManager for FileChannelManager {
    fn capability(&self) -> Capability {
        Capability::LOCAL.durable(true).shared(true)
    }

    /// Nothing is to be prepared, but a store that is away is told.
    async fn start(&self) -> Result<()> {
        self.ask(|_| ()).await
    }

    async fn add_many(&self, channel: &str, frontend: &Frontend, uids: &[String]) -> Result<()> {
        check_change(channel, frontend, uids)?;
        let (channel, frontend, uids) = (channel.to_owned(), frontend.clone(), uids.to_vec());
        self.ask(move |members| members.add(&channel, &frontend, &uids)).await?
    }

    async fn leave_many(&self, channel: &str, frontend: &Frontend, uids: &[String]) -> Result<()> {
        check_change(channel, frontend, uids)?;
        let (channel, frontend, uids) = (channel.to_owned(), frontend.clone(), uids.to_vec());
        self.ask(move |members| members.leave(&channel, &frontend, &uids)).await?
    }

    fn members(&self, channel: &str) -> BoxStream<'_, Result<Vec<ChannelMember>>> {
        let channel = channel.to_owned();
        // All that are there now, cut into pages: the file fits in memory anyway.
        let pages = async move {
            check_name("channel", &channel)?;
            self.ask(move |members| {
                let at = |sid: String| members.page(&channel, &sid, None, usize::MAX);
                let all: Vec<_> = members.frontends(&channel).into_iter().flat_map(at).collect();
                all.chunks(MAX_PAGE).map(|page| Ok(page.to_vec())).collect()
            })
            .await
        };
        let all = stream::once_future(pages);
        Box::pin(all.flat_map(|pages| stream::iter(pages.unwrap_or_else(|error| vec![Err(error)]))))
    }

    async fn members_by_server(&self, channel: &str, sid: &str) -> Result<Vec<String>> {
        check_name("channel", channel)?;
        check_name("frontend", sid)?;
        let (channel, sid) = (channel.to_owned(), sid.to_owned());
        self.ask(move |members| members.at(&channel, &sid)).await
    }

    async fn channels_of_server(&self, sid: &str) -> Result<Vec<String>> {
        check_name("frontend", sid)?;
        let sid = sid.to_owned();
        self.ask(move |members| members.channels(&sid)).await
    }

    async fn destroy(&self, channel: &str) -> Result<()> {
        check_name("channel", channel)?;
        let channel = channel.to_owned();
        self.ask(move |members| members.destroy(&channel)).await
    }

    async fn purge_server(&self, frontend: &Frontend) -> Result<()> {
        check_frontend(frontend)?;
        let frontend = frontend.clone();
        self.ask(move |members| members.purge(&frontend)).await
    }

    async fn clean(&self) -> Result<()> {
        self.ask(|members| *members = Members::default()).await
    }
}
