//! The frame of the phone: what surrounds every screen, and beside it what WeChat was asked and what it pushed.

use std::fmt::{self, Write as _};

use axum::http::HeaderMap;
use axum::response::Response;
use hufu_html::Escaped;

use super::widgets::{Face, Icon, Time};
use super::{beside, cookie};
use crate::open::view::phone_html;
use crate::page::text::Language;
use crate::page::{opening, theme};
use crate::state::State;
use crate::state::people::{PLACEHOLDER_NICKNAME, Person};

/// How a page of the phone looks: language and theme, of this reader.
pub(crate) struct Look<'s> {
    pub(super) state: &'s State,
    pub(crate) language: Language,
    theme: &'static str,
    /// Another page shows the phone in a frame: then it is the phone alone.
    is_framed: bool,
}

/// The tabs of WeChat.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tab {
    Chats,
    Scan,
    Minis,
    Me,
}

/// What is at the bottom of a screen.
#[derive(Default)]
pub(crate) enum Foot<'a> {
    Tabs(Tab),
    #[default]
    Gesture,
    Html(&'a str),
}

/// One screen. The texts are plain, the other parts HTML.
#[derive(Default)]
pub(crate) struct Screen<'a> {
    /// Where the arrow at the top leads.
    pub(crate) back: Option<&'a str>,
    /// The arrow is a cross.
    pub(crate) closes: bool,
    pub(crate) title: &'a str,
    pub(crate) subtitle: &'a str,
    /// HTML at the right of the title.
    pub(crate) end: &'a str,
    /// A mini program: its title at the left, and a capsule.
    pub(crate) is_mini: bool,
    pub(crate) body: &'a str,
    pub(crate) foot: Foot<'a>,
    /// A sheet over the screen.
    pub(crate) sheet: Option<&'a str>,
    /// The script draws it again when something changes.
    pub(crate) is_live: bool,
}

