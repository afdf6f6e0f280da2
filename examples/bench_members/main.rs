//! All servers of a cluster in one process: what `cargo xtask bench failover` starts to see how long masters
//! take over many. Its arguments are the directory that holds `config/`, and the environment.

use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    let [dir, env] = &std::env::args().skip(1).collect::<Vec<_>>()[..] else {
        eprintln!("error: expected a directory and an environment");
        return ExitCode::FAILURE;
    };
    let ready = |servers| println!("{servers} servers wait for masters");
    match tangelo::simulate_servers(Path::new(dir), env, ready) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
