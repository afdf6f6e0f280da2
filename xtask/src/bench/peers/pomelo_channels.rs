//! The channel manager of Pomelo's plugin.

use super::npm;
use crate::processes;
use anyhow::{Context as _, Result};
use std::path::PathBuf;
use std::process::Command;

const PACKAGE: &str = "pomelo-globalchannel-plugin";
const VERSION: &str = "0.0.7";
const PROGRAM: &str = include_str!("pomelo_channels.js");

/// pomelo-globalchannel-plugin by npm.
pub(crate) struct PomeloChannels {
    program: PathBuf,
    node: String,
}

impl PomeloChannels {
    /// Installs it if it is not there.
    pub(crate) fn installed() -> Result<Self> {
        let dir = npm::installed(PACKAGE, VERSION)?;
        // Beside its modules it finds them.
        let program = dir.join("channels.js");
        std::fs::write(&program, PROGRAM).with_context(|| format!("cannot write {}", program.display()))?;
        Ok(Self { program, node: npm::node_version()? })
    }

    pub(crate) fn version(&self) -> String {
        format!("{VERSION}, node {}", self.node)
    }

    /// Members enter the channels one by one, so many at once, and leave.
    pub(crate) fn command(&self, port: u16, members: usize, channels: usize, outstanding: usize) -> Command {
        let mut command = processes::command("node");
        command.arg(&self.program).arg(port.to_string());
        command.args([members, channels, outstanding].map(|number| number.to_string()));
        command
    }
}
