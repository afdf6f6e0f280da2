//! Changes through the manager on Redis, beside redis-benchmark and Pomelo's manager on the same Redis.

use super::load::{self, done};
use super::{CHANNELS, Setting, redis_url};
use crate::bench::peers::PomeloChannels;
use crate::bench::report::{Report, Row, Target};
use crate::{processes, run};
use anyhow::{Context as _, Result};
use tangelo_services::redis::Redis;

/// So many changes wait at once.
const OUTSTANDING: usize = 1024;

/// Rates, in members per second.
#[derive(Default)]
struct Rates {
    benchmark: Vec<f64>,
    /// Of each runtime: add, leave, `add_many`.
    ours: Vec<[Vec<f64>; 3]>,
    /// Add, leave.
    pomelo: [Vec<f64>; 2],
}

/// In turns, so that a change of the machine's mood hits all.
pub(crate) fn measure(setting: &Setting, redis: &Redis, report: &mut Report) -> Result<()> {
    let pomelo = PomeloChannels::installed();
    match &pomelo {
        Ok(pomelo) => report.versions.push(("pomelo-globalchannel-plugin".to_owned(), pomelo.version())),
        Err(why) => {
            report.notes.push(format!("Not measured: pomelo-globalchannel-plugin cannot be had: {why:#}"));
        }
    }
    let mut rates = Rates { ours: vec![Default::default(); setting.runtimes.len()], ..Rates::default() };
    for round in 1..=setting.rounds {
        println!("Redis, round {round} of {}", setting.rounds);
        rates.benchmark.push(benchmark(setting, redis)?);
        for (&runtime, [add, leave, add_many]) in setting.runtimes.iter().zip(&mut rates.ours) {
            let work = setting.work(redis_url(redis), runtime, setting.members);
            redis.ask(&["FLUSHALL"])?;
            let single = work.run(setting.cores, "single")?;
            add.push(done(&single, "add")?.rate());
            leave.push(done(&single, "leave")?.rate());
            redis.ask(&["FLUSHALL"])?;
            add_many.push(done(&work.run(setting.cores, "batches")?, "add_many")?.rate());
        }
        if let Ok(pomelo) = &pomelo {
            redis.ask(&["FLUSHALL"])?;
            let command = pomelo.command(redis.port(), setting.members, CHANNELS, OUTSTANDING);
            let both = load::run(setting.cores, &command).context("Pomelo's manager of channels")?;
            rates.pomelo[0].push(done(&both, "add")?.rate());
            rates.pomelo[1].push(done(&both, "leave")?.rate());
        }
        rates.benchmark.push(benchmark(setting, redis)?);
    }
    redis.ask(&["FLUSHALL"])?;
    summary(setting, &rates, pomelo.is_ok(), report)
}

/// SADDs per second, on keys like ours.
fn benchmark(setting: &Setting, redis: &Redis) -> Result<f64> {
    redis.ask(&["FLUSHALL"])?;
    let mut command = processes::command("redis-benchmark");
    let (port, adds, channels) =
        (redis.port().to_string(), setting.members.to_string(), CHANNELS.to_string());
    command.args(["-p", &port, "-c", "1", "-P", "64", "-n", &adds, "-r", &channels, "--csv"]);
    command.args(["SADD", "POMELO:CHANNEL:room-__rand_int__:connector-1", "user-__rand_int__"]);
    let printed = run::output(&mut setting.cores.pinned_client(&command))?;
    // "SADD …","438596.50",…
    let row = printed.lines().rev().find(|line| line.starts_with("\"SADD"));
    let rate = row.and_then(|row| row.split("\",\"").nth(1)?.trim_matches('"').parse().ok());
    rate.with_context(|| format!("redis-benchmark printed {printed}"))
}

fn summary(setting: &Setting, rates: &Rates, has_pomelo: bool, report: &mut Report) -> Result<()> {
    let sadd = "Redis: redis-benchmark -P 64 -c 1, SADD on random keys";
    let sadd = push(report, sadd.to_owned(), &rates.benchmark)?;
    let mut pomelo = [None, None];
    if has_pomelo {
        for ((what, rates), median) in ["add", "leave"].iter().zip(&rates.pomelo).zip(&mut pomelo) {
            let what = format!("Redis: {what}, {OUTSTANDING} outstanding: Pomelo's manager in Node");
            *median = Some(push(report, what, rates)?);
        }
    }
    for (runtime, [add, leave, add_many]) in setting.runtimes.iter().zip(&rates.ours) {
        let name = runtime.name();
        for ((what, rates), pomelo) in [("add", add), ("leave", leave)].into_iter().zip(pomelo) {
            let what = format!("Redis: {what}, {OUTSTANDING} outstanding: Tangelo on {name}");
            let ours = push(report, what.clone(), rates)?;
            report.targets.push(Target::at_least(format!("{what}, by that SADD"), "×", 0.5, ours / sadd));
            if let Some(pomelo) = pomelo {
                let target = Target::at_least(format!("{what}, by Pomelo's"), "×", 2.0, ours / pomelo);
                report.targets.push(target);
            }
        }
        let what = format!("Redis: add_many of 1000 to one channel: Tangelo on {name}");
        let ours = push(report, what.clone(), add_many)?;
        report.targets.push(Target::at_least(format!("{what}, by that SADD"), "×", 3.0, ours / sadd));
    }
    Ok(())
}

/// A row of rates; gives their median.
fn push(report: &mut Report, what: String, rates: &[f64]) -> Result<f64> {
    let row = Row::of(what, "members/s", rates)?;
    let median = row.summary.median;
    report.rows.push(row);
    Ok(median)
}
