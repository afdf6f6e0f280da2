//! A cluster in a directory of its own.

use super::listing::Look;
use super::ports::Ports;
use super::process::{command_line, kill, of_dir, parent_of};
use super::running::{Finished, Running};
use super::wait::{DEADLINE, SELDOM, wait_until, within, within_every};
use crate::app;
use alloc::rc::Rc;
use core::cell::{Cell, RefCell};
use core::fmt::Write;
use serde_json::{Map, Value, json};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use tangelo::core::wire::Listing;
use tempfile::TempDir;

/// A directory with a configuration, and the masters that were started in it.
#[derive(Debug)]
pub(crate) struct Cluster {
    dir: TempDir,
    pub(crate) ports: Ports,
    pub(crate) port: u16,
    masters: RefCell<Vec<Rc<Running>>>,
    commands: Cell<u32>,
}

impl Cluster {
    /// Servers as in servers.json, by type; a missing `host` and `port`, and the `clientPort` of a
    /// frontend, are filled in. `"port": null` stays out.
    pub(crate) fn new(servers: Value) -> Self {
        Self::with(servers, json!({}))
    }

    /// The same with `master` on top of master.json.
    pub(crate) fn with(mut servers: Value, master: Value) -> Self {
        let ports = Ports::claim();
        let port = ports.next();
        let groups = servers.as_object_mut().expect("groups of servers");
        for server in groups.values_mut().flat_map(|group| group.as_array_mut().expect("a list of servers")) {
            fill_in(server.as_object_mut().expect("a server"), &ports);
        }
        let dir = TempDir::with_prefix("tangelo-cluster-").expect("a temporary directory");
        let mut def = json!({"id": "master-1", "host": "127.0.0.1", "port": port});
        def.as_object_mut().expect("an object").extend(master.as_object().cloned().unwrap_or_default());
        let cluster = Self { dir, ports, port, masters: RefCell::default(), commands: Cell::new(0) };
        cluster.write("config/master.json", &json!({"development": def}).to_string());
        cluster.write("config/servers.json", &json!({"development": servers}).to_string());
        #[cfg(feature = "coordinator-zookeeper")]
        if let Some(config) = super::zookeeper::config_here() {
            cluster.write("config/zookeeper.json", &json!({"development": config}).to_string());
        }
        cluster
    }

