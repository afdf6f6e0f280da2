//! Masters in processes of their own, each with its guard, killed at every moment; and how fast the lead passes on.

extern crate alloc;

mod deaths;
mod part;
mod process;
mod speed;
#[path = "../support/mod.rs"]
mod support;
