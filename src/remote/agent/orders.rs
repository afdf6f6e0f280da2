//! Obeying orders, if they do not come too late.

use super::super::wire::{AgentTime, Answer, Order};
use super::find::find;
use alloc::sync::Arc;
use core::time::Duration;
use tangelo_core::runtime::Runtime;
use tangelo_core::{Affinity, Error, ErrorKind, LaunchSpec, Result, Supervisor};

/// What obeys them.
pub(in crate::remote) struct Orders {
    runtime: Arc<dyn Runtime>,
    supervisor: Arc<dyn Supervisor>,
    affinity: Arc<dyn Affinity>,
    clock: fn() -> AgentTime,
}

impl Orders {
    pub(in crate::remote) fn new(
        runtime: &Arc<dyn Runtime>,
        supervisor: Arc<dyn Supervisor>,
        affinity: Arc<dyn Affinity>,
    ) -> Self {
        Self { runtime: Arc::clone(runtime), supervisor, affinity, clock: AgentTime::now }
    }

    /// The same by another clock.
    #[cfg(test)]
    pub(in crate::remote) fn by(self, clock: fn() -> AgentTime) -> Self {
        Self { clock, ..self }
    }

    pub(super) const fn runtime(&self) -> &Arc<dyn Runtime> {
        &self.runtime
    }

    /// Obeys an order.
    ///
    /// # Errors
    /// [`Fenced`](ErrorKind::Fenced) if it comes after its limit: nothing has been done then; and
    /// what the supervisor says.
    pub(super) async fn obey(&self, order: Order, not_after: Option<AgentTime>) -> Result<Answer> {
        if order.acts() {
            self.check(not_after)?;
        }
        match order {
            Order::Launch(spec) => self.supervisor.launch(checked(spec)?).await.map(Answer::Process),
            Order::Find { host, variable, until } => {
                let found = find(&self.runtime, &host, &variable, || (self.clock)() > until).await;
                found.map(Answer::Found)
            }
            Order::Adopt(process) => self.supervisor.adopt(&process).await.map(|()| Answer::Done),
            Order::Signal(process, signal) => {
                self.supervisor.signal(&process, signal).await.map(|()| Answer::Done)
            }
            Order::Wait(process) => self.supervisor.wait(&process).await.map(Answer::Exit),
            Order::Cpus => self.affinity.allowed().map(Answer::Cpus),
            Order::Beat => Ok(Answer::Done),
        }
    }

    /// Whoever gave it may have been deposed since, and another master may act here by now.
    fn check(&self, not_after: Option<AgentTime>) -> Result<()> {
        let Some(limit) = not_after else {
            return Err(Error::new(ErrorKind::Protocol, "an order without the time that it holds for"));
        };
        let late = (self.clock)().0.checked_sub(limit.0);
        late.map_or(Ok(()), |late| {
            let ms = Duration::from_nanos(late).as_millis();
            Err(Error::new(ErrorKind::Fenced, format!("the order came {ms} ms after it had lost its force")))
        })
    }
}

/// stdout is the way to the master: no server may have it.
fn checked(spec: LaunchSpec) -> Result<LaunchSpec> {
    if spec.log.is_none() {
        return Err(Error::new(ErrorKind::Invalid, "a process of another host needs a log"));
    }
    Ok(spec)
}
