//! The chat demo.
fn main() -> std::process::ExitCode {
    tangelo::Program::new().dir(concat!(env!("CARGO_MANIFEST_DIR"), "/examples/chat")).run(|app| {
        app.configure("all", |app| {
            app.before_stop(|app| async move { println!("{} says goodbye", app.id()) });
        });
    })
}
