//! The bare loop: one process that writes the same frame to each of its clients.

use super::candidate::{Candidate, Servers};
use crate::bench::peers::Running;
use crate::{processes, run};
use anyhow::{Context as _, Result};
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::Stdio;
use tangelo_services::redis::Redis;

pub(crate) struct Limit<'a> {
    pub(crate) program: &'a Path,
}

impl Candidate for Limit<'_> {
    fn name(&self) -> String {
        "a bare loop".to_owned()
    }

    fn start(&self, _dir: &Path, _redis: &Redis) -> Result<Servers> {
        let mut command = processes::command(self.program);
        command.arg("limit").stdout(Stdio::piped());
        let mut child = command.spawn().with_context(|| format!("cannot run `{}`", run::shown(&command)))?;
        let mut port = String::new();
        BufReader::new(child.stdout.take().context("no output")?).read_line(&mut port)?;
        let port = port.trim().parse().with_context(|| format!("it printed {port:?}"))?;
        let pid = child.id();
        let running = Running::of(vec![child]);
        Ok(Servers::new(vec![port], vec![pid], move || running.stop()))
    }
}
