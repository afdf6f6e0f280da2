//! Packages by npm, below the target directory.

use crate::clients::{NODE, NPM};
use crate::install;
use crate::{processes, repo, run};
use anyhow::{Context as _, Result};
use core::time::Duration;
use std::path::PathBuf;

/// A directory with `package` of `version` in its `node_modules`, fetched if it is not there.
pub(crate) fn installed(package: &str, version: &str) -> Result<PathBuf> {
    installed_together(&format!("{package}-{version}"), &[(package, version)])
}

/// A directory of this name with all `packages`, of these versions, in its `node_modules`, fetched if they are not there.
pub(crate) fn installed_together(name: &str, packages: &[(&str, &str)]) -> Result<PathBuf> {
    install::ensure(&[NODE, NPM])?;
    let dir = repo::target().join("bench-peers").join(name);
    let is_there = |package: &str| dir.join("node_modules").join(package).join("package.json").exists();
    if !packages.iter().all(|(package, _)| is_there(package)) {
        std::fs::create_dir_all(&dir)?;
        let mut npm = processes::command("npm");
        npm.args(["install", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix"]).arg(&dir);
        npm.args(packages.iter().map(|(package, version)| format!("{package}@{version}")));
        run::must(&mut npm, &repo::target().join("bench-peers/npm.log"), Duration::from_secs(300))
            .with_context(|| format!("cannot install {name}"))?;
    }
    Ok(dir)
}

/// What Node.js says its version is.
pub(crate) fn node_version() -> Result<String> {
    Ok(run::output(processes::command("node").arg("--version"))?.trim().to_owned())
}
