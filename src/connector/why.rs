//! Why connections close.

use tangelo_core::client::DecodeError;
use tangelo_core::client::connection::CloseReason;
use tungstenite::protocol::CloseFrame;

/// Why a connection closed; each has a name under which it is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Why {
    /// What may happen on any transport.
    Is(CloseReason),
    /// The client has closed its WebSocket, as it should.
    Goodbye,
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
    /// A WebSocket message that ends within a package.
    Partial,
    /// A fault of this program.
    Panicked,
}

impl Why {
    pub(super) const LEFT: Self = Self::Is(CloseReason::ByClient);
    pub(super) const LOST: Self = Self::Is(CloseReason::Lost);
    pub(super) const SLOW: Self = Self::Is(CloseReason::Slow);
    pub(super) const KICKED: Self = Self::Is(CloseReason::Kicked);
    pub(super) const REPLACED: Self = Self::Is(CloseReason::Replaced);
    pub(super) const STOPPING: Self = Self::Is(CloseReason::Stopping);

    /// The name under which it is counted.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Is(reason) => reason.name(),
            Self::Goodbye => CloseReason::ByClient.name(),
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
            Self::Panicked => "panicked",
        }
    }

    /// Whether there is nobody left to tell, or nobody who would listen.
    pub(super) const fn is_abrupt(self) -> bool {
        match self {
            Self::Is(reason) => matches!(
                reason,
                CloseReason::ByClient
                    | CloseReason::Lost
                    | CloseReason::Slow
                    | CloseReason::HeartbeatTimeout
                    | CloseReason::HandshakeTimeout
            ),
            Self::Crowded | Self::Garbage | Self::Tls | Self::Panicked => true,
            _ => false,
        }
    }

    /// What a WebSocket is told at its end, by RFC 6455, section 7.4.1.
    pub(super) fn close_frame(self) -> CloseFrame {
        let code: u16 = match self {
            Self::Goodbye
            | Self::Is(CloseReason::Kicked | CloseReason::Replaced | CloseReason::Refused(_)) => 1000,
            Self::Is(CloseReason::Stopping) => 1001,
            Self::WebSocket => 1002,
            Self::Text => 1003,
            Self::WebSocketTooLong | Self::Is(CloseReason::Malformed(DecodeError::PackageTooLong { .. })) => {
                1009
            }
            _ => 1008,
        };
        CloseFrame { code: code.into(), reason: self.name().into() }
    }
}

impl From<DecodeError> for Why {
    fn from(error: DecodeError) -> Self {
        Self::Is(CloseReason::Malformed(error))
    }
}
