//! Reading the configuration files of a directory.

mod files;
#[cfg(feature = "cli")]
mod masterha;
pub(crate) mod secret;

use alloc::collections::BTreeSet;
use files::{
    CLIENT_PROTOS, CONNECTOR, DICTIONARY, GLOBAL_CHANNEL, Kind, MASTER, SERVER_PROTOS, SERVERS, ZOOKEEPER,
};
#[cfg(feature = "cli")]
pub(crate) use masterha::load_masterha;
use std::path::Path;
use tangelo_core::client::Protos;
use tangelo_core::config::{
    ClusterConfig, ConfigError, ConfigFile, ConnectorConfig, GlobalChannelConfig, Layout, ZooKeeperConfig,
    check_name, dictionary_routes, protos_json,
};
use tangelo_core::{CpuSet, Error, ErrorKind, Result};

/// Reads `master.json` alone: what a server process and the command line need still works while
/// somebody edits servers.json.
///
/// # Errors
/// As [`load`].
pub(crate) fn load_master(dir: &Path, env: &str) -> Result<ClusterConfig> {
    check_name(env).map_err(|problem| Error::new(ErrorKind::Invalid, format!("environment: {problem}")))?;
    let master = files::find(dir, env, &MASTER)?;
    let master = ConfigFile { name: &master.name, text: &master.text, layout: master.layout };
    let servers = ConfigFile { name: SERVERS.name, text: "{}", layout: Layout::OneEnv };
    Ok(ClusterConfig::parse(env, master, servers, None)?)
}

/// Reads `config/master.json` and `config/servers.json` of `dir` for one environment; of each,
/// `config/<env>/<file>` wins over `config/<file>`. With `allowed`, a server that asks for another
/// CPU is an error too.
///
/// # Errors
/// `NotFound` if a file or the environment does not exist; `Invalid` for the first thing that is
/// wrong in a file, with its place.
pub(crate) fn load(dir: &Path, env: &str, allowed: Option<&CpuSet>) -> Result<ClusterConfig> {
    check_name(env).map_err(|problem| Error::new(ErrorKind::Invalid, format!("environment: {problem}")))?;
    let master = files::find(dir, env, &MASTER)?;
    let servers = files::find(dir, env, &SERVERS)?;
    // A name that no file knows is most likely a slip: show all that there are.
    let known = envs(dir);
    if (master.layout == Layout::ByEnv || servers.layout == Layout::ByEnv)
        && !known.is_empty()
        && !known.contains(env)
    {
        return Err(Error::new(
            ErrorKind::NotFound,
            format!(
                "there is no environment {env} in {}; there is {}",
                dir.join("config").display(),
                known.into_iter().collect::<Vec<_>>().join(", ")
            ),
        ));
    }
    let master = ConfigFile { name: &master.name, text: &master.text, layout: master.layout };
    let servers = ConfigFile { name: &servers.name, text: &servers.text, layout: servers.layout };
    Ok(ClusterConfig::parse(env, master, servers, allowed)?)
}

/// Reads `config/zookeeper.json`, if there is one that knows this environment.
///
/// # Errors
/// For the first thing that is wrong in it, with its place.
pub(crate) fn load_zookeeper(dir: &Path, env: &str) -> Result<Option<ZooKeeperConfig>> {
    load_optional(dir, env, &ZOOKEEPER, |file| ZooKeeperConfig::parse(env, file))
}

/// Reads `config/globalChannel.json`, if there is one that knows this environment.
///
/// # Errors
/// For the first thing that is wrong in it, with its place.
pub(crate) fn load_global_channel(dir: &Path, env: &str) -> Result<Option<GlobalChannelConfig>> {
    load_optional(dir, env, &GLOBAL_CHANNEL, |file| GlobalChannelConfig::parse(env, file))
}

/// Reads `config/connector.json`, if there is one that knows this environment, over what the code says.
///
/// # Errors
/// For the first thing that is wrong in it, with its place.
pub(crate) fn load_connector(dir: &Path, env: &str, code: ConnectorConfig) -> Result<ConnectorConfig> {
    match files::look_for(dir, env, &CONNECTOR)? {
        Some(found) => Ok(code.read(env, found.file())?),
        None => Ok(code),
    }
}

