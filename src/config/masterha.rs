//! `config/masterha.json`: the masters that the command `masterha` starts.

use super::files::{self, Kind};
use std::path::Path;
use tangelo_core::Result;
use tangelo_core::config::{ConfigFile, StandbyDef};

const MASTERHA: Kind = Kind {
    name: "masterha.json",
    sample: r#"{"masterha": [{"id": "master-server-2", "host": "127.0.0.1", "port": 3006}]}"#,
};

/// Reads `config/masterha.json`.
///
/// # Errors
/// As [`load`](super::load).
pub(crate) fn load_masterha(dir: &Path, env: &str) -> Result<Vec<StandbyDef>> {
    let found = files::find(dir, env, &MASTERHA)?;
    let file = ConfigFile { name: &found.name, text: &found.text, layout: found.layout };
    Ok(StandbyDef::parse(env, file)?)
}
