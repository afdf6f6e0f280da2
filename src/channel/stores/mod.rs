//! The managers that come with this build, made of what globalChannel.json says.

#[cfg(feature = "channel-redis")]
pub(super) mod redis;
