use super::*;
use crate::config::Layout;
use alloc::string::ToString as _;
use serde_json::json;

fn read(text: &str) -> Result<ConnectorConfig, ConfigError> {
    let file = ConfigFile { name: "config/connector.json", text, layout: Layout::OneEnv };
    ConnectorConfig::default().read("development", file)
}

#[test]
fn a_file_with_every_key() {
    let config = read(
        r#"{"heartbeat": "5", "timeout": 12.5, "useDict": "false", "useProtobuf": false, "host": "0.0.0.0",
            "tls": {"cert": "a.pem", "key": "b.pem"}, "handshakeTimeout": 3, "maxPackage": 4096, "queue": 65536,
            "queueMessages": 10, "slow": "drop", "sessionsPerUser": "one", "requestsAtOnce": 7,
            "maxConnections": 5000, "maxHandshakes": 100}"#,
    );
    let expected = ConnectorConfig {
        heartbeat: Some(Duration::from_secs(5)),
        timeout: Some(Duration::from_millis(12_500)),
        use_dict: false,
        use_protobuf: false,
        host: Some("0.0.0.0".into()),
        tls: Some(TlsFiles { cert: "a.pem".into(), key: "b.pem".into() }),
        handshake_timeout: Duration::from_secs(3),
        max_package: 4096,
        queue: 65_536,
        queue_messages: 10,
        slow: SlowClient::Drop,
        sessions_per_user: SessionsPerUser::One,
        requests_at_once: 7,
        max_connections: Some(5000),
        max_handshakes: 100,
        page: None,
        handshake: None,
    };
    assert_eq!(config, Ok(expected));
    assert_eq!(read("{}"), Ok(ConnectorConfig::default()));
    assert_eq!(read(r#"{"heartbeat": 0}"#).unwrap().heartbeat, None);
}

#[test]
fn the_file_goes_before_the_code_key_by_key() {
    let code = ConnectorConfig { max_package: 2048, queue: 8192, ..ConnectorConfig::default() };
    let code = code.page("<html>").handshake(|user, _| Ok::<_, String>(user.clone()));
    let file = ConfigFile {
        name: "config/connector.json",
        text: r#"{"development": {"queue": 4096}, "production": {"queue": 1}}"#,
        layout: Layout::ByEnv,
    };
    let config = code.clone().read("development", file).unwrap();
    assert_eq!(config, ConnectorConfig { queue: 4096, ..code });
    let told = config.handshake.unwrap().look(&json!({"a": 1}), ([127, 0, 0, 1], 1).into());
    assert_eq!(told, Ok(json!({"a": 1})));
}

#[test]
fn a_file_is_for_all_environments_or_for_those_that_it_names() {
    let read = |text| {
        let file = ConfigFile { name: "config/connector.json", text, layout: Layout::ByEnv };
        ConnectorConfig::default().read("development", file)
    };
    assert_eq!(read("{\"production\": {\"queue\": 1}}"), Ok(ConnectorConfig::default()));
    assert_eq!(read("{\"queue\": 4096}").unwrap().queue, 4096);
    assert!(read("{\"tls\": {\"cert\": \"a\", \"key\": \"b\"}}").unwrap().tls.is_some());
    assert!(read("{\"heart\": 1}").is_err());
    assert_eq!(read("{}"), Ok(ConnectorConfig::default()));
}

#[test]
fn mistakes_are_told_with_their_place() {
    for (text, error) in [
        ("{\n \"heart\": 3}", "2:2: \"heart\" is no key of connector.json; those are heartbeat, timeout"),
        ("{\"heartbeat\": -1}", "1:15: expected a number of seconds from 0.1 to 86400, found -1"),
        ("{\"heartbeat\": 3,\n\"timeout\": 3}", "2:12: expected more than \"heartbeat\""),
        ("{\"slow\": \"wait\"}", "1:10: expected \"disconnect\" or \"drop\", found \"wait\""),
        ("{\"sessionsPerUser\": 1}", "1:21: expected \"many\" or \"one\", found 1"),
        ("{\"maxPackage\": 100}", "1:16: expected a whole number from 1024 to 16777215, found 100"),
        ("{\"tls\": true}", "1:9: expected {\"cert\""),
        ("{\"tls\": {\"cert\": \"a\"}}", "1:9: expected {\"cert\""),
        ("{\"tls\": {\"cert\": \"\", \"key\": \"b\"}}", "1:18: expected the path of a file"),
        ("{\"tls\": {\"ca\": \"a\"}}", "1:10: \"ca\" is no key of \"tls\""),
        ("{\"host\": \"a b\"}", "1:10: "),
        ("{\"useDict\": 1}", "1:13: expected true or false, found 1"),
        ("[]", "1:1: expected the object of connectors"),
        ("{\"queue\": 4096", "1:15: "),
    ] {
        let found = read(text).unwrap_err().to_string();
        assert!(found.starts_with(&alloc::format!("config/connector.json:{error}")), "{text}: {found}");
    }
}

#[test]
fn settings_of_code_are_checked_as_well() {
    let default = ConnectorConfig::default;
    assert_eq!(default().check(), Ok(()));
    for (config, key) in [
        (ConnectorConfig { heartbeat: Some(Duration::ZERO), ..default() }, "heartbeat"),
        (ConnectorConfig { timeout: Some(Duration::from_secs(30)), ..default() }, "timeout"),
        (ConnectorConfig { handshake_timeout: Duration::ZERO, ..default() }, "handshakeTimeout"),
        (ConnectorConfig { max_package: 1 << 24, ..default() }, "maxPackage"),
        (ConnectorConfig { queue: 0, ..default() }, "queue"),
        (ConnectorConfig { queue_messages: 0, ..default() }, "queueMessages"),
        (ConnectorConfig { requests_at_once: 0, ..default() }, "requestsAtOnce"),
        (ConnectorConfig { max_handshakes: 0, ..default() }, "maxHandshakes"),
        (ConnectorConfig { host: Some(String::new()), ..default() }, "host"),
    ] {
        assert!(config.check().unwrap_err().starts_with(&alloc::format!("\"{key}\": ")), "{key}");
    }
}
