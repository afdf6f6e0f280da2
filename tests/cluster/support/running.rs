//! A command that runs, and one that has ended.

use super::process::is_alive;
use super::wait::{DEADLINE, within};
use core::cell::RefCell;
use core::time::Duration;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};

/// A command in the background. Its output goes to files.
#[derive(Debug)]
pub(crate) struct Running {
    child: RefCell<Child>,
    pid: u32,
    out: PathBuf,
    err: PathBuf,
}

/// A command that has ended by itself.
#[derive(Debug)]
pub(crate) struct Finished {
    /// `None`: by a signal.
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Finished {
    /// What it printed.
    ///
    /// # Panics
    /// If it failed, or had anything to complain about.
    #[track_caller]
    pub(crate) fn ok(&self) -> &str {
        assert!(self.code == Some(0) && self.err.is_empty(), "not as it should be: {self:?}");
        &self.out
    }

    /// What it complained about: one line, whatever it is.
    ///
    /// # Panics
    /// If it succeeded, or failed in another way.
    #[track_caller]
    pub(crate) fn error(&self) -> &str {
        let line = self.err.trim_end();
        let well = self.code == Some(1) && line.starts_with("error: ") && !line.contains('\n');
        assert!(well, "not an error of one line: {self:?}");
        line
    }
}

impl Running {
    pub(crate) fn spawn(mut command: Command, name: &Path) -> Self {
        let (out, err) = (name.with_extension("out"), name.with_extension("err"));
        let file = |path| File::create(path).expect("a file for its output");
        command.stdin(Stdio::null()).stdout(file(&out)).stderr(file(&err));
        let child = command.spawn().expect("this binary can be started");
        Self { pid: child.id(), child: RefCell::new(child), out, err }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.pid
    }

    pub(crate) fn out(&self) -> String {
        fs::read_to_string(&self.out).unwrap_or_default()
    }

    pub(crate) fn err(&self) -> String {
        fs::read_to_string(&self.err).unwrap_or_default()
    }

    /// Waits until it has printed a line with `text`, and returns the line.
    ///
    /// # Panics
    /// If it ends before, or takes too long.
    #[track_caller]
    pub(crate) fn says(&self, text: &str) -> String {
        let find = || {
            let alive = is_alive(self.pid);
            let line = self.out().lines().find(|line| line.contains(text)).map(String::from);
            if line.is_none() && !alive { Some(None) } else { line.map(Some) }
        };
        within(DEADLINE, find)
            .flatten()
            .unwrap_or_else(|| panic!("never said `{text}`:\n{}\n{}", self.out(), self.err()))
    }

    /// Waits for its end.
    ///
    /// # Panics
    /// If it does not come.
    #[track_caller]
    pub(crate) fn end(&self) -> Finished {
        self.end_within(DEADLINE)
    }

    #[track_caller]
    pub(crate) fn end_within(&self, limit: Duration) -> Finished {
        let look = || self.child.borrow_mut().try_wait().expect("our own child can be waited for");
        let status: ExitStatus = within(limit, look)
            .unwrap_or_else(|| panic!("it has not ended within {limit:?}:\n{}\n{}", self.out(), self.err()));
        Finished { code: status.code(), out: self.out(), err: self.err() }
    }

    /// Reaps it if it has ended, so that it does not stay behind.
    pub(crate) fn reap(&self) {
        let _ = self.child.borrow_mut().try_wait();
    }
}
