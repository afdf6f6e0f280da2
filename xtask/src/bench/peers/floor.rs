//! The floor: one `bench_floor` for each child.

use super::{Bed, Peer, Running};
use anyhow::Result;
use std::path::PathBuf;

/// waitpid and posix_spawn.
pub(crate) struct Floor {
    pub(crate) program: PathBuf,
}

impl Peer for Floor {
    fn name(&self) -> String {
        "floor: waitpid + posix_spawn".to_owned()
    }

    fn version(&self) -> String {
        "xtask/src/bin/bench_floor.rs".to_owned()
    }

    fn start(&self, bed: &Bed<'_>) -> Result<Running> {
        let start = |_| {
            let mut command = bed.command(&self.program);
            command.arg(bed.child);
            bed.spawn(command)
        };
        Ok(Running::of((0..bed.children).map(start).collect::<Result<_>>()?))
    }
}
