//! A certificate that is ordered from a certificate authority (ACME, RFC 8555) and kept fresh.
//!
//! - `cache`: the folder with the account, the certificate and the pending challenge. Nodes may share it: the one that
//!   holds its lock orders, and every one answers challenges and presents what is there.
//! - `order`: one order, from the account to the certificate. `client`: its calls.
//! - `challenge`: the answers to the authority. `schedule`: when to renew, and when to try again.

mod cache;
mod challenge;
mod client;
mod failure;
mod order;
mod schedule;

use std::path::PathBuf;
use std::time::Duration;

use hufu_app::Limits;
use hufu_app::connect::{BuildError, GuardedClient, guarded};
use hufu_types::Timestamp;
use instant_acme::CertificateIdentifier;
use secrecy::SecretSlice;
use tokio_rustls::rustls::pki_types::{CertificateDer, Der};

use super::files::{CertificateError, load};
use super::x509::{Issued, Validity};
use super::{Certificates, Inner};
use cache::Cache;
use client::Client;
use failure::OrderError;
use schedule::{Place, Window};

/// Time for one call to the authority.
const CALL: Duration = Duration::from_secs(30);
/// Time to connect to it.
const CONNECT: Duration = Duration::from_secs(10);
/// No answer of it is longer than this; the longest are chains of certificates.
const LONGEST_ANSWER: usize = 256 * 1024;
/// The clock is looked at so often, since it may be set, and a machine may sleep.
const LONGEST_SLEEP: Duration = Duration::from_secs(60 * 60);
/// How often it is looked whether another node has ended its order.
const OTHER_NODE: Duration = Duration::from_secs(5);
/// How soon the authority may be asked again when it would like a certificate renewed, and how late it is.
const ASK: (Duration, Duration) = (Duration::from_secs(60), Duration::from_secs(24 * 60 * 60));
/// How soon it is asked again if it did not say.
const ASK_AGAIN: Duration = Duration::from_secs(6 * 60 * 60);
/// A certificate is not renewed sooner than this after it came, or a third of its life, whatever the authority says.
const LEAST_USE: Duration = Duration::from_secs(60 * 60);

/// From whom certificates are ordered, and how.
pub struct AcmeSettings {
    /// The URL of the authority's directory.
    pub directory: String,
    /// Whom the authority may write to: a `mailto:` URL.
    pub contact: String,
    /// The folder for the account, the certificate and its key.
    pub cache: PathBuf,
    /// The account at the authority that a new account belongs to, for authorities that want one.
    pub external_account: Option<ExternalAccount>,
    /// Whether challenges of HTTP-01 are answered at port 80.
    pub http: bool,
}

/// An account that the authority knows from elsewhere (RFC 8555 section 7.3.4).
pub struct ExternalAccount {
    /// Its name.
    pub key_id: String,
    /// The key that shows it.
    pub mac_key: SecretSlice<u8>,
}

/// What orders certificates for one host.
pub(super) struct Acme {
    settings: AcmeSettings,
    host: String,
    cache: Cache,
}

/// A certificate that does what it is there for.
struct Usable {
    der: CertificateDer<'static>,
    validity: Validity,
}

/// What the authority said about the renewal of a certificate (RFC 9773).
struct Advice {
    about: CertificateDer<'static>,
    window: Option<Window>,
    ask_again: Timestamp,
}

impl Acme {
    pub(super) fn open(settings: AcmeSettings, host: &str) -> Result<Self, CertificateError> {
        let cache = Cache::open(&settings.cache, &settings.directory, host)?;
        Ok(Self { settings, host: host.to_owned(), cache })
    }

    pub(super) fn certificate_file(&self) -> PathBuf {
        self.cache.certificate_file()
    }

    fn challenge_name(&self) -> &'static str {
        if self.settings.http { "http-01" } else { "tls-alpn-01" }
    }
}

