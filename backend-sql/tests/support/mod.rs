//! What the tests share.
#![allow(dead_code, unused_imports, unused_macros, reason = "each test program uses a part of it")]

use alloc::sync::Arc;
use std::path::PathBuf;
use tangelo_core::channel::Frontend;
use tangelo_core::config::Incarnation;
use tangelo_core::runtime::Runtime;
use tangelo_core::{BoxFuture, ChannelManager};
use tangelo_runtime_smol::SmolRuntime;
use tangelo_runtime_tokio::TokioRuntime;
use tangelo_services::sql::{Flavor, Server};
use tangelo_sql::{SqlChannelManager, SqlConfig};
use tempfile::TempDir;

/// Makes two tests of each function that takes a runtime: one on tokio, one on smol.
macro_rules! on_both {
    ($($test:ident)*) => {
        mod on_tokio {
            $(#[test]
            fn $test() {
                crate::support::run(crate::support::tokio(), super::$test);
            })*
        }
        mod on_smol {
            $(#[test]
            fn $test() {
                crate::support::run(crate::support::smol(), super::$test);
            })*
        }
    };
}
pub(crate) use on_both;

pub(crate) fn tokio() -> Arc<dyn Runtime> {
    Arc::new(TokioRuntime::new().expect("a runtime"))
}

pub(crate) fn smol() -> Arc<dyn Runtime> {
    Arc::new(SmolRuntime::new().expect("a runtime"))
}

pub(crate) fn run<F: Future<Output = ()> + Send>(
    runtime: Arc<dyn Runtime>,
    test: impl FnOnce(Arc<dyn Runtime>) -> F,
) {
    let test = test(Arc::clone(&runtime));
    runtime.block_on(Box::pin(test));
}

/// As the user that every server has.
pub(crate) fn config<F: Flavor>(server: &Server<F>) -> SqlConfig {
    SqlConfig::from_url(&server.url()).expect("a URL")
}

/// A file in a directory of its own, which goes when this does.
pub(crate) struct File {
    pub(crate) path: PathBuf,
    _dir: TempDir,
}

impl File {
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        Self { path: dir.path().join("run/channels.db"), _dir: dir }
    }

    pub(crate) fn config(&self) -> SqlConfig {
        SqlConfig::sqlite(&self.path)
    }
}

pub(crate) fn manager(config: &SqlConfig, runtime: &Arc<dyn Runtime>) -> Arc<SqlChannelManager> {
    Arc::new(SqlChannelManager::new(config.clone(), Arc::clone(runtime)).expect("a configuration"))
}

/// A manager that has started.
pub(crate) async fn started(config: &SqlConfig, runtime: &Arc<dyn Runtime>) -> Arc<SqlChannelManager> {
    let manager = manager(config, runtime);
    manager.start().await.expect("start");
    manager
}

/// What the conformance suite makes managers with.
pub(crate) fn connect(
    config: SqlConfig,
    runtime: &Arc<dyn Runtime>,
) -> impl Fn() -> BoxFuture<'static, Arc<dyn ChannelManager>> + Send + Sync + use<> {
    let runtime = Arc::clone(runtime);
    move || {
        let manager: Arc<dyn ChannelManager> = manager(&config, &runtime);
        Box::pin(async move { manager })
    }
}

pub(crate) fn frontend(sid: &str, incarnation: u64) -> Frontend {
    Frontend { sid: sid.to_owned(), incarnation: Incarnation(incarnation) }
}

pub(crate) fn users(range: core::ops::Range<usize>) -> Vec<String> {
    range.map(|n| format!("user-{n}")).collect()
}

/// Statements on an SQLite file, beside any manager.
pub(crate) async fn sqlite(path: &std::path::Path, statements: &'static str) {
    use sqlx::{ConnectOptions as _, Connection as _};
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(path);
    let mut connection = options.connect().await.expect("a connection");
    sqlx::raw_sql(statements).execute(&mut connection).await.expect("statements");
    connection.close().await.expect("close");
}
