//! `add_many` in the SQL stores, beside the best statements that were written by hand for the same rows.

use super::Setting;
use super::load::done;
use crate::bench::report::{Report, Row, Target};
use crate::bench::scratch;
use crate::bench::stats::Summary;
use alloc::collections::BTreeMap;
use anyhow::{Context as _, Result};
use core::cell::Cell;
use tangelo_services::mariadb::MariaDb;
use tangelo_services::postgres::Postgres;

/// An SQL store.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Kind {
    Postgres,
    MariaDb,
    Sqlite,
}

impl Kind {
    pub(crate) const ALL: [Self; 3] = [Self::Postgres, Self::MariaDb, Self::Sqlite];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Postgres => "PostgreSQL",
            Self::MariaDb => "MariaDB",
            Self::Sqlite => "SQLite",
        }
    }
}

/// The servers, with their own settings, so that whatever is acknowledged is on the disk.
pub(crate) struct Databases {
    postgres: Postgres,
    mariadb: MariaDb,
    sqlite: scratch::Dir,
    made: Cell<usize>,
}

impl Databases {
    /// Each on the servers' core.
    pub(crate) fn start(setting: &Setting) -> Result<Self> {
        println!("starting PostgreSQL and MariaDB");
        let (postgres, mariadb) = (Postgres::start()?, MariaDb::start()?);
        for pid in [postgres.pid(), mariadb.pid()] {
            setting.cores.pin_server(pid.context("it has ended")?)?;
        }
        // Whoever writes statements by hand asks where its Unix socket is.
        postgres.sql(None, "GRANT pg_read_all_settings TO tangelo")?;
        Ok(Self { postgres, mariadb, sqlite: scratch::Dir::new("sqlite")?, made: Cell::new(0) })
    }

    /// The URL of a database that nobody has used.
    pub(crate) fn fresh(&self, kind: Kind) -> Result<String> {
        self.made.set(self.made.get() + 1);
        let name = format!("bench_{}", self.made.get());
        match kind {
            Kind::Postgres => self.postgres.database(&name),
            Kind::MariaDb => self.mariadb.database(&name),
            Kind::Sqlite => Ok(format!("sqlite://{}/{name}.db", self.sqlite.path().display())),
        }
    }

    /// What they say of themselves.
    pub(crate) fn versions(&self) -> Result<Vec<(String, String)>> {
        let postgres = self.postgres.sql(None, "SHOW server_version")?;
        let mariadb = self.mariadb.sql(None, "SELECT VERSION()")?;
        let version = |kind: Kind, version: &str| (kind.name().to_owned(), version.trim().to_owned());
        Ok(vec![version(Kind::Postgres, &postgres), version(Kind::MariaDb, &mariadb)])
    }
}

/// In turns, so that a change of the machine's mood hits all.
pub(crate) fn measure(setting: &Setting, databases: &Databases, report: &mut Report) -> Result<()> {
    for kind in Kind::ALL {
        let (mut by_hand, mut ours) =
            (BTreeMap::<_, Vec<_>>::new(), vec![Vec::new(); setting.runtimes.len()]);
        for round in 1..=setting.rounds {
            println!("{}, round {round} of {}", kind.name(), setting.rounds);
            let first = *setting.runtimes.first().context("no runtime")?;
            let statements = setting.work(databases.fresh(kind)?, first, setting.rows);
            for (way, done) in statements.run(setting.cores, "statements")? {
                by_hand.entry(way).or_default().push(done.rate());
            }
            for (&runtime, rates) in setting.runtimes.iter().zip(&mut ours) {
                let work = setting.work(databases.fresh(kind)?, runtime, setting.rows);
                rates.push(done(&work.run(setting.cores, "batches")?, "add_many")?.rate());
            }
        }
        let name = kind.name();
        let mut best = 0.0_f64;
        for (way, rates) in &by_hand {
            report.rows.push(Row::of(format!("{name}: 1000 rows by hand: {way}"), "members/s", rates)?);
            best = best.max(Summary::of(rates).map_or(0.0, |summary| summary.median));
        }
        for (runtime, rates) in setting.runtimes.iter().zip(&ours) {
            let what = format!("{name}: add_many of 1000: Tangelo on {}", runtime.name());
            let row = Row::of(what.clone(), "members/s", rates)?;
            let target =
                Target::at_least(format!("{what}, by the best by hand"), "×", 0.5, row.summary.median / best);
            report.targets.push(target);
            report.rows.push(row);
        }
    }
    Ok(())
}
