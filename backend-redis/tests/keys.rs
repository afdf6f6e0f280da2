//! What stands in Redis: Pomelo's keys, our own, and those of others.

extern crate alloc;

mod support;

use alloc::collections::BTreeSet;
use alloc::sync::Arc;
use core::time::Duration;
use futures_lite::StreamExt as _;
use support::{frontend, on_both, plain, started, users};
use tangelo_core::channel::ChannelManager;
use tangelo_core::runtime::Runtime;
use tangelo_core::{ErrorKind, Instant};
use tangelo_services::redis::{Options, Redis, Reply};

on_both! {
    ordinary_names_give_pomelos_keys
    what_a_node_server_adds_is_read
    cleaning_removes_what_is_ours_and_nothing_else
    something_else_under_our_prefix_is_an_error
    changes_that_nobody_waits_for_do_not_come_late
    a_thousand_changes_travel_in_few_requests
    changes_that_travel_together_keep_their_order_and_the_list_of_channels
    a_server_that_forgets_its_scripts_is_told_again
    memory_that_is_full_is_an_error_and_nothing_is_half_done
}

async fn all(manager: &dyn ChannelManager, channel: &str) -> Vec<(String, String)> {
    let pages: Vec<_> = manager.members(channel).collect().await;
    let pages = pages.into_iter().flat_map(|page| page.expect("a page"));
    let mut all: Vec<_> = pages.map(|member| (member.sid, member.uid)).collect();
    all.sort();
    all
}

async fn ordinary_names_give_pomelos_keys(runtime: Arc<dyn Runtime>) {
    let redis = Redis::start(&Options::default()).expect("Redis");
    let manager = started(&plain(&redis).db(3), &runtime).await;
    let front = frontend("connector-server-1", 7);
    manager.add_many("area one", &front, &users(0..2)).await.expect("add");
    manager.add("a:b%", &front, "x:y%").await.expect("add");
    let select = |command: &[&str]| {
        let mut connection =
            tangelo_services::redis::Connection::open(&redis.socket()).expect("a connection");
        connection.ask(&["SELECT", "3"]).expect("select");
        connection.ask(command).and_then(Reply::texts).expect("an answer")
    };
    let expected = [
        "POMELO:CHANNEL%server:connector-server-1",
        "POMELO:CHANNEL%servers",
        "POMELO:CHANNEL:a%3Ab%25:connector-server-1",
        "POMELO:CHANNEL:area one:connector-server-1",
    ];
    assert_eq!(select(&["KEYS", "*"]), expected);
    assert_eq!(select(&["SMEMBERS", expected[3]]), ["user-0", "user-1"]);
    assert_eq!(select(&["SMEMBERS", expected[2]]), ["x:y%"]);
    assert_eq!(select(&["SMEMBERS", expected[1]]), ["connector-server-1"]);
    assert_eq!(select(&["HGETALL", expected[0]]), ["1", "1", "7", ":life", "a%3Ab%25", "area one"]);
    // Nothing is left of what nobody is in, but the knowledge of whose life is over.
    manager.leave_many("area one", &front, &users(0..2)).await.expect("leave");
    manager.destroy("a:b%").await.expect("destroy");
    assert_eq!(select(&["KEYS", "*"]), expected[..2]);
    manager.purge_server(&front).await.expect("purge");
    assert_eq!(select(&["KEYS", "*"]), expected[..1]);
    assert_eq!(select(&["HGETALL", expected[0]]), ["8", ":life"]);
}

