//! Reading a file row by row. No row is longer than [`LONGEST_ROW`], and the file is never in memory as a
//! whole.
//!
//! A row that is too long or malformed still counts as a row: it has a number, and the rows after it are
//! read.

use std::io::{self, BufRead};

use serde_json::{Map, Value};

use super::csv::CsvRows;
use super::{Format, ImportError};
use hufu_types::refusal::Reason;

/// The maximum length of a row, in bytes. Longer ones are refused.
pub(super) const LONGEST_ROW: usize = 64 * 1024;

/// The fields of a row by name.
pub(super) type Fields = Map<String, Value>;

/// The rows of a file.
pub(super) enum Rows<R> {
    Csv(Box<CsvRows<R>>),
    Json(JsonRows<R>),
    Lines(LineRows<R>),
}

impl<R: BufRead> Rows<R> {
    /// Starts reading. For CSV, this reads the header.
    pub(super) fn open(reader: R, format: Format) -> Result<Self, ImportError> {
        Ok(match format {
            Format::Csv => Self::Csv(Box::new(CsvRows::open(reader)?)),
            Format::Json => Self::Json(JsonRows::open(reader)?),
            Format::JsonLines => Self::Lines(LineRows { reader, row: Vec::new(), state: Row::Whole }),
        })
    }

    /// Advances to the next row. Returns false at the end.
    pub(super) fn advance(&mut self) -> io::Result<bool> {
        match self {
            Self::Csv(rows) => rows.advance(),
            Self::Json(rows) => rows.advance(),
            Self::Lines(rows) => rows.advance(),
        }
    }

    /// The fields of the row, or the reason that it cannot be read.
    pub(super) fn fields(&self) -> Result<Fields, String> {
        match self {
            Self::Csv(rows) => rows.fields(),
            Self::Json(rows) => parse(&rows.row, rows.state),
            Self::Lines(rows) => parse(&rows.row, rows.state),
        }
    }

    /// The length of the row, in bytes.
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Csv(rows) => rows.len(),
            Self::Json(rows) => rows.row.len(),
            Self::Lines(rows) => rows.row.len(),
        }
    }
}

/// How much of a row was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Row {
    /// All of it.
    Whole,
    /// It exceeded the maximum length, and was discarded.
    TooLong,
    /// The file ended in the middle of the row.
    Cut,
}

impl Row {
    pub(super) fn check(self) -> Result<(), String> {
        match self {
            Self::Whole => Ok(()),
            Self::TooLong => Err(format!("the row is longer than {LONGEST_ROW} bytes")),
            Self::Cut => Err("the file ends within the row, or the list is not closed".to_owned()),
        }
    }
}

fn parse(row: &[u8], state: Row) -> Result<Fields, String> {
    state.check()?;
    match serde_json::from_slice(row) {
        Ok(Value::Object(fields)) => Ok(fields),
        Ok(_) => Err("the row is no JSON object".to_owned()),
        // Only the position: the parser's own message is not included.
        Err(error) => Err(format!("the row is no JSON, at its byte {}", error.column())),
    }
}

/// Appends the bytes to a row if they fit.
fn append(row: &mut Vec<u8>, state: &mut Row, bytes: &[u8]) {
    if row.len() + bytes.len() > LONGEST_ROW {
        *state = Row::TooLong;
        row.clear();
    }
    if *state == Row::Whole {
        row.extend_from_slice(bytes);
    }
}

/// JSON Lines: each line is a row.
pub(super) struct LineRows<R> {
    reader: R,
    row: Vec<u8>,
    state: Row,
}

impl<R: BufRead> LineRows<R> {
    fn advance(&mut self) -> io::Result<bool> {
        loop {
            self.row.clear();
            self.state = Row::Whole;
            let mut ended = false;
            while !ended {
                let buffer = self.reader.fill_buf()?;
                if buffer.is_empty() {
                    break;
                }
                let line = buffer.iter().position(|byte| *byte == b'\n');
                ended = line.is_some();
                let taken = line.map_or(buffer.len(), |at| at + 1);
                append(&mut self.row, &mut self.state, buffer.get(..taken).unwrap_or_default());
                self.reader.consume(taken);
            }
            strip_mark(&mut self.row);
            let blank = self.row.iter().all(u8::is_ascii_whitespace) && self.state == Row::Whole;
            if !blank {
                return Ok(true);
            }
            if !ended {
                return Ok(false);
            }
        }
    }
}

