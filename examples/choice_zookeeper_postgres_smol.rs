//! The same with channels in PostgreSQL, on smol.

use std::process::ExitCode;
use tangelo::{ChannelStore, GlobalChannelConfig, MasterHaConfig};

fn main() -> ExitCode {
    tangelo::run(|app| {
        app.set(MasterHaConfig { server: "zoo1:2181,zoo2:2181,zoo3:2181".into(), ..Default::default() });
        app.set(GlobalChannelConfig {
            channel_manager: ChannelStore::Postgres,
            url: vec!["postgres://10.0.0.5/game".into()],
            user: Some("game".into()),
            password: std::env::var("GAME_PASSWORD").ok().map(|word| word.as_str().into()),
            ..Default::default()
        });
        app.configure_for("production|development", "connector", |app| {
            app.before_stop(|app| async move { println!("{} says goodbye", app.id()) });
        });
    })
}
