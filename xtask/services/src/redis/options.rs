//! How a server is set up.

use super::Certificates;
use core::fmt::Write as _;
use std::path::Path;

/// When a write is on the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Durability {
    /// Never: what was written is lost with the process.
    #[default]
    Memory,
    /// Before it is answered (`appendfsync always`): nothing that was acknowledged is lost.
    Always,
}

/// How clients reach a server over TCP.
#[derive(Debug, Clone, Default)]
pub enum Security {
    /// In the clear.
    #[default]
    Plain,
    /// Only with TLS; with `client_certificates`, only clients that show one.
    Tls {
        /// Whether clients must show a certificate of the same authority.
        client_certificates: bool,
    },
}

/// How a server is set up.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// When a write is on the disk. Default: never.
    pub durability: Durability,
    /// How clients reach it over TCP. Default: in the clear.
    pub security: Security,
    /// The password of the default user. Default: none.
    pub password: Option<String>,
    /// Further users, as ACL rules: `game on >secret ~POMELO:CHANNEL* +@all`.
    pub users: Vec<String>,
    /// Further lines of the configuration file.
    pub lines: Vec<String>,
}

impl Options {
    /// With `appendfsync always`.
    #[must_use]
    pub fn durable() -> Self {
        Self { durability: Durability::Always, ..Self::default() }
    }

    /// Only with TLS.
    #[must_use]
    pub fn tls() -> Self {
        Self { security: Security::Tls { client_certificates: false }, ..Self::default() }
    }

    /// The configuration file of a server.
    pub(super) fn file(
        &self,
        port: u16,
        socket: &Path,
        data: &Path,
        certificates: Option<&Certificates>,
    ) -> String {
        let mut text = String::new();
        let mut line = |words: core::fmt::Arguments<'_>| {
            let _ = writeln!(text, "{words}");
        };
        line(format_args!("bind 127.0.0.1"));
        line(format_args!("unixsocket {}", socket.display()));
        line(format_args!("unixsocketperm 700"));
        line(format_args!("dir {}", data.display()));
        line(format_args!("daemonize no"));
        line(format_args!("save \"\""));
        // A test kills it at any moment and starts it again: a record that was cut off is dropped.
        line(format_args!("aof-load-truncated yes"));
        match self.durability {
            Durability::Memory => line(format_args!("appendonly no")),
            Durability::Always => {
                line(format_args!("appendonly yes"));
                line(format_args!("appendfsync always"));
            }
        }
        match (&self.security, certificates) {
            (Security::Tls { client_certificates }, Some(certificates)) => {
                line(format_args!("port 0"));
                line(format_args!("tls-port {port}"));
                line(format_args!("tls-cert-file {}", certificates.server_certificate().display()));
                line(format_args!("tls-key-file {}", certificates.server_key().display()));
                line(format_args!("tls-ca-cert-file {}", certificates.authority().display()));
                line(format_args!("tls-auth-clients {}", if *client_certificates { "yes" } else { "no" }));
            }
            _ => line(format_args!("port {port}")),
        }
        if let Some(password) = &self.password {
            line(format_args!("requirepass {password}"));
        }
        for user in &self.users {
            line(format_args!("user {user}"));
        }
        for extra in &self.lines {
            line(format_args!("{extra}"));
        }
        text
    }
}
