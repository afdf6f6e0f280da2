//! `cargo xtask chaos`: a real cluster on a real ZooKeeper, whose parts are killed, frozen and cut off
//! one after the other, while its laws are verified from outside and from its own logs.

mod fault;
mod field;
mod history;
mod laws;
mod logs;
mod look;
mod network;
mod place;
mod pulse;
mod strike;
mod table;

use crate::install::{self, Need};
use crate::machine::Machine;
use crate::runtime::Runtime;
use crate::services::{NETWORK, ZOOKEEPER};
use crate::{clock, processes, repo, run, section};
use anyhow::{Context as _, Result, ensure};
use core::time::Duration;
use fastrand::Rng;
use fault::{Deck, Fault, Leadership};
use field::{Field, Whole};
use logs::Logs;
use network::Network;
use std::path::{Path, PathBuf};
use strike::Striker;
use table::Outcome;

/// All is well again within this after each fault, or the run ends.
const HEAL_LIMIT: Duration = Duration::from_secs(60);
/// So many other servers are hit before one is hit again.
const SPARED: usize = 6;
/// The app whose servers do nothing but live.
const APP: &str = "bench_server";
/// A run of so many rounds says enough to be written down.
const ALL_ROUNDS: usize = 200;
const NEEDS: [Need; 2] = [ZOOKEEPER, NETWORK];

/// Kills, freezes and cuts off the parts of a cluster, and verifies its laws
#[derive(clap::Args)]
pub(crate) struct Args {
    /// How many faults
    #[arg(long, default_value_t = ALL_ROUNDS)]
    rounds: usize,
    /// What faults, in which order and for how long; the system's own timing stays its own
    #[arg(long)]
    seed: Option<u64>,
    /// Only the faults whose names have these words in them
    #[arg(long, value_name = "WORDS", default_value = "")]
    only: String,
    /// Keep the logs of a clean run too
    #[arg(long)]
    keep_logs: bool,
    /// How many masters
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u8).range(2..=9))]
    masters: u8,
    /// The runtime that the cluster is built with
    #[arg(long, value_enum, default_value = "tokio")]
    runtime: Runtime,
}

/// Runs it; false if it runs in a network of its own and failed there, which has been told.
///
/// # Errors
/// If a law did not hold, or the cluster did not heal.
pub(crate) fn run(args: &Args) -> Result<bool> {
    install::ensure(&NEEDS)?;
    let dir = match network::inside() {
        Some(dir) => dir,
        None => {
            let dir = made_dir()?;
            // In a network of one's own cargo could download nothing.
            build(args.runtime, &dir)?;
            if let Some(status) = Network::entered(&dir)? {
                return Ok(status.success());
            }
            println!("this system allows no network of one's own: no master is cut from its servers");
            dir
        }
    };
    let network = Network::here()?;
    let machine = Machine::here();
    let seed = args.seed.unwrap_or_else(|| fastrand::u64(..1_000_000));
    println!("seed {seed}; logs in {}", dir.display());
    let deck = Deck::new(|fault| {
        let possible = network.can_cut() || fault != Fault::CutLeaderFromServers;
        possible && fault.masters() <= usize::from(args.masters) && fault.to_string().contains(&args.only)
    })?;
    let field = Field::start(&dir.join(APP), &dir, args.masters, network);
    let mut chaos = Chaos {
        field: field.with_context(|| format!("see {}", dir.display()))?,
        logs: Logs::of(&dir),
        deck,
        random: Rng::with_seed(seed),
        outcomes: Vec::new(),
        spared: Vec::new(),
    };
    let ended = chaos.rounds(args.rounds);
    println!("{}", table::table(&chaos.outcomes));
    let violations: usize = chaos.outcomes.iter().map(|outcome| outcome.violations).sum();
    let place = || format!("{violations} violations; seed {seed}, logs in {}", dir.display());
    ended.with_context(place)?;
    ensure!(violations == 0, place());
    chaos.field.stop().with_context(place)?;
    if args.rounds >= ALL_ROUNDS && args.only.is_empty() {
        let Machine { cpu, cores, memory_mib, kernel, system, busy_percent, date, revision, .. } = machine;
        let name = args.runtime.name();
        let text = format!(
            "`cargo xtask chaos --rounds {} --seed {seed} --masters {} --runtime {name}` on {date} at revision {revision}. \
             Machine: {cpu}, {cores} cores, {memory_mib} MiB, {system}, kernel {kernel}, {busy_percent:.0} % busy with \
             other things before the run.\n\n{}",
            args.rounds,
            args.masters,
            table::markdown(&chaos.outcomes)
        );
        section::write("docs/chaos.md", "chaos", name, &text)?;
        println!("written to docs/chaos.md");
    }
    drop(chaos);
    if !args.keep_logs {
        // What stays is below the target directory, and does no harm.
        let _ = std::fs::remove_dir_all(&dir);
    }
    Ok(true)
}

