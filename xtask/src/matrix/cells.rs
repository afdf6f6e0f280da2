//! The table of cells. To add one is to add an entry here.

use super::cell::{Cell, Step};
use crate::install::{Need, Probe, Source};
use crate::services::{MARIADB, NETWORK, POSTGRES, REDIS, SSH, ZOOKEEPER};

const RUSTFMT: Need = Need {
    what: "rustfmt",
    probe: Probe::CargoCommand("fmt"),
    source: Source::Command("rustup component add rustfmt"),
};
const CLIPPY: Need = Need {
    what: "clippy",
    probe: Probe::CargoCommand("clippy"),
    source: Source::Command("rustup component add clippy"),
};
/// The linker, and what a test's scripts call.
const LINKER: Need =
    Need { what: "a C linker", probe: Probe::Program("cc"), source: Source::Debian(&["gcc", "libc6-dev"]) };

/// All cells, cheap ones first; they run in this order, one after the other.
pub(super) const CELLS: &[Cell] = &[
    Cell {
        name: "fmt",
        what: "the formatting of all crates",
        steps: &[Step::check(&["fmt", "--all", "--check", "--", "--color", "never"])],
        needs: &[RUSTFMT],
        limit_minutes: 2,
        quick: true,
    },
    Cell {
        name: "xtask",
        what: "this tool's own tests, and those of the servers that tests start",
        steps: &[
            Step::tests(&["test", "-p", "xtask", "--no-fail-fast"]),
            Step::tests(&["test", "-p", "tangelo-services", "--no-fail-fast"]),
        ],
        needs: &[LINKER, MARIADB, POSTGRES, REDIS, ZOOKEEPER],
        limit_minutes: 4,
        quick: false,
    },
    Cell {
        name: "no-runtime",
        what: "without a runtime the compiler says in plain words what to choose",
        steps: &[Step::Refused {
            args: &["check", "-p", "tangelo", "--no-default-features", "--features", "cli"],
            first_error_has: &["runtime-tokio", "runtime-smol"],
        }],
        needs: &[LINKER],
        limit_minutes: 3,
        quick: true,
    },
    Cell {
        name: "core-no-std",
        what: "the core without std",
        steps: &[
            Step::check(&["build", "-p", "tangelo-core", "--no-default-features"]),
            Step::tests(&["test", "-p", "tangelo-core", "--no-default-features", "--no-fail-fast"]),
        ],
        needs: &[LINKER],
        limit_minutes: 4,
        quick: false,
    },
    Cell {
        name: "core",
        what: "the core with all features",
        steps: &[Step::tests(&["test", "-p", "tangelo-core", "--all-features", "--no-fail-fast"])],
        needs: &[LINKER],
        limit_minutes: 5,
        quick: true,
    },
    Cell {
        name: "affinity",
        what: "CPU binding",
        steps: &[Step::tests(&["test", "-p", "tangelo-affinity", "--no-fail-fast"])],
        needs: &[LINKER],
        limit_minutes: 3,
        quick: false,
    },
    Cell {
        name: "tokio",
        what: "facade, examples, doctests and supervisor on tokio (default features); neither smol nor async-io in it",
        steps: &[
            Step::tests(&["test", "-p", "tangelo-runtime-tokio", "--no-fail-fast"]),
            Step::tests(&["test", "-p", "tangelo", "--no-fail-fast"]),
            Step::some_tests(&["test", "-p", "tangelo", "--examples", "--no-fail-fast"]),
            Step::Without { args: &["-p", "tangelo"], crates: &["smol", "async-io", "async-process"] },
        ],
        needs: &[LINKER, NETWORK, SSH],
        limit_minutes: 11,
        quick: true,
    },
    Cell {
        name: "smol",
        what: "the same on smol; no tokio in it",
        steps: &[
            Step::tests(&["test", "-p", "tangelo-runtime-smol", "--no-fail-fast"]),
            Step::tests(&[
                "test",
                "-p",
                "tangelo",
                "--no-default-features",
                "--features",
                "runtime-smol,affinity,cli",
                "--no-fail-fast",
            ]),
            Step::some_tests(&[
                "test",
                "-p",
                "tangelo",
                "--examples",
                "--no-default-features",
                "--features",
                "runtime-smol,affinity,cli",
                "--no-fail-fast",
            ]),
            Step::Without {
                args: &["-p", "tangelo", "--no-default-features", "--features", "runtime-smol,affinity,cli"],
                crates: &["tokio"],
            },
        ],
        needs: &[LINKER, NETWORK, SSH],
        limit_minutes: 9,
        quick: false,
    },
    Cell {
        name: "zookeeper",
        what: "the coordinator on real ZooKeepers, alone and of three nodes, on tokio and on smol",
        steps: &[Step::tests(&["test", "-p", "tangelo-zookeeper", "--no-fail-fast"])],
        needs: &[LINKER, ZOOKEEPER],
        limit_minutes: 5,
        quick: false,
    },
    Cell {
        name: "sql",
        what: "the manager of channels on real PostgreSQL, MariaDB and SQLite, on tokio and on smol",
        // Mostly they wait for what is down.
        steps: &[Step::tests(&["test", "-p", "tangelo-sql", "--no-fail-fast", "--", "--test-threads", "4"])],
        needs: &[LINKER, MARIADB, POSTGRES],
        limit_minutes: 8,
        quick: false,
    },
    Cell {
        name: "tokio-zookeeper",
        what: "whole clusters with their masters on ZooKeeper, on tokio; no smol in it",
        steps: &[
            Step::tests(&[
                "test",
                "-p",
                "tangelo",
                "--features",
                "coordinator-zookeeper",
                "--test",
                "cluster",
                "--",
                "zookeeper::",
            ]),
            Step::Without {
                args: &["-p", "tangelo", "--features", "coordinator-zookeeper"],
                crates: &["smol", "async-process"],
            },
        ],
        needs: &[LINKER, ZOOKEEPER],
        limit_minutes: 4,
        quick: false,
    },
    Cell {
        name: "smol-zookeeper",
        what: "the same on smol; no tokio in it",
        steps: &[
            Step::tests(&[
                "test",
                "-p",
                "tangelo",
                "--no-default-features",
                "--features",
                "runtime-smol,affinity,cli,coordinator-zookeeper",
                "--test",
                "cluster",
                "--",
                "zookeeper::",
            ]),
            Step::Without {
                args: &[
                    "-p",
                    "tangelo",
                    "--no-default-features",
                    "--features",
                    "runtime-smol,affinity,cli,coordinator-zookeeper",
                ],
                crates: &["tokio"],
            },
        ],
        needs: &[LINKER, ZOOKEEPER],
        limit_minutes: 5,
        quick: false,
    },
    minimal("minimal-tokio", "tokio alone: no command line, no CPU binding", &MINIMAL_TOKIO),
    minimal("minimal-smol", "smol alone: no command line, no CPU binding", &MINIMAL_SMOL),
    Cell {
        name: "chaos",
        what: "masters, guards, servers and ZooKeeper killed, frozen and cut off: the laws hold",
        steps: &[Step::check(&["run", "--quiet", "-p", "xtask", "--", "chaos", "--rounds", "20"])],
        needs: &[LINKER, NETWORK, ZOOKEEPER],
        limit_minutes: 8,
        quick: false,
    },
    Cell {
        name: "clippy",
        what: "all crates, targets and features without a warning",
        steps: &[Step::check(&[
            "clippy",
            "--workspace",
            "--all-targets",
            "--all-features",
            "--",
            "-D",
            "warnings",
        ])],
        needs: &[CLIPPY, LINKER],
        limit_minutes: 8,
        quick: true,
    },
    Cell {
        name: "doc",
        what: "the documentation of all crates without a warning",
        steps: &[Step::Check {
            args: &["doc", "--workspace", "--all-features", "--no-deps"],
            env: &[("RUSTDOCFLAGS", "-D warnings")],
        }],
        needs: &[LINKER],
        limit_minutes: 5,
        quick: false,
    },
];

