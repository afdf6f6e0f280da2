//! The desired state, written only as long as the reign lasts.

use super::Inner;
use crate::error::Fault;
use crate::state;
use crate::tree::persistent;
use alloc::vec::Vec;
use tangelo_core::{Error, ErrorKind, Result};
use zookeeper_client::{MultiWriteError, MultiWriteResult};

/// Between a look and a write nobody else writes there, except ourselves in a request that was given up.
const LOOKS: u32 = 4;

/// What is known of the state's znode.
#[derive(Debug, Clone, Copy, Default)]
pub(super) enum Known {
    /// Nothing: a store is under way, or its outcome is unknown.
    #[default]
    Nothing,
    /// There is none.
    Absent,
    /// Its version.
    At(i32),
}

impl Inner {
    pub(super) async fn store(&self, state: &[u8]) -> Result<()> {
        self.check()?;
        let context = &self.mandate.context;
        let data = state::encode(&*context.runtime, self.mandate.epoch, state).await?;
        let mut known = self.known.lock().await;
        for _ in 0..LOOKS {
            self.check()?;
            if matches!(*known, Known::Nothing) {
                *known = self.read().await?.1;
            }
            // If we are dropped from here on, the next one finds out.
            let version = core::mem::take(&mut *known);
            match self.write(&data, version).await {
                Ok(version) => {
                    *known = Known::At(version);
                    return Ok(());
                }
                Err(MultiWriteError::OperationFailed { index: 0, source: Fault::NoNode }) => {
                    self.lose("its lock node is gone");
                    return Err(self.fenced());
                }
                Err(MultiWriteError::OperationFailed {
                    index: 1,
                    source: Fault::BadVersion | Fault::NoNode | Fault::NodeExists,
                }) => {}
                Err(error) => return Err(self.failed("write", context.settings.state(), error.into())),
            }
        }
        let place = context.settings.place(context.settings.state());
        Err(Error::new(
            ErrorKind::Unavailable,
            format!("cannot write {place}: somebody else writes there too"),
        ))
    }

    /// Writes if the lock node is there and the znode is as it is known; gives its version.
    async fn write(&self, data: &[u8], known: Known) -> Result<i32, MultiWriteError> {
        let (session, settings) = (&self.mandate.session, &self.mandate.context.settings);
        let mut writer = session.client().new_multi_writer();
        writer.add_check_version(&self.lock_path, -1)?;
        let version = if let Known::At(version) = known {
            writer.add_set_data(settings.state(), data, Some(version))?;
            version.wrapping_add(1)
        } else {
            writer.add_create(settings.state(), data, &persistent(settings))?;
            0
        };
        let results = session.within(self.limit(), writer.commit()).await?;
        let written = results.iter().find_map(|result| match result {
            MultiWriteResult::SetData { stat } => Some(stat.version),
            _ => None,
        });
        Ok(written.unwrap_or(version))
    }

    pub(super) async fn load(&self) -> Result<Option<Vec<u8>>> {
        self.check()?;
        let mut known = self.known.lock().await;
        let (data, at) = self.read().await?;
        *known = at;
        drop(known);
        let settings = &self.mandate.context.settings;
        let state = match data {
            Some(data) => {
                let place = settings.place(settings.state());
                Some(state::decode(&*self.mandate.context.runtime, data, &place).await?)
            }
            None => None,
        };
        self.check()?;
        Ok(state)
    }

    /// What stands there, not older than this moment.
    async fn read(&self) -> Result<(Option<Vec<u8>>, Known)> {
        let (session, settings) = (&self.mandate.session, &self.mandate.context.settings);
        let (client, path) = (session.client(), settings.state());
        // Both are on their way before either is awaited.
        let (sync, get) = (client.sync(path), client.get_data(path));
        let read = async {
            sync.await?;
            get.await
        };
        match session.within(self.limit(), read).await {
            Ok((data, _)) if state::epoch(&data) > self.mandate.epoch => {
                self.lose("a later reign has stored its state");
                Err(self.fenced())
            }
            Ok((data, stat)) => Ok((Some(data), Known::At(stat.version))),
            Err(Fault::NoNode) => Ok((None, Known::Absent)),
            Err(fault) => Err(self.failed("read", path, fault)),
        }
    }
}
