//! Other machines, as far as the network is concerned: namespaces (ip-netns(8)) on a bridge of their own.
//!
//! Processes in them share this machine's files, pids and clock, but no address of theirs is one of
//! this machine's. It takes root, or `CAP_NET_ADMIN` and `CAP_SYS_ADMIN`, and Debian's iproute2.
//!
//! Names and addresses belong to a number that is claimed by a file lock, so what a killed run has left
//! behind is found, and removed, by the next one that claims its number.

use crate::clock;
use crate::process::Process;
use crate::spawner;
use anyhow::{Context as _, Result, bail};
use core::net::Ipv4Addr;
use core::time::Duration;
use rustix::process::{Pid, Signal, kill_process};
use std::fs::{File, TryLockError};
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;

/// 198.18.0.0/15 is set aside for tests of networks (RFC 2544): so many networks of 256 addresses.
const NETWORKS: u16 = 512;

/// What is killed is gone by then.
const END_LIMIT: Duration = Duration::from_secs(20);
const PAUSE: Duration = Duration::from_millis(5);

/// A port that nobody listens on: discard(9) is not started by anybody any more.
const NOBODY: u16 = 9;

/// This machine and some others, linked by a bridge.
#[derive(Debug)]
pub struct Network {
    hosts: Vec<Host>,
    names: Names,
    _claim: File,
}

/// Another machine.
#[derive(Debug)]
pub struct Host {
    namespace: String,
    /// This machine's end of its cable.
    cable: String,
    address: Ipv4Addr,
}

impl Network {
    /// A network with so many other machines, at most 200.
    ///
    /// # Errors
    /// If this process may not make network namespaces: as an ordinary user, or in most containers.
    pub fn with_hosts(hosts: u8) -> Result<Self> {
        let (names, claim) = claim()?;
        names.remove();
        let mut network = Self { hosts: Vec::new(), names, _claim: claim };
        network.build(hosts).context(
            "cannot make network namespaces, which stand for other machines: this test needs root \
             (or CAP_NET_ADMIN and CAP_SYS_ADMIN) and iproute2",
        )?;
        Ok(network)
    }

    fn build(&mut self, hosts: u8) -> Result<()> {
        let bridge = self.names.bridge();
        ip(&["link", "add", &bridge, "type", "bridge"])?;
        ip(&["address", "add", &format!("{}/24", self.here()), "dev", &bridge])?;
        ip(&["link", "set", &bridge, "up"])?;
        for number in 0..hosts {
            let (namespace, cable) = (self.names.namespace(number), self.names.cable(number));
            let address = self.names.address(number + 2);
            ip(&["netns", "add", &namespace])?;
            self.hosts.push(Host { namespace, cable, address });
            let Host { namespace, cable, .. } = &self.hosts[usize::from(number)];
            ip(&["link", "add", cable, "type", "veth", "peer", "name", "eth0", "netns", namespace])?;
            ip(&["link", "set", cable, "master", &bridge, "up"])?;
            ip(&["-n", namespace, "address", "add", &format!("{address}/24"), "dev", "eth0"])?;
            ip(&["-n", namespace, "link", "set", "lo", "up"])?;
            ip(&["-n", namespace, "link", "set", "eth0", "up"])?;
        }
        Ok(())
    }

    /// This machine's address in it.
    #[must_use]
    pub const fn here(&self) -> Ipv4Addr {
        self.names.address(1)
    }

    /// The other machines.
    #[must_use]
    pub fn hosts(&self) -> &[Host] {
        &self.hosts
    }
}

impl Host {
    /// Its address.
    #[must_use]
    pub const fn address(&self) -> Ipv4Addr {
        self.address
    }

    /// Pulls its cable: nothing passes, and nobody is told.
    ///
    /// # Errors
    /// If the kernel refuses.
    pub fn cut(&self) -> Result<()> {
        ip(&["link", "set", &self.cable, "down"])
    }

    /// Puts the cable back, and returns when its kernel answers. What was sent meanwhile is sent again by TCP.
    ///
    /// # Errors
    /// If the kernel refuses, or does not answer.
    pub fn mend(&self) -> Result<()> {
        ip(&["link", "set", &self.cable, "up"])?;
        // A bridge takes a moment to notice a cable, and so does what has been told that nobody is there.
        clock::poll_until(clock::now() + END_LIMIT, PAUSE, || {
            match TcpStream::connect_timeout(&(self.address, NOBODY).into(), Duration::from_millis(300)) {
                Err(e) if e.kind() != std::io::ErrorKind::ConnectionRefused => {
                    Err(e).with_context(|| format!("{} does not answer", self.address))
                }
                _ => Ok(()),
            }
        })
    }

    /// What runs a program on it: the program takes this process's place.
    #[must_use]
    pub fn command(&self, program: &Path) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.namespace]).arg(program);
        command
    }

    /// The processes that run on it.
    ///
    /// # Errors
    /// If it is gone.
    pub fn processes(&self) -> Result<Vec<u32>> {
        pids(&self.namespace)
    }

    /// Starts a program on it, killed when this process ends.
    pub(crate) fn start(&self, program: &str, args: &[&str], log: &Path) -> Result<Process> {
        let exec = ["netns", "exec", &self.namespace, program];
        let args: Vec<String> = exec.iter().chain(args).map(|&arg| arg.to_owned()).collect();
        Process::start(spawner::command("ip", &args), log)
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        self.names.remove();
    }
}

