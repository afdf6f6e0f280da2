//! Packages: what a client's stream of bytes, or each of its WebSocket frames, is made of.
//!
//! ```text
//! u8 type | u24 BE length | body
//! ```
//!
//! The format is that of pomelo-protocol 0.1.6 (`Package.encode`, `Package.decode`), which all of
//! Pomelo's clients speak, and those of Pitaya and Nano, too.

use super::error::{DecodeError, EncodeError};
use alloc::vec::Vec;

/// The bytes before a package's body.
pub const HEADER: usize = 4;

/// The longest body that a header can announce, in bytes.
pub const MAX_BODY: usize = (1 << 24) - 1;

/// What a package is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum PackageType {
    /// The client says what it is; the server answers with what both will use.
    Handshake = 1,
    /// The client has understood the server's handshake.
    HandshakeAck = 2,
    /// A sign of life; it has no body.
    Heartbeat = 3,
    /// A [message](super::message).
    Data = 4,
    /// The server is about to close the connection.
    Kick = 5,
}

impl PackageType {
    /// The type that a package's first byte names.
    ///
    /// # Errors
    /// [`PackageType`](DecodeError::PackageType) if it names none.
    pub const fn from_byte(byte: u8) -> Result<Self, DecodeError> {
        Ok(match byte {
            1 => Self::Handshake,
            2 => Self::HandshakeAck,
            3 => Self::Heartbeat,
            4 => Self::Data,
            5 => Self::Kick,
            _ => return Err(DecodeError::PackageType(byte)),
        })
    }
}

/// One package.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Package<'a> {
    /// What it is.
    pub kind: PackageType,
    /// What it carries, by its kind.
    pub body: &'a [u8],
}

/// Reads the package at the start of `bytes`, and how many bytes it takes; `None` if its end has
/// not come yet. A header that is wrong is refused as soon as its wrong byte is there, so whoever
/// gathers bytes never holds more than `HEADER + max_body` of one package.
///
/// # Errors
/// [`PackageType`](DecodeError::PackageType), or [`PackageTooLong`](DecodeError::PackageTooLong) if
/// the body has more than `max_body` bytes.
pub fn decode(bytes: &[u8], max_body: usize) -> Result<Option<(Package<'_>, usize)>, DecodeError> {
    let Some(&first) = bytes.first() else { return Ok(None) };
    let kind = PackageType::from_byte(first)?;
    let Some((&[_, a, b, c], rest)) = bytes.split_first_chunk::<HEADER>() else { return Ok(None) };
    let length = u32::from_be_bytes([0, a, b, c]) as usize;
    if length > max_body {
        return Err(DecodeError::PackageTooLong { length, limit: max_body });
    }
    Ok(rest.get(..length).map(|body| (Package { kind, body }, HEADER + length)))
}

/// How many bytes the package at the start of `bytes` has in all, as far as is known: without its
/// whole header, that of the header. So a reader knows how much room to make.
///
/// # Errors
/// As for [`decode`].
pub fn needed(bytes: &[u8], max_body: usize) -> Result<usize, DecodeError> {
    let header = bytes.get(..HEADER).unwrap_or(bytes);
    decode(header, max_body)?;
    Ok(match *header {
        [_, a, b, c] => HEADER + u32::from_be_bytes([0, a, b, c]) as usize,
        _ => HEADER,
    })
}

/// The header of a package whose body has `length` bytes.
///
/// # Errors
/// [`PackageTooLong`](EncodeError::PackageTooLong) beyond [`MAX_BODY`].
pub fn header(kind: PackageType, length: usize) -> Result<[u8; HEADER], EncodeError> {
    match u32::try_from(length).map(u32::to_be_bytes) {
        Ok([0, a, b, c]) => Ok([kind as u8, a, b, c]),
        _ => Err(EncodeError::PackageTooLong(length)),
    }
}

/// Appends a package.
///
/// # Errors
/// As for [`header`]; then `out` is as it was.
pub fn encode_into(out: &mut Vec<u8>, kind: PackageType, body: &[u8]) -> Result<(), EncodeError> {
    let header = header(kind, body.len())?;
    out.reserve(HEADER + body.len());
    out.extend_from_slice(&header);
    out.extend_from_slice(body);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    #[test]
    fn what_was_encoded_is_read_back_one_by_one() {
        let mut bytes = Vec::new();
        encode_into(&mut bytes, PackageType::Heartbeat, &[]).unwrap();
        encode_into(&mut bytes, PackageType::Data, &[7; 300]).unwrap();
        let (first, taken) = decode(&bytes, 300).unwrap().unwrap();
        assert_eq!((first.kind, first.body, taken), (PackageType::Heartbeat, &[][..], 4));
        let (second, taken) = decode(&bytes[taken..], 300).unwrap().unwrap();
        assert_eq!((second.kind, second.body, taken), (PackageType::Data, &[7; 300][..], 304));
        assert_eq!(decode(&bytes[4 + 304..], 300), Ok(None));
    }

    #[test]
    fn a_package_cut_anywhere_waits_for_the_rest() {
        let mut bytes = Vec::new();
        encode_into(&mut bytes, PackageType::Handshake, b"{\"sys\":{}}").unwrap();
        for cut in 0..bytes.len() {
            assert_eq!(decode(&bytes[..cut], 64), Ok(None), "{cut}");
            let needed = needed(&bytes[..cut], 64).unwrap();
            assert_eq!(needed, if cut < HEADER { HEADER } else { bytes.len() }, "{cut}");
        }
    }

    #[test]
    fn wrong_headers_are_refused_at_their_first_wrong_byte() {
        for kind in (0..=0).chain(6..=255) {
            assert_eq!(decode(&[kind], 64), Err(DecodeError::PackageType(kind)));
            assert_eq!(needed(&[kind], 64), Err(DecodeError::PackageType(kind)));
        }
        let too_long = DecodeError::PackageTooLong { length: 65, limit: 64 };
        assert_eq!(decode(&[4, 0, 0, 65], 64), Err(too_long));
        assert_eq!(needed(&[4, 0, 0, 65, 1], 64), Err(too_long));
        assert_eq!(decode(&[4, 0xFF, 0xFF, 0xFF], MAX_BODY), Ok(None));
    }

    #[test]
    fn a_body_that_no_header_can_announce_is_not_sent() {
        assert_eq!(header(PackageType::Data, MAX_BODY), Ok([4, 0xFF, 0xFF, 0xFF]));
        let mut out = vec![1];
        let body = vec![0; MAX_BODY + 1];
        let refused = encode_into(&mut out, PackageType::Data, &body);
        assert_eq!((refused, out), (Err(EncodeError::PackageTooLong(MAX_BODY + 1)), vec![1]));
    }
}
