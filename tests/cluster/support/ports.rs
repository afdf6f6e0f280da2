//! Ports that no other test uses, of this run or of another one at the same time.

use core::cell::Cell;
use core::sync::atomic::{AtomicU16, Ordering};
use std::net::TcpListener;

/// Below what Linux gives to outgoing connections (32768 and up).
const FIRST: u16 = 10_000;
const BLOCK: u16 = 50;
const BLOCKS: u16 = 440;

/// A block of ports. It is ours as long as we listen on its first one.
#[derive(Debug)]
pub(crate) struct Ports {
    claim: TcpListener,
    first: u16,
    next: Cell<u16>,
}

impl Ports {
    pub(crate) fn claim() -> Self {
        static TURN: AtomicU16 = AtomicU16::new(0);
        let start = u16::try_from(std::process::id() % u32::from(BLOCKS)).expect("less than BLOCKS");
        for _ in 0..BLOCKS {
            let block = (start + TURN.fetch_add(1, Ordering::Relaxed) % BLOCKS) % BLOCKS;
            let first = FIRST + block * BLOCK;
            if let Ok(claim) = TcpListener::bind(("127.0.0.1", first)) {
                return Self { claim, first, next: Cell::new(first + 1) };
            }
        }
        panic!("no block of ports is free");
    }

    /// A port that nobody listens on.
    pub(crate) fn next(&self) -> u16 {
        loop {
            let port = self.next.replace(self.next.get() + 1);
            assert!(port < self.first + BLOCK, "this test uses more than {BLOCK} ports");
            if TcpListener::bind(("127.0.0.1", port)).is_ok() {
                return port;
            }
        }
    }

    /// A port that is taken.
    pub(crate) fn taken(&self) -> u16 {
        self.claim.local_addr().expect("a bound socket has an address").port()
    }
}
