//! TCP.

use async_net::{TcpListener, TcpStream};
use async_trait::async_trait;
use core::net::SocketAddr;
use std::io;
use tangelo_core::runtime::{Listener, Stream, widen_backlog};

pub(crate) async fn listen(host: &str, port: u16) -> io::Result<Box<dyn Listener>> {
    // async-net tries each address, and std, which it binds with, sets SO_REUSEADDR on Unix.
    let listener = TcpListener::bind((host, port)).await?;
    widen_backlog(&listener)?;
    Ok(Box::new(SmolListener(listener)))
}

pub(crate) async fn connect(host: &str, port: u16) -> io::Result<Box<dyn Stream>> {
    let stream = TcpStream::connect((host, port)).await?;
    stream.set_nodelay(true)?;
    Ok(Box::new(stream))
}

#[derive(Debug)]
struct SmolListener(TcpListener);

#[async_trait]
impl Listener for SmolListener {
    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }

    async fn accept(&self) -> io::Result<(Box<dyn Stream>, SocketAddr)> {
        let (stream, peer) = self.0.accept().await?;
        stream.set_nodelay(true)?;
        Ok((Box::new(stream), peer))
    }
}
