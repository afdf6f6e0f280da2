//! Listeners and streams.

use super::super::tools::within;
use crate::Instant;
use crate::runtime::{Listener, Runtime, Stream};
use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;
use core::time::Duration;
use futures_lite::{AsyncReadExt, AsyncWriteExt, future};
use std::io;

const LOOPBACK: &str = "127.0.0.1";

async fn listener(runtime: &Arc<dyn Runtime>) -> (Box<dyn Listener>, u16) {
    let listener = runtime.listen(LOOPBACK, 0).await.expect("listen on a free port of loopback");
    let address = listener.local_addr().expect("local_addr");
    assert!(address.ip().is_loopback() && address.port() != 0, "the bound address is {address}");
    (listener, address.port())
}

async fn pair(runtime: &Arc<dyn Runtime>) -> (Box<dyn Stream>, Box<dyn Stream>) {
    let (listener, port) = listener(runtime).await;
    let (client, server) = future::zip(runtime.connect(LOOPBACK, port), listener.accept()).await;
    let (server, peer) = server.expect("accept");
    assert!(peer.ip().is_loopback(), "the peer's address is {peer}");
    (client.expect("connect"), server)
}

/// Bytes come as they were sent, both ways at once and more than any buffer holds; one side can
/// close and still read.
pub async fn streams_carry_bytes_both_ways(runtime: &Arc<dyn Runtime>) {
    let (mut client, mut server) = pair(runtime).await;
    runtime.spawn(Box::pin(async move {
        let mut buf = vec![0; 10_000];
        loop {
            let n = server.read(&mut buf).await.expect("read at the server");
            if n == 0 {
                break;
            }
            server.write_all(&buf[..n]).await.expect("write at the server");
        }
        server.write_all(b"bye").await.expect("write after the peer's close");
        server.close().await.expect("close at the server");
    }));
    let sent: Vec<u8> = (0..4_000_000u32).map(|n| (n % 251).to_le_bytes()[0]).collect();
    let (mut reader, mut writer) = futures_lite::io::split(&mut client);
    let write = async {
        writer.write_all(&sent).await.expect("write at the client");
        writer.flush().await.expect("flush at the client");
        writer.close().await.expect("close at the client");
    };
    let mut received = Vec::new();
    let read = async { reader.read_to_end(&mut received).await.expect("read at the client") };
    future::zip(write, read).await;
    assert!(received.strip_suffix(b"bye") == Some(&sent), "4 MB came back changed");
}

/// Two hundred connections at once each get their own answer.
pub async fn many_connections_at_once(runtime: &Arc<dyn Runtime>) {
    const CLIENTS: u32 = 200;
    let (listener, port) = listener(runtime).await;
    let (done, dones) = async_channel::unbounded();
    for n in 0..CLIENTS {
        let (runtime, done) = (Arc::clone(runtime), done.clone());
        Arc::clone(&runtime).spawn(Box::pin(async move {
            let mut stream = runtime.connect(LOOPBACK, port).await.expect("connect");
            stream.write_all(&n.to_le_bytes()).await.expect("write");
            let mut answer = [0; 4];
            stream.read_exact(&mut answer).await.expect("read");
            let _ = done.send((n, u32::from_le_bytes(answer))).await;
        }));
    }
    for _ in 0..CLIENTS {
        let (mut stream, _) = listener.accept().await.expect("accept");
        runtime.spawn(Box::pin(async move {
            let mut n = [0; 4];
            stream.read_exact(&mut n).await.expect("read");
            let answer = u32::from_le_bytes(n) + 1;
            stream.write_all(&answer.to_le_bytes()).await.expect("write");
        }));
    }
    for _ in 0..CLIENTS {
        let (n, answer) = dones.recv().await.expect("an answer");
        assert_eq!(answer, n + 1);
    }
}

/// Six hundred connect while nobody accepts: [`widen_backlog`](crate::runtime::widen_backlog). All servers of a
/// cluster come at once to a new leader, and whom the system turns away comes again only after a second.
pub async fn a_crowd_waits_to_be_accepted(runtime: &Arc<dyn Runtime>) {
    const CROWD: usize = 600;
    let (_listener, port) = listener(runtime).await;
    let mut waiting = Vec::with_capacity(CROWD);
    let connected = async {
        while waiting.len() < CROWD {
            waiting.push(runtime.connect(LOOPBACK, port).await.expect("connect"));
        }
    };
    let all = within(&**runtime, Duration::from_secs(10), connected).await.is_some();
    assert!(all, "only {} of {CROWD} connections wait to be accepted", waiting.len());
}

