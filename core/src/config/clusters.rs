//! `clusterCount`: one entry of servers.json that stands for many servers.

use super::ServerDef;
use super::server_fields::{self, CLUSTER_COUNT, FieldError};
use super::value;
use alloc::borrow::Cow;
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use serde_json::Value;

/// The most servers in one cluster.
pub const MAX_SERVERS: usize = 10_000;

/// The next number for each type's `cluster-server-<type>-<seq>`.
#[derive(Default)]
pub(super) struct Sequences(BTreeMap<String, u64>);

impl Sequences {
    /// Leaves out the numbers of an id that is taken.
    pub(super) fn skip(&mut self, id: &str) {
        let taken = id.strip_prefix("cluster-server-").and_then(|rest| rest.rsplit_once('-'));
        if let Some((server_type, Ok(seq))) =
            taken.map(|(server_type, seq)| (server_type, seq.parse::<u64>()))
        {
            let next = self.0.entry(server_type.into()).or_default();
            *next = (*next).max(seq.saturating_add(1));
        }
    }
}

/// The servers that one entry stands for.
///
/// With `clusterCount` its id is `cluster-server-<type>-<seq>`, as Pomelo names it, whatever the
/// entry says, and a value such as `"3001++"` is 3001 for the first, 3002 for the next, and so on.
pub(super) fn expand(
    fields: &[(String, Value)],
    server_type: Option<&str>,
    sequences: &mut Sequences,
) -> Result<Vec<ServerDef>, FieldError> {
    let Some(count_field) = fields.iter().position(|(key, _)| key == CLUSTER_COUNT) else {
        let fields = fields.iter().map(|(key, value)| (key.as_str(), value));
        return Ok([server_fields::read(fields, server_type)?].into());
    };
    let count = value::integer(&fields[count_field].1, 1, MAX_SERVERS)
        .map_err(|message| FieldError { field: Some(count_field), message })?;
    let named = fields.iter().find(|(key, _)| key == "serverType").and_then(|(_, value)| value.as_str());
    let server_type = server_type.or(named);
    let next = sequences.0.entry(server_type.unwrap_or_default().into()).or_default();
    (0u64..)
        .take(count)
        .map(|i| {
            let id = Value::String(format!("cluster-server-{}-{next}", server_type.unwrap_or_default()));
            *next = next.saturating_add(1);
            let mut counted: Vec<(&str, Cow<'_, Value>)> = fields
                .iter()
                .filter(|(key, _)| key != "id")
                .map(|(key, value)| (key.as_str(), count_up(value, i)))
                .collect();
            // In the place of the count, so that the other fields keep theirs.
            let place = counted.iter().position(|(key, _)| *key == CLUSTER_COUNT).unwrap_or_default();
            counted[place] = ("id", Cow::Owned(id));
            server_fields::read(counted.iter().map(|(key, value)| (*key, &**value)), server_type).map_err(
                |mut error| {
                    // Back to the places in `fields`, where an id may stand before.
                    if let (Some(field), Some(id)) =
                        (&mut error.field, fields.iter().position(|(key, _)| key == "id"))
                    {
                        *field += usize::from(*field >= id);
                    }
                    error
                },
            )
        })
        .collect()
}

/// `"3001++"` as 3001 + `i`; all else as it is.
fn count_up(value: &Value, i: u64) -> Cow<'_, Value> {
    match value.as_str().and_then(base) {
        Some(base) => Cow::Owned(base.saturating_add(i).into()),
        None => Cow::Borrowed(value),
    }
}

/// The number in a text such as `3001++`.
pub(super) fn base(text: &str) -> Option<u64> {
    text.trim().strip_suffix("++")?.trim().parse().ok()
}
