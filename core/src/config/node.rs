//! JSON values that know where in their file they stand.
//!
//! Every value is a slice of the text it came from, so its place need not be carried along.

use super::error::ConfigError;
use super::names::quoted;
use super::source::Source;
use super::value::unexpected;
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::Value;
use serde_json::value::RawValue;

/// A value of a file.
#[derive(Clone, Copy)]
pub(super) struct Node<'a> {
    source: Source<'a>,
    raw: &'a str,
}

/// One item of an object.
#[derive(Clone)]
pub(super) struct Entry<'a> {
    pub(super) key: String,
    /// Where the key stands.
    pub(super) name: Node<'a>,
    pub(super) value: Node<'a>,
}

impl<'a> Node<'a> {
    /// The one value of a file.
    pub(super) fn root(source: Source<'a>) -> Result<Self, ConfigError> {
        let raw: &RawValue = serde_json::from_str(source.text).map_err(|e| source.syntax_error(0, &e))?;
        Ok(Self { source, raw: raw.get() })
    }

    /// Where it begins in the file's text.
    pub(super) fn offset(&self) -> usize {
        // Both point into the same text: a borrowed `RawValue` is never a copy.
        self.raw.as_ptr().addr() - self.source.text.as_ptr().addr()
    }

    /// An error at this place.
    pub(super) fn error(&self, message: impl Into<String>) -> ConfigError {
        self.source.error(self.offset(), message)
    }

    /// The line of another place of the same file.
    pub(super) fn line_of(&self, offset: usize) -> usize {
        self.source.position(offset).0
    }

    pub(super) fn is_object(&self) -> bool {
        self.raw.starts_with('{')
    }

    pub(super) fn is_array(&self) -> bool {
        self.raw.starts_with('[')
    }

    fn read<T: Deserialize<'a>>(&self) -> Result<T, ConfigError> {
        serde_json::from_str(self.raw).map_err(|e| self.source.syntax_error(self.offset(), &e))
    }

    /// "expected `expected`, found …" at this place.
    pub(super) fn unexpected(&self, expected: &str) -> ConfigError {
        match self.read() {
            Ok(value) => self.error(unexpected(expected, &value)),
            Err(error) => error,
        }
    }

    /// The items of an object, each key once.
    pub(super) fn object(&self, expected: &str) -> Result<Vec<Entry<'a>>, ConfigError> {
        if !self.is_object() {
            return Err(self.unexpected(expected));
        }
        let RawObject(items) = self.read()?;
        let mut seen: BTreeMap<String, usize> = BTreeMap::new();
        let mut entries = Vec::with_capacity(items.len());
        for (key, value) in items {
            let name = Node { source: self.source, raw: key.get() };
            let key: String = name.read()?;
            if let Some(first) = seen.insert(key.clone(), name.offset()) {
                let line = self.line_of(first);
                return Err(name.error(format!("duplicate key {}: line {line} has it already", quoted(&key))));
            }
            entries.push(Entry { key, name, value: Node { source: self.source, raw: value.get() } });
        }
        Ok(entries)
    }

    /// The items of a list.
    pub(super) fn array(&self, expected: &str) -> Result<Vec<Self>, ConfigError> {
        if !self.is_array() {
            return Err(self.unexpected(expected));
        }
        let items: Vec<&RawValue> = self.read()?;
        Ok(items.into_iter().map(|raw| Self { source: self.source, raw: raw.get() }).collect())
    }

    /// The value itself, in which no object has a key twice.
    pub(super) fn value(&self) -> Result<Value, ConfigError> {
        // This also bounds the depth, and so the recursion below.
        let value = self.read()?;
        self.check_keys()?;
        Ok(value)
    }

    fn check_keys(&self) -> Result<(), ConfigError> {
        if self.is_object() {
            self.object("")?.iter().try_for_each(|entry| entry.value.check_keys())
        } else if self.is_array() {
            self.array("")?.iter().try_for_each(Self::check_keys)
        } else {
            Ok(())
        }
    }
}

/// The items of an object as they stand, doubles too.
struct RawObject<'a>(Vec<(&'a RawValue, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for RawObject<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Items;
        impl<'de> Visitor<'de> for Items {
            type Value = RawObject<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut items = Vec::new();
                while let Some(item) = map.next_entry()? {
                    items.push(item);
                }
                Ok(RawObject(items))
            }
        }
        deserializer.deserialize_map(Items)
    }
}
