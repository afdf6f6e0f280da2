//! `list` for people.

use comfy_table::presets::NOTHING;
use comfy_table::{Cell, Color, ContentArrangement, Table};
use std::io::{IsTerminal, stdout};
use tangelo_core::wire::{Listing, MasterRole, MasterRow, MasterState, ServerRow, ServerState};

/// The tables of masters and servers. Colours only on a terminal.
pub(super) fn listing(listing: &Listing) -> String {
    let coloured = stdout().is_terminal();
    let mut masters = table(&["MASTER", "ADDRESS", "PID", "ROLE", "EPOCH", "STATE"]);
    for row in &listing.masters {
        masters.add_row(master(row, coloured));
    }
    let mut servers =
        table(&["SERVER", "TYPE", "ADDRESS", "PID", "STATE", "CPU", "RESTARTS", "UPTIME", "RSS", "DETAIL"]);
    for row in &listing.servers {
        servers.add_row(server(row, coloured));
    }
    format!("{}\n\n{}", trimmed(&masters), trimmed(&servers))
}

fn table(header: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(NOTHING).set_header(header.to_vec());
    if stdout().is_terminal() {
        table.set_content_arrangement(ContentArrangement::Dynamic);
    }
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    table
}

fn trimmed(table: &Table) -> String {
    table.lines().map(|line| line.trim_end().to_owned()).collect::<Vec<_>>().join("\n")
}

fn master(row: &MasterRow, coloured: bool) -> Vec<Cell> {
    let role = match row.role {
        MasterRole::Leader => "leader",
        MasterRole::Standby => "standby",
    };
    let (state, colour) = match row.state {
        MasterState::Leading => ("leading", Color::Green),
        MasterState::Ready => ("ready", Color::Green),
        MasterState::Suspended => ("suspended", Color::Yellow),
        MasterState::Lost => ("lost", Color::Red),
    };
    vec![
        Cell::new(&row.id),
        Cell::new(format!("{}:{}", row.host, row.port)),
        Cell::new(row.pid),
        Cell::new(role),
        Cell::new(row.epoch),
        paint(state, colour, coloured),
    ]
}

fn server(row: &ServerRow, coloured: bool) -> Vec<Cell> {
    let colour = match row.state {
        ServerState::Up => Color::Green,
        ServerState::Starting | ServerState::Stopping => Color::Cyan,
        ServerState::Backoff => Color::Yellow,
        ServerState::Stopped => Color::DarkGrey,
        ServerState::Failed => Color::Red,
    };
    let port = row.port.or(row.client_port).map_or_else(String::new, |port| format!(":{port}"));
    vec![
        Cell::new(&row.id),
        Cell::new(&row.server_type),
        Cell::new(format!("{}{port}", row.host)),
        Cell::new(row.pid.map_or_else(dash, |pid| pid.to_string())),
        paint(row.state.as_str(), colour, coloured),
        Cell::new(row.cpu.clone().unwrap_or_else(dash)),
        Cell::new(row.restarts),
        Cell::new(row.uptime_ms.map_or_else(dash, uptime)),
        Cell::new(row.rss_bytes.map_or_else(dash, memory)),
        Cell::new(&row.detail),
    ]
}

fn paint(text: &str, colour: Color, coloured: bool) -> Cell {
    if coloured { Cell::new(text).fg(colour) } else { Cell::new(text) }
}

fn dash() -> String {
    "-".to_owned()
}

/// The two largest units: `2d 3h`, `5m 7s`, `12s`.
fn uptime(ms: u64) -> String {
    let seconds = ms / 1000;
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds}s"),
        (0, 0, _) => format!("{minutes}m {}s", seconds % 60),
        (0, ..) => format!("{hours}h {minutes}m"),
        _ => format!("{days}d {hours}h"),
    }
}

#[expect(clippy::cast_precision_loss, reason = "one decimal is shown")]
fn memory(bytes: u64) -> String {
    format!("{:.1} MB", bytes as f64 / 1e6)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uptime_shows_its_two_largest_units() {
        let shown = |seconds: u64| uptime(seconds * 1000);
        assert_eq!(shown(0), "0s");
        assert_eq!(shown(307), "5m 7s");
        assert_eq!(shown(3 * 3600 + 61), "3h 1m");
        assert_eq!(shown(2 * 86_400 + 3 * 3600), "2d 3h");
    }
}
