//! Pushes to a channel that all clients are in.

use super::candidate::Candidate;
use super::generator::{Generator, Pushed};
use super::{Setting, limit, with};
use crate::bench::report::{Grid, Report, Row, Target, figure};
use crate::bench::stats::Summary;
use anyhow::Result;

/// How many clients, and how many pushes: one at a time, and in a stream.
const SIZES: [(usize, usize, usize); 2] = [(1000, 200, 400), (5000, 50, 120)];
/// Whose latencies are judged.
const JUDGED: usize = 1000;
/// So many pushes of a stream have not come to every client.
const WINDOW: usize = 8;
/// Until all is in its caches.
const WARM_UP: usize = 20;

/// Of a candidate with so many clients, in all rounds.
#[derive(Default)]
struct Samples {
    one: Vec<f64>,
    p50: Vec<f64>,
    p99: Vec<f64>,
    stream: Vec<f64>,
    /// Microseconds for each receipt, of the frontends and of the clients: one at a time, and in a stream.
    cost: [Vec<f64>; 4],
    overtaken: u64,
}

/// Medians that others are compared with.
struct Medians {
    one: f64,
    p50: f64,
    p99: f64,
    stream: f64,
}

/// In turns, so that a change of the machine's mood hits all.
pub(crate) fn measure(setting: &Setting, report: &mut Report) -> Result<()> {
    let rounds = setting.few(1, 5);
    let mut grid = Grid {
        header: ["fan-out, CPU for each message, µs", "clients", "frontends, one push at a time"]
            .into_iter()
            .chain(["load generator", "frontends, stream", "load generator "])
            .map(str::to_owned)
            .collect(),
        rows: Vec::new(),
    };
    for (clients, ones, stream) in SIZES {
        let (ones, stream) = (setting.few(ones / 4, ones), setting.few(stream / 5, stream));
        let bare = limit(setting);
        let mut all: Vec<&dyn Candidate> = vec![&bare];
        all.extend(setting.with_channels());
        let mut samples: Vec<Samples> = all.iter().map(|_| Samples::default()).collect();
        for round in 1..=rounds {
            for (index, (candidate, samples)) in all.iter().zip(&mut samples).enumerate() {
                println!("fan-out to {clients}, round {round} of {rounds}: {}", candidate.name());
                // Eight frames of the bare loop leave in one write.
                let batch = if index == 0 { WINDOW } else { 1 };
                once(setting, *candidate, clients, [ones, stream], batch, samples)?;
            }
        }
        rows(&all, &samples, clients, report)?;
        for (candidate, samples) in all.iter().zip(&samples) {
            let mut row = vec![candidate.name(), clients.to_string()];
            row.extend(samples.cost.iter().map(|each| figure(median(each))));
            grid.rows.push(row);
        }
        targets(setting, &samples, clients, report);
    }
    report.grids.push(grid);
    Ok(())
}

fn once(
    setting: &Setting,
    candidate: &dyn Candidate,
    clients: usize,
    [ones, stream]: [usize; 2],
    batch: usize,
    samples: &mut Samples,
) -> Result<()> {
    with(setting, candidate, |servers| {
        let mut generator = Generator::start(&setting.program, candidate.protocol(), servers)?;
        generator.connect(clients)?;
        if batch == 1 {
            generator.enter()?;
        }
        generator.push(WARM_UP, 1, 1)?;
        let cost = |generator: &mut Generator, count, window, batch| -> Result<(Pushed, [f64; 2])> {
            let before = servers.cpu()?;
            let pushed = generator.push(count, window, batch)?;
            let frontends = servers.cpu()? - before;
            Ok((pushed, [pushed.each(frontends), pushed.each(pushed.cpu)]))
        };
        let (one, [a, b]) = cost(&mut generator, ones, 1, 1)?;
        // As much as is measured, rounded up to what is written at once.
        let (streamed, [c, d]) = cost(&mut generator, stream.next_multiple_of(WINDOW), WINDOW, batch)?;
        samples.one.push(one.rate());
        samples.p50.push(one.p50);
        samples.p99.push(one.p99);
        samples.stream.push(streamed.rate());
        samples.cost.iter_mut().zip([a, b, c, d]).for_each(|(all, each)| all.push(each));
        samples.overtaken += one.overtaken + streamed.overtaken;
        generator.stop()
    })
}

