//! A frontend's connector, over real sockets, on both transports.

#![allow(clippy::disallowed_methods, reason = "clients block, in threads of their own")]

mod bench;
mod faults;
mod life;
mod pushes;
mod setup;
#[cfg(feature = "client-tls")]
mod tls;

use bench::{Bench, Client, eventually};
