//! Configuration as a URL.

use crate::config::SqlConfig;
use core::time::Duration;
use tangelo_core::{Error, ErrorKind, Result};

const POSTGRES_PORT: u16 = 5432;
const MYSQL_PORT: u16 = 3306;

/// See [`SqlConfig::from_url`].
pub(crate) fn parse(url: &str) -> Result<SqlConfig> {
    const SCHEMES: &str = "postgres, postgresql, mysql, mariadb, sqlite";
    let (scheme, rest) = url
        .split_once(':')
        .ok_or_else(|| invalid("it has no scheme, which is one of postgres, mysql, sqlite"))?;
    let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
    let mut config = match scheme {
        "postgres" | "postgresql" => server(rest, POSTGRES_PORT, SqlConfig::postgres)?,
        "mysql" | "mariadb" => server(rest, MYSQL_PORT, SqlConfig::mysql)?,
        "sqlite" => SqlConfig::sqlite(decoded(rest.strip_prefix("//").unwrap_or(rest))?),
        _ => return Err(invalid(&format!("its scheme is none of {SCHEMES}"))),
    };
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        config = set(config, scheme == "sqlite", key, decoded(value)?)?;
    }
    config.check()?;
    Ok(config)
}

fn server(rest: &str, port: u16, make: impl FnOnce(String, u16) -> SqlConfig) -> Result<SqlConfig> {
    let rest = rest.strip_prefix("//").ok_or_else(|| invalid("behind its scheme stands no //"))?;
    // A password may hold an @, if it was written as it is.
    let (user, rest) = rest.rsplit_once('@').map_or((None, rest), |(user, rest)| (Some(user), rest));
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    let (host, port) = address(host, port)?;
    let mut config = make(decoded(host)?, port);
    if path.contains('/') {
        return Err(invalid("it names more than a database (in a name or a password / is written %2F)"));
    }
    config.database = Some(decoded(path)?).filter(|name| !name.is_empty());
    if let Some(user) = user {
        let (name, password) = user.split_once(':').map_or((user, None), |(name, word)| (name, Some(word)));
        config.user = Some(decoded(name)?).filter(|name| !name.is_empty());
        config.password = password.map(decoded).transpose()?;
    }
    Ok(config)
}

fn address(text: &str, default: u16) -> Result<(&str, u16)> {
    let (host, port) = if let Some(rest) = text.strip_prefix('[') {
        let (host, port) = rest.split_once(']').ok_or_else(|| invalid("a [ of a host is not closed"))?;
        (host, port.strip_prefix(':'))
    } else {
        text.rsplit_once(':').map_or((text, None), |(host, port)| (host, Some(port)))
    };
    if host.is_empty() {
        return Err(invalid("it names no host (in a password ? is written %3F, and / %2F)"));
    }
    let port = port
        .map_or(Ok(default), |port| port.parse().map_err(|_| invalid("a port is no number up to 65535")))?;
    Ok((host, port))
}

fn set(config: SqlConfig, file: bool, key: &str, value: String) -> Result<SqlConfig> {
    let millis = |value: &str| Ok::<_, Error>(Duration::from_millis(number(value)?.into()));
    Ok(match key {
        "prefix" => config.prefix(value),
        "timeout" => config.timeout(millis(&value)?),
        "connect_timeout" => config.connect_timeout(millis(&value)?),
        "synchronous" if file => match &*value {
            "full" => config.power_safe(true),
            "normal" => config.power_safe(false),
            _ => return Err(invalid("`synchronous` is `full` or `normal`")),
        },
        "connections" if !file => config.connections(number(&value)?),
        "sslmode" | "ssl-mode" if !file => match &*value.to_ascii_lowercase().replace('_', "-") {
            "disable" | "disabled" => config.tls(false),
            "require" | "required" | "verify-ca" | "verify-full" | "verify-identity" => config.tls(true),
            _ => return Err(invalid("`sslmode` is `disable` or `verify-full`")),
        },
        "sslrootcert" | "ssl-ca" if !file => config.ca(value),
        // Not named: it may be a piece of a password that was written as it is.
        _ => return Err(invalid("behind its ? stands a setting that is not known")),
    })
}

fn number(text: &str) -> Result<u32> {
    text.parse().map_err(|_| invalid("a setting behind its ? should be a number"))
}

