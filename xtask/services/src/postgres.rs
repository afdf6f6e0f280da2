//! PostgreSQL of Debian's package, in processes of our own.

use crate::sql::{Flavor, NAME, Place, Server};
use std::path::{Path, PathBuf};

/// The Debian packages with all that is needed.
pub const PACKAGES: [&str; 1] = ["postgresql"];

/// A PostgreSQL server of our own.
pub type Postgres = Server<PostgresFlavor>;

/// PostgreSQL.
#[derive(Debug)]
pub struct PostgresFlavor;

/// Where Debian puts the programs of all versions, which are not on the PATH.
const VERSIONS: &str = "/usr/lib/postgresql";

/// A program of the latest version that is installed.
#[must_use]
pub fn program(name: &str) -> Option<PathBuf> {
    let versions = std::fs::read_dir(VERSIONS).ok()?.flatten();
    let number = |path: &Path| path.file_name()?.to_str()?.parse::<u32>().ok();
    let mut found: Vec<_> = versions
        .map(|version| version.path())
        .filter_map(|version| Some((number(&version)?, version.join("bin").join(name))))
        .filter(|(_, program)| program.is_file())
        .collect();
    found.sort();
    found.pop().map(|(_, program)| program)
}

fn named(name: &str) -> PathBuf {
    program(name).unwrap_or_else(|| name.into())
}

impl Flavor for PostgresFlavor {
    const PRODUCT: &'static str = "PostgreSQL";
    const SCHEME: &'static str = "postgres";
    const ACCOUNT: &'static str = "postgres";
    const PACKAGES: &'static [&'static str] = &PACKAGES;
    const PREPARATION: &'static str = "CREATE ROLE tangelo LOGIN PASSWORD 'open-sesame';";

    fn initialize(place: &Place<'_>) -> (PathBuf, Vec<String>) {
        let data = place.data();
        let args = ["-D", &data, "-U", "postgres", "-E", "UTF8", "--locale=C", "--auth-local=trust"];
        let mut args: Vec<_> = args.map(str::to_owned).into();
        args.extend(["--auth-host=scram-sha-256", "--no-sync", "--no-instructions"].map(str::to_owned));
        (named("initdb"), args)
    }

    fn daemon(place: &Place<'_>) -> (PathBuf, Vec<String>) {
        let (data, port) = (place.data(), place.port.to_string());
        let socket = format!("unix_socket_directories={}", place.dir.display());
        let args = ["-D", &data, "-p", &port, "-c", "listen_addresses=127.0.0.1", "-c", &socket];
        (named("postgres"), args.map(str::to_owned).into())
    }

    fn client(place: &Place<'_>, database: Option<&str>) -> (PathBuf, Vec<String>) {
        let (dir, port) = (place.dir.display().to_string(), place.port.to_string());
        let database = database.unwrap_or("postgres");
        let args = ["-h", &dir, "-p", &port, "-U", "postgres", "-d", database, "-XAtq", "-F", "\t", "-v"];
        let mut args: Vec<_> = args.map(str::to_owned).into();
        args.push("ON_ERROR_STOP=1".to_owned());
        (named("psql"), args)
    }

    fn create_database(name: &str) -> String {
        format!("CREATE DATABASE {name} OWNER {NAME};")
    }
}
