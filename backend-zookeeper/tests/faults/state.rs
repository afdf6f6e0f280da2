//! The stored state: large, unknown, and damaged.

use crate::on_both_runtimes;
use crate::support::{Operator, World, eventually, within};
use alloc::sync::Arc;
use core::time::Duration;
use futures_lite::future;
use tangelo_core::coordinator::LeadershipState::Leading;
use tangelo_core::runtime::Runtime;
use tangelo_core::{ErrorKind, Instant};
use zookeeper_client::{Acls, CreateMode};

on_both_runtimes!(
    the_state_of_10_000_servers_fits,
    what_does_not_fit_is_refused_and_harms_nothing,
    a_store_whose_answer_is_lost_is_found_out,
    a_store_that_was_given_up_does_no_harm_to_a_later_one,
    a_damaged_state_is_an_error_that_says_what_to_do,
    a_store_survives_somebody_elses_write,
);

/// What the leader of a large cluster stores.
fn servers(count: u32) -> Vec<u8> {
    let mut rng = fastrand::Rng::with_seed(1);
    let records: Vec<_> = (0..count)
        .map(|n| {
            let (pid, start, incarnation) = (rng.u32(300..4_000_000), rng.u64(..1 << 40), rng.u32(1..100));
            serde_json::json!({
                "def": {"id": format!("connector-server-{n}"), "server_type": "connector", "host": format!("10.0.{}.{}", n / 250, n % 250),
                    "port": 4000 + n % 1000, "client_port": 3000 + n % 1000, "frontend": true, "auto_restart": true, "args": [], "cpu": null},
                "cpus": null, "added": false, "stopped": false, "failed": null, "due": false,
                "incarnation": incarnation, "reserved": incarnation + 1, "up": true, "restarts": incarnation - 1,
                "process": {"host": format!("10.0.{}.{}", n / 250, n % 250), "pid": pid, "start_time": start},
            })
        })
        .collect();
    serde_json::to_vec(&serde_json::json!({"format": 1, "all_started": true, "servers": records})).unwrap()
}

async fn the_state_of_10_000_servers_fits(runtime: Arc<dyn Runtime>) {
    let world = World::shared(&runtime);
    let operator = world.operator().await;
    // Not while it leads: this blocks the executor for a second.
    let state = servers(10_000);
    let leader = world.leader("leader").await;
    let begin = Instant::now();
    leader.store(&state).await.unwrap();
    let stored = Instant::now();
    assert!(leader.load().await.unwrap().unwrap() == state);
    let (data, _) = operator.client.get_data(&operator.below("state")).await.unwrap();
    println!(
        "10 000 servers: {} bytes, {} in ZooKeeper; stored in {:?}, loaded in {:?}",
        state.len(),
        data.len(),
        stored.saturating_since(begin),
        Instant::now().saturating_since(stored)
    );
    assert!(data.len() < 600_000, "{}", data.len());
    // A small one is plain text under a line of header.
    leader.store(b"{\"small\":1}").await.unwrap();
    let (data, _) = operator.client.get_data(&operator.below("state")).await.unwrap();
    assert!(data.ends_with(b"\n{\"small\":1}"), "{:?}", String::from_utf8_lossy(&data));
    leader.resign().await.unwrap();
    let next = world.leader("next").await;
    assert_eq!(next.load().await.unwrap().unwrap(), b"{\"small\":1}");
}

async fn what_does_not_fit_is_refused_and_harms_nothing(runtime: Arc<dyn Runtime>) {
    let world = World::shared(&runtime);
    let leader = world.leader("leader").await;
    leader.store(b"small").await.unwrap();
    let mut rng = fastrand::Rng::with_seed(2);
    let noise: Vec<u8> = core::iter::repeat_with(|| rng.u8(..)).take(1_100_000).collect();
    let error = leader.store(&noise).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert!(error.to_string().contains("1100000 bytes"), "{error}");
    assert_eq!(leader.load().await.unwrap().unwrap(), b"small");
    // The largest that fits does.
    let noise = &noise[..1024 * 1024 - 9 * 1024];
    leader.store(noise).await.unwrap();
    assert!(leader.load().await.unwrap().unwrap() == noise);
    assert_eq!(leader.state(), Leading);
}

