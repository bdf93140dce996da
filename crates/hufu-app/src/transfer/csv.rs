//! CSV (RFC 4180), as spreadsheets read and write it.
//!
//! Spreadsheets treat a cell that starts with `=`, `+`, `-` or `@` as a formula, whoever wrote it; some take the
//! full-width forms of these signs for them. Such cells are written with a leading apostrophe, and reading removes it.

use std::io::{self, BufRead};

use csv_core::{ReadRecordResult, Reader};
use serde_json::Value;

use super::ImportError;
use super::reader::{Fields, LONGEST_ROW, Row};
use hufu_types::refusal::Reason;

/// The maximum number of columns.
const MAX_COLUMNS: usize = 1024;

/// The rows of a CSV file. The first row has the column names.
pub(super) struct CsvRows<R> {
    reader: R,
    parser: Reader,
    columns: Vec<String>,
    cells: Vec<u8>,
    ends: Vec<usize>,
    used: usize,
    state: Row,
}

impl<R: BufRead> CsvRows<R> {
    pub(super) fn open(mut reader: R) -> Result<Self, ImportError> {
        if reader.fill_buf()?.starts_with(b"\xef\xbb\xbf") {
            reader.consume(3);
        }
        let mut rows = Self {
            reader,
            parser: Reader::new(),
            columns: Vec::new(),
            cells: vec![0; LONGEST_ROW],
            ends: vec![0; MAX_COLUMNS],
            used: 0,
            state: Row::Whole,
        };
        if !rows.advance()? {
            return Err(ImportError::InvalidFile { columns: String::new(), reason: Reason::EmptyFile });
        }
        let header = rows.state.check().and_then(|()| rows.texts());
        let mut columns: Vec<String> = Vec::new();
        for column in header
            .map_err(|_| ImportError::InvalidFile { columns: String::new(), reason: Reason::NotARow })?
        {
            let column = column.trim().to_owned();
            if columns.contains(&column) {
                return Err(ImportError::InvalidFile {
                    columns: shown(&column),
                    reason: Reason::ColumnTwice,
                });
            }
            columns.push(column);
        }
        rows.columns = columns;
        Ok(rows)
    }

    /// The names of the columns.
    pub(super) fn columns(&self) -> &[String] {
        &self.columns
    }

    pub(super) fn len(&self) -> usize {
        self.ends.get(..self.used).and_then(<[usize]>::last).copied().unwrap_or_default()
    }

    pub(super) fn advance(&mut self) -> io::Result<bool> {
        let mut length = 0;
        // Buffers for discarding the rest of a row that is too long.
        let (mut waste, mut ends_of_waste) = ([0; 4096], [0; 64]);
        self.used = 0;
        self.state = Row::Whole;
        loop {
            let input = self.reader.fill_buf()?;
            let (result, read) = if self.state == Row::Whole {
                let cells = self.cells.get_mut(length..).unwrap_or_default();
                let ends = self.ends.get_mut(self.used..).unwrap_or_default();
                let (result, read, written, ended) = self.parser.read_record(input, cells, ends);
                length += written;
                self.used += ended;
                (result, read)
            } else {
                let (result, read, ..) = self.parser.read_record(input, &mut waste, &mut ends_of_waste);
                (result, read)
            };
            self.reader.consume(read);
            match result {
                ReadRecordResult::InputEmpty => {}
                ReadRecordResult::OutputFull | ReadRecordResult::OutputEndsFull => self.state = Row::TooLong,
                ReadRecordResult::Record => return Ok(true),
                ReadRecordResult::End => return Ok(false),
            }
        }
    }

    pub(super) fn fields(&self) -> Result<Fields, String> {
        self.state.check()?;
        if self.used != self.columns.len() {
            return Err(format!(
                "the row has {} cells, and the header has {}",
                self.used,
                self.columns.len()
            ));
        }
        let filled = self.columns.iter().zip(self.texts()?).filter(|(_, text)| !text.is_empty());
        Ok(filled.map(|(column, text)| (column.clone(), Value::from(unescape_formula(text)))).collect())
    }

    fn texts(&self) -> Result<Vec<&str>, String> {
        let mut start = 0;
        let mut texts = Vec::with_capacity(self.used);
        for end in self.ends.get(..self.used).unwrap_or_default() {
            let cell = self.cells.get(start..*end).unwrap_or_default();
            texts.push(std::str::from_utf8(cell).map_err(|_| "a cell is not UTF-8".to_owned())?);
            start = *end;
        }
        Ok(texts)
    }
}

