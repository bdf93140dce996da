//! DPoP (RFC 9449): tokens that only the holder of a key can use.
//!
//! A client signs a proof for each request. A token request with a proof gets tokens that are bound to its key, and a call
//! with such a token needs a proof by that key. [`Binding`] is what comes of the first check, and every grant takes one;
//! [`Presented`] is what the second is about, and nothing else opens an endpoint of a user.
//!
//! A proof is accepted once. For token requests, and for calls that may change something, the database says so, to all
//! nodes. A call that only reads (`GET`) writes nothing: each node keeps the ids of the proofs that it saw in memory, for as
//! long as they are fresh. Whoever has copied such a call could make that very call once more on another node within that
//! time, and no other one.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use async_recursion::async_recursion as boxed;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hufu_protocol::Confirmation;
use hufu_protocol::dpop::{self, DpopProof, token_hash};
use hufu_store::rates::{self, Limit};
use hufu_store::used_jtis::UseJti;
use hufu_store::{StoreError, Tx, Write};
use hufu_types::refusal::Code;
use hufu_types::{Application, Thumbprint, Timestamp, TokenAuth};
use subtle::ConstantTimeEq as _;
use tokio::sync::OnceCell;
use url::Url;

use crate::address::network_of;
use crate::digest::hash_token;
use crate::{App, Origin, Refusal};

/// What the tokens of a response are bound to. Only a checked proof makes one that binds.
#[derive(Clone, Debug)]
pub struct Binding(Option<Thumbprint>);

/// The binding of tokens to nothing, where there is no proof that could bind them.
pub(crate) static BEARER: Binding = Binding(None);

impl Binding {
    /// The key.
    pub(crate) const fn key(&self) -> Option<&Thumbprint> {
        self.0.as_ref()
    }

    /// The `token_type` of a token response.
    pub(crate) const fn token_type(&self) -> &'static str {
        token_type(self.key())
    }

    /// The `cnf` of an access token.
    pub(crate) fn confirmation(&self) -> Option<Confirmation> {
        self.0.clone().map(|jkt| Confirmation { jkt })
    }

    /// The key that a refresh token is bound to: see [`renewing_key`].
    pub(crate) fn renewing_key(&self, client_auth: Option<TokenAuth>) -> Option<Thumbprint> {
        renewing_key(client_auth, self.key())
    }
}

/// The `token_type` of an access token that is bound to this key.
pub(crate) const fn token_type(key: Option<&Thumbprint>) -> &'static str {
    if key.is_some() { "DPoP" } else { "Bearer" }
}

/// The key that a refresh token is bound to. That of a client which authenticates is bound to the client already, which
/// may then take another key (RFC 9449 section 5).
pub(crate) fn renewing_key(client_auth: Option<TokenAuth>, key: Option<&Thumbprint>) -> Option<Thumbprint> {
    key.filter(|_| !authenticates(client_auth)).cloned()
}

fn authenticates(client_auth: Option<TokenAuth>) -> bool {
    client_auth.is_some_and(|auth| auth != TokenAuth::None)
}

/// The header `DPoP` of a request, and what the proof in it has to be for.
pub struct SentProof {
    /// `None` if there is more than one, or it is no text.
    proof: Option<String>,
    method: String,
    path: String,
    /// Whether it was new when this request first asked. A request may ask more than once who it is by.
    is_new: OnceCell<bool>,
}

impl SentProof {
    /// The header of a request with this method and path. `None` for a header that cannot be read.
    pub fn new(proof: Option<String>, method: String, path: String) -> Self {
        Self { proof, method, path, is_new: OnceCell::new() }
    }
}

impl std::fmt::Debug for SentProof {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SentProof")
            .field("method", &self.method)
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

/// A token as a request presents it.
#[derive(Clone, Copy)]
pub enum Presented<'a> {
    /// Alone, in a header or a body.
    Bearer(&'a str),
    /// As `DPoP`, which needs a proof.
    Dpop(&'a str, Option<&'a SentProof>),
}

impl<'a> Presented<'a> {
    /// The token.
    pub const fn token(self) -> &'a str {
        match self {
            Self::Bearer(token) | Self::Dpop(token, _) => token,
        }
    }
}

/// What is wrong with a proof.
enum Fault {
    /// This part of it.
    Part(&'static str),
    /// It lacks the current nonce.
    Nonce,
}

impl Fault {
    fn of_token_request(self) -> Refusal {
        match self {
            Self::Part(part) => Code::DpopProofInvalid.with("part", part),
            Self::Nonce => Code::DpopNonceNeeded.into(),
        }
    }

