//! Whatever is encoded is read back; whatever comes is read or refused, never beyond its end.

use proptest::prelude::*;
use serde_json::{Map, Value, json};
use tangelo_core::client::package::{self, HEADER};
use tangelo_core::client::{
    DecodeError, HandshakeRequest, Message, MessageKind, PackageType, Protos, Route, gzip, text,
};

/// A type, a rule, and a value of that type.
type Field = (&'static str, &'static str, Value);

fn kinds() -> impl Strategy<Value = PackageType> {
    (1..=5_u8).prop_map(|kind| PackageType::from_byte(kind).expect("a type"))
}

fn routes() -> impl Strategy<Value = Result<u16, String>> {
    let names = ".{0,60}".prop_filter("at most 255 bytes", |name| name.len() <= 255);
    prop_oneof![any::<u16>().prop_map(Ok), names.prop_map(Err)]
}

fn value(kind: &'static str) -> BoxedStrategy<Value> {
    match kind {
        "uInt32" => {
            prop_oneof![any::<u64>(), any::<u64>().prop_map(|n| n >> 40)].prop_map(Value::from).boxed()
        }
        "sInt32" | "int32" => {
            prop_oneof![any::<i64>(), any::<i64>().prop_map(|n| n >> 40)].prop_map(Value::from).boxed()
        }
        "float" => any::<f32>().prop_map(|number| number_of(number.into())).boxed(),
        "double" => any::<f64>().prop_map(number_of).boxed(),
        _ => ".*".prop_map(Value::from).boxed(),
    }
}

/// As JavaScript writes it.
fn number_of(number: f64) -> Value {
    #[expect(clippy::cast_possible_truncation)]
    let whole = number as i64;
    if number.abs() < 9_007_199_254_740_992.0 && whole as f64 == number {
        whole.into()
    } else {
        number.into()
    }
}

fn field() -> impl Strategy<Value = Field> {
    let kinds = proptest::sample::select(vec!["uInt32", "sInt32", "int32", "float", "double", "string"]);
    (kinds, 0..3).prop_flat_map(|(kind, rule)| match rule {
        0 => value(kind).prop_map(move |value| (kind, "required", value)).boxed(),
        1 => value(kind).prop_map(move |value| (kind, "optional", value)).boxed(),
        _ => proptest::collection::vec(value(kind), 1..5)
            .prop_map(move |values| (kind, "repeated", values.into()))
            .boxed(),
    })
}

/// Definitions, and a body: fields, the same once more in a message, and this in a list.
fn definition(fields: &[Field]) -> (Protos, Value) {
    let (mut inner, mut values) = (Map::new(), Map::new());
    for (tag, (kind, rule, value)) in fields.iter().enumerate() {
        inner.insert(format!("{rule} {kind} f{tag}"), (tag * 100).into());
        values.insert(format!("f{tag}"), value.clone());
    }
    let mut outer = inner.clone();
    outer.insert("message Inner".into(), inner.into());
    outer.insert("required Inner one".into(), 10_000.into());
    outer.insert("repeated Inner many".into(), 10_001.into());
    let mut body = values.clone();
    body.insert("one".into(), values.clone().into());
    body.insert("many".into(), vec![Value::from(values); 2].into());
    (Protos::parse(&json!({ "r": outer })).expect("definitions"), body.into())
}

