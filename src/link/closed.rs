//! Why a link is closed.

use core::fmt;
use core::time::Duration;

/// Why a link is closed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Closed {
    /// No sign of life for this long: the peer is frozen, or the network is cut.
    Silent(Duration),
    /// The peer closed the link, or the connection broke: what is known of why.
    Ended(String),
    /// This process closed it: why.
    Local(String),
    /// The peer broke the protocol: how.
    Protocol(String),
}

impl fmt::Display for Closed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Silent(patience) => write!(f, "no sign of life for {patience:?}"),
            Self::Ended(why) => f.write_str(why),
            Self::Local(why) => write!(f, "closed here: {why}"),
            Self::Protocol(how) => write!(f, "the peer broke the protocol: {how}"),
        }
    }
}

impl core::error::Error for Closed {}
