//! A ZooKeeper, and somebody who looks at it from outside.

use super::processes::{Lock, Spec, limit};
use alloc::boxed::Box;
use alloc::string::String;
use core::future::Future;
use core::time::Duration;
use futures_lite::future::or;
use tangelo_core::runtime::Runtime;
use tangelo_runtime_tokio::TokioRuntime;
use tangelo_services::clock;
use tangelo_services::zookeeper::{Ensemble, Options};
use tempfile::TempDir;
use zookeeper_client::{Acls, Client, CreateMode, Error, EventType, OneshotWatcher};

pub(super) struct World {
    client: Client,
    pub(super) ensemble: Ensemble,
    pub(super) runtime: TokioRuntime,
    dir: TempDir,
}

impl World {
    /// One node; with ZooKeeper's own tick of 2 s, if it is to be as in production.
    pub(super) fn new(options: Options) -> Self {
        Self::ensemble(1, options)
    }

    pub(super) fn ensemble(nodes: usize, options: Options) -> Self {
        let ensemble = Ensemble::start(nodes, options).unwrap();
        let runtime = TokioRuntime::new().unwrap();
        let client = run(&runtime, async {
            // It outlives whatever befalls ZooKeeper in a test, and soon leaves a node that stands still for another.
            let mut connector = Client::connector().with_session_timeout(Duration::from_secs(40));
            if nodes > 1 {
                connector = connector.with_connection_timeout(Duration::from_secs(1));
            }
            connector.connect(&ensemble.connect_string()).await.unwrap()
        });
        let world = Self { client, ensemble, runtime, dir: TempDir::new().unwrap() };
        let options = CreateMode::Persistent.with_acls(Acls::anyone_all());
        world.ask(|| world.client.mkdir("/pomelo/master/lock", &options));
        world
    }

    /// A master of this ZooKeeper.
    pub(super) fn spec(&self, runtime: &str) -> Spec {
        Spec::new(self.ensemble.connect_string(), runtime, &self.report_file())
    }

    fn report_file(&self) -> String {
        self.dir.path().join("report").to_string_lossy().into_owned()
    }

    /// How the last guard to end by itself says that it ended.
    pub(super) fn report(&self) -> String {
        std::fs::read_to_string(self.report_file()).unwrap_or_default()
    }

    pub(super) fn run<T: Send>(&self, future: impl Future<Output = T> + Send) -> T {
        run(&self.runtime, future)
    }

    pub(super) const fn client(&self) -> &Client {
        &self.client
    }

    /// Watches a lock node that is there.
    pub(super) fn watch(&self, lock: &Lock) -> Watch<'_> {
        let (stat, watcher) = self.ask(|| async {
            // The node that it is connected to may lag behind.
            self.client.sync(&lock.path).await?;
            self.client.check_and_watch_stat(&lock.path).await
        });
        assert_eq!(stat.expect("it is there").ephemeral_owner, lock.owner);
        Watch { world: self, watcher }
    }

    /// Who owns the node now, if it is there.
    pub(super) fn owner(&self, lock: &Lock) -> Option<i64> {
        let stat = self.ask(|| async {
            // The node that it is connected to may lag behind.
            self.client.sync(&lock.path).await?;
            self.client.check_stat(&lock.path).await
        });
        stat.map(|stat| stat.ephemeral_owner)
    }

    /// Asks again if the connection was lost: on a busy machine, or by a test's doing.
    fn ask<T: Send, F: Future<Output = Result<T, Error>> + Send>(&self, question: impl Fn() -> F) -> T {
        let deadline = clock::now() + limit();
        loop {
            match self.run(question()) {
                Ok(answer) => return answer,
                Err(e) => assert!(clock::now() < deadline, "ZooKeeper cannot be asked: {e}"),
            }
        }
    }

    /// Waits until the node is gone, by looking.
    pub(super) fn await_gone(&self, lock: &Lock, deadline: Duration) {
        let gone = || match self.owner(lock) {
            None => Ok(()),
            Some(_) => Err(std::io::Error::other("it is still there").into()),
        };
        clock::poll_until(deadline, Duration::from_millis(1), gone).unwrap();
    }
}

/// A lock node under watch.
pub(super) struct Watch<'a> {
    world: &'a World,
    watcher: OneshotWatcher,
}

impl Watch<'_> {
    /// Waits for its deletion; how long after `since`, on the clock since boot, that is known here.
    pub(super) fn gone(self, since: Duration) -> Duration {
        self.gone_within(limit()).expect("it should be deleted").saturating_sub(since)
    }

    /// When it was known to be deleted, if that is within `limit`.
    pub(super) fn gone_within(self, limit: Duration) -> Option<Duration> {
        let Self { world, watcher } = self;
        let late = async {
            world.runtime.sleep(limit).await;
            None
        };
        let event = world.run(or(async { Some(watcher.changed().await) }, late));
        event.map(|event| {
            let now = clock::now();
            assert_eq!(event.event_type, EventType::NodeDeleted);
            now
        })
    }
}

fn run<T: Send>(runtime: &TokioRuntime, future: impl Future<Output = T> + Send) -> T {
    let mut result = None;
    runtime.block_on(Box::pin(async { result = Some(future.await) }));
    result.unwrap()
}