proptest! {
    #[test]
    fn packages_split_anywhere_are_read_one_by_one(
        packages in proptest::collection::vec((kinds(), proptest::collection::vec(any::<u8>(), 0..40)), 1..6),
    ) {
        let mut stream = Vec::new();
        for (kind, body) in &packages {
            package::encode_into(&mut stream, *kind, body).unwrap();
        }
        for split in 0..=stream.len() {
            let (mut read, mut held) = (Vec::new(), Vec::new());
            for part in [&stream[..split], &stream[split..]] {
                held.extend_from_slice(part);
                while let Some((package, taken)) = package::decode(&held, 40).unwrap() {
                    read.push((package.kind, package.body.to_vec()));
                    held.drain(..taken);
                }
                prop_assert!(held.len() < package::needed(&held, 40).unwrap());
            }
            prop_assert_eq!(&read, &packages);
            prop_assert!(held.is_empty());
        }
    }

    #[test]
    fn any_bytes_are_a_package_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..100), max in 0_usize..80) {
        if let Ok(Some((package, taken))) = package::decode(&bytes, max) {
            prop_assert!(package.body.len() <= max);
            prop_assert_eq!(package.body, &bytes[HEADER..taken]);
        }
    }

    #[test]
    fn messages_are_read_back(
        kind in 0..4, id in any::<u64>(), route in routes(), body in proptest::collection::vec(any::<u8>(), 0..60), gzip: bool,
    ) {
        let route = match &route {
            Ok(code) => Route::Code(*code),
            Err(name) => Route::Name(name),
        };
        let message = match kind {
            0 => Message::request(id, route, &body),
            1 => Message::notify(route, &body),
            2 => Message::response(id, &body),
            _ => Message::push(route, &body),
        };
        let message = Message { gzip, ..message };
        let mut bytes = Vec::new();
        message.encode_into(&mut bytes).unwrap();
        prop_assert_eq!(bytes.len(), message.encoded_len());
        prop_assert_eq!(Message::decode(&bytes), Ok(message));
        for cut in 0..bytes.len() - body.len() {
            prop_assert_eq!(Message::decode(&bytes[..cut]), Err(DecodeError::Truncated));
        }
    }

    #[test]
    fn any_bytes_are_a_message_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        if let Ok(message) = Message::decode(&bytes) {
            prop_assert!(bytes.ends_with(message.body));
            prop_assert_eq!(message.route.is_none(), message.kind == MessageKind::Response);
            let mut again = Vec::new();
            message.encode_into(&mut again).unwrap();
            prop_assert_eq!(Message::decode(&again), Ok(message));
        }
    }

    #[test]
    fn protobuf_is_read_back_and_every_cut_is_borne(fields in proptest::collection::vec(field(), 0..8)) {
        let (protos, body) = definition(&fields);
        let bytes = protos.encode("r", &body).unwrap();
        prop_assert_eq!(protos.decode("r", &bytes), Ok(body));
        for cut in 0..bytes.len() {
            let _ = protos.decode("r", &bytes[..cut]);
        }
    }

    #[test]
    fn any_bytes_are_protobuf_or_refused(
        fields in proptest::collection::vec(field(), 0..8), bytes in proptest::collection::vec(0_u8..40, 0..100),
    ) {
        let (protos, _) = definition(&fields);
        let _ = protos.decode("r", &bytes);
    }

    #[test]
    fn any_bytes_are_a_handshake_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..100), user in ".*") {
        let _ = HandshakeRequest::parse(&bytes);
        let good = json!({"sys": {}, "user": user}).to_string();
        prop_assert_eq!(HandshakeRequest::parse(good.as_bytes()).unwrap().user, Value::from(user));
    }

    #[test]
    fn text_of_browsers_is_what_was_written(written in ".*") {
        let units: Vec<u16> = written.encode_utf16().collect();
        let bytes: Vec<u8> = units.iter().flat_map(|&unit| three_bytes_at_most(unit)).collect();
        prop_assert_eq!(text::to_utf8(&bytes), written);
    }

    #[test]
    fn text_that_is_none_is_read_as_everybody_does(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
        // Surrogates come by chance as good as never.
        prop_assert_eq!(text::to_utf8(&bytes), String::from_utf8_lossy(&bytes));
    }

    #[test]
    fn any_bytes_are_compressed_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..100), head in 0..3_usize) {
        let head: &[u8] = [&[][..], &[0x1F, 0x8B, 8], &[0x78, 0x9C]][head];
        if let Ok(text) = gzip::inflate(&[head, &bytes].concat(), 1000) {
            prop_assert!(text.len() <= 1000);
        }
    }
}

/// Each UTF-16 unit by itself, as pomelo-protocol's `strencode` has it in browsers.
fn three_bytes_at_most(unit: u16) -> Vec<u8> {
    let bits = |shift: u32, mask: u16, mark: u8| mark | u8::try_from(unit >> shift & mask).expect("six bits");
    match unit {
        0..0x80 => vec![bits(0, 0x7F, 0)],
        0x80..0x800 => vec![bits(6, 0x1F, 0xC0), bits(0, 0x3F, 0x80)],
        _ => vec![bits(12, 0xF, 0xE0), bits(6, 0x3F, 0x80), bits(0, 0x3F, 0x80)],
    }
}
