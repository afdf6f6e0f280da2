//! What benchmarks of both runtimes are asked alike.

use crate::runtime::Runtime;
use std::path::PathBuf;

/// Options of a benchmark besides its own.
#[derive(Debug, clap::Args)]
pub(crate) struct Common {
    /// Few rounds: to see that it works, not for figures
    #[arg(long)]
    pub(crate) quick: bool,
    /// Only Tangelo on this runtime
    #[arg(long, value_enum)]
    pub(crate) runtime: Option<Runtime>,
    /// Measure the programs that were built last
    #[arg(long)]
    pub(crate) built: bool,
    /// Write all figures there, as JSON
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
}

impl Common {
    /// Those that are measured.
    pub(crate) fn runtimes(&self) -> Vec<Runtime> {
        self.runtime.map_or_else(|| vec![Runtime::Tokio, Runtime::Smol], |one| vec![one])
    }

    /// The command line of the benchmark `bench`, as a report names it.
    pub(crate) fn shown(&self, bench: &str) -> String {
        let mut shown = format!("cargo xtask bench {bench}");
        if self.quick {
            shown += " --quick";
        }
        if let Some(runtime) = self.runtime {
            shown = format!("{shown} --runtime {}", runtime.name());
        }
        shown
    }
}
