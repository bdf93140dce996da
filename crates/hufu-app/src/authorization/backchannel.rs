//! Telling applications that a session has ended (OpenID Connect Back-Channel Logout 1.0): a job for each, retried. Whatever
//! ends a session puts it into the queue ([`hufu_store::endings`]).

use std::time::Duration;

use hufu_protocol::{LogoutTokenClaims, TokenType};
use hufu_store::jobs::Job;

use crate::App;
use crate::jobs::JobOutcome;
use crate::tokens::EndedSession;

const FIRST_WAIT: Duration = Duration::from_secs(5);
const LONGEST_WAIT: Duration = Duration::from_secs(60 * 60);
/// How long a logout token is valid (OpenID Connect Back-Channel Logout 2.4 recommends two minutes).
const TOKEN_LIFE: i64 = 120;

impl App {
    /// Sends a logout token to the application.
    pub(crate) async fn tell_of_logout(&self, job: &Job) -> JobOutcome {
        let Ok(told) = serde_json::from_slice::<EndedSession>(&job.payload) else {
            return JobOutcome::Failed;
        };
        let config = self.config();
        let found = config.application(told.application.as_str());
        let Some(application) = found.filter(|application| application.pool == job.pool) else {
            return JobOutcome::Failed;
        };
        let Some(uri) = application.client.backchannel_logout_uri.clone() else { return JobOutcome::Failed };
        let now = self.now();
        let mut jti = [0; 16];
        self.random.fill(&mut jti);
        let claims = LogoutTokenClaims {
            iss: self.issuer.as_str().into(),
            sub: self.subject(application, &told.user),
            aud: application.id.clone(),
            sid: told.session,
            iat: now.seconds(),
            exp: now.seconds().saturating_add(TOKEN_LIFE),
            jti: hex::encode(jti).into(),
            events: serde_json::json!({ "http://schemas.openid.net/event/backchannel-logout": {} }),
        };
        let token =
            match self.signing_key(application, now).map(|key| key.sign(TokenType::LogoutToken, &claims)) {
                Ok(Ok(token)) => token,
                Ok(Err(error)) => {
                    tracing::error!(error = hufu_types::chain(&error), "a logout token cannot be signed");
                    return JobOutcome::Failed;
                }
                Err(error) => {
                    tracing::error!(error = hufu_types::chain(&error), "a logout token cannot be signed");
                    return JobOutcome::Failed;
                }
            };
        let Ok(body) = serde_urlencoded::to_string([("logout_token", token)]) else {
            return JobOutcome::Failed;
        };
        let headers = [("content-type", "application/x-www-form-urlencoded")];
        let sent = self.sender_context.http.post(&uri, &headers, body.into_bytes()).await;
        let why = match sent {
            Ok(response) if response.is_success() => return JobOutcome::Done,
            // The application understood the token and refuses it (section 2.8).
            Ok(response) if response.status == 400 => {
                tracing::warn!(application = %application.id, "the application refuses a logout token");
                return JobOutcome::Failed;
            }
            Ok(response) => format!("status {}", response.status),
            Err(error) if error.is_permanent() => {
                tracing::warn!(application = %application.id, error = hufu_types::chain(&error), "the address for logout tokens cannot be used");
                return JobOutcome::Failed;
            }
            Err(error) => error.code().to_owned(),
        };
        if job.attempts >= self.limits.job_tries {
            tracing::warn!(application = %application.id, why, "the application was not told of a logout");
            return JobOutcome::Failed;
        }
        JobOutcome::RetryAt(self.retry_at(FIRST_WAIT, LONGEST_WAIT, job.attempts))
    }
}
