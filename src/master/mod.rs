//! What runs in a master process: a standby that follows, and a leader that acts.

mod events;
mod follow;
mod launcher;
mod lead;
mod links;
mod port;
mod process;
mod requests;

pub(crate) use events::{MasterEvent, Observer};
pub(crate) use launcher::log_spec;
pub(crate) use process::{Master, MasterOptions, Outcome};
pub(crate) use requests::{answer, open};
