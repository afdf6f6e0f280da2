//! What a guard may know and hold, and what others may see of it.

use super::processes::{Master, NEVER_MS, Process, SOON, limit};
use super::world::World;
use alloc::collections::BTreeSet;
use alloc::string::String;
use anyhow::bail;
use core::time::Duration;
use rustix::process::Signal;
use tangelo_services::clock;
use tangelo_services::zookeeper::Options;
use zookeeper_client::{Acl, Acls, AuthId, Client, CreateMode, Permission};

#[test]
fn the_credentials_reach_the_guard_and_nobody_sees_them() {
    let world = World::new(Options::default());
    let mut spec = world.spec("tokio");
    spec.path = "/secured".into();
    spec.login = Some(("pomelo".into(), "hushhush".into()));
    world.run(async {
        let connector = Client::connector().with_auth("digest", b"pomelo:hushhush");
        let client = connector.connect(&world.ensemble.connect_string()).await.unwrap();
        let options = CreateMode::Persistent.with_acls(Acls::creator_all());
        client.mkdir("/secured/lock", &options).await.unwrap();
    });
    let mut master = Master::start(&spec);
    let (guard, lock) = master.lead();
    for file in ["cmdline", "environ"] {
        let text = guard.proc(file);
        assert!(text.contains(if file == "cmdline" { "--exact" } else { "PATH=" }), "{text}");
        assert!(!text.contains("hushhush"), "{file} shows the password");
    }
    // Whoever has no credentials must not delete it, and the guard can.
    let denied = world.run(async { world.client().delete(&lock.path, None).await });
    assert_eq!(denied, Err(zookeeper_client::Error::NoAuth));
    // ZooKeeper does not tell those of the end of a node who must not read it: they have to look.
    let limit = clock::now() + SOON;
    master.kill();
    world.await_gone(&lock, limit);
}

#[test]
fn a_guard_that_may_not_delete_says_so_at_once() {
    let world = World::new(Options::default());
    let mut spec = world.spec("tokio");
    (spec.path, spec.timeout_ms) = ("/kept".into(), NEVER_MS);
    world.run(async {
        let most = Permission::CREATE | Permission::READ | Permission::WRITE;
        let options = CreateMode::Persistent.with_acls(Acls::anyone_all());
        let client = world.client();
        client.mkdir("/kept/lock", &options).await.unwrap();
        client.set_acl("/kept/lock", &[Acl::new(most, AuthId::anyone())], None).await.unwrap();
    });
    let mut master = Master::start(&spec);
    let (guard, lock) = master.lead();
    master.kill();
    assert!(guard.ends_within(4 * SOON));
    let report = world.report();
    assert!(report.starts_with("Denied: the lock node /kept/lock/master-"), "{report}");
    assert_eq!(world.owner(&lock), Some(lock.owner));
}

#[test]
fn a_guard_holds_no_descriptor_of_its_master_and_is_out_of_its_terminal() {
    let world = World::new(Options::default());
    let mut master = Master::start(&world.spec("smol"));
    let (first, _) = master.lead();
    // The next one is started by a master with all its connections open.
    first.signal(Signal::KILL);
    let guard = master.guard();
    let masters = sockets(master.pid());
    // To its guard, and to ZooKeeper.
    assert!(masters.len() >= 2, "{masters:?}");
    let shared: BTreeSet<_> = masters.intersection(&sockets(guard.pid)).cloned().collect();
    assert_eq!(shared, BTreeSet::new(), "the guard has sockets of its master");

    // Fields 5 and 6 of proc_pid_stat(5): the process group and the session.
    let (own, group) = (guard.pid.to_string(), |process: &Process, n| stat(process, n));
    assert_eq!((group(&guard, 5), group(&guard, 6)), (own.clone(), own));
}

fn sockets(pid: u32) -> BTreeSet<String> {
    let files = std::fs::read_dir(format!("/proc/{pid}/fd")).unwrap().flatten();
    let targets = files.filter_map(|file| std::fs::read_link(file.path()).ok());
    targets
        .map(|target| target.to_string_lossy().into_owned())
        .filter(|target| target.starts_with("socket:"))
        .collect()
}

/// Field `n` of /proc/PID/stat.
fn stat(process: &Process, n: usize) -> String {
    let stat = process.proc("stat");
    let (_, fields) = stat.rsplit_once(')').unwrap();
    fields.split_whitespace().nth(n - 3).unwrap().into()
}

/// Its session with ZooKeeper is closed when it has done its work, not left to expire.
#[test]
fn a_guard_leaves_no_session_behind() {
    let world = World::new(Options::default());
    let sessions = || {
        let dump = world.ensemble.four_letter(0, "cons").unwrap();
        dump.lines().filter(|line| line.contains("sid=0x")).count()
    };
    let before = sessions();
    let mut master = Master::start(&world.spec("tokio"));
    let guard = master.guard();
    assert_eq!(sessions(), before + 1);
    master.kill();
    assert!(guard.ends_within(limit()));
    let closed = || if sessions() == before { Ok(()) } else { bail!("its session is open") };
    clock::poll_until(clock::now() + SOON, Duration::from_millis(5), closed).unwrap();
    let log = std::fs::read_to_string(world.ensemble.log(0)).unwrap();
    assert!(!log.contains("Expiring session"), "{log}");
}
