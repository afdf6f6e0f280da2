//! Rows and targets, as a table, as JSON and as Markdown.

use crate::bench::stats::Summary;
use crate::machine::Machine;
use crate::section;
use anyhow::{Context as _, Result};
use comfy_table::{CellAlignment, Table, presets};
use core::fmt::Write as _;
use serde::Serialize;
use std::path::Path;

/// A line of figures.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Row {
    pub(crate) what: String,
    /// Such as `ms`.
    pub(crate) unit: &'static str,
    #[serde(flatten)]
    pub(crate) summary: Summary,
    /// Its median by that of the floor, where there is one.
    pub(crate) ratio_to_floor: Option<f64>,
    /// Resident memory of the supervisor, in MiB.
    pub(crate) rss_mib: Option<f64>,
    /// In the order in which they were measured.
    pub(crate) samples: Vec<f64>,
}

impl Row {
    /// Of at least one sample.
    pub(crate) fn of(what: impl Into<String>, unit: &'static str, samples: &[f64]) -> Result<Self> {
        let what = what.into();
        let summary = Summary::of(samples).with_context(|| format!("{what}: nothing was measured"))?;
        Ok(Self { what, unit, summary, ratio_to_floor: None, rss_mib: None, samples: samples.to_vec() })
    }
}

/// What a figure should be.
#[derive(Debug, Serialize)]
pub(crate) struct Target {
    pub(crate) what: String,
    /// `≤`, `≥` or `=`, of the measured to the limit.
    pub(crate) relation: &'static str,
    pub(crate) limit: f64,
    pub(crate) measured: f64,
    pub(crate) unit: &'static str,
    pub(crate) met: bool,
}

impl Target {
    /// `measured` should be at most `limit`.
    pub(crate) fn at_most(what: impl Into<String>, unit: &'static str, limit: f64, measured: f64) -> Self {
        Self { what: what.into(), relation: "≤", limit, measured, unit, met: measured <= limit }
    }

    /// `measured` should be `limit`, a count.
    pub(crate) fn exactly(what: impl Into<String>, unit: &'static str, limit: f64, measured: f64) -> Self {
        let met = (measured - limit).abs() < f64::EPSILON;
        Self { what: what.into(), relation: "=", limit, measured, unit, met }
    }

    /// `measured` should be at least `limit`.
    pub(crate) fn at_least(what: impl Into<String>, unit: &'static str, limit: f64, measured: f64) -> Self {
        Self { what: what.into(), relation: "≥", limit, measured, unit, met: measured >= limit }
    }
}

/// Figures that are no samples, in a table of their own.
#[derive(Debug, Serialize)]
pub(crate) struct Grid {
    pub(crate) header: Vec<String>,
    pub(crate) rows: Vec<Vec<String>>,
}

/// All of a run.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    pub(crate) command: String,
    pub(crate) machine: Machine,
    pub(crate) versions: Vec<(String, String)>,
    pub(crate) rows: Vec<Row>,
    pub(crate) grids: Vec<Grid>,
    pub(crate) targets: Vec<Target>,
    /// What could not be measured, and why.
    pub(crate) notes: Vec<String>,
}

/// Above this, figures say more about the machine's other work than about what is measured.
const BUSY_PERCENT: f64 = 10.0;

const VERDICTS: [&str; 4] = ["target", "limit", "measured", ""];
const HEADER: [&str; 9] =
    ["measured", "unit", "n", "min", "median", "p99", "max", "× floor", "supervisor RSS, MiB"];

impl Report {
    /// An empty report of `command`, run here and now; says so if the machine is busy.
    pub(crate) fn begin(command: String) -> Self {
        let machine = Machine::here();
        if machine.busy_percent > BUSY_PERCENT {
            println!("warning: the machine is {:.0} % busy with other things", machine.busy_percent);
        }
        Self {
            command,
            machine,
            versions: Vec::new(),
            rows: Vec::new(),
            grids: Vec::new(),
            targets: Vec::new(),
            notes: Vec::new(),
        }
    }

    /// How many of the columns some row has a value for.
    fn columns(&self) -> usize {
        let has = |value: fn(&Row) -> Option<f64>| self.rows.iter().any(|row| value(row).is_some());
        match (has(|row| row.ratio_to_floor), has(|row| row.rss_mib)) {
            (_, true) => 9,
            (true, false) => 8,
            (false, false) => 7,
        }
    }

    fn cells(&self) -> impl Iterator<Item = [String; 9]> {
        self.rows.iter().map(|row| {
            let Row { what, unit, summary, ratio_to_floor, rss_mib, .. } = row;
            let optional = |value: &Option<f64>| value.map(figure).unwrap_or_default();
            let Summary { n, min, median, p99, max } = *summary;
            [
                what.clone(),
                (*unit).to_owned(),
                n.to_string(),
                figure(min),
                figure(median),
                figure(p99),
                figure(max),
                optional(ratio_to_floor),
                optional(rss_mib),
            ]
        })
    }