async fn what_a_node_server_adds_is_read(runtime: Arc<dyn Runtime>) {
    let redis = Redis::start(&Options::default()).expect("Redis");
    let ask = |command: &[&str]| redis.ask(command).expect("an answer");
    ask(&["SADD", "POMELO:CHANNEL:room:node-1", "1", "2"]);
    let manager = started(&plain(&redis).frontends(["node-1", "node-2"]), &runtime).await;
    let front = frontend("connector-1", 1);
    manager.add("room", &front, "anna").await.expect("add");
    ask(&["SADD", "POMELO:CHANNEL:room:connector-1", "3"]);
    ask(&["SADD", "POMELO:CHANNEL:room:unheard-of", "4"]);

    let own = |sid: &str, uid: &str| (sid.to_owned(), uid.to_owned());
    let expected =
        [own("connector-1", "3"), own("connector-1", "anna"), own("node-1", "1"), own("node-1", "2")];
    assert_eq!(all(&*manager, "room").await, expected);
    assert_eq!(manager.count("room").await.expect("count"), 4);
    assert!(manager.contains("room", "node-1", "2").await.expect("contains"));
    let mut there = manager.members_by_server("room", "node-1").await.expect("members");
    there.sort();
    assert_eq!(there, ["1", "2"]);
    assert_eq!(manager.members_by_server("room", "unheard-of").await.expect("members"), ["4"]);
    assert_eq!(manager.channels_of_server("node-1").await.expect("channels"), [""; 0]);

    // It empties a channel of ours: nobody is in it, so it is no channel any more, and may be entered again.
    manager.add("hall", &front, "ben").await.expect("add");
    ask(&["DEL", "POMELO:CHANNEL:hall:connector-1"]);
    assert_eq!(manager.channels_of_server("connector-1").await.expect("channels"), ["room"]);
    manager.add("hall", &front, "cleo").await.expect("add");
    assert_eq!(all(&*manager, "hall").await, [own("connector-1", "cleo")]);
    manager.destroy("room").await.expect("destroy");
    assert_eq!(all(&*manager, "room").await, []);
    assert_eq!(ask(&["EXISTS", "POMELO:CHANNEL:room:node-1"]), Reply::Number(0));
}

async fn cleaning_removes_what_is_ours_and_nothing_else(runtime: Arc<dyn Runtime>) {
    let redis = Redis::start(&Options::default()).expect("Redis");
    let foreign = [
        "POMELO:CHANNEL2:room:connector-1",
        "POMELO:CHANNEL",
        "POMELO:CHANNEL:room",
        "POMELO:CHANNEL:a:b:c",
        "POMELO:CHANNEL:50%:connector-1",
        "POMELO:CHANNEL:x%servers",
        "POMELO:CHANNEL:x%server:a",
        "POMELO:CHANNEL:x:room:connector-1",
        "POMELO:CHANNEL%other:a",
        "POMELO",
        "something",
    ];
    for key in foreign {
        redis.ask(&["SADD", key, "1"]).expect("a key");
    }
    let manager = started(&plain(&redis), &runtime).await;
    let other = started(&plain(&redis).prefix("POMELO:CHANNEL:x"), &runtime).await;
    // Without a hash of ours.
    for n in 0..700 {
        redis.ask(&["SADD", &format!("POMELO:CHANNEL:room-{n}:node-1"), "1"]).expect("a key");
    }
    for n in 0..1700 {
        manager
            .add(&format!("room-{n}"), &frontend(&format!("connector-{}", n % 3), 1), "a")
            .await
            .expect("add");
    }
    redis.ask(&["DEL", "POMELO:CHANNEL:room-0:connector-0"]).expect("a key");
    let spared = redis.keys().expect("keys");
    assert!(spared.len() > 2400, "{}", spared.len());
    manager.clean().await.expect("clean");
    let mut expected: Vec<_> = foreign.map(String::from).into();
    expected.sort();
    assert_eq!(redis.keys().expect("keys"), expected);

    // The other way round: a prefix that is a part of ours.
    manager.add("room", &frontend("connector-1", 1), "anna").await.expect("add");
    redis.ask(&["DEL", "POMELO:CHANNEL:x%servers", "POMELO:CHANNEL:x%server:a"]).expect("keys");
    other.add("room", &frontend("connector-1", 1), "ben").await.expect("add");
    other.clean().await.expect("clean");
    assert_eq!(manager.count("room").await.expect("count"), 1);
    assert_eq!(
        redis.ask(&["EXISTS", "POMELO:CHANNEL:x:room:connector-1"]).expect("exists"),
        Reply::Number(0)
    );
}