/// Reads the routes of `config/dictionary.json`, if there is one that knows this environment.
///
/// # Errors
/// For the first thing that is wrong in it, with its place.
pub(crate) fn load_dictionary(dir: &Path, env: &str) -> Result<Vec<String>> {
    let Some(found) = files::look_for(dir, env, &DICTIONARY)? else { return Ok(Vec::new()) };
    Ok(dictionary_routes(env, found.file())?)
}

/// Reads `config/serverProtos.json` and `config/clientProtos.json`; none if there is neither.
///
/// # Errors
/// For the first thing that is wrong in them, with its file and, if it is no JSON, its place.
pub(crate) fn load_protos(dir: &Path, env: &str) -> Result<Option<(Protos, Protos)>> {
    let load = |kind| {
        let Some(found) = files::look_for(dir, env, kind)? else { return Ok(None) };
        let protos = Protos::parse(&protos_json(found.file())?);
        let named = |error: Error| Error::new(error.kind(), format!("{}: {}", found.name, error.message()));
        protos.map(Some).map_err(named)
    };
    let (server, client) = (load(&SERVER_PROTOS)?, load(&CLIENT_PROTOS)?);
    let found = server.is_some() || client.is_some();
    Ok(found.then(|| (server.unwrap_or_default(), client.unwrap_or_default())))
}

