//! A channel manager of one's own: members in one file, to which every change is appended as a line.
//!
//! All processes of a machine may use the file at once; its lock orders what they do.

mod log;

use futures_lite::{future, stream};
use log::{Change, Job, Log};
use std::sync::Arc;
use std::time::Duration;
use tangelo::core::channel::{
    Capability, ChannelManager, ChannelMember, Frontend, MAX_PAGE, ManagerContext, check_change,
    check_frontend, check_name,
};
use tangelo::core::{BoxStream, runtime::Runtime};
use tangelo::{Error, ErrorKind, Result, async_trait};

/// Members in the file `run/channels.log` of the application.
#[derive(Debug)]
pub struct FileChannelManager {
    runtime: Arc<dyn Runtime>,
    timeout: Duration,
    jobs: async_channel::Sender<Job>,
}

impl FileChannelManager {
    /// A manager for an application; nothing is opened yet.
    pub fn new(context: &ManagerContext) -> Result<Self> {
        // When the queue is full, callers wait, until their timeout. The thread ends with the last sender.
        let (jobs, queue) = async_channel::bounded(1024);
        let log = Log::new(context.dir.join("run/channels.log"));
        let thread = std::thread::Builder::new().name("channels.log".into());
        thread.spawn(move || log.work(&queue)).map_err(|error| Error::io("start a thread", error))?;
        Ok(Self { runtime: context.runtime.clone(), timeout: context.config.timeout, jobs })
    }

    /// What `job` says, once all that it has seen or changed is on disk.
    async fn ask<T: Send + 'static>(
        &self,
        job: impl FnOnce(&mut Log) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let (answer, answered) = async_channel::bounded(1);
        let asked = async {
            let over = |_| Error::new(ErrorKind::Unavailable, "channels.log: the manager has stopped");
            self.jobs.send(Job::new(job, answer)).await.map_err(over)?;
            let over = |_| Error::new(ErrorKind::Unavailable, "channels.log: a job has panicked");
            answered.recv().await.map_err(over)?
        };
        let late = async {
            self.runtime.sleep(self.timeout).await;
            Err(Error::new(ErrorKind::Timeout, format!("channels.log: no answer in {:?}", self.timeout)))
        };
        future::or(asked, late).await
    }

    async fn change(&self, change: Change) -> Result<()> {
        self.ask(move |log| log.change(change)).await
    }
}

#[async_trait]
impl ChannelManager for FileChannelManager {
    fn capability(&self) -> Capability {
        Capability::LOCAL.durable(true).shared(true)
    }

    async fn start(&self) -> Result<()> {
        self.ask(|_| Ok(())).await
    }

    async fn stop(&self) -> Result<()> {
        self.jobs.close();
        Ok(())
    }

    async fn add_many(&self, channel: &str, frontend: &Frontend, uids: &[String]) -> Result<()> {
        check_change(channel, frontend, uids)?;
        self.change(Change::Add(channel.into(), frontend.clone(), uids.into())).await
    }

    async fn leave_many(&self, channel: &str, frontend: &Frontend, uids: &[String]) -> Result<()> {
        check_change(channel, frontend, uids)?;
        self.change(Change::Leave(channel.into(), frontend.clone(), uids.into())).await
    }

    fn members(&self, channel: &str) -> BoxStream<'_, Result<Vec<ChannelMember>>> {
        let channel = channel.to_owned();
        // All that are there now, cut into pages: the file fits in memory anyway.
        let pages = async move {
            check_name("channel", &channel)?;
            self.ask(move |log| {
                let all = log.members.iter().filter(|(there, ..)| *there == channel);
                let all = all.map(|(_, sid, uid)| ChannelMember { uid: uid.clone(), sid: sid.clone() });
                Ok(all.collect::<Vec<_>>().chunks(MAX_PAGE).map(|page| Ok(page.into())).collect())
            })
            .await
        };
        let pages = async { stream::iter(pages.await.unwrap_or_else(|error| vec![Err(error)])) };
        Box::pin(stream::StreamExt::flatten(stream::once_future(pages)))
    }

    async fn members_by_server(&self, channel: &str, sid: &str) -> Result<Vec<String>> {
        check_name("channel", channel)?;
        check_name("frontend", sid)?;
        let (channel, sid) = (channel.to_owned(), sid.to_owned());
        self.ask(move |log| {
            let here = log.members.iter().filter(|(there, at, _)| *there == channel && *at == sid);
            Ok(here.map(|(.., uid)| uid.clone()).collect())
        })
        .await
    }

    async fn channels_of_server(&self, sid: &str) -> Result<Vec<String>> {
        check_name("frontend", sid)?;
        let sid = sid.to_owned();
        self.ask(move |log| {
            let here = log.members.iter().filter(|(_, at, _)| *at == sid);
            let mut channels: Vec<_> = here.map(|(channel, ..)| channel.clone()).collect();
            channels.dedup();
            Ok(channels)
        })
        .await
    }

    async fn destroy(&self, channel: &str) -> Result<()> {
        check_name("channel", channel)?;
        self.change(Change::Destroy(channel.into())).await
    }

    async fn purge_server(&self, frontend: &Frontend) -> Result<()> {
        check_frontend(frontend)?;
        self.change(Change::Purge(frontend.clone())).await
    }

    async fn clean(&self) -> Result<()> {
        self.change(Change::Clean).await
    }
}
