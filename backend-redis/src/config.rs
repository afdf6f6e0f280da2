//! Where Redis is, and how it is spoken to.

use crate::RedisTls;
use crate::url::{self, Role};
use core::fmt;
use core::time::Duration;
use std::path::{Path, PathBuf};
use tangelo_core::{Error, ErrorKind, Result};

/// The port of Redis, unless another is given.
pub const DEFAULT_PORT: u16 = 6379;
/// The port of Sentinels, unless another is given.
pub const DEFAULT_SENTINEL_PORT: u16 = 26379;
/// Pomelo's prefix of keys.
pub const DEFAULT_PREFIX: &str = "POMELO:CHANNEL";

/// A host and a port.
pub type Address = (String, u16);

/// Which servers make up the store.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Topology {
    /// One server.
    Single(Address),
    /// One server, by its Unix socket.
    Unix(PathBuf),
    /// The server that these Sentinels call the master of `group` at the moment.
    Sentinel {
        /// Sentinels, asked in this order until one answers.
        nodes: Vec<Address>,
        /// The name of the master among them, such as `mymaster`.
        group: String,
    },
    /// A Redis Cluster; `nodes` are some of its nodes, through which the others are found.
    Cluster {
        /// Some of its nodes.
        nodes: Vec<Address>,
    },
}

/// Where Redis is, and how it is spoken to.
///
/// ```
/// use tangelo_redis::RedisConfig;
///
/// let pomelo = RedisConfig::new("127.0.0.1", 6379).db(2).password("secret");
/// let by_url = RedisConfig::from_url("redis://:secret@127.0.0.1:6379/2")?;
/// assert_eq!(pomelo, by_url);
/// assert!(!format!("{pomelo:?}").contains("secret"));
/// # Ok::<(), tangelo_core::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct RedisConfig {
    pub(crate) topology: Topology,
    pub(crate) db: u32,
    pub(crate) username: Option<String>,
    pub(crate) password: Option<String>,
    pub(crate) sentinel_username: Option<String>,
    pub(crate) sentinel_password: Option<String>,
    pub(crate) tls: Option<RedisTls>,
    pub(crate) prefix: String,
    pub(crate) frontends: Vec<String>,
    pub(crate) replicas: u32,
    pub(crate) timeout: Duration,
    pub(crate) connect_timeout: Duration,
    pub(crate) response_timeout: Duration,
}

impl Default for RedisConfig {
    /// Redis on this machine, at its usual port.
    fn default() -> Self {
        Self::new("127.0.0.1", DEFAULT_PORT)
    }
}

impl RedisConfig {
    /// One server.
    #[must_use]
    pub fn new(host: impl Into<String>, port: u16) -> Self {
        Self::of(Topology::Single((host.into(), port)))
    }

    /// One server, by its Unix socket.
    #[must_use]
    pub fn unix(path: impl Into<PathBuf>) -> Self {
        Self::of(Topology::Unix(path.into()))
    }

    /// The master that Sentinels know by the name of `group`.
    #[must_use]
    pub fn sentinel(nodes: impl IntoIterator<Item = Address>, group: impl Into<String>) -> Self {
        Self::of(Topology::Sentinel { nodes: nodes.into_iter().collect(), group: group.into() })
    }

    /// A Redis Cluster, found through some of its nodes.
    #[must_use]
    pub fn cluster(nodes: impl IntoIterator<Item = Address>) -> Self {
        Self::of(Topology::Cluster { nodes: nodes.into_iter().collect() })
    }

    /// Any of them, by a URL. User and password, and the path of a socket, may be percent-encoded.
    ///
    /// | URL | |
    /// |---|---|
    /// | `redis://[[user]:password@]host[:port][/db]` | one server |
    /// | `redis+unix:///path/to/socket[?db=2&user=…&password=…]` | its Unix socket |
    /// | `redis-sentinel://[[user]:password@]host[:port],host[:port],…/group[/db]` | by Sentinels |
    /// | `redis-cluster://[[user]:password@]host[:port],host[:port],…` | a Cluster |
    /// | `rediss://…`, `rediss-sentinel://…`, `rediss-cluster://…` | the same by TLS |
    /// | `valkey://…`, `valkeys://…` | one server, as `redis` and `rediss` |
    ///
    /// After a `?` may stand `prefix`, `timeout` and `connect_timeout` and `response_timeout` (milliseconds),
    /// `replicas`, `sentinel_user`, `sentinel_password`, and with TLS the files `ca`, `cert` and `key`.
    ///
    /// # Errors
    /// [`Invalid`](ErrorKind::Invalid), with what is wrong and without the URL, which may hold a password.
    pub fn from_url(url: &str) -> Result<Self> {
        url::parse(url)
    }

