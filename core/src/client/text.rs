//! Text of clients, and for clients, whose UTF-8 is not what it should be.

use alloc::borrow::Cow;
use alloc::string::String;
use core::fmt::Write as _;
use serde::de::IgnoredAny;

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

/// `json` as every client reads it: characters beyond the first 65 536 are escaped, each as its two surrogates.
///
/// Pomelo's clients in browsers know UTF-8 of three bytes at most (`Protocol.strdecode` of pomelo-protocol 0.1.6), where
/// every client knows the escapes of JSON. What is no JSON stays as it is.
#[must_use]
pub fn to_all_clients(json: &[u8]) -> Cow<'_, [u8]> {
    // Only these characters have such a byte.
    if json.iter().fold(0, |max, byte| max.max(*byte)) < 0xF0 {
        return Cow::Borrowed(json);
    }
    let Ok(text) = core::str::from_utf8(json) else { return Cow::Borrowed(json) };
    if serde_json::from_str::<IgnoredAny>(text).is_err() {
        return Cow::Borrowed(json);
    }
    let mut escaped = String::with_capacity(text.len().saturating_mul(2));
    for character in text.chars() {
        let mut units = [0; 2];
        match character.encode_utf16(&mut units) {
            // Writing into a string does not fail.
            [high, low] => _ = write!(escaped, "\\u{high:04x}\\u{low:04x}"),
            _ => escaped.push(character),
        }
    }
    Cow::Owned(escaped.into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_emoji_reaches_every_client() {
        let json = "{\"ü😀\":[\"日\\\\\u{10FFFF}\"]}";
        let all = to_all_clients(json.as_bytes());
        assert_eq!(all, "{\"ü\\ud83d\\ude00\":[\"日\\\\\\udbff\\udfff\"]}".as_bytes());
        let read = |json| serde_json::from_slice::<serde_json::Value>(json).unwrap();
        assert_eq!(read(&all), read(json.as_bytes()));
        for kept in ["{\"日\":1}".as_bytes(), "no JSON 😀".as_bytes(), b"\"\xF0\x9F\"", b"\xFF", b""] {
            assert!(matches!(to_all_clients(kept), Cow::Borrowed(same) if same == kept), "{kept:?}");
        }
    }

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
