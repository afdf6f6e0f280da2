//! The suite that every channel manager passes, with real files, on both runtimes.

use custom_channel_manager::FileChannelManager;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tangelo::core::BoxFuture;
use tangelo::core::channel::{ChannelManager, Frontend, ManagerContext};
use tangelo::core::config::{GlobalChannelConfig, Incarnation};
use tangelo::core::runtime::Runtime;
use tangelo_core::conformance::channel_manager::{Outage, Suite};
use tangelo_runtime_smol::SmolRuntime;
use tangelo_runtime_tokio::TokioRuntime;

// Every change waits for the disk, and the disk for whoever else is busy.
const TIMEOUT: Duration = Duration::from_secs(30);

fn manager(runtime: &Arc<dyn Runtime>, dir: &Path, timeout: Duration) -> FileChannelManager {
    let config = GlobalChannelConfig { timeout, ..Default::default() };
    FileChannelManager::new(&ManagerContext::new(runtime.clone(), config, dir, "test")).unwrap()
}

/// The directory is moved away, and something else is in its place.
struct Unmounted<'a>(&'a Path);

impl Outage for Unmounted<'_> {
    fn down(&self) -> BoxFuture<'_, ()> {
        Box::pin(async {
            fs::rename(self.0.join("run"), self.0.join("away")).unwrap();
            fs::write(self.0.join("run"), "no directory").unwrap();
        })
    }

    fn up(&self) -> BoxFuture<'_, ()> {
        Box::pin(async {
            fs::remove_file(self.0.join("run")).unwrap();
            fs::rename(self.0.join("away"), self.0.join("run")).unwrap();
        })
    }
}

fn conforms(runtime: Arc<dyn Runtime>) {
    let (dir, next_door) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let connect = |dir: &Path| -> BoxFuture<'static, Arc<dyn ChannelManager>> {
        let manager = manager(&runtime, dir, TIMEOUT);
        Box::pin(async move { Arc::new(manager) as _ })
    };
    let (here, there) = (|| connect(dir.path()), || connect(next_door.path()));
    let unmounted = Unmounted(dir.path());
    let suite = Suite::new(runtime.clone(), &here).neighbour(&there).outage(&unmounted, TIMEOUT);
    let suite = suite.patience(TIMEOUT * 10);
    runtime.block_on(Box::pin(suite.test_all()));
}

#[test]
fn conforms_on_tokio() {
    conforms(Arc::new(TokioRuntime::new().unwrap()));
}

#[test]
fn conforms_on_smol() {
    conforms(Arc::new(SmolRuntime::new().unwrap()));
}

fn frontend() -> Frontend {
    Frontend { sid: "connector-1".into(), incarnation: Incarnation(1) }
}

#[test]
fn what_is_half_written_does_not_count_and_what_is_damaged_is_an_error() {
    let runtime: Arc<dyn Runtime> = Arc::new(TokioRuntime::new().unwrap());
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("run/channels.bin");
    let manager = manager(&runtime, dir.path(), TIMEOUT);
    runtime.block_on(Box::pin(async {
        manager.add("room", &frontend(), "anna").await.unwrap();
        // Its writer died before the rename.
        let whole = fs::read(&file).unwrap();
        fs::write(dir.path().join("run/channels.new"), &whole[..whole.len() / 2]).unwrap();
        manager.add("room", &frontend(), "ben").await.unwrap();
        assert_eq!(manager.members_by_server("room", "connector-1").await.unwrap(), ["anna", "ben"]);

        fs::write(&file, &whole[..whole.len() / 2]).unwrap();
        let error = manager.add("room", &frontend(), "cleo").await.unwrap_err();
        assert!(error.to_string().contains("cannot use"), "{error}");
        assert_eq!(fs::read(&file).unwrap(), whole[..whole.len() / 2], "it has been written over");
    }));
}

/// Whoever was frozen with the lock keeps the others waiting, no longer than their timeout, and what they gave up is not
/// done behind their backs.
#[test]
fn a_lock_that_is_never_let_go_is_an_error() {
    let runtime: Arc<dyn Runtime> = Arc::new(TokioRuntime::new().unwrap());
    let dir = tempfile::tempdir().unwrap();
    let manager = manager(&runtime, dir.path(), Duration::from_millis(300));
    runtime.block_on(Box::pin(async {
        manager.start().await.unwrap();
        let lock = fs::File::options().write(true).open(dir.path().join("run/channels.lock")).unwrap();
        lock.lock().unwrap();
        assert!(manager.add("room", &frontend(), "anna").await.unwrap_err().is_temporary());
        assert!(manager.count("room").await.unwrap_err().is_temporary());
        lock.unlock().unwrap();
        while manager.add("room", &frontend(), "ben").await.is_err() {}
        assert_eq!(manager.members_by_server("room", "connector-1").await.unwrap(), ["ben"]);
    }));
}
