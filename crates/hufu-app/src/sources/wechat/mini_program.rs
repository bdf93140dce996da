//! `wechat:miniprogram:default`: login inside a mini program, with `wx.login`.

use hufu_types::refusal::Code;
use hufu_types::{Application, Connection, IdpUserInfo, Phone, PhoneProof, Profile, Proof};
use hufu_wechat::wire::{PhoneData, UserInfoData};
use hufu_wechat::{Budget, CodeSession, SessionKey, open_user_data};
use serde::{Deserialize, Serialize};

use super::exchange::{Record, SpentCode, check_code, wechat_refusal};
use super::{app_id_field, app_secret_field, identity, profile};
use crate::doctor::checks::{self, ConnectionCheck, Menus, Probe};
use crate::failures::LoginFailure;
use crate::sources::{
    Attempt, Departure, Evidence, Field, Form, FromWebView, Kind, PhoneEvidence, Proved, SealedData, Start,
    Text,
};
use crate::{App, Refusal};

/// The definition of this kind.
pub(crate) const KIND: Kind = Kind {
    fields: FIELDS,
    start: Start::Code {
        client_names: &[
            "wechat_mini_program_code",
            "wechat_mini_program_phone",
            "wechat_mini_program_code_and_phone",
        ],
        from_web_view: Some(FromWebView { is_there: |connection| web_view_page(connection).is_some(), page }),
    },
    realm: super::realm,
    prove: |app, attempt| Box::pin(prove(app, attempt)),
    probe: Probe::MiniProgram,
    menus: Menus::MiniProgram,
    has_app_tokens: true,
    checks: CHECKS,
};

/// What can be checked about a mini program.
pub(super) const CHECKS: &[ConnectionCheck] = &[
    checks::app_token,
    checks::connection,
    checks::is_mini_program,
    checks::mini_program_domains,
    checks::business_domain_file,
    checks::published,
    checks::union_ids,
    checks::phone_numbers,
];

const HINT: Text = Text {
    zh: "微信公众平台 › 小程序 › 开发管理 › 开发设置",
    en: "WeChat's platform: mini program › 开发管理 › 开发设置",
};

/// The name of the field with the page that a web-view leads to.
const WEB_VIEW_PAGE: &str = "web_view_page";

const FIELDS: &[Field] = &[
    app_id_field(HINT),
    app_secret_field(HINT),
    Field {
        name: WEB_VIEW_PAGE,
        form: Form::Text { most: 128 },
        secret: false,
        required: false,
        label: Text { zh: "web-view 的登录页", en: "Login page for web-views" },
        hint: Text {
            zh: "在小程序的 web-view 里登录时跳到哪个页面，例如 pages/login/index；它用 wx.login 的 code 打开回调地址",
            en: "which page of the mini program a login in its web-view leads to, such as pages/login/index; it opens the callback with a code of wx.login",
        },
    },
];

fn web_view_page(connection: &Connection) -> Option<&str> {
    connection.settings.text(WEB_VIEW_PAGE)
}

/// The page of the mini program that logs in whoever is in its web-view.
fn page(departure: &Departure<'_>) -> Result<String, Refusal> {
    let page = web_view_page(departure.connection);
    let page =
        page.ok_or_else(|| Code::Internal.because("the mini program has no page for its web-views"))?;
    let state = super::state(departure.state)?;
    let between = if page.contains('?') { '&' } else { '?' };
    Ok(format!("/{}{between}state={}", page.trim().trim_start_matches('/'), state.as_str()))
}

/// The stored form of an exchange, before sealing.
#[derive(Serialize, Deserialize)]
struct Sealed<'a> {
    openid: std::borrow::Cow<'a, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    unionid: Option<std::borrow::Cow<'a, str>>,
    session_key: std::borrow::Cow<'a, str>,
}

impl Record for CodeSession {
    fn to_json(&self) -> Result<Vec<u8>, serde_json::Error> {
        serde_json::to_vec(&Sealed {
            openid: self.openid.as_str().into(),
            unionid: self.unionid.as_deref().map(Into::into),
            session_key: self.session_key.expose().into(),
        })
    }

    fn of_json(json: &[u8]) -> Result<Self, Refusal> {
        let sealed: Sealed<'_> = serde_json::from_slice(json).map_err(Refusal::internal)?;
        Ok(Self {
            openid: sealed.openid.into_owned(),
            unionid: sealed.unionid.map(std::borrow::Cow::into_owned),
            session_key: SessionKey::parse(sealed.session_key).map_err(Refusal::internal)?,
        })
    }
}

pub(super) async fn prove<'a>(app: &'a App, attempt: Attempt<'a>) -> Result<Proved<'a>, LoginFailure> {
    let Attempt { application, connection, evidence, ip, budget, .. } = attempt;
    if let Some(PhoneEvidence::Code(code)) = evidence.phone {
        check_code(code)?;
    }
    app.require_bound_code(connection, &evidence)?;
    let (session, code) =
        app.mini_program_session(application, connection, evidence.code, ip, budget).await?;
    let mut proof = identity(connection, &session.openid, session.unionid.as_deref());
    if let Some(evidence) = evidence.phone {
        let phone = app.proved_phone(&attempt, &evidence, &proof, &session, &code).await?;
        proof.phone = phone.map(|phone| (phone, PhoneProof::Wechat));
    }
    (proof.profile, proof.raw) = app.told_about(connection, &evidence, &session);
    Ok(Proved { proof, code })
}

