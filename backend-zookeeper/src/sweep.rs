//! Taking back what a candidacy has left in ZooKeeper, however uncertain it is what that is.

use crate::context::{Context, backoff};
use crate::error::{Fault, is_hopeless, is_refusal};
use crate::guardian::Guarded;
use crate::look;
use crate::published::Published;
use crate::session::Session;
use alloc::string::String;
use alloc::sync::Arc;
use core::time::Duration;
use tangelo_core::{Instant, Result};
use zookeeper_client::MultiWriteError;

/// A candidacy that is over.
#[derive(Debug)]
pub(crate) struct Remains {
    pub(crate) context: Arc<Context>,
    pub(crate) guard: Arc<Guarded>,
    pub(crate) nonce: String,
    /// The lock node, if it is known, and with whose session.
    pub(crate) node: Option<(String, Session)>,
    /// Whether it may have won.
    pub(crate) published: bool,
}

impl Remains {
    /// Deletes the lock node, and takes the published address back. Tries until both are gone, or the session that they
    /// belong to has ended by itself; whether they are known to be gone.
    pub(crate) async fn sweep(self) -> bool {
        let timeout = self.context.settings.config().timeout;
        let deadline = Instant::now() + timeout * 3 + Duration::from_secs(5);
        let mut backoff = backoff();
        while Instant::now() < deadline {
            match self.attempt().await {
                Ok(()) => {
                    if let Some((name, _)) = &self.node {
                        self.guard.release(&self.context.settings.lock_node(name));
                    }
                    return true;
                }
                Err(error) if is_hopeless(&error) => {
                    tracing::warn!(%error, "a lock node is left behind until its session ends");
                    return false;
                }
                Err(error) => {
                    tracing::debug!(%error, "a lock node cannot be deleted now");
                    self.context.sleep(backoff.pause()).await;
                }
            }
        }
        false
    }

    async fn attempt(&self) -> Result<()> {
        let settings = &self.context.settings;
        if let (Some((name, session)), false) = (&self.node, self.published)
            && session.is_connected()
        {
            // What a standby leaves behind: one node, and nobody else has one of that name.
            let path = settings.lock_node(name);
            match session.bounded(session.client().delete(&path, None)).await {
                Ok(()) | Err(Fault::NoNode) => return Ok(()),
                Err(fault) => return Err(settings.passing("delete", &path, fault)),
            }
        }
        let session = self.context.sessions.get().await?;
        let view = match look::once(&session, settings).await {
            Ok(view) => view,
            // Everything is gone.
            Err((_, Fault::NoNode)) => return Ok(()),
            Err((path, fault)) => return Err(settings.error("read", &path, fault)),
        };
        let nodes: Vec<_> = view.nodes.iter().filter(|node| node.entry.nonce == self.nonce).collect();
        let client = session.client();
        let mut writer = client.new_multi_writer();
        let failed = |fault| settings.passing("take back the lock nodes in", settings.lock(), fault);
        for node in &nodes {
            writer.add_delete(&settings.lock_node(&node.name), None).map_err(failed)?;
        }
        match &view.published {
            Published::Leader(leader) if leader.nonce == self.nonce => {
                let vacant = Published::vacant(leader.epoch, None);
                writer.add_set_data(settings.path(), &vacant, Some(view.version)).map_err(failed)?;
            }
            _ if nodes.is_empty() => return Ok(()),
            _ => {}
        }
        match session.bounded(writer.commit()).await {
            Ok(_) => Ok(()),
            Err(
                MultiWriteError::OperationFailed { source, .. } | MultiWriteError::RequestFailed { source },
            ) if is_refusal(&source) && source != Fault::NoAuth => {
                // Somebody was faster with one of them: the next look shows what is left.
                Err(failed(source))
            }
            Err(error) => Err(failed(error.into())),
        }
    }
}
