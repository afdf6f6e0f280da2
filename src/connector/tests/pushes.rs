//! Pushes: how many writes they take, and clients that do not read.

use super::bench::{DEADLINE, app, quick};
use super::*;
use crate::connector::doubles::{Memory, hub, packages};
use crate::connector::{accept, sink};
use alloc::sync::Arc;
use core::time::Duration;
use serde_json::json;
use std::io::Read;
use std::time::Instant;
use tangelo_core::channel::{PushMessage, PushSink as _};
use tangelo_core::client::PackageType;
use tangelo_core::config::{ConnectorConfig, SlowClient};

/// A frontend in memory, with users `user-0` … , and their other ends.
fn crowd(n: usize, config: ConnectorConfig) -> (crate::App, sink::ClientSink, Vec<Memory>, Vec<String>) {
    let (app, _dir) = app(&[]);
    let hub = hub(&app, config);
    let ends: Vec<Memory> = (0..n)
        .map(|_| {
            let end = Memory::default();
            accept::take(&hub, Box::new(end.clone()), ([127, 0, 0, 1], 1).into());
            end.say(b"\x01\0\0\x0A{\"sys\":{}}\x02\0\0\0");
            end
        })
        .collect();
    eventually("that all are clients", || app.shared().clients.len() == n);
    let mut clients = app.shared().clients.all();
    clients.sort_by_key(super::super::Client::id);
    let names: Vec<String> = (0..n).map(|n| format!("user-{n}")).collect();
    clients.iter().zip(&names).for_each(|(client, name)| client.bind(name).unwrap());
    // The answer to the handshake, and the first heartbeat.
    ends.iter().for_each(|end| eventually("the heartbeat", || end.heard().ends_with(&[3, 0, 0, 0])));
    (app, sink::ClientSink(hub), ends, names)
}

fn push(sink: &sink::ClientSink, names: &[String], body: &str) -> usize {
    let mut failed = 0;
    let message = PushMessage { route: "onChat", body: body.as_bytes() };
    sink.push(message, &mut names.iter().map(String::as_str), &mut |_, _| failed += 1);
    failed
}

#[test]
fn one_push_is_one_write_for_each_client() {
    let (app, sink, ends, names) = crowd(200, quick());
    let before: Vec<usize> = ends.iter().map(Memory::writes).collect();
    assert_eq!(push(&sink, &names, "{}"), 0);
    for (end, before) in ends.iter().zip(before) {
        eventually("the push", || end.writes() > before);
        assert_eq!(end.writes(), before + 1);
        assert_eq!(packages(&end.heard()).len(), 1);
    }
    eventually("that it is counted", || app.connector_stats().unwrap().sent == 600);
}

#[test]
fn a_stream_of_pushes_goes_in_few_writes() {
    const PUSHES: usize = 1000;
    let (_app, sink, ends, names) = crowd(10, quick());
    let before: Vec<usize> = ends.iter().map(Memory::writes).collect();
    ends.iter().for_each(|end| end.stuck(true));
    (0..PUSHES).for_each(|n| assert_eq!(push(&sink, &names, &n.to_string()), 0));
    ends.iter().for_each(|end| end.stuck(false));
    for (end, before) in ends.iter().zip(before) {
        let mut heard = Vec::new();
        eventually("all of them", || {
            heard.extend(end.heard());
            heard.len() >= PUSHES * (4 + 2 + 6 + 1) && packages(&heard).len() == PUSHES
        });
        let writes = end.writes() - before;
        assert!(writes <= PUSHES / 64 + 2, "{writes} writes");
        let bodies: Vec<String> = packages(&heard)
            .into_iter()
            .map(|(_, body)| String::from_utf8(body[8..].to_vec()).unwrap())
            .collect();
        assert_eq!(bodies, (0..PUSHES).map(|n| n.to_string()).collect::<Vec<_>>(), "in their order");
    }
}

