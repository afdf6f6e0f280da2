//! What a master in the foreground shows: a progress bar on a terminal, plain lines elsewhere.

use crate::sync::Mutex;
use crate::master::{MasterEvent, Observer};
use alloc::sync::Arc;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::{IsTerminal, Write, stdout};
use tangelo_core::master::Report;

/// Shows a master's events on stdout.
pub(super) fn observer() -> Observer {
    let bar = Mutex::new(None);
    Arc::new(move |event| show(&bar, event))
}

fn show(bar: &Mutex<Option<ProgressBar>>, event: &MasterEvent<'_>) {
    let mut bar = bar.lock();
    let say = |bar: &Option<ProgressBar>, line: &str| match bar {
        Some(bar) => bar.println(line),
        None => print(line),
    };
    match event {
        MasterEvent::Standby(leader) => {
            say(
                &bar,
                &format!(
                    "standby: {} leads at {}:{} (epoch {}); this master launches nothing, and takes over when it dies",
                    leader.id, leader.host, leader.port, leader.epoch
                ),
            );
        }
        MasterEvent::Leading { epoch, servers } => {
            if stdout().is_terminal() {
                *bar = Some(new_bar(*servers));
            }
            say(&bar, &format!("leading: epoch {epoch}, {servers} servers"));
        }
        MasterEvent::Server { id, report } => {
            if let (Some(bar), Report::Up { .. } | Report::Failed { .. }) = (&*bar, report) {
                bar.inc(1);
            }
            say(&bar, &format!("{id}: {}", describe(report)));
        }
        MasterEvent::Settled { up, failed, after } => {
            if let Some(bar) = bar.take() {
                bar.finish_and_clear();
            }
            if *failed == 0 {
                all_up(*up, after.as_millis());
            } else {
                print(&format!("{up} servers are up, {failed} failed, after {} ms", after.as_millis()));
            }
        }
        MasterEvent::Ending => say(&bar, "stopping the cluster; once more to stop without waiting"),
        MasterEvent::SteppedDown => say(&bar, "this master leads no longer: it is a standby now"),
    }
}

fn new_bar(servers: usize) -> ProgressBar {
    let length = u64::try_from(servers).unwrap_or(u64::MAX);
    let bar = ProgressBar::with_draw_target(Some(length), ProgressDrawTarget::stdout());
    // The template is a constant; indicatif's own would do if it were wrong.
    let style = ProgressStyle::with_template("{bar:30} {pos}/{len} servers up").ok();
    bar.with_style(style.unwrap_or_else(ProgressStyle::default_bar))
}

fn describe(report: &Report) -> String {
    match report {
        Report::Launching { incarnation } => format!("launching, incarnation {incarnation}"),
        Report::Up { pid, adopted: false } => format!("up, pid {pid}"),
        Report::Up { pid, adopted: true } => format!("adopted, pid {pid}"),
        Report::Stopping => "stopping".into(),
        Report::Stopped => "stopped".into(),
        Report::Crashed { why } => format!("crashed: {why}; restarting"),
        Report::Failed { why } => format!("failed: {why}"),
        Report::LinkLost { silent: true } => "silent: no heartbeat".into(),
        Report::LinkLost { silent: false } => "its link is gone".into(),
    }
}

/// The line that `start` ends with.
pub(super) fn all_up(servers: usize, ms: u128) {
    print(&format!("all {servers} servers are up after {ms} ms"));
}

/// The last line of a master.
pub(super) fn goodbye(cluster_ended: bool) {
    print(if cluster_ended {
        "the cluster has stopped"
    } else {
        "this master has left; the cluster goes on"
    });
}

/// Prints a line; a reader that has gone is no error.
fn print(line: &str) {
    let _ = writeln!(stdout(), "{line}");
}
