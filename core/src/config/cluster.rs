//! The whole configuration of a cluster: `master.json` and `servers.json` of one environment.

use super::checks::Checks;
use super::clusters::{MAX_SERVERS, Sequences, expand};
use super::error::ConfigError;
use super::names::{is_loopback, quoted};
use super::node::{Entry, Node};
use super::server_fields::check_type;
use super::source::Source;
use super::{MasterDef, ServerDef};
use crate::CpuSet;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use serde_json::Value;

/// The text of a configuration file.
#[derive(Debug, Clone, Copy)]
pub struct ConfigFile<'a> {
    /// What errors call it, such as `config/servers.json`.
    pub name: &'a str,
    /// What is in it.
    pub text: &'a str,
    /// How it is laid out.
    pub layout: Layout,
}

/// Whether a file is for one environment or for several.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// `config/<file>`: an object with a key for each environment. As in Pomelo the level may be
    /// left out, and then the file is for all of them.
    ByEnv,
    /// `config/<env>/<file>`: without that level.
    OneEnv,
}

/// A cluster's configuration.
#[derive(Debug, Clone, PartialEq)]
pub struct ClusterConfig {
    /// The environment that it is for, such as `development`.
    pub env: String,
    /// The master.
    pub master: MasterDef,
    /// The servers, in the order of the file.
    pub servers: Vec<ServerDef>,
}

impl ClusterConfig {
    /// Reads both files for `env`. With `allowed`, servers may ask for no other CPUs.
    ///
    /// # Errors
    /// The first thing that is wrong, with its place.
    pub fn parse(
        env: &str,
        master: ConfigFile<'_>,
        servers: ConfigFile<'_>,
        allowed: Option<&CpuSet>,
    ) -> Result<Self, ConfigError> {
        let master = MasterDef::read(env_node(env, master)?)?;
        let mut checks = Checks::new(allowed);
        checks.add_master(&master);
        let servers = read_servers(env_node(env, servers)?, checks)?;
        Ok(Self { env: env.into(), master, servers })
    }

    /// The server of this id.
    #[must_use]
    pub fn server(&self, id: &str) -> Option<&ServerDef> {
        self.servers.iter().find(|def| def.id == id)
    }

    /// The hosts that are not this machine's loopback; a cluster that has one needs a secret of its own.
    pub fn outer_hosts(&self) -> impl Iterator<Item = &str> {
        let hosts = self.servers.iter().map(|def| &*def.host);
        core::iter::once(&*self.master.host).chain(hosts).filter(|host| !is_loopback(host))
    }
}

/// The environments that a file of [`Layout::ByEnv`] names; none if it leaves that level out.
///
/// # Errors
/// If it is not a JSON object.
pub fn envs(name: &str, text: &str) -> Result<Vec<String>, ConfigError> {
    let entries = Node::root(Source::new(name, text))?.object("an object with a key for each environment")?;
    let named = entries.into_iter().filter(|entry| entry.value.is_object());
    Ok(named.map(|entry| entry.key).collect())
}

/// The object of `env` in a file.
pub(super) fn env_node<'a>(env: &str, file: ConfigFile<'a>) -> Result<Node<'a>, ConfigError> {
    let root = Node::root(Source::new(file.name, file.text))?;
    if file.layout == Layout::OneEnv {
        return Ok(root);
    }
    let entries = root.object("an object with a key for each environment")?;
    if let Some(entry) = entries.iter().find(|entry| entry.key == env) {
        return Ok(entry.value);
    }
    if !entries.is_empty() && !entries.iter().any(|entry| entry.value.is_object()) {
        return Ok(root);
    }
    let known: Vec<_> = entries.iter().map(|entry| quoted(&entry.key)).collect();
    let known = if known.is_empty() { "none".into() } else { known.join(", ") };
    Err(root.error(format!("there is no environment {}; there is {known}", quoted(env))))
}

fn read_servers(node: Node<'_>, mut checks: Checks<'_>) -> Result<Vec<ServerDef>, ConfigError> {
    let mut servers = Vec::new();
    let mut sequences = Sequences::default();
    for group in node.object("an object with a list of servers for each type")? {
        check_type(&group.key).map_err(|message| group.name.error(message))?;
        if group.value.is_object() {
            return Err(group.value.error(format!(
                "expected the list of the servers of type {}, found an object: \
                 config/servers.json has a level for the environment, config/<env>/servers.json has none",
                quoted(&group.key)
            )));
        }
        for server in group.value.array("a list of servers")? {
            read_server(server, &group.key, &mut sequences, &mut checks, &mut servers)?;
        }
    }
    Ok(servers)
}

/// Reads one entry of a group.
fn read_server(
    node: Node<'_>,
    server_type: &str,
    sequences: &mut Sequences,
    checks: &mut Checks<'_>,
    servers: &mut Vec<ServerDef>,
) -> Result<(), ConfigError> {
    let entries = node.object("a server's object, such as {\"id\": \"chat-server-1\", …}")?;
    let fields = entries
        .iter()
        .map(|entry| Ok((entry.key.clone(), entry.value.value()?)))
        .collect::<Result<Vec<(String, Value)>, ConfigError>>()?;
    let defs = expand(&fields, Some(server_type), sequences).map_err(|error| {
        let at = error.field.map_or(node, |i| entries[i].value);
        at.error(error.message)
    })?;
    if servers.len() + defs.len() > MAX_SERVERS {
        return Err(node.error(format!("expected at most {MAX_SERVERS} servers in all")));
    }
    for def in defs {
        checks.admit(&def, Some(node.offset())).map_err(|objection| {
            let mut message = objection.message;
            if let Some(earlier) = objection.earlier {
                message += &format!(" (line {})", node.line_of(earlier));
            }
            let blamed = |entry: &&Entry<'_>| entry.key == objection.key;
            entries.iter().find(blamed).map_or(node, |entry| entry.value).error(message)
        })?;
        servers.push(def);
    }
    Ok(())
}
