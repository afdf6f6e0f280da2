//! How the machines of other hosts are reached: the object `ssh` of master.json.

use super::error::ConfigError;
use super::names::quoted;
use super::node::Node;
use super::value::{self, unexpected};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use serde_json::Value;

/// How servers of other hosts are launched there: by the system's ssh(1), which never asks for a password.
///
/// What is not said is up to ssh and its own configuration (`~/.ssh/config`).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SshConfig {
    /// `user`: whom to log in as. Default: as ssh does, usually the user of this process.
    pub user: Option<String>,
    /// `port`: where sshd listens. Default: as ssh does, usually 22.
    pub port: Option<u16>,
    /// `identity`: the file of the private key, here; relative to the application's directory. Default: as ssh does.
    pub identity: Option<String>,
    /// `args`: more arguments for ssh, such as `-o UserKnownHostsFile=…`. Default: none.
    pub args: Vec<String>,
    /// `dir`: the application's directory on the other hosts, an absolute path. Default: the same as here.
    pub dir: Option<String>,
    /// `program`: the application's program on the other hosts, an absolute path. Default: the same as here.
    pub program: Option<String>,
}

impl SshConfig {
    /// Reads the object.
    pub(super) fn read(node: Node<'_>) -> Result<Self, ConfigError> {
        let mut config = Self::default();
        for entry in node.object("ssh's object, such as {\"user\": \"game\", \"port\": 22}")? {
            let found = entry.value.value()?;
            let read = match &*entry.key {
                "user" => user(&found).map(|user| config.user = Some(user)),
                "port" => value::port(&found).map(|port| config.port = Some(port)),
                "identity" => path(&found, false).map(|path| config.identity = Some(path)),
                "args" => value::args(&found).map(|args| config.args = args),
                "dir" => path(&found, true).map(|path| config.dir = Some(path)),
                "program" => path(&found, true).map(|path| config.program = Some(path)),
                key => {
                    let keys = "user, port, identity, args, dir, program";
                    return Err(entry
                        .name
                        .error(format!("{} is no key of \"ssh\"; those are {keys}", quoted(key))));
                }
            };
            read.map_err(|message| entry.value.error(message))?;
        }
        Ok(config)
    }
}

/// A name that ssh cannot take for an option.
fn user(found: &Value) -> Result<String, String> {
    let user = value::text(found)?;
    let odd = |c: char| c.is_whitespace() || c.is_control();
    if user.is_empty() || user.starts_with('-') || user.contains(odd) {
        return Err(unexpected("a user's name", found));
    }
    Ok(user)
}

fn path(found: &Value, absolute: bool) -> Result<String, String> {
    let path = value::text(found)?;
    if path.is_empty() || path.contains(char::is_control) || (absolute && !path.starts_with('/')) {
        let expected = if absolute { "an absolute path" } else { "a path" };
        return Err(unexpected(expected, found));
    }
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::super::{ClusterConfig, ConfigFile, Layout};
    use super::*;
    use alloc::string::ToString;
    use alloc::vec;

    fn parse(ssh: &str) -> Result<SshConfig, String> {
        let master = format!(r#"{{"id": "m", "host": "10.0.0.1", "port": 3005, "ssh": {ssh}}}"#);
        let file = |name, text| ConfigFile { name, text, layout: Layout::OneEnv };
        ClusterConfig::parse("production", file("master.json", &master), file("servers.json", "{}"), None)
            .map(|config| config.master.ssh)
            .map_err(|error| error.to_string())
    }

    #[test]
    fn everything_can_be_said_and_nothing_must_be() {
        assert_eq!(parse("{}").unwrap(), SshConfig::default());
        let full = parse(
            r#"{"user": "game", "port": "2222", "identity": "keys/id", "args": "-o StrictHostKeyChecking=yes -4",
                "dir": "/srv/game", "program": "/srv/game/bin/game"}"#,
        );
        let expected = SshConfig {
            user: Some("game".into()),
            port: Some(2222),
            identity: Some("keys/id".into()),
            args: vec!["-o".into(), "StrictHostKeyChecking=yes".into(), "-4".into()],
            dir: Some("/srv/game".into()),
            program: Some("/srv/game/bin/game".into()),
        };
        assert_eq!(full.unwrap(), expected);
    }

    #[test]
    fn mistakes_are_told_with_their_place() {
        for (ssh, error) in [
            (r#"{"usr": "game"}"#, r#"master.json:1:55: "usr" is no key of "ssh"; those are user, port,"#),
            (
                r#"{"user": "-oProxyCommand=x"}"#,
                r#"master.json:1:63: expected a user's name, found "-oProxy"#,
            ),
            (r#"{"user": ""}"#, "master.json:1:63: expected a user's name"),
            (r#"{"user": "a b"}"#, "master.json:1:63: expected a user's name"),
            (r#"{"port": 0}"#, "master.json:1:63: expected a port from 1 to 65535"),
            (r#"{"identity": ""}"#, "master.json:1:67: expected a path"),
            (r#"{"dir": "game"}"#, r#"master.json:1:62: expected an absolute path, found "game""#),
            (r#"{"program": "a\nb"}"#, "master.json:1:66: expected an absolute path"),
            (r#"{"args": 3}"#, "master.json:1:63: expected a text or a list of texts"),
            (r#""game@host""#, "master.json:1:54: expected ssh's object"),
        ] {
            let found = parse(ssh).unwrap_err();
            assert!(found.starts_with(error), "{ssh}: {found}");
        }
    }
}
