//! The kinds of stores.

use super::super::value::unexpected;
#[cfg(feature = "std")]
use crate::channel::{CustomManager, ManagerContext};
use alloc::string::String;
use core::fmt;
use serde_json::Value;

/// What keeps the members of global channels.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ChannelStore {
    /// Redis, with Pomelo's keys.
    Redis,
    /// PostgreSQL.
    Postgres,
    /// MySQL or MariaDB.
    MySql,
    /// SQLite: a file, for the processes of one machine.
    Sqlite,
    /// The memory of each process by itself; for a cluster of one process.
    Memory,
    /// One of the application's own.
    #[cfg(feature = "std")]
    Custom(CustomManager),
}

impl ChannelStore {
    /// Those that a file can name.
    pub(super) const NAMED: [Self; 5] =
        [Self::Redis, Self::Postgres, Self::MySql, Self::Sqlite, Self::Memory];

    /// A manager of your own; `make` is called once in every process that uses channels.
    #[cfg(feature = "std")]
    pub fn custom<M: crate::ChannelManager + 'static>(
        make: impl Fn(&ManagerContext) -> crate::Result<M> + Send + Sync + 'static,
    ) -> Self {
        Self::Custom(CustomManager::new(make))
    }

    /// What globalChannel.json calls it.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Redis => "redis",
            Self::Postgres => "postgres",
            Self::MySql => "mysql",
            Self::Sqlite => "sqlite",
            Self::Memory => "memory",
            #[cfg(feature = "std")]
            Self::Custom(_) => "custom",
        }
    }

    pub(super) fn read(found: &Value) -> Result<Self, String> {
        let named = |name: &str| Self::NAMED.into_iter().find(|store| store.name() == name);
        found
            .as_str()
            .and_then(named)
            .ok_or_else(|| unexpected("\"redis\", \"postgres\", \"mysql\", \"sqlite\" or \"memory\"", found))
    }

    pub(super) const fn is_sql_server(&self) -> bool {
        matches!(self, Self::Postgres | Self::MySql)
    }
}

impl fmt::Display for ChannelStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
