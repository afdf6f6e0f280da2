//! Bodies that a client has compressed, with a bound on what they become.
//!
//! Bit 4 of a message's flag says that its body is compressed; Pomelo's servers ignore it and then
//! cannot read the body. Of the clients that set it some use gzip's format (RFC 1952) and others
//! zlib's (RFC 1950: Pitaya's), so both are taken. Servers need not compress, and this one does not.

use super::error::DecodeError;
use alloc::vec::Vec;
use miniz_oxide::inflate::{
    DecompressError, TINFLStatus, decompress_to_vec_with_limit, decompress_to_vec_zlib_with_limit,
};

const TRAILER: usize = 8;

/// Decompresses a body into at most `limit` bytes.
///
/// # Errors
/// [`Compression`](DecodeError::Compression), or
/// [`CompressedTooLong`](DecodeError::CompressedTooLong) beyond `limit`.
pub fn inflate(body: &[u8], limit: usize) -> Result<Vec<u8>, DecodeError> {
    let failed = |error: DecompressError| match error.status {
        TINFLStatus::HasMoreOutput => DecodeError::CompressedTooLong { limit },
        _ => DecodeError::Compression,
    };
    let Some(deflated) = body.strip_prefix(&[0x1F, 0x8B]) else {
        return decompress_to_vec_zlib_with_limit(body, limit).map_err(failed);
    };
    let deflated = member(deflated).ok_or(DecodeError::Compression)?;
    let (deflated, trailer) = deflated.split_last_chunk::<TRAILER>().ok_or(DecodeError::Compression)?;
    let text = decompress_to_vec_with_limit(deflated, limit).map_err(failed)?;
    let [checksum @ .., a, b, c, d] = *trailer;
    let length = u32::try_from(text.len()).map_err(|_| DecodeError::Compression)?;
    if u32::from_le_bytes(checksum) == crc32(&text) && u32::from_le_bytes([a, b, c, d]) == length {
        Ok(text)
    } else {
        Err(DecodeError::Compression)
    }
}

/// What is behind a gzip member's header, whose first two bytes are gone already.
fn member(bytes: &[u8]) -> Option<&[u8]> {
    const CHECKED: u8 = 1 << 1;
    const EXTRA: u8 = 1 << 2;
    const NAME: u8 = 1 << 3;
    const COMMENT: u8 = 1 << 4;
    let (&[8, flags, _, _, _, _, _, _], mut rest) = bytes.split_first_chunk::<8>()? else {
        return None;
    };
    if flags & EXTRA != 0 {
        let (length, extra) = rest.split_first_chunk::<2>()?;
        rest = extra.get(usize::from(u16::from_le_bytes(*length))..)?;
    }
    for text in [NAME, COMMENT] {
        if flags & text != 0 {
            rest = &rest[1 + rest.iter().position(|&byte| byte == 0)?..];
        }
    }
    if flags & CHECKED != 0 { rest.get(2..) } else { Some(rest) }
}

/// The CRC-32 of RFC 1952, section 8.
fn crc32(bytes: &[u8]) -> u32 {
    const TABLE: [u32; 256] = {
        let mut table = [0; 256];
        let mut byte = 0;
        while byte < 256 {
            let (mut sum, mut bit) = (byte, 0);
            while bit < 8 {
                sum = if sum & 1 == 1 { 0xEDB8_8320 ^ sum >> 1 } else { sum >> 1 };
                bit += 1;
            }
            table[byte as usize] = sum;
            byte += 1;
        }
        table
    };
    !bytes.iter().fold(u32::MAX, |sum, byte| {
        let [low, ..] = sum.to_le_bytes();
        TABLE[usize::from(low ^ byte)] ^ sum >> 8
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;
    use miniz_oxide::deflate::{compress_to_vec, compress_to_vec_zlib};

    /// `gzip -n` of "hello": by GNU gzip 1.12.
    const HELLO: &[u8] = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03\xcb\x48\xcd\xc9\xc9\x07\x00\x86\xa6\x10\x36\x05\x00\x00\x00";

    fn gzip(text: &[u8]) -> Vec<u8> {
        let mut bytes = b"\x1f\x8b\x08\x1e\0\0\0\0\0\xff\x02\0ex".to_vec();
        bytes.extend_from_slice(b"name\0comment\0hc");
        bytes.extend_from_slice(&compress_to_vec(text, 6));
        bytes.extend_from_slice(&crc32(text).to_le_bytes());
        bytes.extend_from_slice(&u32::try_from(text.len()).unwrap().to_le_bytes());
        bytes
    }

    #[test]
    fn both_formats_are_taken_up_to_the_limit() {
        assert_eq!(inflate(HELLO, 5).as_deref(), Ok(&b"hello"[..]));
        let text = vec![b'x'; 100_000];
        for body in [gzip(&text), compress_to_vec_zlib(&text, 6)] {
            assert!(body.len() < 1000);
            assert_eq!(inflate(&body, text.len()).as_ref(), Ok(&text));
            let limit = text.len() - 1;
            assert_eq!(inflate(&body, limit), Err(DecodeError::CompressedTooLong { limit }));
        }
    }

    #[test]
    fn a_damaged_body_is_refused() {
        for good in [HELLO.to_vec(), gzip(b"hello"), compress_to_vec_zlib(b"hello", 6)] {
            for cut in 0..good.len() {
                assert_eq!(inflate(&good[..cut], 100), Err(DecodeError::Compression), "{cut}");
            }
        }
        for at in [10, HELLO.len() - 8, HELLO.len() - 1] {
            let mut bad = HELLO.to_vec();
            bad[at] ^= 1;
            assert_eq!(inflate(&bad, 100), Err(DecodeError::Compression), "{at}");
        }
        assert_eq!(inflate(b"{}", 100), Err(DecodeError::Compression));
    }
}
