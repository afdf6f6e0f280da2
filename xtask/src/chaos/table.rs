//! What has come of all rounds.

use super::fault::{ALL, Fault};
use crate::bench::stats::Summary;
use comfy_table::{CellAlignment, Table, presets};
use core::time::Duration;

/// What has come of a round.
#[derive(Debug)]
pub(super) struct Outcome {
    pub(super) fault: Fault,
    /// From the fault until the next leader was published.
    pub(super) next_reign: Option<Duration>,
    /// From the end of the fault until all was well.
    pub(super) healed: Option<Duration>,
    pub(super) violations: usize,
}

/// A row for each fault that was dealt, and one for all.
pub(super) fn table(outcomes: &[Outcome]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::UTF8_FULL_CONDENSED).set_header([
        "fault",
        "rounds",
        "next leader after, s: median",
        "max",
        "healed after its end, s: median",
        "max",
        "violations",
    ]);
    for fault in ALL {
        let of: Vec<_> = outcomes.iter().filter(|outcome| outcome.fault == fault).collect();
        if !of.is_empty() {
            table.add_row(row(fault.to_string(), &of));
        }
    }
    table.add_row(row("all".to_owned(), &outcomes.iter().collect::<Vec<_>>()));
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}

fn row(what: String, outcomes: &[&Outcome]) -> [String; 7] {
    let times = |time: fn(&Outcome) -> Option<Duration>| {
        let seconds: Vec<_> =
            outcomes.iter().filter_map(|outcome| time(outcome)).map(|t| t.as_secs_f64()).collect();
        let shown = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), |value| format!("{value:.3}"));
        let summary = Summary::of(&seconds);
        (shown(summary.map(|summary| summary.median)), shown(summary.map(|summary| summary.max)))
    };
    let (reign, longest_reign) = times(|outcome| outcome.next_reign);
    let (healed, longest_healed) = times(|outcome| outcome.healed);
    let violations: usize = outcomes.iter().map(|outcome| outcome.violations).sum();
    [what, outcomes.len().to_string(), reign, longest_reign, healed, longest_healed, violations.to_string()]
}
