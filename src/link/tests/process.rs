//! Peers that are real processes.

use super::*;
use rustix::process::{Pid, Signal, kill_process};
use std::process::{Child, Command, Stdio};

const PORT: &str = "TANGELO_TEST_LINK_PORT";

/// What the test that is run again as a child does: it links, says so, and listens.
fn play_the_peer(port: &str) {
    let port = port.parse().unwrap();
    run(|runtime| async move {
        let config = steady(config("child"), 50);
        let (link, mut inbox, _) = connect(&runtime, &config, "127.0.0.1", port).await.unwrap();
        link.send(text("here I am")).await.unwrap();
        while inbox.next().await.is_ok() {}
    });
}

struct Peer(Child);

impl Peer {
    async fn start(host: &Host) -> (Self, Parts) {
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "link::tests::process::a_killed_process_ends_its_link_at_once"])
            .env(PORT, host.port.to_string())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let peer = Self(child);
        let mut parts = host.links.recv().await.unwrap();
        assert_eq!(parts.2.pid, peer.0.id());
        assert_eq!(parts.1.next().await, Ok(text("here I am")));
        (peer, parts)
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.0), signal).unwrap();
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

#[test]
fn a_killed_process_ends_its_link_at_once() {
    if let Ok(port) = std::env::var(PORT) {
        return play_the_peer(&port);
    }
    run(|runtime| async move {
        // Heartbeats would take a minute: the end of file tells.
        let host = Host::new(&runtime, steady(config("master"), 20_000)).await;
        let (peer, (_link, mut inbox, _)) = Peer::start(&host).await;
        let start = Instant::now();
        peer.signal(Signal::KILL);
        let closed = inbox.next().await.unwrap_err();
        assert!(matches!(closed, Closed::Ended(_)), "{closed}");
        assert!(since(start) < Duration::from_secs(10));
    });
}

#[test]
fn a_frozen_process_is_silent_after_the_patience_although_its_socket_is_open() {
    run(|runtime| async move {
        let host = Host::new(&runtime, steady(config("master"), 25)).await;
        let (mut peer, (link, mut inbox, _)) = Peer::start(&host).await;
        pause(&runtime, 1200).await;
        assert!(!link.is_closed(), "it answers while it runs");
        let start = Instant::now();
        peer.signal(Signal::STOP);
        assert_eq!(inbox.next().await, Err(Closed::Silent(Duration::from_millis(500))));
        assert!(since(start) < Duration::from_secs(10));
        // Woken, it finds the link closed and leaves.
        peer.signal(Signal::CONT);
        assert!(peer.0.wait().unwrap().success());
    });
}
