//! pm2: one daemon for all children.

use super::{Bed, Peer, Running, npm};
use crate::run;
use anyhow::{Context as _, Result};
use core::time::Duration;
use serde_json::json;
use std::path::PathBuf;

const VERSION: &str = "7.0.4";

/// pm2 by npm.
pub(crate) struct Pm2 {
    program: PathBuf,
    node: String,
}

impl Pm2 {
    /// Installs it if it is not there.
    pub(crate) fn installed() -> Result<Self> {
        let program = npm::installed("pm2", VERSION)?.join("node_modules/.bin/pm2");
        Ok(Self { program, node: npm::node_version()? })
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
