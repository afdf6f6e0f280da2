//! Keeps one guard running, and told.

use super::child::{Child, Event};
use super::link;
use super::orders::{Answer, Assignment, parse};
use super::pace::Pace;
use super::shared::Shared;
use super::time::jittered;
use crate::GuardCommand;
use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use core::time::Duration;
use futures_lite::future::or;
use std::net::Shutdown;
use tangelo_core::Instant;
use tangelo_core::config::ZooKeeperConfig;
use tangelo_core::local::process_ref;
use tangelo_core::runtime::Runtime;

/// Keeps a guard until the handle is gone.
pub(super) async fn supervise(
    shared: Arc<Shared>,
    runtime: Arc<dyn Runtime>,
    command: GuardCommand,
    config: ZooKeeperConfig,
    pace: Pace,
) {
    // A guard is a child, so what the host is called matters to nobody.
    let assignment = match process_ref("localhost") {
        Ok(master) => Assignment::new(master, &config, pace.linger),
        Err(e) => {
            tracing::warn!("no guard watches over this master, which cannot name itself: {e}");
            return;
        }
    };
    let mut failures = 0;
    loop {
        let began = Instant::now();
        let what = match Child::start(&runtime, &command).await {
            Ok(child) => Service { shared: &shared, runtime: &*runtime, pace }.of(child, &assignment).await,
            Err(e) => format!("{e}"),
        };
        {
            let mut state = shared.state();
            (state.line, state.seen) = (None, None);
            if state.closed {
                return;
            }
        }
        let lived = Instant::now().saturating_since(began);
        failures = if lived < pace.steady { failures + 1 } else { 1 };
        let pause = pause(pace, failures);
        tracing::warn!("{what}; another is started in {} ms", pause.as_millis());
        or(runtime.sleep(pause), shared.closed()).await;
        if shared.state().closed {
            return;
        }
    }
}

/// How long to wait after so many failures in a row.
fn pause(pace: Pace, failures: u32) -> Duration {
    match failures.checked_sub(2) {
        None => Duration::ZERO,
        Some(doublings) => {
            let pause = pace.shortest.checked_mul(1 << doublings.min(20)).unwrap_or(pace.longest);
            jittered(pause.min(pace.longest))
        }
    }
}

/// The time that one guard serves.
struct Service<'a> {
    shared: &'a Shared,
    runtime: &'a dyn Runtime,
    pace: Pace,
}

impl Service<'_> {
    /// Talks to the guard until it ends, fails or is let go; says why. The process is gone then, or will be.
    async fn of(&self, mut child: Child, assignment: &Assignment) -> String {
        let pid = child.pid();
        let Some(mut asked) = self.begin(&child, assignment) else {
            child.kill();
            return format!("the guard (pid {pid}) cannot be told anything");
        };
        let mut answered = 0;
        let mut deadline = Instant::now() + self.pace.answer;
        let mut again = false;
        loop {
            enum What {
                Child(Event),
                CutOff,
                Time,
            }
            let event = async { What::Child(child.next().await) };
            let cut_off = async {
                self.shared.cut_off().await;
                What::CutOff
            };
            let time = async {
                self.runtime.sleep(deadline.saturating_since(Instant::now())).await;
                What::Time
            };
            match or(event, or(cut_off, time)).await {
                What::Child(Event::Line(line)) => match parse::<Answer>(&line, "answer of a guard") {
                    Ok(answer) => {
                        answered = answer.number;
                        self.note(pid, answer.connected);
                        if answered >= asked {
                            deadline = Instant::now() + self.pace.ask;
                            again = false;
                        }
                    }
                    Err(e) => {
                        child.kill();
                        return format!("{e}");
                    }
                },
                What::Child(Event::Ended(status)) => return ended(pid, status),
                What::Child(Event::Cut) => {
                    let status = child.ended(self.pace.again).await;
                    return match status {
                        Some(status) => ended(pid, status),
                        None => {
                            child.kill();
                            format!("the guard (pid {pid}) has closed its stdin")
                        }
                    };
                }
                What::CutOff => return self.dismiss(child).await,
                What::Time if answered >= asked => {
                    asked = self.shared.order(&mut self.shared.state());
                    deadline = Instant::now() + self.pace.answer;
                }
                // If it was this process that was frozen, its answer is under way.
                What::Time if !again => {
                    again = true;
                    deadline = Instant::now() + self.pace.again;
                }
                What::Time => {
                    child.kill();
                    return format!("the guard (pid {pid}) did not answer");
                }
            }
        }
    }

    /// The assignment and the first order; its number.
    fn begin(&self, child: &Child, assignment: &Assignment) -> Option<u64> {
        let line = child.stream().ok()?;
        link::send(&line, assignment).ok()?;
        let mut state = self.shared.state();
        state.line = Some(line);
        // Under the same lock, so that no hold is missed in between.
        let number = self.shared.order(&mut state);
        state.line.is_some().then_some(number)
    }

    fn note(&self, pid: u32, connected: bool) {
        let before = self.shared.state().seen.replace((pid, connected));
        if before != Some((pid, connected)) {
            let how = if connected { "is ready" } else { "has no session with ZooKeeper" };
            tracing::debug!("the guard of this master (pid {pid}) {how}");
        }
    }

    /// It is let go, or it does not take orders.
    async fn dismiss(&self, mut child: Child) -> String {
        let pid = child.pid();
        let (line, closed, empty) = {
            let mut state = self.shared.state();
            (state.line.take(), state.closed, state.holds.is_empty())
        };
        if closed && let Some(line) = line {
            // End-of-file, whoever has copies of our end.
            let _ = line.shutdown(Shutdown::Write);
            let limit = if empty { self.pace.farewell } else { self.pace.linger + self.pace.farewell };
            if let Some(status) = child.ended(limit).await {
                return ended(pid, status);
            }
        }
        child.kill();
        format!("the guard (pid {pid}) does not read its orders")
    }
}

fn ended(pid: u32, status: Option<std::process::ExitStatus>) -> String {
    match status {
        Some(status) => format!("the guard (pid {pid}) has ended: {status}"),
        None => format!("the guard (pid {pid}) has ended"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_from_none_to_the_longest() {
        let pace = Pace::default();
        assert_eq!(pause(pace, 1), Duration::ZERO);
        let mut usual = pace.shortest;
        for failures in 2..100 {
            let pause = pause(pace, failures);
            assert!((usual / 2..=usual).contains(&pause), "{failures}: {pause:?}");
            usual = (usual * 2).min(pace.longest);
        }
    }
}
