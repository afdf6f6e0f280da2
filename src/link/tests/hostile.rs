//! Peers that mean harm, or speak something else.

use super::frame::Kind;
use super::record::{Reader, Writer};
use super::streams::{Fault, Faulty};
use super::*;
use core::future::poll_fn;
use futures_lite::{AsyncReadExt as _, AsyncWriteExt as _};
use tangelo_core::wire::encode;

/// A session that its owner can misuse.
struct Rogue {
    stream: Box<dyn Stream>,
    session: handshake::Session,
    writer: Writer,
}

impl Rogue {
    async fn new(host: &Host) -> Self {
        let mut stream = host.raw().await;
        let session = handshake::open(&mut *stream, &config("rogue"), "test").await.unwrap();
        Self { stream, session, writer: Writer::default() }
    }

    fn frame(&mut self, kind: Kind, payload: &[u8]) {
        let mut out = Vec::new();
        frame::put(&mut out, kind, payload);
        self.writer.batch.push_back(out);
    }

    async fn write(&mut self) {
        let Self { stream, session, writer } = self;
        while poll_fn(|cx| writer.poll_write(cx, &mut **stream, &mut session.noise))
            .await
            .is_ok_and(|n| n > 0)
        {}
    }

    /// What the other side makes of it.
    async fn verdict(mut self, host: &Host) -> Closed {
        let (_link, mut inbox, _) = host.links.recv().await.unwrap();
        self.write().await;
        let (_, closed) = rest(&mut inbox).await;
        closed
    }
}

#[test]
fn who_sends_more_than_was_allowed_is_cut() {
    run(|runtime| async move {
        let queue = QueueLimits { messages: 10, bytes: 1 << 20 };
        let host = Host::new(&runtime, LinkConfig { queue, ..config("master") }).await;
        let mut rogue = Rogue::new(&host).await;
        let message = encode(&text("flood")).unwrap();
        for _ in 0..11 {
            rogue.frame(Kind::Message, &message);
        }
        let (_link, mut inbox, _) = host.links.recv().await.unwrap();
        rogue.write().await;
        // Nobody reads until the link has noticed.
        rogue.stream.read_to_end(&mut Vec::new()).await.ok();
        let (messages, closed) = rest(&mut inbox).await;
        assert_eq!(messages.len(), 10);
        assert!(matches!(&closed, Closed::Protocol(how) if how.contains("more than")), "{closed}");
        host.serves().await;
    });
}

#[test]
fn frames_that_make_no_sense_cut_the_link_and_nothing_else() {
    run(|runtime| async move {
        let host = Host::new(&runtime, config("master")).await;
        let frames: [(Kind, &[u8]); 6] = [
            (Kind::Message, &[0xFF; 40]),
            (Kind::Message, &[]),
            (Kind::Heartbeat, &encode(&text("not a beat")).unwrap()),
            (Kind::Heartbeat, &[0xFF; 65]),
            (Kind::Credit, &[1, 2, 3]),
            (Kind::Credit, &[0; 9]),
        ];
        for (kind, payload) in frames {
            let mut rogue = Rogue::new(&host).await;
            rogue.frame(kind, payload);
            let closed = rogue.verdict(&host).await;
            assert!(matches!(closed, Closed::Protocol(_)), "{kind:?}: {closed}");
        }
        let mut rogue = Rogue::new(&host).await;
        rogue.writer.batch.push_back(vec![200, 0, 0, 0]);
        assert!(matches!(rogue.verdict(&host).await, Closed::Protocol(_)));
        let mut rogue = Rogue::new(&host).await;
        rogue.writer.batch.push_back(vec![0, 0xFF, 0xFF, 0xFF]);
        assert!(matches!(rogue.verdict(&host).await, Closed::Protocol(_)), "a length over the limit");
        host.serves().await;
    });
}

#[test]
fn a_flood_of_pings_is_answered_within_bounds() {
    run(|runtime| async move {
        let host = Host::new(&runtime, config("master")).await;
        let mut rogue = Rogue::new(&host).await;
        let (link, _inbox, _) = host.links.recv().await.unwrap();
        let ping = encode(&Message::Ping).unwrap();
        for _ in 0..5000 {
            rogue.frame(Kind::Heartbeat, &ping);
        }
        rogue.write().await;
        let mut reader = Reader::default();
        poll_fn(|cx| reader.poll_fill(cx, &mut *rogue.stream)).await.unwrap();
        let (kind, _) = reader.next(&mut rogue.session.noise).unwrap().expect("a pong");
        assert_eq!(kind, Kind::Heartbeat);
        assert!(!link.is_closed());
        host.serves().await;
    });
}

#[test]
fn a_reason_cannot_forge_a_line_of_the_log() {
    run(|runtime| async move {
        let host = Host::new(&runtime, config("master")).await;
        let mut rogue = Rogue::new(&host).await;
        rogue.frame(Kind::Bye, b"x\nERROR all is lost \xFF\x1b[31m");
        let closed = rogue.verdict(&host).await.to_string();
        assert!(!closed.contains(['\n', '\x1b']), "{closed:?}");
    });
}

