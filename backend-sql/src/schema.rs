//! The tables, and how they come to their present version.

use crate::dialect::Dialect;
use crate::error::Finding;
use crate::session::{Arg, Kind, Session};
use crate::statements::{Statements, written};
use crate::store::{Mode, Work};
use alloc::sync::Arc;
use async_trait::async_trait;

/// Brings the tables to the version of this build. Of many processes that do so at once one works, and the others
/// find it done.
#[derive(Debug)]
pub(crate) struct Migrate {
    pub(crate) dialect: &'static dyn Dialect,
    pub(crate) prefix: String,
}

/// What came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Schema {
    Ready,
    /// The tables are of a later build, of this version.
    Newer(i64),
    /// Another process is at it, and does not end.
    Busy,
}

#[async_trait]
impl Work for Migrate {
    const MODE: Mode = Mode::Bare;
    type Output = Schema;

    async fn run(&self, session: &mut dyn Session, sql: &Statements) -> Result<Schema, sqlx::Error> {
        // Mostly there is nothing to do, and no right needed to do it.
        match version(session, sql).await {
            Ok(version) if version >= self.latest() => return Ok(self.judged(version)),
            Ok(_) => {}
            Err(error) if Finding::of(self.dialect, &error).no_table => {}
            Err(error) => return Err(error),
        }
        let how = self.dialect.migration();
        if how.transaction {
            session.run(&sql.begin).await?;
        }
        if let Some(lock) = how.lock {
            let columns: &[Kind] = if how.answers { &[Kind::Int] } else { &[] };
            let rows = session.fetch(&Arc::from(lock), &[], columns).await?;
            if how.answers && rows.first().and_then(|row| row.first()).is_none_or(|got| got.int() != 1) {
                return Ok(Schema::Busy);
            }
        }
        session.run(&sql.make_versions).await?;
        let present = version(session, sql).await?;
        for number in present + 1..=self.latest() {
            for statement in self.version(number) {
                session.run(&written(statement, &self.prefix, false).into()).await?;
            }
            session.execute(&sql.add_version, &[Arg::Int(number)]).await?;
        }
        if how.transaction {
            session.run(&sql.commit).await?;
        }
        if let Some(unlock) = how.unlock {
            session.run(&Arc::from(unlock)).await?;
        }
        Ok(self.judged(present))
    }
}

impl Migrate {
    fn latest(&self) -> i64 {
        i64::try_from(self.dialect.versions().len()).unwrap_or(i64::MAX)
    }

    /// The statements that lead to a version.
    fn version(&self, number: i64) -> &'static [&'static str] {
        let position = usize::try_from(number - 1).ok();
        position.and_then(|position| self.dialect.versions().get(position)).copied().unwrap_or_default()
    }

    /// What `found` means, once it is brought up to date.
    fn judged(&self, found: i64) -> Schema {
        if found > self.latest() { Schema::Newer(found) } else { Schema::Ready }
    }
}

/// 0: there is none yet.
async fn version(session: &mut dyn Session, sql: &Statements) -> Result<i64, sqlx::Error> {
    let rows = session.fetch(&sql.version.sql, &[], sql.version.columns).await?;
    Ok(rows.first().and_then(|row| row.first()).map_or(0, |version| version.int()))
}
