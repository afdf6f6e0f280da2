//! The file, its defaults, and what is wrong with others.

use super::super::Layout;
use super::*;
use alloc::string::ToString;

const SAMPLE: &str = include_str!("../samples/globalChannel.json");

fn read(env: &str, text: &str) -> Result<GlobalChannelConfig, String> {
    let file = ConfigFile { name: "globalChannel.json", text, layout: Layout::ByEnv };
    GlobalChannelConfig::parse(env, file).map_err(|error| error.to_string())
}

fn parse(object: &str) -> Result<GlobalChannelConfig, String> {
    read("development", &format!("{{\"development\": {object}}}"))
}

#[test]
fn the_sample_of_every_store() {
    let sqlite = read("development", SAMPLE).unwrap();
    assert_eq!((sqlite.channel_manager, sqlite.url[0].expose()), (ChannelStore::Sqlite, "run/channels.db"));

    let pomelo = read("test", SAMPLE).unwrap();
    assert_eq!(
        (pomelo.channel_manager, &*pomelo.host, pomelo.port),
        (ChannelStore::Redis, "127.0.0.1", Some(6379))
    );
    assert_eq!((pomelo.db.as_deref(), pomelo.prefix.as_deref()), (Some("0"), Some("POMELO:CHANNEL")));
    assert_eq!(pomelo.password, Some("hush".into()));
    assert!(pomelo.clean_on_start_up && pomelo.leave_on_close);

    let sentinel = read("production", SAMPLE).unwrap();
    assert_eq!((sentinel.url.len(), sentinel.sentinel.as_deref()), (3, Some("mymaster")));
    assert_eq!(
        (sentinel.user.as_deref(), sentinel.ca.as_deref()),
        (Some("game"), Some("config/redis-ca.pem"))
    );
    assert_eq!((sentinel.timeout, sentinel.leave_on_close), (Duration::from_secs(2), false));

    let sql = read("production-sql", SAMPLE).unwrap();
    assert_eq!((sql.channel_manager, sql.connections), (ChannelStore::Postgres, Some(16)));
    assert_eq!((sql.db.as_deref(), sql.prefix.as_deref()), (Some("game"), Some("game_")));
}

#[test]
fn everything_has_a_default() {
    assert_eq!(parse("{}").unwrap(), GlobalChannelConfig::default());
    let issue = r#"{"development": {"host": "127.0.0.1", "port": 6379}}"#;
    assert_eq!(
        read("development", issue).unwrap(),
        GlobalChannelConfig { port: Some(6379), ..GlobalChannelConfig::default() }
    );
    assert_eq!(GlobalChannelConfig::default().check(), Ok(()));
    assert_eq!(GlobalChannelConfig::default().timeout, Duration::from_secs(5));
}

#[test]
fn texts_count_as_what_they_say() {
    let read = parse(
        r#"{"port": "6380", "db": 3, "timeout": "250.5", "cluster": "false", "cleanOnStartUp": "true"}"#,
    );
    let read = read.unwrap();
    assert_eq!((read.port, read.db.as_deref()), (Some(6380), Some("3")));
    assert_eq!((read.timeout, read.clean_on_start_up), (Duration::from_micros(250_500), true));
}

