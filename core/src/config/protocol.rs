//! The files of Pomelo's client protocol: `dictionary.json`, `serverProtos.json`, `clientProtos.json`.

use super::cluster::{ConfigFile, Layout, env_node};
use super::error::ConfigError;
use super::node::Node;
use super::source::Source;
use super::value::unexpected;
use crate::client::message::MAX_ROUTE;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use serde_json::Value;

/// The routes of `dictionary.json`: a list, or a list for each environment.
///
/// # Errors
/// The first thing that is wrong, with its place.
pub fn dictionary_routes(env: &str, file: ConfigFile<'_>) -> Result<Vec<String>, ConfigError> {
    let root = Node::root(Source::new(file.name, file.text))?;
    let node = if root.is_object() && file.layout == Layout::ByEnv { env_node(env, file)? } else { root };
    let routes = node.array("a list of routes, such as [\"onChat\", \"onLeave\"]")?;
    if routes.len() > usize::from(u16::MAX) {
        return Err(node.error(format!("expected at most {} routes", u16::MAX)));
    }
    let route = |node: Node<'_>| match node.value()? {
        Value::String(route) if (1..=MAX_ROUTE).contains(&route.len()) => Ok(route),
        found => Err(node.error(unexpected(format_args!("a route of 1 to {MAX_ROUTE} bytes"), &found))),
    };
    routes.into_iter().map(route).collect()
}

/// What is in `serverProtos.json` or `clientProtos.json`: an object, in which no key is there twice.
///
/// # Errors
/// The first thing that is wrong, with its place.
pub fn protos_json(file: ConfigFile<'_>) -> Result<Value, ConfigError> {
    let root = Node::root(Source::new(file.name, file.text))?;
    root.object("an object with a protobuf definition for each route")?;
    root.value()
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString as _;

    fn file(text: &str, layout: Layout) -> ConfigFile<'_> {
        ConfigFile { name: "config/dictionary.json", text, layout }
    }

    #[test]
    fn a_dictionary_is_a_list_or_one_for_each_environment() {
        let read = |text| dictionary_routes("production", file(text, Layout::ByEnv));
        assert_eq!(read("[\"a\", \"b\"]").unwrap(), ["a", "b"]);
        assert_eq!(read("{\"production\": [\"a\"], \"development\": {}}").unwrap(), ["a"]);
        for (text, error) in [
            ("[\"a\",\n 1]", "2:2: expected a route of 1 to 255 bytes, found 1"),
            ("[\"\"]", "1:2: expected a route"),
            ("{\"production\": {}}", "1:16: expected a list of routes"),
            ("[\"a\" \"b\"]", "1:6: expected \",\" or \"]\""),
        ] {
            let found = read(text).unwrap_err().to_string();
            assert!(found.starts_with(&format!("config/dictionary.json:{error}")), "{found}");
        }
        let found = dictionary_routes("production", file("{}", Layout::OneEnv)).unwrap_err().to_string();
        assert!(found.contains("expected a list of routes"), "{found}");
    }

    #[test]
    fn a_key_that_is_there_twice_is_told_with_its_place() {
        let read = |text| protos_json(file(text, Layout::OneEnv)).map_err(|error| error.to_string());
        assert!(read("{\"onMove\": {\"required uInt32 x\": 1}}").is_ok());
        let error = read("{\"onMove\": {\"required uInt32 x\": 1,\n\"required uInt32 x\": 2}}").unwrap_err();
        assert!(error.starts_with("config/dictionary.json:2:1: duplicate key"), "{error}");
        assert!(read("[]").is_err());
    }
}
