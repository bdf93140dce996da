//! Which servers the guarded client believes.
//!
//! Those that the platform believes, and those whose very certificate is among the trusted ones (`SSL_CERT_FILE`, or
//! the system's). A self-signed certificate is often an authority by its own words (`CA:TRUE`), and `WebPKI` refuses that
//! as a server's, though the operator listed it; OpenSSL does not.

use std::collections::HashSet;
use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, digest};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::verify_server_name;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, SignatureScheme,
    crypto::aws_lc_rs::default_provider,
};
use rustls_platform_verifier::Verifier;

/// The TLS of the guarded client.
///
/// # Errors
/// The system has no trusted certificates.
pub(crate) fn client_config() -> Result<ClientConfig, Error> {
    let provider = Arc::new(default_provider());
    let platform = Arc::new(Verifier::new(Arc::clone(&provider))?);
    let trust = Trust::new(platform, &rustls_native_certs::load_native_certs().certs);
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    Ok(builder.dangerous().with_custom_certificate_verifier(Arc::new(trust)).with_no_client_auth())
}

#[derive(Debug)]
struct Trust {
    platform: Arc<dyn ServerCertVerifier>,
    /// The hashes of the trusted certificates.
    listed: HashSet<Vec<u8>>,
}

impl Trust {
    fn new(platform: Arc<dyn ServerCertVerifier>, listed: &[CertificateDer<'_>]) -> Self {
        let listed = listed.iter().map(hash).collect();
        Self { platform, listed }
    }
}

fn hash(certificate: &CertificateDer<'_>) -> Vec<u8> {
    digest(&SHA256, certificate).as_ref().to_vec()
}

impl ServerCertVerifier for Trust {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let verified =
            self.platform.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now);
        match verified {
            // Neither expired nor for another purpose: these have errors of their own. Being an authority has none.
            Err(Error::InvalidCertificate(CertificateError::Other(_)))
                if self.listed.contains(&hash(end_entity)) =>
            {
                match verify_server_name(&ParsedCertificate::try_from(end_entity)?, server_name) {
                    // It names no host in the form that counts (RFC 9525 section 2). It is a trusted authority, so its
                    // holder could make a certificate for any.
                    Err(Error::InvalidCertificate(CertificateError::NotValidForNameContext {
                        presented,
                        ..
                    })) if presented.is_empty() => {}
                    named => named?,
                }
                Ok(ServerCertVerified::assertion())
            }
            verified => verified,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.platform.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.platform.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.platform.supported_verify_schemes()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use rcgen::{BasicConstraints, CertificateParams, IsCa, KeyPair};
    use rustls::RootCertStore;
    use rustls::client::WebPkiServerVerifier;

    use super::*;

    fn certificate(host: &str, is_ca: IsCa) -> CertificateDer<'static> {
        self_signed(vec![host.to_owned()], is_ca)
    }

    fn self_signed(hosts: Vec<String>, is_ca: IsCa) -> CertificateDer<'static> {
        let mut params = CertificateParams::new(hosts).unwrap();
        params.is_ca = is_ca;
        params.self_signed(&KeyPair::generate().unwrap()).unwrap().der().clone()
    }

    fn trust(trusted: &CertificateDer<'static>, listed: &[CertificateDer<'static>]) -> Trust {
        let mut roots = RootCertStore::empty();
        roots.add(trusted.clone()).unwrap();
        let provider = Arc::new(default_provider());
        let platform = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider);
        Trust::new(platform.build().unwrap(), listed)
    }

    fn believes(trust: &Trust, certificate: &CertificateDer<'_>, name: &'static str, years: u64) -> bool {
        let now = UnixTime::since_unix_epoch(Duration::from_secs(years * 365 * 24 * 60 * 60));
        trust.verify_server_cert(certificate, &[], &ServerName::try_from(name).unwrap(), &[], now).is_ok()
    }

    #[test]
    fn a_certificate_that_is_listed_is_believed_though_it_is_an_authority() {
        let own = certificate("suite.example", IsCa::Ca(BasicConstraints::Unconstrained));
        let listing = trust(&own, std::slice::from_ref(&own));
        assert!(believes(&listing, &own, "suite.example", 56));
        // For its own name alone, and not for ever.
        assert!(!believes(&listing, &own, "other.example", 56));
        assert!(!believes(&listing, &own, "suite.example", 4000));
        // One that names no host.
        let nameless = self_signed(Vec::new(), IsCa::Ca(BasicConstraints::Unconstrained));
        let listing = trust(&nameless, std::slice::from_ref(&nameless));
        assert!(believes(&listing, &nameless, "suite.example", 56));
        assert!(!believes(&listing, &own, "suite.example", 56));
        // Trusted as an authority, and not listed: as the platform says.
        assert!(!believes(&trust(&own, &[]), &own, "suite.example", 56));
        // Somebody else's of the same name.
        let listing = trust(&own, std::slice::from_ref(&own));
        let forged = certificate("suite.example", IsCa::Ca(BasicConstraints::Unconstrained));
        assert!(!believes(&listing, &forged, "suite.example", 56));
    }

    #[test]
    fn whatever_else_is_wrong_stays_wrong() {
        let listed = certificate("suite.example", IsCa::Ca(BasicConstraints::Unconstrained));
        let plain = certificate("suite.example", IsCa::ExplicitNoCa);
        let listing = trust(&listed, std::slice::from_ref(&listed));
        assert!(!believes(&listing, &plain, "suite.example", 56));
    }
}
