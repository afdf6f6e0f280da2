//! What `cargo xtask fuzz` has found worth keeping is borne.

use super::super::fuzzing;
use std::path::Path;

#[test]
fn peers_that_send_anything() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("xtask/fuzz/corpus/link_frame");
    let mut count = 0;
    for file in std::fs::read_dir(dir).expect("a corpus") {
        let path = file.expect("a file").path();
        // The last one that is named is the one that fails.
        println!("{}", path.display());
        fuzzing::run(&std::fs::read(path).expect("a file"));
        count += 1;
    }
    assert!(count > 10, "there is a corpus");
}
