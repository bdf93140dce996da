//! The built-in texts. Each language has one frame, into which a word or two per purpose are inserted.

use hufu_types::Language;

use super::{TemplateKind, escape};

/// The texts for one purpose in one language, with their placeholders.
pub(super) struct Texts {
    pub(super) subject: String,
    pub(super) text: String,
    pub(super) html: String,
    pub(super) sms: String,
}

/// The built-in texts.
pub(super) fn built_in(kind: TemplateKind, language: Language) -> Texts {
    let purpose = purpose(kind, language);
    let frame = frame(language);
    let put = |text: &str| text.replace("{purpose}", purpose);
    let (intro, good_for, warning) = (put(frame.intro), frame.good_for, frame.warning);
    let html = format!(
        "<p>{}</p>\
         <p style=\"margin:24px 0;font-size:32px;font-weight:600;letter-spacing:6px\">{{code}}</p>\
         <p>{good_for}</p>\
         <p style=\"color:#6b7280;font-size:13px\">{warning}</p>",
        escape(&intro),
    );
    Texts {
        subject: put(frame.subject),
        text: format!("{intro}\n\n    {{code}}\n\n{good_for}\n\n{warning}\n"),
        html: page(language, &html),
        sms: put(frame.sms),
    }
}

/// A complete HTML page for a mail. It uses inline styles, which mail programs support best, and no images.
pub(super) fn page(language: Language, content: &str) -> String {
    format!(
        "<!doctype html><html lang=\"{}\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width\"></head>\
         <body style=\"margin:0;padding:32px 16px;font-family:system-ui,sans-serif;line-height:1.6\">\
         <div style=\"max-width:480px;margin:0 auto\">{content}</div></body></html>\n",
        language.tag()
    )
}

/// The sentences around a purpose.
struct Frame {
    subject: &'static str,
    intro: &'static str,
    good_for: &'static str,
    warning: &'static str,
    sms: &'static str,
}

fn frame(language: Language) -> Frame {
    match language {
        Language::SimplifiedChinese => Frame {
            subject: "{app}：{purpose}验证码",
            intro: "你正在 {app} 进行「{purpose}」操作，验证码是：",
            good_for: "{minutes} 分钟内有效，仅可使用一次。",
            warning: "请勿将验证码告诉任何人。如非本人操作，请忽略这封邮件，你的账号不会受到影响。",
            sms: "【{app}】{purpose}验证码：{code}，{minutes} 分钟内有效。请勿告诉他人；非本人操作请忽略。",
        },
        Language::TraditionalChinese => Frame {
            subject: "{app}：{purpose}驗證碼",
            intro: "你正在 {app} 進行「{purpose}」操作，驗證碼是：",
            good_for: "{minutes} 分鐘內有效，只能使用一次。",
            warning: "請勿將驗證碼告訴任何人。如非本人操作，請忽略這封郵件，你的帳號不會受到影響。",
            sms: "【{app}】{purpose}驗證碼：{code}，{minutes} 分鐘內有效。請勿告訴他人；非本人操作請忽略。",
        },
        Language::English => Frame {
            subject: "{app}: your code to {purpose}",
            intro: "Use this code to {purpose} at {app}:",
            good_for: "It works once and expires in {minutes} min.",
            warning: "Never share it with anyone. If you did not request it, ignore this message: your account is not affected.",
            sms: "{app}: {code} is your code to {purpose}. It expires in {minutes} min. Never share it.",
        },
        Language::Japanese => Frame {
            subject: "{app}：{purpose}の確認コード",
            intro: "{app} での操作：{purpose}。確認コードは次のとおりです。",
            good_for: "有効期間は {minutes} 分で、1 回だけ使えます。",
            warning: "このコードを他の人に教えないでください。お心当たりがない場合は、このメールを無視してください。アカウントに変更はありません。",
            sms: "【{app}】{purpose}の確認コード：{code}（{minutes} 分間有効）。他の人に教えないでください。",
        },
    }
}

/// The purpose of a code, in the form that the language's frame requires: in Chinese without 验证, since
/// 验证码 follows it; a noun in Japanese; a verb in English.
fn purpose(kind: TemplateKind, language: Language) -> &'static str {
    use TemplateKind as Kind;

    let [simplified, traditional, english, japanese] = match kind {
        Kind::Login => ["登录", "登入", "log in", "ログイン"],
        Kind::Register => ["注册账号", "註冊帳號", "create your account", "新規登録"],
        Kind::ResetPassword => ["重置密码", "重設密碼", "reset your password", "パスワードの再設定"],
        Kind::FirstLogin => ["首次登录", "首次登入", "log in for the first time", "初回ログイン"],
        Kind::BindPhone => ["绑定手机号", "綁定手機號碼", "add your phone number", "電話番号の登録"],
        Kind::UnbindPhone => {
            ["解绑手机号", "解除綁定手機號碼", "remove your phone number", "電話番号の登録解除"]
        }
        Kind::ChangePhone => ["更换手机号", "變更手機號碼", "change your phone number", "電話番号の変更"],
        Kind::BindEmail => ["绑定邮箱", "綁定電子郵件", "add your e-mail address", "メールアドレスの登録"],
        Kind::UnbindEmail => {
            ["解绑邮箱", "解除綁定電子郵件", "remove your e-mail address", "メールアドレスの登録解除"]
        }
        Kind::ChangeEmail => {
            ["更换邮箱", "變更電子郵件", "change your e-mail address", "メールアドレスの変更"]
        }
        Kind::VerifyEmail => {
            ["确认邮箱", "確認電子郵件", "verify your e-mail address", "メールアドレスの確認"]
        }
        Kind::CompleteProfile => ["完善资料", "完成個人資料", "complete your profile", "プロフィールの入力"],
        Kind::VerifyIdentity => ["确认身份", "確認身分", "confirm that it is you", "本人確認"],
        Kind::SecondFactor => ["完成登录", "完成登入", "finish logging in", "2 段階認証"],
        Kind::UnlockAccount => ["解锁账号", "解鎖帳號", "unlock your account", "アカウントのロック解除"],
        Kind::DeleteAccount => ["注销账号", "刪除帳號", "delete your account", "アカウントの削除"],
    };
    match language {
        Language::SimplifiedChinese => simplified,
        Language::TraditionalChinese => traditional,
        Language::English => english,
        Language::Japanese => japanese,
    }
}
