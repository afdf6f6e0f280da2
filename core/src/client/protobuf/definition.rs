//! Definitions: read from JSON, checked, and their types resolved.

use super::field::{Field, Rule, Type};
use crate::{Error, ErrorKind, Result};
use alloc::borrow::ToOwned as _;
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::{String, ToString as _};
use alloc::vec;
use alloc::vec::Vec;
use serde_json::{Map, Value, json};

/// Tags have to stay below 2^31 with their wire type, since JavaScript shifts 32 bits.
const MAX_TAG: u32 = (1 << 28) - 1;
/// How deep definitions may be within definitions.
const MAX_DEPTH: usize = 32;
const MESSAGE: &str = "message ";

/// What one message looks like.
#[derive(Debug, Clone, Default)]
pub(super) struct Definition {
    fields: Vec<Field>,
    by_name: BTreeMap<String, usize>,
    by_tag: BTreeMap<u32, usize>,
}

impl Definition {
    pub(super) fn fields(&self) -> &[Field] {
        &self.fields
    }

    pub(super) fn named(&self, name: &str) -> Option<&Field> {
        self.by_name.get(name).map(|&index| &self.fields[index])
    }

    pub(super) fn tagged(&self, tag: u32) -> Option<&Field> {
        self.by_tag.get(&tag).map(|&index| &self.fields[index])
    }
}

/// All definitions of one direction.
#[derive(Debug, Clone)]
pub(super) struct Definitions {
    all: Vec<Definition>,
    routes: BTreeMap<String, usize>,
    parsed: Value,
}

impl Default for Definitions {
    fn default() -> Self {
        Self { all: vec![], routes: BTreeMap::new(), parsed: json!({}) }
    }
}

impl Definitions {
    pub(super) fn parse(json: &Value) -> Result<Self> {
        let top = json.as_object().ok_or_else(|| invalid("", "definitions are a JSON object"))?;
        let mut reader = Reader { all: vec![], top: BTreeMap::new() };
        // Every message may refer to every one at the top, itself included.
        for name in top.keys() {
            reader.top.insert(name, reader.all.len());
            reader.all.push(Definition::default());
        }
        let mut parsed = Map::new();
        for (index, (name, definition)) in top.iter().enumerate() {
            parsed.insert(name.clone(), reader.read(index, name, definition, 0)?);
        }
        let routes = reader.top.iter().filter(|(name, _)| !name.starts_with(MESSAGE));
        let routes = routes.map(|(&name, &index)| (name.to_owned(), index)).collect();
        Ok(Self { all: reader.all, routes, parsed: parsed.into() })
    }

    pub(super) fn route(&self, route: &str) -> Option<&Definition> {
        self.routes.get(route).map(|&index| self.get(index))
    }

    pub(super) fn get(&self, index: usize) -> &Definition {
        &self.all[index]
    }

    pub(super) const fn parsed(&self) -> &Value {
        &self.parsed
    }
}

struct Reader<'a> {
    all: Vec<Definition>,
    top: BTreeMap<&'a str, usize>,
}

impl<'a> Reader<'a> {
    /// Reads the definition number `index`; returns what pomelo-protobuf makes of it.
    fn read(&mut self, index: usize, path: &str, json: &'a Value, depth: usize) -> Result<Value> {
        let entries = json.as_object().ok_or_else(|| invalid(path, "a definition is a JSON object"))?;
        if depth > MAX_DEPTH {
            return Err(invalid(path, "definitions are nested too deeply"));
        }
        let mut inner = BTreeMap::new();
        let mut messages = Map::new();
        for (key, value) in entries {
            if let Some(name) = key.strip_prefix(MESSAGE) {
                let index = self.all.len();
                self.all.push(Definition::default());
                inner.insert(name, index);
                let path = format!("{path}.{name}");
                messages.insert(name.to_owned(), self.read(index, &path, value, depth + 1)?);
            }
        }
        let mut definition = Definition::default();
        let mut parsed = Map::new();
        for (key, value) in entries {
            let Some(Words { rule, option, kind, name }) = words(path, key)? else { continue };
            let resolved = Type::named(kind)
                .or_else(|| inner.get(kind).copied().map(Type::Message))
                .or_else(|| self.top.get(&*format!("{MESSAGE}{kind}")).copied().map(Type::Message));
            let Some(resolved) = resolved else {
                return Err(invalid(path, &format!("`{key}` has the unknown type `{kind}`")));
            };
            let tag = value.as_u64().and_then(|tag| u32::try_from(tag).ok()).filter(|&tag| tag <= MAX_TAG);
            let Some(tag) = tag else {
                return Err(invalid(path, &format!("the tag of `{key}` is no whole number up to {MAX_TAG}")));
            };
            let number = definition.fields.len();
            if definition.by_tag.insert(tag, number).is_some() {
                return Err(invalid(path, &format!("the tag {tag} is there twice")));
            }
            if definition.by_name.insert(name.to_owned(), number).is_some() {
                return Err(invalid(path, &format!("the field `{name}` is there twice")));
            }
            parsed.insert(name.to_owned(), json!({ "option": option, "type": kind, "tag": tag }));
            definition.fields.push(Field { name: name.to_owned(), rule, kind: resolved, tag });
        }
        let tags = definition.by_tag.iter();
        let tags: Map<_, _> = tags
            .map(|(tag, &index)| (tag.to_string(), definition.fields[index].name.as_str().into()))
            .collect();
        parsed.insert("__messages".into(), messages.into());
        parsed.insert("__tags".into(), tags.into());
        self.all[index] = definition;
        Ok(parsed.into())
    }
}

