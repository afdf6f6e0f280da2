//! The suite that every channel manager passes, with real files, on both runtimes.

use custom_channel_manager::FileChannelManager;
use std::fs;
use std::os::unix::fs::symlink;
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

/// `run` is a link to a directory, and at times to none: one step each way, so that nobody sees anything between.
struct Disk<'a>(&'a Path);

impl<'a> Disk<'a> {
    fn mounted_at(dir: &'a Path) -> Self {
        fs::create_dir(dir.join("disk")).unwrap();
        Self(dir).points_to("disk")
    }

    fn points_to(self, target: &str) -> Self {
        let (link, new) = (self.0.join("run"), self.0.join("run.new"));
        symlink(target, &new).unwrap();
        fs::rename(new, link).unwrap();
        self
    }
}

impl Outage for Disk<'_> {
    fn down(&self) -> BoxFuture<'_, ()> {
        Box::pin(async { _ = Disk(self.0).points_to("nowhere") })
    }

    fn up(&self) -> BoxFuture<'_, ()> {
        Box::pin(async { _ = Disk(self.0).points_to("disk") })
    }
}

fn conforms(runtime: Arc<dyn Runtime>) {
    let (dir, next_door) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let connect = |dir: &Path| -> BoxFuture<'static, Arc<dyn ChannelManager>> {
        let manager = manager(&runtime, dir, TIMEOUT);
        Box::pin(async move { Arc::new(manager) as _ })
    };
    let (here, there) = (|| connect(dir.path()), || connect(next_door.path()));
    let disk = Disk::mounted_at(dir.path());
    let suite = Suite::new(runtime.clone(), &here).neighbour(&there).outage(&disk, TIMEOUT);
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

        for damaged in [&whole[..whole.len() / 2], b""] {
            fs::write(&file, damaged).unwrap();
            for _ in 0..2 {
                let error = manager.add("room", &frontend(), "cleo").await.unwrap_err();
                assert!(error.to_string().contains("cannot use"), "{error}");
            }
            assert_eq!(fs::read(&file).unwrap(), damaged, "it has been written over");
        }
        fs::write(&file, &whole).unwrap();
        assert_eq!(manager.members_by_server("room", "connector-1").await.unwrap(), ["anna"]);
    }));
}

#[test]
fn what_could_not_be_written_is_not_remembered() {
    let runtime: Arc<dyn Runtime> = Arc::new(TokioRuntime::new().unwrap());
    let dir = tempfile::tempdir().unwrap();
    let manager = manager(&runtime, dir.path(), TIMEOUT);
    runtime.block_on(Box::pin(async {
        manager.add("room", &frontend(), "anna").await.unwrap();
        let in_the_way = dir.path().join("run/channels.new");
        fs::create_dir(&in_the_way).unwrap();
        assert!(manager.add("room", &frontend(), "ben").await.unwrap_err().is_temporary());
        fs::remove_dir(&in_the_way).unwrap();
        assert_eq!(manager.members_by_server("room", "connector-1").await.unwrap(), ["anna"]);
    }));
}

/// Nobody is told that there is nothing, and nothing new is begun in its place.
#[test]
fn a_file_that_has_gone_is_not_made_anew() {
    let runtime: Arc<dyn Runtime> = Arc::new(TokioRuntime::new().unwrap());
    let dir = tempfile::tempdir().unwrap();
    let manager = manager(&runtime, dir.path(), TIMEOUT);
    runtime.block_on(Box::pin(async {
        manager.add("room", &frontend(), "anna").await.unwrap();
        for part in ["run", "run/channels.bin"] {
            let (there, away) = (dir.path().join(part), dir.path().join("away"));
            fs::rename(&there, &away).unwrap();
            assert!(manager.members_by_server("room", "connector-1").await.unwrap_err().is_temporary());
            assert!(manager.add("room", &frontend(), "ben").await.unwrap_err().is_temporary());
            assert!(!there.exists(), "{part} has been made anew");
            fs::rename(&away, &there).unwrap();
            assert_eq!(manager.members_by_server("room", "connector-1").await.unwrap(), ["anna"]);
        }
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
