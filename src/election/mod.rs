//! How the masters of this cluster elect their leader, and how others look at it: by a file lock on
//! one machine, by ZooKeeper, or by a coordinator of the application's own.

mod custom;
mod look;
mod one_machine;
#[cfg(feature = "coordinator-zookeeper")]
mod zookeeper;

#[cfg(all(feature = "coordinator-zookeeper", not(feature = "cli")))]
pub(crate) use zookeeper::GUARD;
#[cfg(feature = "coordinator-zookeeper")]
pub(crate) use zookeeper::guard;

use crate::app::App;
use crate::config;
use crate::custom::CustomCoordinator;
use alloc::boxed::Box;
use alloc::sync::Arc;
use async_trait::async_trait;
use core::time::Duration;
use one_machine::OneMachine;
use tangelo_core::config::ZooKeeperConfig;
use tangelo_core::coordinator::{Candidate, LeaderInfo};
use tangelo_core::runtime::Runtime;
use tangelo_core::{Coordinator, Error, ErrorKind, Result};

/// Where the masters find their ZooKeeper: the keys of `config/zookeeper.json`, for
/// [`App::set`](crate::App::set).
pub type MasterHaConfig = ZooKeeperConfig;

/// Switches master high availability over ZooKeeper on: `app.enable(MasterHa)`. Where ZooKeeper is
/// says [`MasterHaConfig`], or else `config/zookeeper.json`, or else the defaults.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MasterHa;

/// What a process wants of its coordinator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    /// To lead.
    Master,
    /// To know who leads.
    Observer,
}

/// A way to elect the leader.
#[async_trait]
pub(crate) trait Election: Send + Sync {
    /// A coordinator for a process of this part. Nobody is asked yet. `lease` counts on one machine.
    fn coordinator(
        &self,
        runtime: &Arc<dyn Runtime>,
        part: Part,
        lease: Duration,
    ) -> Result<Arc<dyn Coordinator>>;

    /// How long it may take, with this lease, until a leader that has frozen is replaced.
    #[cfg_attr(not(feature = "cli"), expect(dead_code, reason = "only a command line waits for others"))]
    fn patience(&self, lease: Duration) -> Duration;

    /// Who leads now; `None` too while an election is under way. For whoever only looks.
    ///
    /// # Errors
    /// `Unavailable` or `Timeout` if the coordinator cannot be asked; whatever the system says.
    async fn leader(&self, runtime: &Arc<dyn Runtime>) -> Result<Option<LeaderInfo>>;

    /// Who stands by.
    ///
    /// # Errors
    /// As [`leader`](Self::leader).
    async fn standbys(&self, runtime: &Arc<dyn Runtime>) -> Result<Vec<Candidate>>;
}

/// What `app` and `config/zookeeper.json` of its directory say, in this order; without either, one machine.
///
/// # Errors
/// For a wrong setting, or one that this build cannot serve.
pub(crate) fn configured(app: &App) -> Result<Box<dyn Election>> {
    if let Some(custom) = app.get::<CustomCoordinator>() {
        if app.enabled::<MasterHaConfig>() || app.enabled::<MasterHa>() {
            return Err(Error::new(
                ErrorKind::Invalid,
                "CustomCoordinator and MasterHa, or its MasterHaConfig, are both set: masters have one coordinator",
            ));
        }
        return Ok(Box::new(custom::Custom::new((*custom).clone(), app)));
    }
    let dir = app.dir();
    let config = match app.get::<MasterHaConfig>() {
        Some(config) => {
            let wrong = |what| Error::new(ErrorKind::Invalid, format!("MasterHaConfig: {what}"));
            config.check().map_err(wrong)?;
            Some((*config).clone())
        }
        None => config::load_zookeeper(dir, app.env())?,
    };
    match config.or_else(|| app.enabled::<MasterHa>().then(ZooKeeperConfig::default)) {
        None => Ok(Box::new(OneMachine(dir.join("run")))),
        #[cfg(feature = "coordinator-zookeeper")]
        Some(config) => Ok(Box::new(zookeeper::ZooKeeper::new(config, dir))),
        #[cfg(not(feature = "coordinator-zookeeper"))]
        Some(_) => Err(Error::new(
            ErrorKind::Unsupported,
            "masters on ZooKeeper are configured, but not in this build: add \"coordinator-zookeeper\" to \
             tangelo's features in Cargo.toml, or remove config/zookeeper.json",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::embedded::EmbeddedCoordinator;
    use tangelo_core::config::Timing;

    #[test]
    fn a_coordinator_of_the_applications_own_is_asked_and_is_the_only_one() {
        let app = App::for_tests();
        app.set(CustomCoordinator::new(|context| {
            assert_eq!(context.lease, Timing::default().lease);
            assert_eq!((&*context.env, context.dir.to_str()), ("test", Some("/nowhere")));
            Err::<EmbeddedCoordinator, _>(Error::new(ErrorKind::Denied, "not today"))
        }));
        let election = configured(&app).unwrap_or_else(|error| panic!("{error}"));
        let runtime = app.runtime();
        runtime.block_on(Box::pin(async {
            assert_eq!(election.leader(runtime).await.unwrap_err().to_string(), "not today");
            assert_eq!(election.standbys(runtime).await.unwrap_err().kind(), ErrorKind::Denied);
        }));
        app.enable(MasterHa);
        let error = configured(&app).err().map(|error| error.to_string()).unwrap_or_default();
        assert!(error.starts_with("CustomCoordinator and MasterHa"), "{error}");
    }
}
