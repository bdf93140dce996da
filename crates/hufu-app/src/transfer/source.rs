//! The file to import: a fingerprint, so that an import is resumed only with the same file, and a check that
//! it is text.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};

use aws_lc_rs::digest;

use super::{Format, ImportError};

const BLOCK: usize = 256 * 1024;

/// What is known about a file before its first row is read.
pub(super) struct FileSummary {
    /// The format, and the SHA-256 of the content.
    pub(super) fingerprint: String,
    pub(super) bytes: u64,
}

/// Reads a file from beginning to end, and rewinds it.
///
/// # Errors
/// [`ImportError::NotUtf8`], or an I/O error.
pub(super) fn summarize(file: &mut File, format: Format) -> Result<FileSummary, ImportError> {
    file.seek(SeekFrom::Start(0))?;
    let mut digest = digest::Context::new(&digest::SHA256);
    let mut block = vec![0; BLOCK];
    // A character may span two blocks. Its first bytes are kept at the start of the buffer until the rest is
    // read.
    let mut held = 0;
    let mut bytes = 0_u64;
    loop {
        let count = read_some(file, block.get_mut(held..).unwrap_or_default())?;
        if count == 0 {
            break;
        }
        let end = held + count;
        digest.update(block.get(held..end).unwrap_or_default());
        let seen = block.get(..end).unwrap_or_default();
        if bytes == 0 && (seen.starts_with(&[0xff, 0xfe]) || seen.starts_with(&[0xfe, 0xff])) {
            return Err(ImportError::NotUtf8 { at: 0 });
        }
        let rest = match std::str::from_utf8(seen) {
            Ok(_) => end,
            Err(error) if error.error_len().is_none() => error.valid_up_to(),
            Err(error) => {
                let before = u64::try_from(held).unwrap_or_default();
                let at = u64::try_from(error.valid_up_to()).unwrap_or_default();
                return Err(ImportError::NotUtf8 { at: (bytes + at).saturating_sub(before) });
            }
        };
        bytes += u64::try_from(count).unwrap_or_default();
        block.copy_within(rest..end, 0);
        held = end - rest;
    }
    if held > 0 {
        return Err(ImportError::NotUtf8 { at: bytes });
    }
    file.seek(SeekFrom::Start(0))?;
    let fingerprint = format!("{} sha256:{}", format.as_str(), hex::encode(digest.finish()));
    Ok(FileSummary { fingerprint, bytes })
}

fn read_some(file: &mut File, block: &mut [u8]) -> io::Result<usize> {
    loop {
        match file.read(block) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn surveyed(content: &[u8]) -> Result<FileSummary, ImportError> {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(content).unwrap();
        summarize(&mut file, Format::Csv)
    }

    #[test]
    fn characters_lie_across_blocks() {
        for before in BLOCK - 4..=BLOCK {
            let text = format!("{}{}", "a".repeat(before), "虎".repeat(BLOCK));
            assert_eq!(surveyed(text.as_bytes()).ok().unwrap().bytes, u64::try_from(text.len()).unwrap());
        }
    }

    #[test]
    fn what_is_no_text_is_refused() {
        // A GBK name after `username`; UTF-16; an incomplete character at the end.
        for (content, place) in
            [(&b"username\n\xc0\xcf\xbb\xa2"[..], 9), (b"\xff\xfeu\0s\0", 0), (b"username\n\xe8\x99", 11)]
        {
            assert!(
                matches!(surveyed(content), Err(ImportError::NotUtf8 { at }) if at == place),
                "{content:?}"
            );
        }
    }

    #[test]
    fn the_fingerprint_is_of_every_byte() {
        let print = |content: &[u8]| surveyed(content).ok().unwrap().fingerprint;
        assert_eq!(
            print(b"abc"),
            "csv sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
        let [mut one, mut other] = [vec![b'a'; 3 * BLOCK], vec![b'a'; 3 * BLOCK]];
        one[BLOCK] = b'b';
        assert_ne!(print(&one), print(&other));
        other[BLOCK] = b'b';
        assert_eq!(print(&one), print(&other));
    }
}
