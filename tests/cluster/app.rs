//! The application under test. What each server does is said by its own keys in servers.json:
//!
//! - `"hooks"`: before-stop hooks, a list of `note`, `overrun`, `panic`, `fail`, `block`, `slow`;
//! - `"components"`: how many components it has; each notes its turns;
//! - `"dies"`: `in-main`, `at-start`, `fails-start`, `once-up` or `blocked-start`, as long as the file `healed` is not there;
//! - `"clients"`: it serves clients, as `clients/app.rs` says;
//! - `"puppet"`: it does what it finds in the file `<id>.do`, and writes the answer to `<id>.done`.

use crate::clients;
use crate::file_channels::FileChannelManager;
use crate::rooms;
use async_trait::async_trait;
use core::fmt::Write as _;
use core::time::Duration;
use std::fs;
use std::io::Write as _;
use tangelo::{
    App, BoxError, ChannelStore, Component, GlobalChannelConfig, PushError, PushMessage, PushSink,
};

/// Set in the processes that are the application and not the tests.
pub(crate) const VARIABLE: &str = "TANGELO_TEST_APPLICATION";

/// The file whose presence configures global channels, in code, for the masters too; `clean` in it: `cleanOnStartUp`.
pub(crate) const CHANNELS: &str = "config/channels";

/// The file with the servers' notes.
pub(crate) const NOTES: &str = "notes";

const SOON: Duration = Duration::from_millis(10);
const LONG: Duration = Duration::from_secs(600);

pub(crate) fn configure(app: &App) {
    if dies(app, "in-main") {
        eprintln!("dying in main");
        std::process::exit(7);
    }
    app.configure("development", |app| {
        let args: Vec<String> = std::env::args().skip_while(|arg| arg != "--").skip(1).collect();
        note(app, &format!("main {}", args.join("|")));
    });
    if app.dir().join(CHANNELS).exists() {
        channels(app);
    }
    app.configure("production", |app| note(app, "production"));
    app.configure_for("all", "chat", |app| note(app, "is chat"));
    app.before_start(|app| async move { note(&app, "before-start") });
    app.after_start_all(|app| async move { note(&app, "after-start-all") });
    hooks(app);
    if app.extra("clients").is_some() {
        clients::app::configure(app);
    } else {
        rooms::app::configure(app);
    }
    for number in 1..=app.extra("components").and_then(|count| count.as_u64()).unwrap_or(0) {
        app.component(Noting(format!("c{number}")));
    }
    app.component(Behaviour);
    app.remote("echo", |from, body| async move { Ok([from.as_bytes(), b": ", &body].concat()) });
    let sleeper = app.clone();
    app.remote("sleep", move |_, _| {
        let app = sleeper.clone();
        async move {
            note(&app, "asked to sleep");
            app.sleep(LONG).await;
            Ok(Vec::new())
        }
    });
    app.remote("huge", |_, _| async { Ok(vec![0; 9 << 20]) });
    app.remote("panic", |_, _| async { panic!("on demand") });
    for (what, added) in [("added", true), ("removed", false)] {
        let noting = app.clone();
        let tell = move |servers: &[tangelo::ServerInfo]| {
            for server in servers {
                note(&noting, &format!("{what} {} {}", server.def.id, server.incarnation));
            }
        };
        if added {
            app.on_servers_added(tell)
        } else {
            app.on_servers_removed(tell)
        };
    }
}

fn channels(app: &App) {
    app.push_sink(Everybody);
    app.set(GlobalChannelConfig {
        channel_manager: ChannelStore::custom(FileChannelManager::new),
        timeout: Duration::from_millis(500),
        clean_on_start_up: fs::read_to_string(app.dir().join(CHANNELS)).is_ok_and(|text| text == "clean"),
        ..GlobalChannelConfig::default()
    });
}

/// Has a session of everybody.
#[derive(Debug)]
struct Everybody;

impl PushSink for Everybody {
    fn push(
        &self,
        _: PushMessage<'_>,
        users: &mut dyn Iterator<Item = &str>,
        _: &mut dyn FnMut(&str, PushError),
    ) {
        users.for_each(drop);
    }
}

fn hooks(app: &App) {
    let hooks = app.extra("hooks").and_then(|hooks| hooks.as_array()).cloned().unwrap_or_default();
    for (number, hook) in (1..).zip(hooks) {
        let what = hook.as_str().unwrap_or_default().to_owned();
        app.before_stop(move |app| {
            let what = what.clone();
            async move {
                note(&app, &format!("hook {number} {what}"));
                match what.as_str() {
                    "overrun" => app.sleep(LONG).await,
                    "slow" => app.sleep(Duration::from_millis(300)).await,
                    "panic" => panic!("a hook that panics"),
                    "fail" => return Err(BoxError::from("a hook that fails")),
                    "block" => block(),
                    _ => {}
                }
                note(&app, &format!("hook {number} done"));
                Ok(())
            }
        });
    }
}

