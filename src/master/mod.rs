//! What runs in a master process: a standby that follows, and a leader that acts.

mod begin;
mod events;
mod follow;
mod handing_over;
mod launcher;
mod lead;
mod links;
mod plan;
mod port;
mod process;
mod purges;
mod requests;
mod template;

#[cfg(feature = "cli")]
pub(crate) use events::MasterEvent;
pub(crate) use events::{Observer, logger};
pub(crate) use launcher::log_spec;
pub(crate) use plan::{Own, Plan, Role};
pub(crate) use process::{Master, MasterOptions, Outcome};
#[cfg(feature = "cli")]
pub(crate) use requests::{answer, open};
