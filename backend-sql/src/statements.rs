//! All statements, in the words of one dialect and for one prefix.

use crate::dialect::{Bulk, Dialect};
use crate::session::Kind::{self, Bytes, Int};
use crate::session::{Arg, Session};
use alloc::borrow::Cow;
use alloc::sync::Arc;
use tangelo_core::channel::MAX_PAGE;

/// So many rows are removed in one step of a clean or a sweep.
pub(crate) const STEP: u64 = 2000;
/// So many frontends are swept before it is asked again which are left.
const SWEPT: usize = 64;

/// A statement that reads, and what it gives.
#[derive(Debug)]
pub(crate) struct Query {
    pub(crate) sql: Arc<str>,
    pub(crate) columns: &'static [Kind],
}

/// A channel and a user.
pub(crate) type Member<'a> = (&'a [u8], &'a [u8]);

/// All statements.
#[derive(Debug)]
pub(crate) struct Statements {
    bulk: Bulk,
    pub(crate) begin: Arc<str>,
    pub(crate) commit: Arc<str>,
    pub(crate) rollback: Arc<str>,
    /// A frontend (sid), held: its number and its life.
    pub(crate) frontend: Query,
    /// Makes a frontend: sid, life.
    pub(crate) create: Arc<str>,
    /// Begins another life: life, number.
    pub(crate) raise: Arc<str>,
    /// Sid, life.
    pub(crate) purge: Arc<str>,
    /// Channel.
    pub(crate) destroy: Arc<str>,
    /// By the logarithm of the number of rows, or one for any number.
    insert: Vec<Arc<str>>,
    delete: Vec<Arc<str>>,
    /// Where a channel has members: number, sid, and how many.
    pub(crate) sizes: Query,
    /// Members of a channel at one frontend: number, channel, the last user that is known.
    pub(crate) page: Query,
    /// Members of a channel at several frontends: the first number and the last, channel.
    pub(crate) pages: Query,
    /// Users: sid, channel.
    pub(crate) users: Query,
    /// Sid.
    pub(crate) channels: Query,
    /// Sid, channel, user: a row if it is there.
    pub(crate) contains: Query,
    /// Channel.
    pub(crate) count: Query,
    /// Frontends with members of lives that are over: number, life.
    pub(crate) left_behind: Query,
    /// Removes some of them: number, life.
    pub(crate) sweep: Arc<str>,
    pub(crate) last_frontend: Query,
    pub(crate) last_member: Query,
    /// Remove some up to a number.
    pub(crate) forget_frontends: Arc<str>,
    pub(crate) forget_members: Arc<str>,
    pub(crate) make_versions: Arc<str>,
    pub(crate) version: Query,
    pub(crate) add_version: Arc<str>,
}

/// The members of lives that are not over.
const LIVING: &str = "FROM {p}_frontends f JOIN {p}_members m ON m.frontend = f.id AND m.life = f.life";

