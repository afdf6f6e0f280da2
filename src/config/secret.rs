//! Where the cluster's secret comes from: `TANGELO_SECRET`, `secret` in master.json, or, for a
//! cluster that never leaves the loopback of one machine, `run/secret`, which is made when missing.

use super::files;
use core::fmt::Write as _;
use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use tangelo_core::config::{ClusterConfig, Secret};
use tangelo_core::{Error, ErrorKind, Result};

/// The environment variable that holds the secret.
pub(crate) const VARIABLE: &str = "TANGELO_SECRET";

/// The secret of the cluster of `dir`, for a master: made if there is none and none is needed beyond this machine.
///
/// # Errors
/// `Denied` if the cluster has hosts beyond loopback and no secret, or if others may read
/// `run/secret`; `Invalid` for a secret that is too short.
pub(crate) fn obtain(dir: &Path, config: &ClusterConfig) -> Result<Secret> {
    warn_if_exposed(dir, config);
    obtain_or(std::env::var_os(VARIABLE), dir, config)
}

/// Whether the secret is the one of the environment variable.
pub(crate) fn is_in_environment() -> bool {
    std::env::var_os(VARIABLE).is_some()
}

fn obtain_or(variable: Option<OsString>, dir: &Path, config: &ClusterConfig) -> Result<Secret> {
    match given(variable, config)? {
        Some(secret) => Ok(secret),
        None => obtain_file(&path(dir)),
    }
}

/// The secret of the cluster of `dir`, for a server or a command line, which make none.
///
/// # Errors
/// As [`obtain`], and `NotFound` if there is none yet.
pub(crate) fn find(dir: &Path, config: &ClusterConfig) -> Result<Secret> {
    find_or(std::env::var_os(VARIABLE), dir, config)
}

fn find_or(variable: Option<OsString>, dir: &Path, config: &ClusterConfig) -> Result<Secret> {
    if let Some(secret) = given(variable, config)? {
        return Ok(secret);
    }
    let path = path(dir);
    read(&path)?.ok_or_else(|| {
        let path = path.display();
        Error::new(
            ErrorKind::NotFound,
            format!("there is no {VARIABLE}, no \"secret\" in master.json and no {path}: is the cluster started, and is this its directory?"),
        )
    })
}

fn path(dir: &Path) -> PathBuf {
    dir.join("run").join("secret")
}

/// The secret that somebody has set; none if the one in `run/` is to be used.
fn given(variable: Option<OsString>, config: &ClusterConfig) -> Result<Option<Secret>> {
    if let Some(text) = variable {
        // Text or not: the error does not show it, and bytes that are none would not reach a child as they are.
        let secret = text
            .to_str()
            .ok_or_else(|| Error::new(ErrorKind::Invalid, format!("{VARIABLE}: expected UTF-8 text")))?;
        let secret = Secret::new(secret)
            .map_err(|error| Error::new(error.kind(), format!("{VARIABLE}: {}", error.message())))?;
        return Ok(Some(secret));
    }
    if let Some(secret) = &config.master.secret {
        return Ok(Some(secret.clone()));
    }
    match config.outer_hosts().next() {
        None => Ok(None),
        Some(host) => Err(Error::new(
            ErrorKind::Denied,
            format!(
                "host {host} is beyond this machine's loopback, and there is no secret to keep strangers out: \
                 set {VARIABLE} or \"secret\" in master.json to the same text on every host (`openssl rand -hex 32` makes a good one)"
            ),
        )),
    }
}

/// Says so if others may read the secret in master.json, or the password in zookeeper.json.
fn warn_if_exposed(dir: &Path, config: &ClusterConfig) {
    let zookeeper = super::load_zookeeper(dir, &config.env).ok().flatten();
    let has_password = zookeeper.is_some_and(|zookeeper| zookeeper.login.is_some());
    for (holds, kind, what) in [
        (config.master.secret.is_some(), &files::MASTER, "the secret"),
        (has_password, &files::ZOOKEEPER, "ZooKeeper's password"),
    ] {
        if holds
            && let Ok(file) = files::find(dir, &config.env, kind)
            && fs::metadata(&file.path).is_ok_and(|metadata| metadata.permissions().mode() & 0o077 != 0)
        {
            tracing::warn!("{0} holds {what} and others may read it: `chmod 600 {0}`", file.name);
        }
    }
}

