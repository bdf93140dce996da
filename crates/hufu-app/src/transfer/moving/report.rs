//! What became of each thing that was to be moved.

use std::io::{self, Write};

use serde::Serialize;
use serde_json::json;

use super::super::csv;
use super::limits::{LONGEST_DETAIL, LONGEST_NAME, LONGEST_WORD};

/// A kind of thing that is moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A custom field of users.
    Field,
    /// An identity source, with all its connections.
    Source,
    /// A connection to an identity source.
    Connection,
    /// An application.
    Application,
    /// A user.
    User,
}

impl Kind {
    /// The name in reports.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Field => "field",
            Self::Source => "source",
            Self::Connection => "connection",
            Self::Application => "application",
            Self::User => "user",
        }
    }
}

/// What became of a thing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Fate {
    /// It was made.
    Created,
    /// It is there already, and was left as it is.
    Left,
    /// Something of it could not be taken, or is different here. The rest came.
    Differs,
    /// It is in the way of something else, or not valid here. It did not come.
    Refused,
    /// There is nothing like it here. It did not come.
    NotTaken,
}

impl Fate {
    /// The name in reports.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Left => "left",
            Self::Differs => "differs",
            Self::Refused => "refused",
            Self::NotTaken => "not_taken",
        }
    }
}

/// A line of the report.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What it is about.
    pub kind: Kind,
    /// Its id in the other system; the key of a field.
    pub id: String,
    /// Its name for administrators. Users have none here: reports hold nothing about people but their ids.
    pub name: String,
    /// What became of it.
    pub outcome: Fate,
    /// Why, as a name that never changes. Empty if there is nothing to say.
    pub reason: String,
    /// Why, in words. No secrets.
    pub detail: String,
}

impl Finding {
    /// A finding. Its texts may be those of the other system: they are made fit for a terminal, and cut.
    pub(super) fn new(kind: Kind, id: &str, name: &str, outcome: Fate, reason: &str, detail: &str) -> Self {
        Self {
            kind,
            id: plain(id, LONGEST_NAME),
            name: plain(name, LONGEST_NAME),
            outcome,
            reason: reason.to_owned(),
            detail: plain(detail, LONGEST_DETAIL),
        }
    }
}

/// A text of the other system as it may be repeated: of at most so many characters, none of which moves a cursor, changes
/// colours or turns the direction of what follows.
pub(super) fn plain(text: &str, most: usize) -> String {
    let turns = |c: char| matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    text.chars().filter(|c| !c.is_control() && !turns(*c)).take(most).collect()
}

/// A word of the other system as it may be repeated.
pub(super) fn word(text: &str) -> String {
    plain(text, LONGEST_WORD)
}

/// Something of a thing that could not be taken as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::transfer) struct Remark {
    /// A name that never changes.
    pub(in crate::transfer) reason: &'static str,
    /// The same in words.
    pub(in crate::transfer) detail: String,
}

impl Remark {
    pub(in crate::transfer) fn new(reason: &'static str, detail: impl AsRef<str>) -> Self {
        Self { reason, detail: plain(detail.as_ref(), LONGEST_DETAIL) }
    }
}

/// How many of a kind came to what end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Tally {
    /// Made, or to be made.
    pub created: i64,
    /// There already.
    pub left: i64,
    /// Not valid here, or in the way of something else.
    pub refused: i64,
    /// Of a kind that is not here.
    pub not_taken: i64,
}

impl Tally {
    /// Counts the findings of a kind. A thing of which something differs is counted by its own line.
    pub fn of(kind: Kind, findings: &[Finding]) -> Self {
        let mut tally = Self::default();
        for finding in findings.iter().filter(|finding| finding.kind == kind) {
            match finding.outcome {
                Fate::Created => tally.created += 1,
                Fate::Left => tally.left += 1,
                Fate::Refused => tally.refused += 1,
                Fate::NotTaken => tally.not_taken += 1,
                Fate::Differs => {}
            }
        }
        tally
    }
}

/// Writes a report line by line: as CSV, or as JSON with `findings`, `tallies` by kind and `dry_run`.
#[derive(Debug)]
pub struct ReportWriter<W> {
    to: W,
    is_json: bool,
    is_first: bool,
}

impl<W: Write> ReportWriter<W> {
    /// Begins a report.
    ///
    /// # Errors
    /// Errors of `to`.
    pub fn begin(mut to: W, is_json: bool) -> io::Result<Self> {
        if is_json {
            write!(to, "{{\n  \"findings\": [")?;
        } else {
            csv::write_row(&mut to, ["kind", "id", "name", "outcome", "reason", "detail"])?;
        }
        Ok(Self { to, is_json, is_first: true })
    }

    /// Writes a finding.
    ///
    /// # Errors
    /// Errors of the file.
    pub fn line(&mut self, finding: &Finding) -> io::Result<()> {
        if self.is_json {
            write!(self.to, "{}\n    {}", if self.is_first { "" } else { "," }, json!(finding))?;
            self.is_first = false;
            return Ok(());
        }
        let Finding { kind, id, name, outcome, reason, detail } = finding;
        csv::write_row(&mut self.to, [kind.as_str(), id, name, outcome.as_str(), reason, detail])
    }

    /// Ends the report.
    ///
    /// # Errors
    /// Errors of the file.
    pub fn end(mut self, tallies: &[(Kind, Tally)], is_dry_run: bool) -> io::Result<()> {
        if self.is_json {
            let tallies: serde_json::Map<_, _> =
                tallies.iter().map(|(kind, tally)| (kind.as_str().to_owned(), json!(tally))).collect();
            writeln!(self.to, "\n  ],\n  \"tallies\": {},\n  \"dry_run\": {is_dry_run}\n}}", json!(tallies))?;
        }
        self.to.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_other_system_says_cannot_steer_a_terminal() {
        let word = format!("\u{1b}]0;x\u{7}\u{9b}31m\r\n虎\u{202e}{}", "符".repeat(2000));
        let Finding { id, name, detail, .. } =
            Finding::new(Kind::Source, &word, &word, Fate::NotTaken, "source_empty", &word);
        let remark = Remark::new("setting_refused", &word);
        for (text, most) in [(id, 256), (name, 256), (detail, 1024), (remark.detail, 1024)] {
            assert!(text.starts_with("]0;x31m虎符"), "{text:?}");
            assert_eq!(text.chars().count(), most);
        }
    }
}
