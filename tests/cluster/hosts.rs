//! Servers on other hosts: network namespaces with an sshd each, so that no address of theirs is this
//! machine's. They share its files, so the application on them lies in a directory of its own, `far/`.

use crate::app;
use crate::support::{Cluster, Look, Running, Signal, is_alive, signal, trials, wait_until};
use alloc::collections::BTreeSet;
use alloc::rc::Rc;
use core::fmt::Write as _;
use core::time::Duration;
use serde_json::{Value, json};
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use tangelo::core::CpuSet;
use tangelo::core::wire::{Listing, ServerState};
use tangelo_services::clock;
use tangelo_services::netns::Network;
use tangelo_services::sshd::{Keys, Sshd};

trials![
    servers_of_other_hosts_come_up_there_pinned_with_their_logs_and_stop_in_order,
    a_server_of_another_host_is_restarted_when_it_dies_and_stopped_on_demand,
    a_killed_ssh_costs_no_server_and_orders_work_again,
    a_standby_takes_over_the_servers_of_other_hosts,
    a_standby_on_another_host_takes_over_its_own_servers_and_the_others,
    a_leader_that_was_frozen_restarts_a_server_of_another_host_once,
    a_host_that_is_cut_off_keeps_its_servers_and_runs_each_once_when_it_is_back,
    a_short_cut_of_the_cable_changes_nothing,
    what_keeps_a_host_from_being_reached_is_in_the_list,
    a_host_that_comes_late_is_used_when_it_is_there,
    a_kill_does_not_wait_for_ever_for_a_host_that_is_away,
    a_cpu_that_another_host_does_not_allow_is_an_error_in_the_list,
    masterha_starts_a_master_on_another_host,
];

/// The cluster, and the world that it lives in: dropped in this order.
pub(crate) struct World {
    pub(crate) cluster: Cluster,
    sshds: Vec<Sshd>,
    pub(crate) network: Network,
    keys: Keys,
}

impl World {
    /// `servers` say `"host": n` for the n-th other host, and `"here"` for this machine's address.
    fn new(hosts: u8, servers: Value) -> Self {
        Self::with(hosts, servers, json!({}), json!({}))
    }

    /// The same with `master` on top of master.json and `ssh` on top of its `ssh`.
    pub(crate) fn with(hosts: u8, servers: Value, master: Value, ssh: Value) -> Self {
        let (network, keys) = (Network::with_hosts(hosts).expect("other hosts"), Keys::new().expect("keys"));
        let sshds = network.hosts().iter().map(|host| Sshd::start(host, &keys).expect("sshd")).collect();
        let world = Self { cluster: Cluster::new(addressed(servers, &network)), sshds, network, keys };
        world.configure(master, ssh);
        world.install();
        world
    }

    /// Writes master.json.
    fn configure(&self, master: Value, ssh: Value) {
        let far = self.cluster.dir().join("far");
        let mut reach = json!({
            "port": Sshd::PORT, "identity": self.keys.identity(), "args": [],
            "dir": far, "program": far.join("program"),
        });
        extend(&mut reach, ssh);
        let args = reach["args"].as_array_mut().expect("a list");
        args.extend(self.keys.client_args().into_iter().map(Value::from));
        let mut def = json!({
            "id": "master-1", "host": self.network.here(), "port": self.cluster.port,
            "secret": "sixteen bytes at least", "ssh": reach,
        });
        extend(&mut def, master);
        self.cluster.write("config/master.json", &json!({"development": def}).to_string());
    }

    /// Puts the application on the other hosts.
    fn install(&self) {
        let (far, own) = (self.cluster.dir().join("far"), std::env::current_exe().expect("a path"));
        let script = format!("#!/bin/sh\n{}=1 exec '{}' \"$@\"\n", app::VARIABLE, own.display());
        self.cluster.write("far/program", &script);
        let mode = fs::Permissions::from_mode(0o755);
        fs::set_permissions(far.join("program"), mode).expect("it can be made a program");
        // The hosts of a real cluster meet in ZooKeeper; these share a disk.
        for shared in ["config", "run"] {
            symlink(format!("../{shared}"), far.join(shared)).expect("a link");
        }
    }

