//! A server from the keys of its object, and back.

use super::names::{check_host, check_name};
use super::server::ServerDef;
use super::value::{self, DAY, Unit};
use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;
use serde_json::{Map, Value};

pub(super) const CLUSTER_COUNT: &str = "clusterCount";

/// What is wrong with the fields of a server.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct FieldError {
    /// Which field, by its place; none when one is missing.
    pub(super) field: Option<usize>,
    pub(super) message: String,
}

/// Reads one server. A `server_type` from outside (the group of servers.json) makes the key
/// `serverType` needless.
pub(super) fn read<'a>(
    fields: impl Iterator<Item = (&'a str, &'a Value)>,
    server_type: Option<&str>,
) -> Result<ServerDef, FieldError> {
    let mut def = ServerDef::new("", server_type.unwrap_or_default(), "");
    for (i, (key, value)) in fields.enumerate() {
        set(&mut def, key, value, server_type).map_err(|message| FieldError { field: Some(i), message })?;
    }
    let missing = |key: &str, example: &str| FieldError {
        field: None,
        message: format!("a server needs \"{key}\", such as \"{key}\": \"{example}\""),
    };
    if def.id.is_empty() {
        return Err(missing("id", "chat-server-1"));
    }
    if def.server_type.is_empty() {
        return Err(missing("serverType", "chat"));
    }
    if def.host.is_empty() {
        return Err(missing("host", "127.0.0.1"));
    }
    Ok(def)
}

fn set(def: &mut ServerDef, key: &str, value: &Value, server_type: Option<&str>) -> Result<(), String> {
    let name = || value::text(value).and_then(|name| check_name(&name).map(|()| name));
    let host = || value::text(value).and_then(|host| check_host(&host).map(|()| host));
    match key {
        "id" => def.id = name()?,
        "serverType" => {
            let name = name()?;
            if server_type.is_some_and(|group| group != name) {
                return Err(value::unexpected(
                    format_args!("\"{}\", the server's group", def.server_type),
                    value,
                ));
            }
            check_type(&name)?;
            def.server_type = name;
        }
        "host" => def.host = host()?,
        "port" => def.port = Some(value::port(value)?),
        "clientHost" => def.client_host = Some(host()?),
        "clientPort" => def.client_port = Some(value::port(value)?),
        "frontend" => def.frontend = value::boolean(value)?,
        // restart-force is what Pomelo 2.2.7 calls it when it also covers a server that never registered.
        "auto-restart" | "restart-force" => def.auto_restart |= value::boolean(value)?,
        "cpu" => def.cpu = Some(value::cpu(value)?),
        "args" => def.args = value::args(value)?,
        "max-connections" => def.max_connections = Some(value::integer(value, 0, u32::MAX)?),
        "stop-timeout" => def.stop_timeout = value::time(value, Unit::Seconds, Duration::ZERO)?,
        "max-restarts" => def.restart.max_restarts = value::integer(value, 0, 10_000)?,
        // A window of nothing would forget every crash, and bound none.
        "restart-window" => {
            def.restart.window = value::time(value, Unit::Seconds, Duration::from_secs(1))?;
        }
        "restart-delay" => def.restart.delay = value::time(value, Unit::Milliseconds, Duration::ZERO)?,
        "restart-max-delay" => {
            def.restart.max_delay = value::time(value, Unit::Milliseconds, Duration::ZERO)?
        }
        CLUSTER_COUNT => {}
        _ => drop(def.extra.insert(key.to_owned(), value.clone())),
    }
    Ok(())
}

/// Checks the name of a group of servers.json.
pub(super) fn check_type(name: &str) -> Result<(), String> {
    check_name(name)?;
    if name == "master" {
        return Err("expected the type of a server, found \"master\", which is the master's own".to_owned());
    }
    Ok(())
}

/// The object that [`read`] reads; what has its default value is left out.
pub(super) fn write(def: &ServerDef) -> Map<String, Value> {
    let plain = ServerDef::new(&*def.id, &*def.server_type, &*def.host);
    let time = |time: Duration, unit| value::time_value(time.min(DAY), unit);
    let known: [(&str, Option<Value>); 16] = [
        ("id", Some(def.id.clone().into())),
        ("serverType", Some(def.server_type.clone().into())),
        ("host", Some(def.host.clone().into())),
        ("port", def.port.map(Value::from)),
        ("clientHost", def.client_host.clone().map(Value::from)),
        ("clientPort", def.client_port.map(Value::from)),
        ("frontend", def.frontend.then_some(Value::Bool(true))),
        ("auto-restart", def.auto_restart.then_some(Value::Bool(true))),
        ("cpu", def.cpu.as_ref().map(|cpu| Value::String(format!("{cpu}")))),
        ("args", (!def.args.is_empty()).then(|| def.args.clone().into())),
        ("max-connections", def.max_connections.map(Value::from)),
        (
            "stop-timeout",
            (def.stop_timeout != plain.stop_timeout).then(|| time(def.stop_timeout, Unit::Seconds)),
        ),
        (
            "max-restarts",
            (def.restart.max_restarts != plain.restart.max_restarts).then(|| def.restart.max_restarts.into()),
        ),
        (
            "restart-window",
            (def.restart.window != plain.restart.window).then(|| time(def.restart.window, Unit::Seconds)),
        ),
        (
            "restart-delay",
            (def.restart.delay != plain.restart.delay).then(|| time(def.restart.delay, Unit::Milliseconds)),
        ),
        (
            "restart-max-delay",
            (def.restart.max_delay != plain.restart.max_delay)
                .then(|| time(def.restart.max_delay, Unit::Milliseconds)),
        ),
    ];
    let known: Vec<_> = known.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?))).collect();
    let extra =
        def.extra.iter().filter(|(key, _)| !is_known(key)).map(|(key, value)| (key.clone(), value.clone()));
    known.into_iter().chain(extra).collect()
}

/// Whether [`set`] gives `key` a meaning.
fn is_known(key: &str) -> bool {
    matches!(
        key,
        "id" | "serverType"
            | "host"
            | "port"
            | "clientHost"
            | "clientPort"
            | "frontend"
            | "auto-restart"
            | "restart-force"
            | "cpu"
            | "args"
            | "max-connections"
            | "stop-timeout"
            | "max-restarts"
            | "restart-window"
            | "restart-delay"
            | "restart-max-delay"
            | CLUSTER_COUNT
    )
}
