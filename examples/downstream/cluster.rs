//! What the tests of the `custom_*` crates share: a cluster of real processes in a directory of its own, of the crate's
//! own program.

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Output};
use std::time::Duration;
use tangelo::core::Instant;
use tangelo::core::wire::{Listing, MasterRole, MasterRow, ServerState};
use tempfile::TempDir;

/// Far more than anything takes.
const PATIENCE: Duration = Duration::from_secs(60);

pub struct Cluster {
    program: &'static str,
    dir: TempDir,
}

impl Cluster {
    /// Servers as in servers.json, by type, and what master.json says besides.
    pub fn new(program: &'static str, servers: Value, master: Value) -> Self {
        let cluster = Self { program, dir: tempfile::tempdir().expect("a temporary directory") };
        // Nobody else is likely to be given it in the next second, and another port would do for a master too.
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("a bound port").port();
        let mut def = json!({"id": "master", "host": "127.0.0.1", "port": port});
        def.as_object_mut().unwrap().extend(master.as_object().expect("an object").clone());
        cluster.write("config/master.json", &json!({"development": def}).to_string());
        cluster.write("config/servers.json", &json!({"development": servers}).to_string());
        cluster
    }

    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    pub fn write(&self, path: &str, text: &str) {
        let path = self.dir().join(path);
        fs::create_dir_all(path.parent().unwrap()).expect("a directory");
        fs::write(path, text).expect("a file");
    }

    /// Runs a command to its end.
    pub fn cli(&self, args: &[&str]) -> Output {
        let mut command = Command::new(self.program);
        command.args(args).arg("--dir").arg(self.dir());
        for variable in ["TANGELO_SECRET", "TANGELO_ENV", "TANGELO_LAUNCH", "RUST_LOG"] {
            command.env_remove(variable);
        }
        command.output().expect("the program")
    }

    /// The same, if it is to succeed.
    #[track_caller]
    pub fn ok(&self, args: &[&str]) -> String {
        let output = self.cli(args);
        assert!(output.status.success(), "{args:?}: {output:?}\n{}", self.logs());
        String::from_utf8(output.stdout).expect("text")
    }

    /// What masters and servers have said.
    fn logs(&self) -> String {
        let logs = fs::read_dir(self.dir().join("logs")).into_iter().flatten().flatten();
        let read = |log: fs::DirEntry| {
            format!("--- {:?}\n{}", log.path(), fs::read_to_string(log.path()).unwrap_or_default())
        };
        logs.map(read).collect()
    }

    #[track_caller]
    pub fn list(&self) -> Listing {
        serde_json::from_str(&self.ok(&["list", "--json"])).expect("the list is JSON")
    }

    /// Waits until the list is as it should be.
    #[track_caller]
    pub fn wait_for(&self, what: &str, is_so: impl Fn(&Listing) -> bool) -> Listing {
        let since = Instant::now();
        loop {
            let output = self.cli(&["list", "--json"]);
            // While nobody leads, that is what it says.
            let listing =
                output.status.success().then(|| serde_json::from_slice(&output.stdout).expect("JSON"));
            if let Some(listing) = listing.filter(&is_so) {
                return listing;
            }
            assert!(
                Instant::now().saturating_since(since) < PATIENCE,
                "never saw: {what}; the last: {output:?}\n{}",
                self.logs()
            );
            #[allow(clippy::disallowed_methods, reason = "between two looks, up to a limit")]
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Ends it, and nobody is left.
    #[track_caller]
    pub fn stop(&self) {
        assert_eq!(self.ok(&["stop"]), "the cluster is stopped\n");
        assert_eq!(self.processes(), [0; 0], "processes are left");
    }

    /// Its masters and servers: whoever has its directory among the arguments.
    fn processes(&self) -> Vec<i32> {
        let dir = self.dir().to_str().expect("a name in UTF-8");
        let all = fs::read_dir("/proc").expect("/proc").flatten();
        all.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
            .filter(|pid| {
                let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
                line.split(|byte| *byte == 0).any(|arg| arg == dir.as_bytes())
            })
            .collect()
    }
}

/// Of a test that fails nobody is left either.
impl Drop for Cluster {
    fn drop(&mut self) {
        // What a master starts while it is killed is found the next time.
        for pid in (0..10).flat_map(|_| self.processes()) {
            signal(pid.unsigned_abs(), Signal::KILL);
        }
    }
}

/// To somebody who may have gone.
pub fn signal(pid: u32, signal: Signal) {
    if let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) {
        let _ = kill_process(pid, signal);
    }
}

pub fn leader(listing: &Listing) -> &MasterRow {
    listing.masters.iter().find(|master| master.role == MasterRole::Leader).expect("a leader")
}

/// Each server's process.
pub fn pids(listing: &Listing) -> Vec<u32> {
    let running = listing.servers.iter().filter(|server| server.state == ServerState::Up);
    running.filter_map(|server| server.pid).collect()
}