async fn a_store_whose_answer_is_lost_is_found_out(runtime: Arc<dyn Runtime>) {
    let world = World::shared(&runtime);
    let operator = world.operator().await;
    let (proxy, far) = world.far_for(Duration::from_secs(20));
    let leader = world.lead(&far, "leader").await;
    leader.store(b"0").await.unwrap();
    for round in 1..5_u8 {
        let state = vec![b'0' + round];
        let (_, stat) = operator.client.get_data(&operator.below("state")).await.unwrap();
        let version = stat.version;
        proxy.delay(Duration::from_millis(100));
        let arrived = async {
            eventually(&runtime, "the write", || async {
                let (data, _) = operator.client.get_data(&operator.below("state")).await.unwrap();
                data.ends_with(&state).then_some(())
            })
            .await;
            proxy.sever();
            proxy.delay(Duration::ZERO);
            proxy.mend().unwrap();
        };
        let (stored, ()) = within(&runtime, "an end", future::zip(leader.store(&state), arrived)).await;
        // It is not written a second time.
        stored.unwrap();
        let (_, stat) = operator.client.get_data(&operator.below("state")).await.unwrap();
        assert_eq!(stat.version, version + 1, "written twice");
        if round % 2 == 0 {
            let loaded = within(&runtime, "the state", leader.load()).await.unwrap().unwrap();
            assert_eq!(loaded, state);
        }
        within(&runtime, "the next store", leader.store(b"next")).await.unwrap();
        assert_eq!(leader.load().await.unwrap().unwrap(), b"next");
    }
    within(&runtime, "the end of the doubt", async {
        while leader.state() != Leading {
            leader.changed(leader.state()).await;
        }
    })
    .await;
}

async fn a_store_that_was_given_up_does_no_harm_to_a_later_one(runtime: Arc<dyn Runtime>) {
    let world = World::shared(&runtime);
    let (proxy, far) = world.far_for(Duration::from_secs(20));
    let leader = world.lead(&far, "leader").await;
    for round in 0..4 {
        leader.store(b"first").await.unwrap();
        // It waits for a connection when its caller goes.
        proxy.sever();
        let gone = runtime.sleep(Duration::from_millis(50));
        future::or(async { drop(leader.store(b"given up").await) }, gone).await;
        let mended = async {
            runtime.sleep(Duration::from_millis(20 * round)).await;
            proxy.mend().unwrap();
        };
        let (stored, ()) = within(&runtime, "a store", future::zip(leader.store(b"later"), mended)).await;
        stored.unwrap();
        assert_eq!(leader.load().await.unwrap().unwrap(), b"later");
    }
}

async fn a_damaged_state_is_an_error_that_says_what_to_do(runtime: Arc<dyn Runtime>) {
    let world = World::shared(&runtime);
    let operator = world.operator().await;
    let leader = world.leader("leader").await;
    leader.store(&servers(1000)).await.unwrap();
    let path = operator.below("state");
    let (whole, _) = operator.client.get_data(&path).await.unwrap();
    let header = whole.iter().position(|b| *b == b'\n').unwrap();
    let mut torn = whole.clone();
    torn.truncate(header + 100);
    for (damaged, what) in [
        (&b"nothing of ours"[..], "delete it to begin anew"),
        (b"", "delete it"),
        (b"{}\n", "delete it"),
        (b"{\"tangelo\":2,\"epoch\":1}\nx", "format 2"),
        (&torn, "delete it"),
    ] {
        operator.client.set_data(&path, damaged, None).await.unwrap();
        let error = leader.load().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid, "{error}");
        let text = error.to_string();
        assert!(text.contains(what) && text.contains(&path), "{text}");
        // The next leader too hears of it, instead of starting with nothing.
        assert_eq!(leader.state(), Leading);
    }
    operator.client.set_data(&path, &whole, None).await.unwrap();
    assert!(leader.load().await.unwrap().unwrap() == servers(1000));
}

async fn a_store_survives_somebody_elses_write(runtime: Arc<dyn Runtime>) {
    let world = World::shared(&runtime);
    let operator: Operator = world.operator().await;
    let leader = world.leader("leader").await;
    let path = operator.below("state");
    leader.store(b"1").await.unwrap();
    operator.client.set_data(&path, b"garbage", None).await.unwrap();
    leader.store(b"2").await.unwrap();
    assert_eq!(leader.load().await.unwrap().unwrap(), b"2");
    operator.client.delete(&path, None).await.unwrap();
    leader.store(b"3").await.unwrap();
    assert_eq!(leader.load().await.unwrap().unwrap(), b"3");
    operator.client.delete(&path, None).await.unwrap();
    assert_eq!(leader.load().await.unwrap(), None);
    let mode = CreateMode::Persistent.with_acls(Acls::anyone_all());
    operator.client.create(&path, b"garbage", &mode).await.unwrap();
    leader.store(b"4").await.unwrap();
    // A state of a later reign fences.
    operator.client.set_data(&path, b"{\"tangelo\":1,\"epoch\":99}\nlater", None).await.unwrap();
    assert_eq!(leader.store(b"5").await.unwrap_err().kind(), ErrorKind::Fenced);
    drop(leader);
    let next = world.leader("next").await;
    assert_eq!((next.epoch().0, next.load().await.unwrap().unwrap()), (100, b"later".to_vec()));
}
