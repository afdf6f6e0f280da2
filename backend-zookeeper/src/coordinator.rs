//! The coordinator as the engine sees it.

use crate::GuardCommand;
use crate::campaign::Campaign;
use crate::config::Settings;
use crate::context::Context;
use crate::error::Fault;
use crate::guardian::Guardian;
use crate::look;
use crate::observe;
use crate::tree;
use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use async_trait::async_trait;
use tangelo_core::config::ZooKeeperConfig;
use tangelo_core::coordinator::{Candidate, Coordinator, LeaderInfo, Leadership};
use tangelo_core::runtime::Runtime;
use tangelo_core::{BoxStream, Error, ErrorKind, Result};

/// Elects one leader among masters on several hosts, by way of ZooKeeper.
///
/// All that it does shares one session, which is opened when it is first needed.
#[derive(Debug)]
pub struct ZooKeeperCoordinator {
    context: Arc<Context>,
    guardian: Guardian,
}

impl ZooKeeperCoordinator {
    /// A coordinator that uses what `config` names. Nothing is connected before it is needed.
    ///
    /// # Errors
    /// [`Invalid`](ErrorKind::Invalid) if the configuration makes no sense.
    pub fn new(runtime: Arc<dyn Runtime>, config: ZooKeeperConfig) -> Result<Self> {
        let context = Arc::new(Context::new(runtime, Settings::new(config)?));
        Ok(Self { context, guardian: Guardian::default() })
    }

    /// For masters: keeps a guard process, started by `command`, while standing for election or leading.
    #[must_use]
    pub fn with_guard(self, command: GuardCommand) -> Self {
        Self { guardian: Guardian::new(command), ..self }
    }
}

#[async_trait]
impl Coordinator for ZooKeeperCoordinator {
    async fn campaign(&self, candidate: Candidate) -> Result<Box<dyn Leadership>> {
        let context = Arc::clone(&self.context);
        let guard = self.guardian.guard(&context.runtime, &context.settings);
        let (waiting, cancelled) = async_channel::bounded(1);
        let (tell, told) = async_channel::bounded(1);
        let campaign = Campaign::new(Arc::clone(&context), guard, candidate, cancelled);
        context.runtime.spawn(Box::pin(campaign.run(tell)));
        let outcome = told.recv().await.unwrap_or_else(|_| {
            Err(Error::new(ErrorKind::Unavailable, "the campaign was given up: the runtime is shutting down"))
        });
        // Only now: its end withdraws the candidacy.
        drop(waiting);
        Ok(Box::new(outcome?))
    }

    fn observe(&self) -> BoxStream<'static, Result<Option<LeaderInfo>>> {
        observe::observe(Arc::clone(&self.context))
    }

    async fn candidates(&self) -> Result<Vec<Candidate>> {
        let context = &self.context;
        let session = context.sessions.get().await?;
        let settings = &context.settings;
        let view = match look::again(context, &session).await {
            Ok(view) => view,
            Err((path, Fault::NoNode)) if path == settings.path() => {
                // The first master will make it, or nobody will.
                return if settings.config().create { Ok(Vec::new()) } else { Err(tree::missing(settings)) };
            }
            Err((path, fault)) => return Err(settings.passing("read", &path, fault)),
        };
        Ok(view.candidates().into_iter().map(|node| node.entry.candidate.clone()).collect())
    }
}
