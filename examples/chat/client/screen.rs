//! What a client shows: lines, in colours on a terminal; or only how much there was.

use core::sync::atomic::{AtomicU64, Ordering};
use std::io::{IsTerminal as _, Write as _, stdin, stdout};
use std::sync::Arc;

const GREY: &str = "\x1b[2m";
const BOLD: &str = "\x1b[1m";
const RED: &str = "\x1b[31m";

/// How much all bots together have done.
#[derive(Debug, Default)]
pub(super) struct Counts {
    pub(super) inside: AtomicU64,
    pub(super) said: AtomicU64,
    pub(super) heard: AtomicU64,
    pub(super) missed: AtomicU64,
    pub(super) lost: AtomicU64,
}

#[derive(Debug)]
pub(super) enum Screen {
    Lines { colours: bool, typed: bool },
    Counted(Arc<Counts>),
}

impl Screen {
    pub(super) fn of_terminal() -> Self {
        Self::Lines {
            colours: stdout().is_terminal(),
            typed: stdin().is_terminal() && stdout().is_terminal(),
        }
    }

    /// Something has happened.
    pub(super) fn event(&self, text: &str) {
        self.line(GREY, "* ", text);
    }

    /// Something has gone wrong.
    pub(super) fn trouble(&self, text: &str) {
        self.line(RED, "! ", text);
    }

    /// Somebody has said something.
    pub(super) fn said(&self, from: &str, text: &str) {
        match self {
            Self::Counted(counts) => _ = counts.heard.fetch_add(1, Ordering::Relaxed),
            Self::Lines { .. } => self.line(BOLD, &format!("{from}: "), text),
        }
    }

    /// What was typed here has reached all but `missed`.
    pub(super) fn sent(&self, from: &str, text: &str, missed: &[&str]) {
        match self {
            Self::Counted(counts) => {
                counts.said.fetch_add(1, Ordering::Relaxed);
                counts.missed.fetch_add(missed.len() as u64, Ordering::Relaxed);
                return;
            }
            // The line stands on the screen where it was typed.
            Self::Lines { typed: true, .. } => {}
            Self::Lines { .. } => self.said(from, text),
        }
        if !missed.is_empty() {
            self.trouble(&format!("not to {}", missed.join(", ")));
        }
    }

    /// In the room, or no longer.
    pub(super) fn inside(&self, inside: bool) {
        if let Self::Counted(counts) = self {
            if inside {
                counts.inside.fetch_add(1, Ordering::Relaxed);
            } else {
                counts.inside.fetch_sub(1, Ordering::Relaxed);
                counts.lost.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    fn line(&self, style: &str, start: &str, text: &str) {
        let Self::Lines { colours, .. } = self else { return };
        // What others say must not steer this terminal.
        let text = text.replace(|c: char| c.is_control(), " ");
        let line = match (colours, style) {
            (false, _) => format!("{start}{text}\n"),
            (true, BOLD) => format!("{BOLD}{start}\x1b[0m{text}\n"),
            (true, style) => format!("{style}{start}{text}\x1b[0m\n"),
        };
        let mut out = stdout().lock();
        let _ = out.write_all(line.as_bytes()).and_then(|()| out.flush());
    }
}