    fn note(&self, note: &str) -> Option<usize> {
        self.cluster.read("far/notes").lines().position(|line| line == note)
    }

    /// A master on the n-th other host.
    pub(crate) fn master(&self, host: usize) -> Rc<Running> {
        let (there, far) = (&self.network.hosts()[host], self.cluster.dir().join("far"));
        let mut command = there.command(&far.join("program"));
        command.args(["master", "--host", &there.address().to_string(), "--port", "3005", "--dir"]).arg(&far);
        self.cluster.run_master(command)
    }

    /// Whether this process runs on the n-th other host.
    #[track_caller]
    pub(crate) fn runs_on(&self, host: usize, pid: u32) -> bool {
        self.network.hosts()[host].processes().expect("the host is there").contains(&pid)
    }

    /// The ssh processes of all masters.
    pub(crate) fn ssh(&self) -> BTreeSet<u32> {
        let ssh =
            |pid: &u32| fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|comm| comm == "ssh\n");
        self.cluster.processes().into_iter().filter(ssh).collect()
    }

    /// Waits until nothing of a killed master is left: its ssh, and the agents behind it.
    #[track_caller]
    pub(crate) fn forgotten(&self, before: &BTreeSet<u32>) {
        wait_until("the dead master's ssh goes too", || !before.iter().any(|&pid| is_alive(pid)));
    }

    /// Ends the cluster; agents go in their own time.
    #[track_caller]
    pub(crate) fn end(&self) {
        assert_eq!(self.cluster.cli(&["stop"]).ok(), "the cluster is stopped\n");
        wait_until("everybody goes", || self.cluster.processes().is_empty());
        let left = |host: usize| self.network.hosts()[host].processes().expect("the host is there");
        wait_until("only sshd is left on every host", || {
            (0..self.sshds.len()).all(|host| left(host).len() == 1)
        });
    }
}

impl Drop for World {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let mut said = String::new();
            for (n, sshd) in self.sshds.iter().enumerate() {
                let _ = writeln!(said, "--- sshd {n}\n{}", sshd.log());
            }
            for log in fs::read_dir(self.cluster.dir().join("far/logs")).into_iter().flatten().flatten() {
                let _ = writeln!(said, "--- {log:?}\n{}", fs::read_to_string(log.path()).unwrap_or_default());
            }
            eprintln!("{said}");
        }
    }
}

fn extend(object: &mut Value, more: Value) {
    let object = object.as_object_mut().expect("an object");
    object.extend(more.as_object().cloned().expect("an object"));
}

/// Gives every server the address of its host.
fn addressed(mut servers: Value, network: &Network) -> Value {
    let groups = servers.as_object_mut().expect("groups");
    for server in groups.values_mut().flat_map(|group| group.as_array_mut().expect("a list")) {
        let Some(host) = server.get_mut("host") else { continue };
        if let Some(n) = host.as_u64() {
            let n = usize::try_from(n).expect("a small number");
            *host = network.hosts()[n].address().to_string().into();
        } else if host == "here" {
            *host = network.here().to_string().into();
        }
    }
    servers
}

fn parent(pid: u32) -> u32 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).expect("it runs");
    let fields = stat.rsplit_once(')').expect("a name").1.split_ascii_whitespace().nth(1);
    fields.expect("a parent").parse().expect("a pid")
}

fn mask(pid: u32) -> CpuSet {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("it runs");
    let mask = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:"));
    mask.expect("a mask").trim().parse().expect("CPUs")
}

