//! What comes from one client: found out what it is, and cut into packages.
//!
//! Bytes are looked at in the buffer that all clients share. A client has one of its own only while it
//! has sent a part of something.

use super::frame::Frame;
use super::http::{self, Answer};
use super::websocket;
use super::why::Why;
use tangelo_core::client::{Package, package};
use tungstenite::protocol::frame::coding::Control;

/// Whether to go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Flow {
    Go,
    /// The rest is to wait.
    Pause,
}

/// Who takes what comes.
pub(super) trait Taker {
    /// The longest body of a package.
    fn max_body(&self) -> usize;
    /// What browsers are shown.
    fn page(&self) -> Option<&str>;
    /// It is a client that speaks HTTP.
    fn speaks_http(&mut self);
    /// It speaks WebSocket from now on.
    fn upgraded(&mut self);
    /// Sends this.
    fn send(&mut self, frame: Frame);
    /// A package has come.
    fn package(&mut self, package: Package<'_>) -> Result<Flow, Why>;
}

/// What has come from one client and is not yet through.
#[derive(Debug, Default)]
pub(super) struct Input {
    phase: Phase,
    /// A part of something, or what waits.
    pending: Vec<u8>,
    /// Packages of a WebSocket message that wait.
    held: Vec<u8>,
    paused: bool,
}

#[derive(Debug, Default)]
enum Phase {
    /// It has not said anything yet.
    #[default]
    Silent,
    Http {
        /// So much of the request has been looked at.
        seen: usize,
    },
    /// Packages, one after the other.
    Tcp,
    /// Packages in WebSocket messages.
    Web {
        /// The beginning of a message that comes in parts.
        parts: Option<Vec<u8>>,
    },
}

impl Input {
    /// Whether something waits since the taker has said so.
    pub(super) fn is_paused(&self) -> bool {
        self.paused
    }

    /// Takes bytes: after a pause, first what has waited. They are changed on the way.
    ///
    /// # Errors
    /// Why the connection is to be closed.
    pub(super) fn take(&mut self, bytes: &mut [u8], taker: &mut impl Taker) -> Result<(), Why> {
        self.paused = false;
        if self.pending.is_empty() {
            let used = self.look(bytes, taker)?;
            if used < bytes.len() {
                self.pending = bytes[used..].to_vec();
            }
            return Ok(());
        }
        let mut whole = core::mem::take(&mut self.pending);
        whole.extend_from_slice(bytes);
        let used = self.look(&mut whole, taker)?;
        if used < whole.len() {
            whole.drain(..used);
            self.pending = whole;
        }
        Ok(())
    }

    /// Looks at bytes, and says how many are through.
    fn look(&mut self, bytes: &mut [u8], taker: &mut impl Taker) -> Result<usize, Why> {
        if !self.held.is_empty() {
            let held = core::mem::take(&mut self.held);
            self.packages(&held, taker)?;
        }
        let mut used = 0;
        while !self.paused && used < bytes.len() {
            let rest = &mut bytes[used..];
            let took = match self.phase {
                Phase::Silent => {
                    self.phase = match rest[0] {
                        // Some package, even if a handshake should be the first: the machine sees to that.
                        1..=5 => Phase::Tcp,
                        b'A'..=b'Z' => {
                            taker.speaks_http();
                            Phase::Http { seen: 0 }
                        }
                        _ => return Err(Why::Garbage),
                    };
                    continue;
                }
                Phase::Http { seen } => self.http(rest, seen, taker)?,
                Phase::Tcp => match package::decode(rest, taker.max_body())? {
                    Some((package, length)) => {
                        self.paused = taker.package(package)? == Flow::Pause;
                        length
                    }
                    None => 0,
                },
                Phase::Web { .. } => self.web(rest, taker)?,
            };
            if took == 0 {
                break;
            }
            used += took;
        }
        Ok(used)
    }

    fn http(&mut self, bytes: &[u8], seen: usize, taker: &mut impl Taker) -> Result<usize, Why> {
        match http::take(bytes, seen, taker.page()) {
            None => {
                self.phase = Phase::Http { seen: bytes.len() };
                Ok(0)
            }
            Some((length, Answer::Upgrade(response))) => {
                self.phase = Phase::Web { parts: None };
                taker.send(Frame::raw(response));
                taker.upgraded();
                Ok(length)
            }
            Some((_, Answer::Close(response, why))) => {
                taker.send(Frame::raw(response));
                Err(why)
            }
        }
    }

    fn web(&mut self, bytes: &mut [u8], taker: &mut impl Taker) -> Result<usize, Why> {
        let max = package::HEADER + taker.max_body();
        let Some(frame) = websocket::next(bytes, max)? else { return Ok(0) };
        let payload = &bytes[frame.payload.clone()];
        match websocket::control(frame.opcode) {
            Some(Control::Ping) => taker.send(Frame::pong(payload)),
            Some(Control::Close) => {
                websocket::check_close(payload)?;
                return Err(Why::Goodbye);
            }
            Some(Control::Pong | Control::Reserved(_)) => {}
            None => {
                let Phase::Web { parts } = &mut self.phase else { return Ok(0) };
                let begun = parts.take();
                if begun.is_some() != websocket::is_continued(frame.opcode) {
                    return Err(Why::WebSocket);
                }
                match begun {
                    None if frame.is_final => self.packages(payload, taker)?,
                    begun => {
                        let mut message = begun.unwrap_or_default();
                        if message.len() + payload.len() > max {
                            return Err(Why::WebSocketTooLong);
                        }
                        message.extend_from_slice(payload);
                        match frame.is_final {
                            true => self.packages(&message, taker)?,
                            false => *parts = Some(message),
                        }
                    }
                }
            }
        }
        Ok(frame.payload.end)
    }

    /// The packages of a WebSocket message.
    fn packages(&mut self, mut bytes: &[u8], taker: &mut impl Taker) -> Result<(), Why> {
        while !bytes.is_empty() {
            if self.paused {
                self.held = bytes.to_vec();
                break;
            }
            let (package, length) = package::decode(bytes, taker.max_body())?.ok_or(Why::Partial)?;
            self.paused = taker.package(package)? == Flow::Pause;
            bytes = &bytes[length..];
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