    fn verdicts(&self) -> impl Iterator<Item = [String; 4]> {
        self.targets.iter().map(|target| {
            [
                target.what.clone(),
                format!("{} {} {}", target.relation, figure(target.limit), target.unit),
                format!("{} {}", figure(target.measured), target.unit),
                if target.met { "met" } else { "**missed**" }.to_owned(),
            ]
        })
    }

    fn origin(&self) -> String {
        let Machine { cpu, cores, memory_mib, kernel, system, rustc, busy_percent, date, revision } =
            &self.machine;
        format!(
            "`{}` on {date} at revision {revision}. Machine: {cpu}, {cores} cores, {memory_mib} MiB, {system}, \
             kernel {kernel}, {busy_percent:.0} % busy with other things before the run; {rustc}, release profile.",
            self.command
        )
    }

    /// Prints it.
    pub(crate) fn print(&self) {
        println!("{}", self.origin());
        for (name, version) in &self.versions {
            println!("  {name}: {version}");
        }
        println!("{}", table(&HEADER[..self.columns()], self.cells()));
        for Grid { header, rows } in &self.grids {
            println!("{}", table(header, rows.iter().map(Vec::as_slice)));
        }
        if !self.targets.is_empty() {
            let plain = self.verdicts().map(|row| row.map(|field| field.replace("**", "")));
            println!("{}", table(&VERDICTS, plain));
        }
        self.notes.iter().for_each(|note| println!("{note}"));
    }

    /// Writes it as JSON, with all samples: a line for each row.
    pub(crate) fn write_json(&self, file: &Path) -> Result<()> {
        let lines = |values: Vec<serde_json::Result<String>>| {
            let lines: serde_json::Result<Vec<_>> = values.into_iter().collect();
            lines.map(|lines| lines.join(",\n"))
        };
        let rows = lines(self.rows.iter().map(serde_json::to_string).collect())?;
        let targets = lines(self.targets.iter().map(serde_json::to_string).collect())?;
        let text = format!(
            "{{\"command\":{},\n\"machine\":{},\n\"versions\":{},\n\"rows\":[\n{rows}\n],\n\"grids\":{},\n\"targets\":[\n{targets}\n],\n\"notes\":{}}}\n",
            serde_json::to_string(&self.command)?,
            serde_json::to_string(&self.machine)?,
            serde_json::to_string(&self.versions)?,
            serde_json::to_string(&self.grids)?,
            serde_json::to_string(&self.notes)?,
        );
        if let Some(dir) = file.parent() {
            std::fs::create_dir_all(dir).with_context(|| format!("cannot make {}", dir.display()))?;
        }
        std::fs::write(file, text).with_context(|| format!("cannot write {}", file.display()))
    }

    /// The section for the document.
    fn markdown(&self) -> Result<String> {
        let mut text = format!("{}\n\n", self.origin());
        let versions: Vec<_> =
            self.versions.iter().map(|(name, version)| format!("{name}: {version}")).collect();
        write!(text, "Versions: {}.\n\n", versions.join("; "))?;
        markdown_table(&mut text, &HEADER[..self.columns()], self.cells())?;
        for Grid { header, rows } in &self.grids {
            writeln!(text)?;
            markdown_table(&mut text, header, rows.iter().map(Vec::as_slice))?;
        }
        writeln!(text)?;
        markdown_table(&mut text, &VERDICTS, self.verdicts())?;
        for note in &self.notes {
            write!(text, "\n{note}\n")?;
        }
        Ok(text)
    }

    /// Replaces the section `name` of docs/benchmarks.md.
    pub(crate) fn write_section(&self, name: &str) -> Result<()> {
        section::write("docs/benchmarks.md", "bench", name, &self.markdown()?)
    }
}

/// Three significant figures, or all before the point.
pub(crate) fn figure(value: f64) -> String {
    match value.abs() {
        v if v >= 100.0 => format!("{value:.0}"),
        v if v >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

/// Of each row as many cells as the header has.
fn table(header: &[impl ToString], rows: impl Iterator<Item: AsRef<[String]>>) -> Table {
    let mut table = Table::new();
    table.load_style(presets::UTF8_FULL_CONDENSED).set_header(header.iter().map(ToString::to_string));
    for row in rows {
        table.add_row(&row.as_ref()[..header.len()]);
    }
    for column in table.column_iter_mut().skip(2) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}

/// As [`table`].
fn markdown_table(
    text: &mut String,
    header: &[impl ToString],
    rows: impl Iterator<Item: AsRef<[String]>>,
) -> Result<()> {
    let names: Vec<_> = header.iter().map(ToString::to_string).collect();
    writeln!(text, "| {} |\n|{}", names.join(" | "), "---|".repeat(header.len()))?;
    for row in rows {
        writeln!(text, "| {} |", row.as_ref()[..header.len()].join(" | "))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures() {
        assert_eq!([figure(1.938), figure(12.34), figure(1007.4)], ["1.94", "12.3", "1007"]);
    }
}