    fn of_call(self) -> Refusal {
        match self {
            Self::Part(part) => Code::DpopCallUnproven.with("part", part),
            Self::Nonce => Code::DpopCallNonceNeeded.into(),
        }
    }
}

/// The part that is wrong if there is no proof.
const MISSING: &str = "no header DPoP";
/// The part that is wrong if it was brought before.
const USED: &str = "jti was used before";

/// The refusal of tokens that are not bound, for an application that gets no others.
pub(crate) fn unbound() -> Refusal {
    Fault::Part(MISSING).of_token_request()
}

impl App {
    /// What the tokens of a request are bound to. Uses up the proof.
    ///
    /// # Errors
    /// [`Code::DpopProofInvalid`], also for a client that needs a proof and sent none; [`Code::DpopNonceNeeded`];
    /// [`Code::TooOften`].
    #[boxed]
    pub async fn bind_tokens(
        &self,
        application: &Application,
        client_auth: Option<TokenAuth>,
        sent: Option<&SentProof>,
        origin: &Origin,
    ) -> Result<Binding, Refusal> {
        if sent.is_none() && application.client.dpop_bound_access_tokens {
            return Err(unbound());
        }
        self.bind_code(application, client_auth, sent, origin).await
    }

    /// What the code of a pushed request is bound to (RFC 9449 section 10.1). Uses up the proof.
    ///
    /// # Errors
    /// As [`Self::bind_tokens`], but no client needs a proof.
    #[boxed]
    pub async fn bind_code(
        &self,
        application: &Application,
        client_auth: Option<TokenAuth>,
        sent: Option<&SentProof>,
        origin: &Origin,
    ) -> Result<Binding, Refusal> {
        let Some(sent) = sent else { return Ok(Binding(None)) };
        let proof = self.check_proof(application, sent, None).map_err(Fault::of_token_request)?;
        let now = self.now();
        let id = self.id_of(application, &proof);
        // Anybody can send proofs in the name of a client that does not authenticate.
        let guard = origin.ip.as_deref().filter(|_| !authenticates(client_auth)).map(|ip| Limit {
            name: format!("dpop_proof:{}", network_of(ip)),
            most: self.limits.dpop_proofs_per_ip,
            window: self.limits.failure_window,
        });
        match self.write(UseProof { id, guard, now }).await? {
            Use::First => Ok(Binding(Some(proof.key))),
            Use::Again => {
                tracing::warn!(application = %application.id, "a DPoP proof was used twice at the token endpoint");
                Err(Fault::Part(USED).of_token_request())
            }
            Use::TooOften => {
                let wait = rates::wait(self.limits.failure_window, now);
                Err(Code::TooOften.retry_after(wait).because("DPoP proofs from this network"))
            }
        }
    }

    /// Checks that a token is presented as it was issued: as `DPoP`, with a new proof, if it is bound to a key, and
    /// alone otherwise. A token that is bound is worth nothing to whoever leaves the proof out.
    pub(crate) async fn check_presented(
        &self,
        application: &Application,
        presented: Presented<'_>,
        key: Option<&Thumbprint>,
    ) -> Result<(), Refusal> {
        match (presented, key) {
            (Presented::Bearer(_), None) => Ok(()),
            (Presented::Dpop(token, sent), Some(key)) => self.check_call(application, token, sent, key).await,
            (Presented::Bearer(_), Some(_)) | (Presented::Dpop(..), None) => {
                Err(Code::DpopTokenMisused.into())
            }
        }
    }

    #[boxed]
    async fn check_call(
        &self,
        application: &Application,
        token: &str,
        sent: Option<&SentProof>,
        key: &Thumbprint,
    ) -> Result<(), Refusal> {
        let sent = sent.ok_or(Fault::Part(MISSING)).map_err(Fault::of_call)?;
        let proof = self.check_proof(application, sent, Some(token)).map_err(Fault::of_call)?;
        if proof.key != *key {
            return Err(Code::DpopTokenMisused.because("the proof is by another key"));
        }
        if *sent.is_new.get_or_try_init(|| self.is_new(application, sent, &proof)).await? {
            return Ok(());
        }
        tracing::warn!(application = %application.id, "a DPoP proof was used twice");
        Err(Fault::Part(USED).of_call())
    }

    /// Whether the proof of a call comes for the first time. Uses it up.
    async fn is_new(
        &self,
        application: &Application,
        sent: &SentProof,
        proof: &DpopProof,
    ) -> Result<bool, Refusal> {
        let is_seen = !self.seen_proofs.see(proof, self.now(), self.proof_life());
        if is_seen || matches!(sent.method.as_str(), "GET" | "HEAD") {
            return Ok(!is_seen);
        }
        self.write(self.id_of(application, proof)).await
    }

