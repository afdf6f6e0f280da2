//! A program whose servers leave no core dump, and get at most 1 GiB of memory: one that wants more fails alone,
//! and does not take the machine along.

use custom_supervisor::ThroughCommand;
use std::process::ExitCode;
use tangelo::CustomSupervisor;

fn main() -> ExitCode {
    tangelo::run(|app| {
        app.set(CustomSupervisor::new(|context| {
            ThroughCommand::new(context, &["prlimit", "--core=0", "--data=1073741824"])
        }));
    })
}
