//! Where the database is, and how it is spoken to.

use crate::url;
use core::fmt;
use core::time::Duration;
use std::path::{Path, PathBuf};
use tangelo_core::{Error, ErrorKind, Result};

/// What the names of all tables begin with, unless something else is given.
pub const DEFAULT_PREFIX: &str = "tangelo";

/// PostgreSQL cuts names at 63 bytes.
const LONGEST_PREFIX: usize = 32;

/// Which database it is, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Database {
    /// A PostgreSQL server.
    Postgres {
        /// Its name or address, or the directory of its Unix socket (`/run/postgresql`).
        host: String,
        /// Usually 5432.
        port: u16,
    },
    /// A MySQL or MariaDB server.
    MySql {
        /// Its name or address, or the path of its Unix socket (`/run/mysqld/mysqld.sock`).
        host: String,
        /// Usually 3306.
        port: u16,
    },
    /// An SQLite file, for the processes of one machine.
    Sqlite(PathBuf),
}

impl Database {
    /// What it is called.
    pub(crate) const fn product(&self) -> &'static str {
        match self {
            Self::Postgres { .. } => "PostgreSQL",
            Self::MySql { .. } => "MySQL",
            Self::Sqlite(_) => "SQLite",
        }
    }
}

/// Where the database is, and how it is spoken to.
///
/// ```
/// use tangelo_sql::SqlConfig;
///
/// let parts = SqlConfig::postgres("10.0.0.1", 5432).database("game").user("anna").password("secret");
/// let by_url = SqlConfig::from_url("postgres://anna:secret@10.0.0.1/game")?;
/// assert_eq!(parts, by_url);
/// assert!(!format!("{parts:?}").contains("secret"));
/// # Ok::<(), tangelo_core::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct SqlConfig {
    pub(crate) at: Database,
    pub(crate) database: Option<String>,
    pub(crate) user: Option<String>,
    pub(crate) password: Option<String>,
    pub(crate) tls: bool,
    pub(crate) ca: Option<PathBuf>,
    pub(crate) prefix: String,
    pub(crate) connections: u32,
    pub(crate) timeout: Duration,
    pub(crate) connect_timeout: Duration,
    pub(crate) power_safe: bool,
}

impl SqlConfig {
    /// A PostgreSQL server; the directory of a Unix socket is a host too.
    #[must_use]
    pub fn postgres(host: impl Into<String>, port: u16) -> Self {
        Self::of(Database::Postgres { host: host.into(), port })
    }

    /// A MySQL or MariaDB server; the path of a Unix socket is a host too.
    #[must_use]
    pub fn mysql(host: impl Into<String>, port: u16) -> Self {
        Self::of(Database::MySql { host: host.into(), port })
    }

    /// An SQLite file, which is made if it is not there, with the directory that it is in.
    #[must_use]
    pub fn sqlite(path: impl AsRef<Path>) -> Self {
        Self::of(Database::Sqlite(path.as_ref().to_owned()))
    }

    /// Any of them, by a URL. User, password, host and path may be percent-encoded: the Unix socket of a server is
    /// its host, as in `postgres://%2Frun%2Fpostgresql/game`.
    ///
    /// | URL | |
    /// |---|---|
    /// | `postgres://[user[:password]@]host[:port]/database` (or `postgresql://`) | PostgreSQL |
    /// | `mysql://[user[:password]@]host[:port]/database` (or `mariadb://`) | MySQL or MariaDB |
    /// | `sqlite:path/to/file.db`, `sqlite:///absolute/path.db` | SQLite |
    ///
    /// After a `?` may stand `prefix`, `timeout` and `connect_timeout` (milliseconds); for a server also
    /// `connections`, `sslmode` (or `ssl-mode`: `disable`, or one of `require`, `required`, `verify-ca`,
    /// `verify_ca`, `verify-full`, `verify_identity`, which all check the certificate and the host) and the file
    /// `sslrootcert` (or `ssl-ca`); for SQLite `synchronous` (`full` or `normal`, see
    /// [`power_safe`](Self::power_safe)).
    ///
    /// # Errors
    /// [`Invalid`](ErrorKind::Invalid), with what is wrong and without the URL, which may hold a password;
    /// [`Unsupported`](ErrorKind::Unsupported) if this build lacks the feature for it.
    pub fn from_url(url: &str) -> Result<Self> {
        url::parse(url)
    }

