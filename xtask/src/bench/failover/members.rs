//! Many servers, which live in one process but have a link each, register anew after kill -9 of the leader.

use super::kill::{self, Killed};
use super::stage::{Setting, Stage, configure};
use crate::bench::cluster::{ENV, Master, UP_LIMIT};
use crate::bench::lines::Lines;
use crate::{clock, processes, run};
use anyhow::Result;
use serde_json::json;

/// Kills the leader of `servers` servers `rounds` times.
pub(super) fn measure(setting: Setting<'_>, servers: usize, rounds: usize) -> Result<Killed> {
    let path = "/bench-members";
    let (dir, mut cluster, ports) = configure(setting, path, 0)?;
    // They are called by nobody, and so need no ports.
    let rows: Vec<_> = (1..=servers)
        .map(|n| json!({ "id": format!("member-{n}"), "host": "127.0.0.1", "auto-restart": true }))
        .collect();
    cluster.write("servers.json", &json!({ "bench": rows }))?;
    cluster.servers = servers;
    let mut command = processes::command(&setting.programs.members);
    command.arg(dir.path()).arg(ENV).current_dir(dir.path());
    let (child, output) = Lines::of(&mut command, &dir.path().join("members.log"))?;
    let mut members = Master { child, output };
    members.output.wait_for(&["wait for masters"], clock::now() + UP_LIMIT)?;
    let leader = cluster.foreground(cluster.command("master"))?;
    let mut stage = Stage::of(dir, cluster, ports, leader, setting.ensemble, path)?;
    let killed = kill::kill(&mut stage, rounds)?;
    stage.stop(Vec::new())?;
    run::wait(&mut members.child, clock::now() + UP_LIMIT)?;
    Ok(killed)
}
