//! How a master's guard is started.

use alloc::sync::Arc;
use tangelo_core::runtime::Runtime;
use tangelo_core::{Error, ErrorKind, Result};

/// What starts a guard: a program that calls [`run_guard`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GuardCommand {
    /// The program's path.
    pub program: String,
    /// Its arguments, without the program itself. Nothing secret: what a guard must know reaches it through its stdin.
    pub args: Vec<String>,
}

/// The whole life of a guard process: reads its orders from stdin, and returns when it has nothing left to do.
///
/// # Errors
/// What keeps it from its work.
///
/// # Cancel safety
/// Not cancel safe: call it once, and end the process after it.
pub async fn run_guard(_runtime: Arc<dyn Runtime>) -> Result<()> {
    Err(Error::new(ErrorKind::Unsupported, "this build has no guard yet"))
}
