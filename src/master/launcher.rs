//! Does to processes what the machine says, if the deadline allows it at that very moment.

use super::events::Event;
use super::process::Master;
use super::template::Template;
use crate::program::own_file;
use crate::remote::{Authority, HostSupervisor, Reach};
use alloc::boxed::Box;
use alloc::sync::Arc;
use async_channel::Sender;
use core::time::Duration;
use std::path::Path;
use tangelo_core::config::{Incarnation, ServerDef};
use tangelo_core::coordinator::LeadershipState;
use tangelo_core::master::Input;
use tangelo_core::process::{LogSpec, ProcessRef, Signal};
use tangelo_core::runtime::Runtime;
use tangelo_core::{CpuSet, ErrorKind, Instant, Leadership, Result, Supervisor};
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
    supervisor: Arc<HostSupervisor>,
    leadership: Arc<dyn Leadership>,
    events: Sender<Event>,
    template: Arc<Template>,
}

impl Launcher {
    pub(super) fn new(master: &Master, leadership: Arc<dyn Leadership>) -> Result<Self> {
        let (options, runtime) = (&master.options, &master.runtime);
        let reach = Reach::new(&options.def.ssh, &options.dir, &options.env, &own_file()?);
        let template = Template::new(options, own_file()?, &reach, leadership.epoch());
        let authority = Authority::Reign(Arc::clone(&leadership));
        let supervisor = HostSupervisor::new(runtime, Arc::clone(&options.supervisor), reach, authority);
        Ok(Self {
            runtime: Arc::clone(runtime),
            supervisor: Arc::new(supervisor),
            leadership,
            events: master.events.clone(),
            template: Arc::new(template),
        })
    }

    /// Ends the connections to other hosts, and waits until they have ended, before this process does.
    pub(super) async fn leave(&self) {
        self.supervisor.close();
        self.supervisor.closed().await;
    }

    /// Whether the leader may give orders now, by its own clock.
    pub(super) fn may_act(&self) -> bool {
        may_act(&*self.leadership)
    }

    pub(super) fn launch(&self, def: ServerDef, cpus: Option<CpuSet>, incarnation: Incarnation) {
        let (order, template) = (self.order(), Arc::clone(&self.template));
        self.runtime.spawn(Box::pin(async move {
            let id = def.id.clone();
            let result = match template.spec(&order.supervisor, def, cpus, incarnation).await {
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
                // Its host is away, which has been said; a kill is ordered again and again.
                Err(error) if error.kind() == ErrorKind::Unavailable => {
                    debug!(%process, %error, "cannot signal")
                }
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
}

impl Drop for Launcher {
    fn drop(&mut self) {
        // The reign is over: what waits at other hosts holds the supervisor, too.
        self.supervisor.close();
    }
}

/// Whether a leader may give orders now, by its own clock.
pub(super) fn may_act(leadership: &dyn Leadership) -> bool {
    leadership.state() != LeadershipState::Lost && Instant::now() < leadership.deadline()
}

/// What the task that carries out one order needs.
struct Order {
    runtime: Arc<dyn Runtime>,
    supervisor: Arc<HostSupervisor>,
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

    async fn answer(&self, input: Input) {
        // If nobody takes events any more, the process ends.
        let _ = self.events.send(Event::Reign(self.leadership.epoch(), input)).await;
    }

    /// Waits for the process's end and reports it.
    async fn wait(&self, id: String, incarnation: Incarnation, process: ProcessRef) {
        let exit = loop {
            match self.supervisor.wait(&process).await {
                Ok(exit) => break exit,
                // The reign is over.
                Err(error) if error.kind() == ErrorKind::Fenced => return,
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