fn servers_of_other_hosts_come_up_there_pinned_with_their_logs_and_stop_in_order() {
    let allowed: Vec<u32> = mask(std::process::id()).iter().collect();
    let (first, last) = (allowed[0], *allowed.last().expect("a CPU"));
    let world = World::new(
        2,
        json!({"chat": [
            {"id": "chat-1", "host": 0, "cpu": last, "hooks": ["slow"], "components": 1},
            {"id": "chat-2", "host": 1, "cpu": "auto"}, {"id": "chat-3", "host": 1, "cpu": "auto"},
            {"id": "chat-4", "host": "here"}, {"id": "chat-5"},
        ]}),
    );
    let master = world.cluster.start();
    let list = world.cluster.list();
    for (id, host) in [("chat-1", 0), ("chat-2", 1), ("chat-3", 1)] {
        let pid = list.pid(id);
        assert!(world.runs_on(host, pid), "{id} runs on host {host}");
        assert_ne!(parent(pid), master.pid(), "{id} was launched by an agent");
        assert!(world.cluster.read(&format!("far/logs/{id}.log")).contains("up"), "{id} logs there");
        assert_eq!(world.cluster.log(id), "", "{id} does not log here");
    }
    for id in ["chat-4", "chat-5"] {
        assert_eq!(parent(list.pid(id)), master.pid(), "{id} was launched by the master itself");
        assert!(world.cluster.log(id).contains("up"));
    }
    // `auto` takes the CPUs of a host in turn, beginning anew on each.
    let next = allowed[1 % allowed.len()];
    for (id, cpu) in [("chat-1", last), ("chat-2", first), ("chat-3", next)] {
        assert_eq!(mask(list.pid(id)), CpuSet::one(cpu), "{id}");
        assert_eq!(list.server(id).cpu.as_deref(), Some(&*cpu.to_string()), "{id}");
    }
    assert_eq!(world.ssh().len(), 2, "one connection for each other host");
    world.end();
    let turns = ["after-start-all", "hook 1 slow", "hook 1 done", "c1 stop"];
    let places: Vec<_> = turns.iter().map(|turn| world.note(&format!("chat-1 1 {turn}"))).collect();
    assert!(places.iter().all(Option::is_some) && places.is_sorted(), "{}", world.cluster.read("far/notes"));
}

fn a_server_of_another_host_is_restarted_when_it_dies_and_stopped_on_demand() {
    let world = World::new(
        1,
        json!({"chat": [{"id": "chat-1", "host": 0, "auto-restart": true, "hooks": ["note"]}, {"id": "chat-2", "host": 0}]}),
    );
    world.cluster.start();
    let before = world.cluster.list();
    signal(before.pid("chat-1"), Signal::KILL);
    let after = world.cluster.wait_for("it is back", |list| list.all_up() && list.incarnation("chat-1") == 2);
    assert!(world.runs_on(0, after.pid("chat-1")) && after.pid("chat-2") == before.pid("chat-2"));
    signal(before.pid("chat-2"), Signal::KILL);
    let failed = world.cluster.wait_for("its end is seen", |list| list.is("chat-2", ServerState::Failed));
    assert!(
        failed.server("chat-2").detail.starts_with("killed by signal 9"),
        "{:?}",
        failed.server("chat-2")
    );

    world.cluster.cli(&["stop", "chat-1"]).ok();
    assert!(world.note("chat-1 2 hook 1 done").is_some(), "{}", world.cluster.read("far/notes"));
    assert!(!is_alive(after.pid("chat-1")));
    world.cluster.cli(&["start", "chat-1", "chat-2"]).ok();
    let list = world.cluster.list();
    assert!(list.all_up() && world.runs_on(0, list.pid("chat-1")) && world.runs_on(0, list.pid("chat-2")));
    // A hung one does not hear: it is killed there.
    signal(list.pid("chat-2"), Signal::STOP);
    world.cluster.cli(&["kill", "chat-2"]).ok();
    assert!(!is_alive(list.pid("chat-2")));
    world.end();
}

fn a_killed_ssh_costs_no_server_and_orders_work_again() {
    let world = World::new(
        1,
        json!({"chat": [{"id": "chat-1", "host": 0}, {"id": "chat-2", "host": 0, "auto-restart": true}]}),
    );
    world.cluster.start();
    let lives = world.cluster.list().lives();
    for _ in 0..3 {
        // One that is killed while it connects is followed by a pause.
        wait_until("there is an ssh", || world.ssh().len() == 1);
        let ssh = world.ssh();
        ssh.iter().for_each(|&pid| signal(pid, Signal::KILL));
        wait_until("there is another one", || world.ssh().len() == 1 && world.ssh() != ssh);
        assert_eq!(world.cluster.list().lives(), lives);
    }
    // The end of a process that the new agent has adopted is seen, and what it is told is done.
    signal(world.cluster.list().pid("chat-2"), Signal::KILL);
    world.cluster.wait_for("it is restarted", |list| list.all_up() && list.incarnation("chat-2") == 2);
    world.ssh().iter().for_each(|&pid| signal(pid, Signal::KILL));
    world.cluster.cli(&["restart", "chat-1"]).ok();
    assert_eq!(world.cluster.list().incarnation("chat-1"), 2);
    assert_eq!(world.cluster.copies_of("chat-1"), 1);
    world.end();
}