impl App {
    /// Exchanges a `wx.login` code, or returns the result if it has been exchanged within the last minute.
    pub(crate) async fn mini_program_session(
        &self,
        application: &Application,
        connection: &Connection,
        code: &str,
        ip: Option<&str>,
        budget: Budget,
    ) -> Result<(CodeSession, SpentCode<'_>), Refusal> {
        let credentials = self.mini_program_of(connection)?;
        self.exchange(application, connection, code, ip, async || {
            self.wechat.code_to_session(&credentials, code, budget).await
        })
        .await
    }

    /// The phone number that comes with a login. A phone code is spent only if the login itself is permitted.
    async fn proved_phone(
        &self,
        attempt: &Attempt<'_>,
        evidence: &PhoneEvidence<'_>,
        proof: &Proof,
        session: &CodeSession,
        spent: &SpentCode<'_>,
    ) -> Result<Option<Phone>, LoginFailure> {
        match evidence {
            PhoneEvidence::Sealed(sealed) => {
                Ok(Some(self.open_phone(attempt.connection, session, *sealed)?.0))
            }
            PhoneEvidence::Code(code) => {
                (attempt.permit)(proof.clone()).await?;
                let openid = session.openid.as_str();
                let credentials = self.mini_program_of(attempt.connection)?;
                let result = self.wechat.phone_number(&credentials, code, Some(openid), attempt.budget).await;
                self.heard(attempt.connection, attempt.ip, &result).await;
                match result {
                    Ok(number) => Ok(Some(self.fresh_phone(&number)?)),
                    // A retry of a login whose first answer was lost. The number was stored then.
                    Err(error) if error.errcode() == Some(40029) && spent.before.login.is_some() => Ok(None),
                    Err(error) => Err(wechat_refusal(error).into()),
                }
            }
        }
    }

    /// The phone number, if WeChat's confirmation is recent enough.
    pub(crate) fn fresh_phone(&self, number: &hufu_wechat::PhoneNumber) -> Result<Phone, Refusal> {
        if !hufu_wechat::is_fresh(
            number.watermark_timestamp,
            self.now().seconds(),
            self.limits.sealed_data_age,
        ) {
            return Err(Code::DataUndecryptable.because(hufu_wechat::DataError::Stale));
        }
        parse_phone(&number.country_code, &number.pure_number)
    }

    pub(crate) fn open_phone(
        &self,
        connection: &Connection,
        session: &CodeSession,
        sealed: SealedData<'_>,
    ) -> Result<(Phone, PhoneData), Refusal> {
        let data: PhoneData = self.open_sealed(connection, session, sealed)?;
        let (Some(code), Some(number)) = (&data.country_code, &data.pure_phone_number) else {
            return Err(Code::PhoneMalformed.into());
        };
        let phone = parse_phone(code, number)?;
        Ok((phone, data))
    }

    pub(crate) fn open_sealed<T: serde::de::DeserializeOwned>(
        &self,
        connection: &Connection,
        session: &CodeSession,
        sealed: SealedData<'_>,
    ) -> Result<T, Refusal> {
        let (now, age) = (self.now().seconds(), self.limits.sealed_data_age);
        let app_id = self.mini_program_of(connection)?.app_id;
        open_user_data(&session.session_key, sealed.iv, sealed.encrypted_data, &app_id, now, age)
            .map_err(|error| Code::DataUndecryptable.because(error))
    }

    /// Nickname and photo from the encrypted data if it can be decrypted, otherwise as the client claims; and what WeChat
    /// itself says about the person.
    fn told_about(
        &self,
        connection: &Connection,
        evidence: &Evidence<'_>,
        session: &CodeSession,
    ) -> (Profile, IdpUserInfo) {
        let profile =
            |nickname: Option<&str>, photo: Option<&str>| profile(nickname, photo, self.limits.nickname);
        let sealed = evidence.user_info.and_then(|sealed| {
            let data: UserInfoData = self.open_sealed(connection, session, sealed).ok()?;
            let own = data.open_id.as_ref().is_none_or(|id| *id == session.openid);
            own.then_some(data)
        });
        if let Some(data) = sealed {
            let profile = profile(data.nick_name.as_deref(), data.avatar_url.as_deref());
            return (profile, user_info(data, self.limits.idp_user_info));
        }
        let claimed: Option<RawData> = evidence.raw_data.and_then(|raw| serde_json::from_str(raw).ok());
        let claimed = claimed.map(|raw| profile(raw.nick_name.as_deref(), raw.avatar_url.as_deref()));
        (claimed.unwrap_or_default(), IdpUserInfo::default())
    }
}

/// What WeChat said, in its own names.
fn user_info(data: UserInfoData, longest: usize) -> IdpUserInfo {
    super::user_info(
        [
            ("nickName", data.nick_name.into()),
            ("avatarUrl", data.avatar_url.into()),
            ("gender", data.gender.into()),
            ("language", data.language.into()),
            ("city", data.city.into()),
            ("province", data.province.into()),
            ("country", data.country.into()),
        ],
        longest,
    )
}

/// The fields of `rawData` that are used.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawData {
    nick_name: Option<String>,
    avatar_url: Option<String>,
}

fn parse_phone(country_code: &str, number: &str) -> Result<Phone, Refusal> {
    Phone::from_parts(country_code, number).map_err(|_| Code::PhoneMalformed.into())
}
