//! The barest pushes: what it is asked to push is written to one client after the other. There are no channels, no
//! queues, no second process and nothing to wait for: a loop of writes.

use crate::pomelo;
use crate::server::{Peers, Work, framed};
use crate::{body, clock};
use anyhow::{Context as _, Result};
use serde_json::Value;

/// Pushes to everybody.
pub(crate) struct Pushes;

impl Work for Pushes {
    fn request(&mut self, peers: &Peers, from: u64, id: u32, body: &[u8]) -> Result<()> {
        peers.write_all(&Push::of(body)?.bytes())?;
        peers.write(from, &framed(pomelo::DATA, &pomelo::response(id, r#"{"code":200}"#)))
    }
}

/// What a client asks for.
struct Push {
    /// Of the first.
    number: u32,
    count: u32,
}

impl Push {
    fn of(body: &[u8]) -> Result<Self> {
        let body: Value = serde_json::from_slice(body)?;
        let field = |name: &str| body[name].as_u64().and_then(|value| u32::try_from(value).ok());
        let (number, count) = field("n").zip(field("count")).context("what should be pushed?")?;
        Ok(Self { number, count })
    }

    /// All of them, one frame each.
    fn bytes(&self) -> Vec<u8> {
        let now = clock::now();
        let numbers = self.number..self.number + self.count;
        let frames =
            numbers.map(|number| framed(pomelo::DATA, &pomelo::push("onChat", &body::write(now, number))));
        frames.flatten().collect()
    }
}