fn a_standby_takes_over_the_servers_of_other_hosts() {
    let world = World::new(
        2,
        json!({"chat": [
            {"id": "chat-1", "host": 0, "auto-restart": true}, {"id": "chat-2", "host": 1}, {"id": "chat-3"},
        ]}),
    );
    let leader = world.cluster.start();
    let standby = world.cluster.standby();
    let (lives, ssh) = (world.cluster.list().lives(), world.ssh());
    assert_eq!(ssh.len(), 2, "a standby opens no connection");
    signal(leader.pid(), Signal::KILL);
    leader.end();
    standby.says("all 3 servers are up");
    assert_eq!(world.cluster.list().lives(), lives);
    world.forgotten(&ssh);
    wait_until("the new leader watches both hosts", || world.ssh().len() == 2);
    // The dead leader had reserved the second life of each; the new one takes the third.
    signal(world.cluster.list().pid("chat-1"), Signal::KILL);
    let restarted = |list: &Listing| list.all_up() && list.incarnation("chat-1") == 3;
    let list = world.cluster.wait_for("it is restarted", restarted);
    assert!(world.runs_on(0, list.pid("chat-1")));
    world.end();
}

/// What was another host's is its own now, and the other way round.
fn a_standby_on_another_host_takes_over_its_own_servers_and_the_others() {
    let servers = json!({"chat": [
        {"id": "chat-1", "host": 0, "auto-restart": true}, {"id": "chat-2", "host": 1, "auto-restart": true},
    ]});
    let world = World::new(2, servers);
    let leader = world.cluster.start();
    let there = &world.network.hosts()[0];
    let standby = world.master(0);
    standby.says("standby: ");
    world.cluster.wait_for("it is in the list", |list| list.standbys().len() == 1);
    let (lives, ssh) = (world.cluster.list().lives(), world.ssh());
    signal(leader.pid(), Signal::KILL);
    leader.end();
    standby.says("all 2 servers are up");
    let list = world.cluster.list();
    assert_eq!((list.lives(), &*list.leader().host), (lives, &*there.address().to_string()));
    world.forgotten(&ssh);
    wait_until("it needs ssh for the other host alone", || world.ssh().len() == 1);
    for (id, host) in [("chat-1", 0), ("chat-2", 1)] {
        signal(world.cluster.list().pid(id), Signal::KILL);
        let restarted = |list: &Listing| list.all_up() && list.incarnation(id) == 3;
        let list = world.cluster.wait_for("it is restarted", restarted);
        assert!(world.runs_on(host, list.pid(id)), "{id}");
        assert_eq!(parent(list.pid(id)) == standby.pid(), host == 0, "{id}");
    }
    world.end();
}

fn a_leader_that_was_frozen_restarts_a_server_of_another_host_once() {
    let world = World::with(
        1,
        json!({"chat": [{"id": "chat-1", "host": 0, "auto-restart": true}]}),
        json!({"lease": 1000}),
        json!({}),
    );
    let leader = world.cluster.start();
    let server = world.cluster.list().pid("chat-1");
    // To start it again is the first thing that the leader has in mind when it wakes, past its deadline.
    signal(leader.pid(), Signal::STOP);
    signal(server, Signal::KILL);
    clock::let_pass(Duration::from_millis(1500));
    signal(leader.pid(), Signal::CONT);
    let list = world.cluster.wait_for("it is up again", |list| list.all_up() && list.pid("chat-1") != server);
    // A new reign takes an incarnation that the old one cannot have launched, and the old one has not.
    assert_eq!((list.leader().epoch.0, list.incarnation("chat-1")), (2, 3));
    assert_eq!(world.cluster.copies_of("chat-1"), 1);
    let log = world.cluster.read("far/logs/chat-1.log");
    assert!(log.contains("incarnation=3") && !log.contains("incarnation=2"), "{log}");
    world.end();
}

