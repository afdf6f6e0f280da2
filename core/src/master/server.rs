//! One server, as the master of this reign sees it.

use super::io::LinkId;
use super::state::ServerRecord;
use crate::config::{Incarnation, ServerDef};
use crate::restart::Crashes;
use crate::wire::{Digest, Phase, Register, ServerInfo, ServerRow, ServerState};
use crate::{CpuSet, Instant};
use alloc::boxed::Box;
use alloc::format;
use alloc::string::{String, ToString};
use core::time::Duration;

/// How long a server's components may take to stop once its hooks are done, and then the process to go.
const STOP_SLACK: Duration = Duration::from_secs(6);

/// How long a killed process may take to go before it is killed again.
pub(super) const KILL_AGAIN: Duration = Duration::from_secs(2);

/// How long after its first kill the end of the cluster waits for a process.
const BEYOND_REACH: Duration = Duration::from_secs(20);

/// Where a server is in its life.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Run {
    /// No process of it runs and none is to be launched.
    Idle,
    /// Its launch waits for the store, or was ordered and is not answered yet.
    Launching,
    /// It has a process, and should be up by then.
    Starting { until: Instant },
    /// It is up and linked.
    Up,
    /// Its process lives, as far as anybody knows; its link is gone, and should be back by then.
    Unlinked { until: Instant, silent: bool },
    /// Its process lives but it does not serve; without `auto-restart` that is left to a person.
    Astray { why: String },
    /// It is to stop.
    Stopping { order: Order, then: Then },
    /// It crashed, and is launched again at that moment.
    Backoff { until: Instant },
}

/// Whether the order to stop was given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    /// It waits for the store, or for a launch to be answered; with `kill` nobody will be asked.
    Pending { kill: bool },
    /// It was given: what is not gone by then is killed (again).
    Given { kill_at: Instant },
}

/// What follows when a process that was told to stop has gone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Then {
    /// It stays down.
    Stay,
    /// It is launched again.
    Launch,
    /// It counts as crashed, for this reason.
    Crash(String),
}

/// One server.
#[derive(Debug)]
pub(super) struct Server {
    pub(super) record: ServerRecord,
    pub(super) run: Run,
    pub(super) link: Option<LinkId>,
    /// A registration that waits until it is known which process was launched.
    pub(super) early: Option<Box<(LinkId, Register)>>,
    /// Whether the link's registration has been answered with a welcome.
    pub(super) welcomed: bool,
    pub(super) phase: Phase,
    pub(super) launched_at: Option<Instant>,
    /// When the present process was killed first, if it was.
    pub(super) killed_at: Option<Instant>,
    /// When a process that this reign has not launched began, as it says itself.
    pub(super) born: Option<Instant>,
    /// Whether a launch was ordered and is not answered yet.
    pub(super) ordered: bool,
    /// Whether it is being found out if the process of an earlier reign still runs.
    pub(super) adopting: bool,
    /// Whether an earlier master launched the present process.
    pub(super) adopted: bool,
    /// The highest incarnation that an earlier reign may have launched.
    pub(super) floor: Incarnation,
    /// The change of the stored state by which the next incarnation is reserved.
    pub(super) reserved_by: u64,
    pub(super) crashes: Crashes,
    pub(super) cpus: Option<CpuSet>,
    pub(super) status: String,
    /// Which servers it knew to be up when it registered.
    pub(super) knew: Digest,
    /// Its own digest, and of which life.
    digest: Option<(Incarnation, Digest)>,
    /// Whether others may know that it is up: that is stored.
    pub(super) told: bool,
    /// Why it crashed last, for `list`.
    pub(super) why: String,
}

impl Server {
    pub(super) fn new(mut record: ServerRecord) -> Self {
        record.fronted |= record.def.frontend;
        let (floor, told) = (record.reserved, record.up);
        Self {
            record,
            run: Run::Idle,
            link: None,
            early: None,
            welcomed: false,
            phase: Phase::Starting,
            launched_at: None,
            killed_at: None,
            born: None,
            ordered: false,
            adopting: false,
            adopted: false,
            floor,
            reserved_by: 0,
            crashes: Crashes::default(),
            cpus: None,
            status: String::new(),
            knew: Digest::default(),
            digest: None,
            told,
            why: String::new(),
        }
    }

    /// Forgets what belonged to the process that has gone, or has not come yet.
    pub(super) fn clear_life(&mut self) {
        self.welcomed = false;
        self.phase = Phase::Starting;
        self.cpus = None;
        self.status.clear();
        self.adopted = false;
        self.ordered = false;
        self.adopting = false;
        self.killed_at = None;
        self.born = None;
    }

    /// Whether a process of it runs, as far as anybody knows.
    pub(super) const fn is_live(&self) -> bool {
        matches!(
            self.run,
            Run::Launching
                | Run::Starting { .. }
                | Run::Up
                | Run::Unlinked { .. }
                | Run::Astray { .. }
                | Run::Stopping { .. }
        )
    }

