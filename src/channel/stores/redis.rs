//! Redis, as globalChannel.json describes it.

use crate::app::App;
use alloc::sync::Arc;
use std::path::Path;
use tangelo_core::config::GlobalChannelConfig;
use tangelo_core::{ChannelManager, Result};
use tangelo_redis::{DEFAULT_PORT, DEFAULT_SENTINEL_PORT, RedisChannelManager, RedisConfig, RedisTls};

/// Redis, as one server, behind Sentinels or as a Cluster.
///
/// # Errors
/// What is wrong with the settings.
pub(crate) fn manager(app: &App, config: &GlobalChannelConfig) -> Result<Arc<dyn ChannelManager>> {
    let config = settings(app.dir(), config)?;
    Ok(Arc::new(RedisChannelManager::new(config, Arc::clone(app.runtime()))?))
}

fn settings(dir: &Path, config: &GlobalChannelConfig) -> Result<RedisConfig> {
    let mut redis = place(config)?.timeout(config.timeout);
    if let Some(db) = config.db.as_deref().and_then(|db| db.parse().ok()) {
        redis = redis.db(db);
    }
    if let Some(user) = &config.user {
        redis = redis.username(user);
    }
    if let Some(password) = &config.password {
        redis = redis.password(password.expose());
    }
    if let Some(prefix) = &config.prefix {
        redis = redis.prefix(prefix);
    }
    if let Some(ca) = &config.ca {
        redis = redis.authorities_file(dir.join(ca))?;
    }
    Ok(redis)
}

/// Which servers they are, and whether they speak TLS.
fn place(config: &GlobalChannelConfig) -> Result<RedisConfig> {
    let urls = || config.url.iter().map(|url| url.expose());
    let node = |usual| [(config.host.clone(), config.port.unwrap_or(usual))];
    let redis = match (&config.sentinel, config.url.first()) {
        (Some(group), None) => RedisConfig::sentinel(node(DEFAULT_SENTINEL_PORT), group),
        (Some(group), Some(_)) => RedisConfig::sentinels_from_urls(urls(), group)?,
        (None, None) if config.cluster => RedisConfig::cluster(node(DEFAULT_PORT)),
        (None, Some(_)) if config.cluster => RedisConfig::cluster_from_urls(urls())?,
        (None, None) => RedisConfig::new(&*config.host, config.port.unwrap_or(DEFAULT_PORT)),
        (None, Some(url)) => RedisConfig::from_url(url.expose())?,
    };
    Ok(if config.tls { redis.tls(RedisTls::default()) } else { redis })
}

#[cfg(test)]
mod tests {
    use super::super::tests::parsed;
    use super::*;
    use core::time::Duration;
    use tangelo_services::redis::{Options, Redis};

    #[track_caller]
    fn made(text: &str) -> RedisConfig {
        settings(Path::new("/app"), &parsed(text)).unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    #[test]
    fn every_setting_arrives() {
        let usual = |host| RedisConfig::new(host, 6379);
        assert_eq!(made("{}"), usual("127.0.0.1"));
        assert_eq!(made(r#"{"host": "10.0.0.1", "port": 7000}"#), RedisConfig::new("10.0.0.1", 7000));
        assert_eq!(
            made(
                r#"{"host": "a", "db": "2", "user": "game", "auth_pass": "hush", "prefix": "GAME", "timeout": 700}"#
            ),
            usual("a")
                .db(2)
                .username("game")
                .password("hush")
                .prefix("GAME")
                .timeout(Duration::from_millis(700))
        );
        assert_eq!(
            made(r#"{"url": "redis://game:hush@a/3?replicas=1", "prefix": "GAME"}"#),
            usual("a").username("game").password("hush").db(3).replicas(1).prefix("GAME")
        );
        assert_eq!(made(r#"{"url": "redis+unix:///run/redis.sock"}"#), RedisConfig::unix("/run/redis.sock"));
        assert_eq!(made(r#"{"host": "a", "tls": true}"#), usual("a").tls(RedisTls::default()));
        assert_eq!(made(r#"{"url": "rediss://a"}"#), usual("a").tls(RedisTls::default()));
    }

    #[test]
    fn sentinels_and_clusters_have_addresses_or_a_host() {
        let nodes = |port| [("a".to_owned(), port), ("b".to_owned(), 7)];
        assert_eq!(
            made(r#"{"host": "a", "sentinel": "mymaster", "password": "hush", "db": 1}"#),
            RedisConfig::sentinel([("a".to_owned(), 26379)], "mymaster").password("hush").db(1)
        );
        assert_eq!(
            made(r#"{"url": ["redis://a", "redis://b:7"], "sentinel": "mymaster"}"#),
            RedisConfig::sentinel(nodes(26379), "mymaster")
        );
        assert_eq!(
            made(r#"{"url": "redis-sentinel://a,b:7/mymaster"}"#),
            RedisConfig::sentinel(nodes(26379), "mymaster")
        );
        assert_eq!(
            made(r#"{"url": ["redis://a", "redis://b:7"], "cluster": true}"#),
            RedisConfig::cluster(nodes(6379))
        );
        assert_eq!(made(r#"{"host": "a", "cluster": true}"#), RedisConfig::cluster([("a".to_owned(), 6379)]));
        assert_eq!(made(r#"{"url": "redis-cluster://a,b:7"}"#), RedisConfig::cluster(nodes(6379)));
    }

    #[test]
    fn authorities_are_read_from_the_application_s_directory_and_imply_tls() {
        let redis = Redis::prepare(&Options::tls()).expect("certificates");
        let authority = redis.certificates().expect("certificates").authority();
        let (dir, file) = (authority.parent().expect("a directory"), authority.file_name());
        let file = file.and_then(|file| file.to_str()).expect("a name");
        let pem = std::fs::read(&authority).expect("a certificate");
        let tls = RedisConfig::new("a", 6379).tls(RedisTls::default().authorities(pem));
        for place in [r#""url": "rediss://a""#, r#""host": "a", "tls": true"#, r#""host": "a""#] {
            let config = parsed(&format!("{{{place}, \"ca\": \"{file}\"}}"));
            assert_eq!(settings(dir, &config).expect("settings"), tls);
        }
        let error = settings(dir, &parsed(r#"{"tls": true, "ca": "no.pem"}"#)).unwrap_err();
        assert!(error.to_string().contains("no.pem"), "{error}");
    }
}
