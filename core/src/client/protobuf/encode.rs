//! From JSON to protobuf.

use super::MAX_DEPTH;
use super::definition::{Definition, Definitions};
use super::field::{Field, Rule, Type};
use crate::client::varint;
use crate::{Error, ErrorKind};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use serde_json::{Number, Value};

/// What is wrong with a value, and with which.
#[derive(Debug)]
pub(super) struct Fault {
    /// From the outermost field on: `.path.x`.
    field: String,
    what: &'static str,
}

impl Fault {
    const fn new(what: &'static str) -> Self {
        Self { field: String::new(), what }
    }

    fn within(mut self, name: &str) -> Self {
        self.field.insert_str(0, name);
        self.field.insert(0, '.');
        self
    }

    pub(super) fn at(self, route: &str) -> Error {
        let Self { field, what } = self;
        Error::new(ErrorKind::Invalid, format!("cannot encode `{route}{field}` in protobuf: {what}"))
    }
}

pub(super) fn encode(all: &Definitions, definition: &Definition, body: &Value) -> Result<Vec<u8>, Fault> {
    let mut out = Vec::new();
    message(&mut out, all, definition, body, 0)?;
    Ok(out)
}

fn message(
    out: &mut Vec<u8>,
    all: &Definitions,
    definition: &Definition,
    value: &Value,
    depth: usize,
) -> Result<(), Fault> {
    let values = value.as_object().ok_or(Fault::new("it is no object"))?;
    if depth > MAX_DEPTH {
        return Err(Fault::new("it is nested too deeply"));
    }
    let missing =
        |field: &&Field| field.rule == Rule::Required && values.get(&field.name).is_none_or(Value::is_null);
    if let Some(field) = definition.fields().iter().find(missing) {
        return Err(Fault::new("it is required").within(&field.name));
    }
    // In the order in which the message has them, as pomelo-protobuf does it.
    for (name, value) in values.iter().filter(|(_, value)| !value.is_null()) {
        if let Some(field) = definition.named(name) {
            put_field(out, all, field, value, depth).map_err(|fault| fault.within(name))?;
        }
    }
    Ok(())
}

fn put_field(
    out: &mut Vec<u8>,
    all: &Definitions,
    field: &Field,
    value: &Value,
    depth: usize,
) -> Result<(), Fault> {
    let tag = u64::from(field.tag) << 3 | field.kind.wire();
    if field.rule != Rule::Repeated {
        varint::put(out, tag);
        return put(out, all, field.kind, value, depth);
    }
    let values = value.as_array().ok_or(Fault::new("it is no array"))?;
    if field.kind.is_number() && !values.is_empty() {
        varint::put(out, tag);
        varint::put(out, values.len() as u64);
    }
    for value in values {
        if !field.kind.is_number() {
            varint::put(out, tag);
        }
        put(out, all, field.kind, value, depth)?;
    }
    Ok(())
}

fn put(out: &mut Vec<u8>, all: &Definitions, kind: Type, value: &Value, depth: usize) -> Result<(), Fault> {
    match kind {
        Type::Unsigned => varint::put(out, unsigned(&number(value)?)?),
        Type::Signed => varint::put(out, zigzag(signed(&number(value)?)?)),
        // As JavaScript does, whatever is lost.
        #[expect(clippy::cast_possible_truncation)]
        Type::Float => out.extend_from_slice(&(float(&number(value)?)? as f32).to_le_bytes()),
        Type::Double => out.extend_from_slice(&float(&number(value)?)?.to_le_bytes()),
        Type::Text => {
            let text = value.as_str().ok_or(Fault::new("it is no text"))?;
            varint::put(out, text.len() as u64);
            out.extend_from_slice(text.as_bytes());
        }
        Type::Message(index) => {
            let mut inner = Vec::new();
            message(&mut inner, all, all.get(index), value, depth + 1)?;
            varint::put(out, inner.len() as u64);
            out.extend_from_slice(&inner);
        }
    }
    Ok(())
}

