//! `handover` → the other master leads.

use super::stage::{LIMIT, Setting, Stage, ms};
use crate::{clock, run};
use anyhow::{Context as _, Result, anyhow};

/// In milliseconds.
#[derive(Debug, Default)]
pub(super) struct HandedOver {
    /// From the command's request to its look that sees the new leader, as it says itself in whole
    /// milliseconds, and one more.
    pub(super) requested: Vec<f64>,
    /// From the start of the command's process to the new epoch.
    pub(super) published: Vec<f64>,
    /// From there to all servers being registered.
    pub(super) registered: Vec<f64>,
}

/// Has two masters hand over to each other `rounds` times.
pub(super) fn measure(setting: Setting<'_>, servers: usize, rounds: usize) -> Result<HandedOver> {
    let mut stage = Stage::start(setting, "/bench-handover", servers)?;
    let mut standby = stage.standby()?;
    let mut handed = HandedOver::default();
    for _ in 0..rounds {
        let before = stage.observer.look()?;
        let mut command = stage.cluster.command("handover");
        let begin = clock::now();
        // The observer has to be there when it happens.
        let (said, over) = std::thread::scope(|scope| {
            let said = scope.spawn(|| run::output(&mut command));
            let over = stage.observer.change_over(&before, begin + LIMIT);
            (said.join(), over)
        });
        let said = said.map_err(|_| anyhow!("a thread has panicked"))?.with_context(|| stage.see())?;
        let over = over.with_context(|| stage.see())?;
        let registered = stage.registered(&mut standby, begin)?;
        handed.requested.push(requested(&said).with_context(|| format!("`handover` says: {said}"))?);
        handed.published.push(ms(begin, over.published));
        handed.registered.push(ms(over.published, registered));
        core::mem::swap(&mut stage.leader, &mut standby);
        standby.output.wait_for(&["standby: "], clock::now() + LIMIT).with_context(|| stage.see())?;
        stage.rest(&[stage.leader.child.id(), standby.child.id()])?;
    }
    stage.stop(vec![standby])?;
    Ok(handed)
}

/// What `… leads at …, N ms after the request` means at most.
fn requested(said: &str) -> Option<f64> {
    let words: Vec<_> = said.split_whitespace().collect();
    let at = words.windows(2).position(|pair| pair == ["ms", "after"])?;
    let ms: u32 = words.get(at.checked_sub(1)?)?.parse().ok()?;
    Some(f64::from(ms + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_commands_own_figure_is_rounded_up() {
        let said = "m-2 leads at 127.0.0.1:3006 (epoch 12), 7 ms after the request\n";
        assert_eq!(requested(said), Some(8.0));
        assert_eq!(requested("no figure"), None);
    }
}
