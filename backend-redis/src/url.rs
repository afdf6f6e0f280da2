//! Configuration as a URL.

use crate::config::{Address, DEFAULT_PORT, DEFAULT_SENTINEL_PORT, RedisConfig, Topology};
use crate::tls::RedisTls;
use core::time::Duration;
use tangelo_core::{Error, ErrorKind, Result};

/// See [`RedisConfig::from_url`].
pub(crate) fn parse(url: &str) -> Result<RedisConfig> {
    parse_as(url, None)
}

/// What servers that have a URL each are together.
#[derive(Clone, Copy)]
pub(crate) enum Role<'a> {
    /// Sentinels, which know the master by this name.
    Sentinels(&'a str),
    /// Nodes of a Cluster.
    Cluster,
}

impl Role<'_> {
    fn topology(self, nodes: Vec<Address>) -> Topology {
        match self {
            Self::Sentinels(group) => Topology::Sentinel { nodes, group: group.to_owned() },
            Self::Cluster => Topology::Cluster { nodes },
        }
    }
}

/// One store, whose servers have a URL each. All but host and port is the same in all of them.
pub(crate) fn parse_all<'u>(urls: impl IntoIterator<Item = &'u str>, role: Role<'_>) -> Result<RedisConfig> {
    let mut all = urls.into_iter().map(|url| parse_as(url, Some(role))).collect::<Result<Vec<_>>>()?;
    let mut nodes = Vec::new();
    for config in &mut all {
        match core::mem::replace(&mut config.topology, role.topology(Vec::new())) {
            Topology::Sentinel { nodes: more, .. } | Topology::Cluster { nodes: more } => nodes.extend(more),
            Topology::Single(_) | Topology::Unix(_) => {}
        }
    }
    let mut config = all.pop().ok_or_else(|| invalid("there is none"))?;
    if all.iter().any(|other| *other != config) {
        return Err(invalid("those of one store differ in more than host and port"));
    }
    config.topology = role.topology(nodes);
    config.check()?;
    Ok(config)
}

fn parse_as(url: &str, role: Option<Role<'_>>) -> Result<RedisConfig> {
    let (scheme, rest) = url.split_once("://").ok_or_else(|| invalid("it has no scheme such as redis://"))?;
    let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
    let (kind, secure) = match scheme {
        "redis+unix" | "unix" => (Kind::Unix, false),
        "redis" | "valkey" => (Kind::Single, false),
        "rediss" | "valkeys" => (Kind::Single, true),
        "redis-sentinel" | "rediss-sentinel" => (Kind::Sentinel, scheme == "rediss-sentinel"),
        "redis-cluster" | "rediss-cluster" => (Kind::Cluster, scheme == "rediss-cluster"),
        _ => {
            return Err(invalid(
                "its scheme is none of redis, rediss, redis+unix, redis-sentinel, redis-cluster",
            ));
        }
    };
    let mut config = match (kind, role) {
        (Kind::Unix, None) => RedisConfig::unix(decoded(rest)?),
        (Kind::Unix, Some(_)) => return Err(invalid("a Unix socket is neither a Sentinel nor of a Cluster")),
        (_, Some(Role::Sentinels(group))) => network(Kind::Sentinel, Some(group), rest)?,
        (_, Some(Role::Cluster)) => network(Kind::Cluster, None, rest)?,
        (kind, None) => network(kind, None, rest)?,
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

fn network(kind: Kind, group: Option<&str>, rest: &str) -> Result<RedisConfig> {
    // A password may hold an @, if it was written as it is.
    let (user, rest) = rest.rsplit_once('@').map_or((None, rest), |(user, rest)| (Some(user), rest));
    let (hosts, path) = rest.split_once('/').unwrap_or((rest, ""));
    let path = path.trim_end_matches('/');
    let port = if kind == Kind::Sentinel { DEFAULT_SENTINEL_PORT } else { DEFAULT_PORT };
    let mut nodes = hosts.split(',').map(|host| address(host, port)).collect::<Result<Vec<_>>>()?;
    let (topology, db) = match kind {
        Kind::Sentinel => {
            let (group, db) = match group {
                Some(group) => (group.to_owned(), path),
                None => {
                    let (group, db) = path.split_once('/').unwrap_or((path, ""));
                    (decoded(group)?, db)
                }
            };
            (Topology::Sentinel { nodes, group }, db)
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

    #[test]
    fn servers_with_a_url_each_are_one_store() {
        let urls = ["redis://:pw@a/2", "valkey://:pw@b:7/2"];
        let sentinels = parse_all(urls, Role::Sentinels("my/master")).expect("Sentinels");
        let nodes = [node("a", 26379), node("b", 7)];
        assert_eq!(sentinels, RedisConfig::sentinel(nodes, "my/master").password("pw").db(2));
        let cluster = parse_all(["redis://a", "redis://b:7"], Role::Cluster).expect("a Cluster");
        assert_eq!(cluster, RedisConfig::cluster([node("a", 6379), node("b", 7)]));
        for (urls, word) in [
            (&[][..], "none"),
            (&["redis://:hush@a", "redis://b"], "differ"),
            (&["redis://a/1", "redis://b/1"], "database"),
            (&["unix:///a"], "socket"),
        ] {
            let error = parse_all(urls.iter().copied(), Role::Cluster).expect_err(word).to_string();
            assert!(error.contains(word) && !error.contains("hush"), "{error}");
        }
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
