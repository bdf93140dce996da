//! The code that it takes, as programs that run when they are pasted: `tests/clients/start.test.mjs` runs what the page
//! shows of each mode, and `tests/sdk/start.test.mjs` what is for mini programs. In them stand the addresses that `hufu dev`
//! has unless it is told otherwise; the page puts in those of this machine.

use std::fmt::Write as _;

use hufu_html::Escaped;
use hufu_web::page::View;

/// A piece of code.
#[derive(Debug)]
pub(super) struct Sample {
    /// Its name in the page, for tests and scripts.
    pub(super) id: &'static str,
    /// The name on its tab: the same in every language.
    pub(super) tab: &'static str,
    language: Language,
    text: &'static str,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Language {
    JavaScript,
    Python,
    Shell,
    Toml,
}

macro_rules! sample {
    ($id:literal, $tab:literal, $language:ident, $file:literal) => {
        Sample {
            id: $id,
            tab: $tab,
            language: Language::$language,
            text: include_str!(concat!("../../samples/", $file)),
        }
    };
}

static WXAPP: Sample = sample!("wxapp", "authing-wxapp-sdk", JavaScript, "mini-program.js");
static TARO: Sample = sample!("taro", "Taro", JavaScript, "mini-program-taro.js");
static MINI_HTTP: Sample = sample!("mini-http", "HTTP", Shell, "mini-program.sh");
static BACK_END_NODE: Sample = sample!("back-end-node", "Node", JavaScript, "back-end.mjs");
static BACK_END_PYTHON: Sample = sample!("back-end-python", "Python", Python, "back_end.py");
static NATIVE_HTTP: Sample = sample!("native-http", "HTTP", Shell, "native-app.sh");
static NATIVE_NODE: Sample = sample!("native-node", "Node", JavaScript, "native-back-end.mjs");
static LAUNCH_HTTP: Sample = sample!("launch-http", "HTTP", Shell, "app-launch.sh");
static SITE_NODE: Sample = sample!("site-node", "Node", JavaScript, "website.mjs");
static SITE_PYTHON: Sample = sample!("site-python", "Python", Python, "website.py");

/// In a mini program, and in the back end behind it.
pub(super) static MINI_PROGRAM: &[&Sample] = &[&WXAPP, &TARO, &MINI_HTTP, &BACK_END_NODE, &BACK_END_PYTHON];
/// In a website: the same code for every mode that begins on its login page.
pub(super) static WEBSITE: &[&Sample] = &[&SITE_NODE, &SITE_PYTHON];
/// For a native app, and in the back end behind it.
pub(super) static NATIVE_APP: &[&Sample] = &[&NATIVE_HTTP, &NATIVE_NODE];
/// For a native app that launches a mini program.
pub(super) static APP_LAUNCH: &[&Sample] = &[&LAUNCH_HTTP, &NATIVE_NODE];

static OWN_SERVER: Sample = sample!("own-server", "hufu.toml", Toml, "own/hufu.toml");
static OWN_POOL: Sample = sample!("own-pool", "shop.toml", Toml, "own/shop.toml");
static OWN_COMMANDS: Sample = sample!("own-commands", "sh", Shell, "own/commands.sh");

/// What it takes to go on with a mini program of one's own: as README.md says.
pub(super) static OWN: &[&Sample] = &[&OWN_POOL, &OWN_SERVER, &OWN_COMMANDS];

/// The addresses that stand in the samples.
const SERVER: &str = "http://127.0.0.1:3000";
const SANDBOX: &str = "http://127.0.0.1:3100";

/// Where this machine's server and sandbox are.
pub(super) struct Here<'a> {
    pub(super) server: &'a str,
    pub(super) sandbox: &'a str,
    /// In whose language comments are.
    pub(super) view: &'a View,
}

/// The comments of the samples, each with the key of its text.
const COMMENTS: [(&str, &str); 17] = [
    ("verified; claims.sub is the user's id", "code-verified"),
    ("checks the state, the ID token and its nonce", "code-checks"),
    ("sub is the user's id", "code-sub-is"),
    (
        "What the mini program sends back to the app that launched it (extMsg). Here the sandbox plays the phone.",
        "code-ext-msg",
    ),
    ("What the app sends: the tokens come back, and the account has the number.", "code-launch-sends"),
    ("silent: no button, nothing to type", "code-silent"),
    ("send user.token to your own back end", "code-send-user-token"),
    ("send it to your own back end", "code-send"),
    ("the user's id, the same in every application of the pool", "code-sub"),
    ("What wx.login returns. Here the sandbox plays the phone.", "code-wx-login"),
    ("What loginByCode sends: the user, and a token for your own back end.", "code-login-by-code"),
    ("What WeChat's OpenSDK returns (SendAuth.Resp). Here the sandbox plays the phone.", "code-send-auth"),
    ("What the app sends: the tokens come back.", "code-app-sends"),
    ("The app sends its access token; no call to Hufu is needed for a request.", "code-access-token"),
    (
        "Send the browser to this address. The login page shows every way to log in, WeChat's codes among them.",
        "code-authorize",
    ),
    ("It comes back to your redirect URI.", "code-callback"),
    ("only to try it out without https", "code-insecure"),
];

