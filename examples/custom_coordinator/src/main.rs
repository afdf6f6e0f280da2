//! A program whose masters are elected by the table. `"lease"` of master.json counts for it too.

use custom_coordinator::TableCoordinator;
use std::process::ExitCode;
use tangelo::CustomCoordinator;

fn main() -> ExitCode {
    tangelo::run(|app| {
        // In every process: masters stand for election, servers and commands look who leads.
        app.set(CustomCoordinator::new(TableCoordinator::new));
    })
}
