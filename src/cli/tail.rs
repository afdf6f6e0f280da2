//! The end of a server's log, for whoever wants to know why it is down.

use super::bar;
use std::fs::File;
use std::io::{self, IsTerminal, Read, Seek, SeekFrom, Write, stderr};
use std::path::{Path, PathBuf};

/// How many lines of a log are shown, at most, and of how many of its last bytes they are taken.
const LINES: usize = 8;
const BYTES: u64 = 4096;

/// Of how many servers the logs are shown.
const SERVERS: usize = 3;

/// The log of a server or master.
pub(super) fn log_of(dir: &Path, id: &str) -> PathBuf {
    PathBuf::from(crate::master::log_spec(dir, id).path)
}

/// How long a log is now, to show later what was added.
pub(super) fn length(log: &Path) -> u64 {
    std::fs::metadata(log).map_or(0, |metadata| metadata.len())
}

/// What the logs of these servers end with, as far as they are here: not on another host, and not of
/// a server that could not even be launched.
pub(super) fn explain<'a>(dir: &Path, ids: impl Iterator<Item = &'a str>) -> Vec<String> {
    ids.map(|id| log_of(dir, id))
        .filter(|log| log.exists())
        .take(SERVERS)
        .flat_map(|log| of(&log, 0))
        .collect()
}

/// What a log ends with, from byte `from` on, under its name.
pub(super) fn of(log: &Path, from: u64) -> Vec<String> {
    let shown = log.display();
    let lines = match last_lines(log, from) {
        Ok(lines) => lines,
        Err(error) => return vec![format!("its log {shown} cannot be read: {error}")],
    };
    if lines.is_empty() {
        return vec![format!("its log {shown} says nothing")];
    }
    let mut told = vec![format!("the end of {shown}:")];
    told.extend(lines.into_iter().map(|line| format!("    {line}")));
    told
}

/// The error that a process ended its log with, from byte `from` on.
pub(super) fn last_error(log: &Path, from: u64) -> Option<String> {
    let lines = last_lines(log, from).ok()?;
    lines.iter().rev().find_map(|line| Some(line.strip_prefix("error: ")?.to_owned()))
}

/// Shows a person more than the one line that an error is for programs.
pub(super) fn show(lines: &[String]) {
    if stderr().is_terminal() {
        // A reader that has gone is no error.
        lines.iter().for_each(|line| drop(writeln!(bar::Stderr, "{line}")));
    }
}

fn last_lines(log: &Path, from: u64) -> io::Result<Vec<String>> {
    let mut file = File::open(log)?;
    let length = file.metadata()?.len();
    // It was rotated meanwhile if it is shorter now.
    let from = if from > length { 0 } else { from };
    let start = from.max(length.saturating_sub(BYTES));
    file.seek(SeekFrom::Start(start))?;
    let mut bytes = Vec::new();
    file.take(BYTES).read_to_end(&mut bytes)?;
    let text = String::from_utf8_lossy(&bytes);
    let mut lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    if start > from && lines.len() > 1 {
        // Most likely the rest of a line.
        lines.remove(0);
    }
    Ok(lines[lines.len().saturating_sub(LINES)..].iter().map(|line| printable(line)).collect())
}

/// Without what would steer the terminal.
pub(super) fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() && c != '\t' { '\u{fffd}' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log(text: &str) -> (tempfile::TempDir, PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.log");
        std::fs::write(&path, text).unwrap();
        (dir, path)
    }

    #[test]
    fn the_last_lines_are_shown_without_escape_sequences() {
        let text: String = (0..1000).map(|n| format!("line {n}\n")).collect::<String>() + "\x1b[31mred";
        let (_dir, path) = log(&text);
        let told = of(&path, 0);
        assert_eq!(told.len(), 1 + LINES);
        assert!(told[0].starts_with("the end of ") && told[0].ends_with("a.log:"), "{told:?}");
        assert_eq!(told[LINES], "    \u{fffd}[31mred");
        assert_eq!(told[LINES - 1], "    line 999");
    }

    #[test]
    fn only_what_is_new_is_shown() {
        let (_dir, path) = log("old\nnew\n");
        assert_eq!(of(&path, 4)[1..], ["    new"]);
        std::fs::write(&path, "error: old\nerror: new\nend\n").unwrap();
        assert_eq!(last_error(&path, 0).as_deref(), Some("new"));
        assert_eq!(last_error(&path, 22), None);
        std::fs::write(&path, "old\nnew\n").unwrap();
        assert_eq!(of(&path, 400).len(), 3, "a log that was rotated is new as a whole");
        assert!(of(&path, 8)[0].ends_with("says nothing"));
        assert!(of(&path.with_extension("no"), 0)[0].contains("cannot be read"));
    }
}
