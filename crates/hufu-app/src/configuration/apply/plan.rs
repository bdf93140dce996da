//! What applying a file does, for people to read.

use std::fmt;

use hufu_types::{Email, Phone};

/// What applying a file does, or would do in a dry run.
///
/// Displayed one line a thing, as a stranger at a terminal understands it, and a
/// summary at the end. It holds no secret; login names that are personal data are
/// masked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    pub(super) pools: Vec<PoolPlan>,
}

/// A pool and what is in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct PoolPlan {
    pub(super) header: Line,
    pub(super) lines: Vec<Line>,
    /// The lines that change the configuration, for the audit log.
    pub(super) changes: Vec<String>,
}

/// A thing of the file or of the database, and what becomes of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) action: PlanAction,
    pub(super) text: String,
}

/// What becomes of a thing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PlanAction {
    Add,
    Change,
    Disable,
    /// As the file wants it; counted, not shown.
    Unchanged,
    /// There already, and not compared with the file.
    Exists,
    /// Not in the file.
    LeftAlone,
}

impl PlanAction {
    /// Whether something is written.
    pub(super) const fn is_change(self) -> bool {
        matches!(self, Self::Add | Self::Change | Self::Disable)
    }
}

/// How many things a plan touches, and how many not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// Made.
    pub add: usize,
    /// Changed, including what is enabled again.
    pub change: usize,
    /// Disabled because the file does not have them.
    pub disable: usize,
    /// As the file wants them; users that exist are among these.
    pub unchanged: usize,
    /// Not in the file, and not touched.
    pub left_alone: usize,
}

impl Plan {
    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        let Changes { add, change, disable, .. } = self.changes();
        add + change + disable == 0
    }

    /// How many things are touched, and how many not.
    pub fn changes(&self) -> Changes {
        let mut changes = Changes::default();
        for line in self.pools.iter().flat_map(|pool| std::iter::once(&pool.header).chain(&pool.lines)) {
            let count = match line.action {
                PlanAction::Add => &mut changes.add,
                PlanAction::Change => &mut changes.change,
                PlanAction::Disable => &mut changes.disable,
                PlanAction::Unchanged | PlanAction::Exists => &mut changes.unchanged,
                PlanAction::LeftAlone => &mut changes.left_alone,
            };
            *count += 1;
        }
        changes
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for PoolPlan { header, lines, .. } in &self.pools {
            let mut shown = lines.iter().filter(|line| line.action != PlanAction::Unchanged).peekable();
            if header.action != PlanAction::Unchanged || shown.peek().is_some() {
                writeln!(f, "{header}")?;
            }
            for line in shown {
                writeln!(f, "  {line}")?;
            }
        }
        write!(f, "{}", self.changes())
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.action {
            PlanAction::Add => "+ ",
            PlanAction::Change => "~ ",
            PlanAction::Disable => "- ",
            PlanAction::Unchanged | PlanAction::Exists => "= ",
            PlanAction::LeftAlone => "! left alone (not in the file): ",
        })?;
        // A name in the database may come from anywhere; it does not get to command the terminal.
        let plain = |c: char| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c };
        f.write_str(&self.text.chars().map(plain).collect::<String>())
    }
}

impl fmt::Display for Changes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { add, change, disable, unchanged, left_alone } = self;
        write!(
            f,
            "{add} to add, {change} to change, {disable} to disable, {unchanged} unchanged, {left_alone} left alone"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_do_not_command_the_terminal() {
        let line = Line { action: PlanAction::LeftAlone, text: "user_pool p \u{1b}[2J".to_owned() };
        assert_eq!(line.to_string(), "! left alone (not in the file): user_pool p \u{fffd}[2J");
    }
}
