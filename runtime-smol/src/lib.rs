//! Tangelo on smol.
