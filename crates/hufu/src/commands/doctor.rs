//! `hufu doctor`

use std::process::ExitCode;

use anyhow::{Context as _, bail};
use clap::Args;
use hufu_app::App;
use hufu_app::doctor::{Check, CheckedConnection, Finding, Severity};
use hufu_types::doctor::{Explanation, explain, meaning_of, meaning_when_fetching_tokens};
use hufu_types::{Language, PoolId};
use serde_json::{Value, json};

use super::ConfigFlag;
use super::serve::parts;
use crate::instance::Instance;
use crate::output::say;

/// Check a pool's connections against WeChat: what is wrong, what it breaks, and how to mend it. Ends with 1 if there is
/// an error. The calls count towards the apps' quotas.
#[derive(Args)]
pub(crate) struct Doctor {
    /// The user pool's id.
    #[arg(long, required_unless_present = "explain")]
    pool: Option<String>,
    /// Check only this connection: its identifier.
    #[arg(long, value_name = "IDENTIFIER")]
    connection: Option<String>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
    /// Explain one of WeChat's error codes instead, such as 40164.
    #[arg(long, value_name = "CODE", allow_negative_numbers = true, conflicts_with_all = ["pool", "connection", "json"])]
    explain: Option<i64>,
    /// The language: zh-CN or en. Default: that of the environment (LC_ALL, LC_MESSAGES, LANG), else English.
    #[arg(long, value_name = "LANGUAGE")]
    lang: Option<String>,
    #[command(flatten)]
    config: ConfigFlag,
}

impl Doctor {
    pub(crate) async fn run(self) -> anyhow::Result<ExitCode> {
        let language = self.language()?;
        if let Some(code) = self.explain {
            return Ok(explain_code(code, language));
        }
        let pool = PoolId::parse(self.pool.as_deref().unwrap_or_default()).context("--pool")?;
        let config = self.config.read()?;
        let instance = Instance::open(&config.database, &config.key).await?;
        let store = instance.store.clone();
        let app = App::start(parts(&config, instance, None)?).await?;
        let checked = self.check(&app, &pool).await?;
        drop(app);
        store.close().await;
        let worst = checked.iter().map(CheckedConnection::severity).max().unwrap_or(Severity::Ok);
        if self.json {
            say!("{:#}", as_json(&pool, &checked, worst, language));
        } else {
            print(&checked, language);
        }
        Ok(if worst == Severity::Error { ExitCode::FAILURE } else { ExitCode::SUCCESS })
    }

    fn language(&self) -> anyhow::Result<Language> {
        let of_environment = || {
            let set = ["LC_ALL", "LC_MESSAGES", "LANG"].iter().filter_map(|name| std::env::var(name).ok());
            let locale = set.into_iter().find(|locale| !locale.is_empty())?;
            Language::of_tag(locale.split('.').next()?)
        };
        let language = match &self.lang {
            Some(tag) => Language::of_tag(tag).context("--lang must be zh-CN or en")?,
            None => of_environment().unwrap_or(Language::English),
        };
        Ok(language.for_integrators())
    }

    async fn check(&self, app: &App, pool: &PoolId) -> anyhow::Result<Vec<CheckedConnection>> {
        let config = app.config();
        if !config.has_pool(pool) {
            bail!("there is no user pool {pool}");
        }
        let is_asked = |identifier: &str| self.connection.as_deref().is_none_or(|asked| asked == identifier);
        let asked: Vec<_> =
            config.connections(pool).iter().filter(|c| is_asked(c.identifier.as_str())).collect();
        if let (Some(identifier), true) = (&self.connection, asked.is_empty()) {
            bail!("the user pool has no connection {identifier}");
        }
        let mut checked = Vec::with_capacity(asked.len());
        for connection in asked {
            checked.push(app.check_connection(connection).await?);
        }
        Ok(checked)
    }
}

fn as_json(pool: &PoolId, checked: &[CheckedConnection], worst: Severity, language: Language) -> Value {
    let finding = |finding: &Finding| {
        let Explanation { message, breaks, mend } = finding.explain(language);
        json!({
            "check": finding.check.as_str(), "severity": finding.severity.as_str(), "finding": finding.key,
            "message": message, "breaks": breaks, "mend": mend, "errcode": finding.errcode, "rid": finding.rid,
        })
    };
    let connection = |checked: &CheckedConnection| {
        json!({
            "identifier": checked.connection.identifier.as_str(),
            "type": checked.connection.kind.as_str(),
            "appId": checked.app_id(),
            "severity": checked.severity().as_str(),
            "findings": checked.findings.iter().map(finding).collect::<Vec<_>>(),
        })
    };
    let connections: Vec<_> = checked.iter().map(connection).collect();
    json!({ "pool": pool.as_str(), "severity": worst.as_str(), "connections": connections })
}

