//! From the address of a store to its manager.

use alloc::sync::Arc;
use anyhow::{Result, bail};
use tangelo_core::channel::ChannelManager;
use tangelo_core::runtime::Runtime;
use tangelo_redis::{RedisChannelManager, RedisConfig};
use tangelo_sql::{SqlChannelManager, SqlConfig};

/// Where members are kept.
#[derive(Debug, Clone)]
pub(crate) enum Store {
    Redis(RedisConfig),
    Sql(SqlConfig),
}

impl Store {
    pub(crate) fn parse(url: &str) -> Result<Self> {
        match url.split_once(':') {
            Some(("redis", _)) => Ok(Self::Redis(RedisConfig::from_url(url)?)),
            Some(("postgres" | "mysql" | "mariadb" | "sqlite", _)) => {
                Ok(Self::Sql(SqlConfig::from_url(url)?))
            }
            _ => bail!("expected redis://…, postgres://…, mysql://… or sqlite:…"),
        }
    }

    /// A manager that is not started yet.
    pub(crate) fn manager(&self, runtime: &Arc<dyn Runtime>) -> Result<Arc<dyn ChannelManager>> {
        let runtime = Arc::clone(runtime);
        Ok(match self {
            Self::Redis(config) => Arc::new(RedisChannelManager::new(config.clone(), runtime)?),
            Self::Sql(config) => Arc::new(SqlChannelManager::new(config.clone(), runtime)?),
        })
    }
}
