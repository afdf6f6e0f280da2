//! How a session is asked for.

use alloc::format;
use tangelo_core::config::ZooKeeperConfig;
use tangelo_core::{Error, ErrorKind};
use zookeeper_client::{Client, Connector};

pub(super) fn connector(config: &ZooKeeperConfig) -> Connector {
    let connector = Client::connector().with_session_timeout(config.timeout);
    match &config.login {
        Some(login) => {
            let pair = format!("{}:{}", login.username, login.password.expose());
            connector.with_auth("digest", pair.as_bytes())
        }
        None => connector,
    }
}

pub(super) fn error(server: &str, error: zookeeper_client::Error) -> Error {
    use zookeeper_client::Error as Z;
    let (kind, message) = match error {
        Z::AuthFailed => {
            (ErrorKind::Denied, format!("ZooKeeper at {server} refuses the username and password"))
        }
        Z::NoAuth => {
            (ErrorKind::Denied, format!("ZooKeeper at {server} denies this user the right to do it"))
        }
        Z::BadArguments(_) => (ErrorKind::Invalid, format!("ZooKeeper's client refuses {server}")),
        _ => (ErrorKind::Unavailable, format!("ZooKeeper at {server} cannot be reached")),
    };
    Error::new(kind, message).with_source(error)
}
