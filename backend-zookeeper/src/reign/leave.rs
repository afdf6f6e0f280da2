//! The end of a reign: given up, handed over, or lost.

use super::Inner;
use crate::context::backoff;
use crate::error::{Fault, is_refusal};
use crate::look;
use crate::published::Published;
use crate::sweep::Remains;
use alloc::boxed::Box;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use futures_lite::future;
use tangelo_core::{Error, ErrorKind, Result};
use zookeeper_client::{MultiWriteError, MultiWriteResult};

impl Inner {
    pub(super) async fn resign(self: &Arc<Self>) -> Result<()> {
        // First of all, or the keeper would see the end and clear away what is left.
        let mine = self.claim();
        self.now.lose();
        if mine { self.leave_apart(None).await } else { Ok(()) }
    }

    pub(super) async fn hand_over(self: &Arc<Self>, to: &str) -> Result<()> {
        self.check()?;
        let (session, settings) = (&self.mandate.session, &self.mandate.context.settings);
        let late = async {
            self.mandate.context.sleep(self.limit()).await;
            Err((settings.lock().into(), Fault::Timeout))
        };
        let view = future::or(look::again(&self.mandate.context, session), late).await;
        let view = view.map_err(|(path, fault)| self.failed("read", &path, fault))?;
        let standing: Vec<_> =
            view.nodes.iter().filter(|node| node.entry.nonce != self.mandate.entry.nonce).collect();
        let Some(successor) = standing.iter().find(|node| node.entry.candidate.is_named(to)) else {
            let names: Vec<_> = standing.iter().map(|node| node.entry.candidate.id.as_str()).collect();
            let who = if names.is_empty() {
                "there is none".into()
            } else {
                format!("those that do: {}", names.join(", "))
            };
            let message = format!("no standby {to:?} stands for election; {who}");
            return Err(Error::new(ErrorKind::NotFound, message));
        };
        if !self.claim() {
            return Err(self.fenced());
        }
        // Its reign may begin before we hear that ours has ended.
        if !self.now.lose() {
            let _ = self.sweep().await;
            return Err(self.fenced());
        }
        self.leave_apart(Some(successor.name.clone())).await
    }

    /// [`leave`](Self::leave), to its end even if nobody waits for it any more.
    async fn leave_apart(self: &Arc<Self>, successor: Option<String>) -> Result<()> {
        let (told, telling) = async_channel::bounded(1);
        let inner = Arc::clone(self);
        self.mandate.context.runtime.spawn(Box::pin(async move {
            let result = inner.leave(successor.as_deref()).await;
            let _ = told.try_send(result);
        }));
        let unknown = |why: &str| {
            let place = self.mandate.context.settings.place(&self.lock_path);
            Err(Error::new(ErrorKind::Unavailable, format!("cannot resign in {place}: {why}")))
        };
        let answered =
            async { telling.recv().await.unwrap_or_else(|_| unknown("the runtime is shutting down")) };
        let late = async {
            self.mandate.context.sleep(self.mandate.session.timeout()).await;
            unknown("no answer in time")
        };
        future::or(answered, late).await
    }

    /// Deletes the lock node and takes the published address back, in one step if all is well and
    /// until both are done if not.
    ///
    /// # Errors
    /// If the successor was gone, or ZooKeeper could not be told.
    pub(super) async fn leave(&self, successor: Option<&str>) -> Result<()> {
        let (session, settings) = (&self.mandate.session, &self.mandate.context.settings);
        let mut backoff = backoff();
        loop {
            let Err(error) = self.vacate(successor).await else {
                self.mandate.guard.release(&self.lock_path);
                return Ok(());
            };
            let gone = matches!(error, MultiWriteError::OperationFailed { index: 2, source: Fault::NoNode });
            let fault = Fault::from(error);
            let Some(successor) = successor else {
                // Whatever came between, it is done now.
                return if self.sweep().await { Ok(()) } else { Err(self.untold(fault)) };
            };
            if gone || session.is_over() {
                let _ = self.sweep().await;
                let message = format!("{successor} was gone in the moment of the hand-over; another leads");
                return Err(Error::new(ErrorKind::Unavailable, message).with_source(fault));
            }
            if is_refusal(&fault) {
                // An earlier try may have done it, though its answer was lost.
                let done = session.bounded(session.client().get_data(settings.path())).await;
                let is_done = |data: &[u8]| match Published::parse(data) {
                    Published::Nobody { epoch, successor: named } => {
                        epoch == Some(self.mandate.epoch) && named.as_deref() == Some(successor)
                    }
                    later => later.epoch() > Some(self.mandate.epoch),
                };
                let done = done.is_ok_and(|(data, _)| is_done(&data));
                let swept = self.sweep().await;
                return if done && swept { Ok(()) } else { Err(self.untold(fault)) };
            }
            self.mandate.context.sleep(backoff.pause()).await;
        }
    }

    fn untold(&self, fault: Fault) -> Error {
        let settings = &self.mandate.context.settings;
        settings.passing("take the leader's address back from", settings.path(), fault)
    }

    async fn vacate(&self, successor: Option<&str>) -> Result<Vec<MultiWriteResult>, MultiWriteError> {
        let (session, settings) = (&self.mandate.session, &self.mandate.context.settings);
        let version = *self.version.lock();
        let vacant = Published::vacant(self.mandate.epoch, successor);
        let mut writer = session.client().new_multi_writer();
        writer.add_delete(&self.lock_path, None)?;
        writer.add_set_data(settings.path(), &vacant, Some(version))?;
        if let Some(successor) = successor {
            writer.add_check_version(&settings.lock_node(successor), -1)?;
        }
        session.bounded(writer.commit()).await
    }

    /// Clears away what is left, whatever the connection does meanwhile.
    pub(super) async fn sweep(&self) -> bool {
        let mandate = &self.mandate;
        let remains = Remains {
            context: Arc::clone(&mandate.context),
            guard: Arc::clone(&mandate.guard),
            nonce: mandate.entry.nonce.clone(),
            node: Some((mandate.lock.clone(), mandate.session.clone())),
            published: true,
        };
        remains.sweep().await
    }
}
