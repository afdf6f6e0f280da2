//! Servers: killed and frozen.

use super::super::fault::Span;
use super::super::place::{GRACE, SILENCE};
use super::{Striker, Struck, kill, signal};
use anyhow::{Context as _, Result};
use core::time::Duration;
use rustix::process::Signal;

impl Striker<'_> {
    pub(super) fn server(&mut self) -> Result<String> {
        let fit = self.before.servers.keys().filter(|id| !self.spared.contains(id));
        self.random.choice(fit.cloned().collect::<Vec<_>>()).context("every server was hit lately")
    }

    pub(super) fn kill_server(&mut self, struck: &mut Struck) -> Result<String> {
        let id = self.server()?;
        kill(self.before.servers[&id].pid)?;
        struck.server = Some(id.clone());
        Ok(id)
    }

    /// Kills a server at a random time within `spread`.
    pub(super) fn kill_server_after(&mut self, spread: Duration, struck: &mut Struck) -> Result<String> {
        let time = self.wait(0.0, spread)?;
        Ok(format!("{} killed after {time:.2?}", self.kill_server(struck)?))
    }

    pub(super) fn freeze_server(&mut self, span: Span, struck: &mut Struck) -> Result<String> {
        let id = self.server()?;
        let pid = self.before.servers[&id].pid;
        signal(pid, Signal::STOP)?;
        let time = self.wait_span(span, SILENCE + GRACE);
        // It may have been replaced.
        let _ = signal(pid, Signal::CONT);
        if span != Span::Short {
            struck.server = Some(id.clone());
        }
        Ok(format!("{id} for {:.2?}", time?))
    }
}
