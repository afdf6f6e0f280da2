//! How a connection ends.

use super::{CLOSED, Client, LAST_WORDS, WORKING};
use crate::connector::frame::Frame;
use crate::connector::why::Why;
use core::sync::atomic::Ordering;
use core::task::Waker;
use tangelo_core::Instant;
use tangelo_core::client::PackageType;
use tangelo_core::client::connection::kick_body;

impl Client {
    /// Tells it why, and closes the connection once that is written, within 2 s.
    pub(crate) fn kick(&self, reason: &str) {
        self.kick_for(Why::KICKED, reason);
    }

    pub(super) fn kick_for(&self, why: Why, reason: &str) {
        self.0.session.lock().farewell.get_or_insert_with(|| reason.into());
        match Frame::package(PackageType::Kick, &kick_body(reason)) {
            Ok(frame) => self.close_with(why, Some(frame)),
            Err(_) => self.close(why),
        }
    }

    /// It is to hear this as the server goes down.
    pub(in crate::connector) fn shut_down(&self, kick: &Frame) {
        self.close_with(Why::STOPPING, self.is_working().then(|| kick.clone()));
    }

    /// Begins to close the connection; the first reason counts. No lock of the registry may be held.
    pub(in crate::connector) fn close(&self, why: Why) {
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

    /// Why its connection is closing, if it is.
    pub(in crate::connector) fn closing(&self) -> Option<Why> {
        self.0.outbox.lock().closing()
    }

    /// What the application is told of why it has closed: what it was kicked for, or the reason's name.
    pub(in crate::connector) fn farewell(&self, why: Why) -> Box<str> {
        let told = self.0.session.lock().farewell.take();
        told.filter(|_| why == Why::KICKED).unwrap_or_else(|| why.name().into())
    }

    /// Its connection is gone.
    pub(in crate::connector) fn cut(&self) {
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
}
