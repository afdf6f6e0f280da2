//! A program whose masters and servers keep off the CPUs in `config/free-cpus`.

use custom_affinity::KeepFree;
use std::process::ExitCode;
use tangelo::CustomAffinity;

fn main() -> ExitCode {
    tangelo::run(|app| {
        app.set(CustomAffinity::new(KeepFree::new));
    })
}