fn a_host_that_is_cut_off_keeps_its_servers_and_runs_each_once_when_it_is_back() {
    let world = World::with(
        2,
        json!({"chat": [
            {"id": "chat-1", "host": 0, "auto-restart": true}, {"id": "chat-2", "host": 0}, {"id": "chat-3", "host": 1},
        ]}),
        json!({"heartbeat": 200, "heartbeat-missed": 3, "reconnect-grace": 1000}),
        json!({"args": ["-o", "ConnectTimeout=2"]}),
    );
    world.cluster.start();
    let before = world.cluster.list();
    world.network.hosts()[0].cut().expect("cut");
    let given_up = |list: &Listing| list.is("chat-1", ServerState::Stopping);
    let list = world.cluster.wait_for("the leader has given up waiting", given_up);
    assert_eq!(list.pid("chat-3"), before.pid("chat-3"));
    // It cannot be killed there, so nothing is started in its place.
    clock::let_pass(Duration::from_secs(5));
    for id in ["chat-1", "chat-2"] {
        assert_eq!(world.cluster.list().incarnation(id), 1, "{id}");
        assert!(is_alive(before.pid(id)), "{id} lives on");
        assert_eq!(world.cluster.copies_of(id), 1);
    }
    world.network.hosts()[0].mend().expect("mend");
    let list = world.cluster.wait_for("all is well again", Look::all_up);
    assert_eq!(
        (list.incarnation("chat-1"), list.incarnation("chat-2"), list.incarnation("chat-3")),
        (2, 1, 1)
    );
    assert_eq!(list.pid("chat-2"), before.pid("chat-2"), "nobody had asked to restart it");
    for id in ["chat-1", "chat-2", "chat-3"] {
        assert_eq!(world.cluster.copies_of(id), 1, "{id}");
    }
    world.end();
}

fn a_short_cut_of_the_cable_changes_nothing() {
    let world = World::new(1, json!({"chat": [{"id": "chat-1", "host": 0, "auto-restart": true}]}));
    world.cluster.start();
    let (lives, ssh) = (world.cluster.list().lives(), world.ssh());
    world.network.hosts()[0].cut().expect("cut");
    clock::let_pass(Duration::from_secs(2));
    world.network.hosts()[0].mend().expect("mend");
    world.cluster.cli(&["restart", "chat-1"]).ok();
    let list = world.cluster.list();
    assert_eq!((list.incarnation("chat-1"), lives[0].2), (2, 1));
    assert_eq!(world.ssh(), ssh, "the connection has lived through it");
    world.end();
}

fn what_keeps_a_host_from_being_reached_is_in_the_list() {
    let elsewhere = json!("/no/such/place");
    for (ssh, sshd, words) in [
        (json!({}), false, ["cannot reach host ", "Connection refused", ": `ssh -o BatchMode=yes -p 2222"]),
        (
            json!({"identity": "stranger"}),
            true,
            ["cannot reach host ", "Permission denied (publickey)", " true`"],
        ),
        (
            json!({"program": elsewhere}),
            true,
            [" cannot run /no/such/place: ", "No such file", "install the application"],
        ),
        (json!({"dir": elsewhere}), true, ["cannot use /no/such/place", "on this host", "No such file"]),
    ] {
        let mut world =
            World::with(1, json!({"chat": [{"id": "far", "host": 0}, {"id": "near"}]}), json!({}), ssh);
        fs::copy(world.keys.stranger(), world.cluster.dir().join("stranger")).expect("a key");
        if !sshd {
            world.sshds.clear();
        }
        let master = world.cluster.master(&["start"]);
        master.says("1 servers are up, 1 failed");
        let list = world.cluster.list();
        let far = list.server("far");
        assert_eq!((far.state, far.pid), (ServerState::Failed, None));
        assert!(words.iter().all(|word| far.detail.contains(word)), "{words:?}: {}", far.detail);
        assert!(!far.detail.contains('\n'), "{}", far.detail);
        assert!(list.is("near", ServerState::Up));
        world.end();
    }
}

