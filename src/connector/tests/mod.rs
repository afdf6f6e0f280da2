//! A frontend's connector, over real sockets, on both transports.

mod bench;
mod faults;
mod life;
mod pushes;
mod setup;
#[cfg(feature = "client-tls")]
mod tls;

use bench::{Bench, Client, eventually};
