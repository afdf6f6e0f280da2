//! Does to processes what the machine says, if the deadline allows it at that very moment.

use super::events::Event;
use super::process::Master;
use crate::member::{LAUNCH_VARIABLE, Launch};
use crate::program::own_file;
use alloc::boxed::Box;
use alloc::sync::Arc;
use async_channel::Sender;
use core::time::Duration;
use std::io;
use std::path::{Path, PathBuf};
use tangelo_core::config::{Incarnation, ServerDef, Timing, is_loopback};
use tangelo_core::coordinator::LeadershipState;
use tangelo_core::master::Input;
use tangelo_core::process::{LaunchSpec, LogSpec, ProcessRef, Signal};
use tangelo_core::runtime::Runtime;
use tangelo_core::{CpuSet, Error, ErrorKind, Instant, Leadership, Result, Supervisor};
use tracing::{debug, warn};

/// A log is rotated at this size, in bytes, and so many old ones are kept.
const LOG_BYTES: u64 = 10 << 20;
const LOG_KEEP: u32 = 5;

/// How often whoever waits for the leadership, past its deadline, looks again.
pub(super) const PAST_DEADLINE: Duration = Duration::from_millis(50);

/// How often a process that cannot be watched is tried again.
const WATCH_AGAIN: Duration = Duration::from_secs(1);

/// Where the output of a server or master goes.
pub(crate) fn log_spec(dir: &Path, id: &str) -> LogSpec {
    let path = dir.join("logs").join(id).to_string_lossy().into_owned() + ".log";
    LogSpec { path, max_bytes: LOG_BYTES, keep: LOG_KEEP }
}

pub(super) struct Launcher {
    runtime: Arc<dyn Runtime>,
    supervisor: Arc<dyn Supervisor>,
    leadership: Arc<dyn Leadership>,
    events: Sender<Event>,
    program: String,
    dir: PathBuf,
    env: String,
    timing: Timing,
}

impl Launcher {
    pub(super) fn new(master: &Master, leadership: Arc<dyn Leadership>) -> Result<Self> {
        Ok(Self {
            runtime: Arc::clone(&master.runtime),
            supervisor: Arc::clone(&master.options.supervisor),
            leadership,
            events: master.events.clone(),
            program: own_file()?,
            dir: master.options.dir.clone(),
            env: master.options.env.clone(),
            timing: master.options.def.timing,
        })
    }

    /// Whether the leader may give orders now, by its own clock.
    pub(super) fn may_act(&self) -> bool {
        may_act(&*self.leadership)
    }

    pub(super) fn launch(&self, def: ServerDef, cpus: Option<CpuSet>, incarnation: Incarnation) {
        let id = def.id.clone();
        let spec = self.spec(def, cpus, incarnation);
        let order = self.order();
        self.runtime.spawn(Box::pin(async move {
            let result = match order.check_host(spec).await {
                Ok(spec) => {
                    if !order.may_launch().await {
                        warn!(server = %id, "not launched: the leadership is lost");
                        return;
                    }
                    order.supervisor.launch(spec).await
                }
                Err(error) => Err(error),
            };
            let process = result.as_ref().ok().cloned();
            order.answer(Input::Launched { id: id.clone(), incarnation, result }).await;
            if let Some(process) = process {
                order.wait(id, incarnation, process).await;
            }
        }));
    }

    pub(super) fn adopt(&self, id: String, incarnation: Incarnation, process: ProcessRef) {
        let order = self.order();
        self.runtime.spawn(Box::pin(async move {
            let adopted = order.supervisor.adopt(&process).await;
            if let Err(error) = &adopted {
                debug!(server = %id, %error, "not adopted");
            }
            // Only certainty counts as death: a process that cannot be seen may well run.
            let alive = !adopted.is_err_and(|error| error.kind() == ErrorKind::NotFound);
            order.answer(Input::Adopted { id: id.clone(), incarnation, alive }).await;
            if alive {
                order.wait(id, incarnation, process).await;
            }
        }));
    }

