//! MariaDB of Debian's package, in a process of our own.

use crate::sql::{Flavor, NAME, Place, Server};
use std::path::PathBuf;

/// The Debian packages with all that is needed.
pub const PACKAGES: [&str; 2] = ["mariadb-server", "mariadb-client"];

/// The server's program.
pub const PROGRAM: &str = "/usr/sbin/mariadbd";

/// A MariaDB server of our own.
pub type MariaDb = Server<MariaDbFlavor>;

/// MariaDB.
#[derive(Debug)]
pub struct MariaDbFlavor;

/// A starting MariaDB removes the temporary tables of all others in the same directory.
fn tmp(place: &Place<'_>) -> String {
    format!("--tmpdir={}", place.dir.display())
}

impl Flavor for MariaDbFlavor {
    const PRODUCT: &'static str = "MariaDB";
    const SCHEME: &'static str = "mysql";
    const ACCOUNT: &'static str = "mysql";
    const PACKAGES: &'static [&'static str] = &PACKAGES;
    const PREPARATION: &'static str = "CREATE USER tangelo@'127.0.0.1' IDENTIFIED BY 'open-sesame';";

    fn initialize(place: &Place<'_>) -> (PathBuf, Vec<String>) {
        let data = format!("--datadir={}", place.data());
        let tmp = tmp(place);
        let args =
            ["--no-defaults", &data, &tmp, "--auth-root-authentication-method=normal", "--skip-test-db"];
        ("mariadb-install-db".into(), args.map(str::to_owned).into())
    }

    fn daemon(place: &Place<'_>) -> (PathBuf, Vec<String>) {
        let dir = place.dir.display();
        let args = [
            "--no-defaults".to_owned(),
            format!("--datadir={}", place.data()),
            tmp(place),
            format!("--port={}", place.port),
            "--bind-address=127.0.0.1".to_owned(),
            "--skip-name-resolve".to_owned(),
            format!("--socket={dir}/socket"),
            format!("--pid-file={dir}/pid"),
        ];
        (PROGRAM.into(), args.into())
    }

    fn client(place: &Place<'_>, database: Option<&str>) -> (PathBuf, Vec<String>) {
        let socket = format!("--socket={}/socket", place.dir.display());
        let args = ["--no-defaults", &socket, "--user=root", "--batch", "--skip-column-names"];
        let mut args: Vec<_> = args.map(str::to_owned).into();
        args.extend(database.map(str::to_owned));
        ("mariadb".into(), args)
    }

    fn create_database(name: &str) -> String {
        format!("CREATE DATABASE {name}; GRANT ALL ON {name}.* TO {NAME}@'127.0.0.1';")
    }
}