#[test]
fn a_client_whose_queue_is_full_is_reported_and_goes_and_nobody_else_feels_it() {
    let config = ConnectorConfig { queue_messages: 10, ..quick() };
    let (app, sink, ends, names) = crowd(3, config);
    ends[1].stuck(true);
    let mut heard = [Vec::new(), Vec::new()];
    for n in 0..10 {
        assert_eq!(push(&sink, &names, &n.to_string()), 0);
        for (end, heard) in [&ends[0], &ends[2]].into_iter().zip(&mut heard) {
            eventually("the push", || {
                heard.extend(end.heard());
                packages(heard).len() == n + 1
            });
        }
    }
    let mut failed = Vec::new();
    let message = PushMessage { route: "onChat", body: b"10" };
    sink.push(message, &mut names.iter().map(String::as_str), &mut |uid, error| {
        failed.push((uid.to_owned(), error.message));
    });
    assert_eq!(failed, [("user-1".to_owned(), "its queue is full: it reads too slowly".to_owned())]);
    assert!(!sink.has_session("user-1") && sink.has_session("user-0"));
    for (end, heard) in [&ends[0], &ends[2]].into_iter().zip(&mut heard) {
        eventually("the last", || {
            heard.extend(end.heard());
            packages(heard).len() == 11
        });
    }
    eventually("that it has gone", || app.connector_stats().unwrap().connections == 2);
    let stats = app.connector_stats().unwrap();
    assert_eq!((stats.closed["slow"], stats.overflowed), (1, 1));
}

#[test]
fn answers_that_come_together_may_be_more_than_the_queue_takes() {
    const ANSWERS: u64 = 20;
    let config = ConnectorConfig { queue: 100 << 10, queue_messages: 3, ..quick() };
    let (app, _sink, ends, _) = crowd(1, config);
    let client = app.shared().clients.all().remove(0);
    let body = format!("\"{}\"", "x".repeat(60 << 10));
    (1..=ANSWERS).for_each(|id| client.respond(id, "a.b.c", body.as_bytes()));
    let mut heard = Vec::new();
    eventually("all of them", || {
        heard.extend(ends[0].heard());
        packages(&heard).len() == usize::try_from(ANSWERS).unwrap()
    });
    assert_eq!((app.connector_stats().unwrap().overflowed, client.is_closed()), (0, false));
}

#[test]
fn a_slow_client_may_miss_messages_instead() {
    let config = ConnectorConfig { queue_messages: 10, slow: SlowClient::Drop, ..quick() };
    let (app, sink, ends, names) = crowd(1, config);
    ends[0].stuck(true);
    let failed: usize = (0..30).map(|n| push(&sink, &names, &n.to_string())).sum();
    assert_eq!(failed, 20);
    ends[0].stuck(false);
    let mut heard = Vec::new();
    eventually("the first ten", || {
        heard.extend(ends[0].heard());
        packages(&heard).len() == 10
    });
    assert_eq!(push(&sink, &names, "31"), 0);
    assert_eq!(app.connector_stats().unwrap().overflowed, 20);
}

#[test]
fn everybody_is_pushed_to_bound_or_not() {
    let (app, sink, ends, _) = crowd(3, quick());
    app.shared().clients.all()[0].unbind();
    let delivered = sink.push_all(PushMessage { route: "onNews", body: b"{}" }, &mut |_, _| panic!());
    assert_eq!(delivered, Ok(3));
    ends.iter().for_each(|end| eventually("the news", || packages(&end.heard()).len() == 1));
}

#[test]
fn a_client_that_never_reads_holds_up_nobody() {
    let config = ConnectorConfig { queue: 64 << 10, ..quick() };
    let bench = Bench::start(config, |_| {});
    for web in [false, true] {
        let deaf = bench.user(web, "deaf");
        let mut ann = bench.user(web, "ann");
        let body = format!("\"{}\"", "x".repeat(8000));
        let mut pushes = 0;
        while bench.push(&["deaf", "ann"], "onChat", &body).is_empty() {
            assert_eq!(ann.pushed().1, body);
            pushes += 1;
            assert!(pushes < 100_000, "the queue is bounded");
        }
        assert_eq!(ann.pushed().1, body, "the one that deaf did not get");
        assert!(!bench.app.shared().clients.of_uid("ann").is_empty());
        let mut rest = Vec::new();
        deaf.stream().set_read_timeout(Some(DEADLINE)).unwrap();
        // What had reached the system may come yet, and then the end, or a reset.
        let _ = deaf.stream().read_to_end(&mut rest);
    }
    eventually("two slow ones", || bench.closed("slow") == 2);
}

