//! Clients of a cluster: what they ask is answered by frontends and backends, also when those die.

pub(crate) mod app;

use crate::support::{Client, Cluster, Look, Signal, signal, trials, wait_until};
use core::time::Duration;
use serde_json::{Value, json};
use tangelo::core::Instant;
use tangelo::core::wire::ServerState;

trials![
    clients_are_served_by_frontends_and_backends,
    a_backend_that_is_killed_in_mid_request_is_told_at_once_and_the_next_goes_to_another,
    messages_of_a_client_begin_in_the_order_in_which_it_sent_them,
];

/// A cluster whose servers know each other.
fn cluster() -> Cluster {
    let cluster = Cluster::new(json!({
        "connector": [
            {"id": "connector-1", "frontend": true, "clients": true},
            {"id": "connector-2", "frontend": true, "clients": true},
        ],
        "chat": [{"id": "chat-1", "clients": true}, {"id": "chat-2", "clients": true}],
    }));
    cluster.write("config/globalChannel.json", r#"{"development": {"channelManager": "memory"}}"#);
    cluster.start();
    for id in ["connector-1", "connector-2", "chat-1", "chat-2"] {
        wait_until("all know each other", || cluster.has_note(&format!("{id} 1 after-start-all")));
    }
    cluster
}

/// A client of the nth connector.
fn client(cluster: &Cluster, n: usize) -> Client {
    let servers: Value = serde_json::from_str(&cluster.read("config/servers.json")).expect("JSON");
    let port = servers["development"]["connector"][n - 1]["clientPort"].as_u64().expect("a port");
    Client::connect(u16::try_from(port).expect("a port"))
}

fn entered(cluster: &Cluster, n: usize, uid: &str) -> Client {
    let mut client = client(cluster, n);
    assert_eq!(client.ask("connector.entry.enter", &json!(uid)), "welcome");
    client
}

fn clients_are_served_by_frontends_and_backends() {
    let cluster = cluster();
    let mut stranger = client(&cluster, 1);
    assert!(stranger.knows("chat.room.say") && stranger.knows("connector.entry.enter"));
    assert_eq!(stranger.ask("chat.room.say", &json!("hello"))["code"], 401);
    assert_eq!(stranger.ask("chat.room.none", &json!({}))["code"], 404);
    assert_eq!(stranger.ask("connector.entry.none", &json!({}))["code"], 404);
    assert_eq!(stranger.ask("area.room.enter", &json!({}))["code"], 503);
    assert_eq!(stranger.ask("chat.remote.add", &json!([1, 2]))["code"], 404, "a method is not for clients");
    assert_eq!(stranger.ask("tangelo.session.x", &json!({}))["code"], 503);

    let (mut ann, mut ben) = (entered(&cluster, 1, "ann"), entered(&cluster, 2, "ben"));
    let who = ann.ask("chat.room.who", &json!({}));
    assert_eq!(
        (&who["uid"], &who["sid"], &who["room"]),
        (&json!("ann"), &json!("connector-1"), &json!(null))
    );
    // What a backend sets, later messages have, and the frontend's other backends too.
    assert_eq!(ann.ask("chat.room.move", &json!("attic")), json!(null));
    assert_eq!(ann.push(), ("onMoved".into(), json!("attic")));
    assert_eq!(ann.ask("chat.room.who", &json!({}))["room"], "attic");
    // The same user is at the same backend from whichever frontend.
    let mut again = entered(&cluster, 2, "ann");
    assert_eq!(again.ask("chat.room.who", &json!({}))["at"], who["at"]);

    let said = (String::from("onSaid"), json!({"from": "ann", "text": "hello"}));
    assert_eq!(ann.ask("chat.room.say", &json!("hello")), 3);
    for client in [&mut ann, &mut ben, &mut again] {
        assert_eq!(client.push(), said);
    }
    assert_eq!(ben.ask("chat.room.shout", &json!([1])), 4, "everybody, also who is not bound");
    for client in [&mut ann, &mut ben, &mut again, &mut stranger] {
        assert_eq!(client.push(), ("onShout".into(), json!([1])));
    }
    assert_eq!(ben.ask("chat.room.whisper", &json!(["ann", "connector-1", "psst"])), true);
    assert_eq!(ann.push(), ("onWhisper".into(), json!("psst")));
    assert_eq!(ben.ask("chat.room.whisper", &json!(["ann", "connector-9", "psst"])), false);
    let sum = json!({"by": who["at"], "for": "connector-1", "sum": 5});
    assert_eq!(ann.ask("connector.entry.ask", &json!([2, 3])), sum);
    assert_eq!(ann.ask("connector.entry.ask", &json!("x"))["code"], 400);

    assert_eq!(ben.ask("chat.room.kick", &json!("ann")), 2);
    for client in [&mut ann, &mut again] {
        assert_eq!(client.closed(), Some(json!({"reason": "enough"})));
    }
    for note in ["connector-1 1 bound ann", "connector-1 1 closed ann", "connector-2 1 closed ann"] {
        wait_until(note, || cluster.has_note(note));
    }
    assert_eq!(ben.ask("chat.room.say", &json!("alone")), 1);
    cluster.end();
}

fn a_backend_that_is_killed_in_mid_request_is_told_at_once_and_the_next_goes_to_another() {
    let cluster = cluster();
    let mut ann = entered(&cluster, 1, "ann");
    let at = ann.ask("chat.room.who", &json!({}))["at"].as_str().expect("a server").to_owned();
    let hanging = ann.request("chat.room.hang", &json!({}));
    wait_until("it hangs", || cluster.has_note(&format!("{at} 1 hanging")));
    let pid = cluster.list().pid(&at);
    let killed = Instant::now();
    signal(pid, Signal::KILL);
    assert_eq!(ann.response(hanging)["code"], 503);
    let took = Instant::now().saturating_since(killed);
    assert!(took < Duration::from_secs(5), "told after {took:?}");
    cluster.wait_for("it has failed", |list| list.is(&at, ServerState::Failed));
    let other = if at == "chat-1" { "chat-2" } else { "chat-1" };
    assert_eq!(ann.ask("chat.room.who", &json!({}))["at"], other);
    assert_eq!(ann.ask("chat.room.say", &json!("still here")), 1);
    cluster.end();
}

fn messages_of_a_client_begin_in_the_order_in_which_it_sent_them() {
    let cluster = cluster();
    let mut ann = entered(&cluster, 1, "ann");
    let ids: Vec<Option<u64>> = (0..400)
        .map(|n| {
            if n % 3 == 0 {
                ann.notify("chat.room.count", &json!(n));
                return None;
            }
            Some(ann.request("chat.room.count", &json!(n)))
        })
        .collect();
    for id in ids.into_iter().flatten() {
        assert_eq!(ann.response(id), json!(null));
    }
    // The last one was a notify.
    wait_until("all have been counted", || cluster.notes().iter().any(|note| note.ends_with(" count 399")));
    let counted =
        cluster.notes().into_iter().filter_map(|note| Some(note.split_once(" count ")?.1.to_owned()));
    assert!(counted.eq((0..400).map(|n| n.to_string())));
    cluster.end();
}
