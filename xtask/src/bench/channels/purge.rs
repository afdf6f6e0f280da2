//! A frontend that has died is cleared away, in each store.

use super::load::done;
use super::sql::{Databases, Kind};
use super::{CHANNELS, Setting, redis_url};
use crate::bench::report::{Report, Row, Target};
use anyhow::Result;
use tangelo_services::redis::Redis;

/// The members of the frontend.
const PURGED: usize = 100_000;

/// How long it takes, in every store.
pub(crate) fn measure(
    setting: &Setting,
    redis: &Redis,
    databases: &Databases,
    report: &mut Report,
) -> Result<()> {
    let fresh = || redis.ask(&["FLUSHALL"]).map(|_| redis_url(redis));
    purge(setting, "Redis", fresh, report)?;
    for kind in Kind::ALL {
        purge(setting, kind.name(), || databases.fresh(kind), report)?;
    }
    Ok(())
}

/// In stores that `fresh` gives the URLs of, each time an empty one.
fn purge(
    setting: &Setting,
    store: &str,
    fresh: impl Fn() -> Result<String>,
    report: &mut Report,
) -> Result<()> {
    for &runtime in &setting.runtimes {
        println!("purge: {store}, {}", runtime.name());
        let times = (0..setting.rounds).map(|_| {
            let done_work = setting.work(fresh()?, runtime, PURGED).run(setting.cores, "purge")?;
            Ok(done(&done_work, "purge")?.seconds * 1e3)
        });
        let what = format!(
            "{store}: purge of a frontend with {PURGED} members in {CHANNELS} channels: Tangelo on {}",
            runtime.name()
        );
        let row = Row::of(what, "ms", &times.collect::<Result<Vec<_>>>()?)?;
        report.targets.push(Target::at_most(format!("{}, max", row.what), "ms", 1000.0, row.summary.max));
        report.rows.push(row);
    }
    Ok(())
}
