//! What a WebSocket begins with, and browsers that come without one.

use super::why::Why;
use tungstenite::Error;
use tungstenite::error::ProtocolError;
use tungstenite::handshake::machine::TryParse as _;
use tungstenite::handshake::server::{Request, create_response, write_response};

/// The longest request, in bytes.
const MAX_REQUEST: usize = 8 << 10;

/// What a request is answered.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// From here on it is a WebSocket.
    Upgrade(Vec<u8>),
    /// That was all.
    Close(Vec<u8>, Why),
}

/// Reads the request at the start of `bytes`, how long it is and what it is answered; `None` if its end has
/// not come yet. `seen` bytes have been looked at before.
pub(super) fn take(bytes: &[u8], seen: usize, page: Option<&str>) -> Option<(usize, Answer)> {
    let end = bytes.get(seen.saturating_sub(3)..)?.windows(4).any(|four| four == b"\r\n\r\n");
    if !end {
        return (bytes.len() > MAX_REQUEST).then(|| (bytes.len(), too_large()));
    }
    match Request::try_parse(bytes) {
        Ok(Some((length, _))) if length > MAX_REQUEST => Some((length, too_large())),
        Ok(Some((length, request))) => Some((length, answer(&request, page))),
        Ok(None) => None,
        // It reads nothing but GET, and no HTTP/1.0.
        Err(Error::Protocol(ProtocolError::WrongHttpMethod | ProtocolError::WrongHttpVersion)) => {
            Some((bytes.len(), no_upgrade()))
        }
        Err(_) => Some((bytes.len(), refuse("400 Bad Request", Why::Http))),
    }
}

fn answer(request: &Request, page: Option<&str>) -> Answer {
    let mut upgrade = Vec::new();
    if let Ok(response) = create_response(request)
        && write_response(&mut upgrade, &response).is_ok()
    {
        return Answer::Upgrade(upgrade);
    }
    match page {
        Some(page) if request.uri().path() == "/" => {
            let mut response =
                head("200 OK", "text/html; charset=utf-8", "Cache-Control: no-cache\r\n", page);
            response.push_str(page);
            Answer::Close(response.into_bytes(), Why::Page)
        }
        _ => no_upgrade(),
    }
}

fn no_upgrade() -> Answer {
    let text = "This port is for WebSocket.\n";
    let more = "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n";
    let mut response = head("426 Upgrade Required", "text/plain", more, text);
    response.push_str(text);
    Answer::Close(response.into_bytes(), Why::NoUpgrade)
}

fn too_large() -> Answer {
    refuse("431 Request Header Fields Too Large", Why::Http)
}

fn refuse(status: &str, why: Why) -> Answer {
    Answer::Close(head(status, "text/plain", "", "").into_bytes(), why)
}

fn head(status: &str, kind: &str, more: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\n\
         X-Content-Type-Options: nosniff\r\nConnection: close\r\n{more}\r\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const UPGRADE: &str = "GET /ws HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n\
        Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

    fn closed(request: &str, page: Option<&str>) -> (String, Why) {
        match take(request.as_bytes(), 0, page) {
            Some((_, Answer::Close(response, why))) => (String::from_utf8(response).unwrap(), why),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn an_upgrade_is_answered_with_the_key_of_rfc_6455() {
        let bytes = format!("{UPGRADE}rest");
        let Some((length, Answer::Upgrade(response))) = take(bytes.as_bytes(), 0, None) else { panic!() };
        assert_eq!(length, UPGRADE.len());
        let response = String::from_utf8(response).unwrap();
        assert!(response.starts_with("HTTP/1.1 101 Switching Protocols\r\n"), "{response}");
        assert!(response.contains("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="), "{response}");
        for cut in 0..UPGRADE.len() {
            assert_eq!(take(&UPGRADE.as_bytes()[..cut], 0, None), None);
        }
        assert!(take(UPGRADE.as_bytes(), UPGRADE.len() - 1, None).is_some(), "its last byte comes alone");
    }

    #[test]
    fn a_page_is_shown_to_whom_asks_for_it() {
        let (response, why) = closed("GET / HTTP/1.1\r\nHost: a\r\n\r\n", Some("<p>ü"));
        assert_eq!(why, Why::Page);
        assert!(response.starts_with("HTTP/1.1 200 OK\r\n") && response.contains("Content-Length: 5\r\n"));
        assert!(response.ends_with("\r\n\r\n<p>ü"));
        for request in ["GET / HTTP/1.1\r\n\r\n", "POST / HTTP/1.1\r\n\r\n"] {
            let (response, why) = closed(request, None);
            assert_eq!(why, Why::NoUpgrade);
            assert!(response.starts_with("HTTP/1.1 426 ") && response.contains("\r\nUpgrade: websocket\r\n"));
        }
        assert_eq!(closed("GET /favicon.ico HTTP/1.1\r\n\r\n", Some("")).1, Why::NoUpgrade);
    }

    #[test]
    fn what_is_no_request_or_too_long_is_refused() {
        assert!(closed("GET\r\n\r\n\r\n", None).0.starts_with("HTTP/1.1 400 "));
        let long = format!("GET / HTTP/1.1\r\nA: {}", "x".repeat(MAX_REQUEST));
        assert!(closed(&long, None).0.starts_with("HTTP/1.1 431 "));
        assert!(closed(&format!("{long}\r\n\r\n"), None).0.starts_with("HTTP/1.1 431 "));
        let many = format!("GET / HTTP/1.1\r\n{}\r\n", "A: b\r\n".repeat(1000));
        assert_eq!(closed(&many, None).1, Why::Http);
    }
}
