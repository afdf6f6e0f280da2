//! Master high availability over ZooKeeper, as `zookeeper.json` configures it.

use super::Password;
use super::cluster::{ConfigFile, env_node};
use super::error::ConfigError;
use super::value::{self, Unit, unexpected};
use alloc::format;
use alloc::string::String;
use core::time::Duration;
use serde_json::Value;

/// Where the masters find their ZooKeeper, and how they use it. The keys are those of Pomelo's masterha plugin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ZooKeeperConfig {
    /// `server`: ZooKeeper's connect string, `host:port[,host:port…][/chroot]`. Default: `127.0.0.1:2181`.
    pub server: String,
    /// `path`: the znode that holds the active master's address. Default: `/pomelo/master`.
    pub path: String,
    /// `timeout`: after this time without a sign of life a master's session ends, and a standby takes over.
    /// In milliseconds, 200 ms to 1 h; the ensemble may grant another one. Default: 5 s.
    pub timeout: Duration,
    /// `username` and `password`: whom to authenticate as, by ZooKeeper's scheme `digest`. Default: nobody.
    pub login: Option<Login>,
    /// `setACL`: nobody but this user may touch what Tangelo makes. Default: false.
    pub set_acl: bool,
    /// `create`: make `path` if it does not exist. Default: false, which makes a mistyped path an error.
    pub create: bool,
}

/// A user of ZooKeeper's scheme `digest`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Login {
    /// The name, without a colon.
    pub username: String,
    /// The password.
    pub password: Password,
}

impl Default for ZooKeeperConfig {
    fn default() -> Self {
        Self {
            server: "127.0.0.1:2181".into(),
            path: "/pomelo/master".into(),
            timeout: Duration::from_secs(5),
            login: None,
            set_acl: false,
            create: false,
        }
    }
}

impl ZooKeeperConfig {
    /// Reads the object of `env` in the file.
    ///
    /// # Errors
    /// The first thing that is wrong, with its place.
    pub fn parse(env: &str, file: ConfigFile<'_>) -> Result<Self, ConfigError> {
        let node = env_node(env, file)?;
        let (mut config, mut username, mut password) = (Self::default(), None, None);
        for entry in node.object("ZooKeeper's object, such as {\"server\": \"127.0.0.1:2181\"}")? {
            let value = entry.value.value()?;
            let read = match &*entry.key {
                "username" => value::text(&value).map(|name| username = Some(name)),
                // No `value::text`: its error would show what was found.
                "password" => value.as_str().ok_or_else(|| "expected a text".into()).map(|word| {
                    password = Some(Password::new(word));
                }),
                key => config.set(key, &value),
            };
            read.map_err(|message| entry.value.error(message))?;
        }
        config.login = match (username, password) {
            (None, None) => None,
            (Some(username), Some(password)) => Some(Login { username, password }),
            (Some(_), None) => return Err(node.error("\"username\" needs \"password\" beside it")),
            (None, Some(_)) => return Err(node.error("\"password\" needs \"username\" beside it")),
        };
        config.check().map_err(|message| node.error(message))?;
        Ok(config)
    }

    fn set(&mut self, key: &str, found: &Value) -> Result<(), String> {
        match key {
            "server" => self.server = value::text(found)?,
            "path" => self.path = value::text(found)?,
            "timeout" => self.timeout = value::time(found, Unit::Milliseconds, SHORTEST)?,
            "setACL" => self.set_acl = value::boolean(found)?,
            "create" => self.create = value::boolean(found)?,
            _ => {
                let keys = "server, path, timeout, username, password, setACL, create";
                return Err(format!(
                    "{} is no key of zookeeper.json; those are {keys}",
                    super::names::quoted(key)
                ));
            }
        }
        Ok(())
    }

    /// What makes no sense, whether it came from a file or from code.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn check(&self) -> Result<(), String> {
        check_server(&self.server)?;
        check_path(&self.path).map_err(|what| format!("\"path\": {what}"))?;
        if !(SHORTEST..=LONGEST).contains(&self.timeout) {
            return Err(format!(
                "expected a \"timeout\" of 200 ms to 1 h, found {} ms",
                self.timeout.as_millis()
            ));
        }
        match &self.login {
            Some(login) if login.username.is_empty() || login.username.contains(':') => {
                Err("\"username\": expected a name without a colon".into())
            }
            None if self.set_acl => Err("\"setACL\" needs \"username\" and \"password\"".into()),
            _ => Ok(()),
        }
    }
}

