//! pm2: one daemon for all children.

use super::{Bed, Peer, Running};
use crate::install::{self, Need, Probe, Source};
use crate::{processes, repo, run};
use anyhow::{Context as _, Result};
use core::time::Duration;
use serde_json::json;
use std::path::PathBuf;

const VERSION: &str = "7.0.4";
const NODE: &[Need] = &[
    Need { what: "Node.js", probe: Probe::Program("node"), source: Source::Debian(&["nodejs"]) },
    Need { what: "npm", probe: Probe::Program("npm"), source: Source::Debian(&["npm"]) },
];

/// pm2 by npm, below the target directory.
pub(crate) struct Pm2 {
    program: PathBuf,
    node: String,
}

impl Pm2 {
    /// Installs it if it is not there.
    pub(crate) fn installed() -> Result<Self> {
        install::ensure(NODE)?;
        let dir = repo::target().join(format!("bench-peers/pm2-{VERSION}"));
        let program = dir.join("node_modules/.bin/pm2");
        if !program.exists() {
            std::fs::create_dir_all(&dir)?;
            let mut npm = processes::command("npm");
            npm.args(["install", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix"]).arg(&dir);
            npm.arg(format!("pm2@{VERSION}"));
            run::must(&mut npm, &repo::target().join("bench-peers/npm.log"), Duration::from_secs(300))
                .context("cannot install pm2")?;
        }
        let node = run::output(processes::command("node").arg("--version"))?.trim().to_owned();
        Ok(Self { program, node })
    }
}

impl Peer for Pm2 {
    fn name(&self) -> String {
        "pm2".to_owned()
    }

    fn version(&self) -> String {
        format!("{VERSION}, node {}", self.node)
    }

    fn start(&self, bed: &Bed<'_>) -> Result<Running> {
        let app = |n| {
            json!({ "name": format!("c{n}"), "script": bed.child, "args": format!("c{n}"),
                "interpreter": "none", "exec_mode": "fork", "autorestart": true })
        };
        let apps: Vec<_> = (0..bed.children).map(app).collect();
        let file = bed.dir.join("apps.json");
        std::fs::write(&file, json!({ "apps": apps }).to_string())?;
        let home = bed.dir.join("pm2");
        let mut start = bed.command(&self.program);
        start.arg("start").arg(&file).env("PM2_HOME", &home).env("PM2_DISABLE_VERSION_CHECK", "true");
        run::must(&mut start, &bed.dir.join("log"), Duration::from_secs(60))?;
        let daemon = std::fs::read_to_string(home.join("pm2.pid")).context("pm2 wrote no pid")?;
        Ok(Running { supervisors: Vec::new(), daemons: vec![daemon.trim().parse()?] })
    }
}
