//! Text of clients whose UTF-8 is not what it should be.

use alloc::borrow::Cow;
use alloc::string::String;

/// The text of `bytes`, whatever they are.
///
/// Pomelo's clients in browsers encode each UTF-16 unit by itself (`Protocol.strencode` of
/// pomelo-protocol 0.1.6), so that a character beyond the first 65 536, such as an emoji, comes as
/// two surrogates of three bytes each: they are put together here, where Pomelo's servers lose the
/// character. Whatever else is wrong becomes U+FFFD, as it does there.
#[must_use]
pub fn to_utf8(bytes: &[u8]) -> Cow<'_, str> {
    let Err(error) = core::str::from_utf8(bytes) else {
        return String::from_utf8_lossy(bytes);
    };
    let mut text = String::with_capacity(bytes.len());
    let (mut rest, mut valid) = (bytes, error.valid_up_to());
    loop {
        let (good, bad) = rest.split_at(valid);
        text.push_str(&String::from_utf8_lossy(good));
        rest = if let Some((character, behind)) = surrogates(bad) {
            text.push(character);
            behind
        } else {
            match core::str::from_utf8(bad) {
                Ok(end) => {
                    text.push_str(end);
                    return Cow::Owned(text);
                }
                Err(error) => {
                    text.push(char::REPLACEMENT_CHARACTER);
                    &bad[error.error_len().unwrap_or(bad.len())..]
                }
            }
        };
        valid = core::str::from_utf8(rest).map_or_else(|error| error.valid_up_to(), |_| rest.len());
    }
}

/// The character that two surrogates at the start of `bytes` stand for, and what is behind them.
fn surrogates(bytes: &[u8]) -> Option<(char, &[u8])> {
    let (&[0xED, a @ 0xA0..=0xAF, b @ 0x80..=0xBF, 0xED, c @ 0xB0..=0xBF, d @ 0x80..=0xBF], rest) =
        bytes.split_first_chunk::<6>()?
    else {
        return None;
    };
    let ten = |high: u8, low: u8| u32::from(high & 0xF) << 6 | u32::from(low & 0x3F);
    char::from_u32(0x1_0000 + (ten(a, b) << 10 | ten(c, d))).map(|character| (character, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_emoji_from_a_browser_is_one_character() {
        assert_eq!(to_utf8(b"a\xED\xA0\xBD\xED\xB8\x80b\xED\xA0\xBD\xED\xB8\x81"), "a😀b😁");
        assert!(matches!(to_utf8("ü😀".as_bytes()), Cow::Borrowed("ü😀")));
        assert_eq!(to_utf8(b"\xED\xAF\xBF\xED\xBF\xBF"), "\u{10FFFF}");
    }

    #[test]
    fn what_is_no_text_is_replaced() {
        assert_eq!(to_utf8(b"a\xFFb\xC3"), "a\u{FFFD}b\u{FFFD}");
        assert_eq!(to_utf8(b"\xED\xA0\xBDx"), String::from_utf8_lossy(b"\xED\xA0\xBDx"));
        assert_eq!(to_utf8(b""), "");
    }
}
