//! What Redis's errors mean, and what cures them.

use core::fmt::Display;
use redis::{ErrorKind as Kind, RedisError, ServerErrorKind};
use tangelo_core::{Error, ErrorKind};

/// An error that can be told to several callers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure {
    pub(crate) kind: ErrorKind,
    pub(crate) message: String,
}

/// What to do about an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Remedy {
    /// The connection is of no use any more; another one may be.
    Reconnect,
    /// The server says that it will be able to, soon.
    Again,
    /// The server does not know a script: it is to be sent in full.
    InFull,
    /// Nothing that we could do.
    None,
}

impl Failure {
    pub(crate) fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into() }
    }

    /// `error`, met by `place`.
    pub(crate) fn of(place: impl Display, error: &RedisError) -> Self {
        Self::with(place, error, meaning(error))
    }

    /// `error`, met in the Cluster at `place`.
    pub(crate) fn in_cluster(place: impl Display, error: &RedisError) -> Self {
        let meaning = match error.kind() {
            Kind::Server(ServerErrorKind::Moved | ServerErrorKind::Ask) => {
                (ErrorKind::Unavailable, Some("the node that has the slot cannot be reached"))
            }
            _ => meaning(error),
        };
        Self::with(place, error, meaning)
    }

    fn with(place: impl Display, error: &RedisError, (kind, cure): (ErrorKind, Option<&str>)) -> Self {
        let said = said(error);
        let message = match cure {
            Some(cure) => format!("Redis at {place}: {said}: {cure}"),
            None => format!("Redis at {place}: {said}"),
        };
        Self { kind, message }
    }

    /// The same, with what was being done in front.
    pub(crate) fn error(&self, doing: &str) -> Error {
        Error::new(self.kind, format!("cannot {doing}: {}", self.message))
    }
}

/// What to do about `error`, from a server or a node of a Cluster.
pub(crate) fn remedy(error: &RedisError, cluster: bool) -> Remedy {
    match error.kind() {
        // The node that has the slot is not there: it, or its replica, will be.
        Kind::Server(ServerErrorKind::Moved | ServerErrorKind::Ask) if cluster => Remedy::Again,
        Kind::Io | Kind::Parse | Kind::ClusterConnectionNotFound => Remedy::Reconnect,
        // The server was demoted: somebody else is the master now.
        Kind::Server(ServerErrorKind::ReadOnly) => Remedy::Reconnect,
        Kind::Server(
            ServerErrorKind::BusyLoading
            | ServerErrorKind::TryAgain
            | ServerErrorKind::ClusterDown
            | ServerErrorKind::MasterDown,
        ) => Remedy::Again,
        Kind::Server(ServerErrorKind::NoScript) => Remedy::InFull,
        _ if matches!(error.code(), Some("NOREPLICAS" | "BUSY")) => Remedy::Again,
        _ => Remedy::None,
    }
}

/// What kind of error it is for a caller, and what can be done.
fn meaning(error: &RedisError) -> (ErrorKind, Option<&'static str>) {
    use ErrorKind as E;
    let said = error.detail().unwrap_or_default();
    match error.kind() {
        Kind::AuthenticationFailed => (E::Denied, Some("the user or the password is wrong")),
        Kind::Io => io_meaning(error),
        Kind::Client | Kind::InvalidClientConfig if is_tls(error) => TLS,
        Kind::InvalidClientConfig => (E::Invalid, None),
        Kind::ClusterConnectionNotFound => (E::Unavailable, Some("no node of the Cluster can be reached")),
        Kind::Parse => (E::Protocol, Some("is it Redis that listens there, and without TLS?")),
        Kind::Server(kind) => server_meaning(kind, said),
        _ => match error.code() {
            Some("NOAUTH") => (E::Denied, Some("set its password (and user)")),
            Some("WRONGPASS") => (E::Denied, Some("the user or the password is wrong")),
            Some("MISCONF") => {
                (E::Unavailable, Some("it cannot save its data: look at its disk and its log"))
            }
            Some("OOM") => (E::Unavailable, Some("raise its maxmemory, or give it memory")),
            Some("NOREPLICAS") => {
                (E::Unavailable, Some("too few of its replicas are up (min-replicas-to-write)"))
            }
            Some("BUSY") => (E::Unavailable, Some("somebody's script runs for long (SCRIPT KILL ends it)")),
            Some("WRONGTYPE") => {
                (E::Invalid, Some("something else uses a key under this prefix: choose another prefix"))
            }
            _ => (E::Protocol, None),
        },
    }
}

fn server_meaning(kind: ServerErrorKind, said: &str) -> (ErrorKind, Option<&'static str>) {
    use ErrorKind as E;
    match kind {
        ServerErrorKind::BusyLoading => {
            (E::Unavailable, Some("it reads its data back, and serves when it is done"))
        }
        ServerErrorKind::ReadOnly => {
            (E::Unavailable, Some("it is a replica: give the master's address, or its Sentinels'"))
        }
        ServerErrorKind::MasterDown => (E::Unavailable, Some("it is a replica that has lost its master")),
        ServerErrorKind::TryAgain => (E::Unavailable, Some("its slots are on the move")),
        ServerErrorKind::ClusterDown => {
            (E::Unavailable, Some("not all slots are served: look at CLUSTER INFO"))
        }
        ServerErrorKind::Moved | ServerErrorKind::Ask | ServerErrorKind::CrossSlot => {
            (E::Invalid, Some("it is a node of a Redis Cluster: write redis-cluster:// instead of redis://"))
        }
        ServerErrorKind::NoPerm => {
            (E::Denied, Some("its user lacks a permission: see the ACL rule in tangelo-redis's README"))
        }
        _ if said.contains("max number of clients") => (E::Unavailable, Some("raise its maxclients")),
        _ if said.contains("cluster support disabled") => {
            (E::Invalid, Some("it is no Redis Cluster: write redis:// instead of redis-cluster://"))
        }
        _ if said.contains("DB index") => {
            (E::Invalid, Some("it has fewer databases: give a lower db, or raise `databases`"))
        }
        _ if said.contains("unknown command") => (E::Unsupported, Some("Redis 6.2 or later is needed")),
        _ => (E::Protocol, None),
    }
}

