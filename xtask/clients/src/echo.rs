//! Requests that a handler in a backend answers.

use crate::body::PAD;
use crate::swarm::Swarm;
use crate::{clock, quantile};
use anyhow::{Result, bail, ensure};
use serde_json::{Value, json};

/// The first clients always have so many requests on the way, until the time is over.
pub(crate) fn echo(swarm: &mut Swarm, clients: usize, outstanding: usize, span: u64) -> Result<Value> {
    ensure!(
        clients > 0 && clients <= swarm.clients.len() && outstanding > 0,
        "who is to ask, and how often?"
    );
    let body = format!("{{\"pad\":\"{PAD}\"}}");
    let cpu = clock::cpu_seconds();
    let begin = swarm.begin();
    let end = begin + span;
    // A client's requests have the ids from 1 on; one whose answer has come has its id taken by the next.
    let mut sent = vec![begin; clients * outstanding];
    for client in 0..clients {
        for id in 1..=outstanding {
            swarm.request(client, u32::try_from(id)?, "echo", &body);
        }
        swarm.flush(client)?;
    }
    let (mut on_the_way, mut spans) = (clients * outstanding, Vec::new());
    let mut responses = Vec::new();
    while on_the_way > 0 {
        swarm.poll(true)?;
        core::mem::swap(&mut responses, &mut swarm.events.responses);
        let now = clock::now();
        let mut last = None;
        for response in responses.drain(..) {
            let client = response.client;
            if let Some(refusal) = response.refusal {
                bail!("client {client} is answered: {refusal}");
            }
            let slot = client * outstanding + usize::try_from(response.id)? - 1;
            on_the_way -= 1;
            if now >= end {
                continue;
            }
            spans.push(now - sent[slot]);
            sent[slot] = now;
            on_the_way += 1;
            swarm.request(client, response.id, "echo", &body);
            // Those of one client came one after the other, and go out in one write.
            if let Some(before) = last.replace(client).filter(|&before| before != client) {
                swarm.flush(before)?;
            }
        }
        if let Some(client) = last {
            swarm.flush(client)?;
        }
    }
    let (requests, cpu) = (spans.len(), clock::cpu_seconds() - cpu);
    let (p50, p99) = quantile::p50_p99(&mut spans);
    Ok(json!({ "requests": requests, "seconds": clock::seconds(span), "cpu": cpu, "p50": p50, "p99": p99 }))
}
