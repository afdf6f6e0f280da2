//! The cluster's configuration, in Pomelo's own files: `master.json` and `servers.json`.

mod server;
mod timing;

pub use server::{Incarnation, ServerDef};
pub use timing::Timing;
