//! Real masters and guards, killed and frozen, on a real ZooKeeper.

mod deaths;
mod parts;
mod processes;
mod secrets;
mod supervision;
mod world;
