//! Login through a WeChat mini program.

use std::sync::Arc;

use hufu_store::events::Trace;
use hufu_store::logins::{Arriving, Bind, BindOutcome, Login, LoginOutcome, WouldLogIn};
use hufu_types::flow::Want;
use hufu_types::refusal::Code;
use hufu_types::resolution::{Arrival, PhoneUse, Rules};
use hufu_types::{Action, Application, Connection, FlowId, IdentityKey, Phone, Profile, UserId};
use hufu_wechat::wire::{PhoneData, UserInfoData};
use hufu_wechat::{Budget, open_user_data};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::authentication::Authenticated;
use crate::codes::{Exchanged, check_code, credentials, wechat_refusal};
use crate::entry::{Entering, LoginDone};
use crate::failures::NotIn;
use crate::origin::Origin;
use crate::refusal::{leaving, waits_at};
use crate::{App, Refusal};

/// Data that WeChat sealed with the session key.
#[derive(Clone, Copy)]
pub struct SealedData<'a> {
    /// The initial vector, base64.
    pub iv: &'a str,
    /// The data, base64.
    pub encrypted_data: &'a str,
}

/// How a phone number is proved.
#[derive(Clone, Copy)]
pub enum PhoneProofData<'a> {
    /// By the dynamic code of the phone button.
    Code(&'a str),
    /// By the ciphertext of the old phone button.
    Sealed(SealedData<'a>),
}

/// A mini program's login.
#[derive(Clone)]
pub struct MiniProgramLogin<'a> {
    /// The application.
    pub application: Arc<Application>,
    /// The connection.
    pub connection: Arc<Connection>,
    /// What `wx.login` gave.
    pub code: &'a str,
    /// What `wx.getUserInfo` gave, sealed.
    pub user_info: Option<SealedData<'a>>,
    /// What `wx.getUserInfo` gave, plain and unproved.
    pub raw_data: Option<&'a str>,
    /// A phone number, and what it is for.
    pub phone: Option<(PhoneProofData<'a>, PhoneUse)>,
    /// What the login ends with.
    pub want: Want,
    /// Where the request comes from.
    pub origin: Origin,
}

/// What a source proved, as a waiting login keeps it.
#[derive(Serialize, Deserialize)]
pub(crate) struct KeptProof {
    pub(crate) openid: String,
    pub(crate) unionid: Option<String>,
    pub(crate) phone: Option<Phone>,
    pub(crate) log_in_by_phone: bool,
    pub(crate) profile: Profile,
}

impl App {
    /// Logs a person in who comes from a mini program.
    pub async fn log_in(&self, login: &MiniProgramLogin<'_>) -> Result<LoginDone, Refusal> {
        let not_in = match self.try_log_in(login).await {
            Ok(done) => return Ok(done),
            // Not refused: the person goes on.
            Err(NotIn { refusal, .. }) if waits_at(&refusal).is_some() => return Err(refusal),
            Err(not_in) => not_in,
        };
        metrics::counter!("hufu_logins_total", "outcome" => "refused").increment(1);
        let (application, connection) = (&login.application, &login.connection);
        log_refusal(application, connection, &not_in.refusal);
        let pool = &application.pool;
        let trace = self.trace(pool, None, Some(&application.id), Some(&connection.id), &login.origin);
        Err(self.refuse_login(pool, trace, connection.kind.as_str(), not_in).await)
    }

    async fn try_log_in(&self, login: &MiniProgramLogin<'_>) -> Result<LoginDone, NotIn> {
        let (application, connection) = (&*login.application, &*login.connection);
        let budget = Budget::of(self.limits.request_budget);
        if let Some((PhoneProofData::Code(code), _)) = login.phone {
            check_code(code)?;
        }
        let _place = self.pass(&application.pool, login.origin.ip.as_deref()).await;
        let exchanged = self.exchange_code(application, connection, login.code, budget).await?;
        let mut who = Arriving {
            pool: application.pool.clone(),
            arrival: arrival(connection, &exchanged),
            phone: None,
            email: None,
            external_id: None,
            rules: self.rules(connection),
        };
        if let Some((proof, phone_use)) = login.phone {
            who.phone = self.proved_phone(&who, &proof, phone_use, connection, &exchanged, budget).await?;
            who.arrival.phone = who.phone.as_ref().map(|_| phone_use);
        }
        let profile = self.profile_from_wechat(login, &exchanged);
        let flow = self.new_flow_id();
        let proof = self.kept_proof(&who, &exchanged, &profile, &flow)?;
        let entry = self.entry(Entering {
            application: &login.application,
            connection: connection.id.clone(),
            method: connection.kind.as_str(),
            want: login.want,
            origin: &login.origin,
            proof,
            flow,
        });
        let unit = Login {
            profile,
            who,
            candidate: UserId::generate(self.now(), &*self.random),
            register_source: connection.kind.as_str().to_owned(),
            ticket: entry.ticket.clone(),
            resume: exchanged.login.clone(),
            exchange: Some((exchanged.hash.clone(), exchanged.sealed.clone())),
        };
        let outcome = self.write(unit).await?;
        let done = self.conclude(application, &entry.ticket, entry.back, outcome);
        let done = done.map_err(|refusal| NotIn { is_told: true, ..refusal.into() })?;
        let (openid, unionid) = (exchanged.session.openid.clone(), exchanged.session.unionid.clone());
        Ok(LoginDone { openid: Some(openid), unionid, ..done })
    }

    /// What a connection and its pool permit.
    pub(crate) fn rules(&self, connection: &Connection) -> Rules {
        Rules {
            login_only: connection.login_only,
            registration: self.config().settings(&connection.pool).registration,
            association: connection.association.clone(),
        }
    }

    /// What a login that has to wait keeps of its proof, sealed for its flow: what leads to an account, and the ids
    /// that the answer names once it is through.
    fn kept_proof(
        &self,
        who: &Arriving,
        exchanged: &Exchanged<'_>,
        profile: &Profile,
        flow: &FlowId,
    ) -> Result<Vec<u8>, Refusal> {
        let kept = KeptProof {
            openid: exchanged.session.openid.clone(),
            unionid: exchanged.session.unionid.clone(),
            phone: who.phone.clone(),
            log_in_by_phone: who.arrival.phone == Some(PhoneUse::LogIn),
            profile: profile.clone(),
        };
        let plain = zeroize::Zeroizing::new(serde_json::to_vec(&kept).map_err(Refusal::internal)?);
        Ok(self.sealing.seal(&*self.random, &proof_context(flow), &plain))
    }

    /// The phone number that goes with a login. A phone code is spent only after
    /// the login itself is permitted.
    async fn proved_phone(
        &self,
        who: &Arriving,
        proof: &PhoneProofData<'_>,
        phone_use: PhoneUse,
        connection: &Connection,
        exchanged: &Exchanged<'_>,
        budget: Budget,
    ) -> Result<Option<Phone>, NotIn> {
        match proof {
            PhoneProofData::Sealed(sealed) => Ok(Some(self.open_phone(connection, exchanged, *sealed)?.0)),
            PhoneProofData::Code(code) => {
                // By number a stranger may still be let in, so only the account's state can refuse beforehand.
                let permitted = match phone_use {
                    PhoneUse::Fill => self.read(WouldLogIn(who.clone())).await?,
                    PhoneUse::LogIn => {
                        let rules = Rules { login_only: false, registration: true, ..who.rules.clone() };
                        self.read(WouldLogIn(Arriving { rules, ..who.clone() })).await?
                    }
                };
                if let Some((refused, user)) = permitted {
                    let refusal = match refused {
                        LoginOutcome::Stranger => Code::Stranger.into(),
                        LoginOutcome::RegistrationOff => Code::RegistrationOff.into(),
                        LoginOutcome::Snapshot => Code::SnapshotUser.into(),
                        LoginOutcome::Leaving(at) => leaving(at),
                        _ => Code::Disabled.into(),
                    };
                    return Err(NotIn { user, ..refusal.into() });
                }
                let openid = exchanged.session.openid.as_str();
                let result =
                    self.wechat.phone_number(&credentials(connection), code, Some(openid), budget).await;
                match result {
                    Ok(number) => Ok(Some(self.fresh_phone(&number)?)),
                    // The same login again: its first answer was lost, and the number was written then.
                    Err(error) if error.errcode() == Some(40029) && exchanged.login.is_some() => Ok(None),
                    Err(error) if error.class() == hufu_wechat::Class::User => {
                        Err(Code::PhoneCodeInvalid.because(error).into())
                    }
                    Err(error) => Err(wechat_refusal(error).into()),
                }
            }
        }
    }

    /// A number that WeChat told lately.
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
        exchanged: &Exchanged<'_>,
        sealed: SealedData<'_>,
    ) -> Result<(Phone, PhoneData), Refusal> {
        let data: PhoneData = self.open_sealed(connection, exchanged, sealed)?;
        let (Some(code), Some(number)) = (&data.country_code, &data.pure_phone_number) else {
            return Err(Code::PhoneMalformed.into());
        };
        let phone = parse_phone(code, number)?;
        Ok((phone, data))
    }

    pub(crate) fn open_sealed<T: serde::de::DeserializeOwned>(
        &self,
        connection: &Connection,
        exchanged: &Exchanged<'_>,
        sealed: SealedData<'_>,
    ) -> Result<T, Refusal> {
        let key = &exchanged.session.session_key;
        let (now, age) = (self.now().seconds(), self.limits.sealed_data_age);
        let app_id = &connection.wechat.app_id;
        open_user_data(key, sealed.iv, sealed.encrypted_data, app_id, now, age)
            .map_err(|error| Code::DataUndecryptable.because(error))
    }

    /// A nickname and a photo from data that decrypts, else from what the client
    /// says; WeChat's placeholder for people who tell nothing is nothing.
    fn profile_from_wechat(&self, login: &MiniProgramLogin<'_>, exchanged: &Exchanged<'_>) -> Profile {
        let sealed = login.user_info.and_then(|sealed| {
            let data: UserInfoData = self.open_sealed(&login.connection, exchanged, sealed).ok()?;
            let own = data.open_id.is_none_or(|id| id == exchanged.session.openid);
            own.then_some((data.nick_name, data.avatar_url))
        });
        let told = sealed.or_else(|| {
            let raw: RawData = serde_json::from_str(login.raw_data?).ok()?;
            Some((raw.nick_name, raw.avatar_url))
        });
        let Some((nickname, photo)) = told else { return Profile::default() };
        if nickname.as_deref().is_some_and(|name| name.trim() == PLACEHOLDER_NICKNAME) {
            return Profile::default();
        }
        Profile {
            nickname: nickname.and_then(|name| clean_nickname(&name, self.limits.nickname)),
            photo: photo.as_deref().and_then(wechat_photo),
            ..Profile::default()
        }
    }

    /// Binds a WeChat identity to the user who is logged in.
    pub async fn bind_mini_program(
        &self,
        who: &Authenticated,
        connection: &Connection,
        code: &str,
    ) -> Result<(), Refusal> {
        let budget = Budget::of(self.limits.request_budget);
        let trace = Trace { connection: Some(connection.id.clone()), ..self.trace_of(who) };
        let result = async {
            let exchanged = match self.exchange_code(&who.application, connection, code, budget).await {
                Ok(exchanged) => exchanged,
                Err(refusal) => {
                    let errcode = wechat_error(&refusal).and_then(hufu_wechat::Error::errcode);
                    let details = json!({ "by": connection.kind.as_str(), "errcode": errcode });
                    let action = Action::IdentityBound;
                    return Err(self.refused(who, trace.clone(), action, details, refusal).await);
                }
            };
            let unit = Bind {
                pool: who.pool().clone(),
                user: who.user.clone(),
                connection: connection.id.clone(),
                arrival: arrival(connection, &exchanged),
                exchange: Some((exchanged.hash.clone(), self.exchange_record(&who.application, &exchanged))),
                trace: trace.clone(),
            };
            match self.write(unit).await? {
                BindOutcome::Bound => Ok(()),
                BindOutcome::TakenByAnother => Err(Code::IdentityTaken.into()),
                BindOutcome::HasAnother => Err(Code::AnotherIdentityBound.into()),
            }
        };
        let result = result.await;
        if let Err(refusal) = &result {
            log_refusal(&who.application, connection, refusal);
        }
        result
    }
}

