//! Programs that load a store, each on the client's core.

use crate::bench::cores::Cores;
use crate::runtime::Runtime;
use crate::{processes, run};
use alloc::collections::BTreeMap;
use anyhow::{Context as _, Result};
use serde::Deserialize;
use std::path::Path;
use std::process::Command;

/// Something that was done.
#[derive(Debug, Clone, Copy, Deserialize)]
pub(crate) struct Done {
    pub(crate) members: f64,
    pub(crate) seconds: f64,
}

impl Done {
    /// In members per second.
    pub(crate) fn rate(self) -> f64 {
        self.members / self.seconds
    }
}

/// What `tangelo-load` is told to do.
pub(crate) struct Work<'a> {
    pub(crate) program: &'a Path,
    /// The store's URL.
    pub(crate) store: String,
    pub(crate) runtime: Runtime,
    pub(crate) members: usize,
    pub(crate) channels: usize,
}

impl Work<'_> {
    /// Does one of its kinds of work.
    pub(crate) fn run(&self, cores: Cores, kind: &str) -> Result<BTreeMap<String, Done>> {
        let mut command = processes::command(self.program);
        // It may have a password, which is no argument.
        command.env("TANGELO_LOAD_STORE", &self.store).args(["--runtime", self.runtime.name()]);
        command.args(["--members", &self.members.to_string(), "--channels", &self.channels.to_string()]);
        run(cores, command.arg(kind))
    }
}

/// Runs a program that prints what it has done as JSON.
pub(crate) fn run(cores: Cores, command: &Command) -> Result<BTreeMap<String, Done>> {
    let printed = run::output(&mut cores.pinned_client(command))?;
    serde_json::from_str(&printed).with_context(|| format!("`{}` printed {printed}", run::shown(command)))
}

/// What was done of a name.
pub(crate) fn done(all: &BTreeMap<String, Done>, name: &str) -> Result<Done> {
    all.get(name).copied().with_context(|| format!("nothing is said of {name}"))
}
