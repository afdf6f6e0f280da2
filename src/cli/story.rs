//! What a master tells the person who started it.

use super::bar::some_of;
use super::tail;
use crate::master::MasterEvent;
use alloc::collections::BTreeMap;
use std::path::PathBuf;
use tangelo_core::coordinator::Epoch;
use tangelo_core::master::Report;

/// A line, and whether it is about something that went wrong.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) text: String,
    pub(super) problem: bool,
}

impl Line {
    fn news(text: impl Into<String>) -> Self {
        Self { text: text.into(), problem: false }
    }

    fn problem(text: impl Into<String>) -> Self {
        Self { text: text.into(), problem: true }
    }
}

/// Where a server is, as far as it was told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Pending,
    Up,
    Stopping,
    Down,
    Failed,
}

/// What the master is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Chapter {
    StandingBy,
    Starting,
    Running,
    Ending,
}

/// Turns a master's events into lines and progress.
#[derive(Debug)]
pub(super) struct Story {
    /// Where the servers' logs are, if what they end with is to be told.
    dir: Option<PathBuf>,
    /// Whether progress is shown by a bar, so that only problems need lines while it moves.
    bar: bool,
    chapter: Chapter,
    servers: BTreeMap<String, Stage>,
    /// Whom this standby was told to follow last: a link that comes again is no news.
    followed: Option<(String, Epoch)>,
}

/// How far the master is with what it is about.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Progress<'a> {
    pub(super) what: &'static str,
    pub(super) done: usize,
    pub(super) all: usize,
    pub(super) waiting: Vec<&'a str>,
}

impl Story {
    pub(super) const fn new(dir: Option<PathBuf>, bar: bool) -> Self {
        Self { dir, bar, chapter: Chapter::StandingBy, servers: BTreeMap::new(), followed: None }
    }

