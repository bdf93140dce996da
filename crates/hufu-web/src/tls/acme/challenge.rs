//! The answers to the authority, which looks whether whoever orders a certificate for a name has the name: at port 80
//! (HTTP-01, RFC 8555 section 8.3) or in a handshake at port 443 (TLS-ALPN-01, RFC 8737). Only what was asked for in an
//! order that is under way is answered.

use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, digest};
use rcgen::{CertificateParams, CustomExtension, KeyPair};
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::CryptoProvider;
use tokio_rustls::rustls::pki_types::PrivatePkcs8KeyDer;
use tokio_rustls::rustls::server::ClientHello;
use tokio_rustls::rustls::sign::{CertifiedKey, SingleCertAndKey};
use tokio_rustls::rustls::version::{TLS12, TLS13};

use super::Acme;

/// The protocol of TLS-ALPN-01, as ALPN names it.
const ACME_TLS: &[u8] = b"acme-tls/1";

impl Acme {
    /// The answer to the challenge of HTTP-01 with this token.
    pub(in crate::tls) async fn http_answer(&self, token: &str) -> Option<String> {
        let challenge = self.cache.challenge().await.ok()??;
        (challenge.token == token).then_some(challenge.key_authorization)
    }

    /// Whether a handshake is about TLS-ALPN-01 and nothing else, for our name.
    pub(in crate::tls) fn is_challenge(&self, hello: &ClientHello<'_>) -> bool {
        let is_alone = hello.alpn().is_some_and(|protocols| protocols.eq([ACME_TLS]));
        is_alone && hello.server_name().is_some_and(|name| name.eq_ignore_ascii_case(&self.host))
    }

    /// What answers such a handshake.
    pub(in crate::tls) async fn tls_answer(
        &self,
        provider: &Arc<CryptoProvider>,
    ) -> Option<Arc<ServerConfig>> {
        let challenge = self.cache.challenge().await.ok()??;
        let answer = self.certificate_of(&challenge.key_authorization, provider);
        let answer = answer.inspect_err(|error| {
            tracing::error!(error = error.to_string(), "the challenge of TLS-ALPN-01 cannot be answered");
        });
        answer.ok().map(Arc::new)
    }

    /// A certificate that shows the key authorization, and is good for nothing else (RFC 8737 section 3).
    fn certificate_of(
        &self,
        key_authorization: &str,
        provider: &Arc<CryptoProvider>,
    ) -> Result<ServerConfig, Box<dyn std::error::Error + Send + Sync>> {
        let key = KeyPair::generate()?;
        let mut params = CertificateParams::new([self.host.clone()])?;
        let hash = digest(&SHA256, key_authorization.as_bytes());
        params.custom_extensions = vec![CustomExtension::new_acme_identifier(hash.as_ref())];
        let certificate = params.self_signed(&key)?;
        let key = PrivatePkcs8KeyDer::from(key.serialize_der());
        let key = provider.key_provider.load_private_key(key.into())?;
        // Unchecked, because the library does not know the extension, which is critical.
        let certified = CertifiedKey::new(vec![certificate.der().clone()], key);
        let mut config = ServerConfig::builder_with_provider(Arc::clone(provider))
            .with_protocol_versions(&[&TLS13, &TLS12])?
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(SingleCertAndKey::from(certified)));
        config.alpn_protocols = vec![ACME_TLS.to_vec()];
        // Nobody comes back.
        config.send_tls13_tickets = 0;
        Ok(config)
    }
}
