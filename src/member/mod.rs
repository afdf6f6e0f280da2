//! What runs in a server process: the agent that links it to the master, and its way up and down.

mod agent;
mod driver;
mod launch;
#[cfg(feature = "load-test")]
mod many;
mod master_link;

pub(crate) use agent::Agent;
pub(crate) use driver::{Ended, run};
pub(crate) use launch::{LAUNCH_VARIABLE, Launch};
#[cfg(feature = "load-test")]
pub use many::simulate_servers;
