//! The store goes away, and comes back with what it had stored.

extern crate alloc;

mod support;

use alloc::sync::Arc;
use core::time::Duration;
use support::{config, connect, on_both};
use tangelo_core::BoxFuture;
use tangelo_core::conformance::channel_manager::{Outage, Suite};
use tangelo_core::runtime::Runtime;
use tangelo_services::mariadb::MariaDb;
use tangelo_services::postgres::Postgres;
use tangelo_services::sql::{Flavor, Server};

on_both! {
    postgresql_that_is_killed
    postgresql_that_is_frozen
    mariadb_that_is_killed
    mariadb_that_is_frozen
}

const TIMEOUT: Duration = Duration::from_millis(600);
const LIMIT: Duration = Duration::from_secs(60);

/// SIGKILL, and a start with the data on the disk.
struct Killed<'a, F>(&'a Server<F>);

impl<F: Flavor> Outage for Killed<'_, F> {
    fn down(&self) -> BoxFuture<'_, ()> {
        Box::pin(async { self.0.kill().expect("kill") })
    }

    fn up(&self) -> BoxFuture<'_, ()> {
        Box::pin(async {
            self.0.start_again().expect("start");
            self.0.await_ready(LIMIT).expect("ready");
        })
    }
}

/// SIGSTOP, and SIGCONT.
struct Frozen<'a, F>(&'a Server<F>);

impl<F: Flavor> Outage for Frozen<'_, F> {
    fn down(&self) -> BoxFuture<'_, ()> {
        Box::pin(async { self.0.freeze().expect("freeze") })
    }

    fn up(&self) -> BoxFuture<'_, ()> {
        Box::pin(async { self.0.thaw().expect("thaw") })
    }
}

async fn survives<F: Flavor>(server: &Server<F>, outage: &dyn Outage, runtime: Arc<dyn Runtime>) {
    let impatient = config(server).timeout(TIMEOUT).connect_timeout(TIMEOUT / 2);
    // The tables are there before the first outage.
    support::started(&impatient, &runtime).await;
    let connect = connect(impatient, &runtime);
    Suite::new(runtime, &connect).outage(outage, TIMEOUT).patience(LIMIT * 2).test_outages().await;
}

async fn postgresql_that_is_killed(runtime: Arc<dyn Runtime>) {
    let server = Postgres::start().expect("PostgreSQL");
    survives(&server, &Killed(&server), runtime).await;
}

async fn postgresql_that_is_frozen(runtime: Arc<dyn Runtime>) {
    let server = Postgres::start().expect("PostgreSQL");
    survives(&server, &Frozen(&server), runtime).await;
}

async fn mariadb_that_is_killed(runtime: Arc<dyn Runtime>) {
    let server = MariaDb::start().expect("MariaDB");
    survives(&server, &Killed(&server), runtime).await;
}

async fn mariadb_that_is_frozen(runtime: Arc<dyn Runtime>) {
    let server = MariaDb::start().expect("MariaDB");
    survives(&server, &Frozen(&server), runtime).await;
}
