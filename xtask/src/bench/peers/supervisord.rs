//! supervisord: one for all children.

use super::{Bed, Debian, Peer, Running};
use anyhow::Result;
use core::fmt::Write as _;

/// Supervisor's daemon.
pub(crate) struct Supervisord<'a> {
    pub(crate) debian: &'a Debian,
}

impl Peer for Supervisord<'_> {
    fn name(&self) -> String {
        "supervisord".to_owned()
    }

    fn version(&self) -> String {
        self.debian.version("supervisor")
    }

    fn is_slow(&self) -> bool {
        true
    }

    fn start(&self, bed: &Bed<'_>) -> Result<Running> {
        let (dir, child) = (bed.dir.display(), bed.child.display());
        let mut text = format!("[supervisord]\nnodaemon=true\nlogfile={dir}/s.log\npidfile={dir}/s.pid\n");
        for n in 0..bed.children {
            writeln!(text, "[program:c{n}]\ncommand={child} c{n}\nautorestart=true\nstartsecs=1")?;
        }
        let file = bed.dir.join("s.conf");
        std::fs::write(&file, text)?;
        let mut command = bed.command(self.debian.program("supervisord")?);
        command.arg("-c").arg(file).envs(self.debian.python());
        Ok(Running::of(vec![bed.spawn(command)?]))
    }
}
