//! The tables are made, by whoever comes first.

extern crate alloc;

mod support;

use alloc::sync::Arc;
use futures_util::future::join_all;
use support::{File, config, frontend, manager, on_both, started};
use tangelo_core::ErrorKind;
use tangelo_core::channel::ChannelManager as _;
use tangelo_core::runtime::Runtime;
use tangelo_services::mariadb::MariaDb;
use tangelo_services::postgres::Postgres;
use tangelo_sql::SqlConfig;

on_both! {
    ten_start_at_once_on_an_empty_database
    tables_of_a_later_version_are_left_alone
}

/// Ten managers, which have nothing in common but the database.
async fn ten(config: &SqlConfig, runtime: &Arc<dyn Runtime>) {
    let managers: Vec<_> = (0..10).map(|_| manager(config, runtime)).collect();
    let starts = join_all(managers.iter().map(|manager| manager.start())).await;
    starts
        .into_iter()
        .enumerate()
        .for_each(|(n, start)| start.unwrap_or_else(|error| panic!("{n}: {error}")));
    for (n, manager) in managers.iter().enumerate() {
        manager.add("room", &frontend(&format!("connector-{n}"), 1), "anna").await.expect("add");
    }
    assert_eq!(managers[0].count("room").await.expect("count"), 10);
    for manager in managers {
        manager.stop().await.expect("stop");
    }
}

async fn ten_start_at_once_on_an_empty_database(runtime: Arc<dyn Runtime>) {
    let (postgres, mariadb) = (Postgres::start().expect("PostgreSQL"), MariaDb::start().expect("MariaDB"));
    for round in 0..5 {
        let name = format!("empty_{round}");
        let url = postgres.database(&name).expect("a database");
        ten(&SqlConfig::from_url(&url).expect("a URL"), &runtime).await;
        let once = postgres.sql(Some(&name), "SELECT version FROM tangelo_schema;").expect("versions");
        assert_eq!(once, "1");
        let url = mariadb.database(&name).expect("a database");
        ten(&SqlConfig::from_url(&url).expect("a URL"), &runtime).await;
        let once = mariadb.sql(Some(&name), "SELECT version FROM tangelo_schema;").expect("versions");
        assert_eq!(once, "1");
        ten(&File::new().config(), &runtime).await;
    }
}

async fn later(config: SqlConfig, runtime: &Arc<dyn Runtime>) {
    let error = manager(&config, runtime).start().await.expect_err("a later version");
    assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
    assert!(error.to_string().contains("version 99") && error.to_string().contains("tangelo_"), "{error}");
    // Another prefix has tables of its own.
    started(&config.prefix("other"), runtime).await;
}

async fn tables_of_a_later_version_are_left_alone(runtime: Arc<dyn Runtime>) {
    const LATER: &str = "INSERT INTO tangelo_schema (version) VALUES (99);";
    let server = Postgres::start().expect("PostgreSQL");
    started(&config(&server), &runtime).await;
    server.sql(Some("tangelo"), LATER).expect("a version");
    later(config(&server), &runtime).await;

    let server = MariaDb::start().expect("MariaDB");
    started(&config(&server), &runtime).await;
    server.sql(Some("tangelo"), LATER).expect("a version");
    later(config(&server), &runtime).await;

    let file = File::new();
    started(&file.config(), &runtime).await.stop().await.expect("stop");
    support::sqlite(&file.path, LATER).await;
    later(file.config(), &runtime).await;
}
