//! The one line at the foot of the terminal that changes. Whoever prints goes through [`above`], so
//! that no line tears it.

use super::screen;
use crate::sync::Mutex;
use core::time::Duration;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::{self, IsTerminal, Write, stderr, stdout};

/// The bar that is on the screen, if one is.
static SHOWN: Mutex<Option<ProgressBar>> = Mutex::new(None);

/// How often the bar moves by itself.
const TICK: Duration = Duration::from_millis(120);

/// How many names a line shows before it only counts.
const NAMES: usize = 3;

/// Shows how far something is: `done` of `all`, and whom it waits for.
pub(super) fn progress(what: &str, done: usize, all: usize, waiting: &[&str]) {
    let mut shown = SHOWN.lock();
    let bar = shown.get_or_insert_with(|| new("{bar:24} {pos}/{len} {prefix}  {wide_msg}"));
    bar.set_length(all as u64);
    bar.set_position(done as u64);
    bar.set_prefix(what.to_owned());
    bar.set_message(if waiting.is_empty() { String::new() } else { format!("({})", some_of(waiting)) });
}

/// Shows what is waited for, and for how long already.
pub(super) fn spinner(message: String) {
    let mut shown = SHOWN.lock();
    shown.get_or_insert_with(|| new("{spinner} {elapsed}  {wide_msg}")).set_message(message);
}

/// Takes the bar away.
pub(super) fn clear() {
    if let Some(bar) = SHOWN.lock().take() {
        bar.finish_and_clear();
    }
}

/// Prints above the bar, if there is one.
pub(super) fn above<T>(print: impl FnOnce() -> T) -> T {
    let shown = SHOWN.lock();
    match &*shown {
        Some(bar) => bar.suspend(print),
        None => print(),
    }
}

/// Prints a line to stdout, above the bar. A reader that has gone, such as `head`, is no error.
pub(super) fn say(line: &str) {
    above(|| drop(writeln!(stdout(), "{line}")));
}

/// Standard error, above the bar.
pub(super) struct Stderr;

impl Write for Stderr {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let line = bytes.to_vec();
        screen::show(move || drop(above(|| stderr().write_all(&line))));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        stderr().flush()
    }
}

/// The first few of these names, and how many more there are.
pub(super) fn some_of(names: &[&str]) -> String {
    let shown = names[..names.len().min(NAMES)].join(", ");
    match names.len().saturating_sub(NAMES) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

/// Whether bars are of any use here.
pub(super) fn is_useful() -> bool {
    stderr().is_terminal()
}

fn new(template: &str) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
    // The templates are constants; indicatif's own would do if they were wrong.
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    bar.set_style(style);
    bar.enable_steady_tick(TICK);
    bar
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_names_are_counted() {
        assert_eq!(some_of(&["a", "b", "c"]), "a, b, c");
        assert_eq!(some_of(&["a", "b", "c", "d", "e"]), "a, b, c and 2 more");
    }

    #[test]
    fn the_templates_are_right() {
        for template in ["{bar:24} {pos}/{len} {prefix}  {wide_msg}", "{spinner} {elapsed}  {wide_msg}"] {
            assert!(ProgressStyle::with_template(template).is_ok());
        }
    }
}
