//! Pushes over real processes, and what a frontend's members take.

use super::Setting;
use super::field::{FRONTENDS, Field};
use crate::bench::procfs;
use crate::bench::report::{Report, Row, Target};
use crate::bench::stats::Summary;
use crate::runtime::Runtime;
use anyhow::{Context as _, Result, ensure};
use core::time::Duration;
use std::path::Path;
use tangelo_services::redis::Redis;

/// The channels, by their members.
const SMALL: usize = 100;
const MEDIUM: usize = 10_000;
const LARGE: usize = 100_000;
/// Pushes whose messages are counted.
const COUNTED: usize = 100;
/// Between two pushes whose cost is compared: then a large channel's frontends are at rest again, as a small one's.
const PAUSE: Duration = Duration::from_millis(25);
/// Pushes under way at once, for the greatest rate.
const ABREAST: usize = 16;
/// A frontend's members, whose memory is measured: so many channels, and members in each.
const MEMORY: (usize, usize) = (1000, 1000);

/// All of it, on one runtime.
pub(crate) fn measure(
    setting: &Setting,
    runtime: Runtime,
    app: &Path,
    redis: &Redis,
    report: &mut Report,
) -> Result<()> {
    let on = format!("Tangelo on {}", runtime.name());
    println!("push: {on}");
    redis.ask(&["FLUSHALL"])?;
    let field = Field::start(app, redis)?;
    for (channel, members) in [("small", SMALL), ("medium", MEDIUM), ("large", LARGE)] {
        field.fill(channel, members)?;
    }
    counted(&field, &on, report)?;
    sender(&field, setting.rounds, setting.pushes, &on, report)?;
    rate(&field, setting.rounds, setting.pushes, &on, report)?;
    memory(&field, &on, report)?;
    field.stop()
}

/// Messages and commands of the store for each push.
fn counted(field: &Field<'_>, on: &str, report: &mut Report) -> Result<()> {
    field.push("medium", 1, 1, Duration::ZERO)?;
    field.counters()?;
    let before = (field.store_commands()?, field.sender_segments()?);
    let (_, delivered) = field.push("medium", COUNTED, 1, Duration::ZERO)?;
    let after = (field.store_commands()?, field.sender_segments()?);
    let counters = field.counters()?;
    let (messages, members) = counters.iter().fold((0.0, 0.0), |sum, each| (sum.0 + each.0, sum.1 + each.1));
    #[allow(clippy::cast_precision_loss, reason = "they are small")]
    let (pushes, all, commands, segments) =
        (COUNTED as f64, (COUNTED * MEDIUM) as f64, (after.0 - before.0) as f64, (after.1 - before.1) as f64);
    ensure!(delivered == all && members == all, "{delivered} and {members} of {all} members were reached");
    let each = [
        ("messages that come to frontends' sinks", messages / pushes),
        ("TCP segments from the sender, heartbeats included", segments / pushes),
        ("commands that Redis carries out", commands / pushes),
    ];
    for (what, each) in each {
        report.rows.push(Row::of(
            format!("push to {MEDIUM} members at {FRONTENDS} frontends: {what}: {on}"),
            "",
            &[each],
        )?);
    }
    #[allow(clippy::cast_precision_loss, reason = "it is 8")]
    let frontends = FRONTENDS as f64;
    report.targets.extend([
        Target::exactly(format!("push: messages: {on}"), "", frontends, messages / pushes),
        Target::exactly(format!("push: commands of the store: {on}"), "", 0.0, commands / pushes),
    ]);
    Ok(())
}

/// The sender's CPU for each push, to a small channel and to a large one, in turns.
fn sender(field: &Field<'_>, rounds: usize, pushes: usize, on: &str, report: &mut Report) -> Result<()> {
    let (mut small, mut large) = (Vec::new(), Vec::new());
    // Twice as often half as many: what else the machine does is in both.
    let (rounds, pushes) = (rounds * 2, pushes.div_ceil(2));
    let cost = |channel: &str| -> Result<f64> {
        let before = field.sender_cpu()?;
        field.push(channel, pushes, 1, PAUSE)?;
        #[allow(clippy::cast_precision_loss, reason = "some hundreds")]
        let each = (field.sender_cpu()? - before) * 1e6 / pushes as f64;
        Ok(each)
    };
    for _ in 0..rounds {
        small.push(cost("small")?);
        large.push(cost("large")?);
    }
    let what = |members| format!("push to {members} members: the sender's CPU: {on}");
    let (small, large) = (Row::of(what(SMALL), "µs", &small)?, Row::of(what(LARGE), "µs", &large)?);
    let ratio = large.summary.median / small.summary.median;
    let what = format!("push: the sender's CPU for {LARGE} members by that for {SMALL}: {on}");
    report.targets.push(Target::at_most(what, "×", 1.1, ratio));
    report.rows.extend([small, large]);
    Ok(())
}

/// How many members the sinks are handed at most.
fn rate(field: &Field<'_>, rounds: usize, pushes: usize, on: &str, report: &mut Report) -> Result<()> {
    let mut rates = Vec::new();
    for _ in 0..rounds {
        let (seconds, delivered) = field.push("medium", pushes * 8, ABREAST, Duration::ZERO)?;
        rates.push(delivered / seconds / 1e6);
    }
    let what = format!("push to {MEDIUM} members, {ABREAST} under way: members handed to sinks: {on}");
    let row = Row::of(what, "M/s", &rates)?;
    let median = Summary::of(&rates).map_or(0.0, |summary| summary.median);
    report.targets.push(Target::at_least(row.what.clone(), "M/s", 5.0, median));
    report.rows.push(row);
    Ok(())
}

/// What a frontend's process grows by.
fn memory(field: &Field<'_>, on: &str, report: &mut Report) -> Result<()> {
    let (channels, members) = MEMORY;
    let pid = field.pid("gate-1")?;
    let rss = || procfs::rss_mib(pid).context("the frontend is gone");
    let before = rss()?;
    field.order("gate-1", &format!("fill room {channels} {members}"))?;
    #[allow(clippy::cast_precision_loss, reason = "a million")]
    let each = (rss()? - before) * 1024.0 * 1024.0 / (channels * members) as f64;
    let what = format!("memory of {} members in {channels} channels, each: {on}", channels * members);
    report.targets.push(Target::at_most(what.clone(), "bytes", 150.0, each));
    report.rows.push(Row::of(what, "bytes", &[each])?);
    Ok(())
}
