//! Directories that a measurement works in.

use crate::{clock, repo};
use anyhow::{Context as _, Result};
use std::path::{Path, PathBuf};

/// A directory below the target directory; it stays if the measurement fails.
pub(crate) struct Dir(PathBuf);

impl Dir {
    pub(crate) fn new(name: &str) -> Result<Self> {
        let unique = format!("{name}-{}-{}", std::process::id(), clock::now().as_nanos());
        let path = repo::target().join("bench-run").join(unique);
        std::fs::create_dir_all(&path).with_context(|| format!("cannot create {}", path.display()))?;
        Ok(Self(path))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    pub(crate) fn remove(self) {
        // What stays is below the target directory, and does no harm.
        let _ = std::fs::remove_dir_all(self.0);
    }
}
