//! `/forgot`: a new password for somebody who proves a phone number or an address by a code.

use askama::Template;
use axum::response::Response;
use axum::routing::get;
use hufu_app::Refusal;
use hufu_types::{LoginMethod, PasscodeChannel, PasscodePurpose};
use hufu_web::oidc::outcome;
use hufu_web::page::{Submitted, View, Viewer, refused_page};
use hufu_web::request::Query;
use hufu_web::server::Routes;
use secrecy::SecretString;

use super::common::{Banner, Caller, Frame, Said, Visit, Words, in_frame, show};
use super::fields::{self, Input};
use super::login::{Tab, missing};

pub(super) fn routes() -> Routes {
    Routes::new().route("/forgot", get(open).post(submit))
}

/// The page.
#[derive(Template)]
#[template(path = "hosted/forgot.html")]
struct ForgotPage {
    view: View,
    frame: Frame,
    banner: Option<Banner>,
    method: &'static str,
    tabs: Vec<Tab>,
    inputs: Vec<Input>,
    /// What the enter key presses.
    enter: Option<&'static str>,
    login: String,
}

in_frame!(ForgotPage);

async fn open(viewer: Viewer, caller: Caller, Query(words): Query<Words>) -> Response {
    match Visit::begin(caller, &viewer, &words) {
        Ok(visit) => page(&visit, &words, Said::default()),
        Err(refusal) => refused_page(&refusal, &viewer),
    }
}

async fn submit(caller: Caller, Submitted { viewer, form: words }: Submitted<Words>) -> Response {
    let visit = match Visit::begin(caller, &viewer, &words) {
        Ok(visit) => visit,
        Err(refusal) => return refused_page(&refusal, &viewer),
    };
    let sends = words.sends_code();
    let done = if sends {
        send_code(&visit, &words).await.map(Some)
    } else {
        reset(&visit, &words).await.map(|()| None)
    };
    match done {
        // Whether there is such an account is not told.
        Ok(Some(to)) => page(&visit, &words, visit.sent("code-sent-perhaps", &to)),
        Ok(None) => {
            let is_offered = visit.application().login.offers(LoginMethod::Password);
            let mut pairs = vec![("reset", "1"), ("another", "1")];
            pairs.extend(is_offered.then_some(("method", LoginMethod::Password.as_str())));
            outcome::redirect(&visit.address("/login", &pairs))
        }
        Err(refusal) if refusal.code().is_internal() => refused_page(&refusal, &viewer),
        Err(refusal) => {
            let said = visit.refused(&refusal, &fields::names(&inputs(&visit, &words, false)));
            page(&visit, &words, Said { has_sent: !sends, ..said })
        }
    }
}

/// Where the code goes.
fn chosen(words: &Words) -> PasscodeChannel {
    if words.get("method") == Some("email-code") { PasscodeChannel::Email } else { PasscodeChannel::Sms }
}

const fn method(channel: PasscodeChannel) -> &'static str {
    match channel {
        PasscodeChannel::Sms => "phone-code",
        PasscodeChannel::Email => "email-code",
    }
}

fn inputs(visit: &Visit, words: &Words, has_sent: bool) -> Vec<Input> {
    let mut inputs = fields::proof(visit, chosen(words), words, has_sent);
    inputs.push(fields::new_password(visit, true));
    inputs
}

async fn send_code(visit: &Visit, words: &Words) -> Result<String, Refusal> {
    let target = fields::read_target(visit, chosen(words), words)?;
    let to = target.as_str().to_owned();
    let purpose = PasscodePurpose::ResetPassword;
    visit.app().send_code(visit.application(), target, purpose, visit.language(), &visit.origin).await?;
    Ok(to)
}

async fn reset(visit: &Visit, words: &Words) -> Result<(), Refusal> {
    let target = fields::read_target(visit, chosen(words), words)?;
    let code = words.required("code")?;
    let password = words.raw("new-password").ok_or_else(|| missing("new-password"))?;
    let password = SecretString::from(password.to_owned());
    visit.app().reset_password(visit.application(), target, code, password, &visit.origin).await
}

fn page(visit: &Visit, words: &Words, said: Said) -> Response {
    let channel = chosen(words);
    let address = |channel| visit.address("/forgot", &[("method", method(channel))]);
    let tab = |one, key| Tab {
        connection: None,
        id: String::new(),
        address: address(one),
        text: visit.text(key),
        is_current: one == channel,
    };
    let inputs = inputs(visit, words, said.has_sent);
    show(
        &ForgotPage {
            view: visit.view(&address(channel)),
            frame: visit.frame(),
            method: method(channel),
            tabs: vec![tab(PasscodeChannel::Sms, "phone"), tab(PasscodeChannel::Email, "email")],
            enter: fields::enter(&inputs),
            inputs: fields::told(inputs, &said),
            login: visit.address("/login", &[("another", "1")]),
            banner: said.banner,
        },
        said.status,
    )
}
