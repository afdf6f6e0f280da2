//! A network of our own, where addresses of loopback can be cut without any other program's noticing.

use crate::{processes, run};
use anyhow::{Context as _, Result};
use core::net::IpAddr;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;

/// Tells the second process that it runs in a network of its own, and the directory of the run.
const OWN: &str = "TANGELO_XTASK_OWN_NETWORK";

/// The directory of the run, if this process was started in a network of its own.
pub(super) fn inside() -> Option<PathBuf> {
    std::env::var_os(OWN).map(PathBuf::from)
}

/// What cuts links between a master and its servers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Network {
    /// Ours: addresses can be cut.
    Own,
    /// The machine's: nothing may be cut.
    Shared,
}

impl Network {
    /// Runs this very command again in a network of its own, with `dir`; gives how it ended. None if
    /// the system does not allow it.
    pub(super) fn entered(dir: &Path) -> Result<Option<ExitStatus>> {
        // An ordinary user needs a user namespace for it, which some systems refuse.
        let privileged = rustix::process::geteuid().is_root();
        let unshare: &[&str] = if privileged { &["--net"] } else { &["--map-root-user", "--net"] };
        let mut probe = processes::command("unshare");
        let may = probe.args(unshare).arg("true").output().is_ok_and(|output| output.status.success());
        if !may {
            return Ok(None);
        }
        let mut again = processes::command("unshare");
        again.args(unshare).arg("--").arg(std::env::current_exe().context("this program's file")?);
        again.args(std::env::args_os().skip(1)).env(OWN, dir);
        Ok(Some(again.status().context("cannot run unshare (Debian package util-linux)")?))
    }

    /// The network that this process runs in, made ready.
    pub(super) fn here() -> Result<Self> {
        if inside().is_none() {
            return Ok(Self::Shared);
        }
        ip(&["link", "set", "lo", "up"])?;
        // Rules that cut come before the one for addresses of this machine.
        ip(&["rule", "add", "pref", "100", "table", "local"])?;
        ip(&["rule", "del", "pref", "0"])?;
        Ok(Self::Own)
    }

    /// Whether addresses can be cut.
    pub(super) fn can_cut(self) -> bool {
        self == Self::Own
    }

    /// From now on nothing gets to `address` or from it. Connections stay open and are told nothing;
    /// new ones find no route.
    pub(super) fn cut(self, address: IpAddr) -> Result<()> {
        self.rules("add", address)
    }

    /// The end of [`Self::cut`]. What was sent meanwhile is sent again by TCP.
    pub(super) fn mend(self, address: IpAddr) -> Result<()> {
        self.rules("del", address)
    }

    fn rules(self, what: &str, address: IpAddr) -> Result<()> {
        let address = address.to_string();
        ["to", "from"]
            .iter()
            .try_for_each(|end| ip(&["rule", what, "pref", "10", end, &address, "unreachable"]))
    }
}

fn ip(args: &[&str]) -> Result<()> {
    run::output(processes::command("ip").args(args)).map(drop)
}