impl Statements {
    pub(crate) fn new(dialect: &dyn Dialect, prefix: &str) -> Self {
        let text = |template: &str| -> Arc<str> { written(template, prefix, dialect.numbered()).into() };
        let query = |template: &str, columns| Query { sql: text(template), columns };
        let living = |what: &str, rest: &str| text(&format!("SELECT {what} {LIVING} WHERE {rest}"));
        let lives = |what: &str, rest: &str, columns| Query { sql: living(what, rest), columns };
        let some = |table: &str, key: &str, condition: &str| {
            text(&dialect.delete_some(table, key, condition, usize::try_from(STEP).unwrap_or(usize::MAX)))
        };
        let (insert, delete) = match dialect.bulk() {
            Bulk::Arrays => (vec![text(&dialect.insert(0))], vec![text(&dialect.delete(0))]),
            Bulk::Rows { insert, delete } => {
                let powers = |most: usize| (0..=most.ilog2()).map(|power| 1_usize << power);
                (
                    powers(insert).map(|rows| text(&dialect.insert(rows))).collect(),
                    powers(delete).map(|rows| text(&dialect.delete(rows))).collect(),
                )
            }
        };
        let member = "frontend, life, channel, uid";
        Self {
            bulk: dialect.bulk(),
            begin: dialect.begin().into(),
            commit: "COMMIT".into(),
            rollback: "ROLLBACK".into(),
            frontend: query(
                &format!("SELECT id, life FROM {{p}}_frontends WHERE sid = ?{}", dialect.lock()),
                &[Int, Int],
            ),
            create: text(dialect.create()),
            raise: text("UPDATE {p}_frontends SET life = ? WHERE id = ?"),
            purge: text(dialect.purge()),
            destroy: text(dialect.destroy()),
            insert,
            delete,
            sizes: lives(
                "f.id, f.sid, COUNT(*)",
                "m.channel = ? GROUP BY f.id, f.sid ORDER BY f.id",
                &[Int, Bytes, Int],
            ),
            page: lives(
                "m.uid",
                &format!("f.id = ? AND m.channel = ? AND m.uid > ? ORDER BY m.uid LIMIT {MAX_PAGE}"),
                &[Bytes],
            ),
            pages: lives(
                "f.id, m.uid",
                &format!("f.id >= ? AND f.id <= ? AND m.channel = ? ORDER BY f.id, m.uid LIMIT {MAX_PAGE}"),
                &[Int, Bytes],
            ),
            users: lives("m.uid", "f.sid = ? AND m.channel = ?", &[Bytes]),
            channels: lives("DISTINCT m.channel", "f.sid = ?", &[Bytes]),
            contains: lives("1", "f.sid = ? AND m.channel = ? AND m.uid = ?", &[]),
            count: lives("COUNT(*)", "m.channel = ?", &[Int]),
            left_behind: query(
                &format!(
                    "SELECT f.id, f.life FROM {{p}}_frontends f WHERE EXISTS (SELECT 1 FROM {{p}}_members m \
                     WHERE m.frontend = f.id AND m.life < f.life) LIMIT {SWEPT}"
                ),
                &[Int, Int],
            ),
            sweep: some("{p}_members", member, "frontend = ? AND life < ?"),
            last_frontend: query("SELECT MAX(id) FROM {p}_frontends", &[Int]),
            last_member: query("SELECT MAX(frontend) FROM {p}_members", &[Int]),
            forget_frontends: some("{p}_frontends", "id", "id <= ?"),
            forget_members: some("{p}_members", member, "frontend <= ?"),
            make_versions: text(
                "CREATE TABLE IF NOT EXISTS {p}_schema (version BIGINT NOT NULL PRIMARY KEY)",
            ),
            version: query("SELECT MAX(version) FROM {p}_schema", &[Int]),
            add_version: text("INSERT INTO {p}_schema (version) VALUES (?)"),
        }
    }

