//! TLS towards clients.

#[cfg(not(feature = "client-tls"))]
pub(super) use none::Tls;
#[cfg(feature = "client-tls")]
pub(super) use some::Tls;

#[cfg(not(feature = "client-tls"))]
mod none {
    use std::path::Path;
    use tangelo_core::config::TlsFiles;
    use tangelo_core::runtime::Stream;
    use tangelo_core::{Error, ErrorKind, Result};

    /// This build has none.
    #[derive(Debug)]
    pub(in super::super) enum Tls {}

    impl Tls {
        /// # Errors
        /// `Unsupported`, and which feature adds it.
        pub(in super::super) fn load(_: &Path, _: &TlsFiles) -> Result<Self> {
            Err(Error::new(
                ErrorKind::Unsupported,
                "TLS for clients is configured, but not in this build: add \"client-tls\" to tangelo's features in \
                 Cargo.toml, or remove \"tls\" from config/connector.json",
            ))
        }

        pub(in super::super) fn accept(this: &Self, _: Box<dyn Stream>) -> Box<dyn Stream> {
            match *this {}
        }
    }
}

#[cfg(feature = "client-tls")]
mod some {
    use alloc::sync::Arc;
    use core::fmt;
    use core::pin::Pin;
    use core::task::{Context, Poll, ready};
    use futures_io::{AsyncRead, AsyncWrite, IoSlice};
    use futures_rustls::pki_types::pem::PemObject as _;
    use futures_rustls::pki_types::{CertificateDer, PrivateKeyDer};
    use futures_rustls::rustls::ServerConfig;
    use futures_rustls::rustls::crypto::ring;
    use futures_rustls::server::TlsStream;
    use futures_rustls::{Accept, TlsAcceptor};
    use std::io;
    use std::path::Path;
    use tangelo_core::config::TlsFiles;
    use tangelo_core::runtime::Stream;
    use tangelo_core::{Error, ErrorKind, Result};

    /// This server's certificate.
    pub(in super::super) struct Tls(TlsAcceptor);

    impl fmt::Debug for Tls {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("Tls")
        }
    }

    impl Tls {
        /// Reads the files, which `dir` is before if they are relative.
        ///
        /// # Errors
        /// Which of them cannot be read, or what is wrong with it.
        pub(in super::super) fn load(dir: &Path, files: &TlsFiles) -> Result<Self> {
            let wrong = |path: &Path, what: &dyn fmt::Display| {
                let path = path.display();
                Error::new(ErrorKind::Invalid, format!("{path}, of \"tls\" for clients: {what}"))
            };
            let (cert, key) = (dir.join(&files.cert), dir.join(&files.key));
            let read = |path: &Path| {
                std::fs::read(path).map_err(|e| Error::io(format_args!("read {}", path.display()), e))
            };
            let chain: Vec<_> = CertificateDer::pem_slice_iter(&read(&cert)?)
                .collect::<Result<_, _>>()
                .map_err(|error| wrong(&cert, &error))?;
            if chain.is_empty() {
                return Err(wrong(&cert, &"expected a certificate as PEM, found none"));
            }
            let private = PrivateKeyDer::from_pem_slice(&read(&key)?).map_err(|error| wrong(&key, &error))?;
            let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
                .with_safe_default_protocol_versions()
                .and_then(|config| config.with_no_client_auth().with_single_cert(chain, private))
                .map_err(|error| wrong(&cert, &error))?;
            Ok(Self(TlsAcceptor::from(Arc::new(config))))
        }

        /// A stream inside of TLS, which shakes hands when it is first read from.
        pub(in super::super) fn accept(this: &Self, stream: Box<dyn Stream>) -> Box<dyn Stream> {
            Box::new(Lazy::Shaking(Box::new(this.0.accept(stream))))
        }
    }

    type Secure = TlsStream<Box<dyn Stream>>;

    /// A stream that may still have to shake hands.
    enum Lazy {
        Shaking(Box<Accept<Box<dyn Stream>>>),
        Open(Box<Secure>),
        Failed,
    }

    impl fmt::Debug for Lazy {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("Lazy")
        }
    }

    impl Lazy {
        fn poll_open(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Pin<&mut Secure>>> {
            if let Self::Shaking(shaking) = self {
                *self = match ready!(Pin::new(&mut **shaking).poll(cx)) {
                    Ok(stream) => Self::Open(Box::new(stream)),
                    Err(error) => {
                        *self = Self::Failed;
                        return Poll::Ready(Err(error));
                    }
                };
            }
            match self {
                Self::Open(stream) => Poll::Ready(Ok(Pin::new(&mut **stream))),
                _ => Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
            }
        }
    }

    impl AsyncRead for Lazy {
        fn poll_read(
            mut self: Pin<&mut Self>,
            cx: &mut Context<'_>,
            buf: &mut [u8],
        ) -> Poll<io::Result<usize>> {
            ready!(self.poll_open(cx))?.poll_read(cx, buf)
        }
    }

    impl AsyncWrite for Lazy {
        fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
            ready!(self.poll_open(cx))?.poll_write(cx, buf)
        }

        fn poll_write_vectored(
            mut self: Pin<&mut Self>,
            cx: &mut Context<'_>,
            bufs: &[IoSlice<'_>],
        ) -> Poll<io::Result<usize>> {
            ready!(self.poll_open(cx))?.poll_write_vectored(cx, bufs)
        }

        fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
            ready!(self.poll_open(cx))?.poll_flush(cx)
        }

        fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
            ready!(self.poll_open(cx))?.poll_close(cx)
        }
    }
}
