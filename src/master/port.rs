//! A master's port: the one of master.json, or a free one beside a master of the same cluster.

use super::process::MasterOptions;
use crate::link::{LinkConfig, connect};
use crate::time::{Elapsed, timeout};
use alloc::boxed::Box;
use alloc::sync::Arc;
use core::time::Duration;
use futures_lite::StreamExt;
use std::io;
use tangelo_core::config::MasterDef;
use tangelo_core::runtime::{Listener, Runtime};
use tangelo_core::wire::Role;
use tangelo_core::{Error, Instant, Result};

/// How long whoever has the port may take to introduce itself, and then the coordinator to say who leads.
const LOOK: Duration = Duration::from_secs(1);

/// How long a port may stay taken after its owner was killed, and how often it is tried.
const DYING: Duration = Duration::from_secs(1);
const TRY_AGAIN: Duration = Duration::from_millis(50);

/// Opens the port and returns it with its number.
///
/// Several masters on one machine read the same master.json. Whoever finds its port in the hands of
/// a master of this cluster takes a free one: others find it through the coordinator.
pub(super) async fn listen(
    runtime: &Arc<dyn Runtime>,
    options: &MasterOptions,
    link_config: &LinkConfig,
) -> Result<(Box<dyn Listener>, u16)> {
    let MasterDef { host, port, .. } = &options.def;
    let failed = |error| {
        let what = format_args!(
            "listen on {host}:{port}, the master's port; does another cluster's master run there?"
        );
        Error::io(what, error)
    };
    let patience = Instant::now() + DYING;
    let listener = loop {
        match runtime.listen(host, *port).await {
            Err(error) if error.kind() == io::ErrorKind::AddrInUse && options.any_port => {
                if is_ours(runtime, options, link_config).await {
                    break runtime.listen(host, 0).await;
                }
                // It may have been that of a master which dies just now.
                if Instant::now() >= patience {
                    break Err(error);
                }
                runtime.sleep(TRY_AGAIN).await;
            }
            listening => break listening,
        }
    }
    .map_err(failed)?;
    let port = listener.local_addr().map_err(failed)?.port();
    Ok((listener, port))
}

/// Whether the port belongs to a master of this cluster: to one that knows its secret, or to the
/// leader, even if it is frozen.
async fn is_ours(runtime: &Arc<dyn Runtime>, options: &MasterOptions, link_config: &LinkConfig) -> bool {
    let MasterDef { host, port, .. } = &options.def;
    match timeout(runtime, LOOK, connect(runtime, link_config, host, *port)).await {
        Ok(Ok((link, _, hello))) => {
            link.close("only a look at who listens here");
            hello.role == Role::Master
        }
        // Whoever is frozen takes connections and says nothing.
        Err(Elapsed) => {
            let leader = timeout(runtime, LOOK, options.coordinator.observe().next()).await;
            matches!(leader, Ok(Some(Ok(Some(leader)))) if leader.host == *host && leader.port == *port)
        }
        Ok(Err(_)) => false,
    }
}
