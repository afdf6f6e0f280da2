//! `handover`: another master leads.

use super::args::{Cli, HandoverArgs};
use super::bar::say;
use super::console::{Console, unexpected};
use super::find;
use crate::context::Context;
use crate::time::{Elapsed, timeout};
use core::time::Duration;
use tangelo_core::coordinator::{Epoch, LeaderInfo};
use tangelo_core::wire::{Request, Response};
use tangelo_core::{Error, ErrorKind, Instant, Result};

/// How long the standby may take to lead, and how often one looks.
const TAKE_OVER: Duration = Duration::from_secs(10);
const LOOK_AGAIN: Duration = Duration::from_millis(2);

pub(super) fn handover(cli: &Cli, context: Context, args: &HandoverArgs) -> Result<()> {
    let console = Console::open(cli, context, &args.target)?;
    let context = &console.context;
    let epoch = context.block_on(find::leader(context))?.map_or(Epoch(0), |leader| leader.epoch);
    let since = Instant::now();
    let response = console.ask(Request::HandOver { to: args.to.clone() })?;
    let Response::Done(to) = response else { return Err(unexpected(&response)) };
    let led = context.block_on(timeout(&context.runtime, TAKE_OVER, successor(context, epoch)));
    let leader = led.unwrap_or_else(|Elapsed| {
        let to = to.join(", ");
        let message = format!("the old leader has let go, but nobody leads yet (chosen: {to}): see `list`");
        Err(Error::new(ErrorKind::Timeout, message))
    })?;
    let LeaderInfo { id, host, port, epoch } = leader;
    let ms = Instant::now().saturating_since(since).as_millis();
    say(&format!("{id} leads at {host}:{port} (epoch {epoch}), {ms} ms after the request"));
    Ok(())
}

/// Whoever leads after `epoch`.
async fn successor(context: &Context, epoch: Epoch) -> Result<LeaderInfo> {
    loop {
        if let Some(leader) = find::leader(context).await?.filter(|leader| leader.epoch > epoch) {
            return Ok(leader);
        }
        context.runtime.sleep(LOOK_AGAIN).await;
    }
}