#[test]
fn a_handshake_that_is_cut_or_altered_at_any_byte_gets_no_link() {
    run(|runtime| async move {
        let host = Host::new(&runtime, config("master")).await;
        let ((near, _n, _), (_far, mut far_inbox, _)) = host.pair(&config("healthy")).await;
        let mut whole = Faulty::new(host.raw().await, Fault::None);
        handshake::open(&mut whole, &config("victim"), "test").await.unwrap();
        drop(host.links.recv().await.unwrap());
        let length = whole.written.lock().unwrap().len();
        for at in 0..length {
            for fault in [Fault::CutAt(at), Fault::FlipAt(at)] {
                let mut stream = Faulty::new(host.raw().await, fault);
                let opened = handshake::open(&mut stream, &config("victim"), "test").await;
                if opened.is_ok() {
                    // The fault is in its last word, which nobody answers; a length that has grown
                    // makes the other side wait for more.
                    stream.close().await.unwrap();
                }
                stream.inner.read_to_end(&mut Vec::new()).await.ok();
            }
        }
        assert!(host.links.is_empty(), "nobody got in");
        near.send(text("unharmed")).await.unwrap();
        assert_eq!(far_inbox.next().await, Ok(text("unharmed")));
        host.serves().await;
    });
}

#[test]
fn a_record_that_is_altered_at_any_byte_closes_the_link() {
    run(|runtime| async move {
        let host = Host::new(&runtime, config("master")).await;
        let message = encode(&text("attack at dawn")).unwrap();
        let length = 2 + frame::HEADER + message.len() + 16;
        for at in 0..length {
            let mut rogue = Rogue::new(&host).await;
            let stream = core::mem::replace(&mut rogue.stream, host.raw().await);
            rogue.stream = Box::new(Faulty::new(stream, Fault::FlipAt(at)));
            rogue.frame(Kind::Message, &message);
            let (_link, mut inbox, _) = host.links.recv().await.unwrap();
            rogue.write().await;
            rogue.stream.close().await.unwrap();
            let (messages, closed) = rest(&mut inbox).await;
            assert_eq!(messages, [], "byte {at}");
            assert!(matches!(closed, Closed::Protocol(_) | Closed::Ended(_)), "{closed}");
        }
        host.serves().await;
    });
}

#[test]
fn random_bytes_never_hurt_the_server() {
    run(|runtime| async move {
        let host = Host::new(&runtime, config("master")).await;
        let ((near, _n, _), (_far, mut far_inbox, _)) = host.pair(&config("healthy")).await;
        let mut random = fastrand::Rng::with_seed(7);
        for round in 0..400 {
            let mut stream = host.raw().await;
            let mut bytes: Vec<u8> = (0..random.usize(0..300)).map(|_| random.u8(..)).collect();
            if round % 2 == 0 {
                // Past the preamble.
                bytes.splice(0..0, [b"TNGL".as_slice(), &[tangelo_core::wire::VERSION]].concat());
            }
            // Any of these may fail: the server may have hung up already.
            drop(stream.write_all(&bytes).await);
            drop(stream.close().await);
            drop(stream.read_to_end(&mut Vec::new()).await);
        }
        assert!(host.links.is_empty());
        near.send(text("unharmed")).await.unwrap();
        assert_eq!(far_inbox.next().await, Ok(text("unharmed")));
        host.serves().await;
    });
}

#[test]
fn random_bytes_inside_a_session_never_hurt_the_server() {
    run(|runtime| async move {
        let host = Host::new(&runtime, config("master")).await;
        let mut random = fastrand::Rng::with_seed(8);
        for _ in 0..100 {
            let mut rogue = Rogue::new(&host).await;
            for _ in 0..20 {
                let mut bytes: Vec<u8> = (0..random.usize(1..200)).map(|_| random.u8(..)).collect();
                bytes[0] %= 5;
                rogue.writer.batch.push_back(bytes);
            }
            let (_link, mut inbox, _) = host.links.recv().await.unwrap();
            rogue.write().await;
            rogue.stream.close().await.ok();
            let (_, closed) = rest(&mut inbox).await;
            assert!(!matches!(closed, Closed::Local(_)), "its task has not panicked: {closed}");
        }
        host.serves().await;
    });
}

#[test]
fn who_says_nothing_is_cut_after_the_handshake_timeout_and_holds_up_nobody() {
    run(|runtime| async move {
        let handshake_timeout = Duration::from_secs(2);
        let host = Host::new(&runtime, LinkConfig { handshake_timeout, ..config("master") }).await;
        let mut loris = Vec::new();
        for _ in 0..100 {
            loris.push(host.raw().await);
        }
        let start = Instant::now();
        host.serves().await;
        for mut stream in loris {
            // One byte now and then does not buy time.
            drop(stream.write_all(b"T").await);
            assert!(matches!(stream.read(&mut [0; 16]).await, Ok(0) | Err(_)));
        }
        assert!(since(start) < Duration::from_secs(10));
    });
}

#[test]
fn silent_connections_lose_their_places_to_newcomers() {
    run(|runtime| async move {
        let config = LinkConfig { max_handshakes: 4, ..config("master") };
        let host = Host::new(&runtime, LinkConfig { handshake_timeout: DEADLINE, ..config }).await;
        let mut loris = Vec::new();
        for _ in 0..12 {
            loris.push(host.raw().await);
        }
        host.serves().await;
        for stream in &mut loris[..4] {
            assert!(matches!(stream.read(&mut [0; 16]).await, Ok(0) | Err(_)), "the oldest were cut");
        }
    });
}
