//! Real database servers.

use core::time::Duration;
use tangelo_services::mariadb::MariaDb;
use tangelo_services::postgres::Postgres;
use tangelo_services::sql::{Flavor, Server};
use tangelo_services::{clock, ports};

const LIMIT: Duration = Duration::from_secs(60);

fn keeps_what_was_acknowledged<F: Flavor>(server: &Server<F>) {
    let (port, first) = (server.port(), server.pid().expect("a process"));
    assert!(server.url().ends_with(&format!("127.0.0.1:{port}/tangelo")), "{}", server.url());
    let sql = |statements: &str| server.sql(Some("tangelo"), statements);
    sql("CREATE TABLE a (b INT); INSERT INTO a VALUES (1), (2);").expect("a table");
    assert!(server.start_again().is_err(), "it runs");

    server.kill().expect("kill");
    assert!(!std::fs::exists(format!("/proc/{first}")).expect("proc"));
    assert!(sql("SELECT 1;").is_err(), "it is dead");
    server.start_again().expect("start");
    server.await_ready(LIMIT).expect("ready");
    assert_eq!(server.port(), port);
    ports::listens(server.pid().expect("a process"), port).expect("it is ours");
    assert_eq!(sql("SELECT b FROM a ORDER BY b;").expect("rows"), "1\n2");
    assert!(sql("SELECT nonsense;").is_err());

    server.freeze().expect("freeze");
    server.thaw().expect("thaw");
    server.await_ready(LIMIT).expect("ready");
    server.freeze().expect("freeze");
    server.kill().expect("kill a frozen one");
    server.database("other").expect_err("it is dead");
    server.start_again().expect("start");
    server.await_ready(LIMIT).expect("ready");
    assert!(server.database("other").expect("a database").ends_with("/other"));
}

#[test]
fn postgresql_keeps_its_port_over_a_kill_and_what_was_acknowledged() {
    let start = clock::now();
    let server = Postgres::start().expect("PostgreSQL");
    eprintln!("ready after {:?}", clock::now() - start);
    keeps_what_was_acknowledged(&server);
}

#[test]
fn mariadb_keeps_its_port_over_a_kill_and_what_was_acknowledged() {
    let start = clock::now();
    let server = MariaDb::start().expect("MariaDB");
    eprintln!("ready after {:?}", clock::now() - start);
    keeps_what_was_acknowledged(&server);
}

#[test]
fn a_server_that_cannot_run_is_told_with_the_end_of_its_log() {
    let start = clock::now();
    let error = format!("{:#}", Postgres::start_with(&["-c", "nonsense=1"]).expect_err("it cannot run"));
    assert!(error.contains("nonsense"), "{error}");
    let error = format!("{:#}", MariaDb::start_with(&["--nonsense"]).expect_err("it cannot run"));
    assert!(error.contains("nonsense"), "{error}");
    assert!(clock::now() - start < LIMIT, "it does not wait for what cannot come");
}
