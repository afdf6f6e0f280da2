//! One client of this frontend: its connection and its session.

use super::frame::Frame;
use super::hub::Hub;
use super::outbox::{Outbox, Put};
use super::pipe::Pipe;
use super::stats::Sent;
use super::why::Why;
use crate::sync::Mutex;
use alloc::sync::Arc;
use core::fmt;
use core::net::SocketAddr;
use core::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, Ordering};
use core::task::{Context, Poll, Waker};
use core::time::Duration;
use serde_json::{Map, Value};
use std::sync::MutexGuard;
use tangelo_core::channel::{PushError, check_name};
use tangelo_core::client::PackageType;
use tangelo_core::client::connection::kick_body;
use tangelo_core::config::{SessionsPerUser, SlowClient};
use tangelo_core::runtime::Stream;
use tangelo_core::{Error, ErrorKind, Instant, Result};

/// A connection that is closing has this long to hear its last words.
pub(super) const LAST_WORDS: Duration = Duration::from_secs(2);

/// How many system calls one client may have at a time, before others have their turn.
const WRITES: usize = 8;

/// A client of this frontend; a cheap handle, also when the client has gone.
#[derive(Clone)]
pub(crate) struct Client(Arc<Inner>);

struct Inner {
    id: u64,
    address: SocketAddr,
    hub: Arc<Hub>,
    stage: AtomicU8,
    /// Whether it speaks WebSocket.
    web: AtomicBool,
    /// When its task is to be woken, in milliseconds after boot; `u64::MAX`: never.
    deadline: AtomicU64,
    /// How many of its messages are worked on.
    under_way: AtomicU32,
    outbox: Mutex<Outbox>,
    session: Mutex<Session>,
    // Locked before the outbox.
    pipe: Mutex<Pipe>,
}

#[derive(Debug, Default)]
struct Session {
    uid: Option<Arc<str>>,
    settings: Map<String, Value>,
    /// The same as JSON; empty if nothing has been set.
    encoded: Arc<[u8]>,
    /// What it was told at its end.
    farewell: Option<Box<str>>,
}

/// On the way to be a client.
const FRESH: u8 = 0;
/// A client.
const WORKING: u8 = 1;
/// Closed, or about to be.
const CLOSED: u8 = 2;

/// What became of an attempt to write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Flushed {
    /// Nothing waits.
    Drained,
    /// There is more, and now others have their turn.
    More,
    /// The connection takes no more at present. The client's own task has been told.
    Blocked,
    /// It broke.
    Dead,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("id", &self.0.id).field("address", &self.0.address).finish()
    }
}

impl Client {
    pub(super) fn connected(hub: &Arc<Hub>, id: u64, address: SocketAddr, stream: Box<dyn Stream>) -> Self {
        Self(Arc::new(Inner {
            id,
            address,
            hub: Arc::clone(hub),
            stage: AtomicU8::new(FRESH),
            web: AtomicBool::new(false),
            deadline: AtomicU64::new(u64::MAX),
            under_way: AtomicU32::new(0),
            outbox: Mutex::default(),
            session: Mutex::default(),
            pipe: Mutex::new(Pipe::new(stream, hub.tls.is_some())),
        }))
    }

    /// Its number, unique in this life of the frontend.
    pub(crate) fn id(&self) -> u64 {
        self.0.id
    }

    /// Where it has connected from.
    pub(crate) fn address(&self) -> SocketAddr {
        self.0.address
    }

    /// The user that it is bound to.
    pub(crate) fn uid(&self) -> Option<Arc<str>> {
        self.0.session.lock().uid.clone()
    }

    /// Binds it to a user. If users may have one session only, an older one is kicked.
    ///
    /// # Errors
    /// `Invalid` for a name that channels would not take; `AlreadyExists` if it is bound to another user;
    /// `NotFound` if it has closed.
    pub(crate) fn bind(&self, uid: &str) -> Result<()> {
        check_name("user", uid)?;
        let others = {
            let mut session = self.0.session.lock();
            match &session.uid {
                Some(bound) if **bound == *uid => return Ok(()),
                Some(bound) => {
                    let message = format!("this session is bound to user {bound:?} already");
                    return Err(Error::new(ErrorKind::AlreadyExists, message));
                }
                None => {}
            }
            let clients = self.0.hub.clients();
            let uid: Arc<str> = uid.into();
            let Some(others) =
                clients.bind(&uid, self, self.0.hub.config.sessions_per_user == SessionsPerUser::One)
            else {
                return Err(Error::new(ErrorKind::NotFound, "this session has closed"));
            };
            session.uid = Some(uid);
            others
        };
        others.iter().for_each(|other| other.kick_for(Why::REPLACED, "replaced"));
        crate::handler::dispatch::bound(&self.0.hub.app, self);
        Ok(())
    }

