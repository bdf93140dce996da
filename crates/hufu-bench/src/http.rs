//! The part of HTTP/1.1 that the generator needs: requests that are written once and patched, and responses
//! with a `Content-Length`.

use std::fmt::Write as _;

use anyhow::{Context as _, Result, bail, ensure};

use crate::world::World;

/// The length of a WeChat login code.
pub(crate) const CODE_LENGTH: usize = 32;

/// A login as the mini program SDK sends it, with room for a code.
#[derive(Clone)]
pub(crate) struct LoginRequest {
    bytes: Vec<u8>,
    code_at: usize,
}

impl LoginRequest {
    pub(crate) fn new(host: &str, world: &World) -> LoginRequest {
        let World { pool, application, app_id, .. } = world;
        let body = format!(r#"{{"code":"{}"}}"#, "0".repeat(CODE_LENGTH));
        let mut text = String::new();
        // Writing to a string cannot fail.
        let _ = write!(
            text,
            "POST /connections/social/wechat-miniprogram/auth HTTP/1.1\r\n\
             host: {host}\r\n\
             content-type: application/json\r\n\
             content-length: {}\r\n\
             referer: https://servicewechat.com/{app_id}/1/page-frame.html\r\n\
             x-authing-request-from: wxapp\r\n\
             x-authing-sdk-version: wxapp:4.2.0\r\n\
             x-authing-userpool-id: {pool}\r\n\
             x-authing-app-id: {application}\r\n\r\n\
             {body}",
            body.len(),
        );
        let code_at = text.len() - CODE_LENGTH - 2;
        LoginRequest { bytes: text.into_bytes(), code_at }
    }

    /// The request with this code in it.
    pub(crate) fn with_code(&mut self, code: &str) -> &[u8] {
        let place = self.bytes.iter_mut().skip(self.code_at).take(CODE_LENGTH);
        place.zip(code.bytes()).for_each(|(to, from)| *to = from);
        &self.bytes
    }
}

/// Where the parts of a response are.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    status: u16,
    body_at: usize,
    /// The length of head and body.
    pub(crate) length: usize,
}

impl Answer {
    /// Parses the head of the bytes received so far. `None` while it is incomplete.
    pub(crate) fn read(bytes: &[u8]) -> Result<Option<Answer>> {
        let Some(head_length) = find(bytes, b"\r\n\r\n") else { return Ok(None) };
        let (head, _) = bytes.split_at(head_length);
        let head = std::str::from_utf8(head).context("the head of a response is not text")?;
        let mut lines = head.split("\r\n");
        let status_line = lines.next().unwrap_or_default();
        let status = status_line.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3)).unwrap_or_default();
        let status =
            status.parse().with_context(|| format!("{status_line:?} is no status line of HTTP/1.1"))?;
        let mut body_length: Option<usize> = None;
        for line in lines {
            let Some((name, value)) = line.split_once(':') else { bail!("{line:?} is no header") };
            if name.eq_ignore_ascii_case("content-length") {
                body_length = Some(value.trim().parse().context("content-length is not a number")?);
            } else if name.eq_ignore_ascii_case("connection") {
                ensure!(!value.trim().eq_ignore_ascii_case("close"), "the server closes the connection");
            }
        }
        let body_length =
            body_length.context("a response without Content-Length, which this generator cannot read")?;
        let body_at = head_length + 4;
        Ok(Some(Answer { status, body_at, length: body_at + body_length }))
    }

    /// Checks that this is a successful login: status 200, `code` 200, and a token.
    pub(crate) fn check_login(&self, bytes: &[u8]) -> Result<()> {
        let body = bytes.get(self.body_at..self.length).unwrap_or_default();
        let logged_in = find(body, br#""code":200"#).is_some() && find(body, br#""token":"ey"#).is_some();
        if self.status != 200 || !logged_in {
            // This is not a login, so it contains no token that must not be printed.
            let shown: String = String::from_utf8_lossy(body).chars().take(500).collect();
            bail!("a login was answered with status {} and {shown}", self.status);
        }
        Ok(())
    }

    /// Checks the status, and that the response contains this text.
    pub(crate) fn check(&self, bytes: &[u8], status: u16, proof: &str) -> Result<()> {
        if self.status != status || (!proof.is_empty() && find(bytes, proof.as_bytes()).is_none()) {
            let shown: String = String::from_utf8_lossy(bytes).chars().take(1500).collect();
            bail!("expected status {status} and {proof:?}, and received {shown}");
        }
        Ok(())
    }
}

/// What stands in a response after this text, up to a character that ends a value in JSON, an address or a header.
pub(crate) fn value_after<'b>(bytes: &'b [u8], before: &str) -> Option<&'b str> {
    let start = find(bytes, before.as_bytes())? + before.len();
    let rest = bytes.get(start..)?;
    let length = rest.iter().position(|byte| b"\"&;\r\n".contains(byte)).unwrap_or(rest.len());
    std::str::from_utf8(rest.get(..length)?).ok()
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    let first = *wanted.first()?;
    let mut from = 0;
    loop {
        // Few bytes equal the first one, so a quick scan skips most of the body.
        let at = from + bytes.get(from..)?.iter().position(|byte| *byte == first)?;
        if bytes.get(at..)?.starts_with(wanted) {
            return Some(at);
        }
        from = at + 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_takes_one_code_after_the_other() {
        let mut request = LoginRequest::new("127.0.0.1:3000", &World::default());
        for letter in ["a", "b"] {
            let code = letter.repeat(CODE_LENGTH);
            let text = String::from_utf8(request.with_code(&code).to_vec()).unwrap();
            let (head, body) = text.split_once("\r\n\r\n").unwrap();
            assert_eq!(body, format!(r#"{{"code":"{code}"}}"#));
            assert!(head.contains(&format!("content-length: {}", body.len())));
        }
    }

    #[test]
    fn an_answer_is_read_once_its_head_is_there() {
        let body = r#"{"code":200,"statusCode":200,"data":{"token":"eyJh"}}"#;
        let text = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\ndate: now\r\n\r\n{body}", body.len());
        assert_eq!(Answer::read(&text.as_bytes()[..30]).unwrap(), None);
        let answer = Answer::read(text.as_bytes()).unwrap().unwrap();
        assert_eq!(answer.length, text.len());
        answer.check_login(text.as_bytes()).unwrap();
    }

    #[test]
    fn values_are_found_in_heads_and_bodies() {
        let text = b"location: https://a/?state=x&code=hfa_1&iss=y\r\nset-cookie: a=b; Path=/\r\n\r\n{\"token\":\"ey\"}";
        for (before, value) in
            [("code=", "hfa_1"), ("iss=", "y"), ("set-cookie: a=", "b"), ("\"token\":\"", "ey")]
        {
            assert_eq!(value_after(text, before), Some(value));
        }
        assert_eq!(value_after(text, "refresh"), None);
    }

    #[test]
    fn what_is_no_login_fails() {
        for body in [r#"{"code":500,"message":"busy","data":{"token":"eyJh"}}"#, r#"{"code":200,"data":{}}"#]
        {
            let text = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len());
            let answer = Answer::read(text.as_bytes()).unwrap().unwrap();
            answer.check_login(text.as_bytes()).unwrap_err();
        }
        for head in [
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n",
            "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n",
            "hello\r\n\r\n",
        ] {
            Answer::read(head.as_bytes()).unwrap_err();
        }
    }
}