impl Certificates {
    /// Orders a certificate whenever one is due, without end. Returns at once if it is not to be ordered.
    ///
    /// # Errors
    /// [`BuildError`]: there is no client to order with.
    pub async fn order(self, outgoing: guarded::Settings, limits: Limits) -> Result<(), BuildError> {
        let inner = self.0;
        let Some(acme) = &inner.acme else { return Ok(()) };
        let settings = guarded::Settings {
            timeout: CALL,
            connect_timeout: CONNECT,
            max_response_bytes: LONGEST_ANSWER,
            ..outgoing
        };
        let client = Client::new(GuardedClient::new(settings)?);
        inner.order_forever(acme, &client, &limits).await;
        Ok(())
    }
}

impl Inner {
    async fn order_forever(&self, acme: &Acme, client: &Client, limits: &Limits) {
        let (mut failures, mut not_before) = (0_u32, self.clock.now());
        let mut advice: Option<Advice> = None;
        let mut known = self.usable().map(|usable| usable.der);
        loop {
            let usable = self.usable();
            let der = usable.as_ref().map(|usable| usable.der.clone());
            if let Some(new) = usable.as_ref().filter(|_| der != known) {
                let life = new.validity.until.since(new.validity.from);
                (failures, not_before) = (0, self.clock.now().plus(LEAST_USE.min(life / 3)));
            }
            known = der;
            let due = match &usable {
                None => self.clock.now(),
                Some(usable) => {
                    let window = self.window(acme, client, usable, &mut advice).await;
                    schedule::renewal(usable.validity, window, Place::of(&usable.der))
                }
            };
            let wait = due.max(not_before).since(self.clock.now());
            if !wait.is_zero() {
                tokio::time::sleep(wait.min(LONGEST_SLEEP)).await;
                continue;
            }
            let ordered = match acme.cache.lock().await {
                Ok(Some(_lock)) => {
                    self.look().await;
                    if self.usable().map(|now| now.der) != known {
                        // Another node was faster.
                        continue;
                    }
                    self.order_once(acme, client, limits, usable.as_ref(), advice.as_ref()).await
                }
                Ok(None) => {
                    tokio::time::sleep(OTHER_NODE).await;
                    self.look().await;
                    continue;
                }
                Err(error) => Err(OrderError::Cache(error)),
            };
            let outcome = if ordered.is_ok() { "issued" } else { "failed" };
            metrics::counter!("hufu_acme_orders_total", "outcome" => outcome).increment(1);
            if let Err(error) = ordered {
                failures = failures.saturating_add(1);
                let heard = client.heard();
                let place = Place::of(format!("{} {failures}", self.host).as_bytes());
                let pause = schedule::pause(limits, failures, heard.reached, heard.retry_after, place);
                self.tell(acme, &error, pause);
                not_before = self.clock.now().plus(pause);
            }
        }
    }

    /// Orders a certificate, and presents it. The caller holds the lock.
    async fn order_once(
        &self,
        acme: &Acme,
        client: &Client,
        limits: &Limits,
        old: Option<&Usable>,
        advice: Option<&Advice>,
    ) -> Result<(), OrderError> {
        let (host, directory) = (&self.host, &acme.settings.directory);
        tracing::info!(host, directory, challenge = acme.challenge_name(), "a certificate is ordered");
        client.forget();
        // An authority that says when to renew wants to know what an order renews.
        let replaced = old.filter(|_| advice.is_some_and(|advice| advice.window.is_some()));
        let replaced = replaced.and_then(|old| identifier(&old.der));
        let ordered = acme.order(client, replaced.as_ref(), limits.acme_order_time);
        let pem = tokio::time::timeout(limits.acme_order_time, ordered)
            .await
            .map_err(|_| OrderError::TooSlow)??;
        self.check(&pem)?;
        let mut known = self.known.lock().await;
        match acme.cache.write_certificate(pem.clone()).await {
            Ok(()) => *known = super::seen(&Ok(pem.clone()), &Ok(pem.clone())),
            Err(error) => {
                let error = super::told(&error);
                tracing::error!(
                    error,
                    "the new certificate cannot be written to tls.acme.cache: it is lost with a restart"
                );
            }
        }
        self.replace(Ok(pem.clone()), Ok(pem));
        Ok(())
    }

