//! An app whose servers do nothing but note when they were started: what `cargo xtask bench` measures
//! and `cargo xtask chaos` strikes.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::process::ExitCode;
use tangelo::MasterHaConfig;
use tangelo::core::Instant;

fn main() -> ExitCode {
    if let Some(file) = std::env::var_os("TANGELO_BENCH_STAMP") {
        // First thing, since the moment counts.
        let now = Instant::now();
        let id = std::env::args().skip_while(|arg| arg != "--id").nth(1);
        let id = id.as_deref().unwrap_or("-");
        let line = format!("{id} {} {}\n", std::process::id(), now.since_boot().as_nanos());
        let written = OpenOptions::new()
            .append(true)
            .create(true)
            .open(file)
            .and_then(|mut file| file.write_all(line.as_bytes()));
        if let Err(e) = written {
            eprintln!("error: cannot write the start to TANGELO_BENCH_STAMP: {e}");
            return ExitCode::FAILURE;
        }
    }
    tangelo::run(|app| {
        app.configure_for("development", "bench", |app| {
            // Where masters reach their ZooKeeper through something that can be cut, servers do not.
            if let Ok(server) = std::env::var("TANGELO_BENCH_ZOOKEEPER") {
                app.set(MasterHaConfig { server, ..MasterHaConfig::default() });
            }
        });
    })
}
