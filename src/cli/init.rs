//! `init`: a new application, small and complete.

use super::bar::say;
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use tangelo_core::{Error, ErrorKind, Result};

/// What is made, by its place in the new crate. `{name}` and `{tangelo}` are filled in.
const FILES: [(&str, &str); 8] = [
    ("Cargo.toml", include_str!("init/Cargo.toml.in")),
    ("src/main.rs", include_str!("init/main.rs")),
    ("src/page.html", include_str!("init/page.html")),
    ("config/master.json", include_str!("init/master.json")),
    ("config/servers.json", include_str!("init/servers.json")),
    ("config/globalChannel.json", include_str!("init/globalChannel.json")),
    (".gitignore", include_str!("init/gitignore")),
    ("README.md", include_str!("init/README.md")),
];

/// Names that cargo or the compiler would trip over: those of the language, and of what the crate uses.
const RESERVED: &str = "abstract alloc as async await become box break build const continue core crate deps do dyn \
    else enum examples extern false final fn for gen if impl in incremental let loop macro match mod move mut \
    override priv proc_macro pub ref return self static std struct super tangelo test trait true try type typeof \
    unsafe unsized use virtual where while yield";

/// Makes the crate at `path`.
pub(super) fn init(path: &Path) -> Result<()> {
    let path = std::path::absolute(path)
        .map_err(|error| Error::io(format_args!("find the directory {}", path.display()), error))?;
    let name = crate_name(&path)?;
    refuse_full(&path)?;
    let tangelo = dependency(Path::new(env!("CARGO_MANIFEST_DIR")));
    for (place, template) in FILES {
        let mut text = template.replace("{name}", name).replace("{tangelo}", &tangelo);
        if place == "Cargo.toml" && path.ancestors().skip(1).any(|above| above.join(place).is_file()) {
            // It would count as a stray member of the workspace above.
            text += "\n[workspace]\n";
        }
        write(&path.join(place), &text)?;
    }
    say(&format!(
        "made {name} in {0}: `cd {0}`, then `cargo run -- start`, then http://127.0.0.1:3114",
        path.display()
    ));
    Ok(())
}

fn crate_name(path: &Path) -> Result<&str> {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let allowed = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    let problem = if !name.starts_with(|c: char| c.is_ascii_alphabetic()) || !name.chars().all(allowed) {
        "a crate's name begins with a letter, and has letters, digits, \"-\" and \"_\" of ASCII"
    } else if name.len() > 64 {
        "a crate's name has at most 64 characters"
    } else if RESERVED.split_whitespace().any(|word| word == name.replace('-', "_")) {
        "that name is reserved"
    } else {
        return Ok(name);
    };
    let message = format!("cannot name a crate {name:?} after {}: {problem}", path.display());
    Err(Error::new(ErrorKind::Invalid, message))
}

fn refuse_full(path: &Path) -> Result<()> {
    let mut entries = match fs::read_dir(path) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(Error::io(format_args!("make an app in {}", path.display()), error)),
    };
    if entries.next().is_none() {
        return Ok(());
    }
    let message = format!("{} is not empty: choose a directory that is, or a new one", path.display());
    Err(Error::new(ErrorKind::AlreadyExists, message))
}

/// The source that this program was built from, if it is still there, or else its version.
fn dependency(source: &Path) -> String {
    let manifest = fs::read_to_string(source.join("Cargo.toml")).unwrap_or_default();
    match source.to_str() {
        // As a string of TOML, which takes the same escapes.
        Some(source) if manifest.contains("name = \"tangelo\"") => format!("{{ path = {source:?} }}"),
        _ => format!("{:?}", env!("CARGO_PKG_VERSION")),
    }
}

fn write(path: &Path, text: &str) -> Result<()> {
    let written = path.parent().map_or(Ok(()), fs::create_dir_all).and_then(|()| {
        // Never over what somebody has put there just now.
        OpenOptions::new().write(true).create_new(true).open(path)?.write_all(text.as_bytes())
    });
    written.map_err(|error| Error::io(format_args!("write {}", PathBuf::from(path).display()), error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_made_is_complete_and_its_configuration_is_right() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("games/my-game");
        init(&path).unwrap();
        for env in ["development", "production"] {
            let config = crate::config::load(&path, env, Some(&"0-3".parse().unwrap())).unwrap();
            assert_eq!(config.servers.len(), 3);
        }
        let read = |place: &str| fs::read_to_string(path.join(place)).unwrap();
        for (place, _) in FILES {
            assert!(!read(place).contains("{name}") && !read(place).contains("{tangelo}"), "{place}");
        }
        assert!(
            read("Cargo.toml").contains("name = \"my-game\"\n")
                && !read("Cargo.toml").contains("[workspace]")
        );
        assert!(read("README.md").starts_with("# my-game\n"));

        let error = init(&path).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AlreadyExists);
        assert!(error.to_string().contains("is not empty"), "{error}");
        // Within another crate it is a workspace of its own.
        let inner = path.join("inner");
        init(&inner).unwrap();
        assert!(fs::read_to_string(inner.join("Cargo.toml")).unwrap().ends_with("[workspace]\n"));
    }

    #[test]
    fn an_empty_directory_will_do_and_a_file_will_not() {
        let dir = tempfile::tempdir().unwrap();
        let (empty, file) = (dir.path().join("empty"), dir.path().join("file"));
        fs::create_dir(&empty).unwrap();
        init(&empty).unwrap();
        fs::write(&file, "").unwrap();
        assert!(init(&file).is_err());
        assert_eq!(fs::read_to_string(&file).unwrap(), "");
    }

    #[test]
    fn names_that_are_no_crates_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["1game", "my game", "jeu-d'été", "fn", "proc-macro", "tangelo", ".."] {
            let path = dir.path().join(name);
            let error = init(&path).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Invalid, "{error}");
        }
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0, "nothing was made");
    }

    #[test]
    fn it_depends_on_the_source_that_is_there_or_on_the_version() {
        let here = dependency(Path::new(env!("CARGO_MANIFEST_DIR")));
        assert!(here.starts_with("{ path = \""), "{here}");
        assert_eq!(dependency(Path::new("/nowhere")), format!("\"{}\"", env!("CARGO_PKG_VERSION")));
    }
}
