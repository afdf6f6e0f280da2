//! A file.

use super::Keeper;
use tempfile::TempDir;

pub(crate) fn sqlite() -> TempDir {
    TempDir::with_prefix("tangelo-rooms-").expect("a temporary directory")
}

/// The directory of a file.
impl Keeper for TempDir {
    fn url(&self) -> String {
        format!("sqlite://{}", self.path().join("rooms.db").display())
    }
}