#[test]
fn the_scheme_of_an_address_chooses_the_store() {
    for (url, store) in [
        ("redis://a/2", ChannelStore::Redis),
        ("redis+unix:///run/redis.sock", ChannelStore::Redis),
        ("postgresql://a/b", ChannelStore::Postgres),
        ("mariadb://a/b", ChannelStore::MySql),
        ("sqlite:x.db", ChannelStore::Sqlite),
    ] {
        assert_eq!(parse(&format!(r#"{{"url": "{url}"}}"#)).unwrap().channel_manager, store);
        let named = format!(r#"{{"channelManager": "{store}", "url": "{url}"}}"#);
        assert_eq!(parse(&named).unwrap().channel_manager, store);
    }
}

#[test]
fn mistakes_are_told_with_their_place_and_no_password_is_shown() {
    for (object, place, part) in [
        (r#"{"channelManager": "mongo"}"#, "1:36", "expected \"redis\", \"postgres\""),
        (r#"{"channelManager": 7}"#, "1:36", "found 7"),
        (r#"{"prot": 6379}"#, "1:18", "\"prot\" is no key of globalChannel.json"),
        (r#"{"port": 0}"#, "1:26", "expected a port"),
        (r#"{"host": "a b"}"#, "1:26", "expected a host name"),
        (r#"{"host": "a", "url": "redis://a"}"#, "1:26", "either \"url\""),
        (r#"{"url": "redis://a", "port": 1}"#, "1:46", "either \"url\""),
        (r#"{"url": "hush@a"}"#, "1:25", "expected an address of redis, such as"),
        (r#"{"url": ["redis://u:hush@a", 4711]}"#, "1:46", "as a text"),
        (r#"{"url": []}"#, "1:25", "at least one"),
        (r#"{"url": ""}"#, "1:25", "of 1 to 4096"),
        (r#"{"url": ["redis://a", "redis://b"]}"#, "1:25", "Sentinels or of a Cluster"),
        (
            r#"{"channelManager": "mysql", "url": "postgres://u:hush@a"}"#,
            "1:52",
            "an address of postgres, not of mysql",
        ),
        (r#"{"url": "redis://u:hush@a", "password": "hush"}"#, "1:25", "or as \"user\""),
        (r#"{"password": 4711}"#, "1:30", "expected a text"),
        (r#"{"auth_pass": ["hush"]}"#, "1:31", "expected a text"),
        (r#"{"auth_pass": "hush", "password": "hush"}"#, "1:31", "expected one of them"),
        (r#"{"db": "game"}"#, "1:24", "expected a number from 0 to 65535"),
        (r#"{"db": -1}"#, "1:24", "found -1"),
        (r#"{"cluster": true, "db": 1}"#, "1:41", "database 0 only"),
        (r#"{"cluster": true, "sentinel": "m"}"#, "1:29", "either \"sentinel\" or"),
        (r#"{"channelManager": "sqlite", "cluster": true}"#, "1:57", "only redis has it"),
        (r#"{"channelManager": "sqlite", "port": 1}"#, "1:54", "SQLite is a file"),
        (r#"{"channelManager": "memory", "url": "a"}"#, "1:36", "in this process"),
        (r#"{"channelManager": "memory", "password": "hush"}"#, "1:58", "memory has none"),
        (r#"{"prefix": ""}"#, "1:28", "expected 1 to 128"),
        (r#"{"prefix": "a{b}"}"#, "1:28", "expected 1 to 128"),
        (r#"{"channelManager": "mysql", "prefix": "a;b"}"#, "1:55", "names of tables"),
        (r#"{"timeout": 1}"#, "1:29", "milliseconds from 10"),
        (r#"{"connections": 5}"#, "1:33", "only postgres and mysql"),
        (r#"{"channelManager": "mysql", "connections": 0}"#, "1:60", "from 1 to 1000"),
        (r#"{"tls": true, "url": "redis://a"}"#, "1:25", "by its scheme"),
        (r#"{"user": ""}"#, "1:26", "1 to 255"),
        ("[]", "1:17", "expected the object of global channels"),
    ] {
        let error = parse(object).unwrap_err();
        assert!(error.contains(part), "{object}: {error}");
        assert!(error.contains(&format!("globalChannel.json:{place}")), "{object}: {error}");
        assert!(!error.contains("hush") && !error.contains("4711"), "{error}");
    }
    let full = parse(r#"{"url": "redis://u:hush@a"}"#).unwrap();
    assert!(!format!("{full:?}").contains("hush"), "a password is shown");
    let full = parse(r#"{"password": "hush"}"#).unwrap();
    assert!(!format!("{full:?}").contains("hush"), "a password is shown");
}

#[test]
fn what_code_says_is_checked_too() {
    let config = GlobalChannelConfig { timeout: Duration::ZERO, ..GlobalChannelConfig::default() };
    assert!(config.check().unwrap_err().starts_with("\"timeout\""));
    let config = GlobalChannelConfig { connections: Some(0), ..GlobalChannelConfig::default() };
    assert!(config.check().unwrap_err().starts_with("\"connections\""));
}
