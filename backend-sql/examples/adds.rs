//! How fast adds go through the manager, beside hand-written statements of 1000 rows on the same databases:
//! `cargo run --release -p tangelo-sql --example adds --features mysql,postgres,smol -- [rows] [rounds]`.

#![allow(clippy::cast_precision_loss, reason = "rates are for people")]

extern crate alloc;

use alloc::sync::Arc;
use sqlx::{ConnectOptions as _, Connection as _};
use tangelo_core::channel::{ChannelManager as _, Frontend};
use tangelo_core::config::Incarnation;
use tangelo_core::runtime::Runtime;
use tangelo_core::{BoxFuture, Instant};
use tangelo_runtime_smol::SmolRuntime;
use tangelo_runtime_tokio::TokioRuntime;
use tangelo_services::mariadb::MariaDb;
use tangelo_services::postgres::Postgres;
use tangelo_sql::{SqlChannelManager, SqlConfig};

const BATCH: usize = 1000;
const OUTSTANDING: usize = 1024;

fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip(1).map(|argument| argument.parse::<usize>());
    let mut number = |default| arguments.next().transpose().map(|number| number.unwrap_or(default));
    let (rows, rounds) = (number(200_000)?, number(3)?);
    let (postgres, mariadb, dir) = (Postgres::start()?, MariaDb::start()?, tempfile::tempdir()?);
    for round in 1..=rounds {
        let file = format!("sqlite:{}/{round}.db", dir.path().display());
        let name = format!("round_{round}");
        for url in [postgres.database(&name)?, mariadb.database(&name)?, file] {
            println!("round {round}: {}", url.split(':').next().unwrap_or_default());
            let runtimes: [(&str, Arc<dyn Runtime>); 2] =
                [("tokio", Arc::new(TokioRuntime::new()?)), ("smol", Arc::new(SmolRuntime::new()?))];
            for (sort, runtime) in runtimes {
                let mut outcome = Ok(());
                let measured: BoxFuture<'_, ()> = Box::pin(async {
                    outcome = measure(&url, sort, &runtime, rows).await;
                });
                runtime.block_on(measured);
                outcome?;
            }
        }
    }
    Ok(())
}

fn print(what: &str, sort: &str, rows: usize, begin: Instant) {
    let seconds = Instant::now().saturating_since(begin).as_secs_f64();
    println!("  {what} on {sort}: {:.0} rows/s", rows as f64 / seconds);
}

async fn measure(url: &str, sort: &str, runtime: &Arc<dyn Runtime>, rows: usize) -> anyhow::Result<()> {
    let batches: Vec<Vec<String>> = (0..rows / BATCH)
        .map(|batch| (0..BATCH).map(|n| format!("user-{sort}-{batch}-{n}")).collect())
        .collect();
    let seconds = by_hand(url, sort, &batches).await?;
    println!("  by hand, statements of {BATCH} rows on {sort}: {:.0} rows/s", rows as f64 / seconds);

    let manager = Arc::new(SqlChannelManager::new(SqlConfig::from_url(url)?, Arc::clone(runtime))?);
    manager.start().await?;
    let front = Frontend { sid: format!("connector-{sort}"), incarnation: Incarnation(1) };
    let begin = Instant::now();
    for batch in &batches {
        manager.add_many("hall", &front, batch).await?;
    }
    print(&format!("add_many of {BATCH}"), sort, rows, begin);
    let begin = Instant::now();
    let mut ends = Vec::new();
    for task in 0..OUTSTANDING {
        let (tell, told) = futures_channel::oneshot::channel();
        let (manager, front) = (Arc::clone(&manager), front.clone());
        runtime.spawn(Box::pin(async move {
            for n in (task..rows).step_by(OUTSTANDING) {
                let room = format!("room-{}", n % 1000);
                manager.add(&room, &front, &format!("user-{n}")).await.expect("add");
            }
            let _ = tell.send(());
        }));
        ends.push(told);
    }
    for end in ends {
        end.await?;
    }
    print(&format!("{OUTSTANDING} single adds at once"), sort, rows, begin);
    let begin = Instant::now();
    manager.purge_server(&front).await?;
    println!("  purge of {} on {sort}: {:?}", 2 * rows, Instant::now().saturating_since(begin));
    Ok(manager.stop().await?)
}

/// The same rows into a table made for them, one transaction for each statement; the time that it takes.
async fn by_hand(url: &str, sort: &str, batches: &[Vec<String>]) -> anyhow::Result<f64> {
    let table = format!("hand_{sort}");
    let values = |row: &str| vec![row; BATCH].join(", ");
    macro_rules! insert {
        ($url:expr, $options:ty, $create:expr, $insert:expr) => {{
            let mut connection = $url.parse::<$options>()?.disable_statement_logging().connect().await?;
            sqlx::raw_sql(sqlx::AssertSqlSafe($create)).execute(&mut connection).await?;
            let statement: Arc<str> = $insert.into();
            let begin = Instant::now();
            for batch in batches {
                let mut query = sqlx::query(sqlx::AssertSqlSafe(Arc::clone(&statement)));
                for user in batch {
                    query = query.bind("hall").bind(user).bind("connector-1");
                }
                query.execute(&mut connection).await?;
            }
            let seconds = Instant::now().saturating_since(begin).as_secs_f64();
            connection.close().await?;
            Ok(seconds)
        }};
    }
    let columns = "(chan VARCHAR(255), uid VARCHAR(255), srv VARCHAR(255), PRIMARY KEY (chan, uid))";
    let create = format!("CREATE TABLE {table} {columns}");
    match url.split(':').next() {
        Some("postgres") => {
            let mut connection = url
                .parse::<sqlx::postgres::PgConnectOptions>()?
                .disable_statement_logging()
                .connect()
                .await?;
            sqlx::raw_sql(sqlx::AssertSqlSafe(create)).execute(&mut connection).await?;
            let statement: Arc<str> = format!(
                "INSERT INTO {table} SELECT $1, uid, $2 FROM UNNEST($3::TEXT[]) uid ON CONFLICT DO NOTHING"
            )
            .into();
            let begin = Instant::now();
            for batch in batches {
                let query = sqlx::query(sqlx::AssertSqlSafe(Arc::clone(&statement)));
                query.bind("hall").bind("connector-1").bind(batch).execute(&mut connection).await?;
            }
            let seconds = Instant::now().saturating_since(begin).as_secs_f64();
            connection.close().await?;
            Ok(seconds)
        }
        Some("mysql") => {
            let insert = format!("INSERT IGNORE INTO {table} VALUES {}", values("(?, ?, ?)"));
            insert!(url, sqlx::mysql::MySqlConnectOptions, create, insert)
        }
        _ => {
            let create =
                format!("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; {create} WITHOUT ROWID");
            let insert = format!("INSERT OR IGNORE INTO {table} VALUES {}", values("(?, ?, ?)"));
            let url = format!("{url}?mode=rwc");
            insert!(url, sqlx::sqlite::SqliteConnectOptions, create, insert)
        }
    }
}
