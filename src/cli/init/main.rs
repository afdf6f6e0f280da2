//! One program: the command line, the master, and every server of config/servers.json.

use tangelo::{App, BoxError, Component, async_trait};

/// A part of a server with a life of its own. Listeners, stores and game loops look like this.
struct Greeter;

#[async_trait]
impl Component for Greeter {
    fn name(&self) -> &str {
        "greeter"
    }

    async fn start(&self, app: &App) -> Result<(), BoxError> {
        println!("{} is here", app.id()); // goes to logs/<id>.log
        app.set_status("at your service"); // shows in `list`
        Ok(())
    }
}

fn main() -> std::process::ExitCode {
    tangelo::run(|app| {
        app.configure("production|development", |app| {
            app.component(Greeter);
        });
        app.configure_for("production|development", "connector", |app| {
            // Runs before a connector stops, however it is told to, while its components still work.
            app.before_stop(|app| async move { println!("{} says goodbye to its clients", app.id()) });
        });
    })
}
