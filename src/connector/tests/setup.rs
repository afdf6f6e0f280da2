//! What configuration files say, and listeners that fail.

use super::bench::{app, quick};
use super::*;
use crate::connector::accept::accept;
use crate::connector::doubles::{Memory, hub};
use alloc::sync::Arc;
use async_trait::async_trait;
use core::net::SocketAddr;
use core::sync::atomic::{AtomicUsize, Ordering};
use serde_json::json;
use std::io;
use tangelo_core::ErrorKind;
use tangelo_core::client::{Message, PackageType, Route};
use tangelo_core::runtime::{Listener, Stream};

#[test]
fn a_file_that_is_wrong_keeps_the_server_from_starting() {
    for (file, text, error) in [
        ("connector.json", "{\n\"heart\": 1}", "config/connector.json:2:1: \"heart\" is no key"),
        (
            "connector.json",
            "{\"heartbeat\": \"x\"}",
            "config/connector.json:1:15: expected a number of seconds",
        ),
        ("dictionary.json", "[\"a\",\n{}]", "config/dictionary.json:2:1: expected a route"),
        (
            "serverProtos.json",
            "{\"a\": {\"required uInt32 x\": 1}",
            "config/serverProtos.json:1:31: expected",
        ),
        ("clientProtos.json", "{\"a\": {\"required what x\": 1}}", "config/clientProtos.json: "),
    ] {
        let (app, _dir) = app(&[(file, text)]);
        let found = crate::connector::prepare(&app).unwrap_err();
        assert_eq!(found.kind(), ErrorKind::Invalid, "{found}");
        assert!(found.to_string().contains(error), "{found}");
    }
    let (app, _dir) = app(&[]);
    app.set(crate::ConnectorConfig { queue: 1, ..quick() });
    let error = crate::connector::prepare(&app).unwrap_err().to_string();
    assert!(error.starts_with("ConnectorConfig: \"queue\""), "{error}");
}

#[cfg(not(feature = "client-tls"))]
#[test]
fn tls_that_is_not_in_this_build_is_named_with_its_feature() {
    let (app, _dir) = app(&[("connector.json", r#"{"tls": {"cert": "a.pem", "key": "b.pem"}}"#)]);
    let error = crate::connector::prepare(&app).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(error.to_string().contains("\"client-tls\""), "{error}");
}

#[test]
fn messages_with_definitions_are_protobuf_toclients_and_json_to_handlers() {
    let server = r#"{"onMove": {"required uInt32 x": 1}, "connector.test.echo": {"required uInt32 x": 1}}"#;
    let client = r#"{"connector.test.echo": {"required uInt32 x": 1}}"#;
    let files = [("serverProtos.json", server), ("clientProtos.json", client)];
    let bench = Bench::start_with(quick(), &files, |_| {});
    for web in [false, true] {
        let mut ann = bench.user(web, "ann");
        ann.message(&Message::request(1, Route::Name("connector.test.echo"), &[8, 5]));
        let body = ann.next_of(PackageType::Data);
        assert_eq!(Message::decode(&body).unwrap().body, [8, 5]);
        assert!(bench.push(&["ann"], "onMove", "{\"x\":7}").is_empty());
        let body = ann.next_of(PackageType::Data);
        assert_eq!(Message::decode(&body).unwrap().body, [8, 7]);
        assert_eq!(bench.push(&["ann"], "onMove", "{}"), ["ann"], "it lacks what is required");
        assert_eq!(Client::connect(bench.address, web).handshake()["sys"]["useProto"], json!(true));
    }
}

/// A port that fails as one does when there are no descriptors left.
#[derive(Debug, Default)]
struct Failing(AtomicUsize);

#[async_trait]
impl Listener for Failing {
    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(([127, 0, 0, 1], 1).into())
    }

    async fn accept(&self) -> io::Result<(Box<dyn Stream>, SocketAddr)> {
        match self.0.fetch_add(1, Ordering::AcqRel) {
            0 | 1 => Err(io::Error::from_raw_os_error(24)),
            2 => Ok((Box::new(Memory::default()), ([127, 0, 0, 1], 1).into())),
            _ => core::future::pending().await,
        }
    }
}

#[test]
fn without_descriptors_it_pauses_and_goes_on() {
    let (app, _dir) = app(&[]);
    let hub = hub(&app, quick());
    let (listening, stop) = async_channel::bounded(1);
    app.spawn(accept(Arc::clone(&hub), Box::new(Failing::default()), stop));
    eventually("the third", || app.connector_stats().unwrap().accepted == 1);
    assert_eq!(app.connector_stats().unwrap().accept_errors, 2);
    drop(listening);
}

#[test]
fn the_number_ofclients_is_what_the_server_says_of_itself() {
    let bench = Bench::start(quick(), |_| {});
    let clients = [bench.client(false), bench.client(true)];
    let mut seen = None;
    eventually("their number", || {
        seen = bench.app.shared().agent.said().or_else(|| seen.take());
        seen.as_deref() == Some("2 clients")
    });
    bench.app.set_status("all is well");
    drop(clients);
    eventually("that they have gone", || bench.app.connector_stats().unwrap().connections == 0);
    std::thread::sleep(core::time::Duration::from_millis(600));
    assert_eq!(bench.app.shared().agent.said().as_deref(), Some("all is well"));
}
