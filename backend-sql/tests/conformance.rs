//! The conformance suite on real databases, on both runtimes.

extern crate alloc;

mod support;

use alloc::sync::Arc;
use support::{File, config, connect, on_both};
use tangelo_core::conformance::channel_manager::Suite;
use tangelo_core::runtime::Runtime;
use tangelo_services::mariadb::MariaDb;
use tangelo_services::postgres::Postgres;
use tangelo_sql::SqlConfig;

on_both! {
    postgresql
    mariadb
    sqlite
    sqlite_that_does_not_wait_for_the_disk
}

async fn conforms(config: SqlConfig, runtime: Arc<dyn Runtime>, members: usize) {
    // It begins like the other, and goes on like a table of it.
    let neighbour = connect(config.clone().prefix("tangelo_members"), &runtime);
    let connect = connect(config, &runtime);
    Suite::new(runtime, &connect).neighbour(&neighbour).members(members).test_all().await;
    let last = connect().await;
    last.start().await.expect("start");
    last.clean().await.expect("clean");
    last.stop().await.expect("stop");
}

// The machine does not die meanwhile, so the servers need not wait for the disk; outages.rs has them wait.

async fn postgresql(runtime: Arc<dyn Runtime>) {
    let server = Postgres::start_with(&["-c", "fsync=off"]).expect("PostgreSQL");
    conforms(config(&server), runtime, 100_000).await;
    let left = "SELECT (SELECT COUNT(*) FROM tangelo_frontends) + (SELECT COUNT(*) FROM tangelo_members);";
    assert_eq!(server.sql(Some("tangelo"), left).expect("a count"), "0", "a clean leaves nothing");
}

async fn mariadb(runtime: Arc<dyn Runtime>) {
    let server = MariaDb::start_with(&["--innodb-flush-log-at-trx-commit=0"]).expect("MariaDB");
    conforms(config(&server), runtime, 100_000).await;
    let left = "SELECT (SELECT COUNT(*) FROM tangelo_frontends) + (SELECT COUNT(*) FROM tangelo_members);";
    assert_eq!(server.sql(Some("tangelo"), left).expect("a count"), "0", "a clean leaves nothing");
}

async fn sqlite(runtime: Arc<dyn Runtime>) {
    let file = File::new();
    conforms(file.config(), runtime, 100_000).await;
}

async fn sqlite_that_does_not_wait_for_the_disk(runtime: Arc<dyn Runtime>) {
    let file = File::new();
    conforms(file.config().power_safe(false).connections(1), runtime, 20_000).await;
}
