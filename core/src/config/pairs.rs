//! Servers from a command line: `add id=chat-2 serverType=chat host=127.0.0.1 port=6051`.

use super::ServerDef;
use super::checks::Checks;
use super::clusters::{Sequences, expand};
use super::names::quoted;
use crate::{Error, ErrorKind, Result};
use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use serde_json::Value;

impl ServerDef {
    /// Reads the keys of one entry of servers.json, and `serverType`, from a command line. Several
    /// servers come of a `clusterCount`.
    ///
    /// # Errors
    /// `Invalid` if an argument is wrong or one is missing; the message says which.
    pub fn from_pairs<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Result<Vec<Self>> {
        Self::from_pairs_beside(pairs, [])
    }

    /// As [`from_pairs`](Self::from_pairs), with a `clusterCount` that goes on behind the ids that exist.
    ///
    /// # Errors
    /// As there.
    pub fn from_pairs_beside<'a, 'b>(
        pairs: impl IntoIterator<Item = (&'a str, &'a str)>,
        existing_ids: impl IntoIterator<Item = &'b str>,
    ) -> Result<Vec<Self>> {
        let fields: Vec<(String, Value)> =
            pairs.into_iter().map(|(key, value)| (key.to_owned(), Value::from(value))).collect();
        let wrong = |i: usize, message: &str| {
            Error::new(ErrorKind::Invalid, format!("argument {}, {}: {message}", i + 1, quoted(&fields[i].0)))
        };
        for (i, (key, _)) in fields.iter().enumerate() {
            if key.is_empty() {
                return Err(wrong(i, "expected key=value, found no key"));
            }
            if fields[..i].iter().any(|(earlier, _)| earlier == key) {
                return Err(wrong(i, "duplicate key: an earlier argument has it already"));
            }
        }
        let mut sequences = Sequences::default();
        existing_ids.into_iter().for_each(|id| sequences.skip(id));
        let defs = expand(&fields, None, &mut sequences).map_err(|error| match error.field {
            Some(i) => wrong(i, &error.message),
            None => Error::new(ErrorKind::Invalid, error.message),
        })?;
        let mut checks = Checks::new(None);
        for def in &defs {
            checks.admit(def, None).map_err(|objection| {
                let blamed = fields.iter().position(|(key, _)| key == objection.key);
                blamed.map_or_else(
                    || Error::new(ErrorKind::Invalid, &*objection.message),
                    |i| wrong(i, &objection.message),
                )
            })?;
        }
        Ok(defs)
    }
}