    /// Takes the user away from it.
    pub(crate) fn unbind(&self) {
        let mut session = self.0.session.lock();
        if let Some(uid) = session.uid.take() {
            self.leave_user(&uid);
        }
    }

    fn leave_user(&self, uid: &Arc<str>) {
        if self.0.hub.clients().unbind(uid, self)
            && let Some(channels) = self.0.hub.app.shared().channels.made()
        {
            channels.session_closed(uid);
        }
    }

    /// What has been set for this session.
    pub(crate) fn settings(&self) -> Map<String, Value> {
        self.0.session.lock().settings.clone()
    }

    /// Sets some of it anew.
    pub(crate) fn set_settings(&self, changed: Map<String, Value>) {
        let mut session = self.0.session.lock();
        session.settings.extend(changed);
        // Maps of JSON values can always be written.
        session.encoded = serde_json::to_vec(&session.settings).unwrap_or_default().into();
    }

    /// What has been set for this session, as JSON; empty if nothing has.
    pub(crate) fn settings_json(&self) -> Arc<[u8]> {
        Arc::clone(&self.0.session.lock().encoded)
    }

    /// Sends it a message.
    ///
    /// # Errors
    /// `Invalid` for a message that cannot be encoded; `Unavailable` if its queue is full, or it has closed.
    pub(crate) fn push(&self, route: &str, body: &[u8]) -> Result<(), PushError> {
        let frame = self.0.hub.wire.push(route, body)?;
        match self.put(frame) {
            Put::Flush => self.0.hub.flush_later(self.clone()),
            Put::Waits => {}
            refused => {
                if refused == Put::Full {
                    self.overflowed();
                }
                return Err(refusal(refused));
            }
        }
        Ok(())
    }

    /// Answers its request `id`, which was for `route`. Should it have closed, nobody asks any more.
    pub(crate) fn respond(&self, id: u64, route: &str, body: &[u8]) {
        match self.0.hub.wire.response(id, route, body) {
            Ok(frame) => self.send(frame),
            Err(error) => {
                tracing::error!(route, error = %error.message, "a response cannot be sent");
                let body = br#"{"code":500,"message":"the response cannot be sent: see the server's log"}"#;
                if let Ok(frame) = self.0.hub.wire.plain_response(id, body) {
                    self.send(frame);
                }
            }
        }
    }

    /// Tells it why, and closes the connection once that is written, within 2 s.
    pub(crate) fn kick(&self, reason: &str) {
        self.kick_for(Why::KICKED, reason);
    }

    /// Whether its connection is closed, or about to be.
    pub(crate) fn is_closed(&self) -> bool {
        self.0.stage.load(Ordering::Acquire) == CLOSED
    }

    /// Whether its handshake is through, and it has not closed.
    pub(super) fn is_working(&self) -> bool {
        self.0.stage.load(Ordering::Acquire) == WORKING
    }

    /// Its handshake is through. `false`: it has closed.
    pub(super) fn begin_work(&self) -> bool {
        let swapped = self.0.stage.compare_exchange(FRESH, WORKING, Ordering::AcqRel, Ordering::Acquire);
        if swapped.is_ok() {
            self.0.hub.clients().count(1);
            self.0.hub.fresh.lock().remove(&self.0.id);
        }
        swapped.is_ok()
    }

    /// It speaks WebSocket.
    pub(super) fn is_upgraded(&self) {
        self.0.web.store(true, Ordering::Release);
    }

    pub(super) fn hub(&self) -> &Arc<Hub> {
        &self.0.hub
    }