async fn something_else_under_our_prefix_is_an_error(runtime: Arc<dyn Runtime>) {
    let redis = Redis::start(&Options::default()).expect("Redis");
    redis.ask(&["SET", "POMELO:CHANNEL:odd:connector-1", "a string"]).expect("a key");
    redis.ask(&["SADD", "POMELO:CHANNEL%server:connector-2", "a set"]).expect("a key");
    let manager = started(&plain(&redis), &runtime).await;
    let front = frontend("connector-1", 1);
    let odd = manager.add("odd", &front, "anna").await.expect_err("a string");
    assert_eq!(odd.kind(), ErrorKind::Invalid, "{odd}");
    assert!(odd.to_string().contains("another prefix"), "{odd}");
    let odd = manager.members_by_server("odd", "connector-1").await.expect_err("a string");
    assert_eq!(odd.kind(), ErrorKind::Invalid, "{odd}");
    let odd = manager.add("room", &frontend("connector-2", 1), "anna").await.expect_err("a set");
    assert_eq!(odd.kind(), ErrorKind::Invalid, "{odd}");
    // Others that travel along are none the worse for it.
    let calls = ["odd", "room", "odd", "hall"].map(|room| manager.add(room, &front, "anna"));
    let ended: Vec<_> = futures_util::future::join_all(calls).await.iter().map(Result::is_ok).collect();
    assert_eq!(ended, [false, true, false, true]);
    assert_eq!(manager.channels_of_server("connector-1").await.expect("channels").len(), 2);
}

/// A call that was given up, or has timed out, does not change anything behind the back of a later one.
async fn changes_that_nobody_waits_for_do_not_come_late(runtime: Arc<dyn Runtime>) {
    let redis = Redis::start(&Options::default()).expect("Redis");
    let part = Duration::from_millis(300);
    let config = plain(&redis).timeout(Duration::from_secs(1)).connect_timeout(part).response_timeout(part);
    let manager = started(&config, &runtime).await;
    let front = frontend("connector-1", 1);
    for round in 0..3 {
        let room = format!("room-{round}");
        redis.freeze().expect("freeze");
        // More than the sockets hold, so that Redis reads it in many pieces when it wakes.
        let many = users(0..60_000);
        let late = manager.add_many(&room, &front, &many).await.expect_err("a frozen server");
        assert!(late.is_temporary(), "{late}");
        redis.thaw().expect("thaw");
        let begin = Instant::now();
        while let Err(error) = manager.leave_many(&room, &front, &many).await {
            assert!(error.is_temporary(), "{error}");
            assert!(Instant::now().saturating_since(begin) < Duration::from_secs(30), "{error}");
        }
        // Whatever it is still told by connections that we have left, it has heard by now.
        for _ in 0..50 {
            assert_eq!(manager.count(&room).await.expect("count"), 0, "in round {round}");
            runtime.sleep(Duration::from_millis(4)).await;
        }
    }
}

async fn a_thousand_changes_travel_in_few_requests(runtime: Arc<dyn Runtime>) {
    let redis = Redis::start(&Options::default()).expect("Redis");
    let manager = started(&plain(&redis), &runtime).await;
    let front = frontend("connector-1", 1);
    manager.add("room", &front, "anna").await.expect("add");
    redis.ask(&["CONFIG", "RESETSTAT"]).expect("reset");
    let rooms: Vec<_> = (0..2000).map(|n| (format!("room-{}", n % 100), format!("user-{n}"))).collect();
    let calls = rooms.iter().map(|(room, user)| manager.add(room, &front, user));
    assert!(futures_util::future::join_all(calls).await.iter().all(Result::is_ok));
    let stats = redis.ask(&["INFO", "commandstats"]).and_then(Reply::text).expect("stats");
    let scripts = stats.lines().filter_map(|line| line.strip_prefix("cmdstat_evalsha:calls="));
    let scripts: usize = scripts.filter_map(|rest| rest.split(',').next()?.parse::<usize>().ok()).sum();
    // How many gather while a request is on its way depends on what else the machine does.
    assert!((1..=100).contains(&scripts), "{scripts} requests for 2000 changes");
    for n in 0..100 {
        assert_eq!(manager.count(&format!("room-{n}")).await.expect("count"), 20);
    }
}

