//! The trivial program that peers supervise in `cargo xtask bench supervision`: it notes when its
//! `main` began, as `<id> <pid> <CLOCK_BOOTTIME ns>`, and waits to be killed.

use rustix::time::{ClockId, clock_gettime};
use std::fs::OpenOptions;
use std::io::Write as _;

fn main() -> std::io::Result<()> {
    let t = clock_gettime(ClockId::Boottime);
    let id = std::env::args().nth(1).unwrap_or_else(|| "-".to_owned());
    let line = format!("{id} {} {}\n", std::process::id(), t.tv_sec * 1_000_000_000 + t.tv_nsec);
    let file = std::env::var_os("TANGELO_BENCH_STAMP").unwrap_or_else(|| "/dev/null".into());
    OpenOptions::new().append(true).create(true).open(file)?.write_all(line.as_bytes())?;
    loop {
        rustix::event::pause();
    }
}
