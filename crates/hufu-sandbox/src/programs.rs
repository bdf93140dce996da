//! Programs that somebody else brings along: what a mini program or a native app on the phone does with what WeChat hands
//! it. `hufu dev` brings those of its demonstration. Apps without one are played by the sandbox.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::{Arc, RwLock};

use crate::state::apps::App;
use crate::state::people::Person;
use crate::state::{read, write};
use crate::{MAX_APPS, Step};

/// What an app does.
pub trait Program: Send + Sync + 'static {
    /// WeChat handed the app this. Returns what came of it.
    fn handed(&self, handed: Handed) -> Pin<Box<dyn Future<Output = Outcome> + Send + '_>>;

    /// The first page in the web-view of the mini program with this AppID, if it has a web-view.
    fn web_view(&self, app_id: &str) -> Option<String> {
        let _ = app_id;
        None
    }
}

/// What WeChat hands to an app.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Handed {
    /// The AppID of the app.
    pub app_id: String,
    /// The name of the person in the sandbox.
    pub user: String,
    /// The person's nickname, which a mini program asks for and an app gets from WeChat.
    pub nickname: String,
    /// What it is.
    pub what: What,
}

impl Handed {
    pub(crate) fn new(app: &App, person: &Person, what: What) -> Handed {
        Handed {
            app_id: app.id.to_string(),
            user: person.name.clone(),
            nickname: person.nickname.clone(),
            what,
        }
    }
}

/// See [`Handed`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// The mini program was opened, and `wx.login` returned this code.
    Opened {
        /// The login code.
        code: String,
    },
    /// A page in the mini program's web-view led to a page of the mini program (`wx.miniProgram.redirectTo`), which called
    /// `wx.login`.
    Led {
        /// The page's path with its query, as the page in the web-view gave it.
        page: String,
        /// The login code.
        code: String,
    },
    /// The person gave the mini program a phone number.
    Phone {
        /// Another code of `wx.login`.
        code: String,
        /// The code of the number.
        phone_code: String,
    },
    /// `SendAuth` returned this code to the native app.
    Authorized {
        /// The code.
        code: String,
    },
    /// The mini program that the native app launched sent this back.
    Returned {
        /// The AppID of the mini program.
        mini_program: String,
        /// The code of `wx.login` there.
        code: String,
        /// The code of the number, if the person gave it.
        phone_code: Option<String>,
    },
    /// The person refused.
    Refused {
        /// The AppID of the mini program that was launched, if one was.
        mini_program: Option<String>,
    },
}

/// What came of it, for the screen of the phone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Whether the person is logged in.
    pub ok: bool,
    /// The name that the app knows the person by.
    pub name: String,
    /// The calls that the app made.
    pub steps: Vec<Step>,
    /// The address that the mini program opens in its web-view, if it does.
    pub opens: Option<String>,
}

/// The programs by AppID.
#[derive(Default)]
pub(crate) struct Programs(RwLock<HashMap<String, Arc<dyn Program>>>);

impl Programs {
    pub(crate) fn of(&self, app_id: &str) -> Option<Arc<dyn Program>> {
        read(&self.0).get(app_id).cloned()
    }

    pub(crate) fn install(&self, app_id: &str, program: Arc<dyn Program>) {
        let mut programs = write(&self.0);
        if programs.len() < MAX_APPS {
            programs.insert(app_id.to_owned(), program);
        }
    }
}
