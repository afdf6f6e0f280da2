use super::*;
use tangelo_core::client::PackageType;

/// Remembers what comes.
#[derive(Default)]
struct Ear {
    packages: Vec<(PackageType, Vec<u8>)>,
    sent: Vec<Vec<u8>>,
    http: bool,
    upgraded: bool,
    /// Pauses after so many packages, each time.
    pause_after: Option<usize>,
}

impl Taker for Ear {
    fn max_body(&self) -> usize {
        1000
    }
    fn page(&self) -> Option<&str> {
        None
    }
    fn speaks_http(&mut self) {
        self.http = true;
    }
    fn upgraded(&mut self) {
        self.upgraded = true;
    }
    fn send(&mut self, frame: Frame) {
        self.sent.push(frame.bytes(true).to_vec());
    }
    fn package(&mut self, package: Package<'_>) -> Result<Flow, Why> {
        self.packages.push((package.kind, package.body.to_vec()));
        let pause = self.pause_after.is_some_and(|n| self.packages.len().is_multiple_of(n));
        Ok(if pause { Flow::Pause } else { Flow::Go })
    }
}

fn package(body: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    package::encode_into(&mut bytes, PackageType::Data, body).unwrap();
    bytes
}

/// A frame of a client, masked.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = match payload.len() {
        length @ 0..126 => vec![first, 0x80 | u8::try_from(length).unwrap()],
        length => {
            let [a, b] = u16::try_from(length).unwrap().to_be_bytes();
            vec![first, 0xFE, a, b]
        }
    };
    let mask = [1, 2, 3, 4];
    bytes.extend_from_slice(&mask);
    bytes.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    bytes
}

const BINARY: u8 = 0x82;
const UPGRADE: &str = "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
    Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

/// Takes bytes in pieces of `step`.
fn take(bytes: &[u8], step: usize) -> (Ear, Input, Result<(), Why>) {
    let (mut ear, mut input) = (Ear::default(), Input::default());
    let taken = bytes.chunks(step).try_for_each(|piece| input.take(&mut piece.to_vec(), &mut ear));
    (ear, input, taken)
}

fn web(bytes: &[u8]) -> Vec<u8> {
    [UPGRADE.as_bytes(), bytes].concat()
}

#[test]
fn packages_come_whole_however_they_were_cut() {
    let bodies: Vec<Vec<u8>> = [0, 3, 200, 1000].map(|length| vec![7; length]).into();
    let tcp: Vec<u8> = bodies.iter().flat_map(|body| package(body)).collect();
    let parted = {
        let whole = package(&bodies[3]);
        let (a, b) = whole.split_at(300);
        [frame(0x02, a), frame(0x89, b"ping"), frame(0x00, &[]), frame(0x80, b)].concat()
    };
    let mut frames: Vec<u8> = bodies[..2].iter().flat_map(|body| frame(BINARY, &package(body))).collect();
    frames.extend(frame(BINARY, &[package(&bodies[2]), package(&bodies[0])].concat()));
    frames.extend(parted);
    for step in [1, 2, 3, 7, 50, 1000, 100_000] {
        let (ear, input, taken) = take(&tcp, step);
        assert_eq!(taken, Ok(()));
        assert_eq!(ear.packages.iter().map(|(_, body)| body.clone()).collect::<Vec<_>>(), bodies, "{step}");
        assert!(input.pending.capacity() == 0 && !ear.http, "an idle client has no buffer");

        let (ear, input, taken) = take(&web(&frames), step);
        assert_eq!(taken, Ok(()));
        let lengths: Vec<usize> = ear.packages.iter().map(|(_, body)| body.len()).collect();
        assert_eq!(lengths, [0, 3, 200, 0, 1000], "{step}");
        assert!(ear.upgraded && ear.sent[0].starts_with(b"HTTP/1.1 101 "));
        assert_eq!(ear.sent[1], b"\x8a\x04ping");
        assert!(input.pending.capacity() == 0 && input.held.capacity() == 0);
    }
}

