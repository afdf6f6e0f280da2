//! Several processes on one database, of which some are killed and some are frozen.

extern crate alloc;

mod support;

use alloc::collections::BTreeSet;
use alloc::sync::Arc;
use core::time::Duration;
use rustix::process::{Pid, Signal, kill_process};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use support::{File, frontend, started};
use tangelo_core::channel::ChannelManager as _;
use tangelo_core::{ErrorKind, Instant};
use tangelo_services::mariadb::MariaDb;
use tangelo_services::postgres::Postgres;
use tangelo_sql::SqlConfig;

const TIMEOUT: Duration = Duration::from_secs(1);
const LIMIT: Duration = Duration::from_secs(60);
const URL: &str = "TANGELO_SQL_WORKER_URL";
const NAME: &str = "TANGELO_SQL_WORKER_NAME";

/// In a process of its own this is what works there; as a test it works on a file of its own, and ends by itself.
#[test]
fn worker() {
    if let (Ok(url), Ok(name)) = (std::env::var(URL), std::env::var(NAME)) {
        let stop = Arc::new(core::sync::atomic::AtomicBool::new(false));
        let stopping = Arc::clone(&stop);
        std::thread::spawn(move || {
            // Until the other end is closed.
            let _ = std::io::stdin().read_to_end(&mut Vec::new());
            stopping.store(true, core::sync::atomic::Ordering::Relaxed);
        });
        work(&url, &name, usize::MAX, &|| stop.load(core::sync::atomic::Ordering::Relaxed));
    } else {
        let file = File::new();
        work(&format!("sqlite:{}", file.path.display()), "alone", 100, &|| false);
    }
}

/// To the process that has started this one, if one has.
fn say(line: &str) {
    if std::env::var_os(NAME).is_some() {
        writeln!(std::io::stdout(), "{line}").expect("a reader");
    }
}

/// Adds one user after the other, and says each time that it is done.
fn work(url: &str, name: &str, most: usize, stop: &(dyn Fn() -> bool + Sync)) {
    let runtime = if name.len().is_multiple_of(2) { support::tokio() } else { support::smol() };
    support::run(runtime, |runtime| async move {
        let config = SqlConfig::from_url(url).expect("a URL").timeout(TIMEOUT);
        let manager = support::manager(&config, &runtime);
        while let Err(error) = manager.start().await {
            assert!(error.is_temporary(), "{error}");
        }
        let front = frontend(name, 1);
        for n in 0..most {
            if stop() {
                break;
            }
            let user = format!("{name}-{n}");
            let begin = Instant::now();
            match manager.add("room", &front, &user).await {
                Ok(()) => say(&format!("+{user}")),
                // Somebody has purged it.
                Err(error) if error.kind() == ErrorKind::StaleIncarnation => break,
                Err(error) => {
                    assert!(error.is_temporary(), "{error}");
                    say(&format!("?{user}"));
                }
            }
            // One that was frozen in between took long, by no fault of its own.
            let took = Instant::now().saturating_since(begin);
            assert!(took < TIMEOUT + Duration::from_secs(10), "{took:?}");
        }
        manager.stop().await.expect("stop");
    });
}

/// A process that adds users; killed when it is dropped.
struct Worker {
    child: Child,
    stdin: Option<ChildStdin>,
    said: Receiver<String>,
    added: BTreeSet<String>,
    tried: BTreeSet<String>,
}

