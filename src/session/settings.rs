//! The settings of a session, as one handle has them.

use alloc::sync::Arc;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

/// They came as JSON, which is parsed by whoever asks for one.
pub(super) struct Settings {
    encoded: Arc<[u8]>,
    parsed: Option<Map<String, Value>>,
    /// Set here and not handed over yet.
    changed: Map<String, Value>,
}

impl Settings {
    /// Those in a JSON object; nothing at all for none.
    pub(super) fn new(encoded: Arc<[u8]>) -> Self {
        Self { encoded, parsed: None, changed: Map::new() }
    }

    pub(super) fn get<T: DeserializeOwned>(&mut self, key: &str) -> Option<T> {
        let value = match self.changed.get(key) {
            Some(value) => value,
            None => self.parsed().get(key)?,
        };
        T::deserialize(value).ok()
    }

    pub(super) fn set(&mut self, key: &str, value: Value) {
        self.changed.insert(key.into(), value);
    }

    pub(super) fn changed(&self) -> Map<String, Value> {
        self.changed.clone()
    }

    /// The frontend has these now.
    pub(super) fn handed_over(&mut self, values: Map<String, Value>) {
        // One that was set anew meanwhile is still to be handed over.
        self.changed.retain(|key, value| values.get(key) != Some(value));
        self.parsed().extend(values);
    }

    fn parsed(&mut self) -> &mut Map<String, Value> {
        // They come from a frontend, which has made them itself.
        self.parsed.get_or_insert_with(|| serde_json::from_slice(&self.encoded).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_is_set_is_seen_at_once_and_handed_over_once() {
        let mut settings = Settings::new(br#"{"room":1,"name":"ann"}"#.as_slice().into());
        assert_eq!(settings.get::<u8>("room"), Some(1));
        assert_eq!(settings.get::<u8>("name"), None, "it is of another type");
        assert_eq!(settings.get::<u8>("none"), None);
        settings.set("room", json!(2));
        assert_eq!(settings.get::<u8>("room"), Some(2));
        let changed = settings.changed();
        settings.set("room", json!(3));
        settings.handed_over(changed);
        assert_eq!(settings.get::<u8>("room"), Some(3));
        let changed = settings.changed();
        assert_eq!(Value::from(changed.clone()), json!({"room": 3}));
        settings.handed_over(changed);
        assert!(settings.changed().is_empty());
        assert_eq!(settings.get::<u8>("room"), Some(3));
    }
}
