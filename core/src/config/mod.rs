//! The cluster's configuration, in Pomelo's own files: `master.json` and `servers.json`.

mod names;
mod server;
mod server_fields;
mod timing;
mod value;

pub use names::{MAX_NAME, check_name, is_loopback};
pub use server::{Incarnation, ServerDef};
pub use timing::Timing;