    pub(crate) fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// Writes a file in the cluster's directory.
    pub(crate) fn write(&self, path: &str, text: &str) {
        let path = self.dir().join(path);
        fs::create_dir_all(path.parent().expect("a path in the directory")).expect("a directory");
        fs::write(&path, text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    }

    /// A file in the cluster's directory; empty if there is none.
    pub(crate) fn read(&self, path: &str) -> String {
        let bytes = fs::read(self.dir().join(path)).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    pub(crate) fn log(&self, id: &str) -> String {
        self.read(&format!("logs/{id}.log"))
    }

    /// What the servers have noted, line by line: `id incarnation what`.
    pub(crate) fn notes(&self) -> Vec<String> {
        self.read(app::NOTES).lines().map(String::from).collect()
    }

    pub(crate) fn has_note(&self, note: &str) -> bool {
        self.notes().iter().any(|line| line == note)
    }

    /// Where a note stands; later ones have higher numbers.
    ///
    /// # Panics
    /// If there is none.
    #[track_caller]
    pub(crate) fn place_of(&self, note: &str) -> usize {
        let notes = self.notes();
        notes.iter().position(|line| line == note).unwrap_or_else(|| panic!("no note `{note}` in {notes:#?}"))
    }

    /// This binary as the cluster's program.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        self.command_of(&std::env::current_exe().expect("this binary has a path"), args)
    }

    /// A copy of this binary as the cluster's program.
    pub(crate) fn command_of(&self, program: &Path, args: &[&str]) -> Command {
        let mut command = Command::new(program);
        command.args(args).arg("--dir").arg(self.dir());
        for variable in ["TANGELO_SECRET", "TANGELO_ENV", "TANGELO_LAUNCH", "TANGELO_DAEMON", "RUST_LOG"] {
            command.env_remove(variable);
        }
        command.env(app::VARIABLE, "1");
        command
    }

    /// Runs a command to its end.
    #[track_caller]
    pub(crate) fn cli(&self, args: &[&str]) -> Finished {
        self.run(self.command(args)).end()
    }

    /// Starts a command.
    pub(crate) fn run(&self, command: Command) -> Running {
        self.run_as("command", command)
    }

    fn run_as(&self, name: &str, command: Command) -> Running {
        let number = self.commands.replace(self.commands.get() + 1);
        Running::spawn(command, &self.dir().join(format!("{name}-{number}")))
    }

    /// Starts a master.
    pub(crate) fn master(&self, args: &[&str]) -> Rc<Running> {
        self.run_master(self.command(args))
    }

    pub(crate) fn run_master(&self, command: Command) -> Rc<Running> {
        let master = Rc::new(self.run_as("master", command));
        self.masters.borrow_mut().push(Rc::clone(&master));
        master
    }

    /// Starts the cluster and waits until all servers are up.
    #[track_caller]
    pub(crate) fn start(&self) -> Rc<Running> {
        let master = self.master(&["start"]);
        master.says(" servers are up after ");
        master
    }

    /// Starts a second master with `start`, and waits until the leader knows it.
    #[track_caller]
    pub(crate) fn standby(&self) -> Rc<Running> {
        let before = self.list().standbys().len();
        let standby = self.master(&["start"]);
        standby.says("standby: ");
        self.wait_for("the standby is in the list", |list| list.standbys().len() > before);
        standby
    }

    #[track_caller]
    pub(crate) fn list(&self) -> Listing {
        parse(&self.cli(&["list", "--json"]))
    }

    /// Waits until the list is as it should be, and returns it.
    #[track_caller]
    pub(crate) fn wait_for(&self, what: &str, condition: impl Fn(&Listing) -> bool) -> Listing {
        let mut last = None;
        let found = within_every(SELDOM, DEADLINE, || {
            let finished = self.cli(&["list", "--json"]);
            // While the coordinator is away, a warning comes with the list.
            let listing = (finished.code == Some(0)).then(|| read(&finished.out));
            let good = listing.filter(|listing| condition(listing));
            last = Some(finished);
            good
        });
        found.unwrap_or_else(|| panic!("not within {DEADLINE:?}: {what}; the last list was {last:?}"))
    }

    /// Has a server with `"puppet"` do something, and returns its answer.
    #[track_caller]
    pub(crate) fn order(&self, id: &str, order: &str) -> String {
        self.begin_order(id, order);
        self.answer(id)
    }

    /// The same without waiting for the [`answer`](Self::answer).
    pub(crate) fn begin_order(&self, id: &str, order: &str) {
        let draft = format!("{id}.draft");
        self.write(&draft, order);
        fs::rename(self.dir().join(&draft), self.dir().join(format!("{id}.do"))).expect("an order");
    }

    #[track_caller]
    pub(crate) fn answer(&self, id: &str) -> String {
        let path = self.dir().join(format!("{id}.done"));
        wait_until("the server answers", || path.exists());
        let answer = fs::read_to_string(&path).expect("an answer");
        fs::remove_file(&path).expect("an answer");
        answer
    }

    /// The processes of this cluster, but for its masters' guards.
    pub(crate) fn processes(&self) -> Vec<u32> {
        self.masters.borrow().iter().for_each(|master| master.reap());
        of_dir(self.dir()).into_iter().filter(|(_, line)| !is_guard(line)).map(|(pid, _)| pid).collect()
    }

    /// The guards of its masters, each with its master's pid.
    pub(crate) fn guards(&self) -> Vec<(u32, u32)> {
        let guards = of_dir(self.dir()).into_iter().filter(|(_, line)| is_guard(line));
        guards.filter_map(|(pid, _)| Some((pid, parent_of(pid)?))).collect()
    }

    /// The guard of this master.
    #[cfg(feature = "coordinator-zookeeper")]
    #[track_caller]
    pub(crate) fn guard_of(&self, master: u32) -> u32 {
        let found = within(DEADLINE, || {
            self.guards().into_iter().find(|(_, parent)| *parent == master).map(|(guard, _)| guard)
        });
        found.unwrap_or_else(|| panic!("master {master} has no guard"))
    }

    /// How many processes run as this server.
    pub(crate) fn copies_of(&self, id: &str) -> usize {
        let named = format!("\0serve\0--id\0{id}\0");
        self.processes().into_iter().filter(|&pid| command_line(pid).contains(&named)).count()
    }

    /// Stops the cluster: it goes in order and leaves nobody.
    #[track_caller]
    pub(crate) fn end(&self) {
        assert_eq!(self.cli(&["stop"]).ok(), "the cluster is stopped\n");
        self.assert_gone();
    }

    /// Nobody of this cluster runs.
    #[track_caller]
    pub(crate) fn assert_gone(&self) {
        let left = self.processes().into_iter().map(|pid| format!("{pid}: {}", command_line(pid)));
        assert_eq!(left.collect::<Vec<_>>(), [""; 0], "processes are left");
        wait_until("the guards follow their masters", || self.guards().is_empty());
    }

    /// Everything that may tell why a test failed.
    fn report(&self) -> String {
        let mut report = String::new();
        for dir in [self.dir().to_owned(), self.dir().join("logs")] {
            let entries = fs::read_dir(dir).into_iter().flatten().flatten();
            let mut files: Vec<PathBuf> = entries.map(|entry| entry.path()).filter(|p| p.is_file()).collect();
            files.retain(|file| {
                !file.file_name().is_some_and(|name| name.to_string_lossy().starts_with("command-"))
            });
            files.sort();
            for file in files {
                let text = String::from_utf8_lossy(&fs::read(&file).unwrap_or_default()).into_owned();
                let start = text.char_indices().rev().nth(4000).map_or(0, |(index, _)| index);
                if !text.is_empty() {
                    let _ = writeln!(report, "--- {}\n{}", file.display(), &text[start..]);
                }
            }
        }
        report
    }
}

#[track_caller]
fn parse(finished: &Finished) -> Listing {
    read(finished.ok())
}

#[track_caller]
fn read(out: &str) -> Listing {
    serde_json::from_str(out).expect("the list is JSON")
}

fn is_guard(command_line: &str) -> bool {
    command_line.split('\0').nth(1) == Some("guard")
}

fn fill_in(server: &mut Map<String, Value>, ports: &Ports) {
    server.entry("host").or_insert_with(|| "127.0.0.1".into());
    if server.get("clusterCount").is_some() {
        return;
    }
    server.entry("port").or_insert_with(|| ports.next().into());
    if server.get("frontend").is_some() {
        server.entry("clientPort").or_insert_with(|| ports.next().into());
    }
    server.retain(|_, value| !value.is_null());
}

impl Drop for Cluster {
    fn drop(&mut self) {
        let left = self.processes();
        let failing = std::thread::panicking();
        if failing {
            eprintln!("what there was in {} (left: {left:?}):\n{}", self.dir().display(), self.report());
        }
        // Killing a master keeps it from starting what is killed next; twice, for what it had begun.
        self.masters
            .borrow()
            .iter()
            .filter(|m| left.contains(&m.pid()))
            .for_each(|master| kill(master.pid()));
        while !self.processes().is_empty() {
            self.processes().into_iter().for_each(kill);
            let _ = within(core::time::Duration::from_secs(1), || self.processes().is_empty().then_some(()));
        }
        assert!(failing || left.is_empty(), "a test has left processes behind: {left:?}");
    }
}