    /// What the bar shows, while there is a bar.
    pub(super) fn progress(&self) -> Option<Progress<'_>> {
        let (what, is_done): (_, fn(Stage) -> bool) = match self.chapter {
            Chapter::Starting => ("servers up", |stage| stage == Stage::Up),
            Chapter::Ending => ("servers stopped", |stage| matches!(stage, Stage::Down | Stage::Failed)),
            Chapter::StandingBy | Chapter::Running => return None,
        };
        let done = self.servers.values().filter(|stage| is_done(**stage)).count();
        let waits = |stage| !is_done(stage) && stage != Stage::Failed;
        let waiting: Vec<&str> =
            self.servers.iter().filter(|(_, stage)| waits(**stage)).map(|(id, _)| id.as_str()).collect();
        let all = self.servers.len();
        Some(Progress { what, done, all, waiting }).filter(|_| self.bar && all > 0)
    }

    /// What is to be said of an event.
    pub(super) fn tell(&mut self, event: &MasterEvent<'_>) -> Vec<Line> {
        match event {
            MasterEvent::Standby(leader) => {
                let followed = Some((leader.id.clone(), leader.epoch));
                if followed == self.followed {
                    return vec![];
                }
                self.followed = followed;
                vec![Line::news(event.to_string())]
            }
            MasterEvent::Leading { .. } => {
                self.chapter = Chapter::Starting;
                if self.bar { vec![] } else { vec![Line::news(event.to_string())] }
            }
            MasterEvent::Server { id, report } => self.server(id, report, event),
            MasterEvent::Settled { failed, .. } => {
                self.chapter = Chapter::Running;
                self.settled(*failed, event)
            }
            MasterEvent::Ending if self.chapter == Chapter::Ending => {
                vec![Line::news("killing what is left, without waiting")]
            }
            MasterEvent::Ending => {
                self.chapter = Chapter::Ending;
                vec![Line::news(event.to_string())]
            }
            MasterEvent::SteppedDown => {
                self.chapter = Chapter::StandingBy;
                self.servers.clear();
                vec![Line::problem(event.to_string())]
            }
        }
    }

    fn server(&mut self, id: &str, report: &Report, event: &MasterEvent<'_>) -> Vec<Line> {
        let stage = match report {
            // What comes of a crash or a lost link is told soon enough.
            Report::Launching { .. } | Report::Crashed { .. } | Report::LinkLost { .. } => Stage::Pending,
            Report::Up { .. } => Stage::Up,
            Report::Stopping => Stage::Stopping,
            Report::Stopped => Stage::Down,
            Report::Failed { .. } => Stage::Failed,
        };
        let problem = event.is_problem();
        self.servers.insert(id.to_owned(), stage);
        // Beside a bar, a launch is worth a line only as what comes of it.
        let quiet = match self.chapter {
            Chapter::Starting | Chapter::Ending => true,
            Chapter::StandingBy | Chapter::Running => matches!(stage, Stage::Pending | Stage::Stopping),
        };
        if self.bar && quiet && !problem {
            return vec![];
        }
        vec![Line { text: event.to_string(), problem }]
    }

    /// The line that `start` ends with, after the reasons if not all went well.
    fn settled(&self, failed: usize, event: &MasterEvent<'_>) -> Vec<Line> {
        if failed == 0 {
            return vec![Line::news(event.to_string())];
        }
        let down: Vec<&str> = self
            .servers
            .iter()
            .filter(|(_, stage)| **stage == Stage::Failed)
            .map(|(id, _)| id.as_str())
            .collect();
        let logs = self.dir.as_ref().map(|dir| tail::explain(dir, down.iter().copied()));
        let mut lines: Vec<Line> = logs.into_iter().flatten().map(Line::problem).collect();
        lines.push(Line::problem(format!(
            "{event}: {}; `start {}` tries again",
            some_of(&down),
            down.first().copied().unwrap_or("ID")
        )));
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::time::Duration;
    use tangelo_core::config::Incarnation;
    use tangelo_core::coordinator::LeaderInfo;

    const LAUNCHING: Report = Report::Launching { incarnation: Incarnation(1) };
    const UP: Report = Report::Up { pid: 7, adopted: false };

    fn story(bar: bool) -> Story {
        Story::new(None, bar)
    }

    fn tell(story: &mut Story, event: &MasterEvent<'_>) -> Vec<String> {
        story.tell(event).into_iter().map(|line| line.text).collect()
    }

    fn server(story: &mut Story, id: &str, report: &Report) -> Vec<String> {
        tell(story, &MasterEvent::Server { id, report })
    }

    #[test]
    fn beside_a_bar_a_start_says_only_its_end() {
        let mut story = story(true);
        assert!(tell(&mut story, &MasterEvent::Leading { epoch: Epoch(1), servers: 2 }).is_empty());
        assert_eq!(story.progress(), None);
        assert!(server(&mut story, "a", &LAUNCHING).is_empty());
        assert!(server(&mut story, "b", &LAUNCHING).is_empty());
        assert!(server(&mut story, "b", &UP).is_empty());
        let waiting = vec!["a"];
        assert_eq!(story.progress(), Some(Progress { what: "servers up", done: 1, all: 2, waiting }));
        server(&mut story, "a", &UP);
        let settled = MasterEvent::Settled { up: 2, failed: 0, after: Duration::from_millis(340) };
        assert_eq!(tell(&mut story, &settled), ["all 2 servers are up after 340 ms"]);
        assert_eq!(story.progress(), None);
        // From then on what happens is news.
        let crash = Report::Crashed { why: "killed by signal 9".into() };
        assert_eq!(server(&mut story, "a", &crash), ["a: crashed: killed by signal 9; restarting"]);
        assert!(server(&mut story, "a", &LAUNCHING).is_empty());
        assert_eq!(server(&mut story, "a", &UP), ["a: up, pid 7"]);
    }

    #[test]
    fn without_a_bar_each_step_is_a_line() {
        let mut story = story(false);
        let leading = tell(&mut story, &MasterEvent::Leading { epoch: Epoch(3), servers: 1 });
        assert_eq!(leading, ["leading: epoch 3, 1 servers"]);
        assert_eq!(server(&mut story, "a", &LAUNCHING), ["a: launching, incarnation 1"]);
        assert_eq!(server(&mut story, "a", &UP), ["a: up, pid 7"]);
        assert_eq!(story.progress(), None);
    }

    #[test]
    fn a_failed_start_shows_the_end_of_the_log() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("logs")).unwrap();
        std::fs::write(dir.path().join("logs/a.log"), "cannot open the map\n").unwrap();
        let mut story = Story::new(Some(dir.path().to_owned()), true);
        tell(&mut story, &MasterEvent::Leading { epoch: Epoch(1), servers: 1 });
        let failed = server(&mut story, "a", &Report::Failed { why: "exited with code 1".into() });
        assert_eq!(failed, ["a: failed: exited with code 1"]);
        let settled = MasterEvent::Settled { up: 0, failed: 1, after: Duration::from_millis(5) };
        let lines = tell(&mut story, &settled);
        assert!(lines[0].ends_with("logs/a.log:"), "{lines:?}");
        assert_eq!(lines[1], "    cannot open the map");
        assert!(lines[2].starts_with("0 servers are up, 1 failed, after 5 ms: a; `start a`"), "{lines:?}");
    }

    #[test]
    fn whom_a_standby_follows_is_said_once() {
        let mut story = story(true);
        let leader =
            |epoch| LeaderInfo { id: "m".into(), host: "127.0.0.1".into(), port: 3005, epoch: Epoch(epoch) };
        assert_eq!(tell(&mut story, &MasterEvent::Standby(&leader(1))).len(), 1);
        assert!(tell(&mut story, &MasterEvent::Standby(&leader(1))).is_empty());
        assert_eq!(tell(&mut story, &MasterEvent::Standby(&leader(2))).len(), 1);
    }

    #[test]
    fn an_end_counts_what_has_stopped() {
        let mut story = story(true);
        tell(&mut story, &MasterEvent::Leading { epoch: Epoch(1), servers: 2 });
        server(&mut story, "a", &UP);
        server(&mut story, "b", &UP);
        tell(&mut story, &MasterEvent::Settled { up: 2, failed: 0, after: Duration::ZERO });
        assert!(tell(&mut story, &MasterEvent::Ending)[0].starts_with("stopping the cluster"));
        assert!(server(&mut story, "a", &Report::Stopped).is_empty());
        let waiting = vec!["b"];
        assert_eq!(story.progress(), Some(Progress { what: "servers stopped", done: 1, all: 2, waiting }));
        assert!(tell(&mut story, &MasterEvent::Ending)[0].starts_with("killing"));
    }
}
