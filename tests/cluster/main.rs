//! Whole clusters of real processes: what the command line, the masters and the servers do together.
//!
//! This binary is the tests, and, with [`app::VARIABLE`] set, the application that they run: master,
//! servers and command line, as a user's binary is.

extern crate alloc;

mod app;
mod support;

/// The example of a manager of one's own, for a store that needs no server: a file.
#[path = "../../examples/custom_channel_manager/src/lib.rs"]
#[allow(
    unreachable_pub,
    clippy::alloc_instead_of_core,
    clippy::std_instead_of_alloc,
    clippy::disallowed_methods,
    clippy::std_instead_of_core,
    reason = "it is written as a user's crate is"
)]
mod file_channels;

mod admin;
mod application;
mod channels;
mod chaos;
mod clients;
mod config;
mod cpus;
mod crashes;
mod handover;
mod hosts;
mod logs;
mod masters;
mod rooms;
mod secrets;
mod starting;
mod stopping;
#[cfg(feature = "coordinator-zookeeper")]
mod zookeeper;

use libtest_mimic::{Arguments, Trial};
use std::process::ExitCode;

/// How many clusters at once, on however few CPUs: they mostly wait.
const AT_ONCE: usize = 6;

fn main() -> ExitCode {
    if std::env::var_os(app::VARIABLE).is_some() {
        return tangelo::run(app::configure);
    }
    let mut arguments = Arguments::from_args();
    arguments.test_threads.get_or_insert(AT_ONCE);
    let modules: &[fn() -> Vec<Trial>] = &[
        admin::trials,
        application::trials,
        channels::trials,
        chaos::trials,
        clients::trials,
        config::trials,
        cpus::trials,
        crashes::trials,
        handover::trials,
        hosts::trials,
        logs::trials,
        masters::trials,
        rooms::trials,
        secrets::trials,
        starting::trials,
        stopping::trials,
        #[cfg(feature = "coordinator-zookeeper")]
        zookeeper::trials,
    ];
    let trials = modules.iter().flat_map(|module| module()).collect();
    let conclusion = libtest_mimic::run(&arguments, trials);
    #[cfg(feature = "coordinator-zookeeper")]
    support::zookeeper::end();
    conclusion.exit_code()
}
