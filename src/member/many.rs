//! Every server of a cluster in one process: to masters over real links no different from as many processes.

use super::driver::{Ended, drive};
use super::launch::Launch;
use crate::app::{App, Place};
use crate::config::{load, secret};
use crate::context::Context;
use crate::election::Part;
use crate::link::Secret;
use crate::master::log_spec;
use alloc::boxed::Box;
use alloc::sync::Arc;
use async_channel::unbounded;
use std::path::Path;
use tangelo_core::config::{ClusterConfig, Incarnation, ServerDef};
use tangelo_core::coordinator::{Candidate, Epoch};
use tangelo_core::master::{ClusterState, ServerRecord};
use tangelo_core::{Coordinator, Error, ErrorKind, Result, local};

/// The life that each server is in.
const INCARNATION: Incarnation = Incarnation(1);

/// Is every server of `dir`'s servers.json in this one process, until all have been stopped: for load
/// tests of masters with more servers than a machine has room for.
///
/// It leads for a moment itself, and stores that all servers run, as this process. Masters that are
/// started after it has called `ready`, with how many servers there are, take them over as they do after a
/// failover, each over a link of its own. They share one look at the coordinator.
///
/// # Errors
/// For a wrong configuration; what the coordinator says; if masters would not have all servers.
pub fn simulate_servers(dir: &Path, env: &str, ready: impl FnOnce(usize) + Send) -> Result<()> {
    let context = Context::of_master(dir, env, |_| {})?;
    let config = load(&context.dir, env, None)?;
    let secret = Secret::from_text(secret::obtain(&context.dir, &config)?.expose())?;
    let lease = config.master.timing.lease;
    context.block_on(async {
        let coordinator = context.election.coordinator(&context.runtime, Part::Observer, lease)?;
        let epoch = record(&*coordinator, &config).await?;
        ready(config.servers.len());
        let (ended, ends) = unbounded();
        for def in &config.servers {
            let log = log_spec(&context.dir, &def.id);
            let launch = Launch::new(env, def.clone(), INCARNATION, epoch, log, &config.master.timing);
            let (dir, env) = (context.dir.clone(), env.into());
            let place = Place { dir, env, def: def.clone(), incarnation: INCARNATION };
            let app = App::new(place, Arc::clone(&context.runtime));
            let (secret, coordinator, ended) = (secret.clone(), Arc::clone(&coordinator), ended.clone());
            context.runtime.spawn(Box::pin(async move {
                // Whoever takes it waits for all.
                let _ = ended.send(drive(app, launch, secret, coordinator).await).await;
            }));
        }
        for def in &config.servers {
            let message = match ends.recv().await {
                Ok(Ok(Ended::Stopped)) => continue,
                Ok(Ok(Ended::Refused)) => "a master would not have one of the servers",
                Ok(Ok(Ended::Failed)) => "one of the servers could not start",
                Ok(Err(error)) => return Err(error),
                Err(_) => "a server's task has panicked",
            };
            return Err(Error::new(ErrorKind::Invalid, format!("{message} beside {}", def.id)));
        }
        Ok(())
    })
}

/// Stores that every server is up in this process; the reign that stored it, which is over then.
async fn record(coordinator: &dyn Coordinator, config: &ClusterConfig) -> Result<Epoch> {
    let master = &config.master;
    let candidate =
        Candidate { id: master.id.clone(), host: master.host.clone(), port: master.port, priority: 0 };
    let leadership = coordinator.campaign(candidate).await?;
    let records = config.servers.iter().map(running).collect::<Result<_>>()?;
    let mut state = ClusterState::new(records);
    state.all_started = true;
    leadership.store(&state.encode()?).await?;
    leadership.resign().await?;
    Ok(leadership.epoch())
}

/// A server that is up in this process.
fn running(def: &ServerDef) -> Result<ServerRecord> {
    let process = local::process_ref(&def.host).map_err(|e| Error::io("find out who this process is", e))?;
    Ok(ServerRecord {
        def: def.clone(),
        cpus: None,
        added: false,
        stopped: false,
        failed: None,
        due: false,
        incarnation: INCARNATION,
        reserved: INCARNATION,
        process: Some(process),
        up: true,
        restarts: 0,
        fronted: def.frontend,
        purged: Incarnation(0),
    })
}