/// The names and addresses of one network.
#[derive(Debug, Clone, Copy)]
struct Names(u16);

impl Names {
    fn bridge(self) -> String {
        format!("tgl{}", self.0)
    }

    fn namespace(self, host: u8) -> String {
        format!("tangelo-{}-{host}", self.0)
    }

    fn cable(self, host: u8) -> String {
        format!("tgl{}v{host}", self.0)
    }

    const fn address(self, last: u8) -> Ipv4Addr {
        let [high, low] = self.0.to_be_bytes();
        Ipv4Addr::new(198, 18 + high, low, last)
    }

    /// Removes all that bears these names, with the processes that run there.
    fn remove(self) {
        let (ours, cables) = (format!("tangelo-{}-", self.0), format!("tgl{}v", self.0));
        let namespaces = named(Path::new("/run/netns"), &ours);
        for namespace in &namespaces {
            if let Err(e) = empty(namespace) {
                eprintln!("warning: network namespace {namespace}: {e:#}");
            }
        }
        // The kernel would remove them with the namespaces, but in its own time: the names would be taken.
        for link in named(Path::new("/sys/class/net"), &cables).into_iter().chain([self.bridge()]) {
            let deleted = ip(&["link", "delete", &link]);
            if let Err(e) = deleted
                && Path::new("/sys/class/net").join(&link).exists()
            {
                eprintln!("warning: {e:#}");
            }
        }
        for namespace in &namespaces {
            if let Err(e) = ip(&["netns", "delete", namespace]) {
                eprintln!("warning: {e:#}");
            }
        }
    }
}

/// The entries of a directory whose names begin with `prefix`.
fn named(dir: &Path, prefix: &str) -> Vec<String> {
    let all = std::fs::read_dir(dir).into_iter().flatten().flatten();
    let names = all.filter_map(|entry| entry.file_name().into_string().ok());
    names.filter(|name| name.starts_with(prefix)).collect()
}

/// A number that no other process has.
fn claim() -> Result<(Names, File)> {
    let first = std::process::id() % u32::from(NETWORKS);
    for turn in 0..u32::from(NETWORKS) {
        let number = u16::try_from((first + turn) % u32::from(NETWORKS)).unwrap_or_default();
        let path = std::env::temp_dir().join(format!("tangelo-network-{number}.lock"));
        let file = File::options().create(true).append(true).open(&path);
        let file = file.with_context(|| format!("cannot open {}", path.display()))?;
        match file.try_lock() {
            Ok(()) => return Ok((Names(number), file)),
            Err(TryLockError::WouldBlock) => {}
            Err(TryLockError::Error(e)) => {
                return Err(e).with_context(|| format!("cannot lock {}", path.display()));
            }
        }
    }
    bail!("all {NETWORKS} test networks are taken")
}

/// Kills whatever runs in a namespace.
fn empty(namespace: &str) -> Result<()> {
    let until = clock::now() + END_LIMIT;
    clock::poll_until(until, PAUSE, || {
        let left = pids(namespace)?;
        for pid in left.iter().filter_map(|&pid| Pid::from_raw(i32::try_from(pid).ok()?)) {
            // It may have ended by itself.
            let _ = kill_process(pid, Signal::KILL);
        }
        if left.is_empty() { Ok(()) } else { bail!("processes {left:?} do not go") }
    })
}

fn pids(namespace: &str) -> Result<Vec<u32>> {
    let listed = said(&["netns", "pids", namespace])?;
    Ok(listed.split_whitespace().filter_map(|pid| pid.parse().ok()).collect())
}

fn ip(args: &[&str]) -> Result<()> {
    said(args).map(drop)
}

fn said(args: &[&str]) -> Result<String> {
    let output = Command::new("ip").args(args).output().context("cannot run ip (Debian package iproute2)")?;
    if !output.status.success() {
        bail!("`ip {}`: {}", args.join(" "), String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    #[test]
    fn another_machine_is_reached_unless_its_cable_is_cut_and_leaves_nothing() {
        let network = Network::with_hosts(2).expect("namespaces");
        let log = tempfile::NamedTempFile::new().expect("a file");
        let host = &network.hosts()[1];
        assert!(TcpListener::bind((host.address(), 0)).is_err(), "its address is not this machine's");
        assert!(TcpListener::bind((network.here(), 0)).is_ok());

        let mut sleeper = host.start("sleep", &["1000"], log.path()).expect("sleep");
        clock::poll_until(clock::now() + END_LIMIT, PAUSE, || {
            let there = host.processes()?.contains(&sleeper.pid());
            if there { Ok(()) } else { bail!("it is not there") }
        })
        .expect("it runs there");
        let refused = |error: std::io::Error| error.kind() == std::io::ErrorKind::ConnectionRefused;
        let short = Duration::from_millis(300);
        let reach = || TcpStream::connect_timeout(&(host.address(), NOBODY).into(), short);
        assert!(refused(reach().expect_err("nobody listens")), "its kernel answers");
        host.cut().expect("cut");
        assert!(!refused(reach().expect_err("nobody hears")), "nobody answers");
        host.mend().expect("mend");
        assert!(refused(reach().expect_err("nobody listens")), "its kernel answers again");

        let names = network.names;
        drop(network);
        assert!(!Path::new("/run/netns").join(names.namespace(1)).exists());
        assert!(!Path::new("/sys/class/net").join(names.bridge()).exists());
        assert!(sleeper.ended().expect("our child").is_some(), "it was killed with its machine");
    }
}
