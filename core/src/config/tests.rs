//! Whole files, as people write them.

use super::*;
use crate::CpuSet;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::time::Duration;
use proptest::prelude::*;
use serde_json::{Value, json};

const MASTER: &str = include_str!("samples/master.json");
const SERVERS: &str = include_str!("samples/servers.json");

fn file<'a>(name: &'a str, text: &'a str, layout: Layout) -> ConfigFile<'a> {
    ConfigFile { name, text, layout }
}

fn parse(env: &str, master: &str, servers: &str) -> Result<ClusterConfig, ConfigError> {
    let master = file("config/master.json", master, Layout::ByEnv);
    ClusterConfig::parse(env, master, file("config/servers.json", servers, Layout::ByEnv), None)
}

/// The error about a servers.json whose development environment is `servers`, from line 2 on.
fn error(servers: &str) -> String {
    let servers = format!("{{\"development\":\n{servers}}}");
    parse("development", MASTER, &servers).unwrap_err().to_string()
}

fn master_error(master: &str) -> String {
    parse("development", master, "{}").unwrap_err().to_string()
}

#[test]
fn pomelos_own_look_is_read() {
    let config = parse("development", MASTER, SERVERS).unwrap();
    assert_eq!(config.master, MasterDef::new("master-server-1", "127.0.0.1", 3005));
    let ids: Vec<_> = config.servers.iter().map(|def| (&*def.server_type, &*def.id)).collect();
    assert_eq!(
        ids,
        [
            ("connector", "connector-server-1"),
            ("connector", "connector-server-2"),
            ("connector", "connector-server-3"),
            ("chat", "chat-server-1"),
            ("chat", "chat-server-2"),
            ("chat", "chat-server-3"),
            ("gate", "gate-server-1"),
        ]
    );
    let [first, second, third, chat, rooms, ..] = &config.servers[..] else { unreachable!() };
    assert!(first.frontend && first.auto_restart && !second.auto_restart);
    assert_eq!((second.client_port, second.frontend), (Some(3051), true));
    assert_eq!(third.cpu.as_ref().map(ToString::to_string).as_deref(), Some("0-1"));
    assert_eq!(third.max_connections, Some(1000));
    assert_eq!(chat.args, ["--max-old-space-size=2048", "-v"]);
    assert_eq!(rooms.extra["rooms"], json!({"lobby": [1, 2]}));
    assert_eq!(config.server("gate-server-1").and_then(|def| def.port), None);
    assert_eq!(config.outer_hosts().count(), 0);
}

#[test]
fn a_cluster_count_makes_the_servers_that_pomelo_makes() {
    let config = parse("production", MASTER, SERVERS).unwrap();
    let made: Vec<_> =
        config.servers.iter().map(|def| (&*def.id, &*def.host, def.port, def.client_port)).collect();
    assert_eq!(
        made,
        [
            ("cluster-server-connector-0", "10.0.0.1", Some(4050), Some(3050)),
            ("cluster-server-connector-1", "10.0.0.1", Some(4051), Some(3051)),
            ("cluster-server-connector-2", "10.0.0.2", Some(4050), Some(3050)),
            ("chat-server-1", "10.0.0.1", Some(6050), None),
        ]
    );
    assert!(config.servers.iter().all(|def| def.extra.is_empty()));
    assert_eq!(config.outer_hosts().count(), 5);
}

#[test]
fn values_that_end_in_plus_plus_count_up_whatever_their_key() {
    let text = r#"{"area": [{"clusterCount": 2, "host": "localhost", "port": "3250++", "areaId": "7++", "lang": "C++", "cpu": "0++"}]}"#;
    let config = parse("any", MASTER_FLAT, text).unwrap();
    assert_eq!(config.servers[1].extra["areaId"], 8);
    assert_eq!(config.servers[1].extra["lang"], "C++");
    assert_eq!(config.servers[1].cpu, "1".parse().ok());
}

const MASTER_FLAT: &str = r#"{"id": "master-server-1", "host": "127.0.0.1", "port": "3005"}"#;

