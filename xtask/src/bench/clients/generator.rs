//! The clients: a process that does what it is told, the same for all that is compared.

use super::candidate::Servers;
use crate::{processes, run};
use anyhow::{Context as _, Result, bail};
use serde::Deserialize;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Stdio};

/// The process.
pub(crate) struct Generator {
    child: Child,
    orders: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

/// What pushes have given.
#[derive(Debug, Clone, Copy, Deserialize)]
pub(crate) struct Pushed {
    receipts: f64,
    seconds: f64,
    /// Of the clients' process, in seconds.
    pub(crate) cpu: f64,
    pub(crate) overtaken: u64,
    /// From push to receipt, in ms.
    pub(crate) p50: f64,
    pub(crate) p99: f64,
}

/// What requests have given.
#[derive(Debug, Clone, Copy, Deserialize)]
pub(crate) struct Echoed {
    requests: f64,
    seconds: f64,
}

/// What connecting has given.
#[derive(Debug, Clone, Copy, Deserialize)]
pub(crate) struct Connected {
    clients: f64,
    seconds: f64,
}

impl Pushed {
    /// Received by clients each second.
    pub(crate) fn rate(&self) -> f64 {
        self.receipts / self.seconds
    }

    /// A span for each receipt, in µs.
    pub(crate) fn each(&self, seconds: f64) -> f64 {
        seconds * 1e6 / self.receipts
    }
}

impl Echoed {
    /// Answered each second.
    pub(crate) fn rate(&self) -> f64 {
        self.requests / self.seconds
    }
}

impl Connected {
    /// Connected each second.
    pub(crate) fn rate(&self) -> f64 {
        self.clients / self.seconds
    }

    pub(crate) const fn clients(&self) -> f64 {
        self.clients
    }
}

/// So many connect, or enter, at once.
const ABREAST: usize = 64;
/// The channel.
const CHANNEL: &str = "room";

impl Generator {
    /// No client yet.
    pub(crate) fn start(program: &Path, protocol: &str, servers: &Servers) -> Result<Self> {
        let ports: Vec<_> = servers.ports.iter().map(u16::to_string).collect();
        let mut command = processes::command(program);
        command.args(["load", "--protocol", protocol, "--ports", &ports.join(",")]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().with_context(|| format!("cannot run `{}`", run::shown(&command)))?;
        let orders = child.stdin.take();
        let answers = BufReader::new(child.stdout.take().context("no output")?);
        Ok(Self { child, orders, answers })
    }

    /// So many more, one to each port in turn.
    pub(crate) fn connect(&mut self, count: usize) -> Result<Connected> {
        self.order(&format!("connect {count} {ABREAST}"))
    }

    /// All enter the channel.
    pub(crate) fn enter(&mut self) -> Result<()> {
        self.order::<Connected>(&format!("enter {CHANNEL} {ABREAST}")).map(drop)
    }

    /// So many pushes, `window` of them at most on their way; `batch` asked for by one request.
    pub(crate) fn push(&mut self, count: usize, window: usize, batch: usize) -> Result<Pushed> {
        self.order(&format!("push {CHANNEL} {count} {window} {batch}"))
    }

    /// So many clients keep so many requests on their way.
    pub(crate) fn echo(&mut self, clients: usize, outstanding: usize, milliseconds: usize) -> Result<Echoed> {
        self.order(&format!("echo {clients} {outstanding} {milliseconds}"))
    }

    /// They do nothing but live.
    pub(crate) fn idle(&mut self, milliseconds: usize) -> Result<()> {
        self.order::<serde_json::Value>(&format!("idle {milliseconds}")).map(drop)
    }

    /// All of them go.
    pub(crate) fn stop(mut self) -> Result<()> {
        drop(self.orders.take());
        let status = self.child.wait()?;
        if status.success() { Ok(()) } else { bail!("the clients' process: {status}") }
    }

    /// It says itself if nothing comes for long, so this needs no limit of its own.
    fn order<T: for<'de> Deserialize<'de>>(&mut self, line: &str) -> Result<T> {
        let orders = self.orders.as_mut().context("no orders any more")?;
        let mut answer = String::new();
        let asked = writeln!(orders, "{line}").and_then(|()| self.answers.read_line(&mut answer));
        processes::halt_if_interrupted();
        match asked {
            Ok(1..) => serde_json::from_str(&answer).with_context(|| format!("`{line}` gave {answer}")),
            Ok(0) | Err(_) => bail!("`{line}`: the clients' process has ended, and has said why above"),
        }
    }
}

impl Drop for Generator {
    fn drop(&mut self) {
        // One that was stopped is not there any more.
        let _ = self.child.kill().and_then(|()| self.child.wait());
    }
}
