//! What a cell of the matrix is made of.

use crate::install::Need;
use core::ops::AddAssign;
use core::time::Duration;

/// One combination, with what it must pass.
pub(super) struct Cell {
    /// Its name, for `--cell` and its log.
    pub(super) name: &'static str,
    /// What it shows, in words.
    pub(super) what: &'static str,
    /// Run in this order; the first failure ends the cell.
    pub(super) steps: &'static [Step],
    /// What it cannot run without.
    pub(super) needs: &'static [Need],
    /// After this it is killed, and has failed.
    pub(super) limit_minutes: u64,
    /// Part of `--quick`.
    pub(super) quick: bool,
}

impl Cell {
    pub(super) const fn limit(&self) -> Duration {
        Duration::from_secs(self.limit_minutes * 60)
    }
}

/// One command of cargo and what is expected of it.
pub(super) enum Step {
    /// It succeeds; counts as one.
    Check {
        /// For cargo.
        args: &'static [&'static str],
        /// Set for it.
        env: &'static [(&'static str, &'static str)],
    },
    /// It succeeds and runs tests, each of which counts.
    Tests {
        /// For cargo.
        args: &'static [&'static str],
        /// With fewer it has failed.
        at_least: u32,
    },
    /// Cargo-hack's: many combinations of features, none of which brings an error or a warning; each counts.
    Combinations {
        /// For cargo, from `hack` on.
        args: &'static [&'static str],
    },
    /// It fails, and the compiler's first error has all these words; counts as one.
    Refused {
        /// For cargo.
        args: &'static [&'static str],
        /// In one line.
        first_error_has: &'static [&'static str],
    },
    /// None of `crates` is among the normal dependencies, nor is one with a feature that is named behind
    /// a slash, as in `tokio/rt`; counts as one.
    Without {
        /// For `cargo tree`.
        args: &'static [&'static str],
        /// Their names.
        crates: &'static [&'static str],
    },
}

impl Step {
    /// A command that succeeds.
    pub(super) const fn check(args: &'static [&'static str]) -> Self {
        Self::Check { args, env: &[] }
    }

    /// Tests, at least one.
    pub(super) const fn tests(args: &'static [&'static str]) -> Self {
        Self::Tests { args, at_least: 1 }
    }

    /// Tests, if there are any.
    pub(super) const fn some_tests(args: &'static [&'static str]) -> Self {
        Self::Tests { args, at_least: 0 }
    }

    /// What cargo is told.
    pub(super) fn arguments(&self) -> Vec<&'static str> {
        match self {
            Self::Check { args, .. }
            | Self::Tests { args, .. }
            | Self::Combinations { args }
            | Self::Refused { args, .. } => args.to_vec(),
            Self::Without { args, .. } => {
                [&["tree", "--edges", "normal", "--prefix", "none", "--format", "{p} {f}"], *args].concat()
            }
        }
    }
}

/// How many tests and checks there were.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Counts {
    pub(super) passed: u32,
    pub(super) failed: u32,
    pub(super) ignored: u32,
}

impl Counts {
    pub(super) const ONE_PASSED: Self = Self { passed: 1, failed: 0, ignored: 0 };
}

impl AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.ignored += other.ignored;
    }
}

/// What came of a cell.
pub(super) struct Outcome {
    pub(super) cell: &'static Cell,
    pub(super) counts: Counts,
    pub(super) time: Duration,
    /// Why it failed, in one line; none if it passed.
    pub(super) failure: Option<String>,
}
