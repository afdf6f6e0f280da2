//! Who is let in, and what the others are told.

extern crate alloc;

mod support;

use alloc::sync::Arc;
use core::time::Duration;
use std::os::unix::fs::PermissionsExt as _;
use support::{File, config, frontend, manager, on_both, started};
use tangelo_core::channel::ChannelManager as _;
use tangelo_core::runtime::Runtime;
use tangelo_core::{ErrorKind, Instant};
use tangelo_services::mariadb::MariaDb;
use tangelo_services::postgres::Postgres;
use tangelo_services::sql::{Flavor, PASSWORD, Server};
use tangelo_sql::SqlConfig;

on_both! {
    postgresql
    mariadb
    sqlite
}

const TIMEOUT: Duration = Duration::from_secs(4);

/// What a manager says that does not get in; `at_once` unless it would pass by itself.
async fn refused(config: SqlConfig, runtime: &Arc<dyn Runtime>, kind: ErrorKind, cure: &str) {
    let config = config.timeout(TIMEOUT).connect_timeout(TIMEOUT / 3);
    let (manager, begin) = (manager(&config, runtime), Instant::now());
    let error = manager.start().await.expect_err("it should not get in");
    let took = Instant::now().saturating_since(begin);
    let text = error.to_string();
    assert_eq!(error.kind(), kind, "{text}");
    assert!(text.contains(cure) && !text.contains('\n'), "{text}");
    let shown = format!("{text} {error:?} {config:?}");
    assert!(!shown.contains("hush") && !shown.contains(PASSWORD), "{shown}");
    if !error.is_temporary() {
        assert!(took < TIMEOUT / 2, "waiting does not cure it: {took:?}");
        // So do calls.
        let late = manager.add("room", &frontend("connector-1", 1), "anna").await.expect_err("a call");
        assert_eq!(late.kind(), kind, "{late}");
        let late = manager.count("room").await.expect_err("a call");
        assert_eq!(late.kind(), kind, "{late}");
    }
}

/// What is the same for all servers. `least` gives a user `game` the rights that the README names.
async fn server<F: Flavor>(
    server: Server<F>,
    runtime: Arc<dyn Runtime>,
    least: &str,
    no_database: (ErrorKind, &str),
) {
    let wrong = |url: String| SqlConfig::from_url(&url).expect("a URL");
    refused(config(&server).password("hush"), &runtime, ErrorKind::Denied, "wrong").await;
    refused(config(&server).user("stranger").password("hush"), &runtime, ErrorKind::Denied, "wrong").await;
    let nowhere = config(&server).database("nowhere");
    refused(nowhere, &runtime, no_database.0, no_database.1).await;

    started(&config(&server), &runtime).await.stop().await.expect("stop");
    server.sql(Some("tangelo"), least).expect("a user");
    let game = config(&server).user("game").password("secret");
    let poor = started(&game, &runtime).await;
    let front = frontend("connector-1", 1);
    poor.add("room", &front, "anna").await.expect("add");
    poor.leave("room", &front, "anna").await.expect("leave");
    poor.purge_server(&front).await.expect("purge");
    poor.clean().await.expect("clean");
    // It may not make tables of its own.
    let error = manager(&game.prefix("other"), &runtime).start().await.expect_err("no right");
    assert_eq!(error.kind(), ErrorKind::Denied, "{error}");
    assert!(error.to_string().contains("README"), "{error}");

    server.kill().expect("kill");
    refused(config(&server), &runtime, ErrorKind::Unavailable, "is it running").await;
    let port = server.port().to_string();
    let mute = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let silent = mute.local_addr().expect("an address").port().to_string();
    refused(wrong(server.url().replace(&port, &silent)), &runtime, ErrorKind::Unavailable, "no connection")
        .await;
}

async fn postgresql(runtime: Arc<dyn Runtime>) {
    let least = "CREATE ROLE game LOGIN PASSWORD 'secret';
        GRANT SELECT ON tangelo_schema TO game;
        GRANT SELECT, INSERT, UPDATE, DELETE ON tangelo_frontends, tangelo_members TO game;";
    let no_database = (ErrorKind::NotFound, "CREATE DATABASE");
    server(Postgres::start().expect("PostgreSQL"), runtime, least, no_database).await;
}

async fn mariadb(runtime: Arc<dyn Runtime>) {
    let least = "CREATE USER game@'127.0.0.1' IDENTIFIED BY 'secret';
        GRANT SELECT ON tangelo_schema TO game@'127.0.0.1';
        GRANT SELECT, INSERT, UPDATE, DELETE ON tangelo_frontends TO game@'127.0.0.1';
        GRANT SELECT, INSERT, UPDATE, DELETE ON tangelo_members TO game@'127.0.0.1';";
    // It does not tell a stranger which databases there are.
    let no_database = (ErrorKind::Denied, "GRANT");
    server(MariaDb::start().expect("MariaDB"), runtime, least, no_database).await;
}

async fn sqlite(runtime: Arc<dyn Runtime>) {
    let file = File::new();
    started(&file.config(), &runtime).await.stop().await.expect("stop");
    let mode = std::fs::metadata(&file.path).expect("a file").permissions().mode();
    assert_eq!(mode & 0o002, 0, "others may write to it: {mode:o}");
    // A directory where the file should be.
    let dir = file.path.with_file_name("dir");
    std::fs::create_dir(&dir).expect("a directory");
    refused(SqlConfig::sqlite(&dir), &runtime, ErrorKind::Denied, "directory").await;
    let other = file.path.with_file_name("other.txt");
    std::fs::write(&other, "This is no database. ".repeat(1000)).expect("a file");
    refused(SqlConfig::sqlite(&other), &runtime, ErrorKind::Invalid, "another kind of file").await;
}
