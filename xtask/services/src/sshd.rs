//! OpenSSH's server on another machine of a test network ([`netns`](crate::netns)), with keys of its own.
//!
//! Debian: package `openssh-server`. It lets in whoever runs the test, by one key.

use crate::clock;
use crate::netns::Host;
use crate::process::{Process, tail};
use anyhow::{Context as _, Result, bail};
use core::fmt::Write as _;
use core::net::SocketAddr;
use core::time::Duration;
use std::io::Read as _;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

/// Where every sshd of a test listens: on a machine that is its own.
const PORT: u16 = 2222;

const READY_LIMIT: Duration = Duration::from_secs(20);
const PAUSE: Duration = Duration::from_millis(5);

/// The keys of some servers and of their only client.
#[derive(Debug)]
pub struct Keys {
    dir: TempDir,
}

impl Keys {
    /// Makes new ones.
    ///
    /// # Errors
    /// If there is no ssh-keygen.
    pub fn new() -> Result<Self> {
        let keys = Self { dir: TempDir::with_prefix("tangelo-sshd-").context("a directory")? };
        let public = keys.generate("identity")?;
        keys.write("authorized_keys", &public)?;
        keys.generate("stranger")?;
        // One key for all servers: a client knows it under whatever name.
        let host = keys.generate("host")?;
        keys.write("known_hosts", &format!("* {host}"))?;
        Ok(keys)
    }

    /// The private key that is let in.
    #[must_use]
    pub fn identity(&self) -> PathBuf {
        self.dir.path().join("identity")
    }

    /// A private key that is not.
    #[must_use]
    pub fn stranger(&self) -> PathBuf {
        self.dir.path().join("stranger")
    }

    /// What makes ssh(1) know the servers, and use nothing of the user's.
    #[must_use]
    pub fn client_args(&self) -> Vec<String> {
        let known = self.dir.path().join("known_hosts");
        let mut args = vec!["-F".to_owned(), "none".to_owned()];
        let options =
            ["StrictHostKeyChecking=yes", "IdentitiesOnly=yes", "IdentityAgent=none"].map(String::from);
        for option in options.into_iter().chain([format!("UserKnownHostsFile={}", known.display())]) {
            args.extend(["-o".to_owned(), option]);
        }
        args
    }

    /// Makes a pair of keys and returns the public one.
    fn generate(&self, name: &str) -> Result<String> {
        let path = self.dir.path().join(name);
        let mut keygen = Command::new("ssh-keygen");
        let output = keygen.args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(&path).output();
        let output = output.context("cannot run ssh-keygen (Debian package openssh-client)")?;
        if !output.status.success() {
            bail!("ssh-keygen: {}", String::from_utf8_lossy(&output.stderr).trim());
        }
        std::fs::read_to_string(path.with_extension("pub")).context("the public key")
    }

    fn write(&self, name: &str, text: &str) -> Result<PathBuf> {
        let path = self.dir.path().join(name);
        std::fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
        Ok(path)
    }
}

/// A running sshd. When it is dropped it takes no more connections; those that it has live on.
#[derive(Debug)]
pub struct Sshd {
    process: Process,
    log: PathBuf,
}

impl Sshd {
    /// Where it listens.
    pub const PORT: u16 = PORT;

    /// Starts it on `host`, and returns when it takes connections.
    ///
    /// # Errors
    /// If there is no sshd, or it does not start.
    pub fn start(host: &Host, keys: &Keys) -> Result<Self> {
        // Its own requirement, which Debian's unit file fulfils otherwise.
        std::fs::create_dir_all("/run/sshd").context("cannot make /run/sshd")?;
        let address = SocketAddr::from((host.address(), PORT));
        let config =
            keys.write(&format!("sshd-{}.conf", host.address()), &config(address, keys.dir.path()))?;
        let log = config.with_extension("log");
        // It insists on its absolute path, to run itself again for each connection.
        let process = host
            .start("/usr/sbin/sshd", &["-D", "-e", "-f", &config.to_string_lossy()], &log)
            .context("cannot start sshd (Debian package openssh-server)")?;
        let mut sshd = Self { process, log };
        clock::poll_until(clock::now() + READY_LIMIT, PAUSE, || sshd.greets(address))?;
        Ok(sshd)
    }

    /// Whether it answers: nobody else can at this address.
    fn greets(&mut self, address: SocketAddr) -> Result<()> {
        if self.process.ended()?.is_some() {
            bail!("sshd has ended: {}", self.log());
        }
        let mut stream = TcpStream::connect_timeout(&address, READY_LIMIT)?;
        stream.set_read_timeout(Some(READY_LIMIT))?;
        let mut greeting = [0; 4];
        stream.read_exact(&mut greeting)?;
        if &greeting == b"SSH-" { Ok(()) } else { bail!("{address} does not speak SSH") }
    }

    /// What it has said last.
    #[must_use]
    pub fn log(&self) -> String {
        tail(&self.log, 20)
    }
}

fn config(address: SocketAddr, dir: &Path) -> String {
    let mut text = String::new();
    let path = |name: &str| dir.join(name).display().to_string();
    for (key, value) in [
        ("ListenAddress", address.to_string()),
        ("HostKey", path("host")),
        ("AuthorizedKeysFile", path("authorized_keys")),
        ("StrictModes", "no".into()),
        ("PermitRootLogin", "yes".into()),
        ("PubkeyAuthentication", "yes".into()),
        ("PasswordAuthentication", "no".into()),
        ("KbdInteractiveAuthentication", "no".into()),
        ("UsePAM", "no".into()),
        ("PidFile", "none".into()),
        ("PrintMotd", "no".into()),
        ("UseDNS", "no".into()),
        ("LogLevel", "VERBOSE".into()),
        // All of a test's connections begin at once.
        ("MaxStartups", "100".into()),
    ] {
        let _ = writeln!(text, "{key} {value}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::netns::Network;

    #[test]
    fn the_key_that_is_known_is_let_in_and_no_other() {
        let network = Network::with_hosts(1).expect("namespaces");
        let keys = Keys::new().expect("keys");
        let sshd = Sshd::start(&network.hosts()[0], &keys).expect("sshd");
        let ssh = |identity: &Path| {
            let mut ssh = Command::new("ssh");
            ssh.args(keys.client_args()).args(["-o", "BatchMode=yes", "-p", &Sshd::PORT.to_string(), "-i"]);
            ssh.arg(identity).arg(network.hosts()[0].address().to_string());
            ssh.arg("ip -o address show dev eth0").output().expect("ssh")
        };
        let let_in = ssh(&keys.identity());
        let said = String::from_utf8_lossy(&let_in.stdout).into_owned();
        assert!(said.contains(&network.hosts()[0].address().to_string()), "{let_in:?}: {}", sshd.log());
        let refused = ssh(&keys.stranger());
        assert!(!refused.status.success(), "{refused:?}");
        assert!(String::from_utf8_lossy(&refused.stderr).contains("Permission denied"), "{refused:?}");
    }
}
