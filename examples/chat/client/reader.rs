//! Packages out of a TCP stream.

use core::time::Duration;
use std::io::{ErrorKind, Read as _};
use std::net::TcpStream;
use tangelo::core::client::package::{self, HEADER};
use tangelo::core::client::{Package, PackageType};

/// The longest package that is taken from a server, in bytes.
const MAX_BODY: usize = 1 << 20;

/// A package of its own.
pub(super) struct Owned {
    pub(super) kind: PackageType,
    pub(super) body: Vec<u8>,
}

pub(super) struct Reader {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Reader {
    pub(super) fn new(stream: TcpStream) -> Self {
        Self { stream, buffer: Vec::new() }
    }

    /// Waits for the next package: for ever, or until nothing has come for so long.
    pub(super) fn next(&mut self, patience: Option<Duration>) -> Result<Owned, String> {
        self.stream.set_read_timeout(patience).map_err(|error| error.to_string())?;
        loop {
            if let Some((package, taken)) =
                package::decode(&self.buffer, MAX_BODY).map_err(|error| error.to_string())?
            {
                let Package { kind, body } = package;
                let owned = Owned { kind, body: body.to_vec() };
                self.buffer.drain(..taken);
                return Ok(owned);
            }
            let mut bytes = [0; 4096 + HEADER];
            match self.stream.read(&mut bytes) {
                Ok(0) => return Err("the server has closed the connection".into()),
                Ok(count) => self.buffer.extend_from_slice(&bytes[..count]),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                    return Err("the server does not answer".into());
                }
                Err(error) => return Err(format!("the connection is lost: {error}")),
            }
        }
    }
}
