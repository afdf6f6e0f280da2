//! What `cargo xtask fuzz` has found worth keeping is borne.

use std::path::Path;

#[path = "../../../xtask/fuzz/src/handshake.rs"]
mod handshake;
#[path = "../../../xtask/fuzz/src/package_message.rs"]
mod package_message;
#[path = "../../../xtask/fuzz/src/protobuf.rs"]
mod protobuf;

/// Runs `target` on each of its files.
fn replay(name: &str, target: fn(&[u8])) {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../xtask/fuzz/corpus").join(name);
    let files = std::fs::read_dir(&dir).expect("a corpus").map(|file| file.expect("a file").path());
    let mut count = 0;
    for file in files {
        // The last one that is named is the one that fails.
        println!("{}", file.display());
        target(&std::fs::read(&file).expect("a file"));
        count += 1;
    }
    assert!(count > 10, "{name} has a corpus");
}

#[test]
fn packages_and_messages() {
    replay("package_message", package_message::run);
}

#[test]
fn handshakes_and_connections() {
    replay("handshake", handshake::run);
}

#[test]
fn protobuf_bodies() {
    replay("protobuf", protobuf::run);
}
