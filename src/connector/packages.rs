//! What a client's packages ask for: the handshake, heartbeats, and messages, which handlers begin to work on here.

use super::client::Client;
use super::frame::Frame;
use super::input::{Flow, Taker};
use super::outbox::Put;
use super::why::Why;
use crate::handler::dispatch::{self, Incoming};
use core::panic::AssertUnwindSafe;
use core::sync::atomic::Ordering;
use core::task::{Context, Waker};
use futures_lite::FutureExt as _;
use std::panic::catch_unwind;
use tangelo_core::Instant;
use tangelo_core::client::connection::{Action, CloseReason, Connection};
use tangelo_core::client::handshake::{HandshakeRequest, Refusal};
use tangelo_core::client::{Message, Package, PackageType};
use tracing::{debug, error};

/// Takes a client's packages.
pub(super) struct Taking<'a> {
    pub(super) client: &'a Client,
    pub(super) machine: &'a mut Connection,
    /// Whether the application has heard of it.
    pub(super) known: &'a mut bool,
    pub(super) now: Instant,
}

impl Taker for Taking<'_> {
    fn max_body(&self) -> usize {
        self.machine.max_body()
    }

    fn page(&self) -> Option<&str> {
        self.client.hub().config.page.as_deref()
    }

    fn speaks_http(&mut self) {
        self.client.pipe().web = true;
    }

    fn upgraded(&mut self) {
        self.client.is_upgraded();
    }

    /// It is written when this turn ends.
    fn send(&mut self, frame: Frame) {
        if self.client.put(frame) == Put::Full {
            self.client.overflowed();
        }
    }

    fn package(&mut self, package: Package<'_>) -> Result<Flow, Why> {
        match self.machine.handle(self.now, package) {
            Action::Nothing => {}
            Action::Handshake(request) => self.handshake(&request)?,
            Action::Working { heartbeat } => {
                if self.client.begin_work() {
                    *self.known = true;
                }
                if heartbeat {
                    self.send(self.client.hub().heartbeat.clone());
                }
            }
            Action::Heartbeat => self.send(self.client.hub().heartbeat.clone()),
            Action::Message(message) => return self.message(&message),
            Action::Close(reason) => {
                if let CloseReason::Refused(refusal) = reason {
                    self.refused(refusal);
                }
                return Err(Why::Is(reason));
            }
        }
        Ok(Flow::Go)
    }
}

impl Taking<'_> {
    fn handshake(&mut self, request: &HandshakeRequest) -> Result<(), Why> {
        let hub = self.client.hub();
        let user = match &hub.config.handshake {
            None => None,
            Some(hook) => {
                let look = || hook.look(&request.user, self.client.address());
                let looked = catch_unwind(AssertUnwindSafe(look));
                match looked.unwrap_or_else(|_| Err("the handshake hook panicked".into())) {
                    Ok(user) => Some(user),
                    Err(why) => {
                        debug!(address = %self.client.address(), why, "a handshake was refused");
                        self.refused(Refusal::Failed);
                        return Err(Why::Is(self.machine.refuse(Refusal::Failed)));
                    }
                }
            }
        };
        if self.machine.accept() {
            let body = hub.wire.accept.body(request, user.as_ref());
            self.handshake_package(&body);
        }
        Ok(())
    }

    fn refused(&mut self, refusal: Refusal) {
        self.handshake_package(&refusal.body());
    }

    fn handshake_package(&mut self, body: &[u8]) {
        match Frame::package(PackageType::Handshake, body) {
            Ok(frame) => self.send(frame),
            Err(error) => error!(%error, "clients cannot be told about the handshake"),
        }
    }

    /// Begins to work on a message, so that those of one client begin in their order, and lets it
    /// go on in a task of its own if it has to wait.
    fn message(&mut self, message: &Message<'_>) -> Result<Flow, Why> {
        let (client, hub) = (self.client, self.client.hub());
        hub.counters.received.fetch_add(1, Ordering::Relaxed);
        let route = hub.wire.route(message.route)?;
        let body = hub.wire.incoming(route, message)?;
        let incoming = Incoming { id: message.id, route: route.into(), body };
        let under_way = UnderWay::begin(client);
        let begin = || {
            let mut handling = dispatch::handle(&hub.app, client.clone(), incoming, under_way)?;
            handling.poll(&mut Context::from_waker(Waker::noop())).is_pending().then_some(handling)
        };
        match catch_unwind(AssertUnwindSafe(begin)) {
            Ok(None) => {}
            Ok(Some(handling)) => hub.app.runtime().spawn(handling),
            Err(_) => error!("the handling of a message panicked"),
        }
        Ok(if client.is_busy() { Flow::Pause } else { Flow::Go })
    }
}

/// A message that is worked on.
struct UnderWay(Client);

impl UnderWay {
    fn begin(client: &Client) -> Self {
        client.begin_message();
        Self(client.clone())
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.end_message();
    }
}
