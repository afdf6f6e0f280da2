//! What can be had of an SQL store at most: the same rows as the managers', in tables of the same shape, by statements
//! written by hand, each batch one transaction.

mod mysql;
mod postgres;
mod sqlite;

use crate::meter::Meter;
use crate::work::{Shape, room, users};
use alloc::borrow::Cow;
use anyhow::{Result, bail};
use sqlx::AssertSqlSafe;

/// All batches by each way that the store has, into a table of its own.
pub(crate) async fn run(url: &str, shape: Shape, batch: usize, meter: &mut Meter) -> Result<()> {
    let rows = Rows { shape, users: users(shape.members, batch) };
    match url.split_once(':') {
        Some(("postgres", _)) => postgres::run(url, &rows, meter).await,
        Some(("mysql" | "mariadb", _)) => mysql::run(url, &rows, meter).await,
        Some(("sqlite", path)) => sqlite::run(path, &rows, meter).await,
        _ => bail!("only SQL has statements"),
    }
}

/// The members, each batch in a channel.
struct Rows {
    shape: Shape,
    users: Vec<Vec<String>>,
}

impl Rows {
    fn batches(&self) -> impl Iterator<Item = (String, &Vec<String>)> {
        self.users.iter().enumerate().map(|(n, users)| (room(n % self.shape.channels), users))
    }

    /// All of them are in.
    fn check(&self, found: i64) -> Result<()> {
        if usize::try_from(found) != Ok(self.shape.members) {
            bail!("{found} rows came of {}", self.shape.members);
        }
        Ok(())
    }
}

/// The numbers of the frontend and of its life, in every row.
const FRONTEND: i64 = 1;
const LIFE: i64 = 1;

/// A statement that is made of constants and numbers alone.
fn sql<'a>(text: impl Into<Cow<'a, str>>) -> AssertSqlSafe<String> {
    AssertSqlSafe(text.into().into_owned())
}

/// `(?, ?, ?, ?), …`
fn places(rows: usize) -> String {
    vec!["(?, ?, ?, ?)"; rows].join(", ")
}
