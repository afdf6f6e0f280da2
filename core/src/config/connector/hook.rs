//! The application's look at handshakes.

use alloc::string::{String, ToString as _};
use alloc::sync::Arc;
use core::fmt::{self, Display};
use core::net::SocketAddr;
use serde_json::Value;

type Look = dyn Fn(&Value, SocketAddr) -> Result<Value, String> + Send + Sync;

/// What looks at each handshake, and says who is let in.
#[derive(Clone)]
pub struct HandshakeHook(Arc<Look>);

impl HandshakeHook {
    /// As [`ConnectorConfig::handshake`](super::ConnectorConfig::handshake) describes it.
    pub fn new<E: Display>(
        look: impl Fn(&Value, SocketAddr) -> Result<Value, E> + Send + Sync + 'static,
    ) -> Self {
        Self(Arc::new(move |user, address| look(user, address).map_err(|error| error.to_string())))
    }

    /// What the client is told, for what it has said.
    ///
    /// # Errors
    /// Why it is not let in.
    pub fn look(&self, user: &Value, address: SocketAddr) -> Result<Value, String> {
        (self.0)(user, address)
    }
}

impl fmt::Debug for HandshakeHook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HandshakeHook")
    }
}

/// Two are equal if they are the same one.
impl PartialEq for HandshakeHook {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}
