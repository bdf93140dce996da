//! The small parts of the phone's screens.

use std::fmt;

use hufu_html::Escaped;

use crate::page::phone::{hue, initial};
use crate::state::apps::{App, AppKind};

/// An icon from the sprite.
pub(crate) struct Icon(pub(crate) &'static str);

impl fmt::Display for Icon {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, r#"<svg class="icon" aria-hidden="true"><use href="/icons.svg#{}"/></svg>"#, self.0)
    }
}

/// An app as people know it.
#[derive(Clone)]
pub(crate) struct Named {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) kind: AppKind,
    index: u32,
}

impl Named {
    pub(crate) fn of(app: &App) -> Named {
        let settings = app.settings();
        let name = settings.name.clone().unwrap_or_else(|| app.id.to_string());
        Named { id: app.id.to_string(), name, kind: settings.kind, index: app.index }
    }
}

/// What stands for a person or an app: a square with a letter or an icon.
pub(crate) struct Face {
    class: String,
    inside: String,
    is_small: bool,
}

impl Face {
    pub(crate) fn person(name: &str) -> Face {
        Face::letter(format!("face-{}", hue(name)), name)
    }

    /// Apps of one kind differ by colour.
    pub(crate) fn app(app: &Named) -> Face {
        let class = format!("app-{}", app.index % 4);
        match app.name.chars().next() {
            Some(_) if app.name != app.id => Face::letter(class, &app.name),
            _ => Face { class, inside: Icon(kind_icon(app.kind)).to_string(), is_small: false },
        }
    }

    pub(crate) fn icon(icon: &'static str) -> Face {
        Face { class: "face-c".to_owned(), inside: Icon(icon).to_string(), is_small: false }
    }

    pub(crate) fn new() -> Face {
        Face { class: "face-new".to_owned(), inside: Icon("plus").to_string(), is_small: false }
    }

    fn letter(class: String, name: &str) -> Face {
        Face { class, inside: Escaped(&initial(name)).to_string(), is_small: false }
    }

    pub(crate) fn small(mut self) -> Face {
        self.is_small = true;
        self
    }

    /// With a red number.
    pub(crate) fn unread(mut self, number: u32) -> Face {
        if number > 0 {
            use fmt::Write as _;
            let _ = write!(self.inside, r#"<span class="dot">{}</span>"#, number.min(99));
        }
        self
    }
}

impl fmt::Display for Face {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let small = if self.is_small { " face-sm" } else { "" };
        write!(f, r#"<span class="face {}{small}" aria-hidden="true">{}</span>"#, self.class, self.inside)
    }
}

/// The icon of a kind of app.
pub(crate) fn kind_icon(kind: AppKind) -> &'static str {
    match kind {
        AppKind::Miniprogram => "miniprogram",
        AppKind::Mobile => "phone",
        AppKind::Website => "globe",
        AppKind::ServiceAccount | AppKind::SubscriptionAccount => "service",
    }
}

/// A line of a list that leads somewhere.
pub(crate) struct Row<'a> {
    pub(crate) href: &'a str,
    pub(crate) face: Face,
    pub(crate) title: &'a str,
    pub(crate) about: &'a str,
    /// HTML at its end.
    pub(crate) end: &'a str,
    /// The next tap, marked with a ring.
    pub(crate) is_next: bool,
}

impl fmt::Display for Row<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Row { href, face, title, about, end, is_next } = self;
        let class = if *is_next { r#" class="tap""# } else { "" };
        write!(
            f,
            r#"<li><a href="{href}"{class}>{face}<span><strong>{}</strong><small>{}</small></span>{end}</a></li>"#,
            Escaped(title),
            Escaped(about),
        )
    }
}

/// A time that the script writes in the reader's zone, and until then in Beijing's.
pub(crate) struct Time {
    pub(crate) ms: i64,
    /// Without seconds.
    pub(crate) is_short: bool,
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.ms.div_euclid(1000);
        let (day, of_day) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
        let (year, month, date) = civil(day);
        let (hour, minute, second) = (of_day / 3600, of_day / 60 % 60, of_day % 60);
        let beijing = (hour + 8) % 24;
        let which = if self.is_short { "data-short" } else { "data-local" };
        write!(
            f,
            r#"<time class="num" {which} datetime="{year:04}-{month:02}-{date:02}T{hour:02}:{minute:02}:{second:02}Z">{beijing:02}:{minute:02}"#
        )?;
        if !self.is_short {
            write!(f, ":{second:02}")?;
        }
        f.write_str("</time>")
    }
}

/// Year, month and day of a number of days since 1970, by the Gregorian calendar.
fn civil(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let (era, of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * of_year + 2) / 153;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, of_year - (153 * shifted + 2) / 5 + 1)
}

#[cfg(test)]
mod tests {
    use super::civil;

    #[test]
    fn days_are_dates() {
        assert_eq!(civil(0), (1970, 1, 1));
        assert_eq!(civil(19_782), (2024, 2, 29));
        assert_eq!(civil(20_254), (2025, 6, 15));
        assert_eq!(civil(-1), (1969, 12, 31));
    }
}
