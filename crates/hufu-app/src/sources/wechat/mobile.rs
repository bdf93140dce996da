//! `wechat:mobile`: login in a native app, with the code from WeChat's OpenSDK (`SendAuth`).

use hufu_types::Proof;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::exchange::Record;
use super::{app_id_field, app_secret_field, credentials, identity, profile};
use crate::doctor::checks::{self, Probe};
use crate::failures::LoginFailure;
use crate::sources::{Attempt, Field, Kind, Proved, Start, Text};
use crate::{App, Refusal};

/// The definition of this kind.
pub(crate) const KIND: Kind = Kind {
    fields: FIELDS,
    start: Start::Code { client_names: &["wechat"] },
    realm: super::realm,
    prove: |app, attempt| Box::pin(prove(app, attempt)),
    probe: Probe::SnsCode,
    checks: &[checks::sns_credentials, checks::connection, checks::union_ids],
};

const HINT: Text = Text {
    zh: "微信开放平台 › 管理中心 › 移动应用 › 查看",
    en: "WeChat Open Platform: 管理中心 › 移动应用 › 查看",
};

const FIELDS: &[Field] = &[app_id_field(HINT), app_secret_field(HINT)];

/// The scope that permits reading nickname and photo.
const USER_INFO_SCOPE: &str = "snsapi_userinfo";

/// The result of an exchange.
#[derive(Serialize, Deserialize)]
struct Person {
    openid: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    unionid: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    nickname: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    avatar: Option<String>,
}

impl Record for Person {
    fn to_json(&self) -> Result<Vec<u8>, serde_json::Error> {
        serde_json::to_vec(self)
    }

    fn of_json(json: &[u8]) -> Result<Self, Refusal> {
        serde_json::from_slice(json).map_err(Refusal::internal)
    }
}

async fn prove<'a>(app: &'a App, attempt: Attempt<'a>) -> Result<Proved<'a>, LoginFailure> {
    let Attempt { application, connection, evidence, ip, budget, .. } = attempt;
    let credentials = credentials(connection);
    let exchanged = app.exchange(application, connection, evidence.code, ip, || async {
        let user = app.wechat.user_authorization(&credentials, evidence.code, budget).await?;
        let info = if user.has_scope(USER_INFO_SCOPE) {
            // The code is spent and the user is known, so a missing nickname does not fail the login.
            let info = app.wechat.user_info(&user, budget).await;
            info.inspect_err(|error| tracing::debug!(%error, rid = error.rid(), "no nickname")).ok()
        } else {
            None
        };
        let info = info.unwrap_or_default();
        Ok(Person {
            openid: user.openid,
            unionid: user.unionid.or(info.unionid),
            nickname: info.nickname,
            avatar: info.avatar,
        })
    });
    let (person, code) = exchanged.await?;
    let raw = json!({ "nickname": person.nickname, "headimgurl": person.avatar });
    let proof = Proof {
        profile: profile(person.nickname.as_deref(), person.avatar.as_deref(), app.limits.nickname),
        raw,
        ..identity(connection, &person.openid, person.unionid.as_deref())
    };
    Ok(Proved { proof, code })
}
