//! Adds and leaves on their way to the database.

use crate::error::Failure;
use crate::session::{Arg, Session, Value};
use crate::statements::{Member, Statements};
use crate::store::{Mode, Work};
use alloc::sync::Arc;
use async_lock::SemaphoreGuardArc;
use async_trait::async_trait;
use futures_channel::oneshot;
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

/// Users who enter or leave a channel at one server.
#[derive(Debug)]
pub(crate) struct Edit {
    pub(crate) sign: Sign,
    pub(crate) channel: String,
    pub(crate) incarnation: Incarnation,
    pub(crate) uids: Vec<String>,
}

/// An edit, and who waits for it.
#[derive(Debug)]
pub(crate) struct Change {
    pub(crate) edit: Arc<Edit>,
    pub(crate) deadline: Instant,
    pub(crate) waiting: oneshot::Sender<Result<()>>,
    /// A place among those that may wait at once.
    pub(crate) _place: SemaphoreGuardArc,
}

impl Change {
    /// Tells the caller, who may have gone.
    pub(crate) fn end(self, result: Result<()>) {
        let _ = self.waiting.send(result);
    }

    pub(crate) fn fail(self, failure: &Failure) {
        let error = failure.error(self.edit.sign.doing());
        self.end(Err(error));
    }
}

/// Several edits at one server, in their order, as one transaction.
#[derive(Debug)]
pub(crate) struct Batch {
    pub(crate) sid: String,
    pub(crate) edits: Vec<Arc<Edit>>,
}

/// What came of a batch.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Outcome {
    /// Those, by position, whose incarnation is over.
    pub(crate) stale: Vec<usize>,
    /// Whether a later life has begun, so that there may be members of an earlier one to be swept.
    pub(crate) begun: bool,
}

#[async_trait]
impl Work for Batch {
    const MODE: Mode = Mode::Change;
    type Output = Outcome;

    /// The frontend's row is held from here on, so changes of one frontend come one after the other, whoever makes
    /// them. A late one, of a connection that was given up, has either got it before all that followed, or does not
    /// come to its COMMIT.
    async fn run(&self, session: &mut dyn Session, sql: &Statements) -> Result<Outcome, sqlx::Error> {
        let (frontend, first) = self.frontend(session, sql).await?;
        let net = self.net(first);
        if net.life > first {
            session.execute(&sql.raise, &[Arg::Int(net.life), Arg::Int(frontend)]).await?;
        } else {
            // In a life that has just begun nobody can leave.
            sql.delete(session, frontend, net.life, &net.leaves).await?;
        }
        sql.insert(session, frontend, net.life, &net.adds).await?;
        Ok(Outcome { stale: net.stale, begun: net.life > first })
    }
}

/// What edits come to.
#[derive(Debug, PartialEq, Eq)]
struct Net<'a> {
    stale: Vec<usize>,
    life: i64,
    /// Sorted, so that all lock rows in the same order and indexes grow in theirs.
    adds: Vec<Member<'a>>,
    leaves: Vec<Member<'a>>,
}

impl Batch {
    /// The number of the frontend, and its life; it is made if need be.
    async fn frontend(&self, session: &mut dyn Session, sql: &Statements) -> Result<(i64, i64), sqlx::Error> {
        let sid = self.sid.as_bytes();
        loop {
            let rows = session.fetch(&sql.frontend.sql, &[Arg::Bytes(sid)], sql.frontend.columns).await?;
            if let Some([id, life]) = rows.first().map(Vec::as_slice) {
                return Ok((id.int(), life.int()));
            }
            let life = self.edits.iter().map(|edit| number(edit.incarnation)).min().unwrap_or_default();
            session.execute(&sql.create, &[Arg::Bytes(sid), Arg::Int(life)]).await?;
        }
    }

    /// What the edits come to, one after the other, for a frontend in the life `first`.
    fn net(&self, first: i64) -> Net<'_> {
        let (mut life, mut stale, mut members) = (first, Vec::new(), Vec::new());
        for (position, edit) in self.edits.iter().enumerate() {
            let own = number(edit.incarnation);
            if own < life {
                stale.push(position);
                continue;
            }
            if own > life {
                life = own;
                members.clear();
            }
            let channel = edit.channel.as_bytes();
            members.extend(edit.uids.iter().map(|uid| (channel, uid.as_bytes(), position, edit.sign)));
        }
        // The last word on each member counts.
        members.sort_unstable_by_key(|&(channel, uid, position, _)| {
            (channel, uid, core::cmp::Reverse(position))
        });
        members.dedup_by_key(|&mut (channel, uid, ..)| (channel, uid));
        let of = |wanted: Sign| {
            let those = members.iter().filter(move |&&(.., sign)| sign == wanted);
            those.map(|&(channel, uid, ..)| (channel, uid)).collect()
        };
        Net { stale, life, adds: of(Sign::Add), leaves: of(Sign::Leave) }
    }
}

/// An incarnation as the database has it: at most 2⁵³, so that it always fits.
pub(crate) fn number(incarnation: Incarnation) -> i64 {
    i64::try_from(incarnation.0).unwrap_or(i64::MAX)
}

/// Why a change was refused.
pub(crate) fn stale(frontend: &Frontend) -> Error {
    let Frontend { sid, incarnation } = frontend;
    let message =
        format!("incarnation {incarnation} of {sid} is over: a later one has begun, or it was purged");
    Error::new(ErrorKind::StaleIncarnation, message)
}

/// The texts of the first column.
pub(crate) fn texts(rows: Vec<Vec<Value>>) -> Vec<String> {
    rows.into_iter().filter_map(|row| row.into_iter().next()).map(Value::into_text).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edit(sign: Sign, incarnation: u64, channel: &str, uids: &[&str]) -> Arc<Edit> {
        let uids = uids.iter().map(|uid| (*uid).to_owned()).collect();
        Arc::new(Edit { sign, channel: channel.to_owned(), incarnation: Incarnation(incarnation), uids })
    }

    #[test]
    fn the_last_word_on_a_member_counts_and_a_later_life_forgets_all() {
        let edits = vec![
            edit(Sign::Add, 3, "a", &["anna", "ben"]),
            edit(Sign::Leave, 3, "a", &["anna", "cleo"]),
            edit(Sign::Add, 3, "b", &["anna"]),
            edit(Sign::Add, 2, "a", &["late"]),
            edit(Sign::Add, 3, "a", &["anna", "anna"]),
        ];
        let mut batch = Batch { sid: "s".to_owned(), edits };
        let net = batch.net(3);
        assert_eq!((net.life, net.stale), (3, vec![3]));
        let pair = |channel: &'static str, uid: &'static str| (channel.as_bytes(), uid.as_bytes());
        assert_eq!(net.adds, [pair("a", "anna"), pair("a", "ben"), pair("b", "anna")]);
        assert_eq!(net.leaves, [pair("a", "cleo")]);

        batch.edits.push(edit(Sign::Add, 4, "c", &["dora"]));
        batch.edits.push(edit(Sign::Leave, 3, "c", &["dora"]));
        let net = batch.net(1);
        assert_eq!((net.life, net.stale), (4, vec![3, 6]));
        assert_eq!((net.adds, net.leaves), (vec![pair("c", "dora")], vec![]));
    }

    #[test]
    fn a_refusal_says_why() {
        let frontend = Frontend { sid: "connector-1".to_owned(), incarnation: Incarnation(7) };
        assert!(stale(&frontend).to_string().contains("incarnation 7 of connector-1"));
    }
}
