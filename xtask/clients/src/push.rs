//! Pushes to a channel that all clients are in.

use crate::swarm::Swarm;
use crate::{clock, quantile};
use anyhow::{Result, bail, ensure};
use serde_json::{Value, json};

/// What is pushed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Push<'a> {
    pub(crate) channel: &'a str,
    /// The number of the first.
    pub(crate) first: u32,
    pub(crate) count: usize,
    /// So many at most have been asked for and have not come to every client.
    pub(crate) window: usize,
    /// So many are asked for in one request, which only the barest server understands.
    pub(crate) batch: usize,
    /// Every server is asked, not only the first: for those that serve their own clients alone.
    pub(crate) everywhere: bool,
}

/// Pushes; gives how long it took, and how long each took.
pub(crate) fn push(swarm: &mut Swarm, push: Push<'_>) -> Result<Value> {
    let Push { channel, first, count, window, batch, everywhere } = push;
    let clients = swarm.clients.len();
    ensure!(
        clients > 0 && batch > 0 && window >= batch && count % batch == 0,
        "what is to be pushed, and to whom?"
    );
    swarm.events.tally.begin(first, clients, count);
    let askers = if everywhere { swarm.first_of_each_port() } else { 1 };
    let (mut asked, mut answers) = (0, 0);
    let cpu = clock::cpu_seconds();
    let begin = swarm.begin();
    while swarm.events.tally.complete < count {
        while asked < count && asked + batch - swarm.events.tally.complete <= window {
            let number = first + u32::try_from(asked)?;
            let body = format!("{{\"channel\":\"{channel}\",\"n\":{number},\"count\":{batch}}}");
            let now = clock::now();
            (0..batch).for_each(|_| swarm.events.tally.requested(now));
            for asker in 0..askers {
                // Pomelo takes a request with the id 0 for one that needs no answer.
                swarm.request(asker, number + 1, "push", &body);
                swarm.flush(asker)?;
            }
            asked += batch;
        }
        swarm.poll(true)?;
        answers += taken(swarm)?;
    }
    let seconds = clock::seconds(clock::now() - begin);
    let cpu = clock::cpu_seconds() - cpu;
    while answers < count / batch * askers {
        swarm.poll(true)?;
        answers += taken(swarm)?;
    }
    let tally = &mut swarm.events.tally;
    tally.check()?;
    let (p50, p99) = quantile::p50_p99(&mut tally.latencies);
    let (complete_p50, complete_p99) = quantile::p50_p99(&mut tally.completions);
    Ok(json!({
        "pushes": count, "receipts": tally.latencies.len(), "seconds": seconds, "cpu": cpu,
        "overtaken": tally.overtaken, "p50": p50, "p99": p99,
        "completeP50": complete_p50, "completeP99": complete_p99,
    }))
}

/// How many answers have come.
pub(crate) fn taken(swarm: &mut Swarm) -> Result<usize> {
    let mut count = 0;
    for response in swarm.events.responses.drain(..) {
        if let Some(refusal) = response.refusal {
            bail!("client {} is answered: {refusal}", response.client);
        }
        count += 1;
    }
    Ok(count)
}
