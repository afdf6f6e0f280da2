//! Certificates of a server and a client on loopback, made by openssl(1).

use super::missing;
use anyhow::{Context as _, Result, bail};
use std::path::{Path, PathBuf};
use std::process::Command;

/// An authority of its own, a server for 127.0.0.1 and `localhost`, a client; valid for two days.
#[derive(Debug, Clone)]
pub struct Certificates {
    dir: PathBuf,
}

impl Certificates {
    /// Makes them in `dir`.
    ///
    /// # Errors
    /// If there is no openssl.
    pub fn new(dir: &Path) -> Result<Self> {
        let made = Self { dir: dir.join("tls") };
        std::fs::create_dir_all(&made.dir).context("a directory for certificates")?;
        made.make("ca", &["-subj", "/CN=Test authority", "-addext", "keyUsage=critical,keyCertSign"])?;
        let signed = ["-CA", "ca.crt", "-CAkey", "ca.key", "-addext", "basicConstraints=critical,CA:FALSE"];
        let server = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"];
        made.make("server", &[&signed[..], &server].concat())?;
        made.make("client", &[&signed[..], &["-subj", "/CN=client"]].concat())?;
        Ok(made)
    }

    /// Who signed the others.
    #[must_use]
    pub fn authority(&self) -> PathBuf {
        self.dir.join("ca.crt")
    }

    /// What the server shows.
    #[must_use]
    pub fn server_certificate(&self) -> PathBuf {
        self.dir.join("server.crt")
    }

    /// And its key.
    #[must_use]
    pub fn server_key(&self) -> PathBuf {
        self.dir.join("server.key")
    }

    /// What a client shows.
    #[must_use]
    pub fn client_certificate(&self) -> PathBuf {
        self.dir.join("client.crt")
    }

    /// And its key.
    #[must_use]
    pub fn client_key(&self) -> PathBuf {
        self.dir.join("client.key")
    }

    fn make(&self, name: &str, args: &[&str]) -> Result<()> {
        let mut openssl = Command::new("openssl");
        openssl.current_dir(&self.dir).args(["req", "-x509", "-days", "2", "-noenc"]);
        openssl.args(["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]);
        openssl.arg("-keyout").arg(format!("{name}.key")).arg("-out").arg(format!("{name}.crt")).args(args);
        let output = openssl.output().with_context(|| missing("openssl"))?;
        if !output.status.success() {
            bail!("openssl made no certificate: {}", String::from_utf8_lossy(&output.stderr).trim());
        }
        Ok(())
    }
}
