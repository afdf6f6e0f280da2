//! Adds and leaves on their way to Redis.

use crate::error::Failure;
use crate::keys::{Keys, Server};
use crate::script::{CHANGE, Request};
use async_lock::SemaphoreGuardArc;
use futures_channel::oneshot;
use redis::Value;
use tangelo_core::channel::Frontend;
use tangelo_core::config::Incarnation;
use tangelo_core::{Error, ErrorKind, Instant, Result};

/// In or out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sign {
    Add,
    Leave,
}

impl Sign {
    pub(crate) const fn doing(self) -> &'static str {
        match self {
            Self::Add => "add to a channel",
            Self::Leave => "leave a channel",
        }
    }
}

/// Users who enter or leave a channel at one server, and who waits for it.
#[derive(Debug)]
pub(crate) struct Change {
    pub(crate) sign: Sign,
    /// Escaped.
    pub(crate) channel: String,
    pub(crate) incarnation: Incarnation,
    pub(crate) uids: Vec<String>,
    pub(crate) deadline: Instant,
    pub(crate) waiting: oneshot::Sender<Result<()>>,
    /// A place among those that may wait at once.
    pub(crate) _place: SemaphoreGuardArc,
}

impl Change {
    /// What it has in common with others.
    const fn kind(&self) -> (Sign, Incarnation, usize) {
        (self.sign, self.incarnation, self.uids.len())
    }

    /// Tells the caller, who may have gone.
    pub(crate) fn end(self, result: Result<()>) {
        let _ = self.waiting.send(result);
    }

    pub(crate) fn fail(self, failure: &Failure) {
        let error = failure.error(self.sign.doing());
        self.end(Err(error));
    }
}

/// Several changes at one server as one request.
pub(crate) fn request<'a>(
    keys: &Keys,
    server: &Server,
    changes: impl Iterator<Item = &'a Change>,
) -> Request {
    let changes: Vec<_> = changes.collect();
    let (hash, servers) = (keys.hash(server), keys.list(server));
    let mut request = Request::script("change a channel", &CHANGE, &[&hash, &servers]).writing();
    request.arg(server.as_str()).arg(keys.members_head()).arg(keys.members_tail(server)).arg(changes.len());
    for change in &changes {
        request.arg(&change.channel);
    }
    for run in changes.chunk_by(|a, b| a.kind() == b.kind()) {
        let (sign, incarnation, users) = run[0].kind();
        request.arg(if sign == Sign::Add { "+" } else { "-" });
        request.arg(incarnation.0).arg(run.len()).arg(users);
        for change in run {
            request.arg(&change.uids);
        }
    }
    request
}

/// Reads the script's answer: the changes that were not done, by position, and why not.
pub(crate) fn refused(value: Value) -> Result<Vec<(usize, String)>, Failure> {
    redis::from_redis_value::<Vec<(usize, String)>>(value)
        .map(|refused| {
            refused.into_iter().map(|(number, reason)| (number.saturating_sub(1), reason)).collect()
        })
        .map_err(|error| Failure::new(ErrorKind::Protocol, format!("a strange answer of Redis: {error}")))
}

/// Why a change was refused.
pub(crate) fn refusal(place: &str, frontend: &Frontend, sign: Sign, reason: &str) -> Error {
    if reason == "STALE" {
        let Frontend { sid, incarnation } = frontend;
        let message =
            format!("incarnation {incarnation} of {sid} is over: a later one has begun, or it was purged");
        return Error::new(ErrorKind::StaleIncarnation, message);
    }
    let line = format!("-{}\r\n", reason.lines().next().unwrap_or_default());
    match redis::parse_redis_value(line.as_bytes()).and_then(Value::extract_error) {
        Err(error) => Failure::of(place, &error).error(sign.doing()),
        Ok(_) => Failure::new(ErrorKind::Protocol, reason).error(sign.doing()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_of_the_script_are_read() {
        let text = |text: &str| Value::BulkString(text.as_bytes().to_vec());
        assert_eq!(refused(Value::Array(vec![])), Ok(vec![]));
        let two = Value::Array(vec![Value::Int(2), text("STALE"), Value::Int(7), text("OOM no")]);
        assert_eq!(refused(two), Ok(vec![(1, "STALE".to_owned()), (6, "OOM no".to_owned())]));
        assert!(refused(Value::Okay).is_err());
        assert!(refused(Value::Array(vec![text("x"), Value::Okay])).is_err());
    }

    #[test]
    fn a_refusal_says_why() {
        let frontend = Frontend { sid: "connector-1".to_owned(), incarnation: Incarnation(7) };
        let stale = refusal("h:1", &frontend, Sign::Add, "STALE");
        assert_eq!(stale.kind(), ErrorKind::StaleIncarnation);
        assert!(stale.to_string().contains("incarnation 7 of connector-1"), "{stale}");
        let wrong = refusal("h:1", &frontend, Sign::Add, "WRONGTYPE Operation against a key");
        assert_eq!(wrong.kind(), ErrorKind::Invalid);
        assert!(wrong.to_string().contains("another prefix"), "{wrong}");
    }
}