fn load_optional<T>(
    dir: &Path,
    env: &str,
    kind: &Kind,
    parse: impl FnOnce(ConfigFile<'_>) -> Result<T, ConfigError>,
) -> Result<Option<T>> {
    let Some(found) = files::look_for(dir, env, kind)? else { return Ok(None) };
    let file = found.file();
    // A cluster may be highly available, or have global channels, in production only.
    if found.layout == Layout::ByEnv {
        let known = tangelo_core::config::envs(&found.name, &found.text)?;
        if !known.is_empty() && !known.iter().any(|known| known == env) {
            return Ok(None);
        }
    }
    Ok(Some(parse(file)?))
}

/// The environments that the files of `dir` know, in alphabetical order. Empty if they cannot be
/// read, or if they leave that level out and so fit every environment.
pub(crate) fn envs(dir: &Path) -> BTreeSet<String> {
    let config = dir.join("config");
    let mut envs = BTreeSet::new();
    for file in [&MASTER, &SERVERS] {
        let path = config.join(file.name);
        let Ok(Some(text)) = files::read(&path) else { continue };
        match tangelo_core::config::envs(file.name, &text) {
            Ok(named) if named.is_empty() => return BTreeSet::new(),
            Ok(named) => envs.extend(named),
            // Whoever reads the file itself is told what is wrong with it.
            Err(ConfigError { .. }) => return BTreeSet::new(),
        }
    }
    for entry in std::fs::read_dir(&config).into_iter().flatten().flatten() {
        let has = |name| entry.path().join(name).is_file();
        if let (Ok(name), true) = (entry.file_name().into_string(), has(MASTER.name) || has(SERVERS.name)) {
            envs.insert(name);
        }
    }
    envs
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use tempfile::TempDir;

    const MASTER_TEXT: &str = r#"{"development": {"id": "master-server-1", "host": "127.0.0.1", "port": 3005},
        "production": {"id": "master-server-1", "host": "127.0.0.1", "port": 3005}}"#;
    const SERVERS_TEXT: &str = r#"{
      "development": {
        "connector": [
          {"id": "connector-server-1", "host": "127.0.0.1", "port": 4050, "clientPort": 3050, "frontend": true}
        ],
        "chat": [
          {"id": "chat-server-1", "host": "127.0.0.1", "port": 6050, "auto-restart": "true", "cpu": 0}
        ],
        "gate": [
          {"id": "gate-server-1", "host": "127.0.0.1", "clientPort": 3014, "frontend": true}
        ]
      },
      "production": {}
    }"#;

    fn dir(files: &[(&str, &str)]) -> TempDir {
        let dir = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = dir.path().join("config").join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        dir
    }

    fn error(dir: &TempDir, env: &str) -> Error {
        let error = load(dir.path(), env, None).unwrap_err();
        assert!(!error.to_string().contains('\n'), "{error}");
        error
    }

    #[test]
    fn pomelos_files_are_found_and_read() {
        let dir = dir(&[("master.json", MASTER_TEXT), ("servers.json", SERVERS_TEXT)]);
        let config = load(dir.path(), "development", None).unwrap();
        let ids: Vec<_> = config.servers.iter().map(|def| &*def.id).collect();
        assert_eq!(ids, ["connector-server-1", "chat-server-1", "gate-server-1"]);
        assert_eq!((config.master.port, &*config.env), (3005, "development"));
        assert!(load(dir.path(), "production", None).unwrap().servers.is_empty());

        let allowed = "1-2".parse().unwrap();
        let error = load(dir.path(), "development", Some(&allowed)).unwrap_err();
        assert!(
            error.to_string().ends_with(
                "/config/servers.json:7:101: expected CPUs that this process may use (1-2), found 0"
            ),
            "{error}"
        );
    }

    #[test]
    fn the_file_of_the_environment_wins() {
        let dir = dir(&[
            ("master.json", MASTER_TEXT),
            ("servers.json", SERVERS_TEXT),
            ("development/servers.json", r#"{"chat": [{"id": "only", "host": "localhost"}]}"#),
            ("staging/master.json", r#"{"id": "m", "host": "127.0.0.1", "port": 1}"#),
            ("staging/servers.json", "{}"),
        ]);
        let config = load(dir.path(), "development", None).unwrap();
        assert_eq!(config.servers.len(), 1);
        assert_eq!(config.servers[0].id, "only");
        assert_eq!(load(dir.path(), "staging", None).unwrap().master.id, "m");
        assert_eq!(
            envs(dir.path()).into_iter().collect::<Vec<_>>(),
            ["development", "production", "staging"]
        );

        let error = error(&dir, "prod");
        assert_eq!(error.kind(), ErrorKind::NotFound);
        assert!(error.to_string().starts_with("there is no environment prod in "), "{error}");
        assert!(error.to_string().ends_with("/config; there is development, production, staging"), "{error}");
    }

    #[test]
    fn files_without_the_level_of_the_environment_fit_all() {
        let dir = dir(&[
            ("master.json", r#"{"id": "m", "host": "127.0.0.1", "port": 1}"#),
            ("servers.json", r#"{"chat": []}"#),
        ]);
        assert!(load(dir.path(), "whatever", None).is_ok());
    }

    #[test]
    fn a_missing_file_is_told_where_it_was_sought_and_how_it_looks() {
        let dir = dir(&[("master.json", MASTER_TEXT)]);
        let error = error(&dir, "development");
        assert_eq!(error.kind(), ErrorKind::NotFound);
        let text = error.to_string();
        assert!(
            text.contains("/config/development/servers.json nor ")
                && text.contains("/config/servers.json exists"),
            "{text}"
        );
        let sample = &text[text.find("such as ").unwrap() + "such as ".len()..];
        fs::write(dir.path().join("config/servers.json"), sample).unwrap();
        assert_eq!(
            load(dir.path(), "development", None).unwrap().servers.len(),
            1,
            "the sample is a right one"
        );

        fs::remove_file(dir.path().join("config/master.json")).unwrap();
        let text = load(dir.path(), "development", None).unwrap_err().to_string();
        let sample = &text[text.find("such as ").unwrap() + "such as ".len()..];
        fs::write(dir.path().join("config/master.json"), sample).unwrap();
        assert!(load(dir.path(), "development", None).is_ok());
    }

    #[test]
    fn mistakes_are_told_with_their_place() {
        let dir = dir(&[
            ("master.json", MASTER_TEXT),
            ("servers.json", "{\"development\": {\n \"chat\": []\n \"gate\": []}}"),
        ]);
        let error = error(&dir, "development");
        assert_eq!(error.kind(), ErrorKind::Invalid);
        assert!(error.to_string().contains("/config/servers.json:3:2: expected \",\" or \"}\""), "{error}");
    }

    #[test]
    fn what_is_no_text_file_is_refused() {
        let dir = dir(&[("master.json", MASTER_TEXT)]);
        let servers = dir.path().join("config/servers.json");
        fs::write(&servers, b"{\n \"\xff\": 1}").unwrap();
        let text = error(&dir, "development").to_string();
        assert!(text.ends_with("servers.json:2:3: expected UTF-8 text"), "{text}");
        fs::remove_file(&servers).unwrap();
        fs::create_dir(&servers).unwrap();
        assert!(error(&dir, "development").to_string().ends_with("is not a file"));
        for env in ["..", "a/b", ""] {
            assert_eq!(error(&dir, env).kind(), ErrorKind::Invalid);
        }
    }
}