    /// The name of the database on a server. Default: the server's own choice, which is that of the user.
    #[must_use]
    pub fn database(self, name: impl Into<String>) -> Self {
        Self { database: Some(name.into()), ..self }
    }

    /// Whom to authenticate as. Default: the one who runs this process for PostgreSQL, `root` for MySQL.
    #[must_use]
    pub fn user(self, user: impl Into<String>) -> Self {
        Self { user: Some(user.into()), ..self }
    }

    /// The password of the user. Default: none.
    #[must_use]
    pub fn password(self, password: impl Into<String>) -> Self {
        Self { password: Some(password.into()), ..self }
    }

    /// Speaks TLS with the server (the feature `tls` of this crate), whose certificate must be signed by an
    /// authority that this system trusts, for the host that is connected to. Default: in the clear.
    #[must_use]
    pub fn tls(self, tls: bool) -> Self {
        Self { tls, ..self }
    }

    /// Trusts the authorities of this file (PEM), instead of the system's; implies [`tls`](Self::tls).
    #[must_use]
    pub fn ca(self, file: impl AsRef<Path>) -> Self {
        Self { ca: Some(file.as_ref().to_owned()), tls: true, ..self }
    }

    /// What the names of all tables begin with: 1 to 32 small letters, digits and `_`, a letter first. Clusters
    /// that share a database need different ones. Default: [`DEFAULT_PREFIX`].
    #[must_use]
    pub fn prefix(self, prefix: impl Into<String>) -> Self {
        Self { prefix: prefix.into(), ..self }
    }

    /// The most connections that are kept to the server; SQLite has one more than this, for changes.
    /// Default: 4.
    #[must_use]
    pub fn connections(self, connections: u32) -> Self {
        Self { connections, ..self }
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

    /// SQLite only: whether a change is acknowledged only when it is on the disk (`synchronous=FULL`). Without it
    /// (`NORMAL`) a power failure may take the last changes; the end of processes never does. Default: true.
    #[must_use]
    pub fn power_safe(self, power_safe: bool) -> Self {
        Self { power_safe, ..self }
    }

    /// Which database it is, and where.
    #[must_use]
    pub const fn place(&self) -> &Database {
        &self.at
    }

    pub(crate) fn of(at: Database) -> Self {
        Self {
            at,
            database: None,
            user: None,
            password: None,
            tls: false,
            ca: None,
            prefix: DEFAULT_PREFIX.to_owned(),
            connections: 4,
            timeout: Duration::from_secs(5),
            connect_timeout: Duration::from_secs(2),
            power_safe: true,
        }
    }

    /// What can be said before anybody is asked.
    pub(crate) fn check(&self) -> Result<()> {
        let product = self.at.product();
        let (feature, compiled) = match self.at {
            Database::Postgres { .. } => ("postgres", cfg!(feature = "postgres")),
            Database::MySql { .. } => ("mysql", cfg!(feature = "mysql")),
            Database::Sqlite(_) => ("sqlite", cfg!(feature = "sqlite")),
        };
        let lacks = |what: &str, feature: &str| {
            let message = format!("{what} needs tangelo-sql's feature `{feature}`, which this build lacks");
            Err(Error::new(ErrorKind::Unsupported, message))
        };
        if !compiled {
            return lacks(product, feature);
        }
        if self.tls && !cfg!(feature = "tls") {
            return lacks(&format!("{product} by TLS"), "tls");
        }
        let letters = |text: &str| {
            text.bytes().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'_')
                && text.starts_with(|c: char| c.is_ascii_lowercase())
        };
        let problem = match &self.at {
            Database::Sqlite(path) if path.as_os_str().is_empty() => "no file is given",
            Database::Sqlite(path) if path.to_string_lossy().contains(":memory:") => {
                "a database in memory is not shared with other processes: give a file"
            }
            Database::Sqlite(_) if self.tls => "there is no TLS to a file",
            Database::Sqlite(_)
                if self.user.is_some() || self.password.is_some() || self.database.is_some() =>
            {
                "a file has no user, password or database's name"
            }
            Database::Postgres { host, .. } | Database::MySql { host, .. } if host.is_empty() => {
                "no host is given"
            }
            Database::Postgres { host, .. } | Database::MySql { host, .. }
                if self.tls && host.starts_with('/') =>
            {
                "there is no TLS on a Unix socket"
            }
            _ if self.connections == 0 => "it cannot do without a connection",
            _ if self.prefix.len() > LONGEST_PREFIX || !letters(&self.prefix) => {
                "a prefix of tables is 1 to 32 small letters, digits and _, a letter first"
            }
            _ if self.timeout.is_zero() || self.connect_timeout.is_zero() => {
                "a timeout of 0 leaves no time to answer"
            }
            _ => return Ok(()),
        };
        Err(Error::new(ErrorKind::Invalid, format!("the configuration of {product}: {problem}")))
    }
}

