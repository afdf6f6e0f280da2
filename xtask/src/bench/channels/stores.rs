//! What every store is measured for.

use super::load::{Work, done};
use super::{CHANNELS, Setting};
use crate::bench::report::{Report, Row, Target};
use anyhow::Result;
use tangelo_services::redis::Redis;

/// A frontend's members, whom a purge takes away.
const PURGED: usize = 100_000;

/// How long a frontend is purged.
pub(crate) fn purge(setting: &Setting, redis: &Redis, report: &mut Report) -> Result<()> {
    for &runtime in &setting.runtimes {
        println!("purge: Redis, {}", runtime.name());
        let mut times = Vec::new();
        for _ in 0..setting.rounds {
            redis.ask(&["FLUSHALL"])?;
            let work = Work {
                program: &setting.load,
                store: format!("redis://127.0.0.1:{}", redis.port()),
                runtime,
                members: PURGED,
                channels: CHANNELS,
            };
            times.push(done(&work.run(setting.cores, "purge")?, "purge")?.seconds * 1e3);
        }
        let what = format!(
            "Redis: purge of a frontend with {PURGED} members in {CHANNELS} channels: Tangelo on {}",
            runtime.name()
        );
        let row = Row::of(what, "ms", &times)?;
        report.targets.push(Target::at_most(format!("{}, max", row.what), "ms", 1000.0, row.summary.max));
        report.rows.push(row);
    }
    Ok(())
}
