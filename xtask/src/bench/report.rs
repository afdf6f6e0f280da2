//! Rows and targets, as a table, as JSON and as Markdown.

use crate::bench::stats::Summary;
use crate::machine::Machine;
use crate::repo;
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
}

/// What a figure should be.
#[derive(Debug, Serialize)]
pub(crate) struct Target {
    pub(crate) what: String,
    pub(crate) limit: f64,
    pub(crate) measured: f64,
    pub(crate) unit: &'static str,
    pub(crate) met: bool,
}

impl Target {
    /// `measured` should be at most `limit`.
    pub(crate) fn at_most(what: impl Into<String>, unit: &'static str, limit: f64, measured: f64) -> Self {
        Self { what: what.into(), limit, measured, unit, met: measured <= limit }
    }
}

/// All of a run.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    pub(crate) command: String,
    pub(crate) machine: Machine,
    pub(crate) versions: Vec<(String, String)>,
    pub(crate) rows: Vec<Row>,
    pub(crate) targets: Vec<Target>,
}

const HEADER: [&str; 9] =
    ["measured", "unit", "n", "min", "median", "p99", "max", "× floor", "supervisor RSS, MiB"];

impl Report {
    fn cells(&self) -> impl Iterator<Item = [String; 9]> {
        self.rows.iter().map(|Row { what, unit, summary, ratio_to_floor, rss_mib }| {
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
                format!("≤ {} {}", figure(target.limit), target.unit),
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
        println!("{}", table(&HEADER, self.cells()));
        if !self.targets.is_empty() {
            let plain = self.verdicts().map(|row| row.map(|field| field.replace("**", "")));
            println!("{}", table(&["target", "limit", "measured", ""], plain));
        }
    }

    /// Writes it as JSON.
    pub(crate) fn write_json(&self, file: &Path) -> Result<()> {
        let text = serde_json::to_string_pretty(self)?;
        std::fs::write(file, text + "\n").with_context(|| format!("cannot write {}", file.display()))
    }

    /// The section for the document.
    fn markdown(&self) -> Result<String> {
        let mut text = format!("{}\n\n", self.origin());
        let versions: Vec<_> =
            self.versions.iter().map(|(name, version)| format!("{name}: {version}")).collect();
        write!(text, "Versions: {}.\n\n", versions.join("; "))?;
        markdown_table(&mut text, &HEADER, self.cells())?;
        writeln!(text)?;
        markdown_table(&mut text, &["target", "limit", "measured", ""], self.verdicts())?;
        Ok(text)
    }

    /// Replaces the section `name` of docs/benchmarks.md.
    pub(crate) fn write_section(&self, name: &str) -> Result<()> {
        let file = repo::root().join("docs/benchmarks.md");
        let document =
            std::fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
        let document = with_section(&document, name, &self.markdown()?)?;
        std::fs::write(&file, document).with_context(|| format!("cannot write {}", file.display()))
    }
}

/// Three significant figures, or all before the point.
fn figure(value: f64) -> String {
    match value.abs() {
        v if v >= 100.0 => format!("{value:.0}"),
        v if v >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

fn table<const N: usize>(header: &[&str; N], rows: impl Iterator<Item = [String; N]>) -> Table {
    let mut table = Table::new();
    table.load_style(presets::UTF8_FULL_CONDENSED).set_header(header);
    for row in rows {
        table.add_row(row);
    }
    for column in table.column_iter_mut().skip(2) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}

fn markdown_table<const N: usize>(
    text: &mut String,
    header: &[&str; N],
    rows: impl Iterator<Item = [String; N]>,
) -> Result<()> {
    writeln!(text, "| {} |\n|{}", header.join(" | "), "---|".repeat(N))?;
    for row in rows {
        writeln!(text, "| {} |", row.join(" | "))?;
    }
    Ok(())
}

/// `document` with `text` between the two marks of section `name`.
fn with_section(document: &str, name: &str, text: &str) -> Result<String> {
    let (begin, end) = (format!("<!-- bench:{name}:begin -->"), format!("<!-- bench:{name}:end -->"));
    let parts =
        document.split_once(&begin).and_then(|(before, rest)| Some((before, rest.split_once(&end)?.1)));
    let (before, after) = parts.with_context(|| format!("the document lacks `{begin}` … `{end}`"))?;
    Ok(format!("{before}{begin}\n{}\n{end}{after}", text.trim_end()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_section_is_replaced_and_the_rest_stays() {
        let document = "a\n<!-- bench:x:begin -->\nold\n<!-- bench:x:end -->\nb\n";
        let new = with_section(document, "x", "new\n").expect("marks");
        assert_eq!(new, "a\n<!-- bench:x:begin -->\nnew\n<!-- bench:x:end -->\nb\n");
        assert!(with_section(document, "y", "new").is_err());
    }

    #[test]
    fn figures() {
        assert_eq!([figure(1.938), figure(12.34), figure(1007.4)], ["1.94", "12.3", "1007"]);
    }
}
