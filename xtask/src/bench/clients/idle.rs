//! Connections that are made as fast as that goes, and then do nothing.

use super::generator::Generator;
use super::{Setting, with};
use crate::bench::report::{Report, Row, Target};
use anyhow::Result;

/// How many.
const CLIENTS: usize = 10_000;
/// So many are there before, so that what is made for the first ones is not counted.
const FIRST: usize = 100;
/// Then what connecting took is given back, in ms.
const REST: usize = 3000;

/// Of all that have connectors.
pub(crate) fn measure(setting: &Setting, report: &mut Report) -> Result<()> {
    let (rounds, clients) = (setting.few(1, 3), setting.few(2000, CLIENTS));
    let all = setting.with_backends();
    let mut found = vec![[const { Vec::new() }; 3]; all.len()];
    for round in 1..=rounds {
        for (candidate, found) in all.iter().zip(&mut found) {
            println!("{clients} connections, round {round} of {rounds}: {}", candidate.name());
            with(setting, *candidate, |servers| {
                let mut generator = Generator::start(&setting.program, candidate.protocol(), servers)?;
                generator.connect(FIRST)?;
                generator.idle(REST / 3)?;
                let (memory, cpu) = (servers.pss_mib()?, servers.cpu()?);
                let connected = generator.connect(clients)?;
                let cpu = servers.cpu()? - cpu;
                generator.idle(REST)?;
                let memory = (servers.pss_mib()? - memory) * 1024.0;
                let each = [memory / connected.clients(), connected.rate(), connected.clients() / cpu];
                found.iter_mut().zip(each).for_each(|(all, each)| all.push(each));
                generator.stop()
            })?;
        }
    }
    let kinds = [
        ("memory of the connectors, each", "KiB"),
        ("made, one client process", "connections/s"),
        ("made, by the connectors' CPU time", "connections/s of a core"),
    ];
    for (kind, (what, unit)) in kinds.into_iter().enumerate() {
        for (index, (candidate, found)) in all.iter().zip(&found).enumerate() {
            let what = format!("{clients} connections: {what}: {}", candidate.name());
            let row = Row::of(what.clone(), unit, &found[kind])?;
            let median = row.summary.median;
            report.rows.push(row);
            match kind {
                _ if index >= setting.ours.len() => {}
                // 8 KB in units of 1024 bytes.
                0 => report.targets.push(Target::at_most(what, unit, 8000.0 / 1024.0, median)),
                2 => report.targets.push(Target::at_least(what, unit, 5000.0, median)),
                _ => {}
            }
        }
    }
    Ok(())
}
