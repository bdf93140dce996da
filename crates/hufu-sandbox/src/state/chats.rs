//! What a person and an official account wrote to each other, as the phone shows it.

use std::collections::{HashMap, VecDeque};
use std::sync::Mutex;

use super::lock;
use crate::clock::Millis;
use crate::ids::PersonKey;

const MAX_LINES: usize = 60;
const MAX_CHATS: usize = 10_000;

/// Who wrote a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Writer {
    Person,
    Account,
    /// WeChat itself, in small grey letters.
    Wechat,
}

#[derive(Clone, Debug)]
pub(crate) struct Line {
    pub(crate) at: Millis,
    pub(crate) by: Writer,
    pub(crate) text: String,
}

#[derive(Clone, Default)]
pub(crate) struct Chat {
    pub(crate) lines: VecDeque<Line>,
    pub(crate) unread: u32,
}

#[derive(Default)]
pub(crate) struct Chats {
    all: Mutex<HashMap<(u32, PersonKey), Chat>>,
}

impl Chats {
    pub(crate) fn write(&self, app: u32, person: PersonKey, line: Line) {
        let mut all = lock(&self.all);
        if all.len() >= MAX_CHATS && !all.contains_key(&(app, person)) {
            return;
        }
        let chat = all.entry((app, person)).or_default();
        if chat.lines.len() >= MAX_LINES {
            chat.lines.pop_front();
        }
        chat.unread += u32::from(line.by == Writer::Account);
        chat.lines.push_back(line);
    }

    pub(crate) fn of(&self, app: u32, person: PersonKey) -> Chat {
        lock(&self.all).get(&(app, person)).cloned().unwrap_or_default()
    }

    pub(crate) fn mark_read(&self, app: u32, person: PersonKey) {
        if let Some(chat) = lock(&self.all).get_mut(&(app, person)) {
            chat.unread = 0;
        }
    }
}
