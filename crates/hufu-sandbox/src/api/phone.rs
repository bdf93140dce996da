//! `POST /wxa/business/getuserphonenumber`: exchanges a phone code for a phone number.
//!
//! A code of another app returns 40013 here, not 40029. If the optional `openid` is not that of the code's
//! owner, the sandbox returns 40003; WeChat does not document its response.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{RawQuery, State as Extract};
use axum::http::Method;
use axum::response::Response;
use serde::Deserialize;
use serde_json::json;

use super::{Endpoint, FaultEffect, app_of_token, execute, issuing_app, non_empty, param};
use crate::ids::PhoneCode;
use crate::reply::{Answer, Label, WechatError, code};
use crate::state::State;
use crate::state::people::Person;

pub(super) const ENDPOINT: Endpoint =
    Endpoint { path: "/wxa/business/getuserphonenumber", label: Label::Json };
/// The app that a wrong watermark names.
const ANOTHER_APP: &str = "wxffffffffffffffff";

#[derive(Deserialize)]
struct Request {
    code: Option<String>,
    openid: Option<String>,
}

pub(super) async fn get_user_phone_number(
    Extract(state): Extract<Arc<State>>,
    method: Method,
    RawQuery(query): RawQuery,
    body: Bytes,
) -> Response {
    let query = query.unwrap_or_default();
    let token = param(&query, "access_token");
    let app_id = issuing_app(&state, token.as_deref());
    execute(&state, &ENDPOINT, app_id, |effect| {
        phone_number(&state, &method, token.as_deref(), &body, effect)
    })
    .await
}

fn phone_number(
    state: &State,
    method: &Method,
    token: Option<&str>,
    body: &[u8],
    effect: FaultEffect,
) -> Answer {
    if method != Method::POST {
        return Err(WechatError(code::REQUIRE_POST));
    }
    let (app, settings) = app_of_token(state, token)?;
    if !settings.phone_permission {
        return Err(WechatError(code::API_UNAUTHORIZED));
    }
    if body.is_empty() {
        return Err(WechatError(code::EMPTY_POST_DATA));
    }
    let request: Request = serde_json::from_slice(body).map_err(|_| WechatError(code::DATA_FORMAT))?;
    let phone_code: PhoneCode = non_empty(request.code.as_deref())
        .and_then(|code| code.as_bytes().try_into().ok())
        .ok_or(WechatError(code::INVALID_CODE))?;

    let now = state.clock.now();
    let exchanged = state.phone_codes.exchange(&phone_code, now, |issued| {
        if issued.app != app.index {
            return Err(WechatError(code::INVALID_APPID));
        }
        if issued.used {
            return Err(WechatError(code::INVALID_CODE));
        }
        let owner = state.ids.openid(&app.id, issued.person);
        if non_empty(request.openid.as_deref()).is_some_and(|openid| openid != owner.as_str()) {
            return Err(WechatError(code::INVALID_OPENID));
        }
        Ok(issued.person)
    });
    let key = exchanged.ok_or(WechatError(code::INVALID_CODE))??;
    let person = state.person_of(key);

    let appid = if effect.wrong_watermark { ANOTHER_APP } else { &*app.id };
    let country_code = match person.country_code.parse::<u32>() {
        Ok(number) if settings.country_code_as_number => json!(number),
        _ => json!(person.country_code),
    };
    let answer = json!({
        "errcode": 0,
        "errmsg": "ok",
        "phone_info": {
            "phoneNumber": formatted_number(&person),
            "purePhoneNumber": person.phone,
            "countryCode": country_code,
            "watermark": { "timestamp": now / 1000, "appid": appid },
        },
    });
    Ok(answer.to_string())
}

/// A number as WeChat writes it. Foreign numbers have their country code.
pub(crate) fn formatted_number(person: &Person) -> String {
    if person.country_code == "86" {
        person.phone.clone()
    } else {
        format!("{}{}", person.country_code, person.phone)
    }
}
