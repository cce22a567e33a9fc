//! A private certificate authority beside those of the system (`ca_file` of `snapkey.toml`). The
//! SDK does not read `AWS_CA_BUNDLE`, and its client stops the program at a certificate that it
//! cannot use, so every one is looked at here first. Verification itself cannot be switched off.

use aws_sdk_kms::config::SharedHttpClient;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore};
use aws_smithy_http_client::{Builder, ConnectorBuilder, proxy::ProxyConfig};
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

/// Certificates of authorities, in PEM, each of which can be used.
#[derive(Clone)]
pub struct PrivateAuthority(Vec<u8>);

/// Why a file is no certificate of an authority. Says nothing of what the file holds: it may be
/// a private key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoAuthority {
    #[error("it is no PEM")]
    NoPem,
    #[error("it holds no certificate")]
    Empty,
    #[error("certificate {0} in it cannot be used")]
    Unusable(usize),
}

impl PrivateAuthority {
    /// Takes the content of a PEM file.
    ///
    /// # Errors
    /// It holds no certificate, or one that cannot be used: then none of it is.
    pub fn read(pem: Vec<u8>) -> Result<Self, NoAuthority> {
        let mut roots = RootCertStore::empty();
        let mut count = 0_usize;
        for certificate in CertificateDer::pem_slice_iter(&pem) {
            count += 1;
            let certificate = certificate.map_err(|_broken| NoAuthority::NoPem)?;
            roots
                .add(certificate)
                .map_err(|_unusable| NoAuthority::Unusable(count))?;
        }
        if count == 0 {
            return Err(NoAuthority::Empty);
        }
        Ok(Self(pem))
    }

    /// The SDK's own default client, which also reads the proxy variables, with one more
    /// authority to trust.
    pub(super) fn client(&self) -> SharedHttpClient {
        let store = TrustStore::default().with_pem_certificate(self.0.clone());
        Builder::new().build_with_connector_fn(move |settings, components| {
            let context = TlsContext::builder()
                .with_trust_store(store.clone())
                .build()
                .unwrap_or_default();
            let mut connector = ConnectorBuilder::default()
                .tls_provider(Provider::Rustls(CryptoMode::AwsLc))
                .tls_context(context);
            connector.set_connector_settings(settings.cloned());
            if let Some(components) = components {
                connector.set_sleep_impl(components.sleep_impl());
            }
            connector.set_proxy_config(Some(ProxyConfig::from_env()));
            connector.build()
        })
    }
}
