//! What the machine allows at most: servers that do nothing but write.

use super::candidate::{Candidate, Servers};
use super::tangelo::CONNECTORS;
use crate::bench::peers::Running;
use crate::{processes, run};
use anyhow::{Context as _, Result};
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Stdio};
use tangelo_services::redis::Redis;

/// One process that writes the same frame to each of its clients.
pub(crate) struct Limit<'a> {
    pub(crate) program: &'a Path,
}

impl Candidate for Limit<'_> {
    fn name(&self) -> String {
        "a bare loop".to_owned()
    }

    fn start(&self, _dir: &Path, _redis: &Redis) -> Result<Servers> {
        let (child, port) = spawn(self.program, &["limit"])?;
        Ok(servers(vec![child], vec![port]))
    }
}

/// Frontends that pass requests on to a backend, which gives them back.
pub(crate) struct Relay<'a> {
    pub(crate) program: &'a Path,
}

impl Candidate for Relay<'_> {
    fn name(&self) -> String {
        "a bare relay".to_owned()
    }

    fn start(&self, _dir: &Path, _redis: &Redis) -> Result<Servers> {
        let (backend, port) = spawn(self.program, &["backend"])?;
        let (mut children, mut ports) = (Vec::new(), Vec::new());
        for _ in 0..CONNECTORS {
            let (child, port) = spawn(self.program, &["relay", &port.to_string()])?;
            children.push(child);
            ports.push(port);
        }
        children.push(backend);
        Ok(servers(children, ports))
    }
}

fn servers(children: Vec<Child>, ports: Vec<u16>) -> Servers {
    let frontends = children.iter().take(ports.len()).map(Child::id).collect();
    let running = Running::of(children);
    Servers::new(ports, frontends, move || running.stop())
}

/// A process, and the port that it prints.
fn spawn(program: &Path, args: &[&str]) -> Result<(Child, u16)> {
    let mut command = processes::command(program);
    command.args(args).stdout(Stdio::piped());
    let mut child = command.spawn().with_context(|| format!("cannot run `{}`", run::shown(&command)))?;
    let mut port = String::new();
    BufReader::new(child.stdout.take().context("no output")?).read_line(&mut port)?;
    Ok((child, port.trim().parse().with_context(|| format!("it printed {port:?}"))?))
}
