//! Ports of loopback that stay ours, whoever listens on them at the moment.

use anyhow::{Context as _, Result, bail};
use core::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use rustix::fd::{AsFd as _, OwnedFd};
use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, getsockname, socket_with, sockopt};
use std::net::TcpListener;
use std::os::unix::fs::MetadataExt as _;

/// A port of 127.0.0.1 held by a socket that is bound and does not listen.
///
/// Nobody gets the port by chance while this lives: the kernel gives it neither to a bind to port 0
/// nor to an outgoing connection. A process that asks for this very port may listen on it (with
/// `SO_REUSEADDR`, which Java and Rust set), end, and listen on it again.
#[derive(Debug)]
pub struct Reserved {
    _socket: OwnedFd,
    address: SocketAddr,
}

impl Reserved {
    /// Takes a free port.
    ///
    /// # Errors
    /// If the kernel has none.
    pub fn new() -> Result<Self> {
        let socket = bound(SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0)).context("no free port on 127.0.0.1")?;
        let address = getsockname(&socket).context("getsockname")?;
        let address = SocketAddrV4::try_from(address).context("getsockname")?.into();
        Ok(Self { _socket: socket, address })
    }

    /// 127.0.0.1 and the port.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// The port.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.address.port()
    }

    /// Listens on it, in this process.
    ///
    /// # Errors
    /// If somebody else listens on it.
    pub fn listen(&self) -> Result<TcpListener> {
        TcpListener::bind(self.address).with_context(|| format!("cannot listen on {}", self.address))
    }
}

fn bound(address: SocketAddrV4) -> Result<OwnedFd> {
    let socket = socket_with(AddressFamily::INET, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
    sockopt::set_socket_reuseaddr(&socket, true)?;
    bind(socket.as_fd(), &address)?;
    Ok(socket)
}

/// Whether process `pid` listens on `port`, on whatever address.
///
/// # Errors
/// If nobody listens there, or somebody else.
pub fn listens(pid: u32, port: u16) -> Result<()> {
    let mut inodes = Vec::new();
    for table in ["/proc/net/tcp", "/proc/net/tcp6"] {
        // Without IPv6 there is no second table.
        let text = std::fs::read_to_string(table).unwrap_or_default();
        inodes.extend(text.lines().filter_map(|line| listener(line, port)));
    }
    if inodes.is_empty() {
        bail!("nobody listens on port {port}");
    }
    let files = std::fs::read_dir(format!("/proc/{pid}/fd")).with_context(|| format!("process {pid}"))?;
    // Following the link gives the socket itself, whose inode is what the table names.
    let mut own = files.flatten().filter_map(|file| std::fs::metadata(file.path()).ok());
    if !own.any(|file| inodes.contains(&file.ino())) {
        bail!("port {port} belongs to another process than {pid}");
    }
    Ok(())
}

/// The inode of the socket of a line of /proc/net/tcp, if it listens on `port`.
fn listener(line: &str, port: u16) -> Option<u64> {
    const LISTEN: &str = "0A";
    let fields: Vec<_> = line.split_whitespace().collect();
    let (_, local) = fields.get(1)?.rsplit_once(':')?;
    let is_it = u16::from_str_radix(local, 16).is_ok_and(|local| local == port) && *fields.get(3)? == LISTEN;
    if is_it { fields.get(9)?.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reserved_port_can_be_listened_on_again_and_again_and_its_listener_is_known() {
        let reserved = Reserved::new().expect("a port");
        let own = std::process::id();
        for _ in 0..3 {
            assert!(listens(own, reserved.port()).is_err());
            let listener = reserved.listen().expect("listen");
            listens(own, reserved.port()).expect("we do");
            assert!(listens(1, reserved.port()).is_err(), "init does not");
            drop(listener);
        }
    }

    #[test]
    fn a_reserved_port_goes_to_nobody_else() {
        let reserved = Reserved::new().expect("a port");
        let others: Vec<_> =
            (0..500).map(|_| TcpListener::bind("127.0.0.1:0").expect("a free port")).collect();
        assert!(
            others
                .iter()
                .all(|other| other.local_addr().is_ok_and(|address| address.port() != reserved.port()))
        );
    }
}