#[test]
fn the_level_of_the_environment_may_be_missing() {
    let flat = r#"{"chat": [{"id": "chat-1", "host": "localhost"}]}"#;
    for layout in [Layout::ByEnv, Layout::OneEnv] {
        let config =
            ClusterConfig::parse("test", file("m", MASTER_FLAT, layout), file("s", flat, layout), None);
        assert_eq!(config.unwrap().servers, [ServerDef::new("chat-1", "chat", "localhost")]);
    }
    let error = ClusterConfig::parse(
        "development",
        file("m", MASTER_FLAT, Layout::OneEnv),
        file("s", SERVERS, Layout::OneEnv),
        None,
    );
    let error = error.unwrap_err().to_string();
    assert!(
        error
            .starts_with("s:2:18: expected the list of the servers of type \"development\", found an object"),
        "{error}"
    );
}

#[test]
fn an_unknown_environment_is_told_which_exist() {
    let error = parse("prod", MASTER, SERVERS).unwrap_err().to_string();
    assert_eq!(
        error,
        "config/master.json:1:1: there is no environment \"prod\"; there is \"development\", \"production\""
    );
    assert!(parse("prod", "{}", SERVERS).unwrap_err().to_string().ends_with("there is none"));
    assert_eq!(envs("s", SERVERS).unwrap(), ["development", "production"]);
    assert!(envs("m", MASTER_FLAT).unwrap().is_empty());
}

/// Pomelo's wiki page on configuration shows its groups without the commas between them.
#[test]
fn pomelo_wiki_sample_without_commas_is_told_where_one_is_missing() {
    let text = "{\n  \"connector\": [\n    {\"id\": \"c-1\", \"host\": \"h\"}\n  ]\n  \"chat\": []\n}";
    assert_eq!(
        error(text),
        "config/servers.json:6:3: expected \",\" or \"}\", found the key \"chat\": is a comma missing before it?"
    );
}

