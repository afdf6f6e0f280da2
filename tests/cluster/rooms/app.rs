//! What the application does with global channels: what a puppet is ordered, and who hears what.

use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use core::fmt::Display;
use core::time::Duration;
use futures_lite::future;
use serde_json::{Value, json};
use std::fs;
use std::sync::{Mutex, PoisonError};
use tangelo::core::Instant;
use tangelo::core::channel::{PushError, PushMessage, PushOptions, PushReport, PushSink};
use tangelo::{App, Result};

/// Ends a churn.
pub(super) const ENOUGH: &str = "enough";
/// How far a churn has come: how many joins were acknowledged, and how many pushes sent.
pub(super) const PROGRESS: &str = "progress";

const SOON: Duration = Duration::from_millis(3);

pub(crate) fn configure(app: &App) {
    if app.server().frontend {
        let ears = Ears::default();
        app.set(ears.clone()).push_sink(ears);
    }
}

/// What each user of this frontend has heard.
#[derive(Debug, Default, Clone)]
struct Ears(Arc<Mutex<BTreeMap<String, Vec<String>>>>);

impl PushSink for Ears {
    fn push(
        &self,
        message: PushMessage<'_>,
        users: &mut dyn Iterator<Item = &str>,
        _: &mut dyn FnMut(&str, PushError),
    ) {
        let text = format!("{}: {}", message.route, String::from_utf8_lossy(message.body));
        let mut heard = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for uid in users {
            heard.entry(uid.into()).or_default().push(text.clone());
        }
    }
}

/// Does what a puppet is ordered; `None` if it is nothing of channels.
pub(crate) async fn act(app: &App, words: &[&str]) -> Option<String> {
    let done = match *words {
        ["join", channel, sid, users] => join(app, channel, sid, users).await,
        ["leave", channel, sid, users] => leave(app, channel, sid, users).await,
        ["push", channel, text] => push(app, channel, text).await.map(|report| shown(&report).to_string()),
        ["count", channel] => count(app, channel).await,
        ["churn", channel, sid] => churn(app, channel, sid).await,
        ["heard"] => {
            let heard = app.get::<Ears>()?.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
            Ok(json!(heard).to_string())
        }
        _ => return None,
    };
    Some(done.unwrap_or_else(|error| format!("{:?}: {error}", error.kind())))
}

async fn join(app: &App, channel: &str, sid: &str, users: &str) -> Result<String> {
    let users: Vec<&str> = users.split(',').collect();
    app.global_channels()?.add_many(channel, &users, sid).await.map(|()| "joined".into())
}

async fn leave(app: &App, channel: &str, sid: &str, users: &str) -> Result<String> {
    let users: Vec<&str> = users.split(',').collect();
    app.global_channels()?.leave_many(channel, &users, sid).await.map(|()| "left".into())
}

async fn push(app: &App, channel: &str, text: &str) -> Result<PushReport> {
    app.global_channels()?.push("connector", "onChat", text, channel, &PushOptions::new()).await
}

async fn count(app: &App, channel: &str) -> Result<String> {
    app.global_channels()?.count(channel).await.map(|count| count.to_string())
}

fn shown(report: &PushReport) -> Value {
    let failed = report.failed.iter().map(|failure| {
        let mut users = failure.users.clone();
        users.sort();
        json!([failure.sid, users, failure.more])
    });
    json!({"delivered": report.delivered, "failed": failed.collect::<Vec<_>>()})
}

/// Users join one after the other, while messages are pushed to those that are there; nobody waits for anybody.
async fn churn(app: &App, channel: &str, sid: &str) -> Result<String> {
    let (joined, failed) = (Mutex::new(Vec::new()), Mutex::new(Vec::new()));
    let (pushed, slowest) = (Mutex::new(0), Mutex::new(Duration::ZERO));
    let of = |list: &Mutex<Vec<String>>| list.lock().unwrap_or_else(PoisonError::into_inner).len();
    let add = |list: &Mutex<Vec<String>>, what: &dyn Display| {
        list.lock().unwrap_or_else(PoisonError::into_inner).push(what.to_string())
    };
    let progress = app.dir().join(PROGRESS);
    let ends = || app.dir().join(ENOUGH).exists();
    let joining = async {
        for number in 0.. {
            let uid = format!("u{number}");
            // One that fails may try again, as another.
            if join(app, channel, sid, &uid).await.is_ok() {
                add(&joined, &uid);
            }
            if ends() {
                break;
            }
            app.sleep(SOON).await;
        }
    };
    let pushing = async {
        while !ends() {
            let (there, began) = (of(&joined), Instant::now());
            match push(app, channel, "hello").await {
                Ok(report) if report.is_complete() && report.delivered >= there as u64 => {}
                Ok(report) => add(&failed, &format_args!("{there} had joined: {report}")),
                Err(error) => add(&failed, &error),
            }
            let took = Instant::now().saturating_since(began);
            let pushed = {
                let mut slowest = slowest.lock().unwrap_or_else(PoisonError::into_inner);
                *slowest = took.max(*slowest);
                let mut pushed = pushed.lock().unwrap_or_else(PoisonError::into_inner);
                *pushed += 1;
                *pushed
            };
            let draft = progress.with_extension("draft");
            let told = fs::write(&draft, format!("{} {pushed}", of(&joined)));
            told.and_then(|()| fs::rename(&draft, &progress)).expect("the progress can be told");
            app.sleep(SOON).await;
        }
    };
    future::zip(joining, pushing).await;
    let slowest = slowest.into_inner().unwrap_or_else(PoisonError::into_inner);
    let (joined, failed) = (joined.into_inner(), failed.into_inner());
    let lists = [joined, failed].map(|list| list.unwrap_or_else(PoisonError::into_inner));
    Ok(json!({"joined": lists[0], "failed": lists[1], "slowestMs": slowest.as_millis()}).to_string())
}