/// A column name for messages.
pub(super) fn shown(name: &str) -> String {
    let cut: String = name.chars().filter(|c| !c.is_control()).take(64).collect();
    format!("`{cut}`")
}

/// Whether a spreadsheet would treat the text as a formula. Leading apostrophes are ignored.
fn is_formula(text: &str) -> bool {
    text.trim_start_matches('\'').starts_with(['=', '+', '-', '@', '＝', '＋', '－', '＠', '\t', '\r', '\n'])
}

/// The text of a cell before it was escaped.
fn unescape_formula(cell: &str) -> &str {
    cell.strip_prefix('\'').filter(|_| is_formula(cell)).unwrap_or(cell)
}

/// Writes a row, and escapes the cells that a spreadsheet would treat as formulas.
pub(super) fn write_row<'a>(
    to: &mut impl io::Write,
    cells: impl IntoIterator<Item = &'a str>,
) -> io::Result<()> {
    for (index, cell) in cells.into_iter().enumerate() {
        if index > 0 {
            to.write_all(b",")?;
        }
        let harmless = if is_formula(cell) { "'" } else { "" };
        if cell.contains(['"', ',', '\n', '\r']) || cell.trim() != cell {
            write!(to, "\"{harmless}{}\"", cell.replace('"', "\"\""))?;
        } else {
            write!(to, "{harmless}{cell}")?;
        }
    }
    to.write_all(b"\r\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(text: &str, buffer: usize) -> Vec<Result<Fields, String>> {
        let reader = io::BufReader::with_capacity(buffer, text.as_bytes());
        let mut rows = CsvRows::open(reader).ok().unwrap();
        let mut all = Vec::new();
        while rows.advance().unwrap() {
            all.push(rows.fields());
        }
        all
    }

    #[test]
    fn quoted_cells_marks_and_line_ends() {
        let text = "\u{feff}username,nickname\r\nbob,\"a, \"\"b\"\"\nc\"\r\n\r\n小明,\nlast,one";
        for buffer in [8, 9, 13, 8192] {
            let rows = rows(text, buffer);
            let shown: Vec<_> = rows.into_iter().map(|row| Value::Object(row.unwrap()).to_string()).collect();
            assert_eq!(
                shown,
                [
                    r#"{"nickname":"a, \"b\"\nc","username":"bob"}"#,
                    r#"{"username":"小明"}"#,
                    r#"{"nickname":"one","username":"last"}"#
                ]
            );
        }
    }

    #[test]
    fn rows_that_are_too_long_or_crooked_leave_the_others_whole() {
        let long = "x".repeat(LONGEST_ROW + 1);
        let commas = ",".repeat(MAX_COLUMNS + 7);
        let text = format!("username\nfirst\n{long}\nsecond\n{commas}\nthird\na,b\nfourth\n");
        let rows = rows(&text, 4096);
        let names: Vec<_> = rows.iter().flatten().map(|row| row["username"].as_str().unwrap()).collect();
        assert_eq!(names, ["first", "second", "third", "fourth"]);
        assert!(rows[1].as_ref().unwrap_err().contains("longer"));
        assert!(rows[3].as_ref().unwrap_err().contains("longer"));
        assert_eq!(rows[5].as_ref().unwrap_err(), "the row has 2 cells, and the header has 1");
    }

    #[test]
    fn formulas_are_harmless_and_come_back() {
        let texts = [
            "=1+1",
            "+8613800000000",
            "-x",
            "@sum",
            "'=x",
            "''+",
            "'plain",
            "plain",
            "\tx",
            "＝1+1",
            "＋1",
            "－1",
            "＠sum",
            "'＝x",
            "\n=1",
            " a ",
            "\"",
            "a\nb",
        ];
        for text in texts {
            let mut written = Vec::new();
            write_row(&mut written, [text, "end"]).unwrap();
            let written = format!("a,b\r\n{}", String::from_utf8(written).unwrap());
            let cell = written.split_once("\r\n").unwrap().1.trim_start_matches('"');
            assert!(!cell.starts_with(['=', '+', '-', '@', '＝', '＋', '－', '＠', '\t', '\n']), "{written}");
            assert_eq!(rows(&written, 64)[0].as_ref().unwrap()["a"], text, "{written}");
        }
    }

    #[test]
    fn columns_stand_once() {
        for bad in ["", "a,b,a\n"] {
            assert!(CsvRows::open(bad.as_bytes()).is_err(), "{bad:?}");
        }
    }
}