impl<'s> Look<'s> {
    pub(crate) fn new(state: &'s State, query: Option<&str>, headers: &HeaderMap) -> Look<'s> {
        let is_framed = headers.get("sec-fetch-dest").is_some_and(|to| to.as_bytes() == b"iframe");
        Look { state, language: cookie::language(query, headers), theme: theme(headers), is_framed }
    }

    /// The screen as a response.
    pub(crate) fn show(&self, screen: &Screen<'_>, person: Option<&Person>) -> Response {
        phone_html(self.page(screen, person))
    }

    /// The whole page.
    pub(crate) fn page(&self, screen: &Screen<'_>, person: Option<&Person>) -> String {
        let mut to = String::with_capacity(24 * 1024);
        // Writing to a String cannot fail.
        let _ = self.write(&mut to, screen, person);
        to
    }

    fn write(&self, to: &mut String, screen: &Screen<'_>, person: Option<&Person>) -> fmt::Result {
        let l = self.language;
        write!(
            to,
            r#"{opening}</head>
<body class="dev phone-page{framed}" data-version="{version}" data-live="{live}">
"#,
            opening = opening(
                l.of("zh-CN", "en"),
                self.theme,
                &format!("{} · {}", screen.title, l.of("虎符", "Hufu")),
                "phone"
            ),
            framed = if self.is_framed { " is-framed" } else { "" },
            version = self.state.version(),
            live = screen.is_live,
        )?;
        if self.is_framed {
            let title = l.of("沙箱手机", "The sandbox phone");
            writeln!(to, "<main id=\"main\">\n<h1 class=\"visually-hidden\">{title}</h1>")?;
            self.write_phone(to, screen, person)?;
            to.push_str("</main>\n</body>\n</html>\n");
            return Ok(());
        }
        self.write_head(to)?;
        self.write_phone(to, screen, person)?;
        beside::write(to, self)?;
        to.push_str("</div>\n</main>\n</body>\n</html>\n");
        Ok(())
    }

    /// The header of the page, up to the phone.
    fn write_head(&self, to: &mut String) -> fmt::Result {
        let l = self.language;
        writeln!(
            to,
            r##"<a class="skip" href="#screen">{skip}</a>
<header class="top">
<a class="brand" href="/phone" aria-label="{brand} sandbox"><svg viewBox="0 0 32 32" aria-hidden="true"><use href="/icons.svg#mark"/></svg><span>{brand} <code>sandbox</code></span></a>
<nav class="where" aria-label="{where_label}"><a href="/phone" aria-current="page">{phone}</a><a href="/">{bench}</a></nav>
<a class="btn btn-sm btn-quiet" href="/phone/language?to={other}" hreflang="{other}" lang="{other}">{other_name}</a>
</header>
<main id="main" class="page">
<div class="page-head"><div><h1>{heading}</h1><p>{about}</p></div></div>
<div class="bench">"##,
            brand = l.of("虎符", "Hufu"),
            skip = l.of("跳到手机屏幕", "Skip to the phone’s screen"),
            where_label = l.of("沙箱", "Sandbox"),
            phone = l.of("手机", "Phone"),
            bench = l.of("应用、用户与故障", "Apps, people, faults"),
            other = l.of("en", "zh"),
            other_name = l.of("English", "中文"),
            heading = l.of("沙箱手机", "The sandbox phone"),
            about = l.of(
                "一部装着微信的手机，只在这台电脑上。点它，你的应用就收到真的登录；弄坏它，看你的应用怎么办。",
                "A phone with WeChat on it, on this machine only. Tap it, and your application gets a real login; break it, and see what your application does."
            ),
        )
    }

    fn write_phone(&self, to: &mut String, screen: &Screen<'_>, person: Option<&Person>) -> fmt::Result {
        let l = self.language;
        write!(to, r#"<aside class="phone-side" aria-label="{}">"#, l.of("沙箱手机", "The sandbox phone"))?;
        if let Some(person) = person {
            let whose = match l {
                Language::Chinese => format!("<strong>{}</strong>的手机", Escaped(known_as(person))),
                Language::English => format!("<strong>{}</strong>’s phone", Escaped(known_as(person))),
            };
            write!(
                to,
                r#"<div class="phone-who">{}<span>{whose}</span>{}<a class="btn btn-sm btn-quiet" href="/phone/people">{}</a>{}</div>"#,
                Face::person(known_as(person)).small(),
                self.trouble(person),
                l.of("换人", "Change"),
                if self.is_framed { self.way_out() } else { String::new() },
            )?;
        }
        write!(
            to,
            r#"<div class="phone"><div class="screen" id="screen" role="group" aria-label="{label}" tabindex="-1">
<div class="ph-status" aria-hidden="true">{clock}<span>{signal}{battery}</span></div>
"#,
            label = l.of("手机屏幕", "Screen of the phone"),
            clock = Time { ms: self.state.clock.now(), is_short: true },
            signal = if person.is_some_and(|person| person.offline) { Icon("warn") } else { Icon("signal") },
            battery = Icon("battery"),
        )?;
        self.write_bar(to, screen)?;
        writeln!(to, r#"<div class="ph-body">{}</div>"#, screen.body)?;
        match screen.foot {
            Foot::Tabs(tab) => self.write_tabs(to, tab)?,
            Foot::Gesture => to.push_str("<div class=\"ph-gesture\"></div>\n"),
            Foot::Html(foot) => writeln!(to, r#"<div class="ph-foot">{foot}</div>"#)?,
        }
        if let Some(sheet) = screen.sheet {
            writeln!(to, "<div class=\"ph-veil\" aria-hidden=\"true\"></div>\n{sheet}")?;
        }
        to.push_str("</div></div>\n</aside>\n");
        Ok(())
    }

    /// From the frame to the phone in a window of its own.
    fn way_out(&self) -> String {
        format!(
            r#"<a class="btn btn-sm btn-quiet btn-icon" href="/phone" target="hufu-phone" rel="noopener" aria-label="{}">{}</a>"#,
            self.language.of("单独打开手机", "Open the phone by itself"),
            Icon("external")
        )
    }

    /// What is the matter with this phone.
    fn trouble(&self, person: &Person) -> String {
        let l = self.language;
        let troubles = [
            (person.offline, l.of("断网", "offline")),
            (person.slow, l.of("慢", "slow")),
            (person.risky, l.of("高风险", "high-risk")),
            (person.snapshot, l.of("快照", "snapshot")),
            (person.hide_phone, l.of("不给手机号", "hides number")),
        ];
        let mut badges = String::new();
        for (_, word) in troubles.into_iter().filter(|(on, _)| *on) {
            let _ = write!(badges, r#"<span class="badge badge-warn">{word}</span>"#);
        }
        badges
    }

    fn write_bar(&self, to: &mut String, screen: &Screen<'_>) -> fmt::Result {
        let l = self.language;
        let back = screen.back.map_or(String::new(), |href| {
            let (icon, label) =
                if screen.closes { ("x", l.of("关闭", "Close")) } else { ("left", l.of("返回", "Back")) };
            format!(r#"<a href="{}" aria-label="{label}">{}</a>"#, Escaped(href), Icon(icon))
        });
        let subtitle = if screen.subtitle.is_empty() {
            String::new()
        } else {
            format!("<small>{}</small>", Escaped(screen.subtitle))
        };
        let title = Escaped(screen.title);
        if screen.is_mini {
            return writeln!(
                to,
                r#"<div class="ph-bar ph-bar-wide"><span></span><div><strong>{title}</strong></div><span><span class="capsule">{more}<i></i><a href="/phone/minis" aria-label="{close}">{target}</a></span></span></div>"#,
                more = Icon("more"),
                close = l.of("关闭小程序", "Close the mini program"),
                target = Icon("target"),
            );
        }
        writeln!(
            to,
            r#"<div class="ph-bar"><span>{back}</span><div><strong>{title}</strong>{subtitle}</div><span>{end}</span></div>"#,
            end = screen.end,
        )
    }

    fn write_tabs(&self, to: &mut String, active: Tab) -> fmt::Result {
        let l = self.language;
        write!(to, r#"<nav class="ph-tabs" aria-label="{}">"#, l.of("手机", "Phone"))?;
        for (tab, href, icon, word) in [
            (Tab::Chats, "/phone", "chat", l.of("聊天", "Chats")),
            (Tab::Scan, "/phone/scan", "scan", l.of("扫一扫", "Scan")),
            (Tab::Minis, "/phone/minis", "miniprogram", l.of("小程序", "Programs")),
            (Tab::Me, "/phone/me", "user", l.of("我", "Me")),
        ] {
            let current = if tab == active { r#" aria-current="page""# } else { "" };
            write!(to, r#"<a href="{href}"{current}>{}{word}</a>"#, Icon(icon))?;
        }
        to.push_str("</nav>\n");
        Ok(())
    }
}

/// What a person is called: the nickname, or the name in the sandbox.
pub(crate) fn known_as(person: &Person) -> &str {
    let is_own = !person.nickname.is_empty() && person.nickname != PLACEHOLDER_NICKNAME;
    if is_own { &person.nickname } else { &person.name }
}
