//! Numbers in base 128: the lowest seven bits first, bit 7 of a byte says that more follow.

use super::error::DecodeError;
use alloc::vec::Vec;

/// Takes a number from the front of `bytes`; one that is longer than it must be is taken, too.
///
/// # Errors
/// [`Truncated`](DecodeError::Truncated), or [`NumberTooLong`](DecodeError::NumberTooLong) if it
/// does not fit into 64 bits or has more than ten bytes.
pub(super) fn take(bytes: &mut &[u8]) -> Result<u64, DecodeError> {
    let mut number = 0;
    for shift in (0..u64::BITS).step_by(7) {
        let (&byte, rest) = bytes.split_first().ok_or(DecodeError::Truncated)?;
        *bytes = rest;
        let bits = u64::from(byte & 0x7F);
        if bits << shift >> shift != bits {
            return Err(DecodeError::NumberTooLong);
        }
        number |= bits << shift;
        if byte < 0x80 {
            return Ok(number);
        }
    }
    Err(DecodeError::NumberTooLong)
}

/// Appends a number, in as few bytes as it takes.
pub(super) fn put(out: &mut Vec<u8>, mut number: u64) {
    loop {
        let [low, ..] = number.to_le_bytes();
        number >>= 7;
        if number == 0 {
            return out.push(low & 0x7F);
        }
        out.push(low | 0x80);
    }
}

/// How many bytes a number takes.
pub(super) const fn len(number: u64) -> usize {
    let bits = u64::BITS - number.leading_zeros();
    if bits == 0 { 1 } else { bits.div_ceil(7) as usize }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_length_is_read_back() {
        for bits in 0..=u64::BITS {
            let number = u64::MAX.checked_shr(u64::BITS - bits).unwrap_or(0);
            let mut bytes = Vec::new();
            put(&mut bytes, number);
            assert_eq!(bytes.len(), len(number), "{bits}");
            bytes.push(1);
            let mut rest = &bytes[..];
            assert_eq!((take(&mut rest), rest), (Ok(number), &[1][..]), "{bits}");
            assert_eq!(take(&mut &bytes[..len(number) - 1]), Err(DecodeError::Truncated), "{bits}");
        }
    }

    #[test]
    fn more_than_64_bits_are_refused_and_needless_bytes_are_not() {
        assert_eq!(take(&mut &[0x81, 0x80, 0][..]), Ok(1));
        let mut bytes = [0xFF; 11];
        assert_eq!(take(&mut &bytes[..]), Err(DecodeError::NumberTooLong));
        bytes[9] = 2;
        assert_eq!(take(&mut &bytes[..]), Err(DecodeError::NumberTooLong));
        bytes[9] = 1;
        assert_eq!(take(&mut &bytes[..]), Ok(u64::MAX));
        assert_eq!(take(&mut &[0x80; 11][..]), Err(DecodeError::NumberTooLong));
    }
}
