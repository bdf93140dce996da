//! The page's words in its two languages.

use axum::http::{HeaderMap, header};

/// A language of the page.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Language {
    Chinese,
    English,
}

impl Language {
    /// What the query says (`?lang=zh`), else the first of `Accept-Language` that the page speaks, else English.
    pub(super) fn choose(query: Option<&str>, headers: &HeaderMap) -> Self {
        let asked = query.unwrap_or_default().split('&').find_map(|pair| pair.strip_prefix("lang="));
        let accepted = headers.get(header::ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok());
        let accepted = accepted.unwrap_or_default().split(',').map(str::trim);
        asked.into_iter().chain(accepted).find_map(Self::of_tag).unwrap_or(Self::English)
    }

    pub(super) const fn text(self) -> &'static Text {
        match self {
            Self::Chinese => &CHINESE,
            Self::English => &ENGLISH,
        }
    }

    fn of_tag(tag: &str) -> Option<Self> {
        match tag.get(..2)?.to_ascii_lowercase().as_str() {
            "zh" => Some(Self::Chinese),
            "en" => Some(Self::English),
            _ => None,
        }
    }
}

/// Every sentence of the page. A field that one language lacks does not compile.
pub(super) struct Text {
    pub(super) tag: &'static str,
    pub(super) other_tag: &'static str,
    pub(super) other_name: &'static str,
    pub(super) title: &'static str,
    pub(super) lead: &'static str,
    pub(super) email: &'static str,
    pub(super) sms: &'static str,
    pub(super) copy: &'static str,
    pub(super) copied: &'static str,
    pub(super) code: &'static str,
    pub(super) nothing: &'static str,
    pub(super) how: &'static str,
    pub(super) live: &'static str,
    pub(super) offline: &'static str,
    pub(super) footer: &'static str,
}

const CHINESE: Text = Text {
    tag: "zh-CN",
    other_tag: "en",
    other_name: "English",
    title: "发件箱",
    lead: "短信和邮件不会真的发出去，都留在这里，最新的在最上面。",
    email: "邮件",
    sms: "短信",
    copy: "复制",
    copied: "已复制",
    code: "验证码",
    nothing: "还没有消息",
    how: "在你的应用里请求一个验证码，它马上会出现在这里。也可以在终端里试一下：",
    live: "实时更新",
    offline: "连不上服务",
    footer: "仅供开发，只保留最近 200 条，重启后清空。",
};

const ENGLISH: Text = Text {
    tag: "en",
    other_tag: "zh",
    other_name: "中文",
    title: "Outbox",
    lead: "Text messages and mail are not really sent. They stay here, the newest on top.",
    email: "Mail",
    sms: "SMS",
    copy: "Copy",
    copied: "Copied",
    code: "Code",
    nothing: "No messages yet",
    how: "Ask for a code in your app, and it appears here at once. Or try it in a terminal:",
    live: "Live",
    offline: "The server does not answer",
    footer: "For development only. The latest 200 are kept, until the server stops.",
};
