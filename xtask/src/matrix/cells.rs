//! The table of cells. To add one is to add an entry here.

use super::cell::{Cell, Step};
use super::choices;
use crate::clients::{CHROMIUM, NODE, NPM};
use crate::install::{Need, Probe, Source, Tool};
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
const CARGO_DENY: Tool = Tool { name: "cargo-deny", version: "0.20.2" };
const CARGO_HACK: Tool = Tool { name: "cargo-hack", version: "0.6.46" };
/// What steps call as commands of cargo.
pub(super) const TOOLS: [Tool; 2] = [CARGO_DENY, CARGO_HACK];
const DENY: Need = tool(CARGO_DENY);
const HACK: Need = tool(CARGO_HACK);
const fn tool(tool: Tool) -> Need {
    Need { what: tool.name, probe: Probe::Tool(tool), source: Source::Tool(tool) }
}
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
        name: "deny",
        what: "licences and sources of all crates; none in two versions but those that are explained",
        steps: &[Step::check(&["deny", "check", "bans", "licenses", "sources"])],
        needs: &[DENY, LINKER],
        limit_minutes: 8,
        quick: false,
    },
    Cell {
        name: "xtask",
        what: "this tool's own tests, and those of the servers that tests start",
        steps: &[
            Step::tests(&["test", "-p", "xtask", "--no-fail-fast"]),
            Step::tests(&["test", "-p", "tangelo-services", "--no-fail-fast"]),
        ],
        needs: &[LINKER, MARIADB, NETWORK, POSTGRES, REDIS, SSH, ZOOKEEPER],
        limit_minutes: 6,
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
        limit_minutes: 4,
        quick: true,
    },
    Cell {
        name: "both-runtimes",
        what: "with both runtimes tokio is used",
        steps: &[Step::tests(&[
            "test",
            "-p",
            "tangelo",
            "--lib",
            "--no-default-features",
            "--features",
            "runtime-tokio,runtime-smol,channel-sqlite",
            "parts::",
        ])],
        needs: &[LINKER],
        limit_minutes: 5,
        quick: false,
    },
    Cell {
        name: "core-no-std",
        what: "the core in a program without std, where its machines run a cluster; its tests without std",
        steps: &[
            Step::check(&["run", "--quiet", "-p", "xtask", "--", "no-std"]),
            Step::tests(&["test", "-p", "tangelo-core", "--no-default-features", "--no-fail-fast"]),
        ],
        needs: &[LINKER],
        limit_minutes: 5,
        quick: false,
    },
    Cell {
        name: "core",
        what: "the core with all features",
        steps: &[Step::tests(&["test", "-p", "tangelo-core", "--all-features", "--no-fail-fast"])],
        needs: &[LINKER],
        limit_minutes: 6,
        quick: true,
    },
    Cell {
        name: "simulation",
        what: "10 000 simulated clusters in which everything fails: the laws hold, and all heal",
        steps: &[Step::check(&["run", "--quiet", "-p", "xtask", "--", "sim", "--seeds", "10000"])],
        needs: &[LINKER],
        limit_minutes: 6,
        quick: false,
    },
    Cell {
        name: "affinity",
        what: "CPU binding",
        steps: &[Step::tests(&["test", "-p", "tangelo-affinity", "--no-fail-fast"])],
        needs: &[LINKER],
        limit_minutes: 4,
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
        limit_minutes: 12,
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
                "runtime-smol,channel-sqlite,affinity,cli",
                "--no-fail-fast",
            ]),
            Step::some_tests(&[
                "test",
                "-p",
                "tangelo",
                "--examples",
                "--no-default-features",
                "--features",
                "runtime-smol,channel-sqlite,affinity,cli",
                "--no-fail-fast",
            ]),
            Step::Without {
                args: &[
                    "-p",
                    "tangelo",
                    "--no-default-features",
                    "--features",
                    "runtime-smol,channel-sqlite,affinity,cli",
                ],
                crates: &["tokio"],
            },
        ],
        needs: &[LINKER, NETWORK, SSH],
        limit_minutes: 12,
        quick: false,
    },
    Cell {
        name: "zookeeper",
        what: "the coordinator on real ZooKeepers, alone and of three nodes, on tokio and on smol",
        steps: &[Step::tests(&["test", "-p", "tangelo-zookeeper", "--no-fail-fast"])],
        needs: &[LINKER, ZOOKEEPER],
        limit_minutes: 10,
        quick: false,
    },
    Cell {
        name: "sql",
        what: "the manager of channels on real PostgreSQL, MariaDB and SQLite, on tokio and on smol",
        // Mostly they wait for what is down.
        steps: &[Step::tests(&["test", "-p", "tangelo-sql", "--no-fail-fast", "--", "--test-threads", "4"])],
        needs: &[LINKER, MARIADB, POSTGRES],
        limit_minutes: 12,
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
        limit_minutes: 8,
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
                "runtime-smol,channel-sqlite,affinity,cli,coordinator-zookeeper",
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
                    "runtime-smol,channel-sqlite,affinity,cli,coordinator-zookeeper",
                ],
                crates: &["tokio"],
            },
        ],
        needs: &[LINKER, ZOOKEEPER],
        limit_minutes: 8,
        quick: false,
    },
    Cell {
        name: "redis",
        what: "channels in real Redises: one server, TLS, Sentinels, a Cluster, on tokio and on smol",
        steps: &[Step::tests(&["test", "-p", "tangelo-redis", "--no-fail-fast"])],
        needs: &[LINKER, REDIS],
        limit_minutes: 10,
        quick: false,
    },
    Cell {
        name: "tokio-channels",
        what: "whole clusters with their channels in each store, on tokio; no smol in it",
        steps: &[
            Step::tests(&[
                "test",
                "-p",
                "tangelo",
                "--features",
                "channel-redis,channel-postgres,channel-mysql",
                "--test",
                "cluster",
                "--",
                "rooms::",
            ]),
            Step::tests(&[
                "test",
                "-p",
                "tangelo",
                "--features",
                "channel-redis,channel-postgres,channel-mysql",
                "--lib",
                "channel::stores",
            ]),
            Step::Without {
                args: &["-p", "tangelo", "--features", "channel-redis,channel-postgres,channel-mysql"],
                crates: &["smol", "async-io", "async-process"],
            },
        ],
        needs: &[LINKER, MARIADB, POSTGRES, REDIS],
        limit_minutes: 10,
        quick: false,
    },
    Cell {
        name: "smol-channels",
        what: "the same on smol; what Redis's client needs of tokio comes without its runtime",
        steps: &[
            Step::tests(&[
                "test",
                "-p",
                "tangelo",
                "--no-default-features",
                "--features",
                "runtime-smol,channel-sqlite,affinity,cli,channel-redis,channel-postgres,channel-mysql",
                "--test",
                "cluster",
                "--",
                "rooms::",
            ]),
            Step::Without {
                args: &[
                    "-p",
                    "tangelo",
                    "--no-default-features",
                    "--features",
                    "runtime-smol,channel-sqlite,affinity,cli,channel-redis,channel-postgres,channel-mysql",
                ],
                crates: &["tokio/rt", "tokio/net", "tokio/time", "mio"],
            },
        ],
        needs: &[LINKER, MARIADB, POSTGRES, REDIS],
        limit_minutes: 10,
        quick: false,
    },
    Cell {
        name: "custom",
        what: "parts of one's own, each a crate outside of this workspace: they pass the suites and run clusters",
        steps: &[
            Step::tests(&CUSTOM_CHANNEL_MANAGER),
            Step::tests(&CUSTOM_COORDINATOR),
            Step::tests(&CUSTOM_SUPERVISOR),
            Step::tests(&CUSTOM_AFFINITY),
        ],
        needs: &[LINKER],
        limit_minutes: 15,
        quick: false,
    },
    minimal("minimal-tokio", "tokio alone: no command line, no CPU binding", &MINIMAL_TOKIO),
    minimal("minimal-smol", "smol alone: no command line, no CPU binding", &MINIMAL_SMOL),
    Cell {
        name: "choices",
        what: "the programs in README.md, each with the features that stand above it and no others",
        steps: choices::STEPS,
        needs: &[LINKER],
        limit_minutes: 10,
        quick: false,
    },
    Cell {
        name: "features",
        what: "each runtime with each feature, and each backend with each of its own: no error, no warning",
        steps: FEATURES,
        needs: &[HACK, LINKER],
        limit_minutes: 10,
        quick: false,
    },
    Cell {
        name: "chaos",
        what: "masters, guards, servers and ZooKeeper killed, frozen and cut off: the laws hold",
        steps: &[Step::check(&["run", "--quiet", "-p", "xtask", "--", "chaos", "--rounds", "20"])],
        needs: &[LINKER, NETWORK, ZOOKEEPER],
        limit_minutes: 8,
        quick: false,
    },
    Cell {
        name: "clients",
        what: "the chat demo with Pomelo's clients from npm, a browser and terminals, on tokio and on smol; servers killed",
        steps: &[
            Step::tests(&["run", "--quiet", "-p", "xtask", "--", "clients"]),
            Step::tests(&["run", "--quiet", "-p", "xtask", "--", "clients", "--runtime", "smol"]),
        ],
        needs: &[CHROMIUM, LINKER, NODE, NPM],
        limit_minutes: 10,
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
        limit_minutes: 10,
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

/// For the tests of a crate outside of this workspace. They share a directory, so what they share is built once.
const fn tests_of(manifest: &'static str) -> [&'static str; 6] {
    ["test", "--manifest-path", manifest, "--target-dir", "target/downstream", "--no-fail-fast"]
}

const CUSTOM_CHANNEL_MANAGER: [&str; 6] = tests_of("examples/custom_channel_manager/Cargo.toml");
const CUSTOM_COORDINATOR: [&str; 6] = tests_of("examples/custom_coordinator/Cargo.toml");
const CUSTOM_SUPERVISOR: [&str; 6] = tests_of("examples/custom_supervisor/Cargo.toml");
const CUSTOM_AFFINITY: [&str; 6] = tests_of("examples/custom_affinity/Cargo.toml");

/// A build without warnings, and the library's own tests.
const fn minimal(name: &'static str, what: &'static str, steps: &'static [Step]) -> Cell {
    Cell { name, what, steps, needs: &[CLIPPY, LINKER], limit_minutes: 5, quick: false }
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

/// Of the facade pairs, since one must be a runtime; they build each backend on either runtime. Of the backends
/// what is left: each feature alone, and stores of SQL in pairs.
const FEATURES: &[Step] = &[
    Step::Combinations {
        args: &[
            "hack",
            "check",
            "-p",
            "tangelo",
            "--feature-powerset",
            "--depth",
            "2",
            "--exclude-features",
            "default",
            "--at-least-one-of",
            "runtime-tokio,runtime-smol",
        ],
    },
    Step::Combinations {
        args: &[
            "hack",
            "check",
            "-p",
            "tangelo-redis",
            "-p",
            "tangelo-zookeeper",
            "--features",
            "tokio",
            "--feature-powerset",
            "--depth",
            "1",
            "--exclude-features",
            "default",
        ],
    },
    Step::Combinations {
        args: &[
            "hack",
            "check",
            "-p",
            "tangelo-sql",
            "--features",
            "tokio",
            "--feature-powerset",
            "--depth",
            "2",
            "--exclude-features",
            "default,smol,tls",
            "--at-least-one-of",
            "postgres,mysql,sqlite",
        ],
    },
    Step::Combinations {
        args: &[
            "hack",
            "check",
            "-p",
            "tangelo-core",
            "--feature-powerset",
            "--depth",
            "2",
            "--exclude-features",
            "default",
        ],
    },
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
}