    /// Its connection. The lock is held across system calls, but no others are taken in there but the outbox's.
    pub(super) fn pipe(&self) -> MutexGuard<'_, Pipe> {
        self.0.pipe.lock()
    }

    /// Queues a frame; what it takes to have it written is for the caller to do.
    pub(super) fn put(&self, frame: Frame) -> Put {
        self.0.outbox.lock().put(frame, self.0.hub.room)
    }

    /// Queues a frame that this client alone is sent. It is not written at once, as more may follow, unless the
    /// queue is full: that says nothing of a client before it has had a chance to read.
    pub(super) fn send(&self, frame: Frame) {
        let mut put = self.put(frame.clone());
        if put == Put::Full {
            let mut sent = Sent::default();
            let flushed = self.flush(&mut Context::from_waker(Waker::noop()), false, &mut sent);
            self.0.hub.counters.add_sent(sent);
            if flushed == Flushed::More {
                self.0.hub.flush_first(self.clone());
            }
            put = self.put(frame);
        }
        match put {
            Put::Flush => self.0.hub.flush_first(self.clone()),
            Put::Full => self.overflowed(),
            Put::Waits | Put::Closed => {}
        }
    }

    /// Its queue is full. No lock of the registry may be held.
    pub(super) fn overflowed(&self) {
        self.0.hub.counters.overflowed.fetch_add(1, Ordering::Relaxed);
        if self.0.hub.config.slow == SlowClient::Disconnect {
            self.close(Why::SLOW);
        }
    }

    /// Writes what waits. `own`: on the client's own task, which is woken when there is room again.
    pub(super) fn flush(&self, cx: &mut Context<'_>, own: bool, sent: &mut Sent) -> Flushed {
        let flushed = self.flush_locked(&mut self.0.pipe.lock(), cx, own, sent);
        if flushed == Flushed::Dead {
            self.close(Why::LOST);
        }
        flushed
    }

    fn flush_locked(&self, pipe: &mut Pipe, cx: &mut Context<'_>, own: bool, sent: &mut Sent) -> Flushed {
        let mut written = super::pipe::Written::default();
        for turn in 0.. {
            {
                let mut outbox = self.0.outbox.lock();
                outbox.settle(written.weight, written.frames);
                if own {
                    (outbox.turning, outbox.blocked) = (false, false);
                } else if outbox.blocked {
                    // The client's own task waits for room.
                    outbox.listed = false;
                    return Flushed::Blocked;
                }
                if pipe.sending.is_empty() && !outbox.take(&mut pipe.sending) && pipe.is_done() {
                    outbox.listed = false;
                    let task = if core::mem::take(&mut outbox.paused) { outbox.task.clone() } else { None };
                    drop(outbox);
                    task.inspect(Waker::wake_by_ref);
                    return Flushed::Drained;
                }
                outbox.listed = true;
            }
            if turn == WRITES {
                return Flushed::More;
            }
            match pipe.poll_write(cx) {
                Poll::Ready(Ok(now)) => {
                    written = now;
                    sent.frames += now.frames as u64;
                    sent.bytes += now.bytes as u64;
                    sent.writes += u64::from(now.bytes > 0);
                }
                Poll::Ready(Err(_)) => return Flushed::Dead,
                Poll::Pending => {
                    let task = {
                        let mut outbox = self.0.outbox.lock();
                        (outbox.blocked, outbox.listed) = (true, false);
                        if own { None } else { outbox.task.clone() }
                    };
                    task.inspect(Waker::wake_by_ref);
                    return Flushed::Blocked;
                }
            }
        }
        Flushed::More
    }

    /// What the application is told of why it has closed: what it was kicked for, or the reason's name.
    pub(super) fn farewell(&self, why: Why) -> Box<str> {
        let told = self.0.session.lock().farewell.take();
        told.filter(|_| why == Why::KICKED).unwrap_or_else(|| why.name().into())
    }

    fn kick_for(&self, why: Why, reason: &str) {
        self.0.session.lock().farewell.get_or_insert_with(|| reason.into());
        match Frame::package(PackageType::Kick, &kick_body(reason)) {
            Ok(frame) => self.close_with(why, Some(frame)),
            Err(_) => self.close(why),
        }
    }

    /// It is to hear this as the server goes down.
    pub(super) fn shut_down(&self, kick: &Frame) {
        self.close_with(Why::STOPPING, self.is_working().then(|| kick.clone()));
    }

    /// Its task is at work from now on. `false`: its connection is closing.
    pub(super) fn begin_turn(&self, cx: &Context<'_>) -> bool {
        let mut outbox = self.0.outbox.lock();
        if !outbox.task.as_ref().is_some_and(|task| task.will_wake(cx.waker())) {
            outbox.task = Some(cx.waker().clone());
        }
        outbox.turning = outbox.closing().is_none();
        outbox.turning
    }

    /// Its task is through. `true`: what waits is for it to write.
    pub(super) fn end_turn(&self) -> bool {
        self.0.outbox.lock().end_turn()
    }

    /// Why its connection is closing, if it is.
    pub(super) fn closing(&self) -> Option<Why> {
        self.0.outbox.lock().closing()
    }

    /// Its connection is gone.
    pub(super) fn cut(&self) {
        self.0.pipe.lock().cut();
        {
            let mut outbox = self.0.outbox.lock();
            outbox.clear();
            outbox.task = None;
        }
        let hub = &self.0.hub;
        if hub.clients().gone(self) == 0 && hub.stopping.load(Ordering::Acquire) {
            hub.left.notify(usize::MAX);
        }
    }

    /// Begins to close the connection; the first reason counts. No lock of the registry may be held.
    pub(super) fn close(&self, why: Why) {
        self.close_with(why, None);
    }

    fn close_with(&self, why: Why, last: Option<Frame>) {
        let end = self.0.web.load(Ordering::Acquire).then(|| Frame::close(Some(why.close_frame())));
        let end = end.filter(|_| !why.is_abrupt());
        let (task, was) = {
            let mut outbox = self.0.outbox.lock();
            if !outbox.close(why, last.into_iter().chain(end)) {
                return;
            }
            if why.is_abrupt() {
                outbox.clear();
            }
            (outbox.task.clone(), self.0.stage.swap(CLOSED, Ordering::AcqRel))
        };
        self.set_deadline(Some(Instant::now() + LAST_WORDS));
        let hub = &self.0.hub;
        hub.counters.add_closed(why.name());
        if was == WORKING {
            hub.clients().count(-1);
        }
        hub.fresh.lock().remove(&self.0.id);
        let uid = self.0.session.lock().uid.clone();
        if let Some(uid) = uid {
            self.leave_user(&uid);
        }
        task.inspect(Waker::wake_by_ref);
    }

    /// When its task wants to be woken.
    pub(super) fn set_deadline(&self, deadline: Option<Instant>) {
        let at = deadline.map_or(u64::MAX, millis);
        self.0.deadline.store(at, Ordering::Release);
    }

    /// Wakes its task if that wants it, at `now` in milliseconds after boot.
    pub(super) fn wake_if_due(&self, now: u64) {
        if self.0.deadline.load(Ordering::Acquire) <= now {
            self.wake();
        }
    }

    fn wake(&self) {
        let task = self.0.outbox.lock().task.clone();
        task.inspect(Waker::wake_by_ref);
    }

    /// One more of its messages is worked on.
    pub(super) fn begin_message(&self) {
        self.0.under_way.fetch_add(1, Ordering::AcqRel);
    }

    /// One of them is through.
    pub(super) fn end_message(&self) {
        if self.0.under_way.fetch_sub(1, Ordering::AcqRel) >= self.0.hub.config.requests_at_once {
            // It had not been read from.
            self.wake();
        }
    }

    /// Whether so many of its messages are worked on that it is not read from.
    pub(super) fn is_busy(&self) -> bool {
        self.0.under_way.load(Ordering::Acquire) >= self.0.hub.config.requests_at_once
    }

    /// Whether so much waits for it that it is not read from; its task is woken when nothing does.
    pub(super) fn is_behind(&self) -> bool {
        let mut outbox = self.0.outbox.lock();
        outbox.paused = !outbox.is_relaxed(self.0.hub.room);
        outbox.paused
    }

    /// Whether it has taken something of what waits since this was asked last.
    pub(super) fn progresses(&self) -> bool {
        core::mem::take(&mut self.0.outbox.lock().progress)
    }
}

/// Milliseconds after boot, rounded up.
pub(super) fn millis(at: Instant) -> u64 {
    u64::try_from(at.since_boot().as_micros().div_ceil(1000)).unwrap_or(u64::MAX)
}

/// Why a push has not been taken.
pub(super) fn refusal(put: Put) -> PushError {
    let what = match put {
        Put::Full => "its queue is full: it reads too slowly",
        _ => "its session has closed",
    };
    PushError::new(ErrorKind::Unavailable, what)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_idle_client_takes_little_memory() {
        assert!(size_of::<Inner>() <= 512, "{}", size_of::<Inner>());
    }
}
