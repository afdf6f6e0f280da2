//! Winning: once for each version of `<path>`.

use super::Campaign;
use crate::error::{Fault, is_refusal};
use crate::published::{Publication, next_epoch};
use crate::reign::{Mandate, Reign};
use crate::session::Session;
use crate::standing::Entry;
use crate::state;
use crate::succession::View;
use alloc::sync::Arc;
use tangelo_core::coordinator::Epoch;
use tangelo_core::{Instant, Result};
use zookeeper_client::{MultiWriteError, MultiWriteResult};

impl Campaign {
    /// Asks for the win. `None`: somebody else has written to `<path>` since.
    pub(super) async fn win(&mut self, session: &Session, view: &View, name: &str) -> Result<Option<Reign>> {
        let context = Arc::clone(&self.context);
        let settings = &context.settings;
        if view.published.epoch().is_none() {
            // Somebody else wrote there, or nobody ever did.
            self.learn_epoch(session).await?;
        }
        let version = Epoch(u64::try_from(view.version).unwrap_or_default());
        let epoch = next_epoch([context.highest(), version]);
        let publication = Publication::new(&self.entry.candidate, epoch, name, &self.entry.nonce);
        let (lock, data) = (settings.lock_node(name), publication.encode());
        let claim = Entry { epoch: Some(epoch), ..self.entry.clone() }.encode();
        let mut writer = session.client().new_multi_writer();
        writer
            .add_set_data(&lock, &claim, None)
            .and_then(|()| writer.add_set_data(settings.path(), &data, Some(view.version)))
            .map_err(|fault| self.failed("write to", settings.path(), fault))?;
        let sent = Instant::now();
        self.attempted = true;
        match session.bounded(writer.commit()).await {
            Ok(results) => {
                // The last one: that of `<path>`.
                let version = results.iter().rev().find_map(|result| match result {
                    MultiWriteResult::SetData { stat } => Some(stat.version),
                    _ => None,
                });
                let version = version.unwrap_or_else(|| view.version.wrapping_add(1));
                Ok(Some(self.begin(session, name, epoch, version, sent)))
            }
            Err(MultiWriteError::OperationFailed { index: 1, source: Fault::BadVersion }) => {
                self.attempted = false;
                Ok(None)
            }
            Err(error) => {
                let fault = Fault::from(error);
                self.attempted = !is_refusal(&fault);
                Err(self.failed("write to", settings.path(), fault))
            }
        }
    }

    /// A win whose answer was lost: the reign begins once the session is proved anew.
    pub(super) async fn take_up(
        &self,
        session: &Session,
        view: &View,
        name: &str,
        epoch: Epoch,
    ) -> Result<Reign> {
        let lock = self.context.settings.lock_node(name);
        let failed = |fault| self.failed("check", &lock, fault);
        let mut writer = session.client().new_multi_writer();
        writer.add_check_version(&lock, -1).map_err(failed)?;
        let sent = Instant::now();
        session.bounded(writer.commit()).await.map_err(|error| failed(error.into()))?;
        Ok(self.begin(session, name, epoch, view.version, sent))
    }

    pub(super) fn begin(
        &self,
        session: &Session,
        name: &str,
        epoch: Epoch,
        version: i32,
        sent: Instant,
    ) -> Reign {
        self.context.saw(epoch);
        self.context.belong();
        Reign::begin(Mandate {
            context: Arc::clone(&self.context),
            guard: Arc::clone(&self.guard),
            session: session.clone(),
            entry: self.entry.clone(),
            lock: name.into(),
            epoch,
            version,
            proved: sent,
        })
    }

    /// Hears of the reign that wrote the state last.
    pub(super) async fn learn_epoch(&self, session: &Session) -> Result<()> {
        let path = self.context.settings.state();
        match session.bounded(session.client().get_data(path)).await {
            Ok((data, _)) => self.context.saw(state::epoch(&data)),
            Err(Fault::NoNode) => {}
            Err(fault) => return Err(self.failed("read", path, fault)),
        }
        Ok(())
    }
}
