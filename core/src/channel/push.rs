//! A message to everybody in a channel: what the sender plans, what a frontend does, what is reported.
//!
//! A push is one [`PushRequest`] to each frontend, whatever the channel's size: a frontend knows
//! its own members. What failed is told by frontend and user, with the reason.

mod options;
mod plan;
#[cfg(test)]
mod plan_tests;
mod report;
mod request;
mod sink;

pub use options::PushOptions;
pub use plan::{PushInput, PushLookUp, PushPlan};
pub use report::{PushError, PushFailure, PushReport};
pub use request::{PushRefusal, PushReply, PushRequest, PushTarget};
pub use sink::{PushMessage, PushSink};