/// What the fields of `rawData` hold, whatever else is there.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawData {
    nick_name: Option<String>,
    avatar_url: Option<String>,
}

/// The nickname that WeChat gives for people who tell none (since October 2022).
const PLACEHOLDER_NICKNAME: &str = "微信用户";
/// Part of the address of the grey picture that comes with it.
const PLACEHOLDER_PHOTO: &str =
    "/POgEwh4mIHO4nibH0KlMECNjjGxQUq24ZEaGT4poC6icRiccVGKSyXwibcPq4BWmiaIGuG1icwxaQX6grC9VemZoJ8rg/";

fn clean_nickname(name: &str, limit: usize) -> Option<String> {
    let clean: String = name.trim().chars().filter(|c| !c.is_control()).take(limit).collect();
    Some(clean).filter(|name| !name.is_empty())
}

/// A photo where WeChat keeps them, `https://*.qlogo.cn/`, in normal form. It is never fetched.
fn wechat_photo(address: &str) -> Option<String> {
    let parsed = url::Url::parse(address).ok()?;
    let at_wechat = parsed.host_str().is_some_and(|host| host.ends_with(".qlogo.cn"));
    let plain = parsed.username().is_empty() && parsed.password().is_none() && parsed.port().is_none();
    let kept = parsed.scheme() == "https" && at_wechat && plain && !address.contains(PLACEHOLDER_PHOTO);
    let normal = String::from(parsed);
    (kept && normal.len() <= 512).then_some(normal)
}