/// A build without warnings, and the library's own tests.
const fn minimal(name: &'static str, what: &'static str, steps: &'static [Step]) -> Cell {
    Cell { name, what, steps, needs: &[CLIPPY, LINKER], limit_minutes: 3, quick: false }
}

const MINIMAL_TOKIO: [Step; 2] = [
    Step::check(&[
        "clippy",
        "-p",
        "tangelo",
        "--no-default-features",
        "--features",
        "runtime-tokio",
        "--",
        "-D",
        "warnings",
    ]),
    Step::tests(&["test", "-p", "tangelo", "--lib", "--no-default-features", "--features", "runtime-tokio"]),
];

const MINIMAL_SMOL: [Step; 2] = [
    Step::check(&[
        "clippy",
        "-p",
        "tangelo",
        "--no-default-features",
        "--features",
        "runtime-smol",
        "--",
        "-D",
        "warnings",
    ]),
    Step::tests(&["test", "-p", "tangelo", "--lib", "--no-default-features", "--features", "runtime-smol"]),
];

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::collections::BTreeSet;

    #[test]
    fn names_are_unique_and_fit_for_a_file() {
        let names: BTreeSet<_> = CELLS.iter().map(|cell| cell.name).collect();
        assert_eq!(names.len(), CELLS.len());
        assert!(names.iter().all(|name| name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')));
    }

    #[test]
    fn all_limits_together_fit_into_the_90_minutes_of_ci() {
        let minutes: u64 = CELLS.iter().map(|cell| cell.limit_minutes).sum();
        assert!(minutes <= 90, "{minutes}");
    }
}
