//! A client's bytes: packages, and the messages and compressed bodies in them.

use tangelo_core::client::package::{self, HEADER};
use tangelo_core::client::{Message, MessageKind, PackageType, Route, gzip, text};

const MAX_BODY: usize = 2048;

/// Reads `bytes` as a client's stream; the first one says in pieces of which size it comes.
pub(crate) fn run(bytes: &[u8]) {
    let Some((&size, stream)) = bytes.split_first() else { return };
    let whole = read(stream, stream.len().max(1));
    let pieces = read(stream, usize::from(size).max(1));
    assert_eq!(whole, pieces, "how it is cut does not matter");
    for (kind, body) in &whole {
        let mut again = Vec::new();
        package::encode_into(&mut again, *kind, body).expect("it was a package before");
        let (package, taken) = package::decode(&again, MAX_BODY).expect("a package").expect("a whole one");
        assert_eq!((package.kind, package.body, taken), (*kind, &body[..], again.len()));
        message(body);
    }
    message(stream);
    let text = text::to_utf8(stream);
    assert!(text.chars().count() <= stream.len());
}

/// All packages until the first error.
fn read(stream: &[u8], piece: usize) -> Vec<(PackageType, Vec<u8>)> {
    let (mut read, mut held) = (Vec::new(), Vec::new());
    for piece in stream.chunks(piece) {
        held.extend_from_slice(piece);
        loop {
            match package::decode(&held, MAX_BODY) {
                Ok(Some((package, taken))) => {
                    assert!(package.body.len() <= MAX_BODY && taken == HEADER + package.body.len());
                    read.push((package.kind, package.body.to_vec()));
                    held.drain(..taken);
                }
                Ok(None) => {
                    let needed = package::needed(&held, MAX_BODY).expect("no error so far");
                    assert!(held.len() < needed && needed <= HEADER + MAX_BODY);
                    break;
                }
                Err(_) => return read,
            }
        }
    }
    read
}

fn message(bytes: &[u8]) {
    let Ok(message) = Message::decode(bytes) else { return };
    assert!(bytes.ends_with(message.body));
    assert_eq!(message.route.is_none(), message.kind == MessageKind::Response);
    assert!(message.id.is_none() || message.kind.has_id());
    if let Some(Route::Name(name)) = message.route {
        assert!(name.len() <= 255);
    }
    let mut again = Vec::new();
    message.encode_into(&mut again).expect("it was a message before");
    assert_eq!(again.len(), message.encoded_len());
    assert_eq!(Message::decode(&again), Ok(message));
    if message.gzip
        && let Ok(text) = gzip::inflate(message.body, 4 * MAX_BODY)
    {
        assert!(text.len() <= 4 * MAX_BODY);
    }
}
