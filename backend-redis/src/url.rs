//! Configuration as a URL.

use crate::config::{Address, DEFAULT_PORT, DEFAULT_SENTINEL_PORT, RedisConfig, Topology};
use crate::tls::RedisTls;
use core::time::Duration;
use tangelo_core::{Error, ErrorKind, Result};

/// See [`RedisConfig::from_url`].
pub(crate) fn parse(url: &str) -> Result<RedisConfig> {
    let (scheme, rest) = url.split_once("://").ok_or_else(|| invalid("it has no scheme such as redis://"))?;
    let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
    let (kind, secure) = match scheme {
        "redis+unix" | "unix" => (Kind::Unix, false),
        "redis" | "rediss" => (Kind::Single, scheme == "rediss"),
        "redis-sentinel" | "rediss-sentinel" => (Kind::Sentinel, scheme == "rediss-sentinel"),
        "redis-cluster" | "rediss-cluster" => (Kind::Cluster, scheme == "rediss-cluster"),
        _ => {
            return Err(invalid(
                "its scheme is none of redis, rediss, redis+unix, redis-sentinel, redis-cluster",
            ));
        }
    };
    let mut config = match kind {
        Kind::Unix => RedisConfig::unix(decoded(rest)?),
        Kind::Single | Kind::Sentinel | Kind::Cluster => network(kind, rest)?,
    };
    if secure {
        config.tls = Some(RedisTls::default());
    }
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        set(&mut config, key, decoded(value)?)?;
    }
    certificates(&mut config, query)?;
    config.check()?;
    Ok(config)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Single,
    Unix,
    Sentinel,
    Cluster,
}

fn network(kind: Kind, rest: &str) -> Result<RedisConfig> {
    // A password may hold an @, if it was written as it is.
    let (user, rest) = rest.rsplit_once('@').map_or((None, rest), |(user, rest)| (Some(user), rest));
    let (hosts, path) = rest.split_once('/').unwrap_or((rest, ""));
    let path = path.trim_end_matches('/');
    let port = if kind == Kind::Sentinel { DEFAULT_SENTINEL_PORT } else { DEFAULT_PORT };
    let mut nodes = hosts.split(',').map(|host| address(host, port)).collect::<Result<Vec<_>>>()?;
    let (topology, db) = match kind {
        Kind::Sentinel => {
            let (group, db) = path.split_once('/').unwrap_or((path, ""));
            (Topology::Sentinel { nodes, group: decoded(group)? }, db)
        }
        Kind::Cluster => (Topology::Cluster { nodes }, path),
        Kind::Single | Kind::Unix => match (nodes.pop(), nodes.pop()) {
            (Some(node), None) => (Topology::Single(node), path),
            _ => return Err(invalid("it names several hosts: write redis-cluster:// or redis-sentinel://")),
        },
    };
    let mut config = RedisConfig::of(topology);
    if !db.is_empty() {
        config.db = number(db)?;
    }
    if let Some(user) = user {
        let (name, password) = user.split_once(':').map_or((user, None), |(name, word)| (name, Some(word)));
        config.username = Some(decoded(name)?).filter(|name| !name.is_empty());
        config.password = password.map(decoded).transpose()?;
    }
    Ok(config)
}

fn address(text: &str, default: u16) -> Result<Address> {
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
    Ok((host.to_owned(), port))
}

fn set(config: &mut RedisConfig, key: &str, value: String) -> Result<()> {
    let millis = |value: &str| Ok::<_, Error>(Duration::from_millis(number(value)?.into()));
    match key {
        "db" => config.db = number(&value)?,
        "user" => config.username = Some(value),
        "password" => config.password = Some(value),
        "sentinel_user" => config.sentinel_username = Some(value),
        "sentinel_password" => config.sentinel_password = Some(value),
        "prefix" => config.prefix = value,
        "replicas" => config.replicas = number(&value)?,
        "timeout" => config.timeout = millis(&value)?,
        "connect_timeout" => config.connect_timeout = millis(&value)?,
        "response_timeout" => config.response_timeout = millis(&value)?,
        "ca" | "cert" | "key" if config.tls.is_some() => {}
        "ca" | "cert" | "key" => return Err(invalid("certificates are for rediss://")),
        // Not named: it may be a piece of a password that was written as it is.
        _ => return Err(invalid("behind its ? stands a setting that is not known")),
    }
    Ok(())
}

