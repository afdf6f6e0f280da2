//! Keeps a reign: proves again and again that it lasts, and notices when it does not.

use super::{Inner, lease};
use crate::error::{Fault, why_over};
use crate::published::Published;
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use core::pin::pin;
use core::time::Duration;
use event_listener::Event;
use futures_lite::future;
use tangelo_core::Instant;
use tangelo_core::coordinator::LeadershipState;
use zookeeper_client::{MultiWriteError, SessionState};

/// Between two publications over what somebody else writes, and between tries of what fails.
const REPUBLISH: Duration = Duration::from_secs(1);

/// Runs as long as the reign, then clears away what is left of it.
pub(super) async fn keep(inner: Arc<Inner>) {
    let connected = Event::new();
    let proofs = inner.prove_again_and_again(&connected);
    let watches = future::or(inner.watch_lock(), inner.watch_path());
    let events = future::or(inner.watch_session(&connected), watches);
    let over = async {
        inner.over().await;
        "its deadline has passed".into()
    };
    let why: String = future::or(over, future::or(events, proofs)).await;
    inner.lose(&why);
    if inner.claim() {
        let _ = inner.sweep().await;
    }
}

impl Inner {
    /// Ends when the reign has ended, by whatever cause.
    async fn over(&self) {
        loop {
            let change = self.now.change();
            if self.now.state() == LeadershipState::Lost {
                return;
            }
            let left = self.now.deadline().saturating_since(Instant::now());
            future::or(change, self.mandate.context.sleep(left)).await;
        }
    }

    /// Proves every sixth of the timeout that the session lives, and at once when it is connected again.
    /// Ends with the reason why the reign is over.
    async fn prove_again_and_again(&self, connected: &Event) -> String {
        let timeout = self.mandate.session.timeout();
        let (every, overdue) = (timeout / 6, timeout / 5);
        let mut due = self.mandate.proved + every;
        loop {
            let again = connected.listen();
            future::or(again, self.mandate.context.sleep(due.saturating_since(Instant::now()))).await;
            let sent = Instant::now();
            let mut proof = pin!(self.prove());
            let in_time = async { Some(proof.as_mut().await) };
            let late = async {
                self.mandate.context.sleep(overdue).await;
                None
            };
            let proved = match future::or(in_time, late).await {
                Some(proved) => proved,
                None => {
                    self.suspend("ZooKeeper does not answer in time");
                    proof.await
                }
            };
            match proved {
                Ok(()) => {
                    due = sent + every;
                    let was = self.now.state();
                    self.now.proved(sent + lease(timeout), self.mandate.session.is_connected());
                    if was == LeadershipState::Suspended && self.now.state() == LeadershipState::Leading {
                        tracing::info!(
                            epoch = self.mandate.epoch.0,
                            "this master leads on: ZooKeeper answers again"
                        );
                    }
                }
                Err(Disproof::Gone) => return "its lock node is gone".into(),
                Err(Disproof::Unknown(fault)) => {
                    self.suspend(&fault.to_string());
                    due = Instant::now() + every / 4;
                }
            }
        }
    }

    /// One round trip through a majority of the ensemble, which proves that the lock node is still there.
    async fn prove(&self) -> Result<(), Disproof> {
        let session = &self.mandate.session;
        let client = session.client();
        let mut writer = client.new_multi_writer();
        writer.add_check_version(&self.lock_path, -1).map_err(Disproof::Unknown)?;
        // Both are on their way before either is awaited.
        let (check, stat) = (writer.commit(), client.check_stat(&self.lock_path));
        match session.bounded(check).await {
            Ok(_) => {}
            Err(MultiWriteError::OperationFailed { source: Fault::NoNode, .. }) => {
                return Err(Disproof::Gone);
            }
            Err(error) => return Err(Disproof::Unknown(error.into())),
        }
        // A name can be given twice, if `lock` itself was deleted and made anew.
        match session.bounded(stat).await {
            Ok(Some(stat)) if stat.ephemeral_owner == session.id() => Ok(()),
            Ok(_) => Err(Disproof::Gone),
            Err(fault) => Err(Disproof::Unknown(fault)),
        }
    }

