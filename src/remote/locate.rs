//! Which hosts are this machine.
//!
//! A host is this machine if one of its addresses is: loopback, or an address that this machine
//! itself would speak from to reach it. Whether it can be listened on says less, since
//! `net.ipv4.ip_nonlocal_bind` allows that for every address in the world.
//!
//! A name that cannot be looked up counts as another host: ssh may know it by a name of its own, and
//! if not, it says so. The other way round, a process of another host would be looked for here, not be
//! found, and so be started a second time.

use crate::sync::Mutex;
use crate::time::timeout;
use alloc::sync::Arc;
use core::net::IpAddr;
use core::time::Duration;
use std::collections::HashMap;
use std::net::{ToSocketAddrs, UdpSocket};
use tangelo_core::Instant;
use tangelo_core::config::is_loopback;
use tangelo_core::runtime::{Runtime, unblock};
use tracing::warn;

/// How long the answer for a name holds; that for an address costs less than remembering it.
const HOLDS: Duration = Duration::from_secs(30);

/// How long a name that could not be looked up is not looked up again.
const FAILURE_HOLDS: Duration = Duration::from_secs(1);

/// How long a name may be looked up.
const PATIENCE: Duration = Duration::from_secs(10);

/// The port does not matter: nothing is sent.
const ANY_PORT: u16 = 9;

/// What is known of hosts.
#[derive(Debug, Default)]
pub(crate) struct Places {
    names: Mutex<HashMap<String, (bool, Instant)>>,
}

impl Places {
    /// Whether `host` is this machine.
    ///
    /// # Cancel safety
    /// Cancel safe.
    pub(crate) async fn is_here(&self, runtime: &Arc<dyn Runtime>, host: &str) -> bool {
        if is_loopback(host) {
            return true;
        }
        if let Ok(address) = host.parse() {
            return is_own(address);
        }
        let now = Instant::now();
        if let Some((here, until)) = self.names.lock().get(host).copied()
            && now < until
        {
            return here;
        }
        let (here, holds) = match timeout(runtime, PATIENCE, look_up(runtime, host)).await {
            Ok(Some(addresses)) => (addresses.into_iter().any(is_own), HOLDS),
            _ => {
                warn!(host, "cannot be looked up: it counts as another machine, which ssh may know");
                (false, FAILURE_HOLDS)
            }
        };
        self.names.lock().insert(host.into(), (here, Instant::now() + holds));
        here
    }
}

/// The addresses of a name.
async fn look_up(runtime: &Arc<dyn Runtime>, host: &str) -> Option<Vec<IpAddr>> {
    let name = host.to_owned();
    let addresses =
        unblock(&**runtime, move || (name.as_str(), ANY_PORT).to_socket_addrs()).await.ok()?.ok()?;
    Some(addresses.map(|address| address.ip()).collect())
}

/// Whether an address is one of this machine's.
fn is_own(address: IpAddr) -> bool {
    let address = address.to_canonical();
    if address.is_loopback() || address.is_unspecified() {
        return true;
    }
    let any: IpAddr = match address {
        IpAddr::V4(_) => core::net::Ipv4Addr::UNSPECIFIED.into(),
        IpAddr::V6(_) => core::net::Ipv6Addr::UNSPECIFIED.into(),
    };
    // Connecting a UDP socket sends nothing: it chooses the address to speak from, and that is the
    // other end's own if, and only if, that is here.
    let spoken_from = UdpSocket::bind((any, 0)).and_then(|socket| {
        socket.connect((address, ANY_PORT))?;
        socket.local_addr()
    });
    spoken_from.is_ok_and(|from| from.ip() == address)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parts;
    use alloc::boxed::Box;

    #[test]
    fn this_machine_is_told_from_others() {
        let runtime = parts::runtime().unwrap();
        let on = Arc::clone(&runtime);
        runtime.block_on(Box::pin(async move {
            let places = Places::default();
            for host in ["localhost", "127.0.0.1", "127.1.2.3", "::1", "0.0.0.0", "::ffff:127.0.0.1"] {
                assert!(places.is_here(&on, host).await, "{host}");
            }
            // RFC 5737 and RFC 3849 keep these for documentation; RFC 6761 keeps the name from existing.
            for host in ["192.0.2.1", "2001:db8::1", "no-such-host.invalid", "no-such-host.invalid"] {
                assert!(!places.is_here(&on, host).await, "{host}");
            }
        }));
    }
}
