//! Tangelo on tokio.
