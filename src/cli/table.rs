//! `list` for people.

use super::tail::printable;
use comfy_table::presets::NOTHING;
use comfy_table::{Cell, Color, ColumnConstraint, ContentArrangement, Row, Table};
use std::io::{IsTerminal, stdout};
use tangelo_core::wire::{Listing, MasterRole, MasterRow, MasterState, PurgeRow, ServerRow, ServerState};

const SERVER_COLUMNS: [&str; 10] =
    ["SERVER", "TYPE", "ADDRESS", "PID", "STATE", "CPU", "RESTARTS", "UPTIME", "RSS", "DETAIL"];
const DETAIL: usize = 9;

/// Which columns are left out first where the terminal is too narrow for all: CPU, RSS, TYPE, UPTIME, RESTARTS, DETAIL.
const LEAST_NEEDED: [usize; 6] = [5, 8, 1, 7, 6, DETAIL];

/// The narrowest that the details may become before other columns are left out.
const DETAIL_WIDTH: usize = 16;

/// The space between two columns.
const GAP: u16 = 2;

/// What the table is shown on.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Page {
    /// How many characters fit; `None`: any number.
    width: Option<u16>,
    coloured: bool,
}

impl Page {
    /// A terminal has a width and colours, unless `NO_COLOR` is set; all else has neither.
    pub(super) fn of_stdout() -> Self {
        if !stdout().is_terminal() {
            return Self::default();
        }
        let coloured = std::env::var_os("NO_COLOR").is_none_or(|set| set.is_empty());
        Self { width: Table::new().width(), coloured }
    }
}

/// The tables of masters and servers, and what is left to be done for global channels.
pub(super) fn listing(listing: &Listing, page: Page) -> String {
    let mut masters = table(&["MASTER", "ADDRESS", "PID", "ROLE", "EPOCH", "STATE"], page);
    for row in &listing.masters {
        masters.add_row(master(row));
    }
    let mut servers = table(&SERVER_COLUMNS, page);
    for row in &listing.servers {
        let mut cells = Row::from(server(row));
        // On a terminal a long detail is cut off, not wrapped.
        cells.max_height(1);
        servers.add_row(cells);
    }
    fit(&mut servers, page);
    let mut text = format!("{}\n\n{}", shown(&mut masters, page), shown(&mut servers, page));
    let purges = listing.channels.iter().flat_map(|channels| &channels.purges);
    for (number, row) in purges.enumerate() {
        text.push_str(if number == 0 { "\n\n" } else { "\n" });
        text.push_str(&purge(row));
    }
    text
}

/// A line, as long as it is: nobody looks for it in a column.
fn purge(row: &PurgeRow) -> String {
    let why = row.error.as_ref().map_or_else(String::new, |error| format!(": {}", printable(error)));
    let PurgeRow { id, incarnation, for_ms, .. } = row;
    format!(
        "global channels: members of {id} up to incarnation {incarnation} are to be purged, for {} now{why}",
        uptime(*for_ms)
    )
}

fn table(header: &[&str], page: Page) -> Table {
    let mut table = Table::new();
    table.load_style(NOTHING).set_truncation_indicator("…").set_header(header.to_vec());
    if let Some(width) = page.width {
        table.set_content_arrangement(ContentArrangement::Dynamic).set_width(width);
    }
    for column in table.column_iter_mut() {
        column.set_padding((0, GAP));
    }
    table
}

/// Keeps every column whole but the details, and leaves out columns until the rest fits.
fn fit(table: &mut Table, page: Page) {
    let Some(width) = page.width.map(usize::from) else { return };
    let mut widths: Vec<usize> =
        table.column_max_content_widths().into_iter().map(|width| usize::from(width + GAP)).collect();
    let details = widths[DETAIL].min(DETAIL_WIDTH + usize::from(GAP));
    widths[DETAIL] = details;
    let mut hidden = Vec::new();
    for column in LEAST_NEEDED {
        if widths.iter().sum::<usize>() <= width {
            break;
        }
        widths[column] = 0;
        hidden.push(column);
    }
    for (index, column) in table.column_iter_mut().enumerate() {
        if hidden.contains(&index) {
            column.set_constraint(ColumnConstraint::Hidden);
        } else if index != DETAIL {
            column.set_constraint(ColumnConstraint::ContentWidth);
        }
    }
}

fn shown(table: &mut Table, page: Page) -> String {
    if page.coloured {
        table.enforce_styling();
    } else {
        table.force_no_tty();
    }
    table.lines().map(|line| line.trim_end().to_owned()).collect::<Vec<_>>().join("\n")
}

fn master(row: &MasterRow) -> Vec<Cell> {
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
        Cell::new(state).fg(colour),
    ]
}

fn server(row: &ServerRow) -> Vec<Cell> {
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
        Cell::new(row.state.as_str()).fg(colour),
        Cell::new(row.cpu.clone().unwrap_or_else(dash)),
        Cell::new(row.restarts),
        Cell::new(row.uptime_ms.map_or_else(dash, uptime)),
        Cell::new(row.rss_bytes.map_or_else(dash, memory)),
        // A server says there what it likes.
        Cell::new(printable(&row.detail)),
    ]
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
pub(super) mod tests {
    use super::*;
    use tangelo_core::config::Incarnation;
    use tangelo_core::coordinator::Epoch;
    use tangelo_core::wire::ChannelsRow;

    pub(in super::super) fn row(id: &str) -> ServerRow {
        ServerRow {
            id: id.into(),
            server_type: "chat".into(),
            host: "127.0.0.1".into(),
            port: Some(6050),
            client_port: None,
            pid: Some(12345),
            incarnation: Incarnation(1),
            state: ServerState::Up,
            cpu: Some("0,1".into()),
            restarts: 0,
            uptime_ms: Some(307_000),
            rss_bytes: Some(11_500_000),
            detail: "12 users in 3 rooms, 48 messages".into(),
        }
    }

