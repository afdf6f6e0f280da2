//! The configuration as the client of ZooKeeper wants it.

use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;
use tangelo_core::config::{Login, ZooKeeperConfig};
use tangelo_core::{Error, ErrorKind, Result};
use zookeeper_client::{Acls, Client, Connector};

/// Where things are, and how they are reached.
#[derive(Debug)]
pub(crate) struct Settings {
    config: ZooKeeperConfig,
    lock: String,
    state: String,
}

impl Settings {
    /// # Errors
    /// [`Invalid`](ErrorKind::Invalid) if it makes no sense.
    pub(crate) fn new(config: ZooKeeperConfig) -> Result<Self> {
        config.check().map_err(|what| {
            Error::new(ErrorKind::Invalid, format!("ZooKeeper's configuration makes no sense: {what}"))
        })?;
        let (lock, state) = (format!("{}/lock", config.path), format!("{}/state", config.path));
        Ok(Self { config, lock, state })
    }

    pub(crate) const fn config(&self) -> &ZooKeeperConfig {
        &self.config
    }

    /// The connect string.
    pub(crate) fn server(&self) -> &str {
        &self.config.server
    }

    /// The znode with the leader's address.
    pub(crate) fn path(&self) -> &str {
        &self.config.path
    }

    /// The parent of the lock nodes.
    pub(crate) fn lock(&self) -> &str {
        &self.lock
    }

    /// The znode with the desired state.
    pub(crate) fn state(&self) -> &str {
        &self.state
    }

    /// The lock node `name`.
    pub(crate) fn lock_node(&self, name: &str) -> String {
        format!("{}/{name}", self.lock)
    }

    /// The part of the connect string that stands before every path.
    pub(crate) fn chroot(&self) -> &str {
        let server = &self.config.server;
        server.find('/').map_or("", |slash| &server[slash..])
    }

    /// Who may do what with the nodes that are made here.
    pub(crate) const fn acls(&self) -> Acls<'static> {
        if self.config.set_acl { Acls::creator_all() } else { Acls::anyone_all() }
    }

    /// What opens a session. An attempt fails once no host of the connect string has answered: pauses are ours.
    pub(crate) fn connector(&self) -> Connector {
        let connector = Client::connector()
            .with_session_timeout(self.config.timeout)
            .with_connection_timeout(silence(self.config.timeout))
            .with_fail_eagerly();
        match &self.config.login {
            Some(Login { username, password }) => {
                let auth = Vec::from(format!("{username}:{}", password.expose()));
                connector.with_auth("digest", &auth)
            }
            None => connector,
        }
    }

    /// `<path>` belongs to somebody else, who wrote `found` there.
    pub(crate) fn foreign(&self, found: &str) -> Error {
        let place = self.place(self.path());
        Error::new(
            ErrorKind::Invalid,
            format!(
                "{place} holds {found}, which no master has written: choose another \"path\" in zookeeper.json, or clear it"
            ),
        )
    }

    /// `znode /pomelo/master of ZooKeeper at 127.0.0.1:2181`, for errors.
    pub(crate) fn place(&self, path: &str) -> String {
        format!("znode {path} of ZooKeeper at {}", self.server())
    }
}

/// A connection that has been silent for so long is given up for one with another node.
///
/// A master whose node of ZooKeeper freezes may come upon the same node once more before it finds
/// another, and has to be done with it while its last proof lasts, which is 3/5 of the session's timeout. The client's
/// default of 2/5 would be too long for that. A connection is not given up for a hiccup, though: whatever
/// was asked on it has an unknown outcome then.
fn silence(timeout: Duration) -> Duration {
    const HICCUP: Duration = Duration::from_millis(600);
    (timeout / 5).max(HICCUP.min(timeout * 2 / 5))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn silence_ends_well_within_a_proof() {
        for (timeout, silent) in [(10_000, 2000), (5000, 1000), (2000, 600), (1000, 400), (400, 160)] {
            assert_eq!(silence(Duration::from_millis(timeout)).as_millis(), silent);
        }
    }
}