fn made_dir() -> Result<PathBuf> {
    let name = format!("{}-{}", std::process::id(), clock::now().as_nanos());
    let dir = repo::target().join("chaos").join(name);
    std::fs::create_dir_all(&dir).with_context(|| format!("cannot make {}", dir.display()))?;
    Ok(dir)
}

/// Builds the app, and puts a copy that no other build replaces into `dir`.
fn build(runtime: Runtime, dir: &Path) -> Result<()> {
    println!("building");
    let mut build = processes::cargo(&["build", "-p", "tangelo", "--example", APP]);
    match runtime {
        Runtime::Tokio => build.args(["--features", "coordinator-zookeeper"]),
        Runtime::Smol => build.args([
            "--no-default-features",
            "--features",
            "runtime-smol,affinity,cli,coordinator-zookeeper",
        ]),
    };
    run::must(&mut build, &dir.join("build.log"), Duration::from_secs(1200))?;
    let built = repo::target().join("debug/examples").join(APP);
    std::fs::copy(&built, dir.join(APP)).with_context(|| format!("cannot copy {}", built.display()))?;
    Ok(())
}

struct Chaos {
    field: Field,
    logs: Logs,
    deck: Deck,
    random: Rng,
    outcomes: Vec<Outcome>,
    /// The servers that were hit last.
    spared: Vec<String>,
}

impl Chaos {
    fn rounds(&mut self, rounds: usize) -> Result<()> {
        let mut whole = self.field.await_whole(HEAL_LIMIT)?;
        for round in 1..=rounds {
            whole = self.round(round, rounds, &whole)?;
        }
        Ok(())
    }

    /// One fault, from a cluster that is whole to one that is whole again.
    fn round(&mut self, round: usize, rounds: usize, last: &Whole) -> Result<Whole> {
        // Faults come at any moment.
        let pause = Duration::from_millis(600).mul_f64(self.random.f64());
        self.field.watch_for(pause)?;
        let before = self.field.await_whole(HEAL_LIMIT)?;
        let mut violations = last.changes(&before);
        violations.iter_mut().for_each(|change| change.insert_str(0, "without a fault "));
        let fault = self.deck.deal(&mut self.random);
        let striker = Striker {
            field: &mut self.field,
            before: &before,
            random: &mut self.random,
            spared: &self.spared,
        };
        let struck = striker.strike(fault).with_context(|| format!("round {round}, {fault}"))?;
        let healed = self.field.await_whole(HEAL_LIMIT);
        let next_reign = laws::next_reign(&before, &struck, &self.field.history.from(struck.began));
        let time = clock::now().saturating_sub(struck.ended);
        violations.extend(struck.violations.iter().cloned());
        if let Ok(after) = &healed {
            let silence = self.field.pulse.longest_silence(struck.began);
            let expected = match fault.leadership() {
                Leadership::Stays if pulse::is_costly(silence) => {
                    println!(
                        "     ZooKeeper itself was silent for {silence:.2?}: its leader may have changed"
                    );
                    Leadership::Open
                }
                expected => expected,
            };
            violations.extend(laws::violations(fault, expected, &struck, &before, after, next_reign));
        } else {
            violations.push(format!("not healed within {} s", HEAL_LIMIT.as_secs()));
        }
        violations.extend(self.field.take_violations());
        violations.extend(self.logs.violations()?);
        let reign = next_reign.map_or_else(String::new, |time| format!("; next leader after {time:.2?}"));
        println!("{round:>4}/{rounds} {fault}: {}{reign}; healed after {time:.2?}", struck.what);
        for violation in &violations {
            println!("     VIOLATION: {violation}");
        }
        self.outcomes.push(Outcome {
            fault,
            next_reign,
            healed: healed.is_ok().then_some(time),
            violations: violations.len(),
        });
        if let Some(server) = struck.server {
            self.spared.push(server);
            let old = self.spared.len().saturating_sub(SPARED);
            self.spared.drain(..old);
        }
        healed.with_context(|| format!("round {round}, {fault}: {}", struck.what))
    }
}
