//! Where a master's story is shown: a terminal with a bar, plain lines, or a log.

use super::bar::{clear, is_useful, progress, say};
use super::story::{Line, Story};
use crate::master::Observer;
use crate::sync::Mutex;
use alloc::sync::Arc;
use std::io::{IsTerminal, stdout};
use std::path::Path;

/// Shows a master's events to the person who started it.
pub(super) fn observer(dir: &Path) -> Observer {
    let bar = stdout().is_terminal() && is_useful();
    told_by(Story::new(Some(dir.to_owned()), bar), |line| say(&line.text))
}

fn told_by(story: Story, print: impl Fn(&Line) + Send + Sync + 'static) -> Observer {
    let story = Mutex::new(story);
    Arc::new(move |event| {
        let mut story = story.lock();
        let lines = story.tell(event);
        let shown = story.progress();
        if shown.is_none() {
            clear();
        }
        lines.iter().for_each(&print);
        if let Some(now) = shown {
            progress(now.what, now.done, now.all, &now.waiting);
        }
    })
}

/// The last line of a master.
pub(super) fn goodbye(cluster_ended: bool) {
    clear();
    say(if cluster_ended { "the cluster has stopped" } else { "this master has left; the cluster goes on" });
}
