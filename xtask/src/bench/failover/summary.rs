//! From what was measured to rows and targets.

use super::Measured;
use super::expiry::Expiries;
use super::handover::HandedOver;
use super::kill::Killed;
use super::rest::Rest;
use super::stage::SESSION;
use crate::bench::report::{Grid, Report, Row, Target, figure};
use anyhow::Result;
use core::time::Duration;

const MS: &str = "ms";
/// ZooKeeper's own: sessions end at the end of one.
const TICK: Duration = Duration::from_secs(2);

/// A row for each setting.
fn rows<T>(
    measured: &Measured<T>,
    what: &str,
    samples: impl Fn(&T) -> &[f64],
    report: &mut Report,
) -> Result<Vec<(String, crate::bench::stats::Summary)>> {
    let mut summaries = Vec::new();
    for (setting, measured) in measured {
        let row = Row::of(format!("{what}: {setting}"), MS, samples(measured))?;
        summaries.push((row.what.clone(), row.summary));
        report.rows.push(row);
    }
    Ok(summaries)
}

/// Rows, with a limit for the median and one for the 99th percentile.
fn limited<T>(
    measured: &Measured<T>,
    what: &str,
    samples: impl Fn(&T) -> &[f64],
    (median, p99): (f64, f64),
    report: &mut Report,
) -> Result<()> {
    for (what, summary) in rows(measured, what, samples, report)? {
        report.targets.extend([
            Target::at_most(format!("{what}, median"), MS, median, summary.median),
            Target::at_most(format!("{what}, p99"), MS, p99, summary.p99),
        ]);
    }
    Ok(())
}

/// Rows, with a limit for all samples.
fn bounded<T>(
    measured: &Measured<T>,
    what: &str,
    samples: impl Fn(&T) -> &[f64],
    max: f64,
    report: &mut Report,
) -> Result<()> {
    for (what, summary) in rows(measured, what, samples, report)? {
        report.targets.push(Target::at_most(format!("{what}, max"), MS, max, summary.max));
    }
    Ok(())
}

pub(super) fn kills(measured: &Measured<Killed>, servers: usize, report: &mut Report) -> Result<()> {
    let kill = "kill -9 of the leader →";
    rows(measured, &format!("{kill} its lock node is gone"), |killed| &killed.freed, report)?;
    let what = format!("{kill} standby's epoch published");
    limited(measured, &what, |killed| &killed.published, (30.0, 100.0), report)?;
    let what = format!("{kill} all {servers} registered");
    limited(measured, &what, |killed| &killed.registered, (60.0, 200.0), report)
}

pub(super) fn members(measured: &Measured<Killed>, servers: usize, report: &mut Report) -> Result<()> {
    let what = format!("kill -9 of the leader of {servers} →");
    rows(measured, &format!("{what} standby's epoch published"), |killed| &killed.published, report)?;
    bounded(measured, &format!("{what} all registered"), |killed| &killed.registered, 1000.0, report)
}

pub(super) fn handovers(measured: &Measured<HandedOver>, servers: usize, report: &mut Report) -> Result<()> {
    bounded(measured, "handover: request → new leader seen", |handed| &handed.requested, 50.0, report)?;
    let what = "handover: start of the command → new epoch published";
    rows(measured, what, |handed| &handed.published, report)?;
    let what = format!("handover: new epoch published → all {servers} registered");
    rows(measured, &what, |handed| &handed.registered, report)?;
    Ok(())
}

pub(super) fn expiries(measured: &Measured<Expiries>, report: &mut Report) -> Result<()> {
    let limit = (SESSION + TICK + Duration::from_millis(100)).as_secs_f64() * 1e3;
    let what = "kill -9 of leader and guard → standby's epoch published";
    bounded(measured, what, |expiries| &expiries.with_its_guard, limit, report)?;
    let what = "SIGSTOP of the leader → standby's epoch published";
    bounded(measured, what, |expiries| &expiries.frozen, limit, report)?;
    let what = "ZooKeeper alone: a session falls silent → its znode is gone";
    rows(measured, what, |expiries| &expiries.silent, report)?;
    Ok(())
}

/// `measured` has the fewer servers of each setting first.
pub(super) fn rests(measured: &Measured<Rest>, span: Duration, report: &mut Report) -> Result<()> {
    let seconds = span.as_secs();
    if report.grids.is_empty() {
        let header = [
            &format!("at rest, over {seconds} s")[..],
            "servers",
            "leader, % of a core",
            "standby",
            "both guards",
            "ZooKeeper, all nodes",
            "transactions",
            "changes below the path",
        ];
        report.grids.push(Grid { header: header.map(str::to_owned).into(), rows: Vec::new() });
    }
    for (setting, rest) in measured {
        let cpu = [rest.leader, rest.standby, rest.guards, rest.zookeeper].map(figure);
        let counts = [rest.transactions.to_string(), rest.changes.to_string()];
        let row = [&[setting.clone(), rest.servers.to_string()][..], &cpu, &counts].concat();
        report.grids.iter_mut().for_each(|grid| grid.rows.push(row.clone()));
    }
    let (few, many) = measured.split_at(measured.len() / 2);
    for ((setting, few), (_, many)) in few.iter().zip(many) {
        let more = many.servers - few.servers;
        let unit = "in all";
        let changes = f64::from(u32::try_from(many.changes)?);
        let what = format!("znodes changed at rest in {seconds} s, {} servers: {setting}", many.servers);
        report.targets.push(Target::at_most(what, unit, 0.0, changes));
        // A proof more or less falls into the span.
        let growth = f64::from(u32::try_from(many.transactions.saturating_sub(few.transactions))?);
        let what = format!("transactions of {more} more servers at rest in {seconds} s: {setting}");
        report.targets.push(Target::at_most(what, unit, 3.0, growth));
        let growth = (many.standby + many.guards) - (few.standby + few.guards);
        let what = format!("processor time of standby and guards for {more} more servers: {setting}");
        report.targets.push(Target::at_most(what, "% of a core", 0.1, growth.max(0.0)));
    }
    Ok(())
}
