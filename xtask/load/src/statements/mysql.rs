//! MySQL and MariaDB: `INSERT IGNORE` of many rows, prepared and as text.

use super::{FRONTEND, LIFE, Rows, places, sql};
use crate::meter::Meter;
use anyhow::Result;
use sqlx::{Connection as _, MySqlConnection};

pub(super) async fn run(url: &str, rows: &Rows, meter: &mut Meter) -> Result<()> {
    let mut connection = MySqlConnection::connect(url).await?;
    table(&mut connection, "prepared").await?;
    let started = Meter::start();
    for (channel, users) in rows.batches() {
        let insert = format!("INSERT IGNORE INTO prepared VALUES {}", places(users.len()));
        let mut query = sqlx::query(sql(insert));
        for user in users {
            query = query.bind(FRONTEND).bind(LIFE).bind(channel.as_bytes()).bind(user.as_bytes());
        }
        query.execute(&mut connection).await?;
    }
    meter.ended("INSERT IGNORE, prepared", &started, rows.shape.members);
    rows.check(count(&mut connection, "prepared").await?)?;

    table(&mut connection, "as_text").await?;
    let started = Meter::start();
    for (channel, users) in rows.batches() {
        // Names of ours need no escape.
        let values: Vec<_> =
            users.iter().map(|user| format!("({FRONTEND},{LIFE},'{channel}','{user}')")).collect();
        let insert = format!("INSERT IGNORE INTO as_text VALUES {}", values.join(","));
        sqlx::raw_sql(sql(insert)).execute(&mut connection).await?;
    }
    meter.ended("INSERT IGNORE, as text", &started, rows.shape.members);
    rows.check(count(&mut connection, "as_text").await?)?;
    Ok(connection.close().await?)
}

async fn table(connection: &mut MySqlConnection, name: &str) -> Result<()> {
    let create = format!(
        "CREATE TABLE {name} (frontend BIGINT NOT NULL, life BIGINT NOT NULL, channel VARBINARY(255) NOT NULL,
            uid VARBINARY(255) NOT NULL, PRIMARY KEY (frontend, life, channel, uid)) ENGINE = InnoDB"
    );
    sqlx::raw_sql(sql(create)).execute(connection).await?;
    Ok(())
}

async fn count(connection: &mut MySqlConnection, table: &str) -> Result<i64> {
    Ok(sqlx::query_scalar(sql(format!("SELECT COUNT(*) FROM {table}"))).fetch_one(connection).await?)
}
