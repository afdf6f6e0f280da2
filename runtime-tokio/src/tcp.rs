//! TCP.

use crate::stream::TokioStream;
use async_trait::async_trait;
use core::net::SocketAddr;
use std::io;
use tangelo_core::runtime::{Listener, Stream, widen_backlog};
use tokio::net::{TcpListener, TcpStream};

pub(crate) async fn listen(host: &str, port: u16) -> io::Result<Box<dyn Listener>> {
    // tokio tries each address and sets SO_REUSEADDR on Unix.
    let listener = TcpListener::bind((host, port)).await?;
    widen_backlog(&listener)?;
    Ok(Box::new(TokioListener(listener)))
}

pub(crate) async fn connect(host: &str, port: u16) -> io::Result<Box<dyn Stream>> {
    let stream = TcpStream::connect((host, port)).await?;
    stream.set_nodelay(true)?;
    Ok(Box::new(TokioStream(stream)))
}

#[derive(Debug)]
struct TokioListener(TcpListener);

#[async_trait]
impl Listener for TokioListener {
    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }

    async fn accept(&self) -> io::Result<(Box<dyn Stream>, SocketAddr)> {
        let (stream, peer) = self.0.accept().await?;
        stream.set_nodelay(true)?;
        Ok((Box::new(TokioStream(stream)), peer))
    }
}