#[test]
fn syntax_errors_say_where_and_what() {
    for (text, expected) in [
        (
            r#"{"chat": [{"id": "a"} {"id": "b"}]}"#,
            r#"2:23: expected "," or "]", found an object: is a comma missing before it?"#,
        ),
        (
            r#"{"chat": [{"id": "a" "host": "b"}]}"#,
            r#"2:22: expected "," or "}", found the key "host": is a comma missing before it?"#,
        ),
        (r#"{"chat": [],}"#, r#"2:13: expected another item behind the comma, found "}": remove the comma"#),
        (
            r#"{"chat": [{},]}"#,
            r#"2:14: expected another item behind the comma, found "]": remove the comma"#,
        ),
        (r#"{"chat" []}"#, r#"2:9: expected ":" behind the key, found a list"#),
        (r#"{"chät": x}"#, r#"2:10: expected a value, found "x""#),
        (r#"{chat: []}"#, r#"2:2: expected a key in double quotes, found "c""#),
        (r#"{// groups"#, "2:2: expected a key in double quotes, found a comment, which JSON does not have"),
        (
            r#"{'chat': []}"#,
            "2:2: expected a key in double quotes, found a single quote, which JSON does not have",
        ),
        (
            "{\"chat\": [{\"id\": \"a\n\"}]}",
            "2:19: expected the end of the text: is a double quote missing on this line?",
        ),
        (
            r#"{"chat": []}}"#,
            r#"2:14: expected the end of the file, found "}": is there a bracket too many, or one closed too early?"#,
        ),
        ("{\n\"chat\": [\n {\"id\": \"a]\"}\n", r#"5:1: expected "," or "]", found "}""#),
        (
            r#"{"chat": ["abc]}"#,
            "2:18: expected the end of the text that begins in line 2, found the end of the file: is a double quote missing?",
        ),
    ] {
        let error = error(text);
        assert_eq!(error.strip_prefix("config/servers.json:"), Some(expected), "{text}");
    }
    let error =
        parse("development", MASTER, "{\n\"chat\": [\n {\"id\": \"a]\"}\n\n").unwrap_err().to_string();
    assert_eq!(
        error,
        r#"config/servers.json:3:14: expected "]" for the "[" of line 2, found the end of the file"#
    );
    for empty in ["", " \n"] {
        let error = parse("development", MASTER, empty).unwrap_err().to_string();
        assert_eq!(error, "config/servers.json:1:1: expected a JSON object, found an empty file");
    }
    assert_eq!(
        parse("development", MASTER, "\u{feff}[]").unwrap_err().to_string(),
        "config/servers.json:1:1: expected an object with a key for each environment, found a list"
    );
}

#[test]
fn wrong_servers_say_where_and_what() {
    for (server, expected) in [
        (r#"{"host": "h"}"#, r#"2:11: a server needs "id", such as "id": "chat-server-1""#),
        (r#"{"id": "a"}"#, r#"2:11: a server needs "host", such as "host": "127.0.0.1""#),
        (r#"{"id": 1, "host": "h"}"#, "2:18: expected a text, found 1"),
        (
            r#"{"id": "a/b", "host": "h"}"#,
            r#"2:18: expected a name of 1 to 64 letters, digits, ".", "_" or "-", found "a/b""#,
        ),
        (r#"{"id": "a", "host": ""}"#, r#"2:31: expected a host name or an IP address, found """#),
        (r#"{"id": "a", "host": "h", "port": 65536}"#, "2:44: expected a port from 1 to 65535, found 65536"),
        (r#"{"id": "a", "host": "h", "port": null}"#, "2:44: expected a port from 1 to 65535, found null"),
        (
            r#"{"id": "a", "host": "h", "port": "3001++"}"#,
            r#"2:44: expected a port; counting up needs "clusterCount" beside it, found "3001++""#,
        ),
        (
            r#"{"id": "a", "host": "h", "frontend": true}"#,
            r#"2:48: a frontend needs "clientPort", where clients connect, such as 3010"#,
        ),
        (
            r#"{"id": "a", "host": "h", "auto-restart": "yes"}"#,
            r#"2:52: expected true or false, found "yes""#,
        ),
        (
            r#"{"id": "a", "host": "h", "cpu": "x"}"#,
            r#"2:43: `x` names no CPUs: expected a number, a list such as "0-3,5", a stride such as "0-31:2", or "auto""#,
        ),
        (
            r#"{"id": "a", "host": "h", "serverType": "gate"}"#,
            r#"2:50: expected "chat", the server's group, found "gate""#,
        ),
        (
            r#"{"id": "a", "host": "h", "x": {"y": 1, "y": 2}}"#,
            r#"2:50: duplicate key "y": line 2 has it already"#,
        ),
        (
            r#"{"id": "a", "host": "h", "x": "\ud800"}"#,
            "2:48: expected valid JSON, found this: unexpected end of hex escape",
        ),
        (r#"{"clusterCount": 0, "host": "h"}"#, "2:28: expected a whole number from 1 to 10000, found 0"),
        (
            r#"{"clusterCount": 3, "host": "h", "port": "65534++"}"#,
            "2:52: expected a port from 1 to 65535, found 65536",
        ),
        (
            r#"{"id": "x", "clusterCount": 3, "host": "h", "port": "0++"}"#,
            "2:63: expected a port from 1 to 65535, found 0",
        ),
        (
            r#"{"clusterCount": 2, "host": "h", "port": 5000}"#,
            r#"2:52: duplicate port 5000 on h: server "cluster-server-chat-0" has it already (line 2)"#,
        ),
        (
            r#"{"id": "a", "host": "h", "port": 5000, "clientPort": 5000}"#,
            r#"2:64: duplicate port 5000 on h: the server's own "port" is the same"#,
        ),
        (
            r#"{"id": "a", "host": "LOCALHOST", "clientPort": 3005}"#,
            "2:58: duplicate port 3005 on LOCALHOST: the master has it already",
        ),
        (
            r#"{"id": "master-server-1", "host": "h"}"#,
            r#"2:18: duplicate id "master-server-1": the master has it already"#,
        ),
        ("7", r#"2:11: expected a server's object, such as {"id": "chat-server-1", …}, found 7"#),
    ] {
        let error = error(&format!("{{\"chat\": [{server}]}}"));
        let found = error.strip_prefix("config/servers.json:").unwrap_or_default();
        assert_eq!(found, expected, "{server}");
    }
    assert_eq!(
        error("{\"chat\": {}}"),
        "config/servers.json:2:10: expected the list of the servers of type \"chat\", found an object: config/servers.json has a level for the environment, config/<env>/servers.json has none"
    );
    assert_eq!(error("{\"chat\": 7}"), "config/servers.json:2:10: expected a list of servers, found 7");
    assert!(error("{\"master\": []}").starts_with("config/servers.json:2:2: expected the type of a server"));
    assert_eq!(
        error("{\"chat\": [],\n\"chat\": []}"),
        "config/servers.json:3:1: duplicate key \"chat\": line 2 has it already"
    );
}

#[test]
fn the_second_of_two_servers_is_told_about_the_first() {
    let two = |first: &str, second: &str| error(&format!("{{\"chat\": [\n{first},\n{second}]}}"));
    assert_eq!(
        two(r#"{"id": "a", "host": "h"}"#, r#"{"host": "i", "id": "a"}"#),
        r#"config/servers.json:4:21: duplicate id "a": server "a" has it already (line 3)"#
    );
    assert_eq!(
        two(
            r#"{"id": "a", "host": "localhost", "port": 5000}"#,
            r#"{"id": "b", "host": "127.0.0.1", "clientPort": "5000"}"#
        ),
        r#"config/servers.json:4:48: duplicate port 5000 on 127.0.0.1: server "a" has it already (line 3)"#
    );
    let apart = format!(
        r#"{{"development": {{"chat": [{}, {}]}}}}"#,
        r#"{"id": "a", "host": "10.0.0.1", "port": 5000}"#,
        r#"{"id": "b", "host": "10.0.0.2", "port": 5000}"#
    );
    assert!(parse("development", MASTER, &apart).is_ok());
}

#[test]
fn a_cpu_that_this_process_may_not_use_is_told_which_it_may() {
    let master = file("config/master.json", MASTER, Layout::ByEnv);
    let servers = file("config/servers.json", SERVERS, Layout::ByEnv);
    let with = |allowed: &str| {
        let allowed: CpuSet = allowed.parse().unwrap();
        ClusterConfig::parse("development", master, servers, Some(&allowed)).map_err(|e| e.to_string())
    };
    assert!(with("0-3").is_ok());
    assert_eq!(
        with("1-3").unwrap_err(),
        "config/servers.json:6:116: expected CPUs that this process may use (1-3), found 0"
    );
    let config = with("0-1").unwrap();
    let allowed: CpuSet = "0,2".parse().unwrap();
    let error = check_cpus(&config.servers, &allowed).unwrap_err();
    assert_eq!(
        error.to_string(),
        "server \"connector-server-2\": expected CPUs that this process may use (0,2), found 1"
    );
}

#[test]
fn the_masters_keys_are_read() {
    let text = r#"{"development": {"id": "m", "host": "localhost", "port": "3005", "secret": "correct horse battery",
        "heartbeat": 500, "heartbeat-missed": "4", "reconnect-grace": 0, "start-timeout": 1000, "lease": 250.5,
        "priority": -2, "zone": "b"}}"#;
    let master = parse("development", text, "{\"development\": {}}").unwrap().master;
    assert_eq!(master.timing.heartbeat.patience(), Duration::from_secs(2));
    assert_eq!(master.timing.reconnect_grace, Duration::ZERO);
    assert_eq!(master.timing.start_timeout, Duration::from_secs(1));
    assert_eq!(master.timing.lease, Duration::from_micros(250_500));
    assert_eq!((master.priority, &master.extra["zone"]), (-2, &json!("b")));
    assert_eq!(master.secret.as_ref().unwrap().expose(), "correct horse battery");
    assert!(!format!("{master:?}").contains("horse"));
}

#[test]
fn a_wrong_master_says_where_and_what() {
    for (text, expected) in [
        (r#"{"id": "m", "host": "h"}"#, r#"1:1: the master needs "port", such as "port": 3005"#),
        (r#"{"id": "m", "port": 1}"#, r#"1:1: the master needs "host", such as "host": "127.0.0.1""#),
        (r#"{"host": "h", "port": 1}"#, r#"1:1: the master needs "id", such as "id": "master-server-1""#),
        (r#"{"id": "m", "host": "h", "port": 0}"#, "1:34: expected a port from 1 to 65535, found 0"),
        (
            r#"{"id": "m", "heartbeat": 1}"#,
            "1:26: expected a number of milliseconds from 10 to 86400000, found 1",
        ),
        (
            r#"{"id": "m", "lease": 99}"#,
            "1:22: expected a number of milliseconds from 100 to 86400000, found 99",
        ),
        (
            r#"{"development": []}"#,
            r#"1:17: expected the master's object, such as {"id": "master-server-1", …}, found a list"#,
        ),
    ] {
        assert_eq!(master_error(text).strip_prefix("config/master.json:"), Some(expected), "{text}");
    }
}

#[test]
fn no_error_shows_a_secret() {
    for text in [
        r#"{"id": "m", "secret": "hunter2"}"#,
        r#"{"id": "m", "secret" "hunter2-hunter2-hunter2"}"#,
        r#"{"id": "m", "secret": hunter2-hunter2-hunter2}"#,
        r#"{"id": "m", "secret": ["hunter2-hunter2-hunter2"]}"#,
        r#"{"id": "m" "secret": "hunter2-hunter2-hunter2"}"#,
        r#"{"id": "m", "a", "hunter2-hunter2-hunter2"}"#,
        r#"{"id": "m", "secret": "hunter2-hunter2-hunter2}"#,
    ] {
        let error = master_error(text);
        assert!(!error.contains("unter2"), "{error}");
    }
}

#[test]
fn pairs_are_an_entry_of_servers_json() {
    let pairs =
        |text: &'static str| ServerDef::from_pairs(text.split(' ').filter_map(|pair| pair.split_once('=')));
    let defs =
        pairs("id=chat-9 serverType=chat host=127.0.0.1 port=6059 auto-restart=true cpu=0-1 zone=b").unwrap();
    let [def] = &defs[..] else { panic!("{defs:?}") };
    assert_eq!((def.port, def.auto_restart, &def.extra["zone"]), (Some(6059), true, &json!("b")));

    let defs = pairs("clusterCount=2 serverType=chat host=h port=6059++").unwrap();
    let made: Vec<_> = defs.iter().map(|def| (&*def.id, def.port)).collect();
    assert_eq!(made, [("cluster-server-chat-0", Some(6059)), ("cluster-server-chat-1", Some(6060))]);

    for (text, expected) in [
        ("foo=bar", "a server needs \"id\""),
        ("id=a host=h", "a server needs \"serverType\""),
        ("id=a serverType=chat", "a server needs \"host\""),
        (
            "id=a serverType=chat host=h port=99999",
            "argument 4, \"port\": expected a port from 1 to 65535, found \"99999\"",
        ),
        ("id=a id=b", "argument 2, \"id\": duplicate key"),
        ("=b", "argument 1, \"\": expected key=value, found no key"),
        (
            "id=a frontend=true serverType=chat host=h",
            "argument 2, \"frontend\": a frontend needs \"clientPort\"",
        ),
        ("clusterCount=2 serverType=chat host=h port=1", "argument 4, \"port\": duplicate port 1 on h"),
        ("id=a serverType=master host=h", "argument 2, \"serverType\": expected the type of a server"),
    ] {
        let error = pairs(text).unwrap_err();
        assert!(error.to_string().starts_with(expected), "{text}: {error}");
        assert_eq!(error.kind(), crate::ErrorKind::Invalid);
    }
}

#[test]
fn added_servers_are_checked_against_the_existing_ones() {
    let config = parse("development", MASTER, SERVERS).unwrap();
    let add = |pairs: &[(&'static str, &'static str)]| {
        let ids = config.servers.iter().map(|def| &*def.id);
        let defs = ServerDef::from_pairs_beside(pairs.iter().copied(), ids).unwrap();
        check_servers(&defs, &config.servers, &config.master).map(|()| defs)
    };
    let error = add(&[("id", "chat-server-1"), ("serverType", "chat"), ("host", "h")]).unwrap_err();
    assert_eq!(error.kind(), crate::ErrorKind::AlreadyExists);
    let error =
        add(&[("id", "x"), ("serverType", "chat"), ("host", "localhost"), ("port", "3014")]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "server \"x\": duplicate port 3014 on localhost: server \"gate-server-1\" has it already"
    );

    let production = parse("production", MASTER, SERVERS).unwrap();
    let ids = production.servers.iter().map(|def| &*def.id);
    let more = [("clusterCount", "1"), ("serverType", "connector"), ("host", "10.0.0.3")];
    assert_eq!(ServerDef::from_pairs_beside(more, ids).unwrap()[0].id, "cluster-server-connector-3");
}

#[test]
fn a_cluster_that_is_too_large_is_refused_before_it_fills_the_memory() {
    let group = r#"{"clusterCount": 10000, "host": "h"}"#;
    let error = error(&format!("{{\"chat\": [{group},\n{group}]}}"));
    assert_eq!(error, "config/servers.json:3:1: expected at most 10000 servers in all");
    let deep = format!(
        "{{\"chat\": [{{\"id\": \"a\", \"host\": \"h\", \"x\": {}1{}}}]}}",
        "[".repeat(5000),
        "]".repeat(5000)
    );
    assert!(self::error(&deep).contains("recursion limit"), "{}", self::error(&deep));
}

/// Texts that are nearly right, since wholly random ones never get far.
fn mangled() -> impl Strategy<Value = String> {
    let cut = (0..SERVERS.len(), 0..40usize, "[\\[\\]{}\",:0-9a-z\\\\\u{e4}\n]{0,6}");
    cut.prop_map(|(at, len, insert)| {
        let end = SERVERS.floor_char_boundary((at + len).min(SERVERS.len()));
        format!("{}{insert}{}", &SERVERS[..SERVERS.floor_char_boundary(at)], &SERVERS[end..])
    })
}

fn json_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_filter_map("JSON has no such number", |f| serde_json::Number::from_f64(f)
            .map(Value::Number)),
        ".{0,8}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(".{0,6}", inner, 0..4)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

fn server() -> impl Strategy<Value = ServerDef> {
    let name = "[A-Za-z0-9_-]{1,64}";
    let ports =
        (prop::option::of(1..=u16::MAX), prop::option::of(1..=u16::MAX), any::<bool>(), any::<bool>());
    let cpu = prop_oneof![
        Just(None),
        Just("auto".parse().ok()),
        prop::collection::btree_set(0..=crate::cpu::MAX_CPU, 1..5)
            .prop_map(|cpus| Some(crate::cpu::CpuRequest::Set(cpus.into_iter().collect()))),
    ];
    let args = prop::collection::vec("[^\0]{0,8}", 0..3);
    let times = prop::array::uniform4((0..=86_400u64 * 1_000_000_000).prop_map(Duration::from_nanos));
    let rest = (cpu, args, prop::option::of(any::<u32>()), any::<u32>(), times);
    let extra = prop::collection::btree_map("x.{0,6}", json_value(), 0..3);
    (name, "[a-z]{1,5}t", "[a-z0-9.:]{1,20}", ports, rest, extra).prop_map(
        |(id, server_type, host, (port, client_port, frontend, auto_restart), rest, extra)| {
            let (cpu, args, max_connections, max_restarts, [stop_timeout, window, delay, max_delay]) = rest;
            let (max_restarts, window) = (max_restarts % 10_001, window.max(Duration::from_secs(1)));
            let restart = crate::restart::RestartPolicy { max_restarts, window, delay, max_delay };
            let client_host = client_port.map(|_| host.clone());
            ServerDef {
                id,
                server_type,
                host,
                port,
                client_host,
                client_port,
                frontend,
                auto_restart,
                cpu,
                args,
                max_connections,
                stop_timeout,
                restart,
                extra,
            }
        },
    )
}

proptest! {
    #[test]
    fn no_text_makes_it_panic_and_every_error_is_one_line_of_the_file(text in prop_oneof![".{0,200}", mangled()]) {
        if let Err(error) = parse("development", MASTER, &text) {
            prop_assert!(error.line >= 1 && error.line <= text.matches('\n').count() + 1);
            let message = error.to_string();
            prop_assert!(!message.contains('\n') && message.len() < 600, "{message}");
        }
        let _ = parse("development", &text, SERVERS);
        let _ = envs("s", &text);
    }

    #[test]
    fn every_server_reads_back(def in server()) {
        let text = serde_json::to_string(&def).unwrap();
        prop_assert_eq!(&serde_json::from_str::<ServerDef>(&text).unwrap(), &def);
        let bytes = postcard::to_allocvec(&def).unwrap();
        prop_assert_eq!(postcard::from_bytes::<ServerDef>(&bytes).unwrap(), def);
    }
}
