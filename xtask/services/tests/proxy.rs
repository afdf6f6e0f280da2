//! The proxy between a client and an echo.

use core::net::SocketAddr;
use core::time::Duration;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use tangelo_services::clock;
use tangelo_services::proxy::Proxy;

const SILENCE: Duration = Duration::from_millis(100);
const LIMIT: Duration = Duration::from_secs(10);

#[test]
fn a_cut_is_silence_and_what_was_sent_arrives_after_it() {
    let proxy = Proxy::to(echo()).expect("a proxy");
    let mut stream = connect(&proxy);
    assert_eq!(said(&mut stream, "one", LIMIT).expect("an answer"), "one");

    proxy.cut();
    assert!(said(&mut stream, "two", SILENCE).is_err(), "nothing passes");
    let mut late = connect(&proxy);
    assert!(said(&mut late, "three", SILENCE).is_err(), "new connections are silent");

    proxy.mend().expect("mend");
    assert_eq!(heard(&mut stream, 3, LIMIT).expect("an answer"), "two");
    assert_eq!(heard(&mut late, 5, LIMIT).expect("an answer"), "three");
    assert_eq!(proxy.connections(), 2);
}

#[test]
fn an_end_during_a_cut_is_known_after_it() {
    let target = TcpListener::bind("127.0.0.1:0").expect("listen");
    let proxy = Proxy::to(target.local_addr().expect("address")).expect("a proxy");
    let client = connect(&proxy);
    let (mut server, _) = target.accept().expect("accept");
    proxy.cut();
    drop(client);
    server.set_read_timeout(Some(SILENCE)).expect("timeout");
    assert!(server.read(&mut [0]).is_err(), "the end does not pass");
    proxy.mend().expect("mend");
    server.set_read_timeout(Some(LIMIT)).expect("timeout");
    assert_eq!(server.read(&mut [0]).expect("an end"), 0);
}

#[test]
fn severed_connections_end_and_new_ones_are_refused_until_it_is_mended() {
    let proxy = Proxy::to(echo()).expect("a proxy");
    let mut stream = connect(&proxy);
    assert_eq!(said(&mut stream, "one", LIMIT).expect("an answer"), "one");

    proxy.sever();
    assert_eq!(stream.read(&mut [0]).unwrap_or(0), 0, "it is closed");
    assert!(TcpStream::connect(proxy.address()).is_err(), "it refuses");
    assert_eq!(proxy.connections(), 0);

    proxy.mend().expect("mend");
    assert_eq!(said(&mut connect(&proxy), "two", LIMIT).expect("an answer"), "two");
}

#[test]
fn a_connection_that_was_cut_can_be_severed() {
    let proxy = Proxy::to(echo()).expect("a proxy");
    proxy.cut();
    let mut stream = connect(&proxy);
    assert!(said(&mut stream, "one", SILENCE).is_err(), "nothing passes");
    proxy.sever();
    assert_eq!(stream.read(&mut [0]).unwrap_or(0), 0, "it is closed");
}

#[test]
fn a_delay_is_paid_in_both_directions() {
    let proxy = Proxy::to(echo()).expect("a proxy");
    let mut stream = connect(&proxy);
    proxy.delay(SILENCE);
    let start = clock::now();
    assert_eq!(said(&mut stream, "one", LIMIT).expect("an answer"), "one");
    assert!(clock::now() - start >= SILENCE * 2);
}

#[test]
fn without_a_target_a_connection_is_closed() {
    let nobody =
        TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("address");
    let proxy = Proxy::to(nobody).expect("a proxy");
    assert_eq!(connect(&proxy).read(&mut [0]).unwrap_or(0), 0);
}

/// A server that sends back what it gets.
fn echo() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("listen");
    let address = listener.local_addr().expect("address");
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            std::thread::spawn(move || std::io::copy(&mut &stream, &mut &stream));
        }
    });
    address
}

fn connect(proxy: &Proxy) -> TcpStream {
    TcpStream::connect(proxy.address()).expect("connect")
}

fn said(stream: &mut TcpStream, text: &str, limit: Duration) -> std::io::Result<String> {
    stream.write_all(text.as_bytes())?;
    heard(stream, text.len(), limit)
}

fn heard(stream: &mut TcpStream, len: usize, limit: Duration) -> std::io::Result<String> {
    stream.set_read_timeout(Some(limit))?;
    let mut bytes = vec![0; len];
    stream.read_exact(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
