//! A program whose masters are elected by the file. `"lease"` of master.json counts for it too.

use std::process::ExitCode;
use tangelo::CustomCoordinator;

fn main() -> ExitCode {
    tangelo::run(|app| {
        // In every process: masters stand for election, servers and commands look who leads.
        app.set(CustomCoordinator::new(custom_coordinator::coordinator));
    })
}
