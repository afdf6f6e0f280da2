//! The stock binary: a cluster of servers without code of their own, and the command line for any other.

fn main() -> std::process::ExitCode {
    tangelo::run(|_| {})
}
