//! Protobuf bodies of clients, for definitions that are fixed or come along.

use serde_json::Value;
use std::sync::LazyLock;
use tangelo_core::client::{Protobuf, Protos};

static FIXED: LazyLock<Protos> = LazyLock::new(|| {
    let json = serde_json::json!({
        "message Node": {
            "optional Node next": 1, "repeated Node all": 2, "optional string name": 3, "repeated sInt32 s": 4,
        },
        "r": {
            "message Path": { "optional double x": 1, "optional float y": 2, "repeated string names": 16 },
            "optional uInt32 u": 1, "optional sInt32 s": 2, "optional int32 i": 3, "optional float f": 4,
            "optional double d": 5, "optional string t": 6, "optional Node node": 7, "optional Path path": 8,
            "repeated uInt32 us": 9, "repeated sInt32 ss": 10, "repeated float fs": 11, "repeated double ds": 12,
            "repeated string ts": 13, "repeated Node nodes": 14, "repeated Path paths": 300,
        },
    });
    Protos::parse(&json).expect("definitions")
});

/// The first byte says what the others are: a body, or definitions or a message in JSON and then a body.
pub(crate) fn run(bytes: &[u8]) {
    let Some((&what, rest)) = bytes.split_first() else { return };
    let split = rest.iter().position(|&byte| byte == 0).unwrap_or(rest.len());
    let (json, body) = rest.split_at(split);
    match what % 3 {
        0 => read(&FIXED, "r", rest),
        1 => {
            let Ok(json) = serde_json::from_slice(json) else { return };
            let Ok(protos) = Protos::parse(&json) else { return };
            for route in json.as_object().into_iter().flat_map(|routes| routes.keys()) {
                assert!(protos.contains(route) != route.starts_with("message "));
                read(&protos, route, body.get(1..).unwrap_or_default());
            }
            let both = Protobuf::new(protos.clone(), protos);
            serde_json::from_str::<Value>(both.json()).expect("JSON");
        }
        _ => {
            let Ok(json) = serde_json::from_slice(json) else { return };
            let Ok(body) = FIXED.encode("r", &json) else { return };
            FIXED.decode("r", &body).expect("what was encoded is read");
        }
    }
}

/// What can be read is written and read back.
fn read(protos: &Protos, route: &str, body: &[u8]) {
    let Ok(value) = protos.decode(route, body) else { return };
    // A body may lack what is required, and have lists that are empty and numbers that are none.
    let Ok(again) = protos.encode(route, &value) else { return };
    let read = protos.decode(route, &again).expect("what was encoded is read");
    assert_eq!(read, written(value));
}

/// As it is once it was written: without lists that are empty and numbers that are none.
fn written(value: Value) -> Value {
    match value {
        Value::Object(fields) => {
            let fields = fields.into_iter().map(|(name, value)| (name, written(value)));
            let is_there =
                |value: &Value| !value.is_null() && value.as_array().is_none_or(|all| !all.is_empty());
            Value::Object(fields.filter(|(_, value)| is_there(value)).collect())
        }
        Value::Array(values) => values.into_iter().map(written).collect(),
        value => value,
    }
}