/// The words around the findings.
struct Words {
    severities: [&'static str; 4],
    check: fn(Check) -> &'static str,
    breaks: &'static str,
    mend: &'static str,
    none: &'static str,
    /// In place of the AppID of a connection without one.
    shared: &'static str,
}

const fn words(language: Language) -> Words {
    match language {
        Language::English => Words {
            severities: ["ok", "note", "warning", "ERROR"],
            check: Check::as_str,
            breaks: "breaks",
            mend: "mend",
            none: "The user pool has no connections.",
            shared: "the server's own mini program",
        },
        _ => Words {
            severities: ["正常", "提示", "警告", "错误"],
            check: in_chinese,
            breaks: "影响",
            mend: "处理",
            none: "该用户池没有连接。",
            shared: "服务器的默认小程序",
        },
    }
}

/// What a check is about, in Chinese.
const fn in_chinese(check: Check) -> &'static str {
    match check {
        Check::Connection => "连接",
        Check::Credentials => "AppID 和密钥",
        Check::KindOfApp => "应用类型",
        Check::AppToken => "access_token",
        Check::Domains => "域名",
        Check::VerificationFile => "校验文件",
        Check::Messages => "消息接收",
        Check::UnionId => "UnionID",
        Check::Published => "发布",
        Check::Phone => "手机号",
    }
}

/// The widths of the first two columns.
const SEVERITY: usize = 9;
const CHECK: usize = 14;

fn print(checked: &[CheckedConnection], language: Language) {
    let words = words(language);
    if checked.is_empty() {
        say!("{}", words.none);
    }
    for (index, checked) in checked.iter().enumerate() {
        if index > 0 {
            say!("");
        }
        let connection = &checked.connection;
        let app_id = match checked.app_id() {
            "" => words.shared,
            own => own,
        };
        say!("{} ({}, {app_id})", connection.identifier, connection.kind.as_str());
        for finding in &checked.findings {
            print_finding(finding, &words, language);
        }
    }
    if !checked.is_empty() {
        say!("");
        say!("{}", summary(checked, language));
    }
}

/// How many findings there are to look at, so that nobody has to search for them.
fn summary(checked: &[CheckedConnection], language: Language) -> String {
    let count = |severity| {
        let findings = checked.iter().flat_map(|checked| &checked.findings);
        findings.filter(|finding| finding.severity == severity).count()
    };
    let (connections, errors, warnings) = (checked.len(), count(Severity::Error), count(Severity::Warning));
    if language != Language::English {
        return format!("检查了 {connections} 个连接：{errors} 个错误，{warnings} 个警告。");
    }
    let of = |number: usize, name: &str| format!("{number} {name}{}", if number == 1 { "" } else { "s" });
    format!(
        "Checked {}: {}, {}.",
        of(connections, "connection"),
        of(errors, "error"),
        of(warnings, "warning")
    )
}

fn print_finding(finding: &Finding, words: &Words, language: Language) {
    let Explanation { message, breaks, mend } = finding.explain(language);
    let [ok, note, warning, error] = words.severities;
    let severity = match finding.severity {
        Severity::Ok => ok,
        Severity::Note => note,
        Severity::Warning => warning,
        Severity::Error => error,
    };
    let line = |first: &str, second: &str, text: &str| {
        say!("  {}{}{text}", padded(first, SEVERITY), padded(second, CHECK));
    };
    line(severity, (words.check)(finding.check), &message);
    for (label, text) in [(words.breaks, breaks), (words.mend, mend)] {
        if let Some(text) = text {
            line("", label, &text);
        }
    }
    if let Some(errcode) = finding.errcode {
        let rid = finding.rid.as_ref().map(|rid| format!(", rid {rid}")).unwrap_or_default();
        line("", "WeChat", &format!("errcode {errcode}{rid}"));
    }
}

/// The text with spaces up to a width. Chinese characters are two columns wide.
fn padded(text: &str, width: usize) -> String {
    let taken: usize = text.chars().map(|c| if c >= '\u{2e80}' { 2 } else { 1 }).sum();
    format!("{text}{}", " ".repeat(width.saturating_sub(taken)))
}

fn explain_code(code: i64, language: Language) -> ExitCode {
    let words = words(language);
    let (usual, of_tokens) = (meaning_of(code), meaning_when_fetching_tokens(code));
    let Some(usual) = usual else {
        let unknown = explain("unknown-error", &[("errcode", code.into())], language);
        say!("{}", unknown.message);
        return ExitCode::FAILURE;
    };
    let others = of_tokens.filter(|key| *key != usual);
    for (index, key) in [Some(usual), others].into_iter().flatten().enumerate() {
        if index > 0 {
            say!("");
            say!(
                "{}",
                if language == Language::English {
                    "When a token is fetched:"
                } else {
                    "获取 access_token 时："
                }
            );
        }
        let Explanation { message, breaks, mend } = explain(key, &[("ip", "<IP>".into())], language);
        say!("{code}: {message}");
        for (label, text) in [(words.breaks, breaks), (words.mend, mend)] {
            if let Some(text) = text {
                say!("  {}{text}", padded(label, SEVERITY));
            }
        }
    }
    ExitCode::SUCCESS
}
