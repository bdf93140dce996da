//! `/link`: a person who is logged in to an application binds their WeChat to the account, by leaving for WeChat and coming
//! back. The page at the end says which account gets which WeChat, and its form alone binds.

use askama::Template;
use axum::http::{Method, StatusCode};
use axum::response::Response;
use axum::routing::get;
use hufu_app::{LinkQuestion, LinkStart, Refusal};
use hufu_types::refusal::Code;
use hufu_web::page::{Submitted, View, Viewer, refused_page};
use hufu_web::request::Query;
use hufu_web::server::Routes;

use super::common::{Caller, Frame, Visit, Words, in_frame, show};
use super::connections::{depart, nothing, unseen};

pub(super) fn routes() -> Routes {
    Routes::new().route("/link", get(start).post(answer))
}

#[derive(Template)]
#[template(path = "hosted/link.html")]
struct LinkPage {
    view: View,
    frame: Frame,
    application: String,
    state: State,
}

enum State {
    Asked(LinkQuestion),
    Done,
    Given,
}

impl LinkPage {
    const fn title(&self) -> &'static str {
        match self.state {
            State::Asked(_) => "link-title",
            State::Done => "link-done-title",
            State::Given => "link-not-title",
        }
    }
}

in_frame!(LinkPage);

fn page(visit: &Visit, state: State) -> Response {
    let page = LinkPage {
        view: visit.view(&visit.address("/login", &[])),
        frame: visit.frame(),
        application: visit.application().id.to_string(),
        state,
    };
    show(&page, StatusCode::OK)
}

/// Asks whoever came back from WeChat.
pub(super) fn ask(visit: &Visit, question: LinkQuestion) -> Response {
    page(visit, State::Asked(question))
}

async fn start(method: Method, viewer: Viewer, caller: Caller, Query(words): Query<Words>) -> Response {
    if method == Method::HEAD {
        // An address is of one use.
        return nothing();
    }
    if caller.is_embedded {
        return unseen();
    }
    leave(&viewer, caller, &words).await.unwrap_or_else(|refusal| refused_page(&refusal, &viewer))
}

async fn leave(viewer: &Viewer, caller: Caller, words: &Words) -> Result<Response, Refusal> {
    let app = &caller.shared.app;
    let application = app.own_request(words.get("app_id"))?.application;
    let start = match (words.get("link"), words.get("id_token")) {
        (Some(link), _) => LinkStart::Address(link),
        (None, Some(token)) => LinkStart::IdToken(token, words.required("ext_idp_conn_identifier")?),
        (None, None) => return Err(Code::LinkInvalid.into()),
    };
    let (open, connection) = app.open_link(&application, start, &caller.browser).await?;
    let visit = Visit::of(caller, viewer, open)?;
    depart(&visit, connection.identifier.as_str()).await
}

async fn answer(caller: Caller, Submitted { viewer, form: words }: Submitted<Words>) -> Response {
    answered(&viewer, caller, &words).await.unwrap_or_else(|refusal| refused_page(&refusal, &viewer))
}

async fn answered(viewer: &Viewer, caller: Caller, words: &Words) -> Result<Response, Refusal> {
    let open = caller.shared.app.own_request(words.get("app_id"))?;
    let visit = Visit::of(caller, viewer, open)?;
    if words.has("cancel") {
        return Ok(page(&visit, State::Given));
    }
    if !words.has("bind") {
        return Err(Code::FormIncomplete.into());
    }
    let (question, mark) = (words.get("question").unwrap_or_default(), viewer.browser_mark());
    let (application, browser) = (visit.application(), &visit.browser);
    visit.app().link(application, question, browser, &mark, &visit.origin).await?;
    Ok(page(&visit, State::Done))
}
