//! What the matrix shows while it runs and in the end.

use super::cell::{Cell, Counts, Outcome};
use super::count;
use comfy_table::{Attribute, Cell as Field, Color, ContentArrangement, Table, presets};
use core::time::Duration;
use indicatif::{ProgressBar, ProgressStyle};
use std::io::IsTerminal as _;
use std::path::Path;

/// The progress, as a spinner on a terminal and as plain lines elsewhere.
pub(super) struct Live {
    bar: Option<ProgressBar>,
    cells: usize,
}

impl Live {
    pub(super) fn new(cells: usize) -> Self {
        let bar = std::io::stdout().is_terminal().then(|| {
            let bar = ProgressBar::new_spinner();
            if let Ok(style) = ProgressStyle::with_template("{spinner:.cyan} {wide_msg} {elapsed}") {
                bar.set_style(style);
            }
            bar.enable_steady_tick(Duration::from_millis(120));
            bar
        });
        Self { bar, cells }
    }

    pub(super) fn begins(&self, index: usize, cell: &Cell) {
        match &self.bar {
            Some(bar) => {
                bar.reset_elapsed();
                bar.set_message(format!("{}/{} {}", index + 1, self.cells, cell.name));
            }
            None => println!("[{}/{}] {}: {}", index + 1, self.cells, cell.name, cell.what),
        }
    }

    pub(super) fn progresses(&self, index: usize, cell: &Cell, command: &str, counts: Counts) {
        if let Some(bar) = &self.bar {
            let tests = match counts {
                Counts { passed: 0, failed: 0, .. } => String::new(),
                Counts { passed, failed: 0, .. } => format!(", {passed} passed"),
                Counts { passed, failed, .. } => format!(", {passed} passed, {failed} FAILED"),
            };
            bar.set_message(format!("{}/{} {}: {command}{tests}", index + 1, self.cells, cell.name));
        }
    }

    pub(super) fn ends(&self, outcome: &Outcome, log: &Path) {
        let Outcome { cell, counts, time, failure } = outcome;
        let seconds = time.as_secs_f64();
        let mut text = match failure {
            None => format!("  ok    {:<14} {:>4} passed {seconds:>7.1} s", cell.name, counts.passed),
            Some(why) => format!("  FAIL  {:<14} {why} ({seconds:.1} s)", cell.name),
        };
        if failure.is_some() {
            let output = std::fs::read(log).unwrap_or_default();
            for line in count::telling(&String::from_utf8_lossy(&output), 60) {
                text = format!("{text}\n    | {line}");
            }
            text = format!("{text}\n  the whole log: {}", log.display());
        }
        match &self.bar {
            Some(bar) => bar.suspend(|| println!("{text}")),
            None => println!("{text}"),
        }
    }

    pub(super) fn done(self) {
        if let Some(bar) = self.bar {
            bar.finish_and_clear();
        }
    }
}

/// The table of all outcomes.
pub(super) fn table(outcomes: &[Outcome]) -> Table {
    let mut table = plain();
    table.set_header(["cell", "result", "passed", "failed", "ignored", "time"]);
    for Outcome { cell, counts, time, failure } in outcomes {
        let (word, color) = if failure.is_none() { ("pass", Color::Green) } else { ("FAIL", Color::Red) };
        table.add_row([
            Field::new(cell.name),
            Field::new(word).fg(color).add_attribute(Attribute::Bold),
            Field::new(counts.passed),
            Field::new(counts.failed),
            Field::new(counts.ignored),
            Field::new(format!("{:.1} s", time.as_secs_f64())),
        ]);
    }
    right_aligned(&mut table, 2..6);
    table
}

/// The table of `--list`.
pub(super) fn list(cells: &[&Cell]) -> Table {
    let mut table = plain();
    table.set_content_arrangement(ContentArrangement::Dynamic);
    if !table.is_tty() {
        table.set_width(150);
    }
    table.set_header(["cell", "quick", "shows", "runs", "needs", "limit"]);
    for cell in cells {
        let commands: Vec<_> =
            cell.steps.iter().map(|step| format!("cargo {}", step.arguments().join(" "))).collect();
        let needs: Vec<_> = cell.needs.iter().map(|need| need.what).collect();
        table.add_row([
            cell.name.to_owned(),
            if cell.quick { "yes" } else { "" }.to_owned(),
            cell.what.to_owned(),
            commands.join("\n"),
            needs.join(", "),
            format!("{} min", cell.limit_minutes),
        ]);
    }
    table
}

fn plain() -> Table {
    let mut table = Table::new();
    table.load_style(presets::UTF8_FULL_CONDENSED);
    table
}

fn right_aligned(table: &mut Table, columns: core::ops::Range<usize>) {
    for index in columns {
        if let Some(column) = table.column_mut(index) {
            column.set_cell_alignment(comfy_table::CellAlignment::Right);
        }
    }
}
