//! How a master's guard is started.

use alloc::string::String;
use alloc::vec::Vec;

/// What starts a guard: a program that calls [`run_guard`](crate::run_guard).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GuardCommand {
    /// The program's path.
    pub program: String,
    /// Its arguments, without the program itself. Nothing secret: what a guard must know reaches it through its stdin.
    pub args: Vec<String>,
}
