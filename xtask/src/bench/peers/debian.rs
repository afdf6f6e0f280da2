//! Debian's packages of peers, unpacked below the target directory: nothing of the system is
//! touched, no service is started, and root is not needed.

use crate::install::{self, Need, Probe, Source};
use crate::{processes, repo, run};
use alloc::collections::BTreeMap;
use anyhow::{Context as _, Result, bail};
use core::time::Duration;
use std::path::{Path, PathBuf};
use std::process::Command;

const PACKAGES: &[&str] = &["runit", "s6", "supervisor"];
const PROGRAMS: &[&str] = &["runsv", "s6-supervise", "supervisord"];
const TOOLS: &[Need] = &[
    Need { what: "apt-get", probe: Probe::Program("apt-get"), source: Source::Command("a Debian or Ubuntu") },
    Need { what: "dpkg-deb", probe: Probe::Program("dpkg-deb"), source: Source::Debian(&["dpkg"]) },
    Need {
        what: "Python 3 (for supervisor)",
        probe: Probe::Program("python3"),
        source: Source::Debian(&["python3"]),
    },
];

/// The unpacked packages; programs that the system has come from there.
pub(crate) struct Debian {
    root: PathBuf,
    versions: BTreeMap<&'static str, String>,
}

impl Debian {
    /// Fetches and unpacks what is not there.
    pub(crate) fn unpacked() -> Result<Self> {
        install::ensure(TOOLS)?;
        let mut debian = Self { root: repo::target().join("bench-peers/debian"), versions: BTreeMap::new() };
        if PROGRAMS.iter().any(|program| debian.program(program).is_err()) {
            debian.fetch().with_context(|| format!("cannot fetch {}", PACKAGES.join(", ")))?;
        }
        for package in PACKAGES {
            if let Some(version) = version(&debian.debs(), package) {
                debian.versions.insert(package, version);
            }
        }
        Ok(debian)
    }

    /// Where `program` is.
    pub(crate) fn program(&self, program: &str) -> Result<PathBuf> {
        let unpacked = ["usr/bin", "usr/sbin", "bin", "sbin"].map(|dir| self.root.join(dir).join(program));
        let found = unpacked.into_iter().find(|file| file.is_file()).or_else(|| install::on_path(program));
        found.with_context(|| format!("{program} is not there"))
    }

    /// The version of a package.
    pub(crate) fn version(&self, package: &str) -> String {
        format!("Debian {}", self.versions.get(package).map_or("unknown version", String::as_str))
    }

    /// What lets its programs find their libraries.
    pub(crate) fn libraries(&self) -> Vec<(&'static str, PathBuf)> {
        let multiarch = format!("usr/lib/{}-linux-gnu", std::env::consts::ARCH);
        vec![("LD_LIBRARY_PATH", self.root.join(multiarch))]
    }

    /// What lets its Python programs find their modules.
    pub(crate) fn python(&self) -> Vec<(&'static str, PathBuf)> {
        vec![("PYTHONPATH", self.root.join("usr/lib/python3/dist-packages"))]
    }

    fn debs(&self) -> PathBuf {
        self.root.with_file_name("debs")
    }

    fn fetch(&self) -> Result<()> {
        let packages = match missing_packages() {
            Ok(packages) => packages,
            Err(_) => {
                install::refresh_package_lists()?;
                missing_packages()?
            }
        };
        let debs = self.debs();
        std::fs::create_dir_all(&debs)?;
        let log = self.root.with_file_name("apt.log");
        let limit = Duration::from_secs(300);
        let mut download = processes::command("apt-get");
        download.arg("download").args(&packages).current_dir(&debs);
        if run::must(&mut download, &log, limit).is_err() {
            // Lists that are too old name files that are gone.
            install::refresh_package_lists()?;
            run::must(&mut download, &log, limit)?;
        }
        for entry in std::fs::read_dir(&debs)? {
            run::must(&mut unpack(&entry?.path(), &self.root), &log, limit)?;
        }
        Ok(())
    }
}

/// The packages that an installation would bring, dependencies included.
fn missing_packages() -> Result<Vec<String>> {
    let mut plan = processes::command("apt-get");
    plan.args(["install", "--print-uris", "-qq", "-y", "--reinstall", "--no-install-recommends"])
        .args(PACKAGES);
    let plan = run::output(&mut plan)?;
    // 'http://…/runit_2.1.2-54_amd64.deb' runit_2.1.2-54_amd64.deb 149796 MD5Sum:…
    let names = plan.lines().filter_map(|line| line.split(' ').nth(1)?.split_once('_'));
    let names: Vec<_> = names.map(|(name, _)| name.to_owned()).collect();
    if names.is_empty() {
        bail!("apt-get names no files for {}", PACKAGES.join(", "));
    }
    Ok(names)
}

fn unpack(deb: &Path, root: &Path) -> Command {
    let mut command = processes::command("dpkg-deb");
    command.arg("-x").arg(deb).arg(root);
    command
}

/// The version of the file that was unpacked, or of the system's own.
fn version(debs: &Path, package: &str) -> Option<String> {
    let names = std::fs::read_dir(debs).into_iter().flatten().flatten();
    let unpacked = names
        .filter_map(|entry| entry.file_name().into_string().ok())
        .find_map(|name| Some(name.strip_prefix(package)?.strip_prefix('_')?.split_once('_')?.0.to_owned()));
    unpacked.or_else(|| {
        run::output(processes::command("dpkg-query").args(["-W", "-f", "${Version}", package])).ok()
    })
}
