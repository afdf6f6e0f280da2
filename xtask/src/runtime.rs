//! The runtimes that programs are built with.

use clap::ValueEnum;

/// What Tangelo runs on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Runtime {
    Tokio,
    Smol,
}

impl Runtime {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Tokio => "tokio",
            Self::Smol => "smol",
        }
    }
}
