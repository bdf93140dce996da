//! The mail that invites somebody to be an administrator. No pool replaces its texts: it is the instance's own.

use hufu_types::{Email, Language};
use secrecy::SecretString;

use crate::Mail;

/// What an invitation says.
#[derive(Clone, Copy, Debug)]
pub struct Invitation<'a> {
    /// The name of the pool; `None` for all pools.
    pub pool: Option<&'a str>,
    /// The link, which is good once.
    pub link: &'a str,
    /// For how many hours it is good.
    pub hours: u64,
}

/// The mail with an invitation, in a language.
pub fn invitation(to: Email, language: Language, invitation: Invitation<'_>) -> Mail {
    let Invitation { pool, link, hours } = invitation;
    let (subject, text) = match language {
        Language::SimplifiedChinese => {
            let pool = pool.map_or_else(|| "所有用户池".to_owned(), |pool| format!("用户池「{pool}」"));
            (
                format!("邀请你管理{pool}"),
                format!(
                    "你被邀请成为{pool}的管理员。请打开此链接接受邀请：\n\n{link}\n\n链接只能使用一次，{hours} 小时内有效。如果你不认识邀请人，请忽略此邮件。"
                ),
            )
        }
        Language::TraditionalChinese => {
            let pool = pool.map_or_else(|| "所有使用者池".to_owned(), |pool| format!("使用者池「{pool}」"));
            (
                format!("邀請你管理{pool}"),
                format!(
                    "你被邀請成為{pool}的管理員。請開啟此連結接受邀請：\n\n{link}\n\n連結只能使用一次，{hours} 小時內有效。如果你不認識邀請人，請忽略此郵件。"
                ),
            )
        }
        Language::English => {
            let pool =
                pool.map_or_else(|| "all user pools".to_owned(), |pool| format!("the user pool “{pool}”"));
            (
                format!("An invitation to administer {pool}"),
                format!(
                    "You are invited to be an administrator of {pool}. Open this link to accept:\n\n{link}\n\nIt works once, within {hours} hours. If you do not know who invites you, ignore this message."
                ),
            )
        }
        Language::Japanese => {
            let pool = pool.map_or_else(
                || "すべてのユーザープール".to_owned(),
                |pool| format!("ユーザープール「{pool}」"),
            );
            (
                format!("{pool}の管理者への招待"),
                format!(
                    "{pool}の管理者に招待されています。次のリンクを開いて承諾してください。\n\n{link}\n\nリンクは一度だけ、{hours} 時間以内に使えます。招待者に心当たりがない場合は、このメールを無視してください。"
                ),
            )
        }
    };
    let subject = subject.replace(char::is_control, " ");
    Mail { to, subject, text, html: None, code: Some(SecretString::from(link)) }
}
