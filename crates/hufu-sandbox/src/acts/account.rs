//! Following an official account, and writing to it.

use crate::control::ControlError;
use crate::ids::WechatId;
use crate::state::State;
use crate::state::apps::App;
use crate::state::chats::{Line, Writer};
use crate::state::followers::Follower;
use crate::state::people::Person;
use crate::state::pushes::Push;
use crate::state::tickets::Ticket;

use super::message::Message;
use super::push::{Delivery, push};

fn openid_in(state: &State, app: &App, person: &Person) -> Result<WechatId, ControlError> {
    if !app.settings().kind.is_account() {
        return Err(ControlError::NotAnAccount);
    }
    Ok(state.ids.openid(&app.id, person.key))
}

/// Whether this person follows this account.
pub(crate) fn follows(state: &State, app: &App, person: &Person) -> bool {
    state.followers.get(app.index, state.ids.openid(&app.id, person.key)).is_some()
}

fn write(state: &State, app: &App, person: &Person, by: Writer, text: &str) {
    let line = Line { at: state.clock.now(), by, text: text.to_owned() };
    state.chats.write(app.index, person.key, line);
    state.changed();
}

/// Follows an account, by a QR code or by searching. `None` if they follow already and there is nothing to push.
pub(crate) async fn follow(
    state: &State,
    app: &App,
    person: &Person,
    by: Option<&Ticket>,
    delivery: &Delivery,
) -> Result<Option<Push>, ControlError> {
    let openid = openid_in(state, app, person)?;
    let follower = Follower {
        person: person.key,
        since: state.clock.now() / 1000,
        scene: by.map(|ticket| ticket.scene.clone()),
    };
    let is_new = state.followers.follow(app.index, openid, follower)?;
    let message = match (is_new, by) {
        (true, Some(ticket)) => {
            Message::Subscribe(Some((format!("qrscene_{}", ticket.scene), ticket.ticket.clone())))
        }
        (true, None) => Message::Subscribe(None),
        (false, Some(ticket)) => Message::Scan(ticket.scene.to_string(), ticket.ticket.clone()),
        (false, None) => return Ok(None),
    };
    if is_new {
        write(state, app, person, Writer::Wechat, "你已关注，现在可以开始聊天了");
    }
    push(state, app, person, message, delivery).await.map(Some)
}

/// Stops following an account.
pub(crate) async fn unfollow(
    state: &State,
    app: &App,
    person: &Person,
    delivery: &Delivery,
) -> Result<Push, ControlError> {
    let openid = openid_in(state, app, person)?;
    if !state.followers.unfollow(app.index, openid) {
        return Err(ControlError::NotAFollower);
    }
    write(state, app, person, Writer::Wechat, "你已取消关注");
    push(state, app, person, Message::Unsubscribe, delivery).await
}

/// Writes to an account that they follow.
pub(crate) async fn say(
    state: &State,
    app: &App,
    person: &Person,
    text: &str,
    delivery: &Delivery,
) -> Result<Push, ControlError> {
    openid_in(state, app, person)?;
    if text.is_empty() || text.len() > 2048 {
        return Err(ControlError::Invalid("text must be 1 to 2048 bytes"));
    }
    if !follows(state, app, person) {
        return Err(ControlError::NotAFollower);
    }
    write(state, app, person, Writer::Person, text);
    let message = Message::Text(text.to_owned(), state.ids.digits(19));
    push(state, app, person, message, delivery).await
}

/// Taps the menu of an account that they follow: a key, or a link.
pub(crate) async fn tap_menu(
    state: &State,
    app: &App,
    person: &Person,
    key: &str,
    delivery: &Delivery,
) -> Result<Push, ControlError> {
    openid_in(state, app, person)?;
    if !follows(state, app, person) {
        return Err(ControlError::NotAFollower);
    }
    let is_link = key.starts_with("http://") || key.starts_with("https://");
    let message = if is_link { Message::View(key.to_owned()) } else { Message::Click(key.to_owned()) };
    push(state, app, person, message, delivery).await
}
