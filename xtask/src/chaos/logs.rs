//! What the processes say of themselves, read as it comes.

use alloc::collections::BTreeMap;
use anyhow::{Context as _, Result};
use serde_json::Value;
use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

/// The logs of all masters and servers below a directory.
#[derive(Debug)]
pub(super) struct Logs {
    dir: PathBuf,
    /// How far each file is read.
    read: BTreeMap<PathBuf, u64>,
    laws: Laws,
}

/// What the lines of before say of those to come.
#[derive(Debug, Default)]
struct Laws {
    /// Who has led in each epoch.
    reigns: BTreeMap<u64, String>,
    /// The epoch that each incarnation of a server has registered with last.
    registered: BTreeMap<(String, u64), u64>,
}

impl Logs {
    pub(super) fn of(dir: &Path) -> Self {
        Self { dir: dir.to_owned(), read: BTreeMap::new(), laws: Laws::default() }
    }

    /// What is against the laws in the lines since the last call.
    pub(super) fn violations(&mut self) -> Result<Vec<String>> {
        let mut violations = Vec::new();
        for file in self.files()? {
            let read = self.read.entry(file.clone()).or_default();
            let text = more(&file, read).with_context(|| format!("cannot read {}", file.display()))?;
            let shown = file.strip_prefix(&self.dir).unwrap_or(&file).display().to_string();
            let wrong = text.lines().filter_map(|line| self.laws.broken(&shown, line));
            violations.extend(wrong.map(|wrong| format!("{shown}: {wrong}")));
        }
        Ok(violations)
    }

    fn files(&self) -> Result<Vec<PathBuf>> {
        let list = |dir: &Path| -> Result<Vec<PathBuf>> {
            let entries = std::fs::read_dir(dir).with_context(|| dir.display().to_string())?;
            Ok(entries.flatten().map(|entry| entry.path()).collect())
        };
        let mut files = Vec::new();
        for place in list(&self.dir)?.into_iter().filter(|path| path.join("config").is_dir()) {
            // A master that has launched nothing has no logs of servers.
            let servers = list(&place.join("logs")).unwrap_or_default();
            files.push(place.join("masters.log"));
            files.extend(servers.into_iter().filter(|file| file.extension().is_some_and(|end| end == "log")));
        }
        Ok(files.into_iter().filter(|file| file.is_file()).collect())
    }
}

/// What has been written since the last call; whole lines only.
fn more(path: &Path, read: &mut u64) -> Result<String> {
    let mut file = File::open(path)?;
    if file.metadata()?.len() < *read {
        // It was rotated.
        *read = 0;
    }
    file.seek(SeekFrom::Start(*read))?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    let whole = bytes.iter().rposition(|&byte| byte == b'\n').map_or(0, |end| end + 1);
    bytes.truncate(whole);
    *read += u64::try_from(whole)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

impl Laws {
    /// What a line of `file` says that is against the laws.
    fn broken(&mut self, file: &str, line: &str) -> Option<String> {
        if line.contains(" panicked at ") {
            return Some(line.to_owned());
        }
        // Masters' lines have the time that they came in front.
        let event: Value = serde_json::from_str(&line[line.find('{')?..]).ok()?;
        let number = |key: &str| event.get(key).and_then(Value::as_u64);
        let epoch = number("epoch");
        match event.get("message")?.as_str()? {
            "leading" => {
                let other = self.reigns.insert(epoch?, file.to_owned())?;
                Some(format!("epoch {} had been that of {other}", epoch?))
            }
            "registered with the master" => {
                let last = self.registered.entry((file.to_owned(), number("incarnation")?)).or_default();
                let before = core::mem::replace(last, epoch?);
                (before > epoch? || number("seen")? > epoch?).then(|| format!("registered backwards: {line}"))
            }
            "the master says stop" => (number("seen")? > epoch?).then(|| format!("obeys the past: {line}")),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_epoch_with_two_leaders_and_a_server_that_goes_back_are_found() {
        let mut laws = Laws::default();
        let mut broken = |file: &str, line: &str| laws.broken(file, line).is_some();
        assert!(!broken("a", r#"12.345 {"level":"INFO","message":"leading","epoch":1,"servers":10}"#));
        assert!(!broken("b", r#"12.346 {"level":"INFO","message":"leading","epoch":2,"servers":10}"#));
        assert!(broken("c", r#"12.347 {"level":"INFO","message":"leading","epoch":2,"servers":10}"#));
        let registered = |incarnation: u64, epoch: u64| {
            format!(
                r#"{{"message":"registered with the master","incarnation":{incarnation},"epoch":{epoch},"seen":1}}"#
            )
        };
        assert!(!broken("x", &registered(1, 4)));
        assert!(!broken("x", &registered(1, 5)));
        assert!(!broken("x", &registered(2, 4)));
        assert!(broken("x", &registered(1, 4)));
        assert!(!broken("x", r#"{"message":"the master says stop","epoch":5,"seen":5}"#));
        assert!(broken("x", r#"{"message":"the master says stop","epoch":4,"seen":5}"#));
        assert!(broken("x", "thread 'main' panicked at src/x.rs:1:2:"));
        assert!(!broken("x", "no {JSON"));
    }

    #[test]
    fn lines_are_read_once_and_when_they_are_whole() {
        let file = std::env::temp_dir().join(format!("tangelo-logs-{}", std::process::id()));
        let mut read = 0;
        std::fs::write(&file, "one\ntw").expect("write");
        assert_eq!(more(&file, &mut read).expect("read"), "one\n");
        std::fs::write(&file, "one\ntwo\n").expect("write");
        assert_eq!(more(&file, &mut read).expect("read"), "two\n");
        std::fs::write(&file, "new\n").expect("write");
        assert_eq!(more(&file, &mut read).expect("read"), "new\n");
        std::fs::remove_file(&file).expect("remove");
    }
}