fn decoded(text: &str) -> Result<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, tail)) = rest.split_first() {
        rest = tail;
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let code = tail.get(..2).and_then(|code| core::str::from_utf8(code).ok());
        let byte = code.filter(|code| code.bytes().all(|digit| digit.is_ascii_hexdigit()));
        let byte = byte.and_then(|code| u8::from_str_radix(code, 16).ok());
        bytes.push(byte.ok_or_else(|| invalid("a % is not followed by two hexadecimal digits: write %25"))?);
        rest = &tail[2..];
    }
    String::from_utf8(bytes).map_err(|_| invalid("it is not UTF-8 when decoded"))
}

fn invalid(what: &str) -> Error {
    Error::new(ErrorKind::Invalid, format!("the URL of the database cannot be used: {what}"))
}

#[cfg(all(test, feature = "postgres", feature = "mysql", feature = "sqlite"))]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_store_has_a_url() {
        let parsed = |url: &str| parse(url).unwrap_or_else(|error| panic!("{url}: {error}"));
        assert_eq!(parsed("postgres://localhost"), SqlConfig::postgres("localhost", 5432));
        assert_eq!(
            parsed("postgresql://game:p%40ss%3Aw@10.0.0.1:7000/db"),
            SqlConfig::postgres("10.0.0.1", 7000).user("game").password("p@ss:w").database("db")
        );
        assert_eq!(
            parsed("postgres://anna@%2Frun%2Fpostgresql/db"),
            SqlConfig::postgres("/run/postgresql", 5432).user("anna").database("db")
        );
        assert_eq!(parsed("mysql://a:p@ss@[::1]:7/"), SqlConfig::mysql("::1", 7).user("a").password("p@ss"));
        assert_eq!(
            parsed("mariadb://h/db?prefix=game&timeout=1500&connections=9"),
            SqlConfig::mysql("h", 3306)
                .database("db")
                .prefix("game")
                .timeout(Duration::from_millis(1500))
                .connections(9)
        );
        assert_eq!(parsed("sqlite:run/a%20b.db"), SqlConfig::sqlite("run/a b.db"));
        assert_eq!(parsed("sqlite://a.db?synchronous=normal"), SqlConfig::sqlite("a.db").power_safe(false));
        assert_eq!(parsed("sqlite:///var/a.db"), SqlConfig::sqlite("/var/a.db"));
    }

    #[cfg(feature = "tls")]
    #[test]
    fn tls_is_a_setting() {
        let plain = SqlConfig::postgres("h", 5432);
        assert_eq!(parse("postgres://h?sslmode=verify-full").expect("a URL"), plain.clone().tls(true));
        assert_eq!(parse("postgres://h?sslrootcert=/ca.pem").expect("a URL"), plain.ca("/ca.pem"));
        let secure = SqlConfig::mysql("h", 3306).tls(true);
        assert_eq!(parse("mysql://h?ssl-mode=VERIFY_IDENTITY").expect("a URL"), secure);
    }

    #[test]
    fn mistakes_are_named_without_the_password() {
        for (url, word) in [
            ("localhost", "scheme"),
            ("http://:hush@h", "scheme"),
            ("postgres:hush@h", "//"),
            ("postgres://a:hush@", "no host"),
            ("postgres://a:hush@h:99999", "port"),
            ("mysql://a:hush@h:x", "port"),
            ("mysql://a:hush%4@h", "%25"),
            ("mysql://a:hush%ff@h", "UTF-8"),
            ("mysql://a:hush@h?nonsense=1", "setting"),
            ("mysql://a:b?hush@h", "port"),
            ("mysql://h/db/hush", "%2F"),
            ("mysql://a:hush@h?timeout=x", "number"),
            ("mysql://a:hush@h?sslmode=prefer", "sslmode"),
            ("postgres://a:hush@[::1", "["),
            ("postgres://a:hush@h?prefix=A-B", "small letters"),
            ("sqlite:", "no file"),
            ("sqlite::memory:", "memory"),
            ("sqlite:a.db?connections=1", "setting"),
            ("sqlite:a.db?synchronous=off", "synchronous"),
        ] {
            let error = parse(url).expect_err(url);
            assert_eq!(error.kind(), ErrorKind::Invalid, "{url}");
            let error = error.to_string();
            assert!(error.contains(word) && !error.contains("hush"), "{url}: {error}");
        }
    }
}
