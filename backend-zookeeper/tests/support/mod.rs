//! A ZooKeeper for tests, the runtimes that they run on, masters, and somebody who looks on from outside.

#![allow(dead_code, reason = "no test crate needs all of it")]
#![allow(unused_imports, reason = "no test crate needs all of it")]

mod observed;
mod operator;
mod run;

pub(crate) use observed::Observed;
pub(crate) use operator::Operator;
pub(crate) use run::{blocking, eventually, for_a_while, smol, tokio, within};

use alloc::sync::Arc;
use core::sync::atomic::{AtomicU16, AtomicU32, Ordering};
use core::time::Duration;
use std::sync::LazyLock;
use tangelo_core::config::ZooKeeperConfig;
use tangelo_core::coordinator::{Candidate, Leadership};
use tangelo_core::runtime::Runtime;
use tangelo_core::{BoxFuture, Coordinator, Result};
use tangelo_services::proxy::Proxy;
use tangelo_services::zookeeper::{Ensemble, Options};
use tangelo_zookeeper::ZooKeeperCoordinator;

/// Makes of each `async fn(World)` a test on tokio and one on smol.
#[macro_export]
macro_rules! on_both_runtimes {
    ($($name:ident),* $(,)?) => {
        mod on_tokio {
            $(#[test] fn $name() { $crate::support::tokio(super::$name) })*
        }
        mod on_smol {
            $(#[test] fn $name() { $crate::support::smol(super::$name) })*
        }
    };
}

/// One ZooKeeper for all tests that do it no harm; the kernel ends it with this process.
static SHARED: LazyLock<Arc<Ensemble>> = LazyLock::new(|| Arc::new(Ensemble::standalone().unwrap()));

/// The session timeout of masters in tests, unless they ask for another one: a busy machine may hold one up for long.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(10);
/// That of masters whose session is to expire.
pub(crate) const SHORT: Duration = Duration::from_secs(2);

/// Where a test takes place: a ZooKeeper, and a path of its own in it.
#[derive(Clone)]
pub(crate) struct World {
    pub(crate) runtime: Arc<dyn Runtime>,
    pub(crate) ensemble: Arc<Ensemble>,
    pub(crate) path: String,
}

impl World {
    /// On the ZooKeeper that all share: nothing may be killed here.
    pub(crate) fn shared(runtime: &Arc<dyn Runtime>) -> Self {
        Self::on(runtime, Arc::clone(&SHARED))
    }

    /// On a ZooKeeper of its own.
    pub(crate) fn own(runtime: &Arc<dyn Runtime>, nodes: usize, options: Options) -> Self {
        Self::on(runtime, Arc::new(Ensemble::start(nodes, options).unwrap()))
    }

    /// The same, not started yet.
    pub(crate) fn prepared(runtime: &Arc<dyn Runtime>, nodes: usize, options: Options) -> Self {
        Self::on(runtime, Arc::new(Ensemble::prepare(nodes, options).unwrap()))
    }

    fn on(runtime: &Arc<dyn Runtime>, ensemble: Arc<Ensemble>) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let path = format!("/test/{}", NUMBER.fetch_add(1, Ordering::Relaxed));
        Self { runtime: Arc::clone(runtime), ensemble, path }
    }

    /// Does something to ZooKeeper that takes its time, away from the executor, which must not be blocked.
    pub(crate) async fn ensemble<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Ensemble) -> anyhow::Result<T> + Send + 'static,
    ) -> T {
        let ensemble = Arc::clone(&self.ensemble);
        blocking(&self.runtime, move || work(&ensemble)).await.unwrap()
    }

    pub(crate) fn config(&self) -> ZooKeeperConfig {
        ZooKeeperConfig {
            server: self.ensemble.connect_string(),
            path: self.path.clone(),
            timeout: TIMEOUT,
            create: true,
            ..ZooKeeperConfig::default()
        }
    }

    /// A coordinator as another master has it.
    pub(crate) fn coordinator(&self) -> Arc<dyn Coordinator> {
        self.coordinator_with(self.config())
    }

    pub(crate) fn coordinator_with(&self, config: ZooKeeperConfig) -> Arc<dyn Coordinator> {
        Arc::new(ZooKeeperCoordinator::new(Arc::clone(&self.runtime), config).unwrap())
    }

    /// A coordinator with sessions of `timeout`.
    pub(crate) fn coordinator_for(&self, timeout: Duration) -> Arc<dyn Coordinator> {
        self.coordinator_with(ZooKeeperConfig { timeout, ..self.config() })
    }

    /// A coordinator behind a network that can be cut, with short sessions.
    pub(crate) fn far(&self) -> (Proxy, Arc<dyn Coordinator>) {
        self.far_for(SHORT)
    }

    /// The same with sessions of `timeout`.
    pub(crate) fn far_for(&self, timeout: Duration) -> (Proxy, Arc<dyn Coordinator>) {
        let proxy = Proxy::to(self.ensemble.address(0)).unwrap();
        let config = ZooKeeperConfig { server: proxy.address().to_string(), timeout, ..self.config() };
        (proxy, self.coordinator_with(config))
    }

    /// Somebody with ZooKeeper's own shell.
    pub(crate) async fn operator(&self) -> Operator {
        Operator::connect(self, None).await
    }

    /// A leader on a coordinator of its own.
    pub(crate) async fn leader(&self, id: &str) -> Box<dyn Leadership> {
        self.lead(&self.coordinator(), id).await
    }

    pub(crate) async fn lead(&self, coordinator: &Arc<dyn Coordinator>, id: &str) -> Box<dyn Leadership> {
        within(&self.runtime, &format!("{id} to lead"), campaign(coordinator, id, 0)).await.unwrap()
    }

    /// A candidate that stands and does not lead, on a coordinator of its own, known to all when this returns.
    pub(crate) async fn standby(&self, id: &str, priority: i32) -> Campaign {
        self.standby_on(&self.coordinator(), id, priority).await
    }

    pub(crate) async fn standby_on(
        &self,
        coordinator: &Arc<dyn Coordinator>,
        id: &str,
        priority: i32,
    ) -> Campaign {
        // By its port it is told from an earlier one of that name, which may be leaving yet.
        static PORT: AtomicU16 = AtomicU16::new(10_000);
        let port = PORT.fetch_add(1, Ordering::Relaxed);
        let mut campaign = campaign_of(coordinator, Candidate { port, ..candidate(id, priority) });
        let stands = async {
            while coordinator
                .candidates()
                .await
                .map_or(true, |now| now.iter().all(|other| other.port != port))
            {
                self.runtime.sleep(Duration::from_millis(5)).await;
            }
        };
        let won = async { panic!("{id} should stand by: {:?}", campaign.as_mut().await) };
        within(&self.runtime, &format!("{id} to stand"), futures_lite::future::or(won, stands)).await;
        campaign
    }

    pub(crate) fn observe(&self) -> Observed {
        Observed::new(&self.runtime, self.coordinator().observe())
    }
}

/// A candidacy; dropping it withdraws it.
pub(crate) type Campaign = BoxFuture<'static, Result<Box<dyn Leadership>>>;

pub(crate) fn campaign(coordinator: &Arc<dyn Coordinator>, id: &str, priority: i32) -> Campaign {
    campaign_of(coordinator, candidate(id, priority))
}

fn campaign_of(coordinator: &Arc<dyn Coordinator>, candidate: Candidate) -> Campaign {
    let coordinator = Arc::clone(coordinator);
    Box::pin(async move { coordinator.campaign(candidate).await })
}

pub(crate) fn candidate(id: &str, priority: i32) -> Candidate {
    Candidate { id: id.into(), host: "127.0.0.1".into(), port: 3005, priority }
}
