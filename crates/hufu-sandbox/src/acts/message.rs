//! The XML of pushed messages.

use std::fmt::Write as _;

/// What WeChat tells an app's server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Message {
    /// `subscribe`, with the key and the ticket of the QR code that brought the follower.
    Subscribe(Option<(String, String)>),
    Unsubscribe,
    /// A follower scanned a QR code: its scene and its ticket.
    Scan(String, String),
    /// A button of the menu: its key.
    Click(String),
    /// A link in the menu: its address.
    View(String),
    /// Text to the account, with the id that distinguishes messages.
    Text(String, String),
}

impl Message {
    /// The event's name, or the message's type.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Message::Subscribe(_) => "subscribe",
            Message::Unsubscribe => "unsubscribe",
            Message::Scan(..) => "SCAN",
            Message::Click(_) => "CLICK",
            Message::View(_) => "VIEW",
            Message::Text(..) => "text",
        }
    }

    /// The name of the push in the call log.
    pub(crate) fn log_name(&self) -> &'static str {
        match self {
            Message::Subscribe(_) => "push subscribe",
            Message::Unsubscribe => "push unsubscribe",
            Message::Scan(..) => "push SCAN",
            Message::Click(_) => "push CLICK",
            Message::View(_) => "push VIEW",
            Message::Text(..) => "push text",
        }
    }

    /// The event's key, or the text.
    pub(crate) fn key(&self) -> &str {
        match self {
            Message::Subscribe(Some((key, _)))
            | Message::Scan(key, _)
            | Message::Click(key)
            | Message::View(key)
            | Message::Text(key, _) => key,
            Message::Subscribe(None) | Message::Unsubscribe => "",
        }
    }

    fn ticket(&self) -> Option<&str> {
        match self {
            Message::Subscribe(Some((_, ticket))) | Message::Scan(_, ticket) => Some(ticket),
            _ => None,
        }
    }

    /// The fields inside `<xml>`. `at` is in Unix seconds.
    pub(crate) fn fields(&self, to: &str, from: &str, at: i64) -> String {
        let mut xml = String::with_capacity(400);
        write_text(&mut xml, "ToUserName", to);
        write_text(&mut xml, "FromUserName", from);
        let _ = write!(xml, "<CreateTime>{at}</CreateTime>");
        if let Message::Text(text, id) = self {
            write_text(&mut xml, "MsgType", "text");
            write_text(&mut xml, "Content", text);
            let _ = write!(xml, "<MsgId>{id}</MsgId>");
            return xml;
        }
        write_text(&mut xml, "MsgType", "event");
        write_text(&mut xml, "Event", self.name());
        write_text(&mut xml, "EventKey", self.key());
        if let Some(ticket) = self.ticket() {
            write_text(&mut xml, "Ticket", ticket);
        }
        xml
    }
}

/// Writes an element whose text may contain anything.
pub(crate) fn write_text(to: &mut String, name: &str, text: &str) {
    let text = text.replace("]]>", "]]]]><![CDATA[>");
    let _ = write!(to, "<{name}><![CDATA[{text}]]></{name}>");
}

/// The text of the first element with this name, or `None`. Reads only what WeChat's messages consist of: no
/// attributes, no entities but the five of XML.
pub(crate) fn element(xml: &str, name: &str) -> Option<String> {
    let (_, rest) = xml.split_once(&format!("<{name}>"))?;
    let (inner, _) = rest.split_once(&format!("</{name}>"))?;
    let mut text = String::with_capacity(inner.len());
    let mut rest = inner;
    while let Some((before, after)) = rest.split_once("<![CDATA[") {
        text.push_str(&unescaped(before));
        let (inside, after) = after.split_once("]]>")?;
        text.push_str(inside);
        rest = after;
    }
    text.push_str(&unescaped(rest));
    Some(text)
}

fn unescaped(text: &str) -> String {
    let text = text.trim().replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"");
    text.replace("&apos;", "'").replace("&amp;", "&")
}

#[cfg(test)]
mod tests {
    use super::{element, write_text};

    #[test]
    fn what_is_written_is_read() {
        for text in ["", "a", "<b>", "]]>", "x]]]]>>", "&amp;", "你好 🐯"] {
            let mut xml = String::from("<xml>");
            write_text(&mut xml, "Content", text);
            xml.push_str("</xml>");
            assert_eq!(element(&xml, "Content").as_deref(), Some(text), "{xml}");
        }
        assert_eq!(element("<xml><A>1 &lt; 2</A></xml>", "A").as_deref(), Some("1 < 2"));
        assert_eq!(element("<xml><A>1</xml>", "A"), None);
    }
}