/// Reads the secret's file, or makes it.
fn obtain_file(path: &Path) -> Result<Secret> {
    if let Some(secret) = read(path)? {
        return Ok(secret);
    }
    make(path)?;
    read(path)?.ok_or_else(|| {
        let path = path.display();
        Error::new(ErrorKind::NotFound, format!("{path} has been removed just now: try again"))
    })
}

/// Reads the secret's file; none if it does not exist.
fn read(path: &Path) -> Result<Option<Secret>> {
    let failed = |error| Error::io(format_args!("read {}", path.display()), error);
    // Without waiting, should it be a pipe.
    let flags = rustix::fs::OFlags::NONBLOCK.bits().cast_signed();
    let file = match OpenOptions::new().read(true).custom_flags(flags).open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(error)),
    };
    let metadata = file.metadata().map_err(failed)?;
    let shown = path.display();
    if !metadata.is_file() {
        return Err(Error::new(ErrorKind::Invalid, format!("{shown} is not a file: remove it")));
    }
    if metadata.permissions().mode() & 0o077 != 0 {
        return Err(Error::new(
            ErrorKind::Denied,
            format!(
                "others may read {shown}, so it is no secret: `chmod 600 {shown}`, or remove it while the cluster is stopped to get a new one"
            ),
        ));
    }
    let mut text = String::new();
    file.take(4 * Secret::LONGEST as u64).read_to_string(&mut text).map_err(failed)?;
    Secret::new(&text).map(Some).map_err(|error| {
        let what = error.message();
        Error::new(
            error.kind(),
            format!("{shown}: {what}; or remove it while the cluster is stopped to get a new one"),
        )
    })
}

/// Makes the secret's file, unless another process is faster. Whoever is killed in here leaves no
/// half of it behind: it gets its name only when it is whole.
fn make(path: &Path) -> Result<()> {
    let dir = path.parent().unwrap_or_else(|| Path::new("."));
    // For this user only: whoever could write there could replace the secret, and the lock of the leader.
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(dir)
        .map_err(|error| Error::io(format_args!("make {}", dir.display()), error))?;
    let draft = dir.join(format!(".secret.{}.{:016x}", std::process::id(), fastrand::u64(..)));
    let linked = write_draft(&draft).and_then(|()| match fs::hard_link(&draft, path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        linked => linked,
    });
    let removed = fs::remove_file(&draft);
    linked.and(removed).map_err(|error| {
        Error::io(format_args!("make {} (with {VARIABLE} set it is not needed)", path.display()), error)
    })
}