    /// The master that Sentinels know by the name of `group`; each of them has a URL, such as `redis://10.0.0.1:26379`,
    /// and all of these are the same but for host and port.
    ///
    /// # Errors
    /// As for [`from_url`](Self::from_url).
    pub fn sentinels_from_urls<'u>(urls: impl IntoIterator<Item = &'u str>, group: &str) -> Result<Self> {
        url::parse_all(urls, Role::Sentinels(group))
    }

    /// A Redis Cluster; some of its nodes have a URL each, all of these the same but for host and port.
    ///
    /// # Errors
    /// As for [`from_url`](Self::from_url).
    pub fn cluster_from_urls<'u>(urls: impl IntoIterator<Item = &'u str>) -> Result<Self> {
        url::parse_all(urls, Role::Cluster)
    }

    /// Another one of the servers' databases. Default: 0, and a Cluster has no other.
    #[must_use]
    pub fn db(self, db: u32) -> Self {
        Self { db, ..self }
    }

    /// The ACL user. Default: none, which is Redis's user `default`.
    #[must_use]
    pub fn username(self, username: impl Into<String>) -> Self {
        Self { username: Some(username.into()), ..self }
    }

    /// The password of the user. Default: none.
    #[must_use]
    pub fn password(self, password: impl Into<String>) -> Self {
        Self { password: Some(password.into()), ..self }
    }

    /// The ACL user of the Sentinels themselves. Default: none.
    #[must_use]
    pub fn sentinel_username(self, username: impl Into<String>) -> Self {
        Self { sentinel_username: Some(username.into()), ..self }
    }

    /// The password of the Sentinels themselves. Default: none.
    #[must_use]
    pub fn sentinel_password(self, password: impl Into<String>) -> Self {
        Self { sentinel_password: Some(password.into()), ..self }
    }

    /// Speaks TLS with every server (the feature `tls` of this crate). Default: in the clear.
    #[must_use]
    pub fn tls(self, tls: RedisTls) -> Self {
        Self { tls: Some(tls), ..self }
    }

    /// Trusts the authorities in this file (PEM) instead of the system's; implies [`tls`](Self::tls).
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn authorities_file(mut self, path: impl AsRef<Path>) -> Result<Self> {
        let tls = self.tls.take().unwrap_or_default();
        Ok(self.tls(tls.authorities_file(path)?))
    }

    /// What all keys begin with. Default: [`DEFAULT_PREFIX`], Pomelo's.
    #[must_use]
    pub fn prefix(self, prefix: impl Into<String>) -> Self {
        Self { prefix: prefix.into(), ..self }
    }

    /// Server ids whose members are read although Tangelo never wrote for them: frontends of a Pomelo
    /// application on the same Redis. Default: none.
    #[must_use]
    pub fn frontends(self, sids: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self { frontends: sids.into_iter().map(Into::into).collect(), ..self }
    }

    /// A change is acknowledged only when so many replicas have it too (`WAIT`), so that a failover by
    /// Sentinel or of a Cluster does not lose it. Default: 0, for Redis's own way of losing what it had
    /// acknowledged within the last moments before a failover.
    #[must_use]
    pub fn replicas(self, replicas: u32) -> Self {
        Self { replicas, ..self }
    }

    /// How long a call may take, reconnecting included. Default: 5 s.
    #[must_use]
    pub fn timeout(self, timeout: Duration) -> Self {
        Self { timeout, ..self }
    }

    /// How long one attempt to connect may take. Default: 2 s.
    #[must_use]
    pub fn connect_timeout(self, timeout: Duration) -> Self {
        Self { connect_timeout: timeout, ..self }
    }

    /// A server that is silent for so long is taken for dead: the connection is given up and another one
    /// made. Default: 2 s.
    #[must_use]
    pub fn response_timeout(self, timeout: Duration) -> Self {
        Self { response_timeout: timeout, ..self }
    }

    /// Which servers make up the store.
    #[must_use]
    pub const fn topology(&self) -> &Topology {
        &self.topology
    }

    pub(crate) fn of(topology: Topology) -> Self {
        Self {
            topology,
            db: 0,
            username: None,
            password: None,
            sentinel_username: None,
            sentinel_password: None,
            tls: None,
            prefix: DEFAULT_PREFIX.to_owned(),
            frontends: Vec::new(),
            replicas: 0,
            timeout: Duration::from_secs(5),
            connect_timeout: Duration::from_secs(2),
            response_timeout: Duration::from_secs(2),
        }
    }

    pub(crate) const fn is_cluster(&self) -> bool {
        matches!(self.topology, Topology::Cluster { .. })
    }

    /// What can be said before anybody is asked.
    pub(crate) fn check(&self) -> Result<()> {
        let problem = match &self.topology {
            Topology::Cluster { .. } if self.db != 0 => "a Redis Cluster has no database but 0",
            Topology::Cluster { nodes } | Topology::Sentinel { nodes, .. } if nodes.is_empty() => {
                "no host is given"
            }
            Topology::Sentinel { group, .. } if group.is_empty() => {
                "the name of the master among its Sentinels is not given"
            }
            Topology::Unix(_) if self.tls.is_some() => "there is no TLS on a Unix socket",
            _ if self.tls.is_some() && !cfg!(feature = "tls") => {
                return Err(Error::new(
                    ErrorKind::Unsupported,
                    "Redis by TLS needs tangelo-redis's feature `tls`, which this build lacks",
                ));
            }
            _ if [self.timeout, self.connect_timeout, self.response_timeout].contains(&Duration::ZERO) => {
                "a timeout of 0 leaves no time to answer"
            }
            _ => return Ok(()),
        };
        Err(Error::new(ErrorKind::Invalid, format!("the configuration of Redis: {problem}")))
    }
}