    pub(super) fn signal(&self, process: ProcessRef, signal: Signal) {
        let order = self.order();
        self.runtime.spawn(Box::pin(async move {
            if !may_act(&*order.leadership) {
                warn!(%process, "not signalled: the leadership's deadline has passed");
                return;
            }
            match order.supervisor.signal(&process, signal).await {
                Ok(()) => debug!(%process, ?signal, "signalled"),
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(error) => warn!(%process, ?signal, %error, "cannot signal"),
            }
        }));
    }

    fn order(&self) -> Order {
        Order {
            runtime: Arc::clone(&self.runtime),
            supervisor: Arc::clone(&self.supervisor),
            leadership: Arc::clone(&self.leadership),
            events: self.events.clone(),
        }
    }

    fn spec(&self, def: ServerDef, cpus: Option<CpuSet>, incarnation: Incarnation) -> Result<LaunchSpec> {
        let log = log_spec(&self.dir, &def.id);
        let mut args: Vec<String> =
            ["serve", "--id", &def.id, "--type", &def.server_type, "--dir"].map(String::from).into();
        args.push(self.dir.to_string_lossy().into_owned());
        args.extend(["--env".into(), self.env.clone(), "--".into()]);
        args.extend(def.args.iter().cloned());
        let host = def.host.clone();
        let epoch = self.leadership.epoch();
        let launch = Launch::new(&self.env, def, incarnation, epoch, log.clone(), &self.timing);
        Ok(LaunchSpec {
            host,
            program: self.program.clone(),
            args,
            env: alloc::vec![(LAUNCH_VARIABLE.into(), launch.encode()?)],
            log: Some(log),
            cpus,
        })
    }
}

fn may_act(leadership: &dyn Leadership) -> bool {
    leadership.state() != LeadershipState::Lost && Instant::now() < leadership.deadline()
}

/// What the task that carries out one order needs.
struct Order {
    runtime: Arc<dyn Runtime>,
    supervisor: Arc<dyn Supervisor>,
    leadership: Arc<dyn Leadership>,
    events: Sender<Event>,
}

impl Order {
    /// Waits until the leader may act, which a coordinator that answers again can bring about;
    /// false once it leads no longer.
    async fn may_launch(&self) -> bool {
        while self.leadership.state() != LeadershipState::Lost {
            if may_act(&*self.leadership) {
                return true;
            }
            self.runtime.sleep(PAST_DEADLINE).await;
        }
        false
    }

    /// This supervisor launches here: a server of another host would only fail to open its port.
    async fn check_host(&self, spec: Result<LaunchSpec>) -> Result<LaunchSpec> {
        let spec = spec?;
        if is_loopback(&spec.host) {
            return Ok(spec);
        }
        match self.runtime.listen(&spec.host, 0).await {
            Err(error) if error.kind() == io::ErrorKind::AddrNotAvailable => {
                let message = format!(
                    "host {} is not this machine, and servers are launched on the master's machine only",
                    spec.host
                );
                Err(Error::new(ErrorKind::Unsupported, message))
            }
            // A name that cannot be looked up now is the server's own affair.
            _ => Ok(spec),
        }
    }

    async fn answer(&self, input: Input) {
        // If nobody takes events any more, the process ends.
        let _ = self.events.send(Event::Reign(self.leadership.epoch(), input)).await;
    }

    /// Waits for the process's end and reports it.
    async fn wait(&self, id: String, incarnation: Incarnation, process: ProcessRef) {
        let exit = loop {
            match self.supervisor.wait(&process).await {
                Ok(exit) => break exit,
                Err(error) => warn!(server = %id, %error, "cannot watch its process; will go on trying"),
            }
            // Only certainty counts as death: what cannot be seen may well run, and must not run twice.
            self.runtime.sleep(WATCH_AGAIN).await;
            if self.leadership.state() == LeadershipState::Lost {
                return;
            }
        };
        self.answer(Input::Exited { id, incarnation, exit }).await;
    }
}