    /// Adds members, which are sorted.
    pub(crate) async fn insert(
        &self,
        session: &mut dyn Session,
        frontend: i64,
        life: i64,
        members: &[Member<'_>],
    ) -> Result<(), sqlx::Error> {
        for (sql, members) in self.split(&self.insert, members) {
            let args: Vec<_> = match self.bulk {
                Bulk::Arrays => arrays(frontend, life, &members),
                Bulk::Rows { .. } => members
                    .iter()
                    .flat_map(|(channel, uid)| {
                        [Arg::Int(frontend), Arg::Int(life), Arg::Bytes(channel), Arg::Bytes(uid)]
                    })
                    .collect(),
            };
            session.execute(sql, &args).await?;
        }
        Ok(())
    }

    /// Removes members, which are sorted.
    pub(crate) async fn delete(
        &self,
        session: &mut dyn Session,
        frontend: i64,
        life: i64,
        members: &[Member<'_>],
    ) -> Result<(), sqlx::Error> {
        for (sql, members) in self.split(&self.delete, members) {
            let args: Vec<_> = match self.bulk {
                Bulk::Arrays => arrays(frontend, life, &members),
                Bulk::Rows { .. } => {
                    let pairs =
                        members.iter().flat_map(|(channel, uid)| [Arg::Bytes(channel), Arg::Bytes(uid)]);
                    [Arg::Int(frontend), Arg::Int(life)].into_iter().chain(pairs).collect()
                }
            };
            session.execute(sql, &args).await?;
        }
        Ok(())
    }

    /// Members as the statements take them. There are few statements, which stay prepared: for 1, 2, 4, … rows. What
    /// is nearly such a number repeats its last member, which changes nothing.
    fn split<'a, 'm>(
        &self,
        statements: &'a [Arc<str>],
        members: &'a [Member<'m>],
    ) -> impl Iterator<Item = (&'a Arc<str>, Cow<'a, [Member<'m>]>)> + use<'a, 'm> {
        let (arrays, largest) = (self.bulk == Bulk::Arrays, statements.len() - 1);
        let mut rest = members;
        core::iter::from_fn(move || {
            if rest.is_empty() {
                return None;
            }
            if arrays {
                return Some((&statements[0], Cow::Borrowed(core::mem::take(&mut rest))));
            }
            let (power, take) = step(rest.len(), largest);
            let (now, later) = rest.split_at(take);
            rest = later;
            let mut now = Cow::Borrowed(now);
            if now.len() < 1 << power
                && let Some(&last) = now.last()
            {
                now.to_mut().resize(1 << power, last);
            }
            Some((&statements[power], now))
        })
    }
}

/// The power of two of the next statement for `rows` rows, and how many of them it takes.
fn step(rows: usize, largest: usize) -> (usize, usize) {
    let below = usize::try_from(rows.ilog2()).unwrap_or(0);
    if below >= largest {
        return (largest, rows.min(1 << largest));
    }
    let above = 1_usize << (below + 1);
    // An eighth more rows is cheaper than another statement.
    if rows + above / 8 >= above { (below + 1, rows) } else { (below, 1 << below) }
}

fn arrays<'a>(frontend: i64, life: i64, members: &[Member<'a>]) -> Vec<Arg<'a>> {
    let (channels, uids) = members.iter().copied().unzip();
    vec![Arg::Int(frontend), Arg::Int(life), Arg::Many(channels), Arg::Many(uids)]
}

/// A template with its prefix, and values as the dialect counts them.
pub(crate) fn written(template: &str, prefix: &str, numbered: bool) -> String {
    let text = template.replace("{p}", prefix);
    if !numbered {
        return text;
    }
    let mut parts = text.split('?');
    let mut numbered = parts.next().unwrap_or_default().to_owned();
    for (position, part) in parts.enumerate() {
        numbered.push_str(&format!("${}{part}", position + 1));
    }
    numbered
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn templates_are_filled() {
        let template = "INSERT INTO {p}_a (b, c) VALUES (?, ?)";
        assert_eq!(written(template, "game", true), "INSERT INTO game_a (b, c) VALUES ($1, $2)");
        assert_eq!(written(template, "game", false), "INSERT INTO game_a (b, c) VALUES (?, ?)");
    }

    #[test]
    fn rows_are_split_into_few_statements() {
        for largest in [0, 4, 12] {
            for rows in (1..3000).chain([10_000, 32_769, 100_000]) {
                let (mut left, mut statements, mut sent) = (rows, 0, 0);
                while left > 0 {
                    let (power, take) = step(left, largest);
                    assert!(power <= largest && take > 0 && take <= left && take <= 1 << power);
                    left -= take;
                    statements += 1;
                    sent += 1 << power;
                }
                assert!(sent <= rows + rows / 4 + 1, "{sent} rows for {rows}");
                assert!(statements <= rows / (1 << largest) + largest + 1, "{statements} for {rows}");
            }
        }
        assert_eq!(step(1000, 12), (10, 1000));
    }
}
