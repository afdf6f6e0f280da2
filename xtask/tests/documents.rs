//! What is promised of the documents and examples, by numbers.

use std::fs;
use std::path::{Path, PathBuf};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace")
}

/// All lines of all Rust files in a directory and those below it, comments and empty ones among them.
fn lines_of_rust(dir: &Path) -> usize {
    let entries = fs::read_dir(dir).expect("a directory").map(|entry| entry.expect("an entry").path());
    let count = |path: PathBuf| match path.extension() {
        _ if path.is_dir() => lines_of_rust(&path),
        Some(extension) if extension == "rs" => fs::read_to_string(&path).expect("text").lines().count(),
        _ => 0,
    };
    entries.map(count).sum()
}

#[test]
fn a_part_of_ones_own_takes_less_than_200_lines() {
    let examples = fs::read_dir(root().join("examples")).expect("examples").flatten();
    let custom = examples.filter(|entry| entry.file_name().to_string_lossy().starts_with("custom_"));
    let sizes: Vec<_> =
        custom.map(|entry| (entry.file_name(), lines_of_rust(&entry.path().join("src")))).collect();
    assert!(sizes.len() >= 4, "{sizes:?}");
    assert!(sizes.iter().all(|(_, lines)| (1..200).contains(lines)), "{sizes:?}");
}

#[test]
fn the_readme_is_short() {
    let lines = fs::read_to_string(root().join("README.md")).expect("README.md").lines().count();
    assert!(lines <= 230, "README.md has {lines} lines");
}