impl Sample {
    /// The code with this machine's addresses, coloured. What is of this machine is marked.
    pub(super) fn html(&self, here: &Here<'_>) -> String {
        let text = self.text.trim_end().replace(SERVER, here.server).replace(SANDBOX, here.sandbox);
        let translated = |text: String, (comment, key): &(&str, &'static str)| {
            if text.contains(comment) { text.replace(comment, &here.view.t(key)) } else { text }
        };
        let text = COMMENTS.iter().fold(text, translated);
        colored(&text, self.language, here)
    }
}

impl Language {
    /// What a comment begins with.
    const fn comment(self) -> &'static str {
        match self {
            Self::JavaScript => "//",
            Self::Python | Self::Shell | Self::Toml => "#",
        }
    }

    const fn keywords(self) -> &'static [&'static str] {
        match self {
            Self::JavaScript => &[
                "import", "from", "const", "await", "async", "function", "return", "new", "if", "require",
                "export",
            ],
            Self::Python => &["import", "from", "def", "return", "if", "raise", "as", "with"],
            Self::Shell => &["curl", "export", "jq"],
            Self::Toml => &[],
        }
    }
}

/// Colours code: comments, text in quotes, and the few words that every language has of its own.
fn colored(text: &str, language: Language, here: &Here<'_>) -> String {
    let mut html = String::with_capacity(text.len() * 2);
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let after_space = html.is_empty() || html.ends_with([' ', '\n']);
        let length = if rest.starts_with(language.comment()) && after_space {
            let end = rest.find('\n').unwrap_or(rest.len());
            let _ = write!(html, "<span class=\"c\">{}</span>", Escaped(part(rest, end)));
            end
        } else if matches!(first, '"' | '\'' | '`') {
            let end = end_of_text(rest, first);
            let text = part(rest, end);
            // The ids in a file of one's own are examples.
            let text =
                if language == Language::Toml { Escaped(text).to_string() } else { marked(text, here) };
            let _ = write!(html, "<span class=\"s\">{text}</span>");
            end
        } else if first.is_ascii_alphabetic() || first == '_' {
            let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len());
            let word = part(rest, end);
            let is_keyword = language.keywords().contains(&word) && !html.ends_with(['.', '-', '/']);
            if is_keyword {
                let _ = write!(html, "<b>{word}</b>");
            } else {
                html.push_str(word);
            }
            end
        } else {
            let end = first.len_utf8();
            let _ = write!(html, "{}", Escaped(part(rest, end)));
            end
        };
        rest = rest.get(length..).unwrap_or_default();
    }
    html
}

fn part(text: &str, end: usize) -> &str {
    text.get(..end).unwrap_or(text)
}

/// Where a text in quotes ends, the quotes included.
fn end_of_text(text: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            _ if c == quote => return at + c.len_utf8(),
            // No text but a template goes on in the next line.
            '\n' if quote == '"' => return at,
            _ => {}
        }
    }
    text.len()
}

/// Escaped text, with what is of this machine marked: its addresses, and the ids of the demonstration.
fn marked(text: &str, here: &Here<'_>) -> String {
    let mut html = Escaped(text).to_string();
    for own in [here.server, here.sandbox] {
        html = html.replace(own, &format!("<mark>{own}</mark>"));
    }
    mark_ids(&html)
}

/// Marks ids: 24 hexadecimal digits, as those of the demonstration.
fn mark_ids(html: &str) -> String {
    const BEGINS: &str = "6560c0ffee";
    const LENGTH: usize = 24;
    let mut out = String::with_capacity(html.len());
    let mut rest = html;
    while let Some(at) = rest.find(BEGINS) {
        let (before, from) = rest.split_at(at);
        let (id, after) = from.split_at_checked(LENGTH).unwrap_or((from, ""));
        let _ = write!(out, "{before}<mark>{id}</mark>");
        rest = after;
    }
    out.push_str(rest);
    out
}
