//! Channels whose members sit at any frontend.

#[cfg(feature = "std")]
mod custom;
mod manager;
mod members;
mod names;
mod push;

#[cfg(feature = "std")]
pub use custom::{CustomManager, ManagerContext};
pub use manager::{Capability, ChannelManager, MAX_PAGE};
pub use members::Members;
pub use names::{MAX_INCARNATION, MAX_NAME, check_change, check_frontend, check_name};
pub use push::{
    PushError, PushFailure, PushInput, PushLookUp, PushMessage, PushOptions, PushPlan, PushRefusal,
    PushReply, PushReport, PushRequest, PushSink, PushTarget,
};

use crate::config::Incarnation;
use alloc::string::String;
use serde::{Deserialize, Serialize};

/// One life of a frontend server. Members belong to it, and go when it does.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Frontend {
    /// The frontend's server id.
    pub sid: String,
    /// Which of its lives, at most [`MAX_INCARNATION`].
    pub incarnation: Incarnation,
}

/// A user in a channel, at a frontend.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ChannelMember {
    /// The user.
    pub uid: String,
    /// The server id of the frontend that the user is connected to.
    pub sid: String,
}
