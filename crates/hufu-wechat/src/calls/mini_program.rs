//! Mini programs: login codes and phone numbers.

use secrecy::ExposeSecret as _;

use crate::{
    api::json,
    class::Endpoint,
    client::{AppCall, Client},
    error::{Error, ErrorKind},
    fields::{LONGEST_ID, given, printable},
    identity::{CodeSession, PhoneNumber, SessionKey},
    settings::{AppCredentials, Budget},
    transport::Call,
    wire::{CodeSessionAnswer, PhoneData, PhoneNumberAnswer, PhoneNumberRequest},
};

impl Client {
    /// Exchanges a mini program's login code. A code works once, within five minutes.
    ///
    /// Source: "code2Session". The call carries the app's secret; it requires neither an app token nor an
    /// entry in the IP allow-list.
    pub async fn code_to_session(
        &self,
        app: &AppCredentials,
        js_code: &str,
        budget: Budget,
    ) -> Result<CodeSession, Error> {
        const ENDPOINT: Endpoint = Endpoint::CodeToSession;
        let secret = app.app_secret.expose_secret();
        let url = self.api.url(
            "/sns/jscode2session",
            &[
                ("appid", &app.app_id),
                ("secret", secret),
                ("js_code", js_code),
                ("grant_type", "authorization_code"),
            ],
        );
        let call = Call { endpoint: ENDPOINT, url, body: None, sent: &[secret, js_code] };
        let answer: CodeSessionAnswer = self.api.call(&call, budget).await?;
        code_session(answer).map_err(|field| Error::new(ENDPOINT, ErrorKind::MissingField { field }))
    }

    /// Exchanges the code of a phone-number button. A code works once, within five minutes, and is not a
    /// login code. With `openid`, WeChat rejects the code of another user. The caller decides with
    /// [`is_fresh`](crate::is_fresh) how old the number may be.
    ///
    /// Source: "getPhoneNumber".
    pub async fn phone_number(
        &self,
        app: &AppCredentials,
        code: &str,
        openid: Option<&str>,
        budget: Budget,
    ) -> Result<PhoneNumber, Error> {
        const ENDPOINT: Endpoint = Endpoint::PhoneNumber;
        let request = PhoneNumberRequest { code: code.to_owned(), openid: openid.map(str::to_owned) };
        let call = AppCall {
            endpoint: ENDPOINT,
            path: "/wxa/business/getuserphonenumber",
            query: &[],
            body: Some(json(ENDPOINT, &request)?),
            sent: &[code, openid.unwrap_or_default()],
        };
        let answer: PhoneNumberAnswer = self.app_call(app, &call, budget).await?;
        let info = answer
            .phone_info
            .ok_or_else(|| Error::new(ENDPOINT, ErrorKind::MissingField { field: "phone_info" }))?;
        phone_number(info, &app.app_id).map_err(|kind| Error::new(ENDPOINT, kind))
    }
}

/// Extracts the session from a successful response. Returns the name of a missing or invalid field.
fn code_session(answer: CodeSessionAnswer) -> Result<CodeSession, &'static str> {
    Ok(CodeSession {
        openid: printable(answer.openid, LONGEST_ID).ok_or("openid")?,
        unionid: given(answer.unionid, "unionid")?,
        session_key: answer.session_key.and_then(|key| SessionKey::parse(key).ok()).ok_or("session_key")?,
    })
}

fn phone_number(info: PhoneData, app_id: &str) -> Result<PhoneNumber, ErrorKind> {
    let digits = |text: Option<String>, longest: usize, field: &'static str| {
        text.filter(|text| text.len() <= longest && text.bytes().all(|byte| byte.is_ascii_digit()))
            .ok_or(ErrorKind::MissingField { field })
    };
    let watermark = info.watermark.ok_or(ErrorKind::MissingField { field: "watermark" })?;
    if watermark.appid != app_id {
        return Err(ErrorKind::Watermark);
    }
    // E.164 allows country codes of three digits and numbers of fifteen digits in total. A little leeway does
    // no harm.
    let country_code = info.country_code.map(|code| code.trim_start_matches('+').to_owned());
    let country_code = digits(country_code.filter(|code| !code.is_empty()), 4, "countryCode")?;
    let pure_number = digits(info.pure_phone_number, 15, "purePhoneNumber")?;
    Ok(PhoneNumber {
        phone_number: printable(info.phone_number, 32).unwrap_or_else(|| pure_number.clone()),
        country_code,
        pure_number,
        watermark_timestamp: watermark.timestamp,
    })
}
