//! SQLite: a transaction of single rows, and `INSERT` of many.

use super::{FRONTEND, LIFE, Rows, places, sql};
use crate::meter::Meter;
use anyhow::Result;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sqlx::{ConnectOptions as _, Connection as _, SqliteConnection};

pub(super) async fn run(path: &str, rows: &Rows, meter: &mut Meter) -> Result<()> {
    let options = SqliteConnectOptions::new().filename(path.trim_start_matches("//")).create_if_missing(true);
    let options = options.journal_mode(SqliteJournalMode::Wal).synchronous(SqliteSynchronous::Full);
    let mut connection = options.connect().await?;
    table(&mut connection, "one_by_one").await?;
    let started = Meter::start();
    for (channel, users) in rows.batches() {
        let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
        for user in users {
            let query = sqlx::query("INSERT OR IGNORE INTO one_by_one VALUES (?, ?, ?, ?)");
            let query = query.bind(FRONTEND).bind(LIFE).bind(channel.as_bytes()).bind(user.as_bytes());
            query.execute(&mut *transaction).await?;
        }
        transaction.commit().await?;
    }
    meter.ended("one transaction of single rows", &started, rows.shape.members);
    rows.check(count(&mut connection, "one_by_one").await?)?;

    table(&mut connection, "many").await?;
    let started = Meter::start();
    for (channel, users) in rows.batches() {
        let insert = format!("INSERT OR IGNORE INTO many VALUES {}", places(users.len()));
        let mut query = sqlx::query(sql(insert));
        for user in users {
            query = query.bind(FRONTEND).bind(LIFE).bind(channel.as_bytes()).bind(user.as_bytes());
        }
        query.execute(&mut connection).await?;
    }
    meter.ended("INSERT of many rows", &started, rows.shape.members);
    rows.check(count(&mut connection, "many").await?)?;
    Ok(connection.close().await?)
}

async fn table(connection: &mut SqliteConnection, name: &str) -> Result<()> {
    let create = format!(
        "CREATE TABLE {name} (frontend INTEGER NOT NULL, life INTEGER NOT NULL, channel BLOB NOT NULL,
            uid BLOB NOT NULL, PRIMARY KEY (frontend, life, channel, uid)) WITHOUT ROWID"
    );
    sqlx::raw_sql(sql(create)).execute(connection).await?;
    Ok(())
}

async fn count(connection: &mut SqliteConnection, table: &str) -> Result<i64> {
    Ok(sqlx::query_scalar(sql(format!("SELECT COUNT(*) FROM {table}"))).fetch_one(connection).await?)
}
