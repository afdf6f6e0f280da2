//! s6: one `s6-supervise` for each child.

use super::{Bed, Debian, Peer, Running, runit};
use anyhow::Result;

/// s6's `s6-supervise`.
pub(crate) struct S6<'a> {
    pub(crate) debian: &'a Debian,
}

impl Peer for S6<'_> {
    fn name(&self) -> String {
        "s6".to_owned()
    }

    fn version(&self) -> String {
        self.debian.version("s6")
    }

    fn is_slow(&self) -> bool {
        true
    }

    fn start(&self, bed: &Bed<'_>) -> Result<Running> {
        let dirs = bed.service_dirs(&|run| runit::script(run, bed.child))?;
        let start = |dir| {
            let mut command = bed.command(self.debian.program("s6-supervise")?);
            command.arg(dir).envs(self.debian.libraries());
            bed.spawn(command)
        };
        Ok(Running::of(dirs.into_iter().map(start).collect::<Result<_>>()?))
    }
}