struct Words<'a> {
    rule: Rule,
    option: &'a str,
    kind: &'a str,
    name: &'a str,
}

/// The words of a field; none if the key is something else, such as a comment.
fn words<'a>(path: &str, key: &'a str) -> Result<Option<Words<'a>>> {
    let mut words = key.split(' ');
    let Some((option, rule)) = words.next().and_then(|word| Some((word, Rule::named(word)?))) else {
        return Ok(None);
    };
    match (words.next(), words.next(), words.next()) {
        (Some(kind), Some(name), None) if !name.is_empty() && !name.starts_with("__") => {
            Ok(Some(Words { rule, option, kind, name }))
        }
        _ => Err(invalid(path, &format!("`{key}` should be `{option} TYPE NAME`"))),
    }
}

fn invalid(path: &str, what: &str) -> Error {
    let place = if path.is_empty() { String::new() } else { format!(" of `{path}`") };
    Error::new(ErrorKind::Invalid, format!("cannot take the protobuf definitions{place}: {what}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(json: Value) -> String {
        Definitions::parse(&json).expect_err("a fault").to_string()
    }

    #[test]
    fn what_pomelo_passes_over_in_silence_is_told() {
        for (fields, expected) in [
            (json!({"required uInt32": 1}), "`required uInt32` should be `required TYPE NAME`"),
            (json!({"required  uInt32 x": 1}), "should be `required TYPE NAME`"),
            (json!({"optional bool x": 1}), "unknown type `bool`"),
            (json!({"optional uInt32 x": 1, "optional uInt32 y": 1}), "the tag 1 is there twice"),
            (json!({"optional uInt32 x": 1, "optional sInt32 x": 2}), "the field `x` is there twice"),
            (json!({"optional uInt32 x": "1"}), "is no whole number"),
            (json!({"optional uInt32 x": 1 << 28}), "is no whole number"),
            (json!([]), "a definition is a JSON object"),
        ] {
            let fault = fault(json!({ "onMove": fields }));
            assert!(fault.contains("of `onMove`") && fault.contains(expected), "{fault}");
        }
        assert!(fault(json!([])).contains("definitions are a JSON object"));
        assert!(fault(json!({"a": {"message B": {"required C c": 1}}})).contains("`a.B`"));
    }

    #[test]
    fn comments_are_passed_over() {
        let definitions =
            Definitions::parse(&json!({"onMove": {"//": "where to", "required uInt32 x": 1}})).unwrap();
        assert_eq!(definitions.route("onMove").unwrap().fields().len(), 1);
    }

    #[test]
    fn a_type_is_looked_for_inside_then_at_the_top_and_nowhere_else() {
        let json = json!({
            "message P": {"required string top": 1},
            "a": {"message P": {"required string inside": 1}, "required P p": 1},
            "b": {"required P p": 1},
        });
        let definitions = Definitions::parse(&json).unwrap();
        for (route, field) in [("a", "inside"), ("b", "top")] {
            let Type::Message(index) = definitions.route(route).unwrap().fields()[0].kind else { panic!() };
            assert_eq!(definitions.get(index).fields()[0].name, field);
        }
        assert!(definitions.route("message P").is_none(), "it is no route");
        let between = json!({"a": {"message P": {}, "message Q": {"required P p": 1}}});
        assert!(fault(between).contains("unknown type `P`"));
    }

    #[test]
    fn definitions_within_definitions_have_an_end() {
        let mut json = json!({});
        for _ in 0..100 {
            json = json!({ "message M": json });
        }
        assert!(fault(json!({ "a": json })).contains("nested too deeply"));
    }
}
