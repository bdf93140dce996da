//! The effects of applying a file, for people to read.

use std::fmt;

/// What applying a file does, or would do in a dry run.
///
/// Displayed with one line per object, readable without knowing the code, and a summary at the end. It
/// contains no secrets, and login names that are personal data are masked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    pub(super) pools: Vec<PoolPlan>,
}

/// A pool and its contents.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct PoolPlan {
    pub(super) header: Line,
    pub(super) lines: Vec<Line>,
    /// The lines that describe configuration changes, for the audit log.
    pub(super) changes: Vec<String>,
}

/// An object in the file or the database, and what happens to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) action: PlanAction,
    pub(super) text: String,
}

/// What happens to an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PlanAction {
    Add,
    Change,
    Disable,
    /// Already as the file describes. Counted but not displayed.
    Unchanged,
    /// Exists already, and is not compared with the file.
    Exists,
    /// Not in the file.
    LeftAlone,
}

impl PlanAction {
    /// Whether this writes anything.
    pub(super) const fn is_change(self) -> bool {
        matches!(self, Self::Add | Self::Change | Self::Disable)
    }
}

/// How many objects a plan changes, and how many it does not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// Created.
    pub add: usize,
    /// Changed or re-enabled.
    pub change: usize,
    /// Disabled or removed because they are not in the file.
    pub disable: usize,
    /// As the file describes, or users that already exist.
    pub unchanged: usize,
    /// Not in the file, and left unchanged.
    pub left_alone: usize,
}

impl Plan {
    /// Whether the plan changes nothing.
    pub fn is_empty(&self) -> bool {
        let Changes { add, change, disable, .. } = self.changes();
        add + change + disable == 0
    }

    /// The number of objects by what happens to them.
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
        // A name in the database may come from anywhere. It must not send control characters to the terminal.
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