pub(crate) fn parse_phone(country_code: &str, number: &str) -> Result<Phone, Refusal> {
    Phone::from_parts(country_code, number).map_err(|_| Code::PhoneMalformed.into())
}

pub(crate) fn arrival(connection: &Connection, exchanged: &Exchanged<'_>) -> Arrival {
    let session = &exchanged.session;
    Arrival {
        openid: IdentityKey::wechat_openid(&connection.wechat.app_id, &session.openid),
        unionid: session
            .unionid
            .as_deref()
            .map(|id| IdentityKey::wechat_unionid(&connection.open_platform, id)),
        phone: None,
        snapshot: false,
    }
}

/// What the proof of a waiting login is sealed for.
pub(crate) fn proof_context(flow: &FlowId) -> String {
    format!("login_flow:{flow}:proof")
}

/// One line for the operator, with WeChat's own id of the request where there is one.
pub(crate) fn log_refusal(application: &Application, connection: &Connection, refusal: &Refusal) {
    let wechat = wechat_error(refusal);
    let (rid, errcode, class) = (
        wechat.and_then(|e| e.rid()),
        wechat.and_then(hufu_wechat::Error::errcode),
        wechat.map(|e| e.class().as_str()),
    );
    let error = hufu_types::chain(refusal);
    let (pool, application, connection) = (&application.pool, &application.id, &connection.identifier);
    match refusal.code() {
        Code::AppDown => {
            metrics::counter!("hufu_wechat_app_down_total", "connection" => connection.to_string())
                .increment(1);
            tracing::error!(%pool, %application, %connection, rid, errcode, class, error, "mini program out of service: this connection's logins fail until WeChat restores it");
        }
        Code::Misconfigured => {
            tracing::error!(%pool, %application, %connection, rid, errcode, class, error, "connection misconfigured: check AppID and AppSecret");
        }
        // Logged where it becomes an answer, with every other internal error.
        Code::Internal | Code::Overloaded => {}
        _ => tracing::warn!(%pool, %application, %connection, rid, errcode, class, error, "refused"),
    }
}

