//! Database servers, which write every change to their disk before they answer.

use super::super::super::outages;
use super::Keeper;
use crate::support::DEADLINE;
use tangelo_services::sql::{Flavor, Server};

#[cfg(feature = "channel-postgres")]
pub(crate) fn postgres() -> tangelo_services::postgres::Postgres {
    Server::start().expect("a PostgreSQL")
}

#[cfg(feature = "channel-mysql")]
pub(crate) fn mariadb() -> tangelo_services::mariadb::MariaDb {
    Server::start().expect("a MariaDB")
}

impl<F: Flavor> outages::Server for Server<F> {
    fn kill(&self) {
        self.kill().expect("it can be killed");
    }

    fn start_again(&self) {
        self.start_again().expect("it can be started");
        self.await_ready(DEADLINE).expect("it comes up again");
    }
}

impl<F: Flavor> Keeper for Server<F> {
    fn url(&self) -> String {
        self.url()
    }
}
