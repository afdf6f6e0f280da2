//! Handshakes, messages, sessions, and the end.

use super::bench::{DEADLINE, app, quick};
use super::*;
use crate::connector;
use alloc::sync::Arc;
use core::sync::atomic::{AtomicUsize, Ordering};
use core::time::Duration;
use serde_json::{Value, json};
use std::time::Instant;
use tangelo_core::client::{Message, PackageType, Route};
use tangelo_core::config::{ChannelStore, ConnectorConfig, GlobalChannelConfig, SessionsPerUser};

#[test]
fn a_client_shakes_hands_asks_and_is_answered_on_either_transport() {
    let bench = Bench::start_with(quick(), &[("dictionary.json", "[\"onChat\"]")], |_| {});
    for web in [false, true] {
        let mut client = Client::connect(bench.address, web);
        let sys = client.handshake()["sys"].clone();
        assert_eq!((&sys["heartbeat"], &sys["useDict"]), (&json!(5), &json!(true)));
        assert_eq!(sys["dict"], json!({"connector.test.bind": 1, "connector.test.echo": 2, "onChat": 3}));
        let body = json!({"text": "ü".repeat(20_000)});
        assert_eq!(client.request("connector.test.echo", &body), body);
        client.message(&Message::request(9, Route::Code(2), b"[1]"));
        assert_eq!(client.response(9), json!([1]));
        assert_eq!(client.request("connector.test.nothing", &json!({}))["code"], 404);
        client.package(PackageType::Heartbeat, &[]);
        client.next_of(PackageType::Heartbeat);
        // Who has the dictionary is not sent it again.
        let known = json!({"sys": {"dictVersion": sys["dictVersion"]}});
        assert!(Client::connect(bench.address, web).handshake_with(&known)["sys"]["dict"].is_null());
    }
    let stats = bench.app.connector_stats().unwrap();
    assert_eq!((stats.received, stats.accepted), (6, 4));
    eventually("that they have gone", || bench.app.connector_stats().unwrap().connections == 0);
    assert_eq!(bench.closed("by-client"), 4);
}

#[test]
fn many_messages_in_one_write_are_answered_in_their_order() {
    let bench = Bench::start(quick(), |_| {});
    for web in [false, true] {
        let mut client = bench.client(web);
        let mut bytes = Vec::new();
        for id in 1..=500 {
            let mut message = Vec::new();
            let body = id.to_string();
            Message::request(id, Route::Name("connector.test.echo"), body.as_bytes())
                .encode_into(&mut message)
                .unwrap();
            tangelo_core::client::package::encode_into(&mut bytes, PackageType::Data, &message).unwrap();
        }
        client.raw(&bytes);
        (1..=500).for_each(|id| assert_eq!(client.response(id), json!(id)));
    }
    let stats = bench.app.connector_stats().unwrap();
    assert!(stats.writes < stats.sent / 5, "responses that are there together go together: {stats:?}");
}

#[test]
fn no_more_is_read_from_a_client_than_is_worked_on() {
    let begun = Arc::new(AtomicUsize::new(0));
    let (go, gate) = async_channel::unbounded::<()>();
    let config = ConnectorConfig { requests_at_once: 4, ..quick() };
    let bench = Bench::start(config, |app| {
        let begun = Arc::clone(&begun);
        app.handler("connector.test.wait", move |request: crate::Request, _: crate::Session| {
            begun.fetch_add(1, Ordering::AcqRel);
            let gate = gate.clone();
            async move {
                let _ = gate.recv().await;
                request.json::<Value>()
            }
        });
    });
    for web in [false, true] {
        begun.store(0, Ordering::Release);
        let mut client = bench.client(web);
        (1..=20).for_each(|id| client.ask(id, "connector.test.wait", &json!(id)));
        eventually("four begin", || begun.load(Ordering::Acquire) == 4);
        // Others are served meanwhile.
        assert_eq!(bench.client(!web).request("connector.test.echo", &json!(1)), json!(1));
        assert_eq!(begun.load(Ordering::Acquire), 4);
        go.send_blocking(()).unwrap();
        eventually("a fifth begins", || begun.load(Ordering::Acquire) == 5);
        (0..19).for_each(|_| go.send_blocking(()).unwrap());
        let mut ids: Vec<Value> = (0..20)
            .map(|_| {
                let body = client.next_of(PackageType::Data);
                serde_json::from_slice(Message::decode(&body).unwrap().body).unwrap()
            })
            .collect();
        ids.sort_by_key(Value::as_u64);
        assert_eq!(ids, (1..=20).map(Value::from).collect::<Vec<_>>());
    }
}

#[test]
fn the_application_looks_at_handshakes() {
    let config = quick().handshake(|user, address| match user["token"].as_str() {
        Some("right") => Ok(json!({"from": address.ip().to_string()})),
        Some("panic") => panic!("on demand"),
        _ => Err("no token"),
    });
    let bench = Bench::start(config, |_| {});
    for web in [false, true] {
        let shake =
            |user| Client::connect(bench.address, web).handshake_with(&json!({"sys": {}, "user": user}));
        assert_eq!(shake(json!({"token": "right"}))["user"], json!({"from": "127.0.0.1"}));
        for wrong in [json!({}), json!({"token": "panic"}), Value::Null] {
            let mut client = Client::connect(bench.address, web);
            let answer = client.handshake_with(&json!({"sys": {}, "user": wrong}));
            assert_eq!(answer, json!({"code": 500}));
            client.ends();
        }
    }
    eventually("six refusals", || bench.closed("refused") == 6);
}

