//! Who gets in: secrets and versions.

use super::streams::{Fault, Faulty};
use super::*;
use futures_lite::{AsyncReadExt as _, AsyncWriteExt as _};
use tangelo_core::wire::VERSION;
use tangelo_core::{Error, ErrorKind};

/// What `accept` says to the one connection that `open` makes.
async fn accepted(
    runtime: &Arc<dyn Runtime>,
    config: LinkConfig,
    open: impl FnOnce(u16) -> BoxFuture<'static, ()>,
) -> Result<Parts, Error> {
    let listener = runtime.listen("127.0.0.1", 0).await.unwrap();
    runtime.spawn(open(listener.local_addr().unwrap().port()));
    let (stream, from) = listener.accept().await.unwrap();
    accept(runtime, &config, stream, &from.to_string()).await
}

fn one_line(error: &Error) -> String {
    let line = error.to_string();
    assert!(!line.contains('\n') && !line.contains("horse") && !line.contains("wrong"), "{line}");
    line
}

#[test]
fn a_wrong_secret_is_denied_on_both_sides_with_the_cure() {
    run(|runtime| async move {
        let (put, opened) = async_channel::bounded(1);
        let there = Arc::clone(&runtime);
        let far = accepted(&runtime, config("master"), move |port| {
            Box::pin(async move {
                let wrong = LinkConfig { secret: Secret::from_text("wrong").unwrap(), ..config("spy") };
                put.send(connect(&there, &wrong, "127.0.0.1", port).await.map(drop)).await.unwrap();
            })
        });
        let far = far.await.unwrap_err();
        let near = opened.recv().await.unwrap().unwrap_err();
        for error in [near, far] {
            assert_eq!(error.kind(), ErrorKind::Denied);
            let line = one_line(&error);
            assert!(line.starts_with("127.0.0.1:"), "{line}");
            assert!(
                line.ends_with(
                    "does not have this cluster's secret (TANGELO_SECRET, `secret` in master.json or run/secret)"
                ),
                "{line}"
            );
        }
    });
}

#[test]
fn an_acceptor_without_the_secret_learns_nothing_and_is_denied() {
    run(|runtime| async move {
        // It claims to accept, and answers with noise.
        let listener = runtime.listen("127.0.0.1", 0).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        runtime.spawn(Box::pin(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            stream.read_exact(&mut [0; 53]).await.unwrap();
            let mut answer = b"TNGL".to_vec();
            answer.extend([VERSION, 0, 0, 60]);
            answer.extend([9; 60]);
            stream.write_all(&answer).await.unwrap();
            drop(stream.read(&mut [0; 1]).await);
        }));
        let error = connect(&runtime, &config("a"), "127.0.0.1", port).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Denied, "{error}");
    });
}

#[test]
fn versions_that_differ_are_both_named_on_both_sides() {
    run(|runtime| async move {
        let (put, answer) = async_channel::bounded(1);
        let there = Arc::clone(&runtime);
        let far = accepted(&runtime, config("master"), move |port| {
            Box::pin(async move {
                let mut stream = there.connect("127.0.0.1", port).await.unwrap();
                // A later version whose first words we do not understand.
                stream
                    .write_all(b"TNGL\xC8 and something else, quite long, that nobody reads")
                    .await
                    .unwrap();
                let mut answer = Vec::new();
                stream.read_to_end(&mut answer).await.unwrap();
                put.send(answer).await.unwrap();
            })
        });
        let error = far.await.unwrap_err();
        let answer = answer.recv().await.unwrap();
        assert_eq!(answer, [b"TNGL".as_slice(), &[VERSION]].concat());
        let line = one_line(&error);
        assert!(line.contains("version 200") && line.contains(&format!("version {VERSION}")), "{line}");

        let listener = runtime.listen("127.0.0.1", 0).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        runtime.spawn(Box::pin(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            stream.write_all(b"TNGL\xC8").await.unwrap();
            drop(stream.read_to_end(&mut Vec::new()).await);
        }));
        let error = connect(&runtime, &config("a"), "127.0.0.1", port).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported);
        let line = one_line(&error);
        assert!(line.contains("version 200") && line.contains(&format!("version {VERSION}")), "{line}");
    });
}

#[test]
fn another_protocol_on_the_port_is_named_as_such() {
    run(|runtime| async move {
        let listener = runtime.listen("127.0.0.1", 0).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        runtime.spawn(Box::pin(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.unwrap();
            drop(stream.read_to_end(&mut Vec::new()).await);
        }));
        let error = connect(&runtime, &config("a"), "127.0.0.1", port).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Protocol);
        assert!(one_line(&error).contains("no Tangelo"), "{error}");
    });
}

#[test]
fn a_port_where_nobody_listens_is_unavailable_and_one_that_says_nothing_times_out() {
    run(|runtime| async move {
        let listener = runtime.listen("127.0.0.1", 0).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let impatient = LinkConfig { handshake_timeout: Duration::from_millis(100), ..config("a") };
        let error = connect(&runtime, &impatient, "127.0.0.1", port).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Timeout);
        assert!(one_line(&error).contains(&format!("127.0.0.1:{port}")), "{error}");
        drop(listener);
        let error = connect(&runtime, &impatient, "127.0.0.1", port).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable);
        assert!(one_line(&error).contains(&format!("127.0.0.1:{port}")), "{error}");
    });
}

#[test]
fn a_replayed_handshake_gets_no_link() {
    run(|runtime| async move {
        let host = Host::new(&runtime, config("master")).await;
        let mut recorded = Faulty::new(host.raw().await, Fault::None);
        handshake::open(&mut recorded, &config("victim"), "test").await.unwrap();
        drop(host.links.recv().await.unwrap());
        let words = recorded.written.lock().unwrap().clone();
        assert!(words.len() > 53, "the handshake was recorded");

        let there = Arc::clone(&runtime);
        let error = accepted(&runtime, config("master"), move |port| {
            Box::pin(async move {
                let mut stream = there.connect("127.0.0.1", port).await.unwrap();
                stream.write_all(&words).await.unwrap();
                drop(stream.read_to_end(&mut Vec::new()).await);
            })
        });
        let error = error.await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Denied);
        assert!(one_line(&error).contains("replayed"), "{error}");
    });
}

#[test]
fn an_id_that_is_too_long_is_refused_before_it_is_sent() {
    run(|runtime| async move {
        let host = Host::new(&runtime, config("master")).await;
        let error = connect(&runtime, &config(&"x".repeat(256)), "127.0.0.1", host.port).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid, "{error}");
        host.pair(&config(&"x".repeat(255))).await;
    });
}

#[test]
fn a_secret_is_its_trimmed_text_and_never_shown() {
    let key = |text: &str| *Secret::from_text(text).unwrap().key();
    assert_eq!(key("a secret\n"), key("a secret"));
    assert_ne!(key("a secret"), key("a secreT"));
    assert_ne!(key("a secret"), [0; 32]);
    assert_eq!(format!("{:?}", Secret::from_text("a secret").unwrap()), "Secret(…)");
    assert!(!format!("{:?}", config("a")).contains("horse"));
    assert_eq!(Secret::from_text(" \n").unwrap_err().kind(), ErrorKind::Invalid);
}
