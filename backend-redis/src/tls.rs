//! TLS.

use core::fmt;
use std::path::Path;
use tangelo_core::{Error, Result};

/// How TLS is spoken. By default the server's certificate must be signed by an authority that this system trusts,
/// for the host that is connected to; there is no way to switch that off.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct RedisTls {
    authorities: Option<Vec<u8>>,
    client: Option<(Vec<u8>, Vec<u8>)>,
}

impl RedisTls {
    /// Trusts these authorities (PEM) instead of the system's.
    #[must_use]
    pub fn authorities(self, pem: impl Into<Vec<u8>>) -> Self {
        Self { authorities: Some(pem.into()), ..self }
    }

    /// Shows the server a certificate of our own (PEM), with its key (PEM).
    #[must_use]
    pub fn client_certificate(self, certificate: impl Into<Vec<u8>>, key: impl Into<Vec<u8>>) -> Self {
        Self { client: Some((certificate.into(), key.into())), ..self }
    }

    /// [`authorities`](Self::authorities) from a file.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn authorities_file(self, path: impl AsRef<Path>) -> Result<Self> {
        Ok(self.authorities(read(path.as_ref())?))
    }

    /// [`client_certificate`](Self::client_certificate) from files.
    ///
    /// # Errors
    /// If one cannot be read.
    pub fn client_certificate_files(
        self,
        certificate: impl AsRef<Path>,
        key: impl AsRef<Path>,
    ) -> Result<Self> {
        Ok(self.client_certificate(read(certificate.as_ref())?, read(key.as_ref())?))
    }

    #[cfg(feature = "tls")]
    pub(crate) fn certificates(&self) -> redis::TlsCertificates {
        redis::TlsCertificates {
            client_tls: self.client.as_ref().map(|(certificate, key)| redis::ClientTlsConfig {
                client_cert: certificate.clone(),
                client_key: key.clone(),
            }),
            root_cert: self.authorities.clone(),
        }
    }
}

fn read(path: &Path) -> Result<Vec<u8>> {
    std::fs::read(path).map_err(|error| Error::io(format_args!("read {}", path.display()), error))
}

/// Makes sure that rustls has its cryptography: the process's own choice, or else ring.
///
/// The library that connects can only use the choice of the whole process, and panics if there is none.
#[cfg(feature = "tls")]
pub(crate) fn provide_cryptography() {
    if rustls::crypto::CryptoProvider::get_default().is_none() {
        // If somebody else was faster, theirs is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
    }
}

/// Keys do not show.
impl fmt::Debug for RedisTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisTls")
            .field("own_authorities", &self.authorities.is_some())
            .field("client_certificate", &self.client.is_some())
            .finish()
    }
}
