//! The conformance suites of the core, on smol.
#![allow(missing_docs, clippy::std_instead_of_alloc, reason = "tests, made by a macro for any crate")]

tangelo_core::runtime_conformance!(
    tangelo_runtime_smol::SmolRuntime,
    tangelo_runtime_smol::supervisor,
    tangelo_affinity::LinuxAffinity::new()
);
