//! What waits for what.

extern crate alloc;

mod support;

use alloc::sync::Arc;
use core::time::Duration;
use sqlx::mysql::MySqlConnectOptions;
use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _};
use support::{File, config, frontend, on_both, started, users};
use tangelo_core::channel::ChannelManager as _;
use tangelo_core::runtime::Runtime;
use tangelo_core::{ErrorKind, Instant};
use tangelo_services::mariadb::MariaDb;
use tangelo_services::postgres::Postgres;
use tangelo_services::sql::{Flavor, Server};
use tangelo_sql::SqlChannelManager;

on_both! {
    a_purge_touches_one_row
    what_is_purged_is_swept_by_the_next_start
    another_process_that_holds_the_lock_of_sqlite
}

const TIMEOUT: Duration = Duration::from_secs(2);
const HOLD: &str = "SELECT uid FROM tangelo_members FOR UPDATE";

/// A frontend with 100 channels.
async fn filled<F: Flavor>(server: &Server<F>, runtime: &Arc<dyn Runtime>) -> Arc<SqlChannelManager> {
    let manager = started(&config(server).timeout(TIMEOUT), runtime).await;
    for n in 0..100 {
        manager
            .add_many(&format!("room-{n}"), &frontend("connector-1", 1), &users(0..50))
            .await
            .expect("add");
    }
    assert_eq!(rows(server), "5000");
    manager
}

fn rows<F: Flavor>(server: &Server<F>) -> String {
    server.sql(Some("tangelo"), "SELECT COUNT(*) FROM tangelo_members;").expect("a count")
}

/// While somebody holds the row of each member, a purge and the successors' first changes get through, and readers
/// see them.
async fn purged<F: Flavor>(server: &Server<F>, manager: &SqlChannelManager) {
    manager.purge_server(&frontend("connector-1", 1)).await.expect("a purge");
    assert!(manager.channels_of_server("connector-1").await.expect("channels").is_empty());
    assert_eq!(manager.count("room-7").await.expect("count"), 0);
    manager.add("room-7", &frontend("connector-1", 2), "anna").await.expect("the successor");
    manager.add("room-8", &frontend("connector-1", 3), "ben").await.expect("its successor");
    assert_eq!(manager.channels_of_server("connector-1").await.expect("channels"), ["room-8"]);
    // Anna's row nobody holds: whether she is swept is a matter of order.
    assert!(["5001", "5002"].contains(&&*rows(server)), "{} rows, of which nobody sees 5000", rows(server));
}

async fn swept<F: Flavor>(server: &Server<F>, runtime: &Arc<dyn Runtime>) {
    let begin = Instant::now();
    while rows(server) != "1" {
        let waited = Instant::now().saturating_since(begin);
        assert!(waited < Duration::from_secs(60), "{} rows are left", rows(server));
        runtime.sleep(Duration::from_millis(50)).await;
    }
}

async fn a_purge_touches_one_row(runtime: Arc<dyn Runtime>) {
    let server = Postgres::start().expect("PostgreSQL");
    let manager = filled(&server, &runtime).await;
    let options: PgConnectOptions = server.url().parse().expect("a URL");
    let mut other = options.connect().await.expect("a connection");
    sqlx::raw_sql("BEGIN").execute(&mut other).await.expect("begin");
    sqlx::raw_sql(HOLD).fetch_all(&mut other).await.expect("hold");
    purged(&server, &manager).await;
    sqlx::raw_sql("COMMIT").execute(&mut other).await.expect("let go");
    swept(&server, &runtime).await;
    other.close().await.expect("close");

    let server = MariaDb::start().expect("MariaDB");
    let manager = filled(&server, &runtime).await;
    let options: MySqlConnectOptions = server.url().parse().expect("a URL");
    let mut other = options.connect().await.expect("a connection");
    // Without gap locks, which would hold up new members too.
    let begin = "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED; BEGIN";
    sqlx::raw_sql(begin).execute(&mut other).await.expect("begin");
    sqlx::raw_sql(HOLD).fetch_all(&mut other).await.expect("hold");
    purged(&server, &manager).await;
    sqlx::raw_sql("COMMIT").execute(&mut other).await.expect("let go");
    swept(&server, &runtime).await;
    other.close().await.expect("close");
}

async fn what_is_purged_is_swept_by_the_next_start(runtime: Arc<dyn Runtime>) {
    let server = Postgres::start().expect("PostgreSQL");
    let manager = started(&config(&server), &runtime).await;
    manager.add_many("room", &frontend("connector-1", 1), &users(0..5000)).await.expect("add");
    manager.add("room", &frontend("connector-2", 1), "anna").await.expect("add");
    manager.stop().await.expect("stop");
    // As a process leaves it that dies right after its purge.
    server
        .sql(Some("tangelo"), "UPDATE tangelo_frontends SET life = 2 WHERE sid = 'connector-1';")
        .expect("purge");
    let manager = started(&config(&server), &runtime).await;
    swept(&server, &runtime).await;
    assert_eq!(manager.count("room").await.expect("count"), 1);
    manager.stop().await.expect("stop");
}

async fn another_process_that_holds_the_lock_of_sqlite(runtime: Arc<dyn Runtime>) {
    let (file, front) = (File::new(), frontend("connector-1", 1));
    let manager = started(&file.config().timeout(TIMEOUT / 4), &runtime).await;
    manager.add("room", &front, "anna").await.expect("add");
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(&file.path);
    let mut other = options.connect().await.expect("a connection");
    sqlx::raw_sql("BEGIN IMMEDIATE").execute(&mut other).await.expect("the lock");
    for _ in 0..3 {
        let begin = Instant::now();
        let error = manager.add("room", &front, "ben").await.expect_err("the lock is held");
        let took = Instant::now().saturating_since(begin);
        assert!(matches!(error.kind(), ErrorKind::Unavailable | ErrorKind::Timeout), "{error}");
        assert!(took < TIMEOUT / 4 + Duration::from_secs(1), "{took:?}");
        // Readers do not mind.
        assert_eq!(manager.members_by_server("room", "connector-1").await.expect("members"), ["anna"]);
    }
    let error = manager.purge_server(&front).await.expect_err("the lock is held");
    assert!(error.to_string().contains("another process holds its lock"), "{error}");
    sqlx::raw_sql("COMMIT").execute(&mut other).await.expect("let go");
    manager.add("room", &front, "cleo").await.expect("add");
    assert!(manager.contains("room", "connector-1", "cleo").await.expect("contains"));
    other.close().await.expect("close");
    manager.stop().await.expect("stop");
}
