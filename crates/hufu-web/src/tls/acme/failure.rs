//! Why an order failed, and what to do about it.

use instant_acme::Problem;

/// The beginning of the types of problems (RFC 8555 section 6.7).
const TYPES: &str = "urn:ietf:params:acme:error:";
/// So much of what an authority says is told.
const LONGEST: usize = 1000;

/// Why an order failed.
#[derive(Debug, thiserror::Error)]
pub(super) enum OrderError {
    /// The authority refused something, or could not be asked.
    #[error(transparent)]
    Acme(#[from] instant_acme::Error),
    /// The authority found no right answer to its challenge.
    #[error("the certificate authority did not find the answer to its challenge")]
    Challenge(#[source] Problem),
    /// The authority has no challenge that can be answered.
    #[error("the certificate authority offers no challenge that can be answered, but {0}")]
    NotOffered(String),
    /// The authority did not say why.
    #[error("the certificate authority refused the order, and does not say why")]
    Refused,
    /// The authority took too long.
    #[error("the order was not done in time")]
    TooSlow,
    /// A request for a certificate could not be made.
    #[error("the request for the certificate cannot be made")]
    Request(#[from] rcgen::Error),
    /// The certificate does not do.
    #[error("the certificate that was issued cannot be used: {0}")]
    Unusable(String),
    /// A file of the cache cannot be read or written.
    #[error("a file of tls.acme.cache cannot be used")]
    Cache(#[from] std::io::Error),
}

impl OrderError {
    fn problem(&self) -> Option<&Problem> {
        match self {
            Self::Acme(instant_acme::Error::Api(problem)) | Self::Challenge(problem) => Some(problem),
            _ => None,
        }
    }

    /// Whether the authority says that it is a problem of this type.
    pub(super) fn is(&self, kind: &str) -> bool {
        self.kind() == Some(kind)
    }

    fn kind(&self) -> Option<&str> {
        self.problem()?.r#type.as_deref()?.strip_prefix(TYPES)
    }

    /// The error with its causes, of bounded length.
    pub(super) fn told(&self) -> String {
        crate::tls::told(self).chars().take(LONGEST).collect()
    }

    /// What an operator can do about it.
    pub(super) fn advice(&self) -> &'static str {
        match self.kind() {
            Some("dns") => "let the name's A and AAAA records lead to this server",
            Some("connection") => {
                "let the certificate authority reach this server: port 443, or port 80 if there is http_listen"
            }
            Some("unauthorized" | "incorrectResponse" | "tls") => {
                "another server answers under this name: let its A and AAAA records lead here alone, with no proxy between"
            }
            Some("caa") => "a CAA record of the domain forbids this certificate authority",
            Some("rateLimited") => {
                "wait; and while you try things out, use the directory that the authority has for tests"
            }
            Some("rejectedIdentifier") => "the authority issues nothing for this name: check public_url",
            Some("invalidContact" | "unsupportedContact") => "check tls.acme.contact",
            Some("externalAccountRequired") => "set tls.acme.eab_kid and tls.acme.eab_hmac_key",
            Some("userActionRequired") => "the terms have changed: see what the authority says",
            Some(_) => "see what the authority says",
            None => match self {
                Self::Acme(_) | Self::TooSlow => {
                    "check tls.acme.directory and the way there; an authority of your own has to be in outgoing_private, \
                     and its root in SSL_CERT_FILE"
                }
                Self::NotOffered(_) => "set http_listen, or choose another authority",
                Self::Cache(_) => "check the folder's owner and its room",
                _ => "see what the authority says",
            },
        }
    }
}
