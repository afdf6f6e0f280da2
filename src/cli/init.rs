//! `init`: a new application, small and complete.

use std::path::Path;
use tangelo_core::{Error, ErrorKind, Result};

pub(super) fn init(path: &Path) -> Result<()> {
    Err(Error::new(ErrorKind::Unsupported, format!("cannot make {}: not built yet", path.display())))
}