/// Where it is, without any secret: `127.0.0.1:6379`.
impl fmt::Display for RedisConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.topology {
            Topology::Single((host, port)) => write!(f, "{host}:{port}"),
            Topology::Unix(path) => write!(f, "{}", path.display()),
            Topology::Sentinel { nodes, group } => write!(f, "{group} of the Sentinels {}", list(nodes)),
            Topology::Cluster { nodes } => write!(f, "the Cluster {}", list(nodes)),
        }
    }
}

fn list(nodes: &[Address]) -> String {
    nodes.iter().map(|(host, port)| format!("{host}:{port}")).collect::<Vec<_>>().join(",")
}

/// Passwords show only as being there.
impl fmt::Debug for RedisConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hidden = |secret: &Option<String>| secret.as_ref().map(|_| "…");
        f.debug_struct("RedisConfig")
            .field("topology", &self.topology)
            .field("db", &self.db)
            .field("username", &self.username)
            .field("password", &hidden(&self.password))
            .field("sentinel_username", &self.sentinel_username)
            .field("sentinel_password", &hidden(&self.sentinel_password))
            .field("tls", &self.tls)
            .field("prefix", &self.prefix)
            .field("frontends", &self.frontends)
            .field("replicas", &self.replicas)
            .field("timeout", &self.timeout)
            .field("connect_timeout", &self.connect_timeout)
            .field("response_timeout", &self.response_timeout)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_secret_is_shown() {
        let nodes = [("a".to_owned(), 1), ("b".to_owned(), 2)];
        let config = RedisConfig::sentinel(nodes, "mymaster").password("hush").sentinel_password("quiet");
        let shown = format!("{config:?} {config}");
        assert!(!shown.contains("hush") && !shown.contains("quiet"), "{shown}");
        assert!(shown.contains("password: Some(\"…\")"), "{shown}");
        assert_eq!(config.to_string(), "mymaster of the Sentinels a:1,b:2");
    }

    #[test]
    fn what_cannot_work_is_refused_before_anybody_is_asked() {
        let kind = |config: RedisConfig| config.check().map_err(|error| error.kind());
        assert_eq!(kind(RedisConfig::cluster([("a".to_owned(), 1)]).db(1)), Err(ErrorKind::Invalid));
        assert_eq!(kind(RedisConfig::cluster([])), Err(ErrorKind::Invalid));
        assert_eq!(kind(RedisConfig::sentinel([("a".to_owned(), 1)], "")), Err(ErrorKind::Invalid));
        assert_eq!(kind(RedisConfig::default().timeout(Duration::ZERO)), Err(ErrorKind::Invalid));
        assert_eq!(kind(RedisConfig::unix("/a").tls(RedisTls::default())), Err(ErrorKind::Invalid));
        assert_eq!(kind(RedisConfig::default().db(7)), Ok(()));
    }
}