/// Removes the byte order mark that Windows editors write.
fn strip_mark(row: &mut Vec<u8>) {
    if row.starts_with(b"\xef\xbb\xbf") {
        row.drain(..3);
    }
}

/// A JSON list: each element is a row.
pub(super) struct JsonRows<R> {
    reader: R,
    row: Vec<u8>,
    state: Row,
    ended: bool,
}

impl<R: BufRead> JsonRows<R> {
    fn open(mut reader: R) -> Result<Self, ImportError> {
        if reader.fill_buf()?.starts_with(b"\xef\xbb\xbf") {
            reader.consume(3);
        }
        let mut rows = Self { reader, row: Vec::new(), state: Row::Whole, ended: false };
        match rows.next_byte()? {
            Some(b'[') => {
                rows.reader.consume(1);
                Ok(rows)
            }
            None => Err(ImportError::InvalidFile { columns: String::new(), reason: Reason::EmptyFile }),
            Some(_) => Err(ImportError::InvalidFile { columns: String::new(), reason: Reason::NotAList }),
        }
    }

    /// Skips white space, and returns the next byte without consuming it.
    fn next_byte(&mut self) -> io::Result<Option<u8>> {
        loop {
            let buffer = self.reader.fill_buf()?;
            if buffer.is_empty() {
                return Ok(None);
            }
            let blank = buffer.iter().take_while(|byte| byte.is_ascii_whitespace()).count();
            let found = buffer.get(blank).copied();
            self.reader.consume(blank);
            if found.is_some() {
                return Ok(found);
            }
        }
    }

    fn advance(&mut self) -> io::Result<bool> {
        self.row.clear();
        self.state = Row::Whole;
        if self.ended {
            return Ok(false);
        }
        loop {
            match self.next_byte()? {
                Some(b',') => self.reader.consume(1),
                Some(b']') => {
                    self.reader.consume(1);
                    self.ended = true;
                    // Report content after the list, instead of ignoring it silently.
                    if self.next_byte()?.is_some() {
                        self.state = Row::Cut;
                        return Ok(true);
                    }
                    return Ok(false);
                }
                Some(_) => break,
                None => {
                    self.ended = true;
                    self.state = Row::Cut;
                    return Ok(true);
                }
            }
        }
        self.element()?;
        Ok(true)
    }

    /// Reads an element up to the comma or bracket after it.
    fn element(&mut self) -> io::Result<()> {
        let (mut depth, mut text, mut escaped) = (0_usize, false, false);
        loop {
            let buffer = self.reader.fill_buf()?;
            if buffer.is_empty() {
                if depth > 0 || text {
                    (self.ended, self.state) = (true, Row::Cut);
                }
                return Ok(());
            }
            let mut end = None;
            for (at, byte) in buffer.iter().enumerate() {
                if text {
                    (text, escaped) = match byte {
                        _ if escaped => (true, false),
                        b'\\' => (true, true),
                        b'"' => (false, false),
                        _ => (true, false),
                    };
                    continue;
                }
                match byte {
                    b'"' => text = true,
                    b'{' | b'[' => depth += 1,
                    b',' | b']' if depth == 0 => end = Some(at),
                    b'}' | b']' => depth = depth.saturating_sub(1),
                    _ => {}
                }
                if end.is_some() {
                    break;
                }
            }
            let taken = end.unwrap_or(buffer.len());
            append(&mut self.row, &mut self.state, buffer.get(..taken).unwrap_or_default());
            self.reader.consume(taken);
            if end.is_some() {
                return Ok(());
            }
        }
    }
}

#[cfg(test)]
mod tests;
