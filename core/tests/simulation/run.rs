//! Runs seeds, many at once, and tells how it goes.

use crate::knobs::Knobs;
use crate::stats::Stats;
use crate::world::World;
use core::num::NonZero;
use core::sync::atomic::{AtomicU64, Ordering};
use core::time::Duration;
use std::sync::mpsc;
use std::thread;

/// How often progress is told.
const PROGRESS: Duration = Duration::from_millis(250);

/// What came of one seed.
pub(crate) struct Outcome {
    pub(crate) stats: Stats,
    /// The law that was broken, and when.
    pub(crate) broken: Option<String>,
    pub(crate) hash: u64,
    pub(crate) trace: Vec<String>,
}

/// Runs one seed.
pub(crate) fn run(seed: u64, knobs: Knobs, traced: bool) -> Outcome {
    let mut world = World::new(seed, knobs, traced);
    world.run();
    let mut trace = world.take_trace();
    let broken = world.broken();
    trace.extend(broken.clone());
    Outcome { stats: world.checker.stats.clone(), broken, hash: world.hash(), trace }
}

/// The number in an environment variable.
pub(crate) fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{name}={text} is no number")))
}

/// Runs seeds on all cores; panics with the trace of the first that breaks a law.
pub(crate) fn run_all(from: u64, seeds: u64) -> Stats {
    let cores = thread::available_parallelism().map_or(1, NonZero::get);
    let jobs = number("TANGELO_SIM_JOBS").unwrap_or_else(|| u64::try_from(cores).unwrap()).max(1);
    let next = AtomicU64::new(from);
    let (to, outcomes) = mpsc::channel();
    let (mut total, mut done, mut failed) = (Stats::default(), 0, None);
    thread::scope(|scope| {
        for _ in 0..jobs {
            let (to, next) = (to.clone(), &next);
            scope.spawn(move || {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= from + seeds || to.send((seed, run(seed, Knobs::default(), false))).is_err() {
                        return;
                    }
                }
            });
        }
        drop(to);
        let progress = std::env::var_os("TANGELO_SIM_PROGRESS").is_some();
        let mut told = Duration::ZERO;
        while let Ok((seed, outcome)) = outcomes.recv() {
            total.add(&outcome.stats);
            done += 1;
            if outcome.broken.is_some() {
                failed = Some((seed, outcome.hash));
                // Nobody begins another one.
                next.store(from + seeds, Ordering::Relaxed);
                break;
            }
            let now = tangelo_core::Instant::now().since_boot();
            if progress && now >= told + PROGRESS {
                told = now;
                println!("{{\"done\":{done}}}");
            }
        }
    });
    println!("{{\"done\":{done},\"total\":{}}}", total.json());
    if let Some((seed, hash)) = failed {
        let again = run(seed, Knobs::default(), true);
        assert_eq!(again.hash, hash, "seed {seed} broke a law and is another story when told");
        let trace = again.trace.join("\n");
        panic!("seed {seed} breaks a law (replay: cargo xtask sim --seed {seed}):\n{trace}");
    }
    total
}