/// What and where it is, without any secret: `PostgreSQL at 10.0.0.1:5432`.
impl fmt::Display for SqlConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let product = self.at.product();
        match &self.at {
            Database::Postgres { host, .. } | Database::MySql { host, .. } if host.starts_with('/') => {
                write!(f, "{product} at {host}")
            }
            Database::Postgres { host, port } | Database::MySql { host, port } => {
                write!(f, "{product} at {host}:{port}")
            }
            Database::Sqlite(path) => write!(f, "{product} in {}", path.display()),
        }
    }
}

/// Passwords show only as being there.
impl fmt::Debug for SqlConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqlConfig")
            .field("at", &self.at)
            .field("database", &self.database)
            .field("user", &self.user)
            .field("password", &self.password.as_ref().map(|_| "…"))
            .field("tls", &self.tls)
            .field("ca", &self.ca)
            .field("prefix", &self.prefix)
            .field("connections", &self.connections)
            .field("timeout", &self.timeout)
            .field("connect_timeout", &self.connect_timeout)
            .field("power_safe", &self.power_safe)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_secret_is_shown() {
        let config = SqlConfig::mysql("a", 1).user("anna").password("hush");
        let shown = format!("{config:?} {config}");
        assert!(!shown.contains("hush"), "{shown}");
        assert!(shown.contains("password: Some(\"…\")") && shown.ends_with("MySQL at a:1"), "{shown}");
    }

    #[test]
    fn what_cannot_work_is_refused_before_anybody_is_asked() {
        let kind = |config: SqlConfig| config.check().map_err(|error| error.kind());
        let file = || SqlConfig::sqlite("a.db");
        for wrong in [
            file().timeout(Duration::ZERO),
            file().connections(0),
            file().tls(true),
            file().user("anna"),
            file().prefix(""),
            file().prefix("Game"),
            file().prefix("1game"),
            file().prefix("game; DROP"),
            file().prefix("x".repeat(33)),
            SqlConfig::sqlite(""),
            SqlConfig::sqlite(":memory:"),
        ] {
            assert_eq!(kind(wrong.clone()), Err(ErrorKind::Invalid), "{wrong:?}");
        }
        assert_eq!(kind(file().prefix("game_2")), Ok(()));
    }

    #[cfg(not(feature = "postgres"))]
    #[test]
    fn a_store_that_is_not_compiled_in_names_the_feature() {
        let error = SqlConfig::postgres("a", 1).check().expect_err("it is not there");
        assert_eq!(error.kind(), ErrorKind::Unsupported);
        assert!(error.to_string().contains("`postgres`"), "{error}");
    }
}