pub(crate) fn wechat_error(refusal: &Refusal) -> Option<&hufu_wechat::Error> {
    refusal.source_as()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn photos_only_from_where_wechat_keeps_them() {
        for (url, fine) in [
            ("https://thirdwx.qlogo.cn/mmopen/vi_32/abc/132", true),
            ("http://thirdwx.qlogo.cn/mmopen/vi_32/abc/132", false),
            ("https://qlogo.cn.evil.example/x", false),
            ("https://evilqlogo.cn/x", false),
            ("https://user@thirdwx.qlogo.cn/x", false),
            ("https://thirdwx.qlogo.cn:8443/x", false),
            ("javascript:alert(1)//.qlogo.cn/", false),
            ("", false),
        ] {
            assert_eq!(wechat_photo(url).is_some(), fine, "{url}");
        }
    }

    #[test]
    fn photos_are_kept_in_normal_form() {
        let kept = wechat_photo("https://thirdwx.qlogo.cn/a b\u{0}\n").unwrap();
        assert_eq!(kept, "https://thirdwx.qlogo.cn/a%20b");
    }

    #[test]
    fn nicknames_of_every_script() {
        let emoji = "😀".repeat(64);
        for name in ["小明", "محمد", "\u{202e}rtl", &emoji, "O'Brien <b>"] {
            assert_eq!(clean_nickname(name, 256).as_deref(), Some(name));
        }
        assert_eq!(clean_nickname(" \u{0}\n ", 256), None);
        assert_eq!(clean_nickname("", 256), None);
        assert_eq!(clean_nickname(&"x".repeat(300), 256).map(|n| n.len()), Some(256));
    }
}
