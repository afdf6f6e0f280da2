//! From the address of a store to its manager.

use alloc::sync::Arc;
use anyhow::{Result, bail};
use tangelo_core::channel::ChannelManager;
use tangelo_core::runtime::Runtime;
use tangelo_redis::{RedisChannelManager, RedisConfig};

/// Where members are kept.
#[derive(Debug, Clone)]
pub(crate) enum Address {
    Redis(RedisConfig),
}

impl Address {
    pub(crate) fn parse(url: &str) -> Result<Self> {
        match url.split_once(':') {
            Some(("redis" | "rediss" | "redis+unix", _)) => Ok(Self::Redis(RedisConfig::from_url(url)?)),
            _ => bail!("expected redis://…"),
        }
    }

    /// A manager that is not started yet.
    pub(crate) fn manager(&self, runtime: &Arc<dyn Runtime>) -> Result<Arc<dyn ChannelManager>> {
        let runtime = Arc::clone(runtime);
        Ok(match self {
            Self::Redis(config) => Arc::new(RedisChannelManager::new(config.clone(), runtime)?),
        })
    }
}
