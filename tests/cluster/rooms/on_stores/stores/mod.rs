//! The stores that the tests run on, each a real one with data of its own.

#[cfg(feature = "channel-redis")]
mod redis;
#[cfg(feature = "channel-sqlite")]
mod sql;

#[cfg(feature = "channel-redis")]
pub(super) use redis::redis;
#[cfg(feature = "channel-sqlite")]
pub(super) use sql::sqlite;

use serde_json::Value;

/// A store of global channels.
pub(super) trait Store {
    /// What globalChannel.json says of it.
    fn config(&self) -> Value;

    /// Who is in a channel, as the store itself says: `server user`, sorted.
    fn members(&self, channel: &str) -> Vec<String>;
}
