//! How the nodes of an ensemble are set up.

use core::fmt::Write as _;
use core::time::Duration;
use std::path::{Path, PathBuf};

/// How the nodes of an ensemble are set up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// ZooKeeper's unit of time: sessions last 2 to 20 ticks and expire at the end of a tick.
    /// Default: 100 ms, for fast tests. ZooKeeper's own default is 2 s.
    pub tick: Duration,
    /// The shortest session that is granted. Default: 2 ticks.
    pub min_session: Option<Duration>,
    /// The longest session that is granted. Default: 20 ticks, but not less than 40 s.
    pub max_session: Option<Duration>,
    /// Whether a write is on the disk before it is acknowledged. Default: yes, as in production. Without
    /// it nothing is lost when a process is killed, only when the machine fails.
    pub sync: bool,
    /// Where data and logs go, and stay when the ensemble ends. Default: a temporary directory, which is removed.
    pub dir: Option<PathBuf>,
    /// Further properties of the Java machine, such as `("zookeeper.skipACL", "yes")`.
    pub properties: Vec<(String, String)>,
    /// Further lines of the configuration file.
    pub lines: Vec<String>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            tick: Duration::from_millis(100),
            min_session: None,
            max_session: None,
            sync: true,
            dir: None,
            properties: Vec::new(),
            lines: Vec::new(),
        }
    }
}

impl Options {
    /// ZooKeeper's own default of 2 s for a tick, and its own limits of sessions.
    #[must_use]
    pub fn stock() -> Self {
        let tick = Duration::from_secs(2);
        Self { tick, max_session: Some(tick * 20), ..Self::default() }
    }

    /// The properties of the Java machine, as arguments.
    pub(super) fn arguments(&self) -> Vec<String> {
        let quick = ["-Xmx128m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-XX:-UsePerfData"];
        let mut arguments: Vec<_> = quick.map(str::to_owned).into();
        let mut set = |key: &str, value: &str| arguments.push(format!("-D{key}={value}"));
        set("java.net.preferIPv4Stack", "true");
        set("java.awt.headless", "true");
        set("org.slf4j.simpleLogger.showDateTime", "true");
        set("org.slf4j.simpleLogger.dateTimeFormat", "HH:mm:ss.SSS");
        if !self.sync {
            set("zookeeper.forceSync", "no");
        }
        for (key, value) in &self.properties {
            set(key, value);
        }
        arguments
    }

    /// The configuration file of a node; `members` has the `server.N` lines of an ensemble.
    pub(super) fn file(&self, data: &Path, port: u16, members: &[String]) -> String {
        let longest = self.max_session.unwrap_or_else(|| (self.tick * 20).max(Duration::from_secs(40)));
        let mut text = String::new();
        let mut line = |key: &str, value: &dyn core::fmt::Display| {
            let _ = writeln!(text, "{key}={value}");
        };
        line("tickTime", &self.tick.as_millis());
        line("dataDir", &data.display());
        line("maxSessionTimeout", &longest.as_millis());
        if let Some(shortest) = self.min_session {
            line("minSessionTimeout", &shortest.as_millis());
        }
        line("clientPort", &port);
        line("clientPortAddress", &"127.0.0.1");
        // Its port would be 8080, and nobody asks it.
        line("admin.enableServer", &false);
        line("4lw.commands.whitelist", &"*");
        line("maxClientCnxns", &0);
        if !members.is_empty() {
            // In ticks: 5 s and 2 s with short ticks, ZooKeeper's recommendation with its own.
            let ticks =
                |time: Duration, least: u128| (time.as_millis() / self.tick.as_millis().max(1)).max(least);
            line("initLimit", &ticks(Duration::from_secs(5), 10));
            line("syncLimit", &ticks(Duration::from_secs(2), 5));
            line("reconfigEnabled", &true);
            line("standaloneEnabled", &false);
        }
        for extra in members.iter().chain(&self.lines) {
            text.push_str(extra);
            text.push('\n');
        }
        text
    }
}
