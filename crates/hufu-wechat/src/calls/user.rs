//! What users authorized: web pages, websites and mobile apps.

use secrecy::ExposeSecret as _;

use crate::{
    class::Endpoint,
    client::Client,
    error::{Error, ErrorKind},
    fields::{LONGEST_ID, LONGEST_TOKEN, given, printable},
    identity::{UserAuthorization, UserInfo},
    settings::{AppCredentials, Budget},
    transport::Call,
    wire::{SnsAccessTokenAnswer, SnsUserInfoAnswer},
};

impl Client {
    /// Exchanges the code of a user's authorization in a mobile app, on a website or on a web page inside
    /// WeChat. A code works once, within ten minutes.
    ///
    /// Source: "snsAccessToken". The call carries the app's secret; it requires neither an app token nor an
    /// entry in the IP allow-list.
    pub async fn user_authorization(
        &self,
        app: &AppCredentials,
        code: &str,
        budget: Budget,
    ) -> Result<UserAuthorization, Error> {
        const ENDPOINT: Endpoint = Endpoint::SnsAccessToken;
        let secret = app.app_secret.expose_secret();
        let url = self.api.url(
            "/sns/oauth2/access_token",
            &[
                ("appid", &app.app_id),
                ("secret", secret),
                ("code", code),
                ("grant_type", "authorization_code"),
            ],
        );
        let call = Call { endpoint: ENDPOINT, url, body: None, sent: &[secret, code] };
        let answer: SnsAccessTokenAnswer = self.api.call(&call, budget).await?;
        user_authorization(answer).map_err(|field| Error::new(ENDPOINT, ErrorKind::MissingField { field }))
    }

    /// The profile of a user who authorized an app with the scope `snsapi_userinfo` or `snsapi_login`.
    ///
    /// Source: "snsUserInfo". The call is authenticated by the user's own token. Without the scope, WeChat
    /// rejects it (48001).
    pub async fn user_info(&self, user: &UserAuthorization, budget: Budget) -> Result<UserInfo, Error> {
        const ENDPOINT: Endpoint = Endpoint::SnsUserInfo;
        let token = user.access_token.expose_secret();
        let query = [("access_token", token), ("openid", user.openid.as_str()), ("lang", "zh_CN")];
        let url = self.api.url("/sns/userinfo", &query);
        let call = Call { endpoint: ENDPOINT, url, body: None, sent: &[token, &user.openid] };
        let answer: SnsUserInfoAnswer = self.api.call(&call, budget).await?;
        if answer.openid.as_ref() != Some(&user.openid) {
            return Err(Error::new(ENDPOINT, ErrorKind::MissingField { field: "openid" }));
        }
        let unionid = given(answer.unionid, "unionid");
        let unionid = unionid.map_err(|field| Error::new(ENDPOINT, ErrorKind::MissingField { field }))?;
        Ok(UserInfo { unionid, nickname: answer.nickname, sex: answer.sex, avatar: answer.headimgurl })
    }
}

fn user_authorization(answer: SnsAccessTokenAnswer) -> Result<UserAuthorization, &'static str> {
    Ok(UserAuthorization {
        openid: printable(answer.openid, LONGEST_ID).ok_or("openid")?,
        unionid: given(answer.unionid, "unionid")?,
        access_token: printable(answer.access_token, LONGEST_TOKEN).ok_or("access_token")?.into(),
        scope: answer.scope.unwrap_or_default(),
        snapshot: answer.is_snapshotuser == Some(1),
    })
}
