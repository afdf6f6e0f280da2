//! Why connections close.

use alloc::borrow::Cow;
use tangelo_core::client::DecodeError;
use tungstenite::protocol::CloseFrame;

/// Why a connection closed; each has a name under which it is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Why {
    /// The client has left.
    Left,
    /// The connection broke.
    Broken,
    /// This application has kicked the client.
    Kicked,
    /// The same user has come anew, and may have one session only.
    Replaced,
    /// The server stops.
    Shutdown,
    /// It read too slowly for what it was sent.
    Slow,
    /// No sign of life.
    Silent,
    /// It took too long until it was a client.
    Late,
    /// Too many others were on the way to be clients.
    Crowded,
    /// Neither a package nor HTTP.
    Garbage,
    /// What TLS does not understand.
    Tls,
    /// HTTP that is none, or too much of it.
    Http,
    /// A request for a page, and it was answered.
    Page,
    /// HTTP without an upgrade to WebSocket.
    NoUpgrade,
    /// A WebSocket frame that breaks the rules.
    WebSocket,
    /// A WebSocket frame, or message, that is too long.
    WebSocketTooLong,
    /// Text where the protocol has bytes.
    Text,
    /// A WebSocket frame that ends within a package.
    Partial,
    /// Bytes that make no sense.
    Malformed(DecodeError),
    /// What this client may not send.
    Protocol(&'static str),
    /// The handshake was refused.
    Refused(&'static str),
    /// A fault of this program.
    Panicked,
}

impl Why {
    /// The name under which it is counted.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Left => "left",
            Self::Broken => "broken",
            Self::Kicked => "kicked",
            Self::Replaced => "replaced",
            Self::Shutdown => "shutdown",
            Self::Slow => "slow",
            Self::Silent => "silent",
            Self::Late => "late",
            Self::Crowded => "crowded",
            Self::Garbage => "garbage",
            Self::Tls => "tls",
            Self::Http => "http",
            Self::Page => "page",
            Self::NoUpgrade => "no-upgrade",
            Self::WebSocket => "websocket",
            Self::WebSocketTooLong => "websocket-too-long",
            Self::Text => "text",
            Self::Partial => "partial",
            Self::Malformed(error) => error.name(),
            Self::Protocol(name) | Self::Refused(name) => name,
            Self::Panicked => "panicked",
        }
    }

    /// Whether there is nobody to tell it any more, or nobody who would listen.
    pub(super) const fn is_abrupt(self) -> bool {
        matches!(
            self,
            Self::Left
                | Self::Broken
                | Self::Slow
                | Self::Silent
                | Self::Late
                | Self::Crowded
                | Self::Garbage
                | Self::Tls
                | Self::Panicked
        )
    }

    /// What a WebSocket is told at its end, by RFC 6455, section 7.4.1.
    pub(super) fn close_frame(self) -> CloseFrame {
        let code = match self {
            Self::Kicked | Self::Replaced | Self::Left | Self::Refused(_) => 1000,
            Self::Shutdown => 1001,
            Self::Text => 1003,
            Self::WebSocketTooLong | Self::Malformed(DecodeError::PackageTooLong { .. }) => 1009,
            Self::WebSocket => 1002,
            _ => 1008,
        };
        let reason = match self.name() {
            name if name.len() <= 123 => Cow::Borrowed(name),
            _ => Cow::Borrowed(""),
        };
        CloseFrame { code: u16::into(code), reason: reason.into_owned().into() }
    }
}
