//! PostgreSQL: `INSERT … SELECT … FROM UNNEST`, and `COPY` in its binary format.

use super::{FRONTEND, LIFE, Rows, sql};
use crate::meter::Meter;
use anyhow::{Context as _, Result};
use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _, PgConnection};

pub(super) async fn run(url: &str, rows: &Rows, meter: &mut Meter) -> Result<()> {
    let mut connection = PgConnection::connect(url).await?;
    table(&mut connection, "by_unnest").await?;
    let started = Meter::start();
    for (channel, users) in rows.batches() {
        let (channels, uids): (Vec<_>, Vec<_>) =
            users.iter().map(|user| (channel.as_bytes(), user.as_bytes())).unzip();
        let insert = "INSERT INTO by_unnest SELECT $1, $2, k.channel, k.uid
            FROM UNNEST($3::BYTEA[], $4::BYTEA[]) AS k (channel, uid) ON CONFLICT DO NOTHING";
        let query = sqlx::query(insert).bind(FRONTEND).bind(LIFE).bind(channels).bind(uids);
        query.execute(&mut connection).await?;
    }
    meter.ended("UNNEST", &started, rows.shape.members);
    rows.check(count(&mut connection, "by_unnest").await?)?;

    // A COPY is two writes in a row, and the driver leaves TCP's delays on, which would hold up the second one by 40 ms.
    let dir: String = sqlx::query_scalar("SHOW unix_socket_directories").fetch_one(&mut connection).await?;
    connection.close().await?;
    let mut connection = url.parse::<PgConnectOptions>()?.socket(dir).connect().await?;
    table(&mut connection, "by_copy").await?;
    let started = Meter::start();
    for (channel, users) in rows.batches() {
        let mut copy = connection.copy_in_raw("COPY by_copy FROM STDIN (FORMAT binary)").await?;
        copy.send(binary(&channel, users)?).await?;
        copy.finish().await?;
    }
    meter.ended("COPY", &started, rows.shape.members);
    rows.check(count(&mut connection, "by_copy").await?)?;
    Ok(connection.close().await?)
}

/// As the section "Binary Format" of its manual's page on COPY has it.
fn binary(channel: &str, users: &[String]) -> Result<Vec<u8>> {
    let mut bytes = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0".to_vec();
    for user in users {
        bytes.extend(4_i16.to_be_bytes());
        let fields: [&[u8]; 4] =
            [&FRONTEND.to_be_bytes(), &LIFE.to_be_bytes(), channel.as_bytes(), user.as_bytes()];
        for field in fields {
            bytes.extend(i32::try_from(field.len()).context("a field that is too long")?.to_be_bytes());
            bytes.extend(field);
        }
    }
    bytes.extend((-1_i16).to_be_bytes());
    Ok(bytes)
}

async fn table(connection: &mut PgConnection, name: &str) -> Result<()> {
    let create = format!(
        "CREATE TABLE {name} (frontend BIGINT NOT NULL, life BIGINT NOT NULL, channel BYTEA NOT NULL,
            uid BYTEA NOT NULL, PRIMARY KEY (frontend, life, channel, uid))"
    );
    sqlx::raw_sql(sql(create)).execute(connection).await?;
    Ok(())
}

async fn count(connection: &mut PgConnection, table: &str) -> Result<i64> {
    Ok(sqlx::query_scalar(sql(format!("SELECT COUNT(*) FROM {table}"))).fetch_one(connection).await?)
}
