//! A supervisor of one's own: every process is launched through a command, which becomes the process.
//!
//! Such commands are `prlimit` (what a process may use at most), `nice`, `ionice`, `chrt`, `numactl`, `setpriv`. They
//! make their change and then exec, so the process keeps the pid, the session and the CPUs that it was launched with.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tangelo::core::local::LocalSupervisor;
use tangelo::core::process::{Exit, LaunchSpec, ProcessRef, Signal};
use tangelo::core::runtime::Runtime;
use tangelo::core::{Affinity, Supervisor};
use tangelo::{Error, ErrorKind, Result, SupervisorContext, async_trait};

/// Launches through a command. All else is done as Tangelo does it.
#[derive(Debug)]
pub struct ThroughCommand {
    local: LocalSupervisor,
    command: PathBuf,
    args: Vec<String>,
}

impl ThroughCommand {
    /// A supervisor for an application. `command` is a program, looked for in `PATH`, and its arguments.
    ///
    /// Masters in the background are launched through it too, and launch servers through it again: it should
    /// mean the same twice.
    pub fn new(context: &SupervisorContext, command: &[&str]) -> Result<Self> {
        Self::on(context.runtime.clone(), context.affinity.clone(), command)
    }

    /// The same on a runtime and an affinity.
    pub fn on(runtime: Arc<dyn Runtime>, affinity: Arc<dyn Affinity>, command: &[&str]) -> Result<Self> {
        let Some((&program, args)) = command.split_first() else {
            return Err(Error::new(ErrorKind::Invalid, "no command to launch servers through"));
        };
        let paths = std::env::var_os("PATH").unwrap_or_default();
        let mut places = std::env::split_paths(&paths).map(|dir| dir.join(program));
        let command = places.find(|place| runnable(place).is_ok()).ok_or_else(|| {
            let message = format!("there is no {program} in PATH to launch servers through: install it");
            Error::new(ErrorKind::NotFound, message)
        })?;
        let args = args.iter().map(|&arg| arg.into()).collect();
        Ok(Self { local: LocalSupervisor::new(runtime, affinity), command, args })
    }
}

/// The command would start all the same, and find out too late for an error.
fn runnable(program: &Path) -> Result<()> {
    let failed = |error| Error::io(format_args!("start {}", program.display()), error);
    let file = fs::metadata(program).map_err(failed)?;
    if file.is_file() && file.permissions().mode() & 0o111 != 0 {
        return Ok(());
    }
    Err(Error::new(ErrorKind::Denied, format!("cannot start {}: it is no program", program.display())))
}

#[async_trait]
impl Supervisor for ThroughCommand {
    async fn launch(&self, mut spec: LaunchSpec) -> Result<ProcessRef> {
        runnable(Path::new(&spec.program))?;
        let program = std::mem::replace(&mut spec.program, self.command.to_string_lossy().into_owned());
        let own = self.args.iter().cloned().chain([program]);
        spec.args.splice(..0, own);
        self.local.launch(spec).await
    }

    async fn adopt(&self, process: &ProcessRef) -> Result<()> {
        self.local.adopt(process).await
    }

    async fn signal(&self, process: &ProcessRef, signal: Signal) -> Result<()> {
        self.local.signal(process, signal).await
    }

    async fn wait(&self, process: &ProcessRef) -> Result<Exit> {
        self.local.wait(process).await
    }
}
