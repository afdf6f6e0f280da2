//! The supervisor of a cluster's processes, on whatever host each runs.

use super::authority::Authority;
use super::connection::{Connection, Failed};
use super::host::{Host, over};
use super::locate::Places;
use super::reach::Reach;
use super::wire::{AgentTime, Answer, Order};
use crate::sync::Mutex;
use crate::time::timeout;
use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use async_trait::async_trait;
use core::time::Duration;
use tangelo_core::process::{Exit, LaunchSpec, ProcessRef, Signal};
use tangelo_core::runtime::Runtime;
use tangelo_core::{CpuSet, Error, ErrorKind, Instant, Result, Supervisor};
use tracing::{debug, warn};

/// Names one launch: a process that has it in its environment is the one.
const LAUNCH_ID: &str = "TANGELO_LAUNCH_ID";

/// How long one tries to find out what has become of a launch whose answer was lost.
const FIND: Duration = Duration::from_secs(15);

/// The pause after an order that came too late though there was time left: the next one is measured anew.
const AGAIN: Duration = Duration::from_millis(20);

/// How long ssh may take to go at the end.
const LEAVE: Duration = Duration::from_secs(2);

/// Starts and watches processes on this machine, and by ssh on others.
///
/// - The host of a process decides: this machine's are the local supervisor's, without any delay.
/// - Orders to other hosts carry the moment after which they must not be obeyed ([`Authority`]).
/// - A host that is away keeps its processes: a [`wait`](Supervisor::wait) goes on, and ends when the
///   host is back and says that the process is gone. Everything else fails after one attempt.
#[derive(Debug)]
pub(crate) struct HostSupervisor {
    runtime: Arc<dyn Runtime>,
    local: Arc<dyn Supervisor>,
    reach: Reach,
    authority: Authority,
    places: Places,
    hosts: Mutex<Hosts>,
}

#[derive(Debug, Default)]
struct Hosts {
    known: BTreeMap<String, Arc<Host>>,
    closed: bool,
}

impl HostSupervisor {
    pub(crate) fn new(
        runtime: &Arc<dyn Runtime>,
        local: Arc<dyn Supervisor>,
        reach: Reach,
        authority: Authority,
    ) -> Self {
        let (places, hosts) = (Places::default(), Mutex::default());
        Self { runtime: Arc::clone(runtime), local, reach, authority, places, hosts }
    }

    /// Whether `host` is this machine.
    pub(crate) async fn is_here(&self, host: &str) -> bool {
        // Tests have no other machines.
        #[cfg(test)]
        if self.hosts.lock().known.contains_key(host) {
            return false;
        }
        self.places.is_here(&self.runtime, host).await
    }

    /// The CPUs that processes on another host may use.
    ///
    /// # Errors
    /// [`Unavailable`](ErrorKind::Unavailable) if it cannot be asked, or what it says.
    ///
    /// # Cancel safety
    /// Cancel safe.
    pub(crate) async fn cpus(&self, host: &str) -> Result<CpuSet> {
        match look(&*self.host(host)?, Order::Cpus).await? {
            Answer::Cpus(cpus) => Ok(cpus),
            other => Err(odd(host, &other)),
        }
    }

    /// Gives no more orders to other hosts: what waits there is told so, and ssh goes.
    pub(crate) fn close(&self) {
        let mut hosts = self.hosts.lock();
        hosts.closed = true;
        hosts.known.values().for_each(|host| host.close());
    }

    /// Waits, not too long, until ssh has gone after [`close`](Self::close).
    pub(crate) async fn closed(&self) {
        let hosts: Vec<_> = self.hosts.lock().known.values().cloned().collect();
        let all = async {
            for host in &hosts {
                host.ended().await;
            }
        };
        // What is left goes with this process, whose pipes it holds.
        let _ = timeout(&self.runtime, LEAVE, all).await;
    }

    /// Another host.
    fn host(&self, name: &str) -> Result<Arc<Host>> {
        let mut hosts = self.hosts.lock();
        if hosts.closed {
            return Err(over());
        }
        let new = || Host::new(&self.runtime, &self.reach, name);
        Ok(Arc::clone(hosts.known.entry(name.into()).or_insert_with(new)))
    }

    /// A host that is reached by another command than ssh.
    #[cfg(test)]
    pub(super) fn know(&self, name: &str, host: Arc<Host>) {
        self.hosts.lock().known.insert(name.into(), host);
    }

    /// The agent's time at which the order that is given now must have been obeyed, once it may be given.
    async fn limit(&self, connection: &Connection) -> Result<AgentTime> {
        loop {
            self.authority.acts(&*self.runtime).await?;
            if let Some(limit) = connection.agent_time(self.authority.deadline()) {
                return Ok(limit);
            }
            self.runtime.sleep(AGAIN).await;
        }
    }

    async fn launch_there(&self, mut spec: LaunchSpec) -> Result<ProcessRef> {
        let host = self.host(&spec.host)?;
        let variable = (LAUNCH_ID.to_owned(), format!("{:032x}", fastrand::u128(..)));
        spec.env.push(variable.clone());
        loop {
            let connection = host.connection().await?;
            let limit = self.limit(&connection).await?;
            match connection.ask(Order::Launch(spec.clone()), Some(limit)).await {
                Ok(Answer::Process(process)) => return Ok(process),
                Ok(other) => return Err(odd(&spec.host, &other)),
                // It took too long to get there; nothing has happened.
                Err(Failed::Refused(error)) if error.kind() == ErrorKind::Fenced => {
                    debug!(host = spec.host, %error, "once more, if there is time");
                    self.runtime.sleep(AGAIN).await;
                }
                Err(Failed::Refused(error)) => return Err(error),
                Err(Failed::NotAsked) => self.runtime.sleep(AGAIN).await,
                Err(Failed::NotAnswered) => return self.find(&host, &spec, variable, limit).await,
            }
        }
    }