    fn suspend(&self, why: &str) {
        if self.now.state() == LeadershipState::Leading {
            let left_ms = self.now.deadline().saturating_since(Instant::now()).as_millis();
            tracing::warn!(epoch = self.mandate.epoch.0, left_ms, why, "the leadership is in doubt");
            self.now.suspend();
        }
    }

    /// Follows the connection. Ends when the session has.
    async fn watch_session(&self, connected: &Event) -> String {
        let client = self.mandate.session.client();
        let mut watcher = client.state_watcher();
        let mut state = client.state();
        loop {
            match state {
                SessionState::SyncConnected => drop(connected.notify(usize::MAX)),
                SessionState::Expired | SessionState::AuthFailed | SessionState::Closed => {
                    return why_over(state).into();
                }
                _ => self.suspend("the connection to ZooKeeper is lost"),
            }
            state = watcher.changed().await;
        }
    }

    /// Watches the lock node. Ends when it is gone.
    async fn watch_lock(&self) -> String {
        let session = &self.mandate.session;
        loop {
            let look = session.client().check_and_watch_stat(&self.lock_path);
            match session.bounded(look).await {
                Ok((Some(stat), watcher)) if stat.ephemeral_owner == session.id() => {
                    watcher.changed().await;
                }
                Ok(_) => return "its lock node was deleted".into(),
                Err(fault) => self.pause(&fault).await,
            }
        }
    }

    /// Watches `<path>`: if somebody else writes there, this master publishes itself again. Ends if
    /// it is somebody who leads.
    async fn watch_path(&self) -> String {
        let Self { mandate, .. } = self;
        let (session, settings) = (&mandate.session, &mandate.context.settings);
        let mine = self.publication();
        loop {
            let look = session.client().get_and_watch_data(settings.path());
            let (data, stat, watcher) = match session.bounded(look).await {
                Ok(found) => found,
                Err(fault) => {
                    self.pause(&fault).await;
                    continue;
                }
            };
            match Published::parse(&data) {
                Published::Leader(other) if other == mine => {
                    *self.version.lock() = stat.version;
                    watcher.changed().await;
                    continue;
                }
                later if later.epoch().is_some_and(|epoch| epoch > mandate.epoch) => {
                    return "a later reign has begun".into();
                }
                Published::Leader(other) => {
                    let lock = settings.lock_node(&other.lock);
                    match session.bounded(session.client().check_stat(&lock)).await {
                        Ok(None) => {}
                        Ok(Some(_)) if other.lock != mandate.lock => {
                            return "another master has been published".into();
                        }
                        Ok(Some(_)) => {}
                        Err(fault) => {
                            self.pause(&fault).await;
                            continue;
                        }
                    }
                }
                Published::Nobody { .. } | Published::Garbage(_) => {}
            }
            let found = crate::published::shown(&data);
            tracing::error!(
                epoch = mandate.epoch.0,
                path = settings.path(),
                found,
                "somebody has overwritten the published address of this master, which publishes it again"
            );
            if let Err(fault) = self.publish(stat.version).await {
                tracing::warn!(%fault, "cannot publish the address of this master");
            }
            mandate.context.sleep(REPUBLISH).await;
        }
    }

    /// Publishes this master once more, over version `over` of `<path>`.
    async fn publish(&self, over: i32) -> Result<(), Fault> {
        let Self { mandate, lock_path, .. } = self;
        let mut writer = mandate.session.client().new_multi_writer();
        writer.add_check_version(lock_path, -1)?;
        writer.add_set_data(mandate.context.settings.path(), &self.publication().encode(), Some(over))?;
        mandate.session.bounded(writer.commit()).await?;
        Ok(())
    }

    /// After a look that failed; the session's own watcher tells when there is no use in another one.
    async fn pause(&self, fault: &Fault) {
        tracing::debug!(%fault, "a look at ZooKeeper has failed");
        self.mandate.context.sleep(self.mandate.session.timeout() / 24).await;
    }
}

/// Why a proof has failed.
enum Disproof {
    /// The reign is over.
    Gone,
    /// Nobody can tell.
    Unknown(Fault),
}