#[test]
fn whoever_is_paused_loses_nothing() {
    let tcp: Vec<u8> = (0..10).flat_map(|n| package(&[n])).collect();
    let all: Vec<u8> = (0..10).flat_map(|n| package(&[n])).collect();
    let frames = web(&[frame(BINARY, &all[..all.len() / 2]), frame(BINARY, &all[all.len() / 2..])].concat());
    for bytes in [tcp, frames] {
        let (mut ear, mut input) = (Ear { pause_after: Some(3), ..Ear::default() }, Input::default());
        input.take(&mut bytes.clone(), &mut ear).unwrap();
        let mut resumed = 0;
        while input.is_paused() {
            assert_eq!(ear.packages.len(), 3 * (resumed + 1));
            input.take(&mut [], &mut ear).unwrap();
            resumed += 1;
        }
        assert_eq!(resumed, 3);
        let got: Vec<u8> = ear.packages.iter().map(|(_, body)| body[0]).collect();
        assert_eq!(got, (0..10).collect::<Vec<u8>>());
    }
}

#[test]
fn what_makes_no_sense_is_refused_at_once() {
    use tangelo_core::client::DecodeError::{PackageTooLong, PackageType};
    let why = |bytes: &[u8]| take(bytes, 5).2.unwrap_err();
    assert_eq!(why(b"\0"), Why::Garbage);
    assert_eq!(why(b"\x16\x03\x01"), Why::Garbage, "TLS where there is none");
    assert_eq!(why(&[4, 0, 0, 0, 9]), PackageType(9).into());
    assert_eq!(why(&[4, 0, 3, 0xE9]), PackageTooLong { length: 1001, limit: 1000 }.into());
    assert_eq!(why(&web(&frame(0x81, b"text"))), Why::Text);
    assert_eq!(why(&web(&frame(BINARY, &package(b"hello")[..8]))), Why::Partial);
    assert_eq!(why(&web(&frame(0x80, b"x"))), Why::WebSocket, "the end of nothing");
    assert_eq!(why(&web(&[frame(0x02, b"x"), frame(BINARY, b"x")].concat())), Why::WebSocket);
    assert_eq!(why(&web(&frame(BINARY, &[4; 1005]))), Why::WebSocketTooLong);
    let endless = [frame(0x02, &[4; 1000]), frame(0x00, &[4; 5])].concat();
    assert_eq!(why(&web(&endless)), Why::WebSocketTooLong, "in parts, too");
    assert_eq!(why(&web(&[0x82, 0x01, 0x00])), Why::WebSocket);
    assert_eq!(why(&web(&frame(0x88, &[3, 0xE8]))), Why::Goodbye);
    assert_eq!(why(&web(&frame(0x88, &[3]))), Why::WebSocket);
    assert_eq!(why(b"GET / HTTP/1.1\r\n\r\n"), Why::NoUpgrade);
    assert_eq!(why(&[b'A'; 9000]), Why::Http);
}

/// Whatever comes, in whatever pieces: it is refused or taken, and what is kept is bounded.
#[test]
fn noise_is_survived() {
    let mut random = fastrand::Rng::with_seed(7);
    for _ in 0..3000 {
        let mut bytes = match random.u8(..4) {
            0 => Vec::new(),
            1 => UPGRADE.as_bytes().to_vec(),
            2 => web(&frame(BINARY, &package(&[7; 100]))),
            _ => package(&[7; 100]),
        };
        bytes.extend((0..random.usize(..3000)).map(|_| random.u8(..)));
        for _ in 0..random.usize(..4) {
            let at = random.usize(..bytes.len().max(1));
            bytes.get_mut(at).map(|byte| *byte = random.u8(..));
        }
        let (_, input, _) = take(&bytes, random.usize(1..400));
        assert!(input.pending.len() <= 9000 && input.held.len() <= 1004);
    }
}