    /// What has become of a launch whose answer was lost.
    ///
    /// Should nobody ever know, it is an error. If there is such a process after all, it registers
    /// first, does nothing, and is turned away in favour of its successor.
    async fn find(
        &self,
        host: &Host,
        spec: &LaunchSpec,
        variable: (String, String),
        until: AgentTime,
    ) -> Result<ProcessRef> {
        warn!(host = spec.host, "the connection broke during a launch: looking for the process");
        let patience = Instant::now() + FIND;
        let order = Order::Find { host: spec.host.clone(), variable, until };
        loop {
            let error = match timeout(&self.runtime, FIND, look(host, order.clone())).await {
                Ok(Ok(Answer::Found(Some(process)))) => return Ok(process),
                Ok(Ok(Answer::Found(None))) => {
                    let message =
                        format!("the connection to host {} broke before it was launched", spec.host);
                    return Err(Error::new(ErrorKind::Unavailable, message));
                }
                Ok(Ok(other)) => return Err(odd(&spec.host, &other)),
                Ok(Err(error)) if error.kind() == ErrorKind::Fenced => return Err(error),
                Ok(Err(error)) => error.to_string(),
                Err(_) => "it does not answer".into(),
            };
            if Instant::now() >= patience {
                let message = format!(
                    "the connection to host {} broke during the launch, and then: {error}",
                    spec.host
                );
                return Err(Error::new(ErrorKind::Timeout, message));
            }
        }
    }

    async fn signal_there(&self, process: &ProcessRef, signal: Signal) -> Result<()> {
        let host = self.host(&process.host)?;
        loop {
            let connection = host.connection().await?;
            // A signal that was to be sent before a pause is not the one to send after it.
            if !self.authority.may_act() {
                return Err(over());
            }
            let limit = self.limit(&connection).await?;
            match connection.ask(Order::Signal(process.clone(), signal), Some(limit)).await {
                Ok(Answer::Done) => return Ok(()),
                Ok(other) => return Err(odd(&process.host, &other)),
                Err(Failed::Refused(error)) if error.kind() == ErrorKind::Fenced => {
                    self.runtime.sleep(AGAIN).await;
                }
                Err(Failed::Refused(error)) => return Err(error),
                // A server that is told to stop twice stops once.
                Err(Failed::NotAsked | Failed::NotAnswered) => {}
            }
        }
    }

    async fn wait_there(&self, process: &ProcessRef) -> Result<Exit> {
        let host = self.host(&process.host)?;
        // From now on the connection is opened again whenever it breaks.
        let _want = host.want();
        loop {
            let connection = match host.connection().await {
                Ok(connection) => connection,
                Err(error) if error.kind() == ErrorKind::Fenced => return Err(error),
                Err(_) => continue,
            };
            match connection.ask(Order::Wait(process.clone()), None).await {
                Ok(Answer::Exit(exit)) => return Ok(exit),
                Ok(other) => return Err(odd(&process.host, &other)),
                Err(Failed::Refused(error)) => return Err(error),
                Err(Failed::NotAsked | Failed::NotAnswered) => {
                    debug!(%process, host = process.host, "still waiting for its end");
                }
            }
        }
    }
}

impl Drop for HostSupervisor {
    fn drop(&mut self) {
        self.close();
    }
}

#[async_trait]
impl Supervisor for HostSupervisor {
    async fn launch(&self, spec: LaunchSpec) -> Result<ProcessRef> {
        if self.is_here(&spec.host).await {
            return self.local.launch(spec).await;
        }
        self.launch_there(spec).await
    }

    async fn adopt(&self, process: &ProcessRef) -> Result<()> {
        if self.is_here(&process.host).await {
            return self.local.adopt(process).await;
        }
        match look(&*self.host(&process.host)?, Order::Adopt(process.clone())).await? {
            Answer::Done => Ok(()),
            other => Err(odd(&process.host, &other)),
        }
    }

    async fn signal(&self, process: &ProcessRef, signal: Signal) -> Result<()> {
        if self.is_here(&process.host).await {
            return self.local.signal(process, signal).await;
        }
        self.signal_there(process, signal).await
    }

    async fn wait(&self, process: &ProcessRef) -> Result<Exit> {
        if self.is_here(&process.host).await {
            return self.local.wait(process).await;
        }
        self.wait_there(process).await
    }
}

/// Asks something that changes nothing, as often as the connection breaks and is there again.
async fn look(host: &Host, order: Order) -> Result<Answer> {
    loop {
        let connection = host.connection().await?;
        match connection.ask(order.clone(), None).await {
            Ok(answer) => return Ok(answer),
            Err(Failed::Refused(error)) => return Err(error),
            Err(Failed::NotAsked | Failed::NotAnswered) => {}
        }
    }
}

fn odd(host: &str, answer: &Answer) -> Error {
    Error::new(ErrorKind::Protocol, format!("host {host} answers what was not asked: {answer:?}"))
}