/// JavaScript takes a number that is written as text, too.
fn number(value: &Value) -> Result<Number, Fault> {
    match value {
        Value::Number(number) => Ok(number.clone()),
        Value::String(text) => serde_json::from_str(text.trim()).map_err(|_| Fault::new("it is no number")),
        _ => Err(Fault::new("it is no number")),
    }
}

/// Digits behind the point are cut off.
fn unsigned(number: &Number) -> Result<u64, Fault> {
    if let Some(number) = number.as_u64() {
        return Ok(number);
    }
    match number.as_f64() {
        // The end of the range is the first power of two beyond it, which a float can say exactly.
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        Some(number) if number > -1.0 && number < 18_446_744_073_709_551_616.0 => Ok(number as u64),
        _ => Err(Fault::new("it is negative or too large")),
    }
}

fn signed(number: &Number) -> Result<i64, Fault> {
    if let Some(number) = number.as_i64() {
        return Ok(number);
    }
    match number.as_f64() {
        #[expect(clippy::cast_possible_truncation)]
        Some(number) if number.abs() < 9_223_372_036_854_775_808.0 => Ok(number as i64),
        _ => Err(Fault::new("it is too large")),
    }
}

fn float(number: &Number) -> Result<f64, Fault> {
    number.as_f64().ok_or(Fault::new("it is too large"))
}

const fn zigzag(number: i64) -> u64 {
    (number << 1 ^ number >> 63).cast_unsigned()
}

#[cfg(test)]
mod tests {
    use super::super::Protos;
    use super::*;
    use alloc::string::ToString as _;
    use serde_json::json;

    fn encoded(kind: &str, value: &Value) -> Result<Vec<u8>, String> {
        let protos = Protos::parse(&json!({"r": {format!("optional {kind} v"): 1}})).unwrap();
        protos.encode("r", &json!({ "v": value })).map_err(|error| error.to_string())
    }

    #[test]
    fn numbers_are_taken_as_javascript_does_if_they_are_some() {
        for value in [json!(7), json!(7.9), json!("7"), json!(" 7.5 ")] {
            assert_eq!(encoded("uInt32", &value), Ok(alloc::vec![8, 7]), "{value}");
            assert_eq!(encoded("sInt32", &value), Ok(alloc::vec![8, 14]), "{value}");
        }
        assert_eq!(encoded("uInt32", &json!(-0.5)), Ok(alloc::vec![8, 0]));
        assert_eq!(encoded("uInt32", &Value::Null), Ok(alloc::vec![]), "null is as good as nothing");
        for value in [json!(-1), json!(true), json!("x"), json!(1e20), json!([1])] {
            encoded("uInt32", &value).unwrap_err();
        }
        for value in [json!(9_223_372_036_854_775_808_u64), json!(-1e19)] {
            encoded("int32", &value).unwrap_err();
        }
        encoded("string", &json!(1)).unwrap_err();
    }

    #[test]
    fn a_fault_names_its_field() {
        let json = json!({"onMove": {"message P": {"required uInt32 x": 1}, "repeated P path": 1}});
        let protos = Protos::parse(&json).unwrap();
        let fault = protos.encode("onMove", &json!({"path": [{"x": 1}, {}]})).unwrap_err();
        assert_eq!(fault.to_string(), "cannot encode `onMove.path.x` in protobuf: it is required");
        assert_eq!(protos.encode("onChat", &json!({})).unwrap_err().kind(), ErrorKind::NotFound);
        assert_eq!(protos.encode("onMove", &json!([])).unwrap_err().kind(), ErrorKind::Invalid);
    }

    #[test]
    fn what_is_nested_without_end_is_refused() {
        let protos =
            Protos::parse(&json!({"message N": {"optional N n": 1}, "r": {"optional N n": 1}})).unwrap();
        let mut value = json!({});
        for depth in 0..=MAX_DEPTH + 1 {
            assert_eq!(protos.encode("r", &value).is_ok(), depth <= MAX_DEPTH, "{depth}");
            value = json!({ "n": value });
        }
    }
}
