//! What stands beside the phone: the messages that WeChat pushed, and the calls it received.

use std::fmt::{self, Write as _};

use axum::extract::{RawQuery, State as Extract};
use axum::http::HeaderMap;
use axum::response::Response;
use hufu_html::Escaped;

use super::Shared;
use super::shell::Look;
use super::widgets::{Icon, Named, Time};
use crate::open::view::phone_html;
use crate::state::calls::Call;
use crate::state::pushes::{Push, Verdict};

/// How many calls stand beside the phone.
const SHOWN_CALLS: usize = 30;
const SHOWN_PUSHES: usize = 4;

pub(super) fn write(to: &mut String, look: &Look<'_>) -> fmt::Result {
    to.push_str("<div class=\"bench-side\" id=\"beside\">\n");
    look.write_pushes(to)?;
    look.write_calls(to)?;
    to.push_str("</div>\n");
    Ok(())
}

/// It alone, for the script of a screen that must not be opened again.
pub(super) async fn show(Extract(state): Shared, RawQuery(query): RawQuery, headers: HeaderMap) -> Response {
    let mut html = String::new();
    // Writing to a String cannot fail.
    let _ = write(&mut html, &Look::new(&state, query.as_deref(), &headers));
    phone_html(html)
}

impl Look<'_> {
    fn write_pushes(&self, to: &mut String) -> fmt::Result {
        let l = self.language;
        let pushes = self.state.pushes.after(0);
        if pushes.is_empty() {
            return Ok(());
        }
        write!(
            to,
            r#"<section aria-labelledby="pushes"><div class="section-head"><h2 id="pushes">{}</h2></div><ul class="panel push-list">"#,
            l.of("微信推送的消息", "Messages that WeChat pushed")
        )?;
        for push in pushes.iter().rev().take(SHOWN_PUSHES) {
            self.write_push(to, push)?;
        }
        to.push_str("</ul></section>\n");
        Ok(())
    }

    fn write_push(&self, to: &mut String, push: &Push) -> fmt::Result {
        write!(
            to,
            r#"<li><div class="row"><code>{event}</code>{key}<span class="muted small">{user}</span>{at}</div><p>{verdict}"#,
            event = push.event,
            key = if push.key.is_empty() {
                String::new()
            } else {
                format!(r#"<span class="push-key">{}</span>"#, Escaped(&push.key))
            },
            user = Escaped(&push.user),
            at = Time { ms: push.at, is_short: false },
            verdict = self.verdict(push),
        )?;
        if push.attempts.len() > 1 {
            write!(to, r#" <span class="muted">× {}</span>"#, push.attempts.len())?;
        }
        if let Some(attempt) = push.attempts.last() {
            write!(to, r#" <span class="muted num">{} ms</span>"#, attempt.millis)?;
        }
        to.push_str("</p>");
        if let Some(reply) = push.attempts.last().and_then(|attempt| attempt.reply.as_ref()) {
            write!(to, "<blockquote>{}</blockquote>", Escaped(reply))?;
        }
        to.push_str("</li>");
        Ok(())
    }

    fn verdict(&self, push: &Push) -> String {
        let l = self.language;
        let (class, word) = match push.verdict() {
            None => ("status", l.of("没有消息服务器，未推送", "Not sent: the app has no message URL")),
            Some(Verdict::Acknowledged) => ("status status-ok", l.of("已确认", "Acknowledged")),
            Some(Verdict::Replied) => ("status status-ok", l.of("已回复", "Replied")),
            Some(Verdict::Malformed) => ("status status-bad", l.of("回复读不懂", "The reply cannot be read")),
            Some(Verdict::WrongSignature) => {
                ("status status-bad", l.of("回复的签名不对", "The reply’s signature is wrong"))
            }
            Some(Verdict::BadStatus) => ("status status-bad", l.of("状态码不是 200", "Not 200")),
            Some(Verdict::Timeout) => ("status status-bad", l.of("超时", "Timeout")),
            Some(Verdict::Unreachable) => ("status status-bad", l.of("连不上", "Unreachable")),
            Some(Verdict::NotAllowed) => {
                ("status status-bad", l.of("不在本机，未推送", "Not sent: not on this machine"))
            }
        };
        format!(r#"<span class="{class}">{word}</span>"#)
    }

    fn write_calls(&self, to: &mut String) -> fmt::Result {
        let l = self.language;
        let calls = self.state.calls.after(0, SHOWN_CALLS);
        write!(
            to,
            r#"<section aria-labelledby="calls-title"><div class="section-head"><h2 id="calls-title">{title}</h2><span class="status status-ok live small muted">{live}</span></div>"#,
            title = l.of("手机上的动作和微信收到的调用", "What the phone did, and what WeChat was asked"),
            live = l.of("实时", "Live"),
        )?;
        if calls.is_empty() {
            return writeln!(
                to,
                r#"<div class="panel"><div class="empty">{halves}<h3>{none}</h3><p>{how}</p></div></div></section>"#,
                halves = hufu_html::HALVES,
                none = l.of("还没有调用", "No calls yet"),
                how = l.of(
                    "让你的应用登录一次，或在手机上点一下。",
                    "Log in to your application once, or tap something on the phone."
                ),
            );
        }
        write!(
            to,
            r#"<div class="panel calls" role="group" aria-labelledby="calls-title" tabindex="0"><table class="table table-stack"><thead><tr><th scope="col">{time}</th><th scope="col">{call}</th><th scope="col">{of}</th><th scope="col">{outcome}</th></tr></thead><tbody>"#,
            time = l.of("时间", "Time"),
            call = l.of("调用", "Call"),
            of = l.of("谁", "Whose"),
            outcome = l.of("结果", "Outcome"),
        )?;
        for call in calls.iter().rev() {
            self.write_call(to, call)?;
        }
        writeln!(
            to,
            r#"</tbody></table></div><p class="hint">{}</p></section>"#,
            l.of(
                "这里不出现 code、密钥、令牌和 OpenID。",
                "No codes, secrets, tokens or OpenIDs appear here."
            )
        )
    }

    fn write_call(&self, to: &mut String, call: &Call) -> fmt::Result {
        let l = self.language;
        let app = call.app_id.as_deref().and_then(|id| self.state.apps.get(id));
        let app = app.map_or_else(
            || call.app_id.as_deref().unwrap_or_default().to_owned(),
            |app| Named::of(&app).name,
        );
        let whose = match &call.user {
            Some(user) if app.is_empty() => user.clone(),
            Some(user) => format!("{user} · {app}"),
            None => app,
        };
        let (class, outcome) = match (call.errcode, call.http_status) {
            (Some(0), _) => ("status status-ok", l.of("成功", "ok").to_owned()),
            (Some(errcode), _) => ("status status-bad", errcode.to_string()),
            (None, Some(status)) => ("status status-bad", format!("HTTP {status}")),
            (None, None) if call.user.is_some() => ("status", "–".to_owned()),
            (None, None) => ("status status-bad", l.of("无应答", "no answer").to_owned()),
        };
        writeln!(
            to,
            r#"<tr><td class="tight">{at}</td><td class="lead">{path}</td><td class="app">{whose}</td><td class="result"><span class="{class}">{outcome}</span></td></tr>"#,
            at = Time { ms: call.at, is_short: false },
            path = self.act(call.path),
            whose = Escaped(&whose),
        )
    }

    /// An act of the phone in the reader's language; anything else by WeChat's name.
    fn act(&self, path: &str) -> String {
        let l = self.language;
        let word = match path {
            "phone scan" => l.of("扫码", "scans"),
            "phone allow" => l.of("点了允许", "allows"),
            "phone refuse" => l.of("点了拒绝", "refuses"),
            "phone follow" => l.of("关注", "follows"),
            "phone unfollow" => l.of("取消关注", "unfollows"),
            "phone message" => l.of("发消息", "writes"),
            "phone open mini program" => l.of("打开小程序", "opens a mini program"),
            "phone open web-view" => l.of("打开小程序里的网页", "opens a web-view"),
            "phone leave web-view" => l.of("网页跳回小程序", "the web page leads to the mini program"),
            "phone open link" => l.of("打开网页", "opens a link"),
            "phone open app" => l.of("打开 App", "opens an app"),
            "phone menu" => l.of("点菜单", "taps the menu"),
            "phone settings" => l.of("改设置", "changes settings"),
            "phone choose" => l.of("拿起手机", "takes the phone"),
            _ => {
                return match path.strip_prefix("push ") {
                    Some(event) => {
                        format!(r#"<span class="act">{} <code>{event}</code></span>"#, l.of("推送", "push"))
                    }
                    None => format!("<code>{path}</code>"),
                };
            }
        };
        format!(r#"<span class="act">{}{word}</span>"#, Icon("phone"))
    }
}
