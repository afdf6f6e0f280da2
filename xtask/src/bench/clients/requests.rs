//! Requests: through a connector to a handler in the chat server, and back.

use super::generator::Generator;
use super::limit::Relay;
use super::{Setting, with};
use crate::bench::report::{Report, Row, Target};
use anyhow::Result;

/// How many clients.
const CLIENTS: usize = 64;
/// Each has so many requests on their way.
const LOADS: [usize; 2] = [1, 8];

/// In turns.
pub(crate) fn measure(setting: &Setting, report: &mut Report) -> Result<()> {
    let (rounds, span) = (setting.few(1, 5), setting.few(500, 2000));
    let relay = Relay { program: &setting.program };
    let mut all = setting.with_backends();
    all.insert(0, &relay);
    let mut rates = vec![[const { Vec::new() }; LOADS.len()]; all.len()];
    for round in 1..=rounds {
        for (candidate, rates) in all.iter().zip(&mut rates) {
            println!("requests, round {round} of {rounds}: {}", candidate.name());
            with(setting, *candidate, |servers| {
                let mut generator = Generator::start(&setting.program, candidate.protocol(), servers)?;
                generator.connect(CLIENTS)?;
                for (outstanding, rates) in LOADS.into_iter().zip(rates) {
                    // Node.js compiles what is used often.
                    generator.echo(CLIENTS, outstanding, 500)?;
                    rates.push(generator.echo(CLIENTS, outstanding, span)?.rate());
                }
                generator.stop()
            })?;
        }
    }
    for (load, outstanding) in LOADS.into_iter().enumerate() {
        let mut medians = Vec::new();
        for (candidate, rates) in all.iter().zip(&rates) {
            let what =
                format!("requests, {CLIENTS} clients with {outstanding} on their way: {}", candidate.name());
            let row = Row::of(what, "requests/s", &rates[load])?;
            medians.push(row.summary.median);
            report.rows.push(row);
        }
        let Some(pomelo) = setting.pomelo.as_ref().and_then(|_| medians.pop()) else { continue };
        for (tangelo, median) in all.iter().zip(medians).skip(1) {
            let what = format!(
                "requests, {CLIENTS} clients with {outstanding} on their way: {}, by Pomelo's",
                tangelo.name()
            );
            report.targets.push(Target::at_least(what, "×", 10.0, median / pomelo));
        }
    }
    Ok(())
}
