//! What is wrong in a declarative file, and where.

use std::fmt;

/// A place in the file, counted from 1, columns in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    /// The line.
    pub line: usize,
    /// The character within the line.
    pub column: usize,
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.line, self.column)
    }
}

/// One thing that is wrong, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct FileError {
    at: Position,
    reason: String,
}

impl FileError {
    /// Something wrong at a place. The reason reads `what is wrong — what to do`
    /// and holds no secret and no personal data.
    pub fn new(at: Position, reason: impl Into<String>) -> Self {
        Self { at, reason: reason.into() }
    }

    /// Where it is.
    pub fn at(&self) -> Position {
        self.at
    }

    /// What it is, and what to do.
    pub fn reason(&self) -> &str {
        &self.reason
    }
}

/// All that is wrong in one file; displayed one a line as `FILE:LINE:COLUMN: reason`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileErrors {
    file_name: String,
    errors: Vec<FileError>,
}

impl FileErrors {
    /// Puts the errors in the order of the file.
    pub fn new(file_name: &str, mut errors: Vec<FileError>) -> Self {
        errors.sort();
        errors.dedup();
        Self { file_name: file_name.to_owned(), errors }
    }

    /// The errors, in the order of the file.
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
