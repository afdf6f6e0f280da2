//! What a launch order says, here and on other hosts.

use super::launcher::log_spec;
use super::process::MasterOptions;
use crate::member::{LAUNCH_VARIABLE, Launch};
use crate::remote::{HostSupervisor, Reach};
use std::path::PathBuf;
use tangelo_core::config::{Incarnation, ServerDef, Timing, resolve_cpus};
use tangelo_core::coordinator::Epoch;
use tangelo_core::cpu::CpuRequest;
use tangelo_core::process::LaunchSpec;
use tangelo_core::{CpuSet, Result};

/// What all launches of a reign have in common.
#[derive(Debug)]
pub(super) struct Template {
    env: String,
    epoch: Epoch,
    timing: Timing,
    here: Place,
    there: Place,
    /// servers.json, for the turn of each server that leaves its CPU to its host.
    declared: Vec<ServerDef>,
}

/// Where the application lies.
#[derive(Debug)]
struct Place {
    program: String,
    dir: PathBuf,
}

impl Template {
    pub(super) fn new(options: &MasterOptions, program: String, reach: &Reach, epoch: Epoch) -> Self {
        Self {
            env: options.env.clone(),
            epoch,
            timing: options.def.timing,
            here: Place { program, dir: options.dir.clone() },
            there: Place { program: reach.program.clone(), dir: reach.dir.clone() },
            declared: options.declared.clone(),
        }
    }

    /// What is to be launched for a server. Nothing is waited for if that is on this machine.
    ///
    /// # Errors
    /// If another host has to be asked for its CPUs, and cannot be.
    pub(super) async fn spec(
        &self,
        supervisor: &HostSupervisor,
        def: ServerDef,
        mut cpus: Option<CpuSet>,
        incarnation: Incarnation,
    ) -> Result<LaunchSpec> {
        let is_here = supervisor.is_here(&def.host).await;
        if !is_here && def.cpu == Some(CpuRequest::Auto) {
            // The machine has chosen from this host's.
            cpus = self.auto(&def, &supervisor.cpus(&def.host).await?);
        }
        let place = if is_here { &self.here } else { &self.there };
        let log = log_spec(&place.dir, &def.id);
        let mut args: Vec<String> =
            ["serve", "--id", &def.id, "--type", &def.server_type, "--dir"].map(String::from).into();
        args.push(place.dir.to_string_lossy().into_owned());
        args.extend(["--env".into(), self.env.clone(), "--".into()]);
        args.extend(def.args.iter().cloned());
        let host = def.host.clone();
        let launch = Launch::new(&self.env, def, incarnation, self.epoch, log.clone(), &self.timing);
        Ok(LaunchSpec {
            host,
            program: place.program.clone(),
            args,
            env: alloc::vec![(LAUNCH_VARIABLE.into(), launch.encode()?)],
            log: Some(log),
            cpus,
        })
    }

    /// One of the CPUs `allowed` on another host: in turn for the servers of that host in servers.json,
    /// and so the same one in every life of a server, whoever leads.
    fn auto(&self, def: &ServerDef, allowed: &CpuSet) -> Option<CpuSet> {
        let mut there: Vec<ServerDef> =
            self.declared.iter().filter(|other| other.host == def.host).cloned().collect();
        let turn = there.iter().position(|other| other.id == def.id).unwrap_or_else(|| {
            // An added one comes after all of these.
            there.push(def.clone());
            there.len() - 1
        });
        resolve_cpus(&there, allowed).swap_remove(turn)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn auto_takes_turns_on_each_host() {
        let server = |id: &str, host: &str, cpu: &str| ServerDef {
            cpu: cpu.parse().ok(),
            ..ServerDef::new(id, "chat", host)
        };
        let place = || Place { program: "/bin/game".into(), dir: "/srv".into() };
        let template = Template {
            env: "production".into(),
            epoch: Epoch(1),
            timing: Timing::default(),
            here: place(),
            there: place(),
            declared: alloc::vec![
                server("a", "10.0.0.2", "auto"),
                server("b", "10.0.0.3", "auto"),
                server("c", "10.0.0.2", "7"),
                server("d", "10.0.0.2", "auto"),
            ],
        };
        let auto = |def: ServerDef| template.auto(&def, &"4-5".parse().unwrap()).unwrap().to_string();
        for (id, host, cpu) in [("a", "10.0.0.2", "4"), ("b", "10.0.0.3", "4"), ("d", "10.0.0.2", "5")] {
            assert_eq!(auto(server(id, host, "auto")), cpu, "{id}");
            assert_eq!(auto(server(id, host, "auto")), cpu, "{id}, in its next life");
        }
        assert_eq!(auto(server("added", "10.0.0.2", "auto")), "4");
    }
}
