//! The page's HTML. Everything that a message holds passes [`Escaped`].

use std::fmt::{self, Write as _};

use hufu_app::connect::outbox::{Channel, Message};

use super::text::Text;

pub(super) fn page(messages: &[Message], text: &Text) -> String {
    let mut html = String::with_capacity(4096 + messages.len() * 1024);
    // Writing to a String cannot fail.
    let _ = write_page(&mut html, messages, text);
    html
}

fn write_page(to: &mut String, messages: &[Message], text: &Text) -> fmt::Result {
    write!(
        to,
        r#"<!doctype html>
<html lang="{tag}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{title} · Hufu</title>
<link rel="icon" href="/dev/icon.svg" type="image/svg+xml">
<link rel="stylesheet" href="/dev/outbox.css">
<noscript><meta http-equiv="refresh" content="5"></noscript>
<script src="/dev/outbox.js" defer></script>
</head>
<body data-newest="{newest}" data-copied="{copied}" data-offline="{offline}">
<header class="top">
<div class="brand"><img src="/dev/icon.svg" width="36" height="36" alt=""><div><h1>{title}</h1><p>{lead}</p></div></div>
<div class="tools"><span class="live" id="live" role="status"><i></i><span id="live-word">{live}</span></span>
<a class="lang" href="?lang={other}" hreflang="{other}" lang="{other}">{other_name}</a></div>
</header>
<main>
"#,
        tag = text.tag,
        title = text.title,
        newest = messages.first().map_or(0, |message| message.number),
        copied = text.copied,
        offline = text.offline,
        lead = text.lead,
        live = text.live,
        other = text.other_tag,
        other_name = text.other_name,
    )?;
    if messages.is_empty() {
        write_nothing(to, text)?;
    } else {
        to.push_str("<ol class=\"messages\" reversed>\n");
        for message in messages {
            write_message(to, message, text)?;
        }
        to.push_str("</ol>\n");
    }
    write!(to, "</main>\n<footer><p>{}</p></footer>\n</body>\n</html>\n", text.footer)
}

/// An empty page says how it is filled.
fn write_nothing(to: &mut String, text: &Text) -> fmt::Result {
    write!(
        to,
        r#"<section class="card empty"><h2>{nothing}</h2><p>{how}</p>
<div class="try"><code id="try">curl <span id="origin">http://127.0.0.1:3000</span>/api/v3/send-sms -H 'content-type: application/json' -H 'x-authing-app-id: 6560c0ffee00000000000002' -d '{{"phoneNumber":"13800000001","channel":"CHANNEL_LOGIN"}}'</code>
<button type="button" data-copy="try">{copy}</button></div></section>
"#,
        nothing = text.nothing,
        how = text.how,
        copy = text.copy,
    )
}

fn write_message(to: &mut String, message: &Message, text: &Text) -> fmt::Result {
    let (class, channel) = match message.channel {
        Channel::Email => ("email", text.email),
        Channel::Sms => ("sms", text.sms),
    };
    let at = message.at.to_iso();
    writeln!(
        to,
        r#"<li class="card"><div class="head"><span class="badge {class}">{channel}</span><strong class="to">{to}</strong><time datetime="{at}">{at}</time></div>"#,
        to = Escaped(&message.to),
    )?;
    if let Some(code) = &message.code {
        writeln!(
            to,
            r#"<div class="code"><span class="label">{label}</span><code id="code-{number}">{code}</code><button type="button" data-copy="code-{number}">{copy}</button></div>"#,
            label = text.code,
            number = message.number,
            code = Escaped(code),
            copy = text.copy,
        )?;
    }
    if let Some(subject) = &message.subject {
        writeln!(to, "<h2>{}</h2>", Escaped(subject))?;
    }
    writeln!(to, "<p class=\"text\">{}</p></li>", Escaped(&message.text))
}

/// Text as HTML shows it, in content and in quoted attributes.
struct Escaped<'t>(&'t str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for c in self.0.chars() {
            match c {
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '"' => f.write_str("&quot;")?,
                '\'' => f.write_str("&#39;")?,
                c => f.write_char(c)?,
            }
        }
        Ok(())
    }
}