    /// The id of a proof, as in the database: never that of an assertion, which has the same table.
    fn id_of(&self, application: &Application, proof: &DpopProof) -> UseJti {
        UseJti {
            pool: application.pool.clone(),
            application: application.id.clone(),
            hash: hash_token(&format!("dpop {} {}", proof.key.as_str(), proof.jti)),
            expires_at: self.now().plus(self.proof_life()),
        }
    }

    /// Checks a proof for a request (RFC 9449 section 4.3). Whether it is new is another question.
    fn check_proof(
        &self,
        application: &Application,
        sent: &SentProof,
        token: Option<&str>,
    ) -> Result<DpopProof, Fault> {
        let text = sent.proof.as_deref().ok_or(Fault::Part("more than one header DPoP"))?;
        let proof = dpop::read(text).map_err(|error| Fault::Part(error.part()))?;
        if proof.htm != sent.method {
            return Err(Fault::Part("htm"));
        }
        let own = normalized(&format!("{}{}", self.public_url, sent.path));
        if own.is_none() || normalized(&proof.htu) != own {
            return Err(Fault::Part("htu"));
        }
        let (now, made_at) = (self.now(), Timestamp(proof.iat.saturating_mul(1000)));
        let most = self.limits.dpop_proof_age;
        if made_at.plus(most) < now || now.plus(most) < made_at {
            return Err(Fault::Part("iat"));
        }
        if token.is_some_and(|token| proof.ath.as_deref() != Some(&token_hash(token))) {
            return Err(Fault::Part("ath"));
        }
        let has_nonce = proof.nonce.as_deref().map(|nonce| self.is_dpop_nonce(nonce));
        if !has_nonce.unwrap_or(!application.client.dpop_nonce_required) {
            return Err(Fault::Nonce);
        }
        Ok(proof)
    }

    /// For how long the same proof could be accepted again.
    fn proof_life(&self) -> Duration {
        // It may have been made ahead of its time by as much, and nodes count whole seconds.
        self.limits.dpop_proof_age * 2 + self.limits.clock_leeway
    }

    /// The nonce that proofs should have now. All nodes have the same: it is a keyed hash of the time.
    pub fn dpop_nonce(&self) -> String {
        self.nonce_of(self.nonce_turn(self.now()))
    }

    /// Whether it is the nonce of now or the one before, or the next one, which a node whose clock is ahead gives out.
    fn is_dpop_nonce(&self, nonce: &str) -> bool {
        let now = self.now();
        let turn = self.nonce_turn(now);
        let turns = [turn, turn - 1, self.nonce_turn(now.plus(self.limits.clock_leeway))];
        turns.iter().any(|turn| self.nonce_of(*turn).as_bytes().ct_eq(nonce.as_bytes()).into())
    }

    fn nonce_turn(&self, now: Timestamp) -> i64 {
        let life = i64::try_from(self.limits.dpop_nonce.as_millis()).unwrap_or(i64::MAX).max(1);
        now.0.div_euclid(life)
    }

    fn nonce_of(&self, turn: i64) -> String {
        let hash = self.sealing.mac("dpop:nonce", &turn.to_be_bytes());
        let (half, _) = hash.split_at(hash.len() / 2);
        URL_SAFE_NO_PAD.encode(half)
    }
}

/// An address as it is compared: without query and fragment, and normalised (RFC 3986 sections 6.2.2 and 6.2.3). `None`
/// if it is no address of a web server.
fn normalized(address: &str) -> Option<String> {
    // What browsers would mend is no URI (RFC 3986 appendix A).
    let is_uri = |byte: u8| byte.is_ascii_graphic() && !br#""<>\^`{|}"#.contains(&byte);
    let (_, rest) = address.split_once("://")?;
    if rest.starts_with('/') || !address.bytes().all(is_uri) {
        return None;
    }
    let url = Url::parse(address).ok()?;
    if !matches!(url.scheme(), "https" | "http") || !url.username().is_empty() || url.password().is_some() {
        return None;
    }
    let mut path = String::new();
    let mut rest = url.path();
    while let Some((plain, encoded)) = rest.split_once('%') {
        path.push_str(plain);
        let (digits, after) = encoded.split_at_checked(2)?;
        let mut byte = [0];
        hex::decode_to_slice(digits, &mut byte).ok()?;
        let [byte] = byte;
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            path.push(char::from(byte));
        } else {
            path.push('%');
            path.push_str(&digits.to_ascii_uppercase());
        }
        rest = after;
    }
    path.push_str(rest);
    Some(format!("{}{path}", url.origin().ascii_serialization()))
}

/// Uses the id of a proof.
struct UseProof {
    id: UseJti,
    /// The bucket of the network, if the client does not authenticate.
    guard: Option<Limit>,
    now: Timestamp,
}

enum Use {
    First,
    Again,
    TooOften,
}

