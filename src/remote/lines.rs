//! Lines of bounded length from a pipe.

use super::wire::MAX_LINE;
use std::io::{self, BufRead, BufReader, Read};

/// Reads line after line.
#[derive(Debug)]
pub(super) struct Lines<R>(BufReader<R>);

impl<R: Read> Lines<R> {
    pub(super) fn new(input: R) -> Self {
        Self(BufReader::new(input))
    }

    /// The next line, without its end; `None`: there are no more.
    ///
    /// # Errors
    /// What the system says, and `InvalidData` for a line that is too long.
    pub(super) fn next(&mut self) -> io::Result<Option<Vec<u8>>> {
        let mut line = Vec::new();
        let limit = u64::try_from(MAX_LINE).unwrap_or(u64::MAX);
        (&mut self.0).take(limit).read_until(b'\n', &mut line)?;
        if line.pop_if(|last| *last == b'\n').is_some() {
            return Ok(Some(line));
        }
        if line.len() == MAX_LINE {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                format!("a line of over {MAX_LINE} bytes"),
            ));
        }
        // What is left without an end was cut off.
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_come_whole_or_not_at_all() {
        let mut lines = Lines::new(&b"one\n\ntwo\nthr"[..]);
        let mut next = || lines.next().unwrap();
        assert_eq!(next().as_deref(), Some(&b"one"[..]));
        assert_eq!(next().as_deref(), Some(&b""[..]));
        assert_eq!(next().as_deref(), Some(&b"two"[..]));
        assert_eq!((next(), next()), (None, None));
    }

    #[test]
    fn an_endless_line_ends_it() {
        let mut lines = Lines::new(io::repeat(b'x'));
        assert_eq!(lines.next().unwrap_err().kind(), io::ErrorKind::InvalidData);
    }
}
