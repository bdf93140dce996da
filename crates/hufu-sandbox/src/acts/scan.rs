//! What a scanned picture, a pasted link or a typed scene leads to.

use std::sync::Arc;

use percent_encoding::percent_decode_str;

use crate::api::param;
use crate::state::State;
use crate::state::tickets::{MiniCode, Ticket};

/// What a code opens.
pub(crate) enum Target {
    /// A website's QR login, by its uuid.
    Web(String),
    /// An official account, by the ticket of its QR code.
    Account(Arc<Ticket>),
    /// A mini program.
    Mini(Arc<MiniCode>),
    /// A link to a web authorization.
    Authorize(String),
}

/// Finds what this means: an address of the sandbox, a ticket, what a picture says, or a scene. Codes that have
/// expired are not found.
pub(crate) fn resolve(state: &State, text: &str) -> Option<Target> {
    let text = text.trim();
    let now = state.clock.now();
    let (address, query) = text.split('#').next().unwrap_or_default().split_once('?').unwrap_or((text, ""));
    let uuid = match address.rsplit_once("/connect/qrcode/") {
        Some((_, uuid)) => uuid.to_owned(),
        None => param(query, "uuid").unwrap_or_default().into_owned(),
    };
    let uuid = if uuid.is_empty() { text.to_owned() } else { uuid };
    if state.web_logins.get(&uuid, now).is_some() {
        return Some(Target::Web(uuid));
    }
    if address.ends_with("/connect/oauth2/authorize") {
        return Some(Target::Authorize(text.to_owned()));
    }
    let sent = param(query, "ticket").map(|ticket| ticket.replace(' ', "+"));
    let ticket = sent.unwrap_or_else(|| percent_decode_str(text).decode_utf8_lossy().into_owned());
    let found = state.tickets.find(|one| (one.ticket == ticket || one.url == text) && one.is_live(now));
    if let Some(found) = found {
        return Some(Target::Account(found));
    }
    let is_live = |code: &MiniCode| code.expires_at.is_none_or(|end| now < end);
    if let Some(found) = state.mini_codes.find(|code| opens(code, text) && is_live(code)) {
        return Some(Target::Mini(found));
    }
    by_scene(state, None, text)
}

/// A scheme or link may have a parameter of its own after it.
fn opens(code: &MiniCode, text: &str) -> bool {
    text.strip_prefix(&code.url).is_some_and(|rest| rest.is_empty() || rest.starts_with(['&', '?']))
}

/// The newest code with this scene, of one app or of any.
pub(crate) fn by_scene(state: &State, app: Option<u32>, scene: &str) -> Option<Target> {
    let now = state.clock.now();
    let of_app = |index: u32| app.is_none_or(|app| app == index);
    let ticket =
        state.tickets.find(|one| of_app(one.app) && one.is_live(now) && one.scene.to_string() == scene);
    if let Some(ticket) = ticket {
        return Some(Target::Account(ticket));
    }
    state.mini_codes.find(|code| of_app(code.app) && code.scene == scene).map(Target::Mini)
}