const TLS: (ErrorKind, Option<&str>) = (
    ErrorKind::Denied,
    Some("TLS was not agreed on: does it speak TLS, and is its certificate's authority trusted?"),
);

fn io_meaning(error: &RedisError) -> (ErrorKind, Option<&'static str>) {
    if is_tls(error) {
        TLS
    } else if error.to_string().contains("ermission denied") {
        (ErrorKind::Denied, Some("this process may not open the socket"))
    } else if error.is_timeout() {
        (ErrorKind::Timeout, None)
    } else {
        (ErrorKind::Unavailable, None)
    }
}

fn is_tls(error: &RedisError) -> bool {
    let text = error.to_string();
    ["certificate", "Certificate", "corrupt message", "TLS", "tls"].iter().any(|word| text.contains(word))
}

/// One line, without the library's own classification.
fn said(error: &RedisError) -> String {
    let said = match (error.code(), error.detail()) {
        (Some("ERR"), Some(detail)) => detail.to_owned(),
        (Some(code), Some(detail)) => format!("{code} {detail}"),
        (Some(code), None) => code.to_owned(),
        (None, _) => error.to_string(),
    };
    said.lines().next().unwrap_or_default().trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io;

    fn failure(line: &str) -> (ErrorKind, Remedy, String) {
        let value = redis::parse_redis_value(format!("-{line}\r\n").as_bytes()).expect("a value");
        let error = value.extract_error().expect_err("an error");
        let failure = Failure::of("h:1", &error);
        (failure.kind, remedy(&error, false), failure.message)
    }

    #[test]
    fn what_redis_says_has_a_kind_and_a_cure() {
        use ErrorKind as E;
        for (line, kind, cure) in [
            ("NOAUTH Authentication required.", E::Denied, "password"),
            ("WRONGPASS invalid username-password pair or user is disabled.", E::Denied, "wrong"),
            ("NOPERM this user has no permissions to run the 'evalsha' command", E::Denied, "ACL rule"),
            ("READONLY You can't write against a read only replica.", E::Unavailable, "Sentinels"),
            ("LOADING Redis is loading the dataset in memory", E::Unavailable, "when it is done"),
            ("MASTERDOWN Link with MASTER is down", E::Unavailable, "lost its master"),
            ("CLUSTERDOWN The cluster is down", E::Unavailable, "CLUSTER INFO"),
            ("CROSSSLOT Keys in request don't hash to the same slot", E::Invalid, "redis-cluster://"),
            ("MOVED 3999 127.0.0.1:6381", E::Invalid, "redis-cluster://"),
            ("MISCONF Redis is configured to save RDB snapshots, but", E::Unavailable, "disk"),
            ("OOM command not allowed when used memory > 'maxmemory'.", E::Unavailable, "maxmemory"),
            ("NOREPLICAS Not enough good replicas to write.", E::Unavailable, "min-replicas"),
            ("BUSY Redis is busy running a script.", E::Unavailable, "SCRIPT KILL"),
            ("WRONGTYPE Operation against a key holding the wrong kind", E::Invalid, "another prefix"),
            ("ERR max number of clients reached", E::Unavailable, "maxclients"),
            ("ERR This instance has cluster support disabled", E::Invalid, "redis-cluster://"),
            ("ERR DB index is out of range", E::Invalid, "lower db"),
            ("ERR unknown command 'HRANDFIELD'", E::Unsupported, "6.2"),
            ("ERR something new", E::Protocol, "something new"),
        ] {
            let (found, _, message) = failure(line);
            assert_eq!(found, kind, "{line}");
            assert!(message.contains(cure) && message.contains("h:1"), "{line}: {message}");
            assert!(!message.contains('\n'), "{message}");
        }
    }

    #[test]
    fn only_what_passes_is_tried_again() {
        for (line, expected) in [
            ("LOADING x", Remedy::Again),
            ("CLUSTERDOWN x", Remedy::Again),
            ("NOREPLICAS x", Remedy::Again),
            ("READONLY x", Remedy::Reconnect),
            ("NOSCRIPT x", Remedy::InFull),
            ("NOAUTH x", Remedy::None),
            ("OOM x", Remedy::None),
            ("ERR x", Remedy::None),
        ] {
            assert_eq!(failure(line).1, expected, "{line}");
        }
        let hung_up = RedisError::from(io::Error::from(io::ErrorKind::BrokenPipe));
        assert_eq!(remedy(&hung_up, false), Remedy::Reconnect);
        let moved = redis::parse_redis_value(b"-MOVED 1 h:2\r\n").and_then(redis::Value::extract_error);
        let moved = moved.expect_err("an error");
        assert_eq!((remedy(&moved, true), remedy(&moved, false)), (Remedy::Again, Remedy::None));
        assert_eq!(Failure::of("h:1", &hung_up).kind, ErrorKind::Unavailable);
    }
}
