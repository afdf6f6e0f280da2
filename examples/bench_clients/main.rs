//! An app whose clients enter a channel, push to it and ask a backend: what `cargo xtask bench clients` measures. The
//! peers that it is compared with do the same.

#![allow(clippy::std_instead_of_alloc, reason = "an application has std")]

use rustix::time::{ClockId, clock_gettime};
use serde::{Deserialize, Serialize};
use std::process::ExitCode;
use tangelo::{HandlerError, PushOptions, Request, Session};

/// What every message carries besides.
const PAD: &str = "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx";

fn main() -> ExitCode {
    tangelo::run(|app| {
        app.handler("chat.chatHandler.enter", enter);
        app.handler("chat.chatHandler.push", push);
        app.handler("chat.chatHandler.echo", async |request: Request, _| {
            let Pad { pad } = request.json()?;
            Ok(Echo { code: 200, pad })
        });
    })
}

/// All is well.
#[derive(Serialize)]
struct Done {
    code: u16,
}

const DONE: Done = Done { code: 200 };

#[derive(Deserialize)]
struct Pad {
    pad: String,
}

#[derive(Serialize)]
struct Echo {
    code: u16,
    pad: String,
}

#[derive(Deserialize)]
struct Enter {
    channel: String,
    uid: String,
}

/// The caller gets a name, and enters a channel.
async fn enter(request: Request, session: Session) -> Result<Done, HandlerError> {
    let Enter { channel, uid } = request.json()?;
    session.bind(&uid).await?;
    session.app().global_channels()?.add(&channel, &uid, session.frontend_id()).await?;
    Ok(DONE)
}

#[derive(Deserialize)]
struct Push {
    channel: String,
    n: u32,
}

/// What everybody in the channel gets: both numbers with a fixed number of digits.
#[derive(Serialize)]
struct Message {
    t: String,
    n: String,
    pad: &'static str,
}

/// A message for everybody in the channel; answered once all connectors have said whom it did not reach.
async fn push(request: Request, session: Session) -> Result<Done, HandlerError> {
    let Push { channel, n } = request.json()?;
    let message = Message { t: format!("{:020}", now()), n: format!("{n:08}"), pad: PAD };
    let message = serde_json::to_vec(&message)?;
    let channels = session.app().global_channels()?;
    let report = channels.push("connector", "onChat", message, &channel, &PushOptions::new()).await?;
    if report.is_complete() { Ok(DONE) } else { Err(HandlerError::new(500, report.to_string())) }
}

/// `CLOCK_MONOTONIC` in nanoseconds, which is what the clients' process compares it with.
fn now() -> u64 {
    let time = clock_gettime(ClockId::Monotonic);
    time.tv_sec.cast_unsigned() * 1_000_000_000 + time.tv_nsec.cast_unsigned()
}
