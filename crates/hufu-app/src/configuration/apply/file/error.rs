//! The errors of a declarative file, with their positions.

use std::fmt;

/// A position in the file. Lines and columns count from 1, columns in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    /// The line.
    pub line: usize,
    /// The column, in characters.
    pub column: usize,
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.line, self.column)
    }
}

/// One error, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct FileError {
    at: Position,
    reason: String,
}

impl FileError {
    /// An error at a position. The reason reads `what is wrong — what to do`. It must not contain secrets or
    /// personal data.
    pub fn new(at: Position, reason: impl Into<String>) -> Self {
        Self { at, reason: reason.into() }
    }

    /// The position of the error.
    pub fn at(&self) -> Position {
        self.at
    }

    /// What is wrong, and what to do about it.
    pub fn reason(&self) -> &str {
        &self.reason
    }
}

/// All errors of a file. Displayed one per line as `FILE:LINE:COLUMN: reason`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileErrors {
    file_name: String,
    errors: Vec<FileError>,
}

impl FileErrors {
    /// Sorts the errors by position and removes duplicates.
    pub fn new(file_name: &str, mut errors: Vec<FileError>) -> Self {
        errors.sort();
        errors.dedup();
        Self { file_name: file_name.to_owned(), errors }
    }

    /// The errors, sorted by position.
    pub fn errors(&self) -> &[FileError] {
        &self.errors
    }
}

impl fmt::Display for FileErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, error) in self.errors.iter().enumerate() {
            let line_break = if index == 0 { "" } else { "\n" };
            write!(f, "{line_break}{}:{}: {}", self.file_name, error.at, error.reason)?;
        }
        Ok(())
    }
}

impl std::error::Error for FileErrors {}