fn certificates(config: &mut RedisConfig, query: &str) -> Result<()> {
    let file = |name: &str| {
        let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
        pairs.find(|(key, _)| *key == name).map(|(_, value)| decoded(value)).transpose()
    };
    let Some(mut tls) = config.tls.take() else { return Ok(()) };
    if let Some(ca) = file("ca")? {
        tls = tls.authorities_file(ca)?;
    }
    tls = match (file("cert")?, file("key")?) {
        (Some(certificate), Some(key)) => tls.client_certificate_files(certificate, key)?,
        (None, None) => tls,
        _ => return Err(invalid("`cert` and `key` go together")),
    };
    config.tls = Some(tls);
    Ok(())
}

fn number(text: &str) -> Result<u32> {
    text.parse().map_err(|_| invalid("the database, or a setting behind its ?, should be a number"))
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
    Error::new(ErrorKind::Invalid, format!("the URL of Redis cannot be used: {what}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(host: &str, port: u16) -> Address {
        (host.to_owned(), port)
    }

    #[test]
    fn every_kind_of_store_has_a_url() {
        let parsed = |url: &str| parse(url).unwrap_or_else(|error| panic!("{url}: {error}"));
        assert_eq!(parsed("redis://localhost"), RedisConfig::new("localhost", 6379));
        assert_eq!(
            parsed("redis://game:p%40ss%3Aw@10.0.0.1:7000/3"),
            RedisConfig::new("10.0.0.1", 7000).username("game").password("p@ss:w").db(3)
        );
        assert_eq!(parsed("redis://:p@ss@h/"), RedisConfig::new("h", 6379).password("p@ss"));
        assert_eq!(parsed("redis://[::1]:7000"), RedisConfig::new("::1", 7000));
        assert_eq!(parsed("redis://[::1]"), RedisConfig::new("::1", 6379));
        assert_eq!(
            parsed("redis+unix:///run/my%20redis.sock?db=2&password=x"),
            RedisConfig::unix("/run/my redis.sock").db(2).password("x")
        );
        assert_eq!(
            parsed("redis-sentinel://:pw@a,b:7/mymaster/4?sentinel_password=s"),
            RedisConfig::sentinel([node("a", 26379), node("b", 7)], "mymaster")
                .password("pw")
                .sentinel_password("s")
                .db(4)
        );
        assert_eq!(
            parsed("redis-cluster://a,b:7?prefix=GAME&timeout=1500&replicas=1"),
            RedisConfig::cluster([node("a", 6379), node("b", 7)])
                .prefix("GAME")
                .timeout(Duration::from_millis(1500))
                .replicas(1)
        );
    }

    #[cfg(feature = "tls")]
    #[test]
    fn tls_is_one_letter_away() {
        let config = parse("rediss://h").expect("a URL");
        assert_eq!(config, RedisConfig::new("h", 6379).tls(RedisTls::default()));
        assert!(parse("rediss://h?ca=/no/such/file").is_err());
        assert!(parse("rediss://h?cert=/a").is_err());
    }

    #[test]
    fn mistakes_are_named_without_the_password() {
        for (url, word) in [
            ("localhost:6379", "scheme"),
            ("http://:hush@h", "scheme"),
            ("redis://:hush@", "no host"),
            ("redis://:hush@h:99999", "port"),
            ("redis://:hush@h:x", "port"),
            ("redis://:hush@h/x", "number"),
            ("redis://:hush@a,b", "several"),
            ("redis://:hush%4@h", "%25"),
            ("redis://:hush%ff@h", "UTF-8"),
            ("redis://:hush@h?nonsense=1", "setting"),
            ("redis://:a?hush@h", "%3F"),
            ("redis://h/hush", "number"),
            ("redis://:hush@h?ca=/a", "rediss"),
            ("redis-cluster://:hush@a/1", "database"),
            ("redis-sentinel://:hush@a", "master"),
            ("redis://:hush@[::1", "["),
        ] {
            let error = parse(url).expect_err(url);
            assert_eq!(error.kind(), ErrorKind::Invalid, "{url}");
            let error = error.to_string();
            assert!(error.contains(word) && !error.contains("hush"), "{url}: {error}");
        }
    }
}
