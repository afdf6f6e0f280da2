//! The address of the leader, as everybody reads it.

use super::dir::{LEADER, read_bounded};
use std::fs::File;
use std::io;
use std::path::Path;
use tangelo_core::coordinator::LeaderInfo;
use tangelo_core::{Error, ErrorKind, Result};

/// The file is no larger than this, in bytes.
const LIMIT: u64 = 64 * 1024;

/// Who was published last and not taken back; whether it lives is another question.
///
/// # Errors
/// [`Invalid`](ErrorKind::Invalid) for a damaged file; whatever the system says.
pub(super) fn read(run_dir: &Path) -> Result<Option<LeaderInfo>> {
    let path = run_dir.join(LEADER);
    let file = match File::open(&path) {
        Ok(file) => file,
        Err(e) if matches!(e.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            return Ok(None);
        }
        Err(e) => return Err(Error::io(format_args!("read {}", path.display()), e)),
    };
    serde_json::from_slice(&read_bounded(&file, &path, LIMIT)?).map(Some).map_err(|e| {
        let message = format!("{} is damaged; the next leader writes it anew", path.display());
        Error::new(ErrorKind::Invalid, message).with_source(e)
    })
}
