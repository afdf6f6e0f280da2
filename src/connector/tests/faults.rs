//! What clients do wrong, each on its own connection: it is counted, and nobody else feels it.

use super::bench::{DEADLINE, quick, upgraded};
use super::*;
use core::time::Duration;
use serde_json::json;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Instant;
use tangelo_core::client::{Message, PackageType, Route};
use tangelo_core::config::ConnectorConfig;
use tungstenite::Message as WebMessage;
use tungstenite::protocol::frame::Frame;
use tungstenite::protocol::frame::coding::{Data, OpCode};

/// Sends this once the handshake is through, on both transports, and sees the end of it and of nobody else.
#[track_caller]
fn closes_for(why: &str, bytes: &[u8]) {
    for web in [false, true] {
        let bench = Bench::start(quick(), |_| {});
        let mut bystander = bench.client(web);
        let mut client = bench.client(web);
        client.raw(bytes);
        client.ends();
        bench.closes(why);
        assert_eq!(bystander.request("connector.test.echo", &json!(1)), json!(1));
        let stats = bench.app.connector_stats().unwrap();
        assert_eq!((stats.closed.values().sum::<u64>(), stats.clients), (1, 1), "{:?}", stats.closed);
    }
}

#[test]
fn a_package_of_an_unknown_type_is_the_end() {
    closes_for("package-type", &[9, 0, 0, 0]);
}

#[test]
fn a_package_that_is_too_long_is_the_end_before_it_comes() {
    closes_for("package-too-long", &[4, 1, 0, 1]);
}

#[test]
fn only_servers_kick() {
    closes_for("unexpected", &[5, 0, 0, 0]);
}

#[test]
fn a_message_cut_short_is_the_end() {
    closes_for("truncated", &[4, 0, 0, 1, 0]);
}

#[test]
fn a_message_of_an_unknown_type_is_the_end() {
    closes_for("message-kind", &[4, 0, 0, 2, 0x0E, 0]);
}

#[test]
fn a_route_that_is_no_text_is_the_end() {
    closes_for("route-not-utf8", &[4, 0, 0, 4, 2, 2, 0xC3, 0x28]);
}

#[test]
fn a_code_that_stands_for_no_route_is_the_end() {
    closes_for("route-code", &[4, 0, 0, 4, 1, 0x7F, 0xFF, 0xFF]);
}

#[test]
fn a_damaged_compressed_body_is_the_end() {
    closes_for("compression", &[4, 0, 0, 5, 0x12, 1, b'a', 1, 2]);
}

#[test]
fn a_flood_of_packages_that_do_nothing_is_the_end() {
    closes_for("flood", &[2, 0, 0, 0].repeat(100));
}