fn a_host_that_comes_late_is_used_when_it_is_there() {
    let mut world = World::new(
        1,
        json!({"chat": [
            {"id": "asked", "host": 0}, {"id": "patient", "host": 0, "auto-restart": true, "restart-max-delay": 1000},
        ]}),
    );
    world.sshds.clear();
    world.cluster.master(&["start"]);
    let waits = |list: &Listing| {
        let row = list.server("patient");
        row.state == ServerState::Backoff
            && row.incarnation.0 > 8
            && row.detail.contains("Connection refused")
    };
    // More attempts than a server that crashes by itself has; the other one waits for a person.
    let list = world.cluster.wait_for("it is tried again and again", waits);
    assert!(list.is("asked", ServerState::Failed), "{:?}", list.server("asked"));
    world.sshds.push(Sshd::start(&world.network.hosts()[0], &world.keys).expect("sshd"));
    world.cluster.wait_for("it comes up by itself", |list| list.is("patient", ServerState::Up));
    world.cluster.cli(&["start", "asked"]).ok();
    let list = world.cluster.list();
    assert!(list.all_up() && list.servers.iter().all(|row| world.runs_on(0, row.pid.expect("up"))));
    world.end();
}

/// What is left of a cluster that has ended without its host is turned away by the next one.
fn a_kill_does_not_wait_for_ever_for_a_host_that_is_away() {
    let world = World::with(
        1,
        json!({"chat": [{"id": "far", "host": 0}, {"id": "near"}]}),
        json!({"heartbeat": 200, "heartbeat-missed": 3, "reconnect-grace": 1000}),
        json!({"args": ["-o", "ConnectTimeout=2"]}),
    );
    let master = world.cluster.start();
    let left = world.cluster.list().pid("far");
    world.network.hosts()[0].cut().expect("cut");
    let killed = world.cluster.run(world.cluster.command(&["kill"])).end_within(Duration::from_secs(60));
    let (error, host) = (killed.error(), world.network.hosts()[0].address());
    assert!(error.contains(&format!("the cluster has ended, but not far on {host}")), "{error}");
    assert_eq!(master.end().code, Some(0));
    assert!(is_alive(left));
    world.network.hosts()[0].mend().expect("mend");
    world.cluster.start();
    wait_until("what was left is turned away", || !is_alive(left));
    let list = world.cluster.list();
    assert!(list.all_up() && world.runs_on(0, list.pid("far")));
    world.end();
}

fn a_cpu_that_another_host_does_not_allow_is_an_error_in_the_list() {
    let beyond = mask(std::process::id()).iter().last().expect("a CPU") + 1;
    let world =
        World::new(1, json!({"chat": [{"id": "far", "host": 0, "cpu": beyond}, {"id": "other", "host": 0}]}));
    let master = world.cluster.master(&["start"]);
    master.says("1 servers are up, 1 failed");
    let list = world.cluster.list();
    let detail = &list.server("far").detail;
    assert!(detail.contains("may use") && detail.contains(&beyond.to_string()), "{detail}");
    world.end();
}

fn masterha_starts_a_master_on_another_host() {
    let world = World::new(1, json!({"chat": [{"id": "chat-1", "host": 0, "auto-restart": true}]}));
    let leader = world.cluster.start();
    let there = world.network.hosts()[0].address().to_string();
    let def = |host: &str| json!({"masterha": [{"id": "master-2", "host": host, "port": 3006}]}).to_string();
    world.cluster.write("config/masterha.json", &def(&there));
    let said = world.cluster.cli(&["masterha"]);
    // A warning about the mode of master.json, which holds the secret, comes with it.
    let expected = format!("master-2 at {there}:3006 stands by (pid ");
    assert!(said.code == Some(0) && said.out.starts_with(&expected), "{said:?}");
    let list = world.cluster.wait_for("it is in the list", |list| list.standbys().len() == 1);
    let standby = list.standbys()[0].pid;
    assert!(world.runs_on(0, standby));
    let (lives, ssh) = (list.lives(), world.ssh());
    signal(leader.pid(), Signal::KILL);
    let list = world.cluster.wait_for("it leads", |list| list.leader().pid == standby && list.all_up());
    assert_eq!(list.lives(), lives);
    world.forgotten(&ssh);
    world.end();
}
