//! The address of a store, which may hold a password.

use super::ChannelStore;
use alloc::string::String;
use core::fmt;

/// The longest, in bytes.
const LONGEST: usize = 4096;

/// The address of a store. Nothing shows a password in it by accident: there is no `Display`, and
/// `Debug` leaves out whatever stands between the scheme and the host, and behind a `?`.
#[derive(Clone, PartialEq, Eq)]
pub struct StoreUrl(String);

impl StoreUrl {
    /// An address as it is.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The address itself, for whoever connects to it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// What stands before the first colon, if that can be a scheme.
    #[must_use]
    pub fn scheme(&self) -> Option<&str> {
        let (scheme, _) = self.0.split_once(':')?;
        let allowed = |c: u8| c.is_ascii_alphanumeric() || matches!(c, b'+' | b'-' | b'.');
        (scheme.len() > 1 && scheme.bytes().all(allowed)).then_some(scheme)
    }

    /// The kind of store that the scheme stands for.
    #[must_use]
    pub fn store(&self) -> Option<ChannelStore> {
        match self.scheme()? {
            "redis" | "rediss" | "valkey" | "valkeys" | "redis+unix" | "unix" | "redis-sentinel"
            | "rediss-sentinel" | "redis-cluster" | "rediss-cluster" => Some(ChannelStore::Redis),
            "postgres" | "postgresql" => Some(ChannelStore::Postgres),
            "mysql" | "mariadb" => Some(ChannelStore::MySql),
            "sqlite" => Some(ChannelStore::Sqlite),
            _ => None,
        }
    }

    /// The name and password, if there are any.
    fn login(&self) -> Option<&str> {
        let (_, rest) = self.0.split_once("://")?;
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        authority.rsplit_once('@').map(|(login, _)| login)
    }

    pub(super) fn has_login(&self) -> bool {
        self.login().is_some()
    }

    pub(super) fn check(&self) -> Result<(), &'static str> {
        if self.0.is_empty() || self.0.len() > LONGEST || self.0.contains(|c: char| c.is_control()) {
            return Err(
                "expected the address of a store, of 1 to 4096 characters without control characters",
            );
        }
        Ok(())
    }
}

impl From<&str> for StoreUrl {
    fn from(text: &str) -> Self {
        Self::new(text)
    }
}

impl fmt::Debug for StoreUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Without "://" nobody knows where a password would end.
        let Some((scheme, rest)) = self.0.split_once("://") else {
            return f.write_str(self.scheme().map_or("StoreUrl(…)", |_| "StoreUrl(…:…)"));
        };
        let (rest, parameters) = rest.split_at(rest.find(['?', '#']).unwrap_or(rest.len()));
        match rest.rsplit_once('@') {
            // The mark may be part of a password that somebody forgot to encode.
            _ if parameters.contains('@') => write!(f, "StoreUrl({scheme}://…)"),
            Some((_, host)) => write!(f, "StoreUrl({scheme}://…@{host})"),
            None => write!(f, "StoreUrl({scheme}://{rest})"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;

    #[test]
    fn no_password_is_shown() {
        for (url, shown) in [
            ("redis://u:hush@a:6379/0?password=hush", "StoreUrl(redis://…@a:6379/0)"),
            ("redis://:h@sh@a", "StoreUrl(redis://…@a)"),
            ("redis://u:hu/sh@a/0", "StoreUrl(redis://…@a/0)"),
            ("redis://u:hush?hu@a/0", "StoreUrl(redis://…)"),
            ("redis://u:hush@a/0?password=h@sh", "StoreUrl(redis://…)"),
            ("postgres://a/game", "StoreUrl(postgres://a/game)"),
            ("u:hush@a", "StoreUrl(…)"),
            ("user:hush@a", "StoreUrl(…:…)"),
            ("run/channels.db", "StoreUrl(…)"),
        ] {
            assert_eq!(format!("{:?}", StoreUrl::new(url)), shown);
        }
    }

    #[test]
    fn schemes_tell_the_store() {
        assert_eq!(StoreUrl::new("rediss://a").store(), Some(ChannelStore::Redis));
        assert_eq!(StoreUrl::new("mariadb://a").store(), Some(ChannelStore::MySql));
        assert_eq!(StoreUrl::new("sqlite:a.db").store(), Some(ChannelStore::Sqlite));
        for other in ["http://a", "a.db", "C:\\a.db", "", "run/a:b.db"] {
            assert_eq!(StoreUrl::new(other).store(), None, "{other}");
        }
    }
}