    /// Whether its process was killed long ago and is not gone: its host is away, most likely.
    pub(super) fn is_beyond_reach(&self, now: Instant) -> bool {
        self.is_live() && self.killed_at.is_some_and(|at| now.saturating_since(at) >= BEYOND_REACH)
    }

    /// Whether a process of it runs or is being launched, not counting one whose launch waits for the store.
    pub(super) const fn has_process(&self) -> bool {
        self.is_live() && (self.ordered || !matches!(self.run, Run::Launching))
    }

    /// Whether it is where it will stay: nothing is under way.
    pub(super) const fn is_settled(&self) -> bool {
        matches!(self.run, Run::Up | Run::Idle | Run::Astray { .. })
    }

    pub(super) const fn deadline(&self) -> Option<Instant> {
        match self.run {
            Run::Starting { until } | Run::Unlinked { until, .. } | Run::Backoff { until } => Some(until),
            Run::Stopping { order: Order::Given { kill_at }, .. } => Some(kill_at),
            Run::Stopping { .. } | Run::Idle | Run::Launching | Run::Up | Run::Astray { .. } => None,
        }
    }

    /// How long it may take from being told to stop until it is gone.
    pub(super) const fn stop_patience(&self) -> Duration {
        self.record.def.stop_timeout.saturating_add(STOP_SLACK)
    }

    /// What follows when its process has gone for this reason: if somebody wants it to run that is no crash.
    pub(super) fn after_crash(&self, why: String) -> Then {
        if self.record.due { Then::Launch } else { Then::Crash(why) }
    }

    /// Its present link, once it has been welcomed there.
    pub(super) fn welcomed_link(&self) -> Option<LinkId> {
        self.link.filter(|_| self.welcomed)
    }

    /// Whether it has only so much time to come up or to come back.
    pub(super) const fn is_on_time(&self) -> bool {
        matches!(self.run, Run::Starting { .. } | Run::Unlinked { .. })
    }

    /// The time of this master's sleep is not its own: it gets this long at least.
    pub(super) fn spare(&mut self, at_least: Instant) {
        if let Run::Starting { until } | Run::Unlinked { until, .. } = &mut self.run {
            *until = at_least.max(*until);
        }
    }

    pub(super) fn info(&self) -> ServerInfo {
        ServerInfo { def: self.record.def.clone(), incarnation: self.record.incarnation }
    }

    /// The digest of [`info`](Self::info).
    pub(super) fn digest(&mut self) -> Digest {
        let incarnation = self.record.incarnation;
        match self.digest {
            Some((of, digest)) if of == incarnation => digest,
            _ => {
                let digest = Digest::of(&self.info());
                self.digest = Some((incarnation, digest));
                digest
            }
        }
    }

    /// It is defined anew.
    pub(super) fn define(&mut self, def: ServerDef) {
        self.record.fronted |= def.frontend;
        self.record.def = def;
        self.digest = None;
    }

    /// Its line in `list`; the driver adds the memory.
    pub(super) fn row(&self, now: Instant) -> ServerRow {
        let record = &self.record;
        let (state, detail) = self.shown();
        let live = record.process.as_ref().filter(|_| self.is_live());
        ServerRow {
            id: record.def.id.clone(),
            server_type: record.def.server_type.clone(),
            host: record.def.host.clone(),
            port: record.def.port,
            client_port: record.def.client_port,
            pid: live.map(|process| process.pid),
            incarnation: record.incarnation,
            state,
            cpu: self.cpus.as_ref().map(ToString::to_string),
            restarts: record.restarts,
            uptime_ms: self
                .launched_at
                .or(self.born)
                .filter(|_| live.is_some())
                .map(|at| u64::try_from(now.saturating_since(at).as_millis()).unwrap_or(u64::MAX)),
            rss_bytes: None,
            detail,
        }
    }

    fn shown(&self) -> (ServerState, String) {
        let pid = self.record.process.as_ref().map_or(0, |process| process.pid);
        match &self.run {
            Run::Up => (ServerState::Up, self.status.clone()),
            Run::Launching | Run::Starting { .. } => (ServerState::Starting, self.why.clone()),
            Run::Unlinked { silent, .. } => {
                let what = if *silent { "silent" } else { "its link is gone" };
                (ServerState::Up, format!("{what}: waiting for it to come back"))
            }
            Run::Astray { why } => (
                ServerState::Failed,
                format!("{why}, but pid {pid} runs and auto-restart is off: `restart` replaces it"),
            ),
            Run::Stopping { then: Then::Crash(why), .. } => (ServerState::Stopping, why.clone()),
            Run::Stopping { .. } => (ServerState::Stopping, String::new()),
            Run::Backoff { .. } => (ServerState::Backoff, self.why.clone()),
            Run::Idle => match &self.record.failed {
                Some(why) => (ServerState::Failed, why.clone()),
                None => (ServerState::Stopped, String::new()),
            },
        }
    }
}