#[test]
fn a_kick_waits_two_seconds_for_who_does_not_read_and_no_longer() {
    let bench = Bench::start(ConnectorConfig { queue: 64 << 20, ..quick() }, |_| {});
    for web in [false, true] {
        let deaf = bench.user(web, "deaf");
        let body = format!("\"{}\"", "x".repeat(100_000));
        for _ in 0..200 {
            assert!(bench.push(&["deaf"], "onChat", &body).is_empty());
        }
        let begun = Instant::now();
        bench.app.shared().clients.of_uid("deaf")[0].kick("enough");
        eventually("the end", || bench.app.connector_stats().unwrap().connections == 0);
        let took = begun.elapsed();
        assert!((Duration::from_millis(1500)..Duration::from_secs(6)).contains(&took), "{took:?}");
        drop(deaf);
    }
}

#[test]
fn what_waits_comes_before_the_kick() {
    let bench = Bench::start(ConnectorConfig { queue: 64 << 20, ..quick() }, |_| {});
    for web in [false, true] {
        let mut slow = bench.user(web, "slow");
        let body = format!("\"{}\"", "x".repeat(100_000));
        for _ in 0..100 {
            assert!(bench.push(&["slow"], "onChat", &body).is_empty());
        }
        bench.app.shared().clients.of_uid("slow")[0].kick("enough");
        (0..100).for_each(|_| assert_eq!(slow.pushed().1.len(), body.len()));
        slow.next_of(PackageType::Kick);
        slow.ends();
    }
}

#[test]
fn requests_of_who_does_not_read_its_responses_wait() {
    // It asks for far more than its queue holds; as it is not read from meanwhile, it is not even slow.
    let bench = Bench::start(ConnectorConfig { queue: 128 << 10, ..quick() }, |_| {});
    for web in [false, true] {
        let mut client = bench.client(web);
        let body = json!("x".repeat(10_000));
        std::thread::scope(|scope| {
            let (mut asking, body) = (client.stream().try_clone().unwrap(), &body);
            scope.spawn(move || {
                let mut asking = match web {
                    true => Client::Web(Box::new(bench::upgraded(asking))),
                    false => {
                        asking = asking.try_clone().unwrap();
                        Client::Tcp(asking)
                    }
                };
                (1..=2000).for_each(|id| asking.ask(id, "connector.test.echo", body));
            });
            std::thread::sleep(Duration::from_millis(300));
            (1..=2000).for_each(|id| assert_eq!(&client.response(id), body));
        });
    }
    assert_eq!(bench.closed("slow"), 0);
}

/// Locks are held in one order: pushes, kicks and comings at once, for long enough to find a deadlock.
#[test]
fn pushes_kicks_and_comings_at_once() {
    let bench = Arc::new(Bench::start(quick(), |_| {}));
    let until = Instant::now() + Duration::from_millis(1500);
    std::thread::scope(|scope| {
        for n in 0..2 {
            let bench = &bench;
            scope.spawn(move || {
                while Instant::now() < until {
                    let mut client = bench.client(n == 0);
                    client.ask(1, "connector.test.bind", &json!("ann"));
                    while let Some((kind, _)) = client.next() {
                        if kind == PackageType::Kick {
                            break;
                        }
                    }
                }
            });
        }
        scope.spawn(|| {
            while Instant::now() < until + Duration::from_millis(500) {
                bench.push(&["ann", "ben"], "onChat", "{}");
                let all = bench.app.shared().clients.of_uid("ann");
                all.iter().for_each(|client| client.kick("enough"));
                std::thread::yield_now();
            }
        });
    });
    eventually("the end of all", || bench.app.connector_stats().unwrap().connections == 0);
}
