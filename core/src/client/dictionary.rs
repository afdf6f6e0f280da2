//! The dictionary: short codes for routes.
//!
//! The rule is Pomelo 2.2.7's (`lib/components/dictionary.js`): the routes of all handlers, sorted,
//! have the codes from 1 on, those of `config/dictionary.json` follow in their order there. The
//! version is `base64(md5(JSON.stringify(dictionary)))`; a client that has this version already is
//! not sent the dictionary again.

use super::digest;
use alloc::string::{String, ToString as _};
use alloc::vec::Vec;
use serde_json::{Map, Value};

/// Routes and their codes.
#[derive(Debug, Clone)]
pub struct Dictionary {
    /// The route of code n is at n − 1.
    routes: Vec<String>,
    codes: Map<String, Value>,
    version: String,
}

impl Dictionary {
    /// The dictionary of the `handlers`' routes, in whatever order, and of `more`, as in
    /// `config/dictionary.json`. A route that is there twice keeps the codes of both and is sent by
    /// the later one. Codes end at 65 535: routes beyond have none and are sent by name.
    pub fn new<S: Into<String>>(
        handlers: impl IntoIterator<Item = S>,
        more: impl IntoIterator<Item = S>,
    ) -> Self {
        let mut routes: Vec<String> = handlers.into_iter().map(Into::into).collect();
        routes.sort_by(|a, b| a.encode_utf16().cmp(b.encode_utf16()));
        routes.extend(more.into_iter().map(Into::into));
        routes.truncate(usize::from(u16::MAX));
        let mut codes = Map::new();
        for (code, route) in (1..=u16::MAX).zip(&routes) {
            codes.insert(route.clone(), code.into());
        }
        let version = digest::version(&[&json(&codes)]);
        Self { routes, codes, version }
    }

    /// The code to send a route by.
    #[must_use]
    pub fn code(&self, route: &str) -> Option<u16> {
        self.codes.get(route)?.as_u64()?.try_into().ok()
    }

    /// The route that a code stands for.
    #[must_use]
    pub fn route(&self, code: u16) -> Option<&str> {
        self.routes.get(usize::from(code).checked_sub(1)?).map(String::as_str)
    }

    /// Its version: it changes whenever a route or a code does.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.version
    }

    /// How many codes there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.routes.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.routes.is_empty()
    }

    /// Each route with its code, as JSON: `{"chat.chatHandler.send":1}`.
    #[must_use]
    pub fn route_to_code(&self) -> String {
        json(&self.codes)
    }

    /// Each code with its route, as JSON: `{"1":"chat.chatHandler.send"}`.
    #[must_use]
    pub fn code_to_route(&self) -> String {
        let routes = (1..=u16::MAX).zip(&self.routes);
        json(&routes.map(|(code, route)| (code.to_string(), route.as_str().into())).collect())
    }
}

fn json(map: &Map<String, Value>) -> String {
    serde_json::to_string(map).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn handlers_are_sorted_and_the_file_keeps_its_order() {
        let handlers = ["connector.entryHandler.enter", "chat.chatHandler.send"];
        let dictionary = Dictionary::new(handlers, ["onLeave", "onChat"]);
        assert_eq!(dictionary.len(), 4);
        assert_eq!(dictionary.code("chat.chatHandler.send"), Some(1));
        assert_eq!(dictionary.code("onChat"), Some(4));
        assert_eq!(dictionary.code("nobody"), None);
        assert_eq!(dictionary.route(2), Some("connector.entryHandler.enter"));
        assert_eq!((dictionary.route(0), dictionary.route(5)), (None, None));
        assert_eq!(
            dictionary.code_to_route(),
            r#"{"1":"chat.chatHandler.send","2":"connector.entryHandler.enter","3":"onLeave","4":"onChat"}"#
        );
    }

    #[test]
    fn a_route_that_is_there_twice_is_sent_by_its_last_code() {
        let dictionary = Dictionary::new(["b", "a"], ["a"]);
        assert_eq!(
            (dictionary.code("a"), dictionary.route(1), dictionary.route(3)),
            (Some(3), Some("a"), Some("a"))
        );
        assert_eq!(dictionary.route_to_code(), r#"{"a":3,"b":2}"#);
    }

    #[test]
    fn codes_end_where_two_bytes_do() {
        let dictionary = Dictionary::new((0..70_000).map(|n| alloc::format!("{n:05}")), []);
        assert_eq!(dictionary.len(), 65_535);
        assert_eq!(dictionary.route(65_535), Some("65534"));
        assert_eq!(dictionary.code("65535"), None);
    }
}
