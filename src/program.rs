//! The program: one binary that is the command line, the master and every server.

use crate::app::App;
use crate::config::{load_master, secret};
use crate::context::{Context, absolute};
use crate::election::Part;
use crate::link::Secret;
#[cfg(not(feature = "cli"))]
use crate::master::{Own, Plan, Role, logger};
use crate::member::{self, Ended, Launch};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use tangelo_core::{Error, Result};

/// Runs the program: what its command line says, with what `configure` makes of each process.
///
/// Without the feature `cli` there is no command line: the program starts the cluster of the
/// environment `TANGELO_ENV` (`development` by default) and stays until SIGINT or SIGTERM.
///
/// Call it first thing in `main`. In a server process it does not return: the process ends when
/// the server has stopped.
///
/// ```no_run
/// fn main() -> std::process::ExitCode {
///     tangelo::run(|app| {
///         app.configure_for("production|development", "connector", |app| {
///             app.before_stop(|app| async move { println!("{} says goodbye", app.id()) });
///         });
///     })
/// }
/// ```
pub fn run(configure: impl FnOnce(&App)) -> ExitCode {
    Program::new().run(configure)
}

/// A program with defaults of its own.
#[derive(Debug, Clone)]
pub struct Program {
    dir: PathBuf,
}

impl Default for Program {
    fn default() -> Self {
        Self::new()
    }
}

impl Program {
    /// A program whose `config/` is in the current directory, unless `--dir` says otherwise.
    #[must_use]
    pub fn new() -> Self {
        Self { dir: PathBuf::from(".") }
    }

    /// The directory to use when `--dir` is not given.
    #[must_use]
    pub fn dir(mut self, dir: impl Into<PathBuf>) -> Self {
        self.dir = dir.into();
        self
    }

    /// Runs it; see [`run`].
    pub fn run(self, configure: impl FnOnce(&App)) -> ExitCode {
        #[cfg(feature = "cli")]
        return crate::cli::run(&self.dir, configure);
        #[cfg(not(feature = "cli"))]
        {
            #[cfg(feature = "coordinator-zookeeper")]
            if std::env::args().nth(1).as_deref() == Some(crate::election::GUARD) {
                return ended(crate::election::guard());
            }
            if std::env::args().nth(1).as_deref() == Some(crate::remote::AGENT) {
                let env = ordered("--env").unwrap_or_else(environment);
                return ended(crate::remote::agent::run(&self.ordered_dir(), &env, configure));
            }
            // Without a command line a process is what it was launched for, or else it starts the cluster.
            if Launch::is_ordered() {
                exit(
                    Launch::from_environment()
                        .and_then(|launch| serve(&self.ordered_dir(), launch, configure)),
                );
            }
            let env = environment();
            let started = Context::of_master(&self.dir, &env, configure).and_then(|context| {
                crate::channel::check(&context.app)?;
                Plan::new(context, &env, &Own::default())?.run(Role::START, logger())
            });
            ended(started.map(drop))
        }
    }

    /// The directory that a master has said to an agent or server, which on another host may differ.
    #[cfg(not(feature = "cli"))]
    fn ordered_dir(&self) -> PathBuf {
        ordered("--dir").map_or_else(|| self.dir.clone(), PathBuf::from)
    }
}

/// What a master has said to an agent or server behind `flag`.
#[cfg(not(feature = "cli"))]
fn ordered(flag: &str) -> Option<String> {
    std::env::args().take_while(|arg| arg != "--").skip_while(|arg| arg != flag).nth(1)
}

/// The environment to start, without a command line.
#[cfg(not(feature = "cli"))]
fn environment() -> String {
    std::env::var("TANGELO_ENV").unwrap_or_else(|_| "development".into())
}

#[cfg(not(feature = "cli"))]
fn ended(result: Result<()>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// This program's own file, to start more processes of it: also after it was replaced by a newer one.
///
/// # Errors
/// If the system does not tell it.
pub(crate) fn own_file() -> Result<String> {
    let path = std::env::current_exe().map_err(|e| Error::io("find this program's own file", e))?;
    let path = path.to_string_lossy();
    // What proc(5) says of /proc/pid/exe when the file was removed or, as here, replaced.
    Ok(path.strip_suffix(" (deleted)").filter(|_| !Path::new(&*path).exists()).unwrap_or(&path).to_owned())
}

/// Runs the server that a master has launched this process for.
pub(crate) fn serve(dir: &Path, launch: Launch, configure: impl FnOnce(&App)) -> Result<Ended> {
    let dir = absolute(dir)?;
    let context = Context::of(dir, &launch.env, launch.def.clone(), launch.incarnation, configure)?;
    let config = load_master(&context.dir, &launch.env)?;
    let secret = Secret::from_text(secret::find(&context.dir, &config)?.expose())?;
    let timing = launch.timing();
    context.block_on(async {
        let coordinator = context.election.coordinator(&context.runtime, Part::Observer, timing.lease)?;
        member::run(context.app.clone(), launch, secret, coordinator).await
    })
}

/// Ends a server process: nothing of the user's that hangs may keep it.
pub(crate) fn exit(ended: Result<Ended>) -> ! {
    let code = match ended {
        Ok(Ended::Stopped) => 0,
        Ok(Ended::Failed) => 1,
        Ok(Ended::Refused) => 3,
        Err(error) => {
            tracing::error!(%error, "the server cannot run");
            1
        }
    };
    std::process::exit(code)
}
