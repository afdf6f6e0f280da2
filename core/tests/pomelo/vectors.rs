//! What Pomelo encodes is encoded to the same bytes, and read.

use core::time::Duration;
use serde::Deserialize;
use serde_json::Value;
use tangelo_core::client::package::{self, Package};
use tangelo_core::client::{
    Accept, Dictionary, HandshakeRequest, Message, MessageKind, PackageType, Protobuf, Protos, Refusal, Route,
};

#[derive(Deserialize)]
struct Vectors {
    packages: Vec<PackageVector>,
    messages: Vec<MessageVector>,
    dictionaries: Vec<DictionaryVector>,
    protobuf: ProtobufVectors,
    protos: Vec<ProtosVector>,
    handshakes: Vec<HandshakeVector>,
}

#[derive(Deserialize)]
struct PackageVector {
    r#type: u8,
    body: String,
    hex: String,
}

#[derive(Deserialize)]
struct MessageVector {
    id: u64,
    r#type: u8,
    route: Value,
    body: String,
    gzip: bool,
    hex: String,
}

#[derive(Deserialize)]
struct DictionaryVector {
    handlers: Vec<String>,
    more: Vec<String>,
    dict: String,
    abbrs: String,
    version: String,
}

#[derive(Deserialize)]
struct ProtobufVectors {
    protos: Value,
    parsed: Value,
    bodies: Vec<BodyVector>,
    refused: Vec<RefusedVector>,
}

#[derive(Deserialize)]
struct BodyVector {
    route: String,
    body: Value,
    hex: String,
    decoded: Value,
    browser: String,
}

#[derive(Deserialize)]
struct RefusedVector {
    route: String,
    hex: String,
}

#[derive(Deserialize)]
struct ProtosVector {
    server: Option<Value>,
    client: Option<Value>,
    json: String,
    version: String,
}

#[derive(Deserialize)]
struct HandshakeVector {
    opts: Options,
    handlers: Vec<String>,
    more: Vec<String>,
    request: Value,
    /// `null` if the application refused.
    #[serde(default, deserialize_with = "there")]
    user: Option<Value>,
    hex: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[derive(Default)]
struct Options {
    heartbeat: Option<f64>,
    use_dict: bool,
    use_protobuf: bool,
}

/// So that `null` is told from nothing.
fn there<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

fn vectors() -> Vectors {
    serde_json::from_str(include_str!("vectors.json")).expect("the vectors")
}

fn bytes(hex: &str) -> Vec<u8> {
    let digits = hex.as_bytes().chunks(2).map(|pair| core::str::from_utf8(pair).expect("ASCII"));
    digits.map(|pair| u8::from_str_radix(pair, 16).expect("hex")).collect()
}

fn protos(json: Option<&Value>) -> Protos {
    json.map_or_else(Protos::default, |json| Protos::parse(json).expect("definitions"))
}

#[test]
fn packages() {
    for vector in vectors().packages {
        let expected = bytes(&vector.hex);
        let kind = PackageType::from_byte(vector.r#type).expect("a type");
        let mut encoded = Vec::new();
        package::encode_into(&mut encoded, kind, vector.body.as_bytes()).expect("a package");
        assert_eq!(encoded, expected);
        let whole = Package { kind, body: vector.body.as_bytes() };
        assert_eq!(package::decode(&expected, package::MAX_BODY), Ok(Some((whole, expected.len()))));
    }
}

#[test]
fn messages() {
    for vector in vectors().messages {
        let expected = bytes(&vector.hex);
        let route = match &vector.route {
            Value::String(name) => Some(Route::Name(name)),
            route => route.as_u64().map(|code| Route::Code(code.try_into().expect("a code"))),
        };
        let kind = match vector.r#type {
            0 => MessageKind::Request,
            1 => MessageKind::Notify,
            2 => MessageKind::Response,
            _ => MessageKind::Push,
        };
        let id = Some(vector.id).filter(|&id| id != 0);
        let message = Message { kind, id, route, body: vector.body.as_bytes(), gzip: vector.gzip };
        let mut encoded = Vec::new();
        message.encode_into(&mut encoded).expect("a message");
        assert_eq!(encoded, expected, "{message:?}");
        assert_eq!(Message::decode(&expected), Ok(message));
    }
}

#[test]
fn dictionaries() {
    for vector in vectors().dictionaries {
        let dictionary = Dictionary::new(vector.handlers, vector.more);
        assert_eq!(dictionary.route_to_code(), vector.dict);
        assert_eq!(dictionary.code_to_route(), vector.abbrs);
        assert_eq!(dictionary.version(), vector.version);
    }
}

#[test]
fn protobuf_bodies_of_servers_and_browsers() {
    let vectors = vectors().protobuf;
    let protos = protos(Some(&vectors.protos));
    assert_eq!(protos.parsed().to_string(), vectors.parsed.to_string());
    for BodyVector { route, body, hex, decoded, browser } in vectors.bodies {
        let expected = bytes(&hex);
        assert_eq!(protos.encode(&route, &body).expect("encodes"), expected, "{route} {body}");
        assert_eq!(protos.decode(&route, &expected).expect("decodes"), decoded, "{route} {body}");
        // Browsers write other wire types, and an emoji as two surrogates.
        let browser = bytes(&browser);
        assert_eq!(protos.decode(&route, &browser).expect("decodes"), decoded, "{route} {body}");
    }
    for RefusedVector { route, hex } in vectors.refused {
        protos.decode(&route, &bytes(&hex)).expect_err("Pomelo refuses it, too");
    }
}

#[test]
fn protobuf_definitions_and_their_version() {
    for vector in vectors().protos {
        let protobuf = Protobuf::new(protos(vector.server.as_ref()), protos(vector.client.as_ref()));
        assert_eq!(protobuf.json(), vector.json);
        assert_eq!(protobuf.version(), vector.version);
    }
}

#[test]
fn handshakes() {
    let vectors = vectors();
    let both = &vectors.protos[0];
    let protobuf = Protobuf::new(protos(both.server.as_ref()), protos(both.client.as_ref()));
    for vector in vectors.handshakes {
        let dictionary = Dictionary::new(vector.handlers, vector.more);
        let accept = Accept::new(
            vector.opts.heartbeat.map(Duration::from_secs_f64),
            vector.opts.use_dict.then_some(&dictionary),
            vector.opts.use_protobuf.then_some(&protobuf),
        );
        let body = match (HandshakeRequest::parse(vector.request.to_string().as_bytes()), &vector.user) {
            (Ok(request), None | Some(Value::Object(_))) => accept.body(&request, vector.user.as_ref()),
            _ => Refusal::Failed.body(),
        };
        let mut encoded = Vec::new();
        package::encode_into(&mut encoded, PackageType::Handshake, &body).expect("a package");
        let expected = bytes(&vector.hex);
        assert_eq!(
            String::from_utf8_lossy(&encoded),
            String::from_utf8_lossy(&expected),
            "{}",
            vector.request
        );
    }
}