impl Write for UseProof {
    type Out = Use;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Use, StoreError> {
        if let Some(guard) = &self.guard
            && guard.take(tx, self.now).await?.is_none()
        {
            return Ok(Use::TooOften);
        }
        Ok(if self.id.run(tx).await? { Use::First } else { Use::Again })
    }
}

/// The most proofs of each half of [`SeenProofs`]: 16 bytes each, and as much again for the table.
const MOST_SEEN: usize = 500_000;

/// The proofs of calls that this node saw lately, in two halves: what is new goes into the younger one, and when that is as
/// old as a proof may be, or full, it becomes the older one, whose proofs are forgotten.
#[derive(Default)]
pub(crate) struct SeenProofs(Mutex<Halves>);

struct Halves {
    younger: HashSet<[u8; 16]>,
    older: HashSet<[u8; 16]>,
    /// When the younger half was begun.
    since: Timestamp,
}

impl Default for Halves {
    fn default() -> Self {
        Self { younger: HashSet::new(), older: HashSet::new(), since: Timestamp(0) }
    }
}

impl SeenProofs {
    /// Notes a proof. Returns whether it was new.
    fn see(&self, proof: &DpopProof, now: Timestamp, life: Duration) -> bool {
        self.see_text(&format!("{} {}", proof.key.as_str(), proof.jti), now, life)
    }

    /// Notes anything else that is good once. Returns whether it was new.
    pub(crate) fn see_text(&self, text: &str, now: Timestamp, life: Duration) -> bool {
        let hash = hash_token(text);
        let id = hash.as_bytes().first_chunk::<16>().copied().unwrap_or_default();
        self.0.lock().unwrap_or_else(PoisonError::into_inner).see(id, now, life, MOST_SEEN)
    }
}

impl Halves {
    fn see(&mut self, id: [u8; 16], now: Timestamp, life: Duration, most: usize) -> bool {
        if self.since.plus(life) <= now || self.younger.len() >= most {
            let is_recent = now < self.since.plus(life * 2);
            let before = std::mem::take(&mut self.younger);
            self.older = if is_recent { before } else { HashSet::new() };
            self.since = now;
        }
        !self.older.contains(&id) && self.younger.insert(id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_compared_as_rfc_3986_says() {
        let own = normalized("https://id.example.com/oidc/me");
        for same in [
            "https://id.example.com/oidc/me?a=b",
            "https://id.example.com/oidc/me#a",
            "HTTPS://ID.Example.com:443/oidc/me",
            "https://id.example.com/oidc/./x/../me",
            "https://id.example.com/oid%63/me",
            "https://id.example.com/%6fidc/%6De",
        ] {
            assert_eq!(normalized(same), own, "{same}");
        }
        for other in [
            "",
            "/oidc/me",
            "https://id.example.com/oidc/me/",
            "https://id.example.com/oidc//me",
            "https://id.example.com/OIDC/me",
            "https://id.example.com/oidc%2Fme",
            "https://id.example.com:8443/oidc/me",
            "https://id.example.com.evil.example/oidc/me",
            "https://me@id.example.com/oidc/me",
            "https:id.example.com/oidc/me",
            "https:///id.example.com/oidc/me",
            "https:\\\\id.example.com\\oidc\\me",
            "https://id.example.com/oidc/me ",
            "https://id.example.com/oidc/m%",
            "http://id.example.com/oidc/me",
            "ftp://id.example.com/oidc/me",
        ] {
            assert_ne!(normalized(other), own, "{other}");
        }
        assert_eq!(normalized("https://a.example"), normalized("https://a.example/"));
        assert_eq!(normalized("https://a.example/%e8%99%8e"), normalized("https://a.example/%E8%99%8E"));
        assert_eq!(normalized("ftp://id.example.com/"), None);
    }

    #[test]
    fn proofs_are_remembered_for_their_life_and_no_more_than_fit() {
        let (mut seen, life) = (Halves::default(), Duration::from_secs(120));
        let at = |seconds: i64| Timestamp(seconds * 1000);
        assert!(seen.see([1; 16], at(1000), life, 3));
        for again in [1000, 1060, 1119, 1120, 1200, 1239] {
            assert!(!seen.see([1; 16], at(again), life, 3), "{again}");
        }
        assert!(seen.see([2; 16], at(1239), life, 3));
        assert!(!seen.see([2; 16], at(1358), life, 3));
        assert!(seen.see([2; 16], at(2000), life, 3), "all is old");
        // A full half is put aside early: what it holds is remembered until the next one is full.
        for id in 3..6 {
            assert!(seen.see([id; 16], at(2001), life, 3));
            assert!(!seen.see([id; 16], at(2001), life, 3));
        }
        assert!(seen.younger.len() <= 3 && seen.older.len() <= 3);
    }
}
