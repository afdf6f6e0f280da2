//! What servers tell a session's frontend, in postcard's format.

use super::At;
use crate::app::App;
use crate::connector::Client;
use core::time::Duration;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use tangelo_core::channel::check_name;
use tangelo_core::{Error, ErrorKind, Result};

/// The route of an [`Asked`].
const SESSION: &str = "tangelo.session";

/// How long a frontend may take.
const LIMIT: Duration = Duration::from_secs(5);

/// The longest reason, in bytes.
const MAX_REASON: usize = 1000;

/// How large the settings of a session may be, as JSON, in bytes.
const MAX_SETTINGS: usize = 64 << 10;

#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Asked<'a> {
    Session {
        id: u64,
        incarnation: u64,
        #[serde(borrow)]
        order: Order<'a>,
    },
    /// Closes all sessions of a user; the answer is how many.
    KickUser { uid: &'a str, reason: &'a str },
}

/// What can be done with a session.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Order<'a> {
    Bind(&'a str),
    Unbind,
    /// A JSON object.
    Settings(#[serde(with = "serde_bytes")] &'a [u8]),
    Push {
        route: &'a str,
        #[serde(with = "serde_bytes")]
        body: &'a [u8],
    },
    Kick(&'a str),
}

impl Order<'_> {
    /// Whether it is within bounds.
    pub(super) fn check(&self) -> Result<()> {
        let wrong = match self {
            Self::Bind(uid) => return check_name("user", uid),
            Self::Settings(settings) if settings.len() > MAX_SETTINGS => too_large(),
            Self::Push { route, .. } if !(1..=255).contains(&route.len()) => {
                Error::new(ErrorKind::Invalid, "the route of a push has 1 to 255 bytes")
            }
            Self::Kick(reason) => return check_reason(reason),
            _ => return Ok(()),
        };
        Err(wrong)
    }
}

fn too_large() -> Error {
    let message = format!("the settings of a session have at most {MAX_SETTINGS} bytes as JSON");
    Error::new(ErrorKind::Invalid, message)
}

fn check_reason(reason: &str) -> Result<()> {
    if reason.len() <= MAX_REASON {
        return Ok(());
    }
    Err(Error::new(ErrorKind::Invalid, format!("a reason has at most {MAX_REASON} bytes")))
}

/// Gives an order to the frontend of a session.
pub(super) async fn send(app: &App, at: &At, order: Order<'_>) -> Result<()> {
    let At { frontend, incarnation, id } = at;
    let asked = encode(&Asked::Session { id: *id, incarnation: incarnation.0, order })?;
    let Some(server) = app.shared().server(frontend).filter(|server| server.incarnation == *incarnation)
    else {
        return Err(closed(frontend, *id));
    };
    app.shared().peers()?.call(&server, SESSION, asked, LIMIT).await.map(drop)
}

/// Closes all sessions of a user at a frontend, and says how many they were.
pub(super) async fn kick_user(app: &App, frontend: &str, uid: &str, reason: &str) -> Result<u64> {
    if frontend == app.id() {
        return Ok(kick_here(app, uid, reason));
    }
    let answer = app.call(frontend, SESSION, encode(&Asked::KickUser { uid, reason })?, LIMIT).await?;
    decode(&answer)
}

pub(super) fn check_kick(uid: &str, reason: &str) -> Result<()> {
    check_name("user", uid)?;
    check_reason(reason)
}

fn kick_here(app: &App, uid: &str, reason: &str) -> u64 {
    let mut clients = app.shared().clients.of_uid(uid);
    clients.retain(|client| !client.is_closed());
    clients.iter().for_each(|client| client.kick(reason));
    clients.len() as u64
}

/// Makes this server answer others about its sessions.
pub(crate) fn start(app: &App) {
    let here = app.clone();
    app.shared().remotes.insert(SESSION, move |_, asked| {
        let app = here.clone();
        async move { answer(&app, &asked) }
    });
}

fn answer(app: &App, asked: &[u8]) -> Result<Vec<u8>> {
    match decode(asked)? {
        Asked::Session { id, incarnation, order } => {
            order.check()?;
            let client = app.shared().clients.get(id).filter(|_| incarnation == app.incarnation().0);
            carry_out(app, client.as_ref(), id, &order).map(|()| Vec::new())
        }
        Asked::KickUser { uid, reason } => {
            check_kick(uid, reason)?;
            encode(&kick_here(app, uid, reason))
        }
    }
}

/// Does with a client of this frontend what is ordered.
pub(super) fn carry_out(app: &App, client: Option<&Client>, id: u64, order: &Order<'_>) -> Result<()> {
    let Some(client) = client.filter(|client| !client.is_closed()) else { return Err(closed(app.id(), id)) };
    match order {
        Order::Bind(uid) => client.bind(uid)?,
        Order::Unbind => client.unbind(),
        Order::Settings(changed) => {
            let values: Map<String, Value> = serde_json::from_slice(changed).map_err(|e| {
                Error::new(ErrorKind::Protocol, "the settings of a session are a JSON object").with_source(e)
            })?;
            if client.settings_json().len() + changed.len() > MAX_SETTINGS {
                // Unless they replace what is there.
                let mut all = client.settings();
                all.extend(values.clone());
                if serde_json::to_vec(&all).is_ok_and(|all| all.len() > MAX_SETTINGS) {
                    return Err(too_large());
                }
            }
            client.set_settings(values);
        }
        Order::Push { route, body } => {
            client.push(route, body).map_err(|error| Error::new(error.kind, error.message))?;
        }
        Order::Kick(reason) => client.kick(reason),
    }
    Ok(())
}

fn closed(frontend: &str, id: u64) -> Error {
    Error::new(ErrorKind::NotFound, format!("session {id} at {frontend} has closed"))
}

fn encode(value: &impl Serialize) -> Result<Vec<u8>> {
    let failed = |e| Error::new(ErrorKind::Protocol, "cannot encode an order for a session").with_source(e);
    postcard::to_allocvec(value).map_err(failed)
}

fn decode<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Result<T> {
    match postcard::take_from_bytes(bytes) {
        Ok((value, [])) => Ok(value),
        _ => Err(Error::new(
            ErrorKind::Protocol,
            "this is no order for a session: are all servers of one version?",
        )),
    }
}
