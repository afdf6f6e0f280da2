//! JSON values as settings: `true` and `"true"`, `2` and `"2"` both count.
//!
//! Every error is what was expected and what was found, without its place.

use super::clusters;
use super::names::quoted;
use crate::cpu::CpuRequest;
use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt::Display;
use core::str::FromStr;
use core::time::Duration;
use serde_json::{Number, Value};

/// The longest time that a setting may name: a day.
pub(super) const DAY: Duration = Duration::from_secs(24 * 3600);

/// "expected …, found …".
pub(super) fn unexpected(expected: impl Display, found: &Value) -> String {
    let found = match found {
        Value::Null => "null".to_owned(),
        Value::Bool(b) => b.to_string(),
        Value::Number(n) => n.to_string(),
        Value::String(s) => quoted(s),
        Value::Array(_) => "a list".to_owned(),
        Value::Object(_) => "an object".to_owned(),
    };
    format!("expected {expected}, found {found}")
}

pub(super) fn text(value: &Value) -> Result<String, String> {
    value.as_str().map(ToOwned::to_owned).ok_or_else(|| unexpected("a text", value))
}

pub(super) fn boolean(value: &Value) -> Result<bool, String> {
    match value {
        Value::Bool(b) => Ok(*b),
        Value::String(s) if s.trim() == "true" => Ok(true),
        Value::String(s) if s.trim() == "false" => Ok(false),
        _ => Err(unexpected("true or false", value)),
    }
}

/// A number, as such or as text.
fn number<N: FromStr>(value: &Value) -> Option<N> {
    match value {
        Value::Number(n) => n.to_string().parse().ok(),
        Value::String(s) => s.trim().parse().ok(),
        _ => None,
    }
}

pub(super) fn integer<N: FromStr + PartialOrd + Display>(
    value: &Value,
    low: N,
    high: N,
) -> Result<N, String> {
    number(value)
        .filter(|n| (&low..=&high).contains(&n))
        .ok_or_else(|| unexpected(format_args!("a whole number from {low} to {high}"), value))
}

pub(super) fn port(value: &Value) -> Result<u16, String> {
    if value.as_str().and_then(clusters::base).is_some() {
        return Err(unexpected("a port; counting up needs \"clusterCount\" beside it", value));
    }
    number(value).filter(|&port| port != 0).ok_or_else(|| unexpected("a port from 1 to 65535", value))
}

/// The unit of a time.
#[derive(Clone, Copy)]
pub(super) enum Unit {
    Seconds,
    Milliseconds,
}

impl Unit {
    const fn per_second(self) -> u16 {
        match self {
            Self::Seconds => 1,
            Self::Milliseconds => 1000,
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Seconds => "seconds",
            Self::Milliseconds => "milliseconds",
        }
    }

    fn of(self, time: Duration) -> f64 {
        time.as_secs_f64() * f64::from(self.per_second())
    }
}

/// A time between `low` and a [`DAY`]; fractions are allowed.
pub(super) fn time(value: &Value, unit: Unit, low: Duration) -> Result<Duration, String> {
    number::<f64>(value)
        .and_then(|n| Duration::try_from_secs_f64(n / f64::from(unit.per_second())).ok())
        .filter(|time| (low..=DAY).contains(time))
        .ok_or_else(|| {
            let (low, high) = (unit.of(low), unit.of(DAY));
            unexpected(format_args!("a number of {} from {low} to {high}", unit.name()), value)
        })
}

/// What [`time`] reads: a whole number where it is one.
pub(super) fn time_value(time: Duration, unit: Unit) -> Value {
    let (whole, exact) = match unit {
        Unit::Seconds => (u128::from(time.as_secs()), time.subsec_nanos() == 0),
        Unit::Milliseconds => (time.as_millis(), time.subsec_nanos().is_multiple_of(1_000_000)),
    };
    match u64::try_from(whole) {
        Ok(whole) if exact => whole.into(),
        _ => Number::from_f64(unit.of(time)).map_or(Value::Null, Value::Number),
    }
}

pub(super) fn cpu(value: &Value) -> Result<CpuRequest, String> {
    let text = match value {
        Value::Number(n) => n.to_string(),
        Value::String(s) => s.clone(),
        _ => return Err(unexpected("a CPU number, a list such as \"0-3,5\", or \"auto\"", value)),
    };
    text.parse().map_err(|error: crate::Error| error.message().to_owned())
}

/// A text, which is split at white space, or a list.
pub(super) fn args(value: &Value) -> Result<Vec<String>, String> {
    let expected = || unexpected("a text or a list of texts", value);
    let args: Vec<String> = match value {
        Value::String(s) => s.split_whitespace().map(ToOwned::to_owned).collect(),
        Value::Array(list) => list
            .iter()
            .map(|arg| match arg {
                Value::String(s) => Ok(s.clone()),
                Value::Number(n) => Ok(n.to_string()),
                _ => Err(expected()),
            })
            .collect::<Result<_, _>>()?,
        _ => return Err(expected()),
    };
    // No process can be handed one.
    if args.iter().any(|arg| arg.contains('\0')) {
        return Err("expected arguments without NUL characters".to_owned());
    }
    Ok(args)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn texts_count_as_what_they_say() {
        assert_eq!(boolean(&json!("true")), Ok(true));
        assert_eq!(boolean(&json!(false)), Ok(false));
        assert_eq!(port(&json!("3010")), Ok(3010));
        assert_eq!(port(&json!(3010)), Ok(3010));
        assert_eq!(integer(&json!("-3"), -5i32, 5), Ok(-3));
        assert_eq!(args(&json!("-a  b")), args(&json!(["-a", "b"])));
        assert_eq!(cpu(&json!(2)), cpu(&json!("2")));
    }

    #[test]
    fn errors_say_what_was_expected_and_found() {
        assert_eq!(boolean(&json!(1)).unwrap_err(), "expected true or false, found 1");
        for wrong in
            [json!(0), json!(65536), json!(-1), json!(1.5), json!(1e3), json!("x"), json!(null), json!([])]
        {
            assert!(
                port(&wrong).unwrap_err().starts_with("expected a port from 1 to 65535, found "),
                "{wrong}"
            );
        }
        assert_eq!(integer(&json!(9), 1, 8).unwrap_err(), "expected a whole number from 1 to 8, found 9");
        let long = json!("x".repeat(100_000));
        assert!(port(&long).unwrap_err().len() < 200);
    }

    #[test]
    fn times_have_units_fractions_and_bounds() {
        let low = Duration::from_millis(10);
        assert_eq!(time(&json!(1.5), Unit::Seconds, low), Ok(Duration::from_millis(1500)));
        assert_eq!(time(&json!("250"), Unit::Milliseconds, low), Ok(Duration::from_millis(250)));
        for wrong in
            [json!(-1), json!(0), json!(86401), json!("inf"), json!("NaN"), json!("1e300"), json!(true)]
        {
            let error = time(&wrong, Unit::Seconds, low).unwrap_err();
            assert!(error.starts_with("expected a number of seconds from 0.01 to 86400, found "), "{error}");
        }
    }

    #[test]
    fn every_time_reads_back() {
        for nanos in [0, 1, 999, 1_000_000, 1_234_567_891, 86_399_999_999_999] {
            let d = Duration::from_nanos(nanos);
            for unit in [Unit::Seconds, Unit::Milliseconds] {
                assert_eq!(time(&time_value(d, unit), unit, Duration::ZERO), Ok(d));
            }
        }
        assert_eq!(time_value(Duration::from_millis(2000), Unit::Seconds).to_string(), "2");
    }
}