fn rows(all: &[&dyn Candidate], samples: &[Samples], clients: usize, report: &mut Report) -> Result<()> {
    type Of = fn(&Samples) -> &[f64];
    let kinds: [(&str, &'static str, Of); 4] = [
        ("one push at a time", "messages/s", |samples| &samples.one),
        ("a stream of pushes", "messages/s", |samples| &samples.stream),
        ("one at a time: push → receipt, p50", "ms", |samples| &samples.p50),
        ("one at a time: push → receipt, p99", "ms", |samples| &samples.p99),
    ];
    for (number, (kind, unit, of)) in kinds.into_iter().enumerate() {
        for (index, (candidate, samples)) in all.iter().zip(samples).enumerate() {
            let how = match (index, number) {
                (0, 0) => ", one write a frame",
                (0, 1) => ", eight frames in one write",
                _ => "",
            };
            let what = format!("fan-out to {clients}: {kind}: {}{how}", candidate.name());
            report.rows.push(Row::of(what, unit, of(samples))?);
        }
    }
    for (candidate, samples) in all.iter().zip(samples).filter(|(_, samples)| samples.overtaken > 0) {
        report.notes.push(format!(
            "{}, {clients} clients: {} messages came after a later one of the same channel.",
            candidate.name(),
            samples.overtaken
        ));
    }
    Ok(())
}

fn targets(setting: &Setting, samples: &[Samples], clients: usize, report: &mut Report) {
    let mut medians = samples.iter().map(|samples| Medians {
        one: median(&samples.one),
        p50: median(&samples.p50),
        p99: median(&samples.p99),
        stream: median(&samples.stream),
    });
    let Some(limit) = medians.next() else { return };
    let ours: Vec<_> = medians.by_ref().take(setting.ours.len()).collect();
    let mut others = medians;
    let pomelo = setting.pomelo.as_ref().and_then(|_| others.next());
    let socket_io = setting.socket_io.as_ref().and_then(|_| others.next());
    for (tangelo, ours) in setting.ours.iter().zip(&ours) {
        let name = tangelo.name();
        let mut at_least = |what: String, factor, ratio| {
            let what = format!("fan-out to {clients}: {name}, {what}");
            report.targets.push(Target::at_least(what, "×", factor, ratio));
        };
        at_least("one push at a time, by the bare loop".to_owned(), 0.7, ours.one / limit.one);
        at_least("a stream, by the bare loop".to_owned(), 1.0, ours.stream / limit.one);
        let peers = [("Pomelo", &pomelo, 3.0), ("socket.io", &socket_io, 2.5)];
        for (peer, medians, factor) in peers {
            if let Some(medians) = medians {
                at_least(format!("a stream, by {peer}'s"), factor, ours.stream / medians.stream);
            }
        }
        if clients != JUDGED {
            continue;
        }
        for (peer, medians, factor) in [("Pomelo", &pomelo, 0.3), ("socket.io", &socket_io, 0.4)] {
            let Some(medians) = medians else { continue };
            for (what, ratio) in [("p50", ours.p50 / medians.p50), ("p99", ours.p99 / medians.p99)] {
                let what = format!("fan-out to {clients}: {name}, push → receipt, {what}, by {peer}'s");
                report.targets.push(Target::at_most(what, "×", factor, ratio));
            }
        }
    }
    if clients != JUDGED {
        return;
    }
    // Where not even this is fast enough, a target says more of the clients and the kernel than of a server.
    for (peer, medians) in [("Pomelo", &pomelo), ("socket.io", &socket_io)] {
        if let Some(medians) = medians {
            let [p50, p99] = [limit.p50 / medians.p50, limit.p99 / medians.p99].map(figure);
            report.notes.push(format!(
                "The bare loop's own push → receipt with {clients} clients is {p50} × {peer}'s at p50 and {p99} × at p99."
            ));
        }
    }
}

fn median(samples: &[f64]) -> f64 {
    Summary::of(samples).map_or(f64::NAN, |summary| summary.median)
}
