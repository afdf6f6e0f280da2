//! From protobuf to JSON.

use super::MAX_DEPTH;
use super::definition::{Definition, Definitions};
use super::field::{Rule, Type};
use crate::client::error::DecodeError;
use crate::client::{text, varint};
use alloc::string::String;
use alloc::vec;
use serde_json::{Map, Value};

pub(super) fn decode(
    all: &Definitions,
    definition: &Definition,
    mut body: &[u8],
) -> Result<Value, DecodeError> {
    message(&mut body, all, definition, 0).map(Value::Object)
}

/// Reads a message, which takes all of `bytes`.
fn message(
    bytes: &mut &[u8],
    all: &Definitions,
    definition: &Definition,
    depth: usize,
) -> Result<Map<String, Value>, DecodeError> {
    if depth > MAX_DEPTH {
        return Err(DecodeError::TooDeep);
    }
    let mut fields = Map::new();
    while !bytes.is_empty() {
        let tag = u32::try_from(varint::take(bytes)? >> 3).unwrap_or(u32::MAX);
        let field = definition.tagged(tag).ok_or(DecodeError::UnknownField(tag))?;
        if field.rule != Rule::Repeated {
            let value = value(bytes, all, field.kind, depth)?;
            fields.insert(field.name.clone(), value);
            continue;
        }
        let count = if field.kind.is_number() { length(bytes)? } else { 1 };
        // So a count without its numbers costs nothing.
        if count > bytes.len() / field.kind.min_len() {
            return Err(DecodeError::Truncated);
        }
        let mut values = vec![];
        values.reserve_exact(count);
        for _ in 0..count {
            values.push(value(bytes, all, field.kind, depth)?);
        }
        match fields.get_mut(&field.name) {
            Some(Value::Array(earlier)) => earlier.append(&mut values),
            _ => drop(fields.insert(field.name.clone(), values.into())),
        }
    }
    Ok(fields)
}

fn value(bytes: &mut &[u8], all: &Definitions, kind: Type, depth: usize) -> Result<Value, DecodeError> {
    Ok(match kind {
        Type::Unsigned => varint::take(bytes)?.into(),
        Type::Signed => unzigzag(varint::take(bytes)?).into(),
        Type::Float => number(f32::from_le_bytes(array(bytes)?).into()),
        Type::Double => number(f64::from_le_bytes(array(bytes)?)),
        Type::Text => {
            let length = length(bytes)?;
            text::to_utf8(take(bytes, length)?).into()
        }
        Type::Message(index) => {
            let length = length(bytes)?;
            message(&mut take(bytes, length)?, all, all.get(index), depth + 1)?.into()
        }
    })
}

/// As JavaScript writes it in JSON: without a point if it is whole, and `null` if it is none.
fn number(number: f64) -> Value {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    #[expect(clippy::cast_possible_truncation)]
    let whole = number as i64;
    if number.abs() < EXACT && whole as f64 == number { whole.into() } else { number.into() }
}

fn length(bytes: &mut &[u8]) -> Result<usize, DecodeError> {
    usize::try_from(varint::take(bytes)?).map_err(|_| DecodeError::Truncated)
}

fn take<'a>(bytes: &mut &'a [u8], length: usize) -> Result<&'a [u8], DecodeError> {
    let (taken, rest) = bytes.split_at_checked(length).ok_or(DecodeError::Truncated)?;
    *bytes = rest;
    Ok(taken)
}

fn array<const N: usize>(bytes: &mut &[u8]) -> Result<[u8; N], DecodeError> {
    let (taken, rest) = bytes.split_first_chunk().ok_or(DecodeError::Truncated)?;
    *bytes = rest;
    Ok(*taken)
}

const fn unzigzag(number: u64) -> i64 {
    (number >> 1).cast_signed() ^ -((number & 1).cast_signed())
}

#[cfg(test)]
mod tests {
    use super::super::Protos;
    use super::*;
    use serde_json::json;

    fn protos() -> Protos {
        Protos::parse(&json!({
            "message N": {"optional N n": 1, "repeated uInt32 a": 2, "optional string s": 3},
            "r": {"optional N n": 1, "repeated uInt32 a": 2, "optional string s": 3, "repeated float f": 4, "optional sInt32 i": 5},
        }))
        .unwrap()
    }

    #[test]
    fn what_is_there_twice_is_joined_or_the_last_one_counts() {
        let body = [16, 1, 5, 26, 1, b'x', 16, 2, 6, 7, 26, 1, b'y'];
        assert_eq!(protos().decode("r", &body), Ok(json!({"a": [5, 6, 7], "s": "y"})));
        assert_eq!(protos().decode("r", &[]), Ok(json!({})));
        assert_eq!(protos().decode("r", &[21, 1, 5]), Ok(json!({"a": [5]})), "the wire type does not count");
    }

    #[test]
    fn the_ends_of_the_range_are_read() {
        let all = [255, 255, 255, 255, 255, 255, 255, 255, 255, 1];
        assert_eq!(protos().decode("r", &[&[40], &all[..]].concat()), Ok(json!({"i": i64::MIN})));
        assert_eq!(protos().decode("r", &[&[40, 254], &all[1..]].concat()), Ok(json!({"i": i64::MAX})));
        let body = [&[34, 2][..], &f32::NAN.to_le_bytes(), &1.5_f32.to_le_bytes()].concat();
        assert_eq!(protos().decode("r", &body), Ok(json!({"f": [null, 1.5]})));
    }

    #[test]
    fn nothing_is_read_beyond_its_bounds() {
        for body in [
            &[8][..],
            &[10, 1],
            &[10, 2, 26, 5, b'a', b'b', b'c', b'd', b'e'],
            &[10, 1, 16, 0],
            &[16, 2, 1],
            &[16, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1],
            &[26, 2, b'x'],
            &[34, 1, 0, 0, 0],
            &[40],
        ] {
            assert_eq!(protos().decode("r", body), Err(DecodeError::Truncated), "{body:?}");
        }
        assert_eq!(protos().decode("r", &[48, 0]), Err(DecodeError::UnknownField(6)));
        let beyond = [0x88, 0x80, 0x80, 0x80, 0x80, 0x01];
        assert_eq!(protos().decode("r", &beyond), Err(DecodeError::UnknownField(u32::MAX)));
        assert_eq!(protos().decode("x", &[]), Err(DecodeError::NoDefinition));
    }

    #[test]
    fn what_is_nested_without_end_is_refused() {
        let mut body = vec![];
        for depth in 0..200_usize {
            let decoded = protos().decode("r", &body);
            assert_eq!(decoded.is_ok(), depth <= MAX_DEPTH, "{depth}: {decoded:?}");
            let mut outer = vec![10];
            varint::put(&mut outer, body.len() as u64);
            outer.append(&mut body);
            body = outer;
        }
        assert_eq!(protos().decode("r", &body), Err(DecodeError::TooDeep));
    }
}
