//! Public conformance suites: whoever writes a part of their own runs the tests that ours pass.
//!
//! Each suite has a `test_all` that takes the part under test, and its cases are functions of
//! their own. A case panics with what was expected and what came instead; before that, its name
//! goes to stderr. Everything in them is real: processes, signals, sockets and files; they may
//! run beside other tests.
//!
//! ```no_run
//! # use std::sync::Arc;
//! # use tangelo_core::runtime::Runtime;
//! # fn my_runtime_conforms(my_runtime: Arc<dyn Runtime>) {
//! use tangelo_core::conformance;
//!
//! my_runtime.block_on(Box::pin(conformance::runtime::test_all(my_runtime.clone())));
//! # }
//! ```

pub mod affinity;
pub mod channel_manager;
pub mod coordinator;
pub mod runtime;
mod suite;
#[cfg(target_os = "linux")]
pub mod supervisor;
mod tools;
