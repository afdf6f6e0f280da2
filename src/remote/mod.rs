//! Processes on other hosts, by the system's ssh.
//!
//! | file | what |
//! |---|---|
//! | `supervisor` | routes each process to its host: this machine's supervisor, or another's agent |
//! | `locate` | which hosts are this machine |
//! | `authority`, `clock` | until when an order may be obeyed, in the clock of whoever obeys |
//! | `host` | keeps one host connected while it is needed |
//! | `ssh`, `reach`, `quote` | the ssh process, its command line, its complaints |
//! | `connection`, `wire`, `lines` | orders and answers over its pipes |
//! | `agent/` | the other end: this program on the other host, the hidden command `agent` |
//!
//! What a connection loses, it loses alone: servers are sessions of their own, write their own logs and
//! have links of their own with the leader. No secret goes over ssh; a server reads its own configuration.

pub(crate) mod agent;
mod authority;
mod clock;
mod connection;
mod host;
mod lines;
mod locate;
mod quote;
mod reach;
mod ssh;
mod supervisor;
#[cfg(test)]
mod tests;
mod wire;

pub(crate) use authority::Authority;
#[cfg(feature = "cli")]
pub(crate) use locate::Places;
#[cfg(not(feature = "cli"))]
pub(crate) use reach::AGENT;
pub(crate) use reach::Reach;
pub(crate) use supervisor::HostSupervisor;

use alloc::sync::Arc;
use core::time::Duration;
use tangelo_core::process::{LaunchSpec, ProcessRef};
use tangelo_core::runtime::Runtime;
use tangelo_core::{Instant, Result, Supervisor};

/// How long a person waits for a process to be launched.
#[cfg_attr(not(test), allow(dead_code, reason = "for `masterha`, which starts masters on other hosts"))]
const PERSON: Duration = Duration::from_secs(30);

/// Launches a process on `spec.host` for a person, and leaves it there.
///
/// # Errors
/// As [`Supervisor::launch`], and [`Unavailable`](ErrorKind::Unavailable) if the host cannot be reached.
///
/// # Cancel safety
/// Not cancel safe: the process may have been started.
#[cfg_attr(not(test), allow(dead_code, reason = "for `masterha`, which starts masters on other hosts"))]
pub(crate) async fn launch_detached(
    runtime: &Arc<dyn Runtime>,
    local: Arc<dyn Supervisor>,
    reach: Reach,
    spec: LaunchSpec,
) -> Result<ProcessRef> {
    let authority = Authority::Until(Instant::now() + PERSON);
    let supervisor = HostSupervisor::new(runtime, local, reach, authority);
    let launched = supervisor.launch(spec).await;
    supervisor.close();
    supervisor.closed().await;
    launched
}
