//! One order (RFC 8555 section 7.4): the account, the proof that we have the name, the certificate.

use std::time::Duration;

use hufu_types::Timestamp;
use instant_acme::{
    Account, AuthorizationStatus, CertificateIdentifier, ChallengeType, ExternalAccountKey, Identifier,
    NewAccount, NewOrder, Order, OrderStatus, RetryPolicy,
};
use rcgen::{CertificateParams, DistinguishedName, KeyPair};
use secrecy::ExposeSecret as _;

use super::Acme;
use super::cache::{Answering, Challenge, StoredAccount};
use super::client::Client;
use super::failure::OrderError;
use super::schedule::Window;

/// How soon it is looked whether the authority is done, the first time; from then on ever later.
const LOOK: Duration = Duration::from_millis(250);

impl Acme {
    /// Orders a certificate: its key and it with those of its issuers, in PEM. `replaces` is the one that it renews.
    pub(super) async fn order(
        &self,
        client: &Client,
        replaces: Option<&CertificateIdentifier<'static>>,
        time: Duration,
    ) -> Result<Vec<u8>, OrderError> {
        match self.attempt(client, replaces, time).await {
            // An account of the cache that the authority does not know (any more).
            Err(error) if error.is("accountDoesNotExist") => {
                self.cache.forget_account().await?;
                self.attempt(client, None, time).await
            }
            outcome => outcome,
        }
    }

    /// When the authority would like a certificate renewed, and after what time to ask again. None if it does not say.
    pub(super) async fn renewal_info(
        &self,
        client: &Client,
        certificate: &CertificateIdentifier<'_>,
    ) -> Result<Option<(Window, Duration)>, OrderError> {
        let Some(stored) = self.cache.account().await? else { return Ok(None) };
        let account = Account::builder_with_http(Box::new(client.clone()));
        let account = account.from_credentials(stored.credentials).await?;
        match account.renewal_info(certificate).await {
            Ok((info, after)) => {
                let time = |time: i128| Timestamp(i64::try_from(time / 1_000_000).unwrap_or(i64::MAX));
                let window = info.suggested_window;
                let (start, end) = (window.start.unix_timestamp_nanos(), window.end.unix_timestamp_nanos());
                Ok(Some((Window { start: time(start), end: time(end) }, after)))
            }
            Err(instant_acme::Error::Unsupported(_)) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    async fn attempt(
        &self,
        client: &Client,
        replaces: Option<&CertificateIdentifier<'static>>,
        time: Duration,
    ) -> Result<Vec<u8>, OrderError> {
        let account = self.account(client).await?;
        let mut order = self.new_order(&account, replaces).await?;
        let policy = RetryPolicy::new().initial_delay(LOOK).backoff(1.5).timeout(time);
        let answering = self.answer(&mut order).await?;
        match order.poll_ready(&policy).await {
            Ok(OrderStatus::Ready) => {}
            Ok(_) => return Err(reason(&mut order).await.unwrap_or(OrderError::Refused)),
            Err(error @ instant_acme::Error::Api(_)) => {
                return Err(reason(&mut order).await.unwrap_or(error.into()));
            }
            Err(error) => return Err(error.into()),
        }
        drop(answering);
        let key = KeyPair::generate()?;
        let mut params = CertificateParams::new([self.host.clone()])?;
        params.distinguished_name = DistinguishedName::new();
        order.finalize_csr(params.serialize_request(&key)?.der()).await?;
        let chain = order.poll_certificate(&policy).await?;
        Ok(format!("{}{chain}", key.serialize_pem()).into_bytes())
    }

    /// The account of the cache, or a new one.
    async fn account(&self, client: &Client) -> Result<Account, OrderError> {
        let contact = self.settings.contact.as_str();
        let builder = Account::builder_with_http(Box::new(client.clone()));
        if let Some(stored) = self.cache.account().await? {
            let account = builder.from_credentials(stored.credentials).await?;
            if stored.contact != contact {
                account.update_contacts(&[contact]).await?;
                if let Some(stored) = self.cache.account().await? {
                    let stored = StoredAccount { contact: contact.to_owned(), ..stored };
                    self.cache.write_account(&stored).await?;
                }
            }
            return Ok(account);
        }
        let external = self.settings.external_account.as_ref();
        let external = external.map(|external| {
            ExternalAccountKey::new(external.key_id.clone(), external.mac_key.expose_secret())
        });
        let new =
            NewAccount { contact: &[contact], terms_of_service_agreed: true, only_return_existing: false };
        let (account, credentials) =
            builder.create(&new, self.settings.directory.clone(), external.as_ref()).await?;
        self.cache.write_account(&StoredAccount { contact: contact.to_owned(), credentials }).await?;
        Ok(account)
    }

    async fn new_order(
        &self,
        account: &Account,
        replaces: Option<&CertificateIdentifier<'static>>,
    ) -> Result<Order, OrderError> {
        let names = [Identifier::Dns(self.host.clone())];
        if let Some(replaces) = replaces {
            let order = account.new_order(&NewOrder::new(&names).replaces(replaces.clone())).await;
            let order = order.map_err(OrderError::from);
            // Whatever else is wrong may be wrong with that: it is replaced already, or unknown, or another account's. Then
            // the order stands for itself.
            match order {
                Err(error) if !["rateLimited", "accountDoesNotExist"].iter().any(|kind| error.is(kind)) => {}
                outcome => return outcome,
            }
        }
        Ok(account.new_order(&NewOrder::new(&names)).await?)
    }

    /// Lets the authority look for the answer to its challenge, unless it still knows from before that we have the name.
    /// The answer is there until what is returned is dropped.
    async fn answer(&self, order: &mut Order) -> Result<Option<Answering>, OrderError> {
        let mut answering = None;
        let mut authorizations = order.authorizations();
        while let Some(authorization) = authorizations.next().await {
            let mut authorization = authorization?;
            match authorization.status {
                AuthorizationStatus::Pending => {}
                AuthorizationStatus::Valid => continue,
                _ => return Err(OrderError::Refused),
            }
            let kind = if self.settings.http { ChallengeType::Http01 } else { ChallengeType::TlsAlpn01 };
            let offered: Vec<_> =
                authorization.challenges.iter().map(|challenge| format!("{:?}", challenge.r#type)).collect();
            let challenge = authorization.challenge(kind);
            let mut challenge = challenge.ok_or_else(|| OrderError::NotOffered(offered.join(", ")))?;
            answering = Some(
                self.cache
                    .answer(&Challenge {
                        token: challenge.token.clone(),
                        key_authorization: challenge.key_authorization().as_str().to_owned(),
                    })
                    .await?,
            );
            challenge.set_ready().await?;
        }
        Ok(answering)
    }
}

/// What the authority says about the challenge.
async fn reason(order: &mut Order) -> Option<OrderError> {
    let mut authorizations = order.authorizations();
    while let Some(Ok(mut authorization)) = authorizations.next().await {
        let state = authorization.refresh().await.ok()?;
        let problem = state.challenges.iter().find_map(|challenge| challenge.error.clone());
        if let Some(problem) = problem {
            return Some(OrderError::Challenge(problem));
        }
    }
    None
}
