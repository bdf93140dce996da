//! Checks of single fields in WeChat's responses.

/// The longest accepted openid and unionid, in bytes. WeChat documents 28.
pub(crate) const LONGEST_ID: usize = 128;
/// The longest accepted token or ticket, in bytes. WeChat documents 512.
pub(crate) const LONGEST_TOKEN: usize = 2048;

/// A required text of visible ASCII characters.
pub(crate) fn printable(text: Option<String>, longest: usize) -> Option<String> {
    text.filter(|text| text.len() <= longest && text.bytes().all(|byte| byte.is_ascii_graphic()))
}

/// An optional id. Returns an error if it is invalid.
pub(crate) fn given(id: Option<String>, field: &'static str) -> Result<Option<String>, &'static str> {
    match id {
        None => Ok(None),
        id => printable(id, LONGEST_ID).map(Some).ok_or(field),
    }
}
