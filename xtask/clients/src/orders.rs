//! What the clients are told to do, line by line.

use crate::client::Protocol;
use crate::push::{self, Push};
use crate::swarm::Swarm;
use crate::{clock, echo};
use anyhow::{Context as _, Result, bail};
use serde_json::{Value, json};
use std::io::Write as _;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// What they speak
    #[arg(long, value_enum)]
    protocol: Protocol,
    /// Where the servers listen, on 127.0.0.1: clients connect to each in turn
    #[arg(long, value_delimiter = ',', required = true)]
    ports: Vec<u16>,
    /// Every server is asked to push, not only the first
    #[arg(long)]
    everywhere: bool,
}

/// Does what it is told until standard input ends; meanwhile the clients show that they live.
pub(crate) fn obey(args: &Args) -> Result<()> {
    let mut swarm = Swarm::new(args.protocol, &args.ports)?;
    let mut pushed = 0;
    let mut text = Vec::new();
    loop {
        swarm.poll(false)?;
        if !core::mem::take(&mut swarm.order_waits) {
            continue;
        }
        let mut buffer = [0; 4096];
        let read = rustix::io::read(rustix::stdio::stdin(), &mut buffer)?;
        if read == 0 {
            return Ok(());
        }
        text.extend_from_slice(&buffer[..read]);
        while let Some(end) = text.iter().position(|&byte| byte == b'\n') {
            let line: Vec<u8> = text.drain(..=end).collect();
            let line = String::from_utf8_lossy(&line).trim().to_owned();
            let answer = order(&mut swarm, args, &mut pushed, &line).with_context(|| format!("`{line}`"))?;
            let mut out = std::io::stdout().lock();
            writeln!(out, "{answer}").and_then(|()| out.flush())?;
        }
    }
}

fn order(swarm: &mut Swarm, args: &Args, pushed: &mut u32, line: &str) -> Result<Value> {
    let words: Vec<&str> = line.split(' ').collect();
    match words[..] {
        ["connect", count, abreast] => connect(swarm, count.parse()?, abreast.parse()?),
        ["enter", channel, abreast] => enter(swarm, channel, abreast.parse()?),
        ["push", channel, count, window, batch] => {
            let (count, window, batch) = (count.parse()?, window.parse()?, batch.parse()?);
            let first = *pushed;
            *pushed += u32::try_from(count)?;
            let everywhere = args.everywhere;
            push::push(swarm, Push { channel, first, count, window, batch, everywhere })
        }
        ["echo", clients, outstanding, span] => {
            echo::echo(swarm, clients.parse()?, outstanding.parse()?, clock::milliseconds(span.parse()?))
        }
        ["idle", span] => {
            let end = clock::now() + clock::milliseconds(span.parse()?);
            while clock::now() < end {
                swarm.poll(false)?;
            }
            Ok(json!({ "clients": swarm.clients.len() }))
        }
        _ => bail!("this is no order"),
    }
}

/// Connects so many more, so many of them at once.
fn connect(swarm: &mut Swarm, count: usize, abreast: usize) -> Result<Value> {
    let cpu = clock::cpu_seconds();
    let begin = swarm.begin();
    let (before, wanted) = (swarm.clients.len(), swarm.clients.len() + count);
    while swarm.events.ready < wanted {
        while swarm.clients.len() < wanted && swarm.clients.len() - swarm.events.ready < abreast {
            swarm.connect()?;
        }
        swarm.poll(true)?;
    }
    let seconds = clock::seconds(clock::now() - begin);
    Ok(json!({ "clients": wanted - before, "seconds": seconds, "cpu": clock::cpu_seconds() - cpu }))
}

/// All enter a channel under names of their own, so many of them at once.
fn enter(swarm: &mut Swarm, channel: &str, abreast: usize) -> Result<Value> {
    let begin = swarm.begin();
    let (all, mut asked, mut entered) = (swarm.clients.len(), 0, 0);
    while entered < all {
        while asked < all && asked - entered < abreast {
            let body = format!("{{\"channel\":\"{channel}\",\"uid\":\"user-{asked}\"}}");
            swarm.request(asked, 1, "enter", &body);
            swarm.flush(asked)?;
            asked += 1;
        }
        swarm.poll(true)?;
        entered += push::taken(swarm)?;
    }
    Ok(json!({ "clients": all, "seconds": clock::seconds(clock::now() - begin) }))
}
