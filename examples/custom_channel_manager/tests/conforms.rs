//! The suite that every channel manager passes, with real files, on both runtimes.

use custom_channel_manager::FileChannelManager;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tangelo::core::channel::{ChannelManager, Frontend, ManagerContext};
use tangelo::core::config::{GlobalChannelConfig, Incarnation};
use tangelo::core::runtime::Runtime;
use tangelo::core::{BoxFuture, ErrorKind};
use tangelo_core::conformance::channel_manager::{Outage, Suite};
use tangelo_runtime_smol::SmolRuntime;
use tangelo_runtime_tokio::TokioRuntime;

// Every change waits for the disk, and the disk for whoever else is busy.
const TIMEOUT: Duration = Duration::from_secs(30);

fn manager(runtime: &Arc<dyn Runtime>, dir: &Path) -> FileChannelManager {
    let config = GlobalChannelConfig { timeout: TIMEOUT, ..Default::default() };
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
        let manager = manager(&runtime, dir);
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

/// A line whose writer died in the middle does not count, and is in nobody's way.
#[test]
fn a_torn_line_is_dropped_and_a_damaged_one_is_an_error() {
    let runtime: Arc<dyn Runtime> = Arc::new(TokioRuntime::new().unwrap());
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("run/channels.log");
    let front = Frontend { sid: "connector-1".into(), incarnation: Incarnation(1) };
    runtime.block_on(Box::pin(async {
        let one = manager(&runtime, dir.path());
        one.start().await.unwrap();
        one.add("room", &front, "anna").await.unwrap();
        let whole = fs::read_to_string(&file).unwrap();
        fs::write(&file, format!("{whole}{}", &whole[..whole.len() / 2])).unwrap();

        let two = manager(&runtime, dir.path());
        two.add("room", &front, "ben").await.unwrap();
        assert_eq!(one.members_by_server("room", "connector-1").await.unwrap(), ["anna", "ben"]);

        // Every start writes it anew.
        let whole = fs::read_to_string(&file).unwrap();
        assert_eq!(whole.lines().count(), 3, "{whole}");
        fs::write(&file, format!("{whole}nonsense\n")).unwrap();
        for manager in [&one, &manager(&runtime, dir.path())] {
            let error = manager.count("room").await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Invalid);
            assert!(error.to_string().contains(&format!("damaged at byte {}", whole.len())), "{error}");
        }
    }));
}