    /// Refuses a certificate that clients would not believe.
    fn check(&self, pem: &[u8]) -> Result<(), OrderError> {
        let file = self.certificate_file.as_path();
        let (certificates, key) = ((file, Ok(pem.to_vec())), (file, Ok(pem.to_vec())));
        let loaded = load(certificates, key, &self.host, &self.provider).map_err(|errors| {
            OrderError::Unusable(errors.iter().map(|error| super::told(error)).collect::<Vec<_>>().join("; "))
        })?;
        match loaded.validity {
            _ if !loaded.is_for_host => Err(OrderError::Unusable(format!("it is not for {}", self.host))),
            Some(Validity { until, .. }) if self.clock.now() < until => Ok(()),
            _ => Err(OrderError::Unusable("it has expired already, by the clock of this machine".to_owned())),
        }
    }

    /// Reads the file again, at once.
    async fn look(&self) {
        let mut known = self.known.lock().await;
        let Some((certificates, key)) = self.contents().await else { return };
        let now = super::seen(&certificates, &key);
        if now != *known {
            *known = now;
            self.replace(certificates, key);
        }
    }

    /// The certificate that is presented, if it is for the host and has not expired.
    fn usable(&self) -> Option<Usable> {
        let loaded = self.current.0.load_full().filter(|loaded| loaded.is_for_host)?;
        let validity = loaded.validity.filter(|validity| self.clock.now() < validity.until)?;
        Some(Usable { der: loaded.key.cert.first()?.clone(), validity })
    }

    /// When the authority would like the certificate renewed, if it says. It is asked as often as it likes.
    async fn window(
        &self,
        acme: &Acme,
        client: &Client,
        usable: &Usable,
        advice: &mut Option<Advice>,
    ) -> Option<Window> {
        let now = self.clock.now();
        if let Some(known) =
            advice.as_ref().filter(|known| known.about == usable.der && now < known.ask_again)
        {
            return known.window;
        }
        let asked = match identifier(&usable.der) {
            Some(certificate) => acme.renewal_info(client, &certificate).await,
            None => Ok(None),
        };
        let (window, after) = asked
            .unwrap_or_else(|error| {
                tracing::debug!(error = super::told(&error), "the authority does not say when to renew");
                // What it said before still holds.
                let known = advice.take().filter(|known| known.about == usable.der);
                Some((known.and_then(|known| known.window)?, ASK_AGAIN))
            })
            .map_or((None, ASK_AGAIN), |(window, after)| (Some(window), after.clamp(ASK.0, ASK.1)));
        *advice = Some(Advice { about: usable.der.clone(), window, ask_again: now.plus(after) });
        window
    }

    /// Tells the operator that an order failed, and what to do.
    fn tell(&self, acme: &Acme, error: &OrderError, pause: Duration) {
        let next = self.clock.now().plus(pause).to_iso();
        let (host, directory, challenge) = (&self.host, &acme.settings.directory, acme.challenge_name());
        let (told, advice) = (error.told(), error.advice());
        if self.usable().is_some() {
            tracing::warn!(
                host,
                directory,
                challenge,
                error = told,
                advice,
                next,
                expires = self.expires(),
                "the certificate could not be renewed; the present one stays"
            );
        } else {
            tracing::error!(
                host,
                directory,
                challenge,
                error = told,
                advice,
                next,
                "no certificate was issued; the server cannot be reached before there is one"
            );
        }
    }
}

/// How a certificate is named to the authority that issued it.
fn identifier(der: &CertificateDer<'_>) -> Option<CertificateIdentifier<'static>> {
    let issued = Issued::of(der)?;
    Some(
        CertificateIdentifier::new(Der::from_slice(issued.authority_key), Der::from_slice(issued.serial))
            .into_owned(),
    )
}
