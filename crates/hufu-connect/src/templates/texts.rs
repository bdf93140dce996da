//! The built-in texts. Each language has one frame, into which a word or two per purpose are inserted.

use hufu_types::Language;

use super::{AddedWay, TemplateKind, escape};

/// The texts for one purpose in one language, with their placeholders.
pub(super) struct Texts {
    pub(super) subject: String,
    pub(super) text: String,
    pub(super) html: String,
    pub(super) sms: String,
}

/// The built-in texts.
pub(super) fn built_in(kind: TemplateKind, language: Language) -> Texts {
    let Some(purpose) = purpose(kind, language) else { return notice(language) };
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

/// Tells of a new way to log in.
fn notice(language: Language) -> Texts {
    let (subject, news, advice, sms) = match language {
        Language::SimplifiedChinese => (
            "{app}：你的账号新增了登录方式",
            "你在 {app} 的账号新增了登录方式：{way}。",
            "如果是你本人操作，无需处理。如果不是，请立即登录账号，移除这个登录方式，退出其他设备，并联系 {app}。",
            "【{app}】你的账号新增了登录方式：{way}。如非本人操作，请立即登录账号检查。",
        ),
        Language::TraditionalChinese => (
            "{app}：你的帳號新增了登入方式",
            "你在 {app} 的帳號新增了登入方式：{way}。",
            "如果是你本人操作，無需處理。如果不是，請立即登入帳號，移除這個登入方式，登出其他裝置，並聯絡 {app}。",
            "【{app}】你的帳號新增了登入方式：{way}。如非本人操作，請立即登入帳號檢查。",
        ),
        Language::English => (
            "{app}: a way to log in was added to your account",
            "A way to log in was added to your account at {app}: {way}.",
            "If this was you, there is nothing to do. If not, log in now, remove it, end your other sessions, and contact {app}.",
            "{app}: a way to log in was added to your account: {way}. Not you? Log in now and check.",
        ),
        Language::Japanese => (
            "{app}：アカウントにログイン方法が追加されました",
            "{app} のアカウントにログイン方法が追加されました：{way}。",
            "ご本人の操作であれば、対応は不要です。お心当たりがない場合は、すぐにログインしてこのログイン方法を削除し、ほかの端末をログアウトして、{app} にご連絡ください。",
            "【{app}】ログイン方法が追加されました：{way}。お心当たりがない場合は、すぐにログインしてご確認ください。",
        ),
    };
    Texts {
        subject: subject.to_owned(),
        text: format!("{news}\n\n{advice}\n"),
        html: page(language, &format!("<p>{news}</p><p>{advice}</p>")),
        sms: sms.to_owned(),
    }
}

/// What was added, in a language.
pub(super) fn way(way: AddedWay, language: Language) -> &'static str {
    let words = match way {
        AddedWay::Identity => ["微信", "微信", "WeChat", "WeChat"],
        AddedWay::Phone => ["手机号", "手機號碼", "a phone number", "電話番号"],
        AddedWay::Email => ["邮箱", "電子郵件", "an e-mail address", "メールアドレス"],
        AddedWay::Username => ["用户名", "使用者名稱", "a username", "ユーザー名"],
        AddedWay::Password => ["密码", "密碼", "a password", "パスワード"],
        AddedWay::Account => ["合并的另一个账号", "合併的另一個帳號", "another account", "別のアカウント"],
    };
    in_language(language, words)
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
/// 验证码 follows it; a noun in Japanese; a verb in English. None for a message without a code.
fn purpose(kind: TemplateKind, language: Language) -> Option<&'static str> {
    use TemplateKind as Kind;

    let words = match kind {
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
        Kind::NewWayIn => return None,
    };
    Some(in_language(language, words))
}

const fn in_language(
    language: Language,
    [simplified, traditional, english, japanese]: [&'static str; 4],
) -> &'static str {
    match language {
        Language::SimplifiedChinese => simplified,
        Language::TraditionalChinese => traditional,
        Language::English => english,
        Language::Japanese => japanese,
    }
}
