//! What database servers have in common: a port, data, a process that comes and goes, and a client program.

mod server;

pub use server::Server;

use crate::account::Account;
use anyhow::Result;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The database and the user that every server has.
pub const NAME: &str = "tangelo";
/// The password of that user, who gets in by TCP with it only. It guards nothing.
pub const PASSWORD: &str = "open-sesame";

/// A kind of database server.
pub trait Flavor: Send + Sync + 'static {
    /// What it is called.
    const PRODUCT: &'static str;
    /// The scheme of its URLs.
    const SCHEME: &'static str;
    /// The user of the system that it runs as when we are root.
    const ACCOUNT: &'static str;
    /// The Debian packages that it comes from.
    const PACKAGES: &'static [&'static str];
    /// Makes the user and the database that every server has.
    const PREPARATION: &'static str;

    /// The program that fills an empty data directory, and its arguments.
    fn initialize(place: &Place<'_>) -> (PathBuf, Vec<String>);

    /// The server, and its arguments.
    fn daemon(place: &Place<'_>) -> (PathBuf, Vec<String>);

    /// A client that reads statements from its standard input, as the superuser by the Unix socket.
    fn client(place: &Place<'_>, database: Option<&str>) -> (PathBuf, Vec<String>);

    /// Makes a database, owned by [`NAME`].
    fn create_database(name: &str) -> String;
}

/// Where a server is.
#[derive(Debug, Clone, Copy)]
pub struct Place<'a> {
    /// Its directory; its Unix socket is in there.
    pub dir: &'a Path,
    /// Its port on 127.0.0.1.
    pub port: u16,
}

impl Place<'_> {
    /// Its data.
    #[must_use]
    pub fn data(&self) -> String {
        self.dir.join("data").display().to_string()
    }
}

/// A program of a server, run to its end as the server's user.
fn program(account: Option<Account>, program: &Path, args: &[String], dir: &Path) -> Command {
    let mut command = match account {
        None => Command::new(program),
        Some(account) => {
            let mut command = Command::new("setpriv");
            command.args(account.words()).arg(program);
            command
        }
    };
    // One that starts clears away what others have in a directory for all.
    command.args(args).current_dir(dir).env("TMPDIR", dir);
    command
}

/// How to name the cure when something is missing.
fn missing<F: Flavor>(program: &Path) -> String {
    let packages = F::PACKAGES.join(", ");
    format!(
        "cannot run {}: `cargo xtask services install` installs Debian's packages {packages}",
        program.display()
    )
}

/// What a program has said, if it went well.
fn output(mut command: Command, input: &str) -> Result<String> {
    use std::io::Write as _;
    use std::process::Stdio;
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn()?;
    let mut stdin = child.stdin.take();
    if let Some(stdin) = &mut stdin {
        // One that ends early says why.
        let _ = stdin.write_all(input.as_bytes());
    }
    drop(stdin);
    let output = child.wait_with_output()?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim_end().to_owned();
    anyhow::ensure!(output.status.success(), "{} {}", text(&output.stdout), text(&output.stderr));
    Ok(text(&output.stdout))
}