/// Notes a line, in one write.
pub(crate) fn note(app: &App, what: &str) {
    let line = format!("{} {} {what}\n", app.id(), app.incarnation());
    let file = fs::OpenOptions::new().append(true).create(true).open(app.dir().join(NOTES));
    file.and_then(|mut file| file.write_all(line.as_bytes())).expect("notes can be written");
}

fn dies(app: &App, how: &str) -> bool {
    app.extra("dies").and_then(|dies| dies.as_str()) == Some(how) && !app.dir().join("healed").exists()
}

/// Blocks the thread, as no future should.
#[expect(clippy::disallowed_methods, reason = "that it blocks is the point")]
fn block() {
    std::thread::sleep(LONG);
}

/// A component that notes its turns.
struct Noting(String);

#[async_trait]
impl Component for Noting {
    fn name(&self) -> &str {
        &self.0
    }

    async fn start(&self, app: &App) -> Result<(), BoxError> {
        note(app, &format!("{} start", self.0));
        Ok(())
    }

    async fn after_start(&self, app: &App) -> Result<(), BoxError> {
        note(app, &format!("{} after-start", self.0));
        Ok(())
    }

    async fn stop(&self, app: &App) -> Result<(), BoxError> {
        note(app, &format!("{} stop", self.0));
        Ok(())
    }
}

/// What a server does of itself.
struct Behaviour;

#[async_trait]
impl Component for Behaviour {
    fn name(&self) -> &str {
        "behaviour"
    }

    async fn start(&self, app: &App) -> Result<(), BoxError> {
        if dies(app, "at-start") {
            eprintln!("dying at start");
            std::process::exit(8);
        }
        if dies(app, "fails-start") {
            return Err("this component does not start".into());
        }
        if dies(app, "blocked-start") {
            app.sleep(LONG).await;
        }
        app.set_status("well");
        if dies(app, "once-up") {
            let dying = app.clone();
            app.spawn(async move {
                while !dying.servers().iter().any(|server| server.def.id == dying.id()) {
                    dying.sleep(SOON).await;
                }
                std::process::exit(9);
            });
        }
        if app.extra("puppet").is_some() {
            let puppet = app.clone();
            app.spawn(async move { obey(puppet).await });
        }
        Ok(())
    }
}

async fn obey(app: App) {
    let path = |ending: &str| app.dir().join(format!("{}.{ending}", app.id()));
    loop {
        if let Ok(order) = fs::read_to_string(path("do")) {
            fs::remove_file(path("do")).expect("our order can be removed");
            let answer = act(&app, &order).await;
            fs::write(path("tmp"), answer).expect("an answer can be written");
            fs::rename(path("tmp"), path("done")).expect("an answer can be given");
        }
        app.sleep(SOON).await;
    }
}

async fn act(app: &App, order: &str) -> String {
    let words: Vec<&str> = order.split(' ').collect();
    match words[..] {
        ["call", id, route, ms] => {
            let limit = Duration::from_millis(ms.parse().unwrap_or(0));
            match app.call(id, route, b"hello".to_vec(), limit).await {
                Ok(body) => String::from_utf8_lossy(&body).into_owned(),
                Err(error) => format!("{:?}: {error}", error.kind()),
            }
        }
        ["servers"] => app.servers().iter().fold(String::new(), |mut all, server| {
            let _ = write!(all, "{}#{} ", server.def.id, server.incarnation);
            all
        }),
        ["join", channel, uid] => {
            let joined = async { app.global_channels()?.add(channel, uid, app.id()).await };
            joined.await.map_or_else(|error| format!("{:?}: {error}", error.kind()), |()| "joined".into())
        }
        ["members", channel, sid] => {
            let members = async { app.global_channels()?.members_by_server(channel, sid).await };
            members.await.map_or_else(|error| format!("{:?}: {error}", error.kind()), |uids| uids.join(" "))
        }
        ["print", bytes] => {
            let line = [b"x".repeat(1023), b"\n".to_vec()].concat();
            for _ in 0..bytes.parse::<usize>().unwrap_or(0) / line.len() {
                std::io::stdout().write_all(&line).expect("a server can always print");
            }
            "printed".into()
        }
        ["stop"] => {
            app.stop();
            "stopping".into()
        }
        _ => match rooms::app::act(app, &words).await {
            Some(answer) => answer,
            None => format!("what is {order}?"),
        },
    }
}
