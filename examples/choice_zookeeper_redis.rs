//! Masters on several hosts, elected by ZooKeeper, and channels in Redis, on tokio.

use std::process::ExitCode;
use tangelo::{App, GlobalChannelConfig, MasterHaConfig};

fn main() -> ExitCode {
    tangelo::run(|app| {
        app.set(MasterHaConfig { server: "zoo1:2181,zoo2:2181,zoo3:2181".into(), ..Default::default() });
        app.set(GlobalChannelConfig { url: vec!["redis://10.0.0.5".into()], ..Default::default() });
        app.configure_for("production|development", "chat", chat);
    })
}

fn chat(app: &App) {
    app.after_start_all(|app| async move {
        let rooms = app.global_channels()?;
        let report = rooms.push("connector", "onChat", b"welcome", "lobby", &Default::default()).await?;
        println!("who has missed it: {:?}", report.unreached().collect::<Vec<_>>());
        Ok::<_, tangelo::Error>(())
    });
}
