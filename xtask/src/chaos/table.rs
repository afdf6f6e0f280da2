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

const HEADER: [&str; 7] = [
    "fault",
    "rounds",
    "next leader after, s: median",
    "max",
    "healed after its end, s: median",
    "max",
    "violations",
];

/// For people.
pub(super) fn table(outcomes: &[Outcome]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::UTF8_FULL_CONDENSED).set_header(HEADER);
    for row in rows(outcomes) {
        table.add_row(row);
    }
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}

/// For the documentation.
pub(super) fn markdown(outcomes: &[Outcome]) -> String {
    let line = |row: &[String; 7]| format!("| {} |\n", row.join(" | "));
    let head = line(&HEADER.map(str::to_owned));
    let rows: String = rows(outcomes).iter().map(line).collect();
    format!("{head}|---|{}\n{rows}", "---:|".repeat(HEADER.len() - 1))
}

/// A row for each fault that was dealt, and one for all.
fn rows(outcomes: &[Outcome]) -> Vec<[String; 7]> {
    let of = |fault| outcomes.iter().filter(|outcome| outcome.fault == fault).collect::<Vec<_>>();
    let dealt = ALL.iter().map(|&fault| (fault, of(fault))).filter(|(_, of)| !of.is_empty());
    let all = row("all".to_owned(), &outcomes.iter().collect::<Vec<_>>());
    dealt.map(|(fault, of)| row(fault.to_string(), &of)).chain([all]).collect()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_for_each_fault_that_was_dealt_and_one_for_all() {
        let outcome = |fault, ms: u64| Outcome {
            fault,
            next_reign: None,
            healed: Some(Duration::from_millis(ms)),
            violations: 1,
        };
        let outcomes =
            [outcome(Fault::KillServer, 100), outcome(Fault::HandOver, 300), outcome(Fault::KillServer, 200)];
        let text = markdown(&outcomes);
        let rows: Vec<_> = text.lines().skip(2).collect();
        assert_eq!(
            rows,
            [
                "| server killed | 2 | - | - | 0.150 | 0.200 | 2 |",
                "| handover | 1 | - | - | 0.300 | 0.300 | 1 |",
                "| all | 3 | - | - | 0.200 | 0.300 | 3 |",
            ]
        );
    }
}