/// `TCP_NODELAY` is set at both ends. Without it, Nagle's algorithm and delayed acknowledgements
/// hold each second small write back for 40 ms.
pub async fn small_writes_are_sent_at_once(runtime: &Arc<dyn Runtime>) {
    const ROUNDS: u32 = 100;
    async fn play(stream: &mut dyn Stream, first: bool) {
        let mut byte = [0; 2];
        for round in 0..ROUNDS {
            if first || round > 0 {
                stream.write_all(b"a").await.expect("write");
                stream.write_all(b"b").await.expect("write");
            }
            stream.read_exact(&mut byte).await.expect("read");
        }
        if !first {
            stream.write_all(b"ab").await.expect("write");
        }
    }
    let mut took = Duration::MAX;
    // A machine is busy now and then; the delay would show each time: at one end only, it would be 80 × 40 ms.
    for _ in 0..3 {
        let (mut client, mut server) = pair(runtime).await;
        let start = Instant::now();
        future::zip(play(&mut *client, true), play(&mut *server, false)).await;
        took = took.min(Instant::now().saturating_since(start));
        if took < Duration::from_millis(1500) {
            return;
        }
    }
    panic!("{ROUNDS} rounds took {took:?}: TCP_NODELAY is not set");
}

/// An `accept` that is dropped, at whatever moment, takes no connection with it.
pub async fn a_dropped_accept_loses_no_connection(runtime: &Arc<dyn Runtime>) {
    const CLIENTS: u32 = 100;
    let (listener, port) = listener(runtime).await;
    let inner = Arc::clone(runtime);
    runtime.spawn(Box::pin(async move {
        for n in 0..CLIENTS {
            let mut stream = inner.connect(LOOPBACK, port).await.expect("connect");
            stream.write_all(&n.to_le_bytes()).await.expect("write");
        }
    }));
    let mut accepted = Vec::new();
    let mut dropped = 0u64;
    while accepted.len() < CLIENTS as usize {
        let Some(connection) =
            within(&**runtime, Duration::from_micros(dropped % 300), listener.accept()).await
        else {
            dropped += 1;
            assert!(dropped < 200_000, "of {CLIENTS} connections only {} were accepted", accepted.len());
            continue;
        };
        let mut n = [0; 4];
        connection.expect("accept").0.read_exact(&mut n).await.expect("read");
        accepted.push(u32::from_le_bytes(n));
    }
    assert_eq!(accepted, (0..CLIENTS).collect::<Vec<_>>());
}

/// A port that somebody listens on cannot be bound again.
pub async fn a_taken_port_is_an_error(runtime: &Arc<dyn Runtime>) {
    let (_listener, port) = listener(runtime).await;
    let error = runtime.listen(LOOPBACK, port).await.expect_err("two listeners on one port");
    assert_eq!(error.kind(), io::ErrorKind::AddrInUse, "{error}");
}

/// A port whose old connections are in TIME_WAIT is free: Pomelo gave up on such a server.
pub async fn a_port_can_be_bound_again_at_once(runtime: &Arc<dyn Runtime>) {
    let mut outcome = Ok(());
    // Between the two, somebody else on this machine may get the port; and a child that some other test is
    // just starting has a copy of the listener until its exec.
    for _ in 0..10 {
        let (listener, port) = listener(runtime).await;
        let (client, server) = future::zip(runtime.connect(LOOPBACK, port), listener.accept()).await;
        let (mut client, mut server) = (client.expect("connect"), server.expect("accept").0);
        // Who closes first has the TIME_WAIT.
        server.close().await.expect("close");
        drop(server);
        assert_eq!(client.read(&mut [0]).await.expect("read"), 0, "the end of the stream");
        drop((client, listener));
        outcome = runtime.listen(LOOPBACK, port).await.map(drop);
        if outcome.is_ok() {
            return;
        }
    }
    outcome.expect("listen on a port that was closed a moment ago");
}

/// A connection that nobody takes is an error, and comes soon.
pub async fn nobody_there_is_an_error(runtime: &Arc<dyn Runtime>) {
    let (listener, port) = listener(runtime).await;
    drop(listener);
    let mut outcome = runtime.connect(LOOPBACK, port).await;
    // A child that some other test is just starting has a copy of the listener until its exec.
    for _ in 0..100 {
        if outcome.is_ok() {
            runtime.sleep(Duration::from_millis(10)).await;
            outcome = runtime.connect(LOOPBACK, port).await;
        }
    }
    let error = outcome.expect_err("nobody listens");
    assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused, "{error}");
}

/// Hosts may be names; one that has no address is an error.
pub async fn names_are_resolved(runtime: &Arc<dyn Runtime>) {
    let listener = runtime.listen("localhost", 0).await.expect("listen on localhost");
    let port = listener.local_addr().expect("local_addr").port();
    let (client, server) = future::zip(runtime.connect("localhost", port), listener.accept()).await;
    client.expect("connect to localhost");
    server.expect("accept");
    // An empty label is no name, so nobody is asked for it.
    runtime.connect("a..b", 1).await.expect_err("a name without an address");
    runtime.listen("a..b", 0).await.expect_err("a name without an address");
}
