//! The desired state, written only as long as the reign lasts.

use super::Inner;
use crate::context::backoff;
use crate::error::Fault;
use crate::state;
use crate::tree::persistent;
use alloc::vec::Vec;
use tangelo_core::patience::Backoff;
use tangelo_core::{Error, Instant, Result};
use zookeeper_client::{MultiWriteError, MultiWriteResult};

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
    /// Through connections that are lost, as long as the session's timeout.
    pub(super) async fn store(&self, state: &[u8]) -> Result<()> {
        self.check()?;
        let context = &self.mandate.context;
        let data = state::encode(&*context.runtime, self.mandate.epoch, state).await?;
        let mut known = self.known.lock().await;
        let mut tries = Tries::new(self);
        loop {
            self.check()?;
            if matches!(*known, Known::Nothing) {
                match self.read().await {
                    // A try of ours whose answer was lost.
                    Ok((Some(found), at)) if tries.begun && found == data => {
                        *known = at;
                        return Ok(());
                    }
                    Ok((_, at)) => *known = at,
                    Err(error) => {
                        tries.again(error).await?;
                        continue;
                    }
                }
            }
            // If we are dropped from here on, the next one finds out.
            let version = core::mem::take(&mut *known);
            tries.begun = true;
            let fault = match self.write(&data, version).await {
                Ok(version) => {
                    *known = Known::At(version);
                    return Ok(());
                }
                Err(MultiWriteError::OperationFailed { index: 0, source: Fault::NoNode }) => {
                    self.lose("its lock node is gone");
                    return Err(self.fenced());
                }
                Err(error) => Fault::from(error),
            };
            let path = context.settings.state();
            let error = match fault {
                // It is not as it was known: the next look shows how it is.
                Fault::BadVersion | Fault::NoNode | Fault::NodeExists => {
                    context.settings.passing("write", path, fault)
                }
                fault => self.failed("write", path, fault),
            };
            tries.again(error).await?;
        }
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
        let mut tries = Tries::new(self);
        let (data, at) = loop {
            match self.read().await {
                Ok(found) => break found,
                Err(error) => tries.again(error).await?,
            }
        };
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

/// Tries of one store or load.
struct Tries<'a> {
    inner: &'a Inner,
    deadline: Instant,
    backoff: Backoff,
    /// Whether something was asked for that may have been done.
    begun: bool,
}

impl<'a> Tries<'a> {
    fn new(inner: &'a Inner) -> Self {
        let deadline = Instant::now() + inner.mandate.session.timeout();
        Self { inner, deadline, backoff: backoff(), begun: false }
    }

    /// Pauses before another try.
    ///
    /// # Errors
    /// `error`, if there is to be none.
    async fn again(&mut self, error: Error) -> Result<()> {
        let over = self.inner.mandate.session.is_over() || Instant::now() >= self.deadline;
        if over || !error.is_temporary() || self.inner.check().is_err() {
            return Err(error);
        }
        self.inner.mandate.context.sleep(self.backoff.pause()).await;
        Ok(())
    }
}