#[test]
fn a_handshake_that_is_none_is_refused() {
    let bench = Bench::start(quick(), |_| {});
    for web in [false, true] {
        for body in [&b"no JSON"[..], b"{}", b"\xFF\xFE"] {
            let mut client = Client::connect(bench.address, web);
            client.package(PackageType::Handshake, body);
            assert_eq!(client.next_of(PackageType::Handshake), br#"{"code":500}"#);
            client.ends();
        }
    }
    eventually("six refusals", || bench.closed("refused") == 6);
}

#[test]
fn what_comes_before_the_handshake_is_ignored() {
    let bench = Bench::start(quick(), |_| {});
    for web in [false, true] {
        let mut client = Client::connect(bench.address, web);
        client.ask(1, "connector.test.echo", &json!(1));
        client.package(PackageType::Heartbeat, &[]);
        client.package(PackageType::HandshakeAck, &[]);
        client.handshake();
        assert_eq!(client.request("connector.test.echo", &json!(2)), json!(2));
    }
    assert_eq!(bench.app.connector_stats().unwrap().received, 2);
}

#[test]
fn what_is_neither_a_package_nor_http_is_the_end() {
    let bench = Bench::start(quick(), |_| {});
    for garbage in [&b"\0\0\0\0"[..], b"\x16\x03\x01\x02\x00", b"\xFF", b"ssh-2.0"] {
        let mut client = Client::connect(bench.address, false);
        client.raw(garbage);
        client.ends();
    }
    eventually("four", || bench.closed("garbage") == 4);
}

#[test]
fn a_connection_that_says_nothing_or_trickles_is_late() {
    let bench =
        Bench::start(ConnectorConfig { handshake_timeout: Duration::from_millis(1500), ..quick() }, |_| {});
    let begun = Instant::now();
    let mut silent = Client::connect(bench.address, false);
    let mut asked = Client::connect(bench.address, true);
    assert_eq!(asked.handshake_with(&json!({"sys": {}}))["code"], 200);
    let trickles: [&[u8]; 3] = [
        b"\x01\x00\x10\x00{\"sys\":{\"version\":\"                                                 ",
        b"GET / HTTP/1.1\r\nA:                                                                 ",
        b"GET / HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: dGhlIHNhbXBs",
    ];
    let trickling: Vec<_> = trickles
        .into_iter()
        .map(|bytes| {
            let mut client = Client::connect(bench.address, false);
            std::thread::spawn(move || {
                for byte in bytes {
                    client.raw(&[*byte]);
                    std::thread::sleep(Duration::from_millis(40));
                }
                client.ends();
            })
        })
        .collect();
    silent.ends();
    asked.ends();
    trickling.into_iter().for_each(|client| client.join().unwrap());
    assert!(begun.elapsed() < Duration::from_secs(10));
    eventually("five", || bench.closed("handshake-timeout") == 5);
}

#[test]
fn bytes_that_are_no_whole_package_are_no_sign_of_life() {
    let config = ConnectorConfig {
        heartbeat: Some(Duration::from_millis(200)),
        timeout: Some(Duration::from_secs(2)),
        ..quick()
    };
    let bench = Bench::start(config, |_| {});
    for web in [false, true] {
        let mut alive = bench.client(web);
        let mut silent = bench.client(web);
        let mut trickling = bench.client(false);
        std::thread::scope(|scope| {
            let silent = scope.spawn(|| silent.ends());
            let trickling = scope.spawn(|| {
                trickling.raw(&[4, 0, 1, 0]);
                for _ in 0..60 {
                    trickling.raw(&[0]);
                    std::thread::sleep(Duration::from_millis(50));
                }
                trickling.ends();
            });
            while !(silent.is_finished() && trickling.is_finished()) {
                alive.package(PackageType::Heartbeat, &[]);
                alive.next_of(PackageType::Heartbeat);
                std::thread::sleep(Duration::from_millis(150));
            }
            assert_eq!(alive.request("connector.test.echo", &json!(1)), json!(1));
        });
    }
    eventually("four", || bench.closed("heartbeat-timeout") >= 4);
}

#[test]
fn without_heartbeats_the_silent_are_kept() {
    let bench = Bench::start(ConnectorConfig { heartbeat: None, ..quick() }, |_| {});
    let mut client = bench.client(true);
    client.package(PackageType::Heartbeat, &[]);
    assert_eq!(client.request("connector.test.echo", &json!(1)), json!(1));
}

#[test]
fn more_connections_than_are_allowed_are_turned_away() {
    let bench = Bench::start(ConnectorConfig { max_connections: Some(2), ..quick() }, |_| {});
    let (mut first, second) = (bench.client(false), bench.client(true));
    let mut third = Client::connect(bench.address, false);
    third.ends();
    assert_eq!(bench.app.connector_stats().unwrap().turned_away, 1);
    assert_eq!(first.request("connector.test.echo", &json!(1)), json!(1));
    drop(second);
    eventually("room", || bench.app.connector_stats().unwrap().connections == 1);
    bench.client(true);
}

#[test]
fn a_flood_of_handshakes_costs_the_oldest_and_no_client() {
    let bench = Bench::start(ConnectorConfig { max_handshakes: 3, ..quick() }, |_| {});
    let mut client = bench.client(true);
    let mut waiting: Vec<Client> = (0..5).map(|_| Client::connect(bench.address, false)).collect();
    waiting[0].ends();
    waiting[1].ends();
    waiting.drain(2..).for_each(|mut last| assert_eq!(last.handshake()["code"], 200));
    assert_eq!(bench.closed("crowded"), 2);
    assert_eq!(client.request("connector.test.echo", &json!(1)), json!(1));
}

fn http(bench: &Bench, request: &str) -> String {
    let mut stream = TcpStream::connect(bench.address).unwrap();
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut response = Vec::new();
    stream.read_to_end(&mut response).unwrap();
    String::from_utf8(response).unwrap()
}

#[test]
fn browsers_without_websocket_get_the_page_or_are_told_what_is_missing() {
    let bench = Bench::start(quick(), |_| {});
    assert!(http(&bench, "GET / HTTP/1.1\r\nHost: a\r\n\r\n").starts_with("HTTP/1.1 426 "));
    assert!(http(&bench, "POST /x HTTP/1.1\r\n\r\nbody").starts_with("HTTP/1.1 426 "));
    assert!(http(&bench, "NONSENSE\r\n\r\n").starts_with("HTTP/1.1 400 "));
    let long = format!("GET / HTTP/1.1\r\nCookie: {}\r\n\r\n", "x".repeat(20_000));
    assert!(http(&bench, &long).starts_with("HTTP/1.1 431 "));
    eventually("four", || bench.closed("no-upgrade") == 2 && bench.closed("http") == 2);

    let page = "<!doctype html><p>höchst".repeat(5000);
    let bench = Bench::start(quick().page(page.clone()), |_| {});
    let response = http(&bench, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert!(response.starts_with("HTTP/1.1 200 OK\r\n") && response.ends_with(&page));
    bench.client(true);
    bench.closes("page");
}

#[test]
fn texts_and_unmasked_frames_are_the_end_and_the_client_hears_why() {
    let bench = Bench::start(quick(), |_| {});
    let Client::Web(mut socket) = bench.client(true) else { unreachable!() };
    socket.send(WebMessage::Text("hello".into())).unwrap();
    let close = loop {
        match socket.read().unwrap() {
            WebMessage::Close(close) => break close.unwrap(),
            _ => continue,
        }
    };
    assert_eq!((u16::from(close.code), close.reason.as_str()), (1003, "text"));
    bench.closes("text");

    let Client::Web(socket) = bench.client(true) else { unreachable!() };
    let mut stream = socket.get_ref().try_clone().unwrap();
    stream.write_all(&[0x82, 1, 3]).unwrap();
    let mut socket = upgraded(stream);
    assert!(matches!(socket.read(), Ok(WebMessage::Close(Some(close))) if u16::from(close.code) == 1002));
    bench.closes("websocket");
}

#[test]
fn messages_in_parts_and_pings_among_them_are_understood() {
    let bench = Bench::start(quick(), |_| {});
    let Client::Web(mut socket) = bench.client(true) else { unreachable!() };
    let mut message = Vec::new();
    Message::request(7, Route::Name("connector.test.echo"), b"[1]").encode_into(&mut message).unwrap();
    let mut bytes = Vec::new();
    tangelo_core::client::package::encode_into(&mut bytes, PackageType::Data, &message).unwrap();
    let (first, second) = bytes.split_at(9);
    let part = |bytes: &[u8], data, last| {
        WebMessage::Frame(Frame::message(bytes.to_vec(), OpCode::Data(data), last))
    };
    socket.send(part(first, Data::Binary, false)).unwrap();
    socket.send(WebMessage::Ping(b"there?".to_vec().into())).unwrap();
    assert_eq!(socket.read().unwrap(), WebMessage::Pong(b"there?".to_vec().into()));
    socket.send(part(second, Data::Continue, true)).unwrap();
    assert_eq!(Client::Web(socket).response(7), json!([1]));
}

#[test]
fn several_packages_in_a_frame_are_taken_and_a_part_of_one_is_not() {
    let bench = Bench::start(quick(), |_| {});
    let mut client = bench.client(true);
    client.raw(&[3, 0, 0, 0, 3, 0, 0, 0]);
    client.next_of(PackageType::Heartbeat);
    client.next_of(PackageType::Heartbeat);
    client.raw(&[3, 0, 0, 0, 4, 0, 0, 9, 1]);
    client.ends();
    bench.closes("partial");
}

#[test]
fn a_websocket_that_is_closed_is_closed_in_return() {
    let bench = Bench::start(quick(), |_| {});
    let Client::Web(mut socket) = bench.client(true) else { unreachable!() };
    socket.close(None).unwrap();
    let answer = loop {
        match socket.read() {
            Ok(WebMessage::Close(close)) => break close,
            Ok(_) => {}
            Err(error) => panic!("{error}"),
        }
    };
    assert!(answer.is_some_and(|close| u16::from(close.code) == 1000));
    bench.closes("by-client");
}

#[test]
fn a_client_that_resets_its_connection_is_gone_at_once() {
    let bench = Bench::start(quick(), |_| {});
    for web in [false, true] {
        let client = bench.user(web, "ann");
        // Unread input makes the system reset the connection.
        assert!(bench.push(&["ann"], "onChat", "{}").is_empty());
        eventually("that it waits there", || client.stream().peek(&mut [0; 1]).is_ok_and(|n| n == 1));
        drop(client);
        eventually("that ann has gone", || bench.push(&["ann"], "onChat", "{}").len() == 1);
    }
    eventually("no connection", || bench.app.connector_stats().unwrap().connections == 0);
}
