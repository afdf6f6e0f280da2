//! The number of the reign: it only grows.

use super::dir::{EPOCH, RunDir};
use tangelo_core::coordinator::Epoch;
use tangelo_core::{Error, ErrorKind, Result};

/// The epoch of the last reign; 0 if there was none.
///
/// # Errors
/// [`Invalid`](ErrorKind::Invalid) if the file is damaged: a guess could repeat an epoch.
pub(super) fn read(dir: &RunDir) -> Result<Epoch> {
    let Some(bytes) = dir.read(EPOCH, 64)? else {
        return Ok(Epoch(0));
    };
    core::str::from_utf8(&bytes)
        .ok()
        .and_then(|text| text.strip_suffix('\n'))
        .filter(|digits| digits.bytes().all(|b| b.is_ascii_digit()))
        .and_then(|digits| digits.parse().ok())
        .map(Epoch)
        .ok_or_else(|| {
            let path = dir.path_of(EPOCH);
            Error::new(
                ErrorKind::Invalid,
                format!(
                    "{path} is damaged: write a number into it that is higher than any epoch in the logs \
                     (echo 1000000 > {path}), or stop every server and master of this cluster and remove it",
                    path = path.display()
                ),
            )
        })
}

/// Begins the next epoch, above the last one and above `floor`, and returns it once it is on the disk.
///
/// # Errors
/// As for [`read`], and whatever the system says.
pub(super) fn next(dir: &RunDir, floor: Epoch) -> Result<Epoch> {
    let last = read(dir)?.max(floor);
    let next = last.0.checked_add(1).map(Epoch).ok_or_else(|| {
        Error::new(
            ErrorKind::Invalid,
            format!("{} is at its end; no epoch follows", dir.path_of(EPOCH).display()),
        )
    })?;
    dir.replace(EPOCH, format!("{next}\n").as_bytes(), true)?;
    Ok(next)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_grows_past_the_file_and_past_the_floor() {
        let temp = tempfile::tempdir().unwrap();
        let dir = RunDir::open_or_create(temp.path()).unwrap();
        assert_eq!(next(&dir, Epoch(0)).unwrap(), Epoch(1));
        assert_eq!(next(&dir, Epoch(0)).unwrap(), Epoch(2));
        assert_eq!(next(&dir, Epoch(9)).unwrap(), Epoch(10));
        assert_eq!(read(&dir).unwrap(), Epoch(10));
    }

    #[test]
    fn a_damaged_file_is_an_error_and_stays_as_it_is() {
        let temp = tempfile::tempdir().unwrap();
        let dir = RunDir::open_or_create(temp.path()).unwrap();
        for text in ["", "\n", "12", "x\n", "-1\n", "+1\n", "1 2\n", "99999999999999999999\n"] {
            std::fs::write(dir.path_of(EPOCH), text).unwrap();
            let error = next(&dir, Epoch(7)).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Invalid, "{text:?}");
            assert!(error.to_string().contains("epoch is damaged"), "{error}");
            assert_eq!(std::fs::read_to_string(dir.path_of(EPOCH)).unwrap(), text);
        }
        std::fs::write(dir.path_of(EPOCH), format!("{}\n", u64::MAX)).unwrap();
        assert_eq!(next(&dir, Epoch(0)).unwrap_err().kind(), ErrorKind::Invalid);
    }
}
