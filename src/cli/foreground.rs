//! Where a master's story is shown: a terminal with a bar, plain lines, or a log.

use super::bar::{clear, is_useful, progress, say};
use super::screen;
use super::story::Story;
use crate::master::Observer;
use crate::sync::Mutex;
use alloc::sync::Arc;
use std::io::{IsTerminal, stdout};
use std::path::Path;

/// Shows a master's events to the person who started it.
pub(super) fn observer(dir: &Path) -> Observer {
    let bar = stdout().is_terminal() && is_useful();
    let story = Mutex::new(Story::new(Some(dir.to_owned()), bar));
    screen::open();
    Arc::new(move |event| {
        let mut story = story.lock();
        let lines = story.tell(event);
        let now = story.progress().map(|now| {
            let waiting: Vec<String> = now.waiting.iter().map(ToString::to_string).collect();
            (now.what, now.done, now.all, waiting)
        });
        screen::show(move || {
            if now.is_none() {
                clear();
            }
            lines.iter().for_each(|line| say(&line.text));
            if let Some((what, done, all, waiting)) = now {
                progress(what, done, all, &waiting.iter().map(String::as_str).collect::<Vec<_>>());
            }
        });
    })
}

/// The last line of a master.
pub(super) fn goodbye(cluster_ended: bool) {
    screen::show(move || {
        clear();
        say(if cluster_ended {
            "the cluster has stopped"
        } else {
            "this master has left; the cluster goes on"
        });
    });
}
