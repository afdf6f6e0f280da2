//! Pomelo's `masterha.json`: the standby masters that `masterha` starts.

use super::cluster::{ConfigFile, env_node};
use super::error::ConfigError;
use super::names::{check_host, check_name};
use super::node::Node;
use super::value;
use alloc::string::String;
use alloc::vec::Vec;

/// A standby master of `masterha.json`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StandbyDef {
    /// `id`; several may bear one, as in Pomelo.
    pub id: String,
    /// `host`: where it runs and listens.
    pub host: String,
    /// `port`: where it listens.
    pub port: u16,
    /// `priority`: among standbys the one with the highest leads first. Default: that of master.json.
    pub priority: Option<i32>,
}

impl StandbyDef {
    /// Reads the file: `{"masterha": [{"id", "host", "port"}, …]}`, with or without a level for the environment.
    ///
    /// # Errors
    /// The first thing that is wrong, with its place.
    pub fn parse(env: &str, file: ConfigFile<'_>) -> Result<Vec<Self>, ConfigError> {
        let node = env_node(env, file)?;
        let entries = node.object("an object with the key \"masterha\"")?;
        let Some(list) = entries.iter().find(|entry| entry.key == "masterha") else {
            return Err(node.error("expected the key \"masterha\" with a list of masters"));
        };
        list.value.array("a list of masters")?.into_iter().map(Self::read).collect()
    }

    fn read(node: Node<'_>) -> Result<Self, ConfigError> {
        let (mut id, mut host, mut port, mut priority) = (None, None, None, None);
        for entry in node.object("a master's object, such as {\"id\": \"master-server-2\", …}")? {
            let found = entry.value.value()?;
            let read = match &*entry.key {
                "id" => value::text(&found).and_then(|text| check_name(&text).map(|()| id = Some(text))),
                "host" => value::text(&found).and_then(|text| check_host(&text).map(|()| host = Some(text))),
                "port" => value::port(&found).map(|found| port = Some(found)),
                "priority" => value::integer(&found, i32::MIN, i32::MAX).map(|found| priority = Some(found)),
                // What a Pomelo master may have besides means nothing here.
                _ => Ok(()),
            };
            read.map_err(|message| entry.value.error(message))?;
        }
        match (id, host, port) {
            (Some(id), Some(host), Some(port)) => Ok(Self { id, host, port, priority }),
            _ => Err(node.error("a master needs \"id\", \"host\" and \"port\"")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Layout;
    use super::*;
    use alloc::string::ToString;

    fn parse(text: &str) -> Result<Vec<StandbyDef>, String> {
        let file = ConfigFile { name: "masterha.json", text, layout: Layout::ByEnv };
        StandbyDef::parse("production", file).map_err(|error| error.to_string())
    }

    #[test]
    fn pomelos_sample_is_read_with_and_without_environments() {
        let list = r#"{"masterha": [{"id": "master-server-1", "host": "127.0.0.1", "port": 3006},
            {"id": "master-server-1", "host": "10.0.0.2", "port": "3007", "priority": 5}]}"#;
        let read = parse(list).unwrap();
        assert_eq!((read.len(), read[0].port, read[1].port, read[1].priority), (2, 3006, 3007, Some(5)));
        assert_eq!(parse(&alloc::format!(r#"{{"production": {list}}}"#)).unwrap(), read);
    }

    #[test]
    fn mistakes_are_told() {
        for (text, part) in [
            ("[]", "expected an object"),
            (r#"{"x": 1}"#, "expected the key \"masterha\""),
            (r#"{"masterha": "none"}"#, "expected a list of masters"),
            (r#"{"masterha": [{"id": "a", "host": "b"}]}"#, "needs"),
            (r#"{"masterha": [{"id": "a/b", "host": "b", "port": 1}]}"#, "expected"),
            (r#"{"masterha": [{"id": "a", "host": "-o", "port": 1}]}"#, "expected"),
        ] {
            let error = parse(text).unwrap_err();
            assert!(error.contains(part), "{text}: {error}");
        }
    }
}
