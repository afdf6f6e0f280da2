//! The conformance suites of the core, on tokio.
#![allow(missing_docs, clippy::std_instead_of_alloc, reason = "tests, made by a macro for any crate")]

tangelo_core::runtime_conformance!(
    tangelo_runtime_tokio::TokioRuntime,
    tangelo_runtime_tokio::supervisor,
    tangelo_affinity::LinuxAffinity::new()
);