#[test]
fn whoever_is_kicked_hears_why() {
    let closed = Arc::new(AtomicUsize::new(0));
    let bench = Bench::start(quick(), |app| {
        let closed = Arc::clone(&closed);
        app.on_session_closed(move |_| {
            closed.fetch_add(1, Ordering::AcqRel);
            async {}
        });
    });
    for web in [false, true] {
        let uid = format!("user-{web}");
        let (mut client, mut second) = (bench.user(web, &uid), bench.user(!web, &uid));
        let clients = bench.app.shared().clients.of_uid(&uid);
        assert_eq!(clients.len(), 2);
        clients.iter().for_each(|client| client.kick("enough"));
        assert!(clients.iter().all(connector::Client::is_closed));
        assert!(bench.app.shared().clients.of_uid(&uid).is_empty(), "at once");
        for client in [&mut client, &mut second] {
            let body: Value = serde_json::from_slice(&client.next_of(PackageType::Kick)).unwrap();
            assert_eq!(body, json!({"reason": "enough"}));
            client.ends();
        }
        assert!(clients[0].push("onChat", b"{}").is_err());
    }
    eventually("four ends", || closed.load(Ordering::Acquire) == 4);
    assert_eq!(bench.closed("kicked"), 4);
}

#[test]
fn a_user_may_have_one_session_and_then_the_older_goes() {
    let config = ConnectorConfig { sessions_per_user: SessionsPerUser::One, ..quick() };
    let bench = Bench::start(config, |_| {});
    for web in [false, true] {
        let mut first = bench.user(web, "ann");
        let mut second = bench.user(!web, "ann");
        let body: Value = serde_json::from_slice(&first.next_of(PackageType::Kick)).unwrap();
        assert_eq!(body, json!({"reason": "replaced"}));
        first.ends();
        assert!(bench.push(&["ann"], "onChat", "1").is_empty());
        assert_eq!(second.pushed(), ("onChat".into(), "1".into()));
        // To bind it again changes nothing; to another user is an error.
        assert!(second.request("connector.test.bind", &json!("ann"))["id"].is_u64());
        assert!(second.request("connector.test.bind", &json!("ben"))["code"].is_number());
        drop(second);
        eventually("that ann has gone", || bench.app.shared().clients.of_uid("ann").is_empty());
    }
}

#[test]
fn who_has_no_session_is_in_no_channel_and_who_loses_the_last_leaves_all() {
    let bench = Bench::start(quick(), |app| {
        let config =
            GlobalChannelConfig { channel_manager: ChannelStore::Memory, ..GlobalChannelConfig::default() };
        app.set(config);
    });
    bench.run(crate::channel::start(&bench.app)).unwrap();
    let rooms = bench.app.global_channels().unwrap();
    let (first, second) = (bench.user(false, "ann"), bench.user(true, "ann"));
    bench.run(rooms.add("lobby", "ann", "connector-1")).unwrap();
    let stranger = bench.run(rooms.add("lobby", "ben", "connector-1")).unwrap_err();
    assert_eq!(stranger.kind(), crate::ErrorKind::NotFound);
    drop(first);
    eventually("that one session has gone", || bench.app.shared().clients.of_uid("ann").len() == 1);
    assert_eq!(bench.run(rooms.count("lobby")).unwrap(), 1);
    drop(second);
    eventually("that ann has left", || bench.run(rooms.count("lobby")).unwrap() == 0);
}

#[test]
fn on_the_way_down_every_client_is_told_and_the_port_closes() {
    let bench = Bench::start(quick(), |_| {});
    let mut clients: Vec<Client> = (0..20).map(|n| bench.client(n % 2 == 0)).collect();
    let fresh = Client::connect(bench.address, false);
    eventually("all", || bench.app.connector_stats().unwrap().connections == 21);
    let listeners: Vec<_> = clients
        .drain(..)
        .map(|mut client| {
            std::thread::spawn(move || {
                let body: Value = serde_json::from_slice(&client.next_of(PackageType::Kick)).unwrap();
                client.ends();
                body
            })
        })
        .collect();
    bench.run(connector::stop(&bench.app));
    for listener in listeners {
        assert_eq!(listener.join().unwrap(), json!({"reason": "the server stops"}));
    }
    drop(fresh);
    assert_eq!(bench.closed("stopping"), 21);
    assert_eq!(bench.app.connector_stats().unwrap().connections, 0);
    assert!(std::net::TcpStream::connect(bench.address).is_err());
}

#[test]
fn who_does_not_hang_up_holds_up_the_end_no_longer_than_its_bound() {
    let bench = Bench::start(quick(), |_| {});
    let _deaf = [bench.client(false), bench.client(true)];
    let begun = Instant::now();
    bench.run(connector::stop(&bench.app));
    assert!(begun.elapsed() < Duration::from_secs(4), "{:?}", begun.elapsed());
    assert!(begun.elapsed() < DEADLINE);
}

#[test]
fn an_application_with_a_sink_of_its_own_keeps_its_port() {
    #[derive(Debug)]
    struct Own;
    impl crate::PushSink for Own {
        fn push(
            &self,
            _: crate::PushMessage<'_>,
            users: &mut dyn Iterator<Item = &str>,
            _: &mut dyn FnMut(&str, crate::PushError),
        ) {
            users.for_each(drop);
        }
    }
    let (app, _dir) = app(&[("connector.json", "{\"heart\": 1}")]);
    app.push_sink(Own);
    connector::prepare(&app).unwrap();
    assert!(app.connector_stats().is_none());
}