    pub(in super::super) fn master(id: &str) -> MasterRow {
        MasterRow {
            id: id.into(),
            host: "127.0.0.1".into(),
            port: 3005,
            pid: 41,
            role: MasterRole::Leader,
            epoch: Epoch(2),
            state: MasterState::Leading,
        }
    }

    fn sample() -> Listing {
        let mut failed = row("chat-server-2");
        failed.state = ServerState::Failed;
        failed.pid = None;
        failed.detail =
            "\u{1b}[31mexited with code 1; auto-restart is off, and much more could be said".into();
        Listing {
            masters: vec![master("master-server-1")],
            servers: vec![row("chat-server-1"), failed],
            channels: None,
        }
    }

    fn with_purges() -> Listing {
        let row = |id: &str, error: Option<&str>| PurgeRow {
            id: id.into(),
            incarnation: Incarnation(3),
            for_ms: 61_500,
            error: error.map(Into::into),
        };
        let purges = vec![row("connector-1", Some("cannot connect\u{1b}[31m")), row("connector-2", None)];
        Listing { channels: Some(ChannelsRow { purges }), ..sample() }
    }

    #[test]
    fn what_is_left_to_be_purged_stands_below_a_line_each() {
        let text = listing(&with_purges(), Page { width: Some(64), coloured: false });
        let lines: Vec<&str> = text.lines().skip(6).collect();
        let line = |id| {
            format!("global channels: members of {id} up to incarnation 3 are to be purged, for 1m 1s now")
        };
        assert_eq!(lines.len(), 3);
        assert_eq!(lines[0], "");
        assert!(lines[1].starts_with(&(line("connector-1") + ": cannot connect")), "{text}");
        assert_eq!(lines[2], line("connector-2"));
        assert!(!text.contains('\u{1b}'), "{text}");
        let none = Listing { channels: Some(ChannelsRow::default()), ..sample() };
        assert_eq!(listing(&none, Page::default()).lines().count(), 6);
    }

    #[test]
    fn where_there_is_room_all_is_shown() {
        let text = listing(&sample(), Page::default());
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], "MASTER           ADDRESS         PID  ROLE    EPOCH  STATE");
        assert_eq!(lines[1], "master-server-1  127.0.0.1:3005  41   leader  2      leading");
        assert_eq!(
            lines[4],
            "chat-server-1  chat  127.0.0.1:6050  12345  up      0,1  0         5m 7s   11.5 MB  12 users in 3 rooms, 48 messages"
        );
        assert!(lines[5].ends_with("could be said") && !text.contains('\u{1b}'), "{text}");
    }

    #[test]
    fn a_terminal_is_never_overrun() {
        for width in [64, 70, 80, 100, 120, 200] {
            let text = listing(&sample(), Page { width: Some(width), coloured: false });
            assert_eq!(text.lines().count(), 6, "one line each at {width}:\n{text}");
            for line in text.lines() {
                assert!(line.chars().count() <= usize::from(width), "{width}: {line}");
            }
            assert!(text.contains("chat-server-2") && text.contains("failed"), "{text}");
        }
        let narrow = listing(&sample(), Page { width: Some(80), coloured: false });
        assert!(narrow.contains('…') && !narrow.contains("CPU"), "{narrow}");
    }

    #[test]
    fn colours_are_for_terminals() {
        assert!(listing(&sample(), Page { width: Some(100), coloured: true }).contains("\u{1b}["));
        assert!(!listing(&sample(), Page { width: Some(100), coloured: false }).contains("\u{1b}["));
    }

    #[test]
    fn json_is_as_the_manual_says() {
        let read = |listing: &Listing| -> serde_json::Value {
            serde_json::from_str(&crate::cli::admin::json(listing).unwrap()).unwrap()
        };
        let json = read(&sample());
        let keys = |value: &serde_json::Value| {
            let mut keys: Vec<String> = value.as_object().unwrap().keys().cloned().collect();
            keys.sort_unstable();
            keys.join(" ")
        };
        assert_eq!(keys(&json), "masters servers");
        assert_eq!(keys(&json["masters"][0]), "epoch host id pid port role state");
        assert_eq!(
            keys(&json["servers"][0]),
            "clientPort cpu detail host id incarnation pid port restarts rssBytes serverType state uptimeMs"
        );
        let (leader, failed) = (&json["masters"][0], &json["servers"][1]);
        assert_eq!((leader["role"].as_str(), leader["epoch"].as_u64()), (Some("leader"), Some(2)));
        assert_eq!((failed["state"].as_str(), failed["pid"].as_u64()), (Some("failed"), None));
        assert_eq!(failed["incarnation"], 1);
        let json = read(&with_purges());
        assert_eq!(keys(&json), "channels masters servers");
        assert_eq!(keys(&json["channels"]), "purges");
        assert_eq!(keys(&json["channels"]["purges"][0]), "error forMs id incarnation");
        assert_eq!(json["channels"]["purges"][1]["error"], serde_json::Value::Null);
    }

    #[test]
    fn uptime_shows_its_two_largest_units() {
        let shown = |seconds: u64| uptime(seconds * 1000);
        assert_eq!(shown(0), "0s");
        assert_eq!(shown(307), "5m 7s");
        assert_eq!(shown(3 * 3600 + 61), "3h 1m");
        assert_eq!(shown(2 * 86_400 + 3 * 3600), "2d 3h");
    }
}
