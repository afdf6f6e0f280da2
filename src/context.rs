//! What every command and process of an application stands on.

use crate::app::{App, Place};
use crate::config::load_master;
use crate::election::{self, Election};
use crate::parts;
use alloc::boxed::Box;
use alloc::sync::Arc;
use std::path::{Path, PathBuf};
use tangelo_core::config::{Incarnation, ServerDef};
use tangelo_core::runtime::Runtime;
use tangelo_core::{Error, Result};

/// The runtime, the directory, how the leader is elected, and the application.
pub(crate) struct Context {
    pub(crate) runtime: Arc<dyn Runtime>,
    pub(crate) dir: PathBuf,
    pub(crate) election: Box<dyn Election>,
    /// As `configure` has made it.
    pub(crate) app: App,
}

impl Context {
    /// For a master and for whoever asks one: `configure` is told that this is a master.
    ///
    /// # Errors
    /// For a wrong setting; whatever the system says.
    pub(crate) fn of_master(dir: &Path, env: &str, configure: impl FnOnce(&App)) -> Result<Self> {
        Self::with(master_application(&absolute(dir)?, env, configure)?)
    }

    /// For the process that `def` describes, with its application.
    ///
    /// # Errors
    /// As [`of_master`](Self::of_master).
    pub(crate) fn of(
        dir: PathBuf,
        env: &str,
        def: ServerDef,
        incarnation: Incarnation,
        configure: impl FnOnce(&App),
    ) -> Result<Self> {
        Self::with(application(Place { dir, env: env.into(), def, incarnation }, configure)?)
    }

    fn with(app: App) -> Result<Self> {
        let election = election::configured(&app)?;
        Ok(Self { runtime: Arc::clone(app.runtime()), dir: app.dir().into(), election, app })
    }

    /// Runs a task to its end.
    pub(crate) fn block_on<T: Send>(&self, task: impl Future<Output = T> + Send) -> T {
        let mut output = None;
        self.runtime.block_on(Box::pin(async { output = Some(task.await) }));
        output.expect("block_on runs its future to its end")
    }
}

/// The application of a master, or of whoever acts for one.
///
/// # Errors
/// If there is no runtime to be had.
pub(crate) fn master_application(dir: &Path, env: &str, configure: impl FnOnce(&App)) -> Result<App> {
    // What is wrong with master.json is told by whoever needs more of it.
    let (id, host) = load_master(dir, env).map_or_else(
        |_| ("master".into(), "127.0.0.1".into()),
        |config| (config.master.id, config.master.host),
    );
    let def = ServerDef::new(id, "master", host);
    application(
        Place { dir: dir.into(), env: env.into(), def, incarnation: Incarnation::default() },
        configure,
    )
}

fn application(place: Place, configure: impl FnOnce(&App)) -> Result<App> {
    let app = App::new(place, parts::runtime()?);
    configure(&app);
    Ok(app)
}

/// The application's directory, wherever a process of it goes.
pub(crate) fn absolute(dir: &Path) -> Result<PathBuf> {
    std::path::absolute(dir)
        .map_err(|error| Error::io(format_args!("find the directory {}", dir.display()), error))
}
