//! The body of a push, the same from every server: `{"t":"…","n":"…","pad":"…"}`, with the time at which it was
//! pushed in nanoseconds and its number, both of a fixed width, so that to read them costs next to nothing.

use anyhow::{Result, ensure};

const TIME: usize = 20;
const NUMBER: usize = 8;
/// What every message carries besides.
pub(crate) const PAD: &str = "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx";

const BEGIN: &[u8] = b"{\"t\":\"";
const MIDDLE: &[u8] = b"\",\"n\":\"";

/// As a server writes it.
pub(crate) fn write(time: u64, number: u32) -> String {
    format!("{{\"t\":\"{time:020}\",\"n\":\"{number:08}\",\"pad\":\"{PAD}\"}}")
}

/// The time and the number.
pub(crate) fn read(body: &[u8]) -> Result<(u64, u32)> {
    let number_at = BEGIN.len() + TIME + MIDDLE.len();
    let good = body.len() > number_at + NUMBER
        && body.starts_with(BEGIN)
        && body[BEGIN.len() + TIME..].starts_with(MIDDLE);
    ensure!(good, "this is no message of ours: {}", String::from_utf8_lossy(body));
    let time = digits(&body[BEGIN.len()..][..TIME]);
    let number = digits(&body[number_at..][..NUMBER]);
    Ok((time, u32::try_from(number)?))
}

fn digits(text: &[u8]) -> u64 {
    text.iter().fold(0, |value, &digit| value * 10 + u64::from(digit.wrapping_sub(b'0')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let body = write(1_234_567_890_123, 42);
        assert_eq!(read(body.as_bytes()).expect("ours"), (1_234_567_890_123, 42));
        assert!(read(&body.as_bytes()[..30]).is_err());
        assert!(read(b"{\"code\":500}").is_err());
    }
}
