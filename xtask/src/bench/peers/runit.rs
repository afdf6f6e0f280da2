//! runit: one `runsv` for each child.

use super::{Bed, Debian, Peer, Running};
use anyhow::Result;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

/// runit's `runsv`.
pub(crate) struct Runit<'a> {
    pub(crate) debian: &'a Debian,
    /// `run` is a shell script that execs the child, as runit's documentation has it; otherwise
    /// `run` is the child itself.
    pub(crate) script: bool,
}

impl Peer for Runit<'_> {
    fn name(&self) -> String {
        if self.script { "runit" } else { "runit, run without a shell" }.to_owned()
    }

    fn version(&self) -> String {
        self.debian.version("runit")
    }

    fn start(&self, bed: &Bed<'_>) -> Result<Running> {
        let dirs =
            bed.service_dirs(&|run| if self.script { script(run, bed.child) } else { link(run, bed.child) })?;
        let start = |dir| {
            let mut command = bed.command(self.debian.program("runsv")?);
            command.arg(dir);
            bed.spawn(command)
        };
        Ok(Running::of(dirs.into_iter().map(start).collect::<Result<_>>()?))
    }
}

/// `run` as a shell script.
pub(super) fn script(run: &Path, child: &Path) -> Result<()> {
    std::fs::write(run, format!("#!/bin/sh\nexec {}\n", child.display()))?;
    std::fs::set_permissions(run, std::fs::Permissions::from_mode(0o755))?;
    Ok(())
}

fn link(run: &Path, child: &Path) -> Result<()> {
    Ok(std::os::unix::fs::symlink(child, run)?)
}
