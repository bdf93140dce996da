//! Answers of the API that were saved to files, and exports of users.
//!
//! What a file holds is told by its first object: an application has an `appId`, a source `connections`, a custom field a
//! `dataType`; everything else is a user. Files of users are read row by row, as lists, lines or CSV. A single answer
//! (`{"statusCode": 200, "data": …}`) is read as a whole.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{BufReader, Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

use aws_lc_rs::digest;
use serde_json::Value;

use super::super::reader::{Fields, Rows};
use super::super::{Format, ImportError, source};
use super::limits::LONGEST_ANSWER;
use super::{Answers, MoveError};

/// What an object describes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Holds {
    Fields,
    Sources,
    Applications,
    Users,
}

impl Holds {
    fn of(object: &Fields) -> Self {
        if object.contains_key("appId") && (object.contains_key("appName") || object.contains_key("appType"))
        {
            Self::Applications
        } else if object.contains_key("connections") {
            Self::Sources
        } else if object.contains_key("dataType") && object.contains_key("key") {
            Self::Fields
        } else {
            Self::Users
        }
    }
}

enum UserFile {
    Rows(PathBuf, Format),
    Held(VecDeque<Fields>),
}

enum Open {
    Rows(Rows<BufReader<File>>),
    Held(VecDeque<Fields>),
}

/// The files of a move.
pub(super) struct Files {
    files: VecDeque<UserFile>,
    open: Option<Open>,
    /// The SHA-256 of all of them.
    pub(super) fingerprint: String,
    /// Their names.
    pub(super) name: String,
}

impl Files {
    /// Looks through the files, and reads what is not about users.
    pub(super) fn open(paths: &[PathBuf]) -> Result<(Self, Answers), MoveError> {
        let mut answers = Answers::default();
        let mut files = VecDeque::new();
        let mut fingerprint = digest::Context::new(&digest::SHA256);
        let mut names = Vec::new();
        for path in paths {
            let within = |source: ImportError| MoveError::File { path: path.display().to_string(), source };
            let path = path.canonicalize().map_err(|error| within(error.into()))?;
            let format = path.extension().and_then(|ending| ending.to_str()).and_then(Format::parse);
            let Some(format) = format else {
                return Err(MoveError::Ending { path: path.display().to_string() });
            };
            names.push(path.display().to_string());
            let mut file = File::open(&path).map_err(|error| within(error.into()))?;
            let summary = source::summarize(&mut file, format).map_err(within)?;
            fingerprint.update(summary.fingerprint.as_bytes());
            if format == Format::Json
                && first_byte(&mut file).map_err(|error| within(error.into()))? == Some(b'{')
            {
                let objects = read_answer(&mut file, summary.bytes).map_err(within)?;
                let mut users = VecDeque::new();
                for object in objects {
                    match Holds::of(&object) {
                        Holds::Users => users.push_back(object),
                        other => answers.put(other, object),
                    }
                }
                files.push_back(UserFile::Held(users));
            } else if holds_users(&path, format).map_err(within)? {
                files.push_back(UserFile::Rows(path, format));
            } else {
                let mut rows = Rows::open(BufReader::new(file), format).map_err(within)?;
                while rows.advance().map_err(|error| within(error.into()))? {
                    let Ok(object) = rows.fields() else { return Err(within(not_json())) };
                    answers.put(Holds::of(&object), object);
                }
            }
        }
        let fingerprint = format!("authing sha256:{}", hex::encode(fingerprint.finish()));
        Ok((Self { files, open: None, fingerprint, name: names.join(" ") }, answers))
    }

    /// The next user. Reads the disk, so only a command should call it.
    pub(super) fn next_user(&mut self) -> Result<Option<Result<Fields, String>>, ImportError> {
        loop {
            let user = match &mut self.open {
                Some(Open::Held(users)) => users.pop_front().map(Ok),
                Some(Open::Rows(rows)) => rows.advance()?.then(|| rows.fields()),
                None => None,
            };
            if user.is_some() {
                return Ok(user);
            }
            self.open = match self.files.pop_front() {
                None => return Ok(None),
                Some(UserFile::Held(users)) => Some(Open::Held(users)),
                Some(UserFile::Rows(path, format)) => {
                    Some(Open::Rows(Rows::open(BufReader::new(File::open(path)?), format)?))
                }
            };
        }
    }
}

impl Answers {
    fn put(&mut self, holds: Holds, object: Fields) {
        match holds {
            Holds::Fields => self.fields.push(object),
            Holds::Sources => self.sources.push(object),
            // A list of users that begins with something else is not one of users.
            Holds::Applications | Holds::Users => self.applications.push(object),
        }
    }
}

fn not_json() -> ImportError {
    ImportError::File(std::io::Error::new(std::io::ErrorKind::InvalidData, "it is no JSON of this API"))
}

fn first_byte(file: &mut File) -> std::io::Result<Option<u8>> {
    let mut start = [0; 64];
    let count = file.read(&mut start)?;
    file.seek(SeekFrom::Start(0))?;
    let start = start.get(..count).unwrap_or_default();
    let start = start.strip_prefix(b"\xef\xbb\xbf").unwrap_or(start);
    Ok(start.iter().copied().find(|byte| !byte.is_ascii_whitespace()))
}

/// Whether the first object of a file is a user.
fn holds_users(path: &Path, format: Format) -> Result<bool, ImportError> {
    if format == Format::Csv {
        return Ok(true);
    }
    let mut rows = Rows::open(BufReader::new(File::open(path)?), format)?;
    Ok(!rows.advance()? || rows.fields().map_or(true, |first| Holds::of(&first) == Holds::Users))
}

/// The objects of a single answer.
fn read_answer(file: &mut File, bytes: u64) -> Result<Vec<Fields>, ImportError> {
    if bytes > LONGEST_ANSWER {
        let text = "an answer of more than 64 MiB: save it as JSON Lines, or its list alone";
        return Err(ImportError::File(std::io::Error::new(std::io::ErrorKind::InvalidData, text)));
    }
    let mut text = String::new();
    file.read_to_string(&mut text)?;
    let answer: Value = serde_json::from_str(text.trim_start_matches('\u{feff}')).map_err(|_| not_json())?;
    let Value::Object(mut answer) = answer else { return Err(not_json()) };
    let is_answer = answer.contains_key("statusCode") || answer.contains_key("data");
    let data = if is_answer { answer.remove("data").unwrap_or(Value::Null) } else { Value::Object(answer) };
    let data = match data {
        Value::Object(mut object) if object.get("list").is_some_and(Value::is_array) => {
            object.remove("list").unwrap_or(Value::Null)
        }
        other => other,
    };
    let list = match data {
        Value::Array(list) => list,
        Value::Null => Vec::new(),
        one => vec![one],
    };
    let objects = list.into_iter().map(|object| match object {
        Value::Object(object) => Ok(object),
        _ => Err(not_json()),
    });
    objects.collect()
}