fn write_draft(draft: &Path) -> io::Result<()> {
    let mut random = [0; 32];
    File::open("/dev/urandom")?.read_exact(&mut random)?;
    let mut text = String::with_capacity(2 * random.len() + 1);
    for byte in random {
        write!(text, "{byte:02x}").map_err(io::Error::other)?;
    }
    text.push('\n');
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(draft)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::collections::BTreeSet;
    use std::sync::Barrier;
    use std::thread;
    use tangelo_core::config::{MasterDef, ServerDef};

    fn config(master: &str, server: &str) -> ClusterConfig {
        ClusterConfig {
            env: "development".into(),
            master: MasterDef::new("master-server-1", master, 3005),
            servers: vec![ServerDef::new("chat-server-1", "chat", server)],
        }
    }

    fn chmod(path: &Path, mode: u32) {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn the_variable_wins_over_master_json() {
        let mut config = config("10.0.0.1", "10.0.0.2");
        config.master.secret = Some(Secret::new("from-master-json").unwrap());
        let secret = given(Some("from-the-variable".into()), &config).unwrap().unwrap();
        assert_eq!(secret.expose(), "from-the-variable");
        let secret = given(None, &config).unwrap().unwrap();
        assert_eq!(secret.expose(), "from-master-json");
        for wrong in ["", "hunter2"] {
            let error = given(Some(wrong.into()), &config).unwrap_err();
            assert!(error.to_string().starts_with("TANGELO_SECRET: expected a secret of 16"), "{error}");
            assert!(!error.to_string().contains("hunter2"));
        }
    }

    #[test]
    fn a_cluster_beyond_loopback_needs_a_secret() {
        for config in [
            config("10.0.0.1", "127.0.0.1"),
            config("localhost", "game.example.org"),
            config("0.0.0.0", "::1"),
        ] {
            let error = given(None, &config).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Denied);
            assert!(error.to_string().contains("set TANGELO_SECRET"), "{error}");
        }
        assert!(given(None, &config("localhost", "127.0.0.1")).unwrap().is_none());
    }

    #[test]
    fn processes_that_start_at_once_make_one_secret() {
        let dir = tempfile::tempdir().unwrap();
        let path = path(dir.path());
        assert!(read(&path).unwrap().is_none());
        let start = Barrier::new(16);
        let secrets: BTreeSet<String> = thread::scope(|scope| {
            let one = || {
                start.wait();
                obtain_file(&path).unwrap().expose().to_owned()
            };
            let threads: Vec<_> = (0..16).map(|_| scope.spawn(one)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert_eq!(secrets.len(), 1);
        assert_eq!(secrets.first().unwrap().len(), 64);
        let files: Vec<_> =
            fs::read_dir(path.parent().unwrap()).unwrap().map(|f| f.unwrap().file_name()).collect();
        assert_eq!(files, ["secret"], "no drafts stay behind");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::metadata(path.parent().unwrap()).unwrap().permissions().mode() & 0o777, 0o700);
        assert_eq!(obtain_file(&path).unwrap().expose(), secrets.first().unwrap(), "it stays the same");
    }

    #[test]
    fn a_secret_that_others_may_read_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = path(dir.path());
        obtain_file(&path).unwrap();
        for mode in [0o640, 0o604, 0o620] {
            chmod(&path, mode);
            let error = obtain_file(&path).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Denied);
            assert!(error.to_string().contains(&format!("`chmod 600 {}`", path.display())), "{error}");
        }
        chmod(&path, 0o600);
        assert!(obtain_file(&path).is_ok());
    }

    #[test]
    fn a_broken_secret_is_refused_and_not_shown() {
        let dir = tempfile::tempdir().unwrap();
        let path = path(dir.path());
        fs::create_dir(path.parent().unwrap()).unwrap();
        for text in ["", "hunter2\n", &"hunter2".repeat(1000)] {
            fs::write(&path, text).unwrap();
            chmod(&path, 0o600);
            let error = obtain_file(&path).unwrap_err().to_string();
            assert!(error.contains("expected a secret of 16") && !error.contains("hunter2"), "{error}");
        }
        fs::remove_file(&path).unwrap();
        fs::create_dir(&path).unwrap();
        assert!(obtain_file(&path).unwrap_err().to_string().contains("is not a file"));
    }

    #[test]
    fn only_a_master_makes_a_secret() {
        let dir = tempfile::tempdir().unwrap();
        let mut config = config("localhost", "localhost");
        assert_eq!(find_or(None, dir.path(), &config).unwrap_err().kind(), ErrorKind::NotFound);
        assert!(!dir.path().join("run").exists());
        let made = obtain_or(None, dir.path(), &config).unwrap();
        assert!(find_or(None, dir.path(), &config).unwrap() == made);
        config.master.secret = Some(Secret::new("from-master-json").unwrap());
        assert_eq!(find_or(None, dir.path(), &config).unwrap().expose(), "from-master-json");
    }
}
