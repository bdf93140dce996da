//! What a person authorizes: in a native app (`wechat:mobile`), on a website (`wechat:pc`) or on a page in WeChat's own
//! browser (`wechat:webpage-authorization`). The code of each is exchanged in the same way.

use hufu_types::{Connection, IdpUserInfo, Proof};
use hufu_wechat::UserInfo;
use serde::{Deserialize, Serialize};

use super::exchange::Record;
use super::{credentials, identity, profile};
use crate::failures::LoginFailure;
use crate::sources::{Attempt, Proved};
use crate::{App, Refusal};

/// The scopes that permit reading nickname and photo: of native apps and official accounts, and of websites.
const INFO_SCOPES: [&str; 2] = ["snsapi_userinfo", "snsapi_login"];

/// The result of an exchange.
#[derive(Serialize, Deserialize)]
struct Person {
    openid: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    unionid: Option<String>,
    /// What WeChat said about them, in its own names.
    #[serde(default, skip_serializing_if = "IdpUserInfo::is_empty")]
    info: IdpUserInfo,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    snapshot: bool,
}

impl Record for Person {
    fn to_json(&self) -> Result<Vec<u8>, serde_json::Error> {
        serde_json::to_vec(self)
    }

    fn of_json(json: &[u8]) -> Result<Self, Refusal> {
        serde_json::from_slice(json).map_err(Refusal::internal)
    }
}

/// Exchanges the code of an authorization.
pub(super) async fn prove<'a>(app: &'a App, attempt: Attempt<'a>) -> Result<Proved<'a>, LoginFailure> {
    let Attempt { application, connection, evidence, ip, budget, .. } = attempt;
    let credentials = credentials(connection);
    let exchanged = app.exchange(application, connection, evidence.code, ip, || async {
        let user = app.wechat.user_authorization(&credentials, evidence.code, budget).await?;
        // What WeChat says of the virtual user of a snapshot page is made up.
        let may_ask = !user.snapshot && INFO_SCOPES.iter().any(|scope| user.has_scope(scope));
        let info = if may_ask {
            // The code is spent and the user is known, so a missing nickname does not fail the login.
            let info = app.wechat.user_info(&user, budget).await;
            info.inspect_err(|error| tracing::debug!(%error, rid = error.rid(), "no nickname")).ok()
        } else {
            None
        };
        let info = info.unwrap_or_default();
        Ok(Person {
            openid: user.openid,
            unionid: user.unionid.or_else(|| info.unionid.clone()),
            info: user_info(info, app.limits.idp_user_info),
            snapshot: user.snapshot,
        })
    });
    let (person, code) = exchanged.await?;
    Ok(Proved { proof: proof(app, connection, &person), code })
}

/// What WeChat said, in its own names.
fn user_info(info: UserInfo, longest: usize) -> IdpUserInfo {
    super::user_info(
        [("nickname", info.nickname.into()), ("headimgurl", info.avatar.into()), ("sex", info.sex.into())],
        longest,
    )
}

fn proof(app: &App, connection: &Connection, person: &Person) -> Proof {
    Proof {
        profile: profile(person.info.text("nickname"), person.info.text("headimgurl"), app.limits.nickname),
        raw: person.info.clone(),
        snapshot: person.snapshot,
        ..identity(connection, &person.openid, person.unionid.as_deref())
    }
}
