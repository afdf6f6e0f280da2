//! TLS towards clients.

use super::bench::{DEADLINE, quick};
use super::*;
use alloc::sync::Arc;
use futures_rustls::pki_types::{CertificateDer, ServerName};
use futures_rustls::rustls::crypto::ring;
use futures_rustls::rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use serde_json::json;
use std::io::{Read, Write};
use std::net::TcpStream;
use tangelo_core::client::{PackageType, package};
use tangelo_core::config::ConnectorConfig;
use tungstenite::Message as WebMessage;

type Secure = StreamOwned<ClientConnection, TcpStream>;

fn start() -> (Bench, CertificateDer<'static>) {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let (cert, key) = (made.cert.pem(), made.signing_key.serialize_pem());
    let files = [
        ("cert.pem", &*cert),
        ("key.pem", &*key),
        ("connector.json", r#"{"tls": {"cert": "config/cert.pem", "key": "config/key.pem"}}"#),
    ];
    (Bench::start_with(quick(), &files, |_| {}), made.cert.der().clone())
}

fn connect(bench: &Bench, cert: &CertificateDer<'static>) -> Secure {
    let mut roots = RootCertStore::empty();
    roots.add(cert.clone()).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from("localhost").unwrap();
    let session = ClientConnection::new(Arc::new(config), name).unwrap();
    let stream = TcpStream::connect(bench.address).unwrap();
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    StreamOwned::new(session, stream)
}

fn packages(kinds: &[(PackageType, &[u8])]) -> Vec<u8> {
    let mut bytes = Vec::new();
    kinds.iter().for_each(|(kind, body)| package::encode_into(&mut bytes, *kind, body).unwrap());
    bytes
}

#[test]
fn both_transports_work_inside_of_tls() {
    let (bench, cert) = start();
    let hello = packages(&[(PackageType::Handshake, br#"{"sys":{}}"#), (PackageType::HandshakeAck, b"")]);
    let mut stream = connect(&bench, &cert);
    stream.write_all(&hello).unwrap();
    let mut next = || {
        let mut header = [0; 4];
        stream.read_exact(&mut header).unwrap();
        let mut body = vec![0; package::needed(&header, 1 << 20).unwrap() - 4];
        stream.read_exact(&mut body).unwrap();
        (header[0], body)
    };
    assert_eq!((next().0, next().0), (1, 3));
    let client = bench.app.shared().clients.all().remove(0);
    client.bind("ann").unwrap();
    // More than TLS puts into one record, and more than one write takes.
    let body = format!("\"{}\"", "x".repeat(300_000));
    (0..2).for_each(|_| assert!(bench.push(&["ann"], "onChat", &body).is_empty()));
    for _ in 0..2 {
        let got = next().1;
        assert!(got.ends_with(b"xxx\"") && got.len() > 300_000);
    }
    client.kick("enough");

    let (mut socket, _) = tungstenite::client("ws://localhost/", connect(&bench, &cert)).unwrap();
    socket.send(WebMessage::Binary(hello.into())).unwrap();
    let WebMessage::Binary(answer) = socket.read().unwrap() else { panic!() };
    assert_eq!(serde_json::from_slice::<serde_json::Value>(&answer[4..]).unwrap()["code"], json!(200));
}

#[test]
fn what_is_not_tls_is_the_end_and_a_handshake_that_stops_is_late() {
    let (bench, cert) = start();
    for garbage in [&b"GET / HTTP/1.1\r\n\r\n"[..], b"\x01\0\0\0", &[0xFF; 300]] {
        let mut stream = TcpStream::connect(bench.address).unwrap();
        stream.write_all(garbage).unwrap();
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        let _ = stream.read_to_end(&mut Vec::new());
    }
    eventually("three", || bench.closed("tls") == 3);
    connect(&bench, &cert).write_all(b"\x01").unwrap();
    let files = [
        ("a.pem", "no certificate"),
        ("connector.json", r#"{"tls": {"cert": "config/a.pem", "key": "config/a.pem"}}"#),
    ];
    let (app, _dir) = super::bench::app(&files);
    app.set(ConnectorConfig::default());
    let error = crate::connector::prepare(&app).unwrap_err().to_string();
    assert!(error.contains("a.pem, of \"tls\" for clients: "), "{error}");
}