impl Worker {
    fn start(url: &str, name: &str) -> Self {
        let mut command = Command::new(std::env::current_exe().expect("this program"));
        command.args(["--exact", "worker", "--nocapture"]).env(URL, url).env(NAME, name);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("a process");
        let (stdin, stdout) = (child.stdin.take(), child.stdout.take().expect("its output"));
        let (tell, said) = channel();
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                if tell.send(line).is_err() {
                    return;
                }
            }
        });
        Self { child, stdin, said, added: BTreeSet::new(), tried: BTreeSet::new() }
    }

    /// Waits until it has added so many more.
    fn progress(&mut self, more: usize) {
        let (goal, end) = (self.added.len() + more, Instant::now() + LIMIT);
        while self.added.len() < goal {
            let line = self.said.recv_timeout(end.saturating_since(Instant::now()));
            self.note(&line.expect("it goes on adding"));
        }
    }

    fn note(&mut self, line: &str) {
        if let Some(user) = line.strip_prefix('+') {
            self.added.insert(user.to_owned());
        } else if let Some(user) = line.strip_prefix('?') {
            self.tried.insert(user.to_owned());
        }
    }

    fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw).expect("a process");
        kill_process(pid, signal).expect("a signal");
    }

    /// Waits for its end, and reads all that it has said.
    fn end(&mut self) {
        self.stdin = None;
        loop {
            match self.said.recv_timeout(LIMIT) {
                Ok(line) => self.note(&line),
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => panic!("it does not end"),
            }
        }
        self.child.wait().expect("its end");
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Four processes at work: one is killed, one is frozen for a while. Whatever any of them was told is there.
fn nothing_is_lost(url: &str) {
    let mut workers: Vec<_> =
        ["a", "ab", "abc", "abcd"].iter().map(|name| Worker::start(url, name)).collect();
    for worker in &mut workers {
        worker.progress(50);
    }
    workers[0].signal(Signal::KILL);
    workers[0].end();
    for worker in &mut workers[1..] {
        worker.progress(50);
    }
    workers[1].signal(Signal::STOP);
    // The others may have to wait for what it holds, but not for ever where a server can take it away.
    if !url.starts_with("sqlite") {
        for worker in &mut workers[2..] {
            worker.progress(50);
        }
        purge_beside_a_frozen_process(url);
    }
    workers[1].signal(Signal::CONT);
    for worker in &mut workers[2..] {
        worker.progress(50);
    }
    if url.starts_with("sqlite") {
        workers[1].progress(50);
    }
    workers.iter_mut().for_each(Worker::end);
    for (worker, name) in workers.iter().zip(["a", "ab", "abc", "abcd"]) {
        let found = members(url, name);
        if name == "ab" && !url.starts_with("sqlite") {
            assert!(found.is_empty(), "purged, and {} are there", found.len());
            continue;
        }
        assert!(
            worker.added.is_subset(&found),
            "lost by {name}: {:?}",
            worker.added.difference(&found).next()
        );
        // One more than it has told of may be there, if it was killed.
        let unknown =
            found.iter().filter(|user| !worker.added.contains(*user) && !worker.tried.contains(*user));
        assert!(unknown.count() <= 1, "ghosts of {name}");
    }
}

fn members(url: &str, sid: &str) -> BTreeSet<String> {
    let mut found = Vec::new();
    support::run(support::tokio(), |runtime| async {
        let runtime = runtime;
        let manager = started(&SqlConfig::from_url(url).expect("a URL"), &runtime).await;
        found = manager.members_by_server("room", sid).await.expect("members");
        manager.stop().await.expect("stop");
    });
    found.into_iter().collect()
}

/// A frozen process may hold the row of its frontend: the server takes it away, so that the leader can purge it.
fn purge_beside_a_frozen_process(url: &str) {
    support::run(support::smol(), |runtime| async move {
        let config = SqlConfig::from_url(url).expect("a URL").timeout(TIMEOUT * 4);
        let manager = started(&config, &runtime).await;
        manager.purge_server(&frontend("ab", 1)).await.expect("purge");
        assert!(manager.members_by_server("room", "ab").await.expect("members").is_empty());
        manager.stop().await.expect("stop");
    });
}

#[test]
fn on_one_sqlite_file() {
    let file = File::new();
    nothing_is_lost(&format!("sqlite:{}", file.path.display()));
}

#[test]
fn on_postgresql() {
    let server = Postgres::start().expect("PostgreSQL");
    nothing_is_lost(&server.url());
}

#[test]
fn on_mariadb() {
    let server = MariaDb::start().expect("MariaDB");
    nothing_is_lost(&server.url());
}