/// Sessions that are shorter end for a hiccup.
const SHORTEST: Duration = Duration::from_millis(200);
const LONGEST: Duration = Duration::from_secs(3600);

fn check_server(server: &str) -> Result<(), String> {
    let wrong = |found: &str| {
        let expected = "ZooKeeper's connect string, such as \"10.0.0.1:2181,10.0.0.2:2181/game\"";
        Err(format!("\"server\": {}", unexpected(expected, &Value::String(found.into()))))
    };
    let (hosts, chroot) = server.find('/').map_or((server, ""), |slash| server.split_at(slash));
    for host in hosts.split(',') {
        let port = host.rsplit_once(':').filter(|(name, _)| !name.is_empty());
        if port.and_then(|(_, port)| port.parse::<u16>().ok()).is_none_or(|port| port == 0)
            || host.contains(char::is_whitespace)
        {
            return wrong(server);
        }
    }
    if chroot.is_empty() { Ok(()) } else { check_path(chroot).or_else(|_| wrong(server)) }
}

/// What ZooKeeper takes as the path of a node that is not its root.
fn check_path(path: &str) -> Result<(), String> {
    let right = path.strip_prefix('/').is_some_and(|rest| {
        rest.split('/').all(|part| !matches!(part, "" | "." | ".."))
            && !rest.contains(|c: char| c.is_control())
            && rest != "zookeeper"
            && path.len() <= 1000
    });
    if right {
        Ok(())
    } else {
        Err(unexpected("a znode such as /pomelo/master", &Value::String(path.into())))
    }
}

#[cfg(test)]
mod tests {
    use super::super::Layout;
    use super::*;
    use alloc::string::ToString;

    fn parse(text: &str) -> Result<ZooKeeperConfig, String> {
        let file = ConfigFile { name: "zookeeper.json", text, layout: Layout::ByEnv };
        ZooKeeperConfig::parse("development", file).map_err(|error| error.to_string())
    }

    #[test]
    fn pomelos_keys_and_defaults() {
        let empty = parse(r#"{"development": {}}"#).unwrap();
        assert_eq!(empty, ZooKeeperConfig::default());
        assert_eq!(empty.timeout, Duration::from_secs(5));
        let full = parse(
            r#"{"development": {"server": "a:2181,b:2182/game", "path": "/x/y", "timeout": "3000",
                "username": "pomelo", "password": "hush", "setACL": "true", "create": true}}"#,
        )
        .unwrap();
        assert_eq!((&*full.server, &*full.path, full.timeout.as_secs()), ("a:2181,b:2182/game", "/x/y", 3));
        let login = full.login.clone().unwrap();
        assert_eq!((&*login.username, login.password.expose()), ("pomelo", "hush"));
        assert!(full.set_acl && full.create);
        assert!(!format!("{full:?}").contains("hush"), "a password is shown");
    }

    #[test]
    fn mistakes_are_told_and_no_password_is_shown() {
        for (text, part) in [
            (r#"{"server": "a"}"#, "connect string"),
            (r#"{"server": "a:0"}"#, "connect string"),
            (r#"{"server": "a:1,,b:2"}"#, "connect string"),
            (r#"{"server": "a:1/"}"#, "connect string"),
            (r#"{"path": "pomelo"}"#, "a znode such as"),
            (r#"{"path": "/"}"#, "a znode such as"),
            (r#"{"path": "/a//b"}"#, "a znode such as"),
            (r#"{"path": "/a/../b"}"#, "a znode such as"),
            (r#"{"timeout": 100}"#, "expected"),
            (r#"{"username": "u"}"#, "needs \"password\""),
            (r#"{"password": "hush"}"#, "needs \"username\""),
            (r#"{"username": "a:b", "password": "hush"}"#, "without a colon"),
            (r#"{"password": 4711, "username": "a"}"#, "expected a text"),
            (r#"{"setACL": true}"#, "\"setACL\" needs"),
            (r#"{"sever": "a:1"}"#, "is no key of zookeeper.json"),
        ] {
            let error = parse(&format!("{{\"development\": {text}}}")).unwrap_err();
            assert!(error.contains(part), "{text}: {error}");
            assert!(!error.contains("hush") && !error.contains("4711"), "{error}");
        }
    }
}
