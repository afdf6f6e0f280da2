//! Many clients at once.

use super::EVENTS;
use super::screen::{Counts, Screen};
use super::visit::{Place, Visit};
use core::sync::atomic::Ordering;
use core::time::Duration;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, channel, sync_channel};

/// How often a line says what they do.
const REPORT: Duration = Duration::from_secs(1);

/// Runs until somebody ends it, or none is left.
pub(super) fn run(place: &Place, count: u16, every: u16) -> ExitCode {
    let counts = Arc::new(Counts::default());
    // Those of an earlier run may still be leaving, and two runs may be at the same time.
    let run = std::process::id();
    // Nobody sends: it is closed when the last one has ended.
    let (alive, all_ended) = channel::<()>();
    for number in 1..=count {
        let (place, counts, alive) = (place.clone(), Arc::clone(&counts), alive.clone());
        std::thread::spawn(move || {
            let _alive = alive;
            let (tell, told) = sync_channel(EVENTS);
            let visit = Visit::new(place, format!("bot{run}-{number}"), Screen::Counted(counts), tell);
            let _ = visit.chatting(Duration::from_secs(every.into())).run(&told);
        });
    }
    drop(alive);
    while all_ended.recv_timeout(REPORT) == Err(RecvTimeoutError::Timeout) {
        let Counts { inside, said, heard, missed, lost } = &*counts;
        let [inside, said, heard, missed, lost] =
            [inside, said, heard, missed, lost].map(|count| count.load(Ordering::Relaxed));
        println!(
            "{inside} of {count} bots are in; said {said}, heard {heard}, missed {missed}, lost {lost} connections"
        );
    }
    println!("all bots have ended");
    ExitCode::FAILURE
}
