//! Pushed authorization requests (RFC 9126): a client sends its request ahead, and the browser brings a reference.

use std::sync::Arc;

use async_recursion::async_recursion as boxed;
use hufu_store::pushed_requests::{Push, TakePushed};
use hufu_store::rates::{self, Hit};
use hufu_types::refusal::{Code, Reason};
use hufu_types::{Application, OpaqueToken, TokenPurpose};

use super::dpop::Binding;
use super::request::{AuthorizationRefused, Parameters};
use crate::address::network_of;
use crate::digest::hash_token;
use crate::{App, Origin, Refusal};

/// What the reference of a pushed request begins with.
pub(super) const REFERENCE: &str = "urn:ietf:params:oauth:request_uri:";

/// The parameters that are for the endpoint, and no part of the request.
const OF_THE_CLIENT: [&str; 3] = ["client_secret", "client_assertion", "client_assertion_type"];

/// A request that was stored.
#[derive(Clone, Debug)]
pub struct PushedRequest {
    /// What the browser brings in its place.
    pub request_uri: String,
    /// For how many seconds it can be used.
    pub expires_in: u64,
}

impl App {
    /// Stores an authorization request of a client that has authenticated.
    ///
    /// # Errors
    /// What is wrong with the request, as at the authorization endpoint; [`Code::TooOften`].
    #[boxed]
    pub async fn push_request(
        &self,
        application: &Arc<Application>,
        parameters: &Parameters,
        binding: &Binding,
        origin: &Origin,
    ) -> Result<PushedRequest, AuthorizationRefused> {
        let now = self.now();
        if application.is_public() {
            // Anybody can be such a client.
            let network = origin.ip.as_deref().map(network_of).unwrap_or_default();
            let window = self.limits.failure_window;
            let hit = Hit { name: format!("pushed_request:{network}"), amount: 1, window, now };
            if self.write(hit).await? > self.limits.pushed_requests_per_ip {
                return Err(Code::TooOften.retry_after(rates::wait(window, now)).into());
            }
        }
        if parameters.get("request_uri").is_some() {
            return Err(Refusal::invalid("request_uri", Reason::UnknownField).into());
        }
        if parameters.get("client_id").is_some_and(|id| id != application.id.as_str()) {
            return Err(Refusal::new(Code::ClientUnauthorized).into());
        }
        let list = parameters.without(&OF_THE_CLIENT).with("client_id", application.id.as_str());
        let mut list = self.unfolded(application, list).await?;
        if let Some(key) = binding.key() {
            // RFC 9449 section 10.1.
            if list.get("dpop_jkt").is_some_and(|other| other != key.as_str()) {
                return Err(Code::DpopProofInvalid.with("part", "dpop_jkt is another key").into());
            }
            list = list.with("dpop_jkt", key.as_str());
        }
        // The same checks follow when it is used; what is wrong is better told now.
        self.read_request(application, &list)?;
        let reference = OpaqueToken::generate(TokenPurpose::PushedRequest, &*self.random);
        let life = self.limits.pushed_request_life;
        let unit = Push {
            pool: application.pool.clone(),
            application: application.id.clone(),
            hash: hash_token(reference.expose()),
            parameters: list.into_list(),
            expires_at: now.plus(life),
        };
        self.write(unit).await?;
        Ok(PushedRequest {
            request_uri: format!("{REFERENCE}{}", reference.expose()),
            expires_in: life.as_secs(),
        })
    }

    /// Takes the request that a reference stands for.
    pub(super) async fn pushed_request(
        &self,
        application: &Application,
        reference: &str,
    ) -> Result<Parameters, Refusal> {
        let unit = TakePushed {
            pool: application.pool.clone(),
            application: application.id.clone(),
            hash: hash_token(reference),
            now: self.now(),
        };
        let found = self.write(unit).await?;
        Ok(Parameters::new(found.ok_or(Code::PushedRequestUnknown)?))
    }
}
