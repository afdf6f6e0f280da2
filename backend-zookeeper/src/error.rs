//! What ZooKeeper's errors mean here.

use crate::config::Settings;
use tangelo_core::{Error, ErrorKind};
use zookeeper_client::SessionState;

/// An error of ZooKeeper or of its client.
pub(crate) type Fault = zookeeper_client::Error;

/// Whether the request was refused, so that nothing has happened. After any other error it may
/// have been carried out, or may still be.
pub(crate) const fn is_refusal(fault: &Fault) -> bool {
    matches!(
        fault,
        Fault::NoNode
            | Fault::NoAuth
            | Fault::BadVersion
            | Fault::NodeExists
            | Fault::NotEmpty
            | Fault::NoChildrenForEphemerals
            | Fault::InvalidAcl
            | Fault::BadArguments(_)
            | Fault::QuotaExceeded
            | Fault::ReconfigDisabled
            | Fault::Unimplemented
            | Fault::NotReadOnly
            | Fault::Throttled
    )
}

/// What it means to whoever calls us.
pub(crate) const fn kind(fault: &Fault) -> ErrorKind {
    match fault {
        Fault::NoAuth | Fault::AuthFailed => ErrorKind::Denied,
        Fault::NoNode => ErrorKind::NotFound,
        Fault::NodeExists => ErrorKind::AlreadyExists,
        Fault::Timeout => ErrorKind::Timeout,
        Fault::BadArguments(_)
        | Fault::InvalidAcl
        | Fault::NoChildrenForEphemerals
        | Fault::QuotaExceeded => ErrorKind::Invalid,
        Fault::Unimplemented => ErrorKind::Unsupported,
        Fault::UnmarshalError { .. } | Fault::MarshallingError => ErrorKind::Protocol,
        // Everything about connections and sessions, for most of which the client has no name of its own.
        _ => ErrorKind::Unavailable,
    }
}

impl Settings {
    /// The error of `doing` something with the znode `path`.
    pub(crate) fn error(&self, doing: &str, path: &str, fault: Fault) -> Error {
        let kind = kind(&fault);
        let place = self.place(path);
        let message = match kind {
            ErrorKind::Denied => {
                let who = match &self.config().login {
                    Some(login) => format!("user {:?}", login.username),
                    None => "nobody in particular (there is no \"username\" and \"password\")".into(),
                };
                format!("cannot {doing} {place} as {who}: zookeeper.json needs the credentials that made it")
            }
            ErrorKind::Timeout => format!("cannot {doing} {place}: no answer in time"),
            _ => format!("cannot {doing} {place}"),
        };
        Error::new(kind, message).with_source(fault)
    }

    /// The same for what a loop retries: a znode that has gone there comes back, or is missed with a better message.
    pub(crate) fn passing(&self, doing: &str, path: &str, fault: Fault) -> Error {
        match kind(&fault) {
            ErrorKind::NotFound | ErrorKind::AlreadyExists => {
                let message = format!("cannot {doing} {}: somebody else changes it", self.place(path));
                Error::new(ErrorKind::Unavailable, message).with_source(fault)
            }
            _ => self.error(doing, path, fault),
        }
    }

    /// Why no session could be opened.
    pub(crate) fn unreachable(&self, fault: Fault) -> Error {
        let server = self.server();
        match kind(&fault) {
            ErrorKind::Denied => {
                Error::new(ErrorKind::Denied, format!("ZooKeeper at {server} refuses these credentials"))
                    .with_source(fault)
            }
            ErrorKind::Invalid => Error::new(
                ErrorKind::Invalid,
                format!("ZooKeeper's connect string {server:?} makes no sense"),
            )
            .with_source(fault),
            _ => {
                let message =
                    format!("ZooKeeper at {server} cannot be reached: is it running, with a majority?");
                Error::new(ErrorKind::Unavailable, message).with_source(fault)
            }
        }
    }
}

/// Why a session is over.
pub(crate) const fn why_over(state: SessionState) -> &'static str {
    match state {
        SessionState::AuthFailed => "ZooKeeper refuses the credentials",
        SessionState::Closed => "the ZooKeeper session was closed",
        _ => "the ZooKeeper session has expired",
    }
}

/// Whether no waiting can cure it.
pub(crate) const fn is_hopeless(error: &Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::Denied | ErrorKind::Invalid | ErrorKind::Unsupported | ErrorKind::NotFound
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use tangelo_core::config::{Login, Password, ZooKeeperConfig};

    fn settings() -> Settings {
        let login = Login { username: "pomelo".into(), password: Password::new("hush") };
        Settings::new(ZooKeeperConfig { login: Some(login), ..ZooKeeperConfig::default() }).unwrap()
    }

    #[test]
    fn what_may_have_happened_is_no_refusal() {
        for fault in [
            Fault::ConnectionLoss,
            Fault::Timeout,
            Fault::SessionExpired,
            Fault::SessionMoved,
            Fault::ClientClosed,
            Fault::UnexpectedErrorCode(-4),
            Fault::UnexpectedError("no reply".into()),
        ] {
            assert!(!is_refusal(&fault), "{fault:?}");
            assert!(kind(&fault).is_temporary(), "{fault:?}");
        }
    }

    #[test]
    fn an_error_says_what_where_and_what_to_do_and_no_password() {
        let error = settings().error("read", "/pomelo/master", Fault::NoAuth);
        let text = error.to_string();
        assert_eq!(error.kind(), ErrorKind::Denied);
        for part in ["cannot read znode /pomelo/master", "127.0.0.1:2181", "\"pomelo\"", "zookeeper.json"] {
            assert!(text.contains(part), "{text}");
        }
        assert!(!text.contains("hush") && !text.contains('\n'), "{text}");
    }
}
