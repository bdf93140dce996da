//! What a connection may have besides the fields of its kind. None of it is secret.

use serde::{Deserialize, Serialize};

use crate::client_check::{check_list, check_optional_address, redirect_problem};
use crate::settings_check::Problems;
use crate::{ConnectionKind, SettingProblem};

/// What a connection may have besides the fields of its kind. None of it is secret.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ConnectionExtras {
    /// The picture on its login button: an https address. Absent: the source's own.
    pub logo: Option<String>,
    /// The file by which WeChat recognizes the owner of this host.
    pub verification_file: Option<VerificationFile>,
    /// Addresses that a login may return to with its result, beside the redirect URIs of the application.
    pub callback: Vec<String>,
    /// Whether that result holds the user with their token. Otherwise it holds a ticket for them.
    pub return_user: bool,
}

/// A file at the root of this host, by which WeChat recognizes its owner.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct VerificationFile {
    /// The name, for example `MP_verify_0123456789abcdef.txt`. Unique in the instance, because the host is.
    pub name: String,
    /// The content.
    pub content: String,
}

impl VerificationFile {
    /// The most characters of the content. WeChat's are 16 or 32.
    pub const LONGEST: usize = 256;

    /// Whether a file may have this name: 8 to 32 letters and digits with `.txt`, behind `MP_verify_` for an official
    /// account and `WW_verify_` for WeCom.
    pub fn is_name(name: &str) -> bool {
        let Some(stem) = name.strip_suffix(".txt") else { return false };
        let stem = ["MP_verify_", "WW_verify_"].iter().find_map(|of| stem.strip_prefix(of)).unwrap_or(stem);
        (8..=32).contains(&stem.len()) && stem.bytes().all(|byte| byte.is_ascii_alphanumeric())
    }

    fn check(&self, problems: &mut Problems) {
        if !Self::is_name(&self.name) {
            let rule = "write the name of the file as WeChat gave it, such as MP_verify_0123456789abcdef.txt";
            problems.add("verification_file.name", format!("not valid — {rule}"));
        }
        let fits = (1..=Self::LONGEST).contains(&self.content.len());
        if !fits || !self.content.bytes().all(|byte| byte.is_ascii_graphic()) {
            let rule = format!("write 1 to {} printable ASCII characters without spaces", Self::LONGEST);
            problems.add("verification_file.content", format!("not valid — {rule}"));
        }
    }
}

impl ConnectionExtras {
    /// The problems of these for a connection of this kind.
    pub fn problems(&self, kind: ConnectionKind) -> Vec<SettingProblem> {
        let mut problems = Problems::default();
        check_optional_address(&mut problems, "logo", self.logo.as_deref());
        if let Some(file) = &self.verification_file {
            file.check(&mut problems);
        }
        check_list(&mut problems, "callback", &self.callback, redirect_problem);
        let set = [("callback", !self.callback.is_empty()), ("return_user", self.return_user)];
        for (name, _) in set.iter().filter(|(_, is_set)| *is_set && !kind.has_callback()) {
            let reason =
                format!("a login through {} does not return to an address — take it out", kind.as_str());
            problems.add(name, reason);
        }
        problems.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_files() {
        for good in ["MP_verify_0123456789abcdef.txt", "WW_verify_0123456789abcdef.txt", "QUxp4PS6fh.txt"] {
            assert!(VerificationFile::is_name(good), "{good}");
        }
        let long = format!("{}.txt", "a".repeat(33));
        for bad in ["", ".txt", "robots.txt", "MP_verify_.txt", "../0123456789.txt", "0123456789.html", &long]
        {
            assert!(!VerificationFile::is_name(bad), "{bad}");
        }
    }

    #[test]
    fn problems_are_told_by_their_path() {
        let extras = ConnectionExtras {
            logo: Some("javascript:alert(1)".to_owned()),
            verification_file: Some(VerificationFile { name: "x".to_owned(), content: "a b".to_owned() }),
            callback: vec!["https://a.example/#x".to_owned()],
            return_user: true,
        };
        let problems = extras.problems(ConnectionKind::WechatMobile);
        let paths: Vec<_> = problems.iter().map(|problem| problem.path.as_str()).collect();
        let expected = [
            "logo",
            "verification_file.name",
            "verification_file.content",
            "callback.0",
            "callback",
            "return_user",
        ];
        assert_eq!(paths, expected);
        assert!(ConnectionExtras::default().problems(ConnectionKind::WechatMobile).is_empty());
    }
}
