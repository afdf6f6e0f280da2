//! What only goes wrong between servers, or between the keys of one.

use super::names::{canonical_host, is_loopback, quoted};
use super::{MasterDef, ServerDef};
use crate::cpu::CpuRequest;
use crate::{CpuSet, Error, ErrorKind, Result};
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;

/// Why a server cannot be taken in.
pub(super) struct Objection {
    /// The key that is to blame.
    pub(super) key: &'static str,
    pub(super) message: String,
    pub(super) kind: ErrorKind,
    /// The place of the server that it collides with, as [`Checks::admit`] was told.
    pub(super) earlier: Option<usize>,
}

/// Who has an id or a port.
struct Owner {
    name: String,
    place: Option<usize>,
}

/// The ids and ports that are taken, and the CPUs that may be.
#[derive(Default)]
pub(super) struct Checks<'a> {
    ids: BTreeMap<String, Owner>,
    ports: BTreeMap<(String, u16), Owner>,
    allowed: Option<&'a CpuSet>,
}

impl<'a> Checks<'a> {
    /// Checks CPUs only if it knows those that are allowed.
    pub(super) fn new(allowed: Option<&'a CpuSet>) -> Self {
        Self { allowed, ..Self::default() }
    }

    /// Takes the master's id and port.
    pub(super) fn add_master(&mut self, master: &MasterDef) {
        let owner = || Owner { name: "the master".into(), place: None };
        self.ids.insert(master.id.clone(), owner());
        self.ports.insert((canonical_host(&master.host), master.port), owner());
    }

    /// Takes a server in as it is.
    fn add(&mut self, def: &ServerDef, place: Option<usize>) {
        let owner = || Owner { name: format!("server {}", quoted(&def.id)), place };
        for (_, port) in ports(def) {
            self.ports.insert((canonical_host(&def.host), port), owner());
        }
        self.ids.insert(def.id.clone(), owner());
    }

    /// Takes a server in if nothing speaks against it.
    pub(super) fn admit(&mut self, def: &ServerDef, place: Option<usize>) -> Result<(), Objection> {
        let object = |key, message| Objection { key, message, kind: ErrorKind::Invalid, earlier: None };
        let taken = |key, what, owner: &Owner| Objection {
            key,
            message: format!("duplicate {what}: {} has it already", owner.name),
            kind: ErrorKind::AlreadyExists,
            earlier: owner.place,
        };
        if def.frontend && def.client_port.is_none() {
            return Err(object(
                "frontend",
                "a frontend needs \"clientPort\", where clients connect, such as 3010".into(),
            ));
        }
        // What other hosts allow is theirs to say, when they launch it.
        let here = is_loopback(&def.host);
        if let (Some(allowed), Some(CpuRequest::Set(cpus)), true) = (self.allowed, &def.cpu, here) {
            let wrong = cpus.difference(allowed);
            if !wrong.is_empty() {
                return Err(object(
                    "cpu",
                    format!("expected CPUs that this process may use ({allowed}), found {wrong}"),
                ));
            }
        }
        if let Some(owner) = self.ids.get(&def.id) {
            return Err(taken("id", format!("id {}", quoted(&def.id)), owner));
        }
        let mut last = None;
        for (key, port) in ports(def) {
            let what = format!("port {port} on {}", def.host);
            if let Some(owner) = self.ports.get(&(canonical_host(&def.host), port)) {
                return Err(taken(key, what, owner));
            }
            if last.replace(port) == Some(port) {
                let message = format!("duplicate {what}: the server's own \"port\" is the same");
                return Err(object(key, message));
            }
        }
        self.add(def, place);
        Ok(())
    }
}

fn ports(def: &ServerDef) -> impl Iterator<Item = (&'static str, u16)> {
    let port = def.port.map(|port| ("port", port));
    port.into_iter().chain(def.client_port.map(|port| ("clientPort", port)))
}

/// Checks that `new` servers can join `existing` ones: ids and, on each host, ports are unique,
/// and each frontend has a `clientPort`. `localhost` and `127.0.0.1` are the same host.
///
/// # Errors
/// `AlreadyExists` for the first id or port that is taken; `Invalid` for a frontend without `clientPort`.
pub fn check_servers(new: &[ServerDef], existing: &[ServerDef], master: &MasterDef) -> Result<()> {
    let mut checks = Checks::default();
    checks.add_master(master);
    for def in existing {
        checks.add(def, None);
    }
    admit_all(checks, new)
}

/// Checks that this process may use the CPUs that `servers` ask for, as far as they are certainly on this
/// machine, by a loopback host: the others are checked by whatever host launches them.
///
/// # Errors
/// `Invalid` with those that are allowed, for the first server that asks for another.
pub fn check_cpus(servers: &[ServerDef], allowed: &CpuSet) -> Result<()> {
    for def in servers {
        // One by one: ids and ports are no concern here.
        let plain =
            ServerDef { cpu: def.cpu.clone(), ..ServerDef::new(&*def.id, &*def.server_type, &*def.host) };
        admit_all(Checks::new(Some(allowed)), &[plain])?;
    }
    Ok(())
}

fn admit_all(mut checks: Checks<'_>, servers: &[ServerDef]) -> Result<()> {
    for def in servers {
        checks.admit(def, None).map_err(|objection| {
            Error::new(objection.kind, format!("server {}: {}", quoted(&def.id), objection.message))
        })?;
    }
    Ok(())
}
