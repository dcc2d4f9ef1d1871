//! Certificates of sites.

use std::fmt;
use std::sync::Arc;

use rcgen::{CertificateParams, DnType, KeyPair, date_time_ymd};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// A certificate that its site has issued itself.
pub struct Certificate {
    pub(super) pem: String,
    der: CertificateDer<'static>,
    key: PrivateKeyDer<'static>,
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Certificate")
    }
}

impl Certificate {
    /// For a host, good for many years.
    pub fn of(host: &str) -> Self {
        Self::until(host, 2199)
    }

    /// For a host, and long past.
    pub fn expired(host: &str) -> Self {
        Self::until(host, 2001)
    }

    fn until(host: &str, year: i32) -> Self {
        let params = CertificateParams::new([host.to_owned()]);
        let mut params = params.expect("a name of a host");
        params.distinguished_name.push(DnType::CommonName, host);
        params.not_before = date_time_ymd(2000, 1, 1);
        params.not_after = date_time_ymd(year, 1, 1);
        let key = KeyPair::generate().expect("a key");
        let certificate = params.self_signed(&key).expect("a certificate");
        Self {
            pem: certificate.pem(),
            der: certificate.der().clone(),
            key: PrivateKeyDer::try_from(key.serialize_der()).expect("a key"),
        }
    }

    pub(super) fn acceptor(&self) -> TlsAcceptor {
        let config = ServerConfig::builder()
            .with_no_client_auth()
            .with_single_cert(vec![self.der.clone()], self.key.clone_key());
        TlsAcceptor::from(Arc::new(config.expect("a key that fits")))
    }
}
