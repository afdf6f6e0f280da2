//! Where the configuration files are.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use tangelo_core::config::{ConfigError, ConfigFile, Layout};
use tangelo_core::{Error, ErrorKind, Result};

/// The longest file that is read, in bytes; 10 000 servers need less than a half of it.
const LONGEST: u64 = 8 << 20;

/// One of the configuration files, and how a minimal one looks.
pub(super) struct Kind {
    pub(super) name: &'static str,
    pub(super) sample: &'static str,
}

pub(super) const MASTER: Kind = Kind {
    name: "master.json",
    sample: r#"{"ENV": {"id": "master-server-1", "host": "127.0.0.1", "port": 3005}}"#,
};

pub(super) const SERVERS: Kind = Kind {
    name: "servers.json",
    sample: r#"{"ENV": {"chat": [{"id": "chat-server-1", "host": "127.0.0.1", "port": 6050}]}}"#,
};

pub(super) const ZOOKEEPER: Kind =
    Kind { name: "zookeeper.json", sample: r#"{"ENV": {"server": "127.0.0.1:2181"}}"# };

pub(super) const GLOBAL_CHANNEL: Kind =
    Kind { name: "globalChannel.json", sample: r#"{"ENV": {"host": "127.0.0.1", "port": 6379}}"# };

pub(super) const CONNECTOR: Kind =
    Kind { name: "connector.json", sample: r#"{"ENV": {"heartbeat": 30, "useDict": true}}"# };

pub(super) const DICTIONARY: Kind = Kind { name: "dictionary.json", sample: r#"["onChat", "onLeave"]"# };

pub(super) const SERVER_PROTOS: Kind =
    Kind { name: "serverProtos.json", sample: r#"{"onMove": {"required uInt32 x": 1}}"# };

pub(super) const CLIENT_PROTOS: Kind =
    Kind { name: "clientProtos.json", sample: r#"{"area.moveHandler.move": {"required uInt32 x": 1}}"# };

/// A file that has been read.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) path: PathBuf,
    /// What messages call it.
    pub(super) name: String,
    pub(super) text: String,
    pub(super) layout: Layout,
}

impl Found {
    /// What its reader is given.
    pub(super) fn file(&self) -> ConfigFile<'_> {
        ConfigFile { name: &self.name, text: &self.text, layout: self.layout }
    }
}

/// Reads `config/<env>/<file>`, or else `config/<file>`.
pub(super) fn find(dir: &Path, env: &str, kind: &Kind) -> Result<Found> {
    if let Some(found) = look_for(dir, env, kind)? {
        return Ok(found);
    }
    let [(own, _), (common, _)] = places(dir, env, kind);
    Err(Error::new(
        ErrorKind::NotFound,
        format!(
            "neither {} nor {} exists: make the second one, such as {}",
            own.display(),
            common.display(),
            kind.sample.replace("ENV", env)
        ),
    ))
}

/// The same for a file that need not exist.
pub(super) fn look_for(dir: &Path, env: &str, kind: &Kind) -> Result<Option<Found>> {
    for (path, layout) in places(dir, env, kind) {
        if let Some(text) = read(&path)? {
            return Ok(Some(Found { name: path.display().to_string(), path, text, layout }));
        }
    }
    Ok(None)
}

fn places(dir: &Path, env: &str, kind: &Kind) -> [(PathBuf, Layout); 2] {
    // Here is nowhere special: `config/…`, not `./config/…`, stands in messages.
    let config = dir.strip_prefix(".").unwrap_or(dir).join("config");
    [(config.join(env).join(kind.name), Layout::OneEnv), (config.join(kind.name), Layout::ByEnv)]
}

/// The text of a file; none if it does not exist.
pub(super) fn read(path: &Path) -> Result<Option<String>> {
    let failed = |error: io::Error| Error::io(format_args!("read {}", path.display()), error);
    let invalid = |what: &str| Error::new(ErrorKind::Invalid, format!("{} {what}", path.display()));
    // Before it is opened, since to open a pipe can take for ever.
    match fs::metadata(path) {
        Ok(metadata) if !metadata.is_file() => return Err(invalid("is not a file")),
        Ok(_) => {}
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            return Ok(None);
        }
        Err(error) => return Err(failed(error)),
    }
    let mut bytes = Vec::new();
    File::open(path).and_then(|file| file.take(LONGEST + 1).read_to_end(&mut bytes)).map_err(failed)?;
    if bytes.len() as u64 > LONGEST {
        return Err(invalid("is longer than 8 MiB"));
    }
    String::from_utf8(bytes).map(Some).map_err(|error| {
        let valid = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        let line = valid.iter().rposition(|&byte| byte == b'\n').map_or(0, |newline| newline + 1);
        let place = ConfigError {
            file: path.display().to_string(),
            line: valid.iter().filter(|&&byte| byte == b'\n').count() + 1,
            column: String::from_utf8_lossy(&valid[line..]).chars().count() + 1,
            message: "expected UTF-8 text".into(),
        };
        place.into()
    })
}
