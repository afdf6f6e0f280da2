use super::*;
use alloc::vec::Vec;
use std::process::{Command, Stdio};

const LOG: &str = "TANGELO_TEST_LOG";
const LINES: usize = 2000;

fn spec(dir: &tempfile::TempDir, max_bytes: u64, keep: u32) -> LogSpec {
    LogSpec { path: dir.path().join("logs/x.log").to_str().unwrap().into(), max_bytes, keep }
}

fn write(spec: &LogSpec, text: &str) {
    use std::io::Write as _;
    open(spec).unwrap().write_all(text.as_bytes()).unwrap();
}

fn read(spec: &LogSpec, n: u32) -> Option<String> {
    fs::read_to_string(if n == 0 { spec.path.clone() } else { rotated(spec, n) }).ok()
}

#[test]
fn a_full_log_makes_way_at_the_launch_and_the_oldest_goes() {
    let dir = tempfile::tempdir().unwrap();
    let spec = spec(&dir, 4, 2);
    for text in ["a", "bcd", "ef", "ghijk", "lmno"] {
        write(&spec, text);
    }
    let files: Vec<_> = (0..4).map(|n| read(&spec, n)).collect();
    assert_eq!(files, [Some("lmno".into()), Some("efghijk".into()), Some("abcd".into()), None]);
    write(&spec, "p");
    let files: Vec<_> = (0..4).map(|n| read(&spec, n)).collect();
    assert_eq!(files, [Some("p".into()), Some("lmno".into()), Some("efghijk".into()), None]);
}

#[test]
fn none_is_kept_if_none_is_to_be_kept() {
    let dir = tempfile::tempdir().unwrap();
    let spec = spec(&dir, 2, 0);
    write(&spec, "ab");
    write(&spec, "c");
    assert_eq!((read(&spec, 0), read(&spec, 1)), (Some("c".into()), None));
}

#[test]
fn others_may_not_read_a_log() {
    let dir = tempfile::tempdir().unwrap();
    let spec = spec(&dir, 2, 0);
    let mode = open(&spec).unwrap().metadata().unwrap().mode();
    assert_eq!(mode & 0o137, 0, "{mode:o}");
}

/// Not a test: the child of the test below, which writes to its stdout and rotates that.
#[test]
fn child() {
    let Ok(path) = std::env::var(LOG) else { return };
    let spec = LogSpec { path, max_bytes: 4096, keep: 100 };
    for n in 0..LINES {
        let line = format!("line {n:06}\n");
        rustix::io::write(rustix::stdio::stdout(), line.as_bytes()).unwrap();
        rustix::io::write(rustix::stdio::stderr(), line.as_bytes()).unwrap();
        rotate_own_output(&spec).unwrap();
    }
    assert!(!rotate_own_output(&LogSpec { path: "/dev/null".into(), ..spec }).unwrap(), "not our stdout");
}

fn run_child(spec: &LogSpec, stderr: Stdio) {
    let status = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "local::log::tests::child", "--nocapture"])
        .env(LOG, &spec.path)
        .stdout(open(spec).unwrap())
        .stderr(stderr)
        .status()
        .unwrap();
    assert!(status.success(), "{status}");
}

#[test]
fn a_process_rotates_its_own_output_and_loses_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let spec = spec(&dir, 4096, 100);
    run_child(&spec, open(&spec).unwrap().into());
    let files: Vec<_> = (0..=100).rev().filter_map(|n| read(&spec, n)).collect();
    assert!(files.len() > 5, "{} files", files.len());
    assert!(files.iter().all(|file| file.len() < 8192), "a file outgrew its limit");
    let all = files.concat();
    let numbers: Vec<_> = all.lines().filter_map(|line| line.strip_prefix("line ")).collect();
    let expected: Vec<_> = (0..LINES).flat_map(|n| [format!("{n:06}"), format!("{n:06}")]).collect();
    assert_eq!(numbers, expected);
}

#[test]
fn a_stderr_that_goes_elsewhere_stays_there() {
    let dir = tempfile::tempdir().unwrap();
    let spec = spec(&dir, 4096, 100);
    let elsewhere = dir.path().join("elsewhere");
    run_child(&spec, File::create(&elsewhere).unwrap().into());
    let lines = fs::read_to_string(elsewhere).unwrap().lines().count();
    assert_eq!(lines, LINES);
    assert!(read(&spec, 1).is_some(), "stdout was rotated");
}
