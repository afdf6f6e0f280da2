//! The chat demo.
fn main() {}