/// The last one of a user in a channel counts, and a channel is listed as long as somebody is in it.
async fn changes_that_travel_together_keep_their_order_and_the_list_of_channels(runtime: Arc<dyn Runtime>) {
    let redis = Redis::start(&Options::default()).expect("Redis");
    let manager = started(&plain(&redis), &runtime).await;
    let front = frontend("connector-1", 1);
    let mut expected = BTreeSet::new();
    for round in 0..40 {
        // The first one travels alone; the others gather meanwhile.
        let changes: Vec<_> = (0..400)
            .map(|_| {
                (
                    format!("room-{}", fastrand::u8(..20)),
                    format!("user-{}", fastrand::u8(..4)),
                    fastrand::u8(..10) < 3,
                )
            })
            .collect();
        for (room, user, add) in &changes {
            let place = (room.clone(), user.clone());
            if *add {
                expected.insert(place)
            } else {
                expected.remove(&place)
            };
        }
        let calls = changes.iter().map(|(room, user, add)| {
            let (manager, front) = (&manager, &front);
            async move {
                if *add {
                    manager.add(room, front, user).await
                } else {
                    manager.leave(room, front, user).await
                }
            }
        });
        assert!(futures_util::future::join_all(calls).await.iter().all(Result::is_ok));
        let rooms: BTreeSet<String> = expected.iter().map(|(room, _)| room.clone()).collect();
        for n in 0..20 {
            let room = format!("room-{n}");
            let there = manager.members_by_server(&room, "connector-1").await.expect("members");
            let there: BTreeSet<_> = there.into_iter().map(|user| (room.clone(), user)).collect();
            let in_room = expected.iter().filter(|(of, _)| *of == room).cloned();
            assert_eq!(there, in_room.collect(), "round {round}");
        }
        let fields = redis
            .ask(&["HKEYS", "POMELO:CHANNEL%server:connector-1"])
            .and_then(Reply::texts)
            .expect("fields");
        let listed: BTreeSet<String> = fields.into_iter().filter(|field| field != ":life").collect();
        assert_eq!(listed, rooms, "round {round}");
    }
}

async fn a_server_that_forgets_its_scripts_is_told_again(runtime: Arc<dyn Runtime>) {
    let redis = Redis::start(&Options::default()).expect("Redis");
    let manager = started(&plain(&redis), &runtime).await;
    for n in 0..5 {
        redis.ask(&["SCRIPT", "FLUSH"]).expect("flush");
        manager.add("room", &frontend("connector-1", 1), &format!("user-{n}")).await.expect("add");
        redis.ask(&["SCRIPT", "FLUSH"]).expect("flush");
        assert_eq!(manager.count("room").await.expect("count"), n + 1);
    }
}

async fn memory_that_is_full_is_an_error_and_nothing_is_half_done(runtime: Arc<dyn Runtime>) {
    let redis = Redis::start(&Options::default()).expect("Redis");
    let manager = started(&plain(&redis), &runtime).await;
    let front = frontend("connector-1", 1);
    manager.add("room", &front, "anna").await.expect("add");
    redis.ask(&["CONFIG", "SET", "maxmemory", "1"]).expect("maxmemory");
    for room in ["room", "hall"] {
        let full = manager.add_many(room, &front, &users(0..20_000)).await.expect_err("no memory");
        assert_eq!(full.kind(), ErrorKind::Unavailable, "{full}");
        assert!(full.to_string().contains("maxmemory"), "{full}");
    }
    assert_eq!(manager.channels_of_server("connector-1").await.expect("channels"), ["room"]);
    manager.leave("room", &front, "anna").await.expect("leaving makes room");
    redis.ask(&["CONFIG", "SET", "maxmemory", "0"]).expect("maxmemory");
    manager.add_many("hall", &front, &users(0..20_000)).await.expect("add");
    assert_eq!(manager.count("hall").await.expect("count"), 20_000);
}
