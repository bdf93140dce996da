//! `hufu doctor`, as somebody runs it who wonders why nobody can log in.

use std::collections::BTreeSet;

use hufu_testkit::{TestDatabase, on_both_engines};
use hufu_types::doctor::{WECHAT_ERRORS, findings};
use serde_json::Value;

use crate::support::{Instance, POOL, Process};

on_both_engines! {
    async fn a_sound_connection_ends_with_0_and_a_wrong_secret_with_1(database) {
        let instance = Instance::ready(database).await;
        let said = instance.run(&["doctor", "--pool", POOL, "--lang", "en"]).await.succeeded().to_owned();
        assert!(said.contains("  ok       credentials   WeChat accepts AppID and AppSecret.\n"), "{said}");
        assert!(said.contains("  ok       kind-of-app   The AppID is that of a mini program.\n"), "{said}");
        assert!(said.ends_with("\nChecked 1 connection: 0 errors, 0 warnings.\n"), "{said}");
        // In Chinese, and nothing around the sentences in English.
        let said = instance.run(&["doctor", "--pool", POOL, "--lang", "zh-CN"]).await.succeeded().to_owned();
        assert!(said.contains("  正常     AppID 和密钥  微信接受该 AppID 和 AppSecret。\n"), "{said}");
        assert!(said.contains("  提示     域名          请与微信后台的设置核对（无法查询）：request 和 uploadFile 合法域名 https://id.example.com\n"), "{said}");
        assert!(said.ends_with("\n检查了 1 个连接：0 个错误，0 个警告。\n"), "{said}");

        let file = std::fs::read_to_string(instance.path("world.toml")).unwrap();
        instance.write("world.toml", &file.replace("{ env = \"SHOP_SECRET\" }", "\"not-the-secret\""));
        instance.run(&["apply", "world.toml"]).await.succeeded();
        let ran = instance.run(&["doctor", "--pool", POOL, "--lang", "en"]).await;
        assert_eq!(ran.code, Some(1));
        assert!(ran.out.contains("  ERROR    credentials   The AppSecret is wrong, or was reset.\n"), "{}", ran.out);
        assert!(ran.out.contains("           breaks        Every login through this connection.\n"), "{}", ran.out);
        assert!(ran.out.contains("           WeChat        errcode 40125, rid "), "{}", ran.out);

        let ran = instance.run(&["doctor", "--pool", POOL, "--json", "--lang", "zh-CN"]).await;
        assert_eq!(ran.code, Some(1));
        let report: Value = serde_json::from_str(&ran.out).unwrap();
        assert_eq!((&report["severity"], &report["pool"]), (&"error".into(), &POOL.into()));
        let findings = report["connections"][0]["findings"].as_array().unwrap();
        let finding = findings.iter().find(|finding| finding["finding"] == "secret-wrong").unwrap();
        assert_eq!(finding["message"], "AppSecret 不正确，或已被重置。");
    }
}

#[tokio::test]
async fn what_it_cannot_check_is_said() {
    let instance = Instance::ready(TestDatabase::sqlite()).await;
    for arguments in [vec!["doctor"], vec!["doctor", "--explain", "40164", "--pool", POOL]] {
        let ran = instance.run(&arguments).await;
        assert!(ran.code == Some(2) && ran.err.contains("--pool"), "{ran:?}");
    }
    for (arguments, said) in [
        (vec!["doctor", "--pool", "6560c0ffee0000000000ffff"], "there is no user pool"),
        (vec!["doctor", "--pool", POOL, "--connection", "nothing"], "no connection nothing"),
        (vec!["doctor", "--pool", POOL, "--lang", "tlh"], "--lang must be zh-CN or en"),
    ] {
        let error = instance.run(&arguments).await.failed().to_owned();
        assert!(error.contains(said), "{arguments:?}: {error}");
    }
}

#[test]
fn docs_doctor_md_names_every_finding_and_error_code() {
    let page = include_str!("../../../../docs/doctor.md");
    let rows = |heading: &str| {
        let (_, after) = page.split_once(&format!("\n## {heading}\n")).unwrap();
        let section = after.split("\n## ").next().unwrap();
        let names = section.lines().filter_map(|line| line.strip_prefix("| `")?.split_once('`'));
        names.map(|(name, _)| name).collect::<BTreeSet<_>>()
    };
    let mut all: BTreeSet<_> = findings::ALL.iter().map(|key| key.name).collect();
    // Found by looking, and what an error code means: the latter table has it.
    assert!(all.remove(findings::PAGE_UNPUBLISHED.name));
    assert_eq!(rows("The findings"), all);
    assert_eq!(rows("WeChat's error codes"), WECHAT_ERRORS.iter().map(|(key, _)| *key).collect());
    for (key, codes) in WECHAT_ERRORS {
        let codes: Vec<_> = codes.iter().map(i64::to_string).collect();
        assert!(page.contains(&format!("| `{key}` | {} |", codes.join(", "))), "docs/doctor.md: {key}");
    }
}

#[tokio::test]
async fn error_codes_are_explained_without_an_instance() {
    let instance = Instance::empty(TestDatabase::sqlite()).await;
    let said = instance.run(&["doctor", "--explain", "40164", "--lang", "en"]).await.succeeded().to_owned();
    assert!(
        said.starts_with("40164: The address <IP> from which this machine calls WeChat is not on"),
        "{said}"
    );
    assert!(
        said.contains(
            "\n  mend     Add <IP>, and the address of every other node, to IP 白名单: 微信公众平台"
        ),
        "{said}"
    );
    let said =
        instance.run(&["doctor", "--explain", "40001", "--lang", "zh-CN"]).await.succeeded().to_owned();
    assert!(said.contains("获取 access_token 时："), "{said}");
    let said = instance.run(&["doctor", "--explain", "-1", "--lang", "en"]).await.succeeded().to_owned();
    assert!(said.starts_with("-1: WeChat is busy."), "{said}");
    let ran = instance.run(&["doctor", "--explain", "99999", "--lang", "en"]).await;
    assert_eq!(ran.code, Some(1));
    // The language of the environment.
    for (language, start) in [("zh_CN.UTF-8", "-1: 微信繁忙"), ("C.UTF-8", "-1: WeChat is busy")] {
        let mut command = instance.command(&["doctor", "--explain", "-1"]);
        command.env_remove("LC_ALL").env_remove("LC_MESSAGES").env("LANG", language);
        let said = Process::start(&mut command).finish().await.succeeded().to_owned();
        assert!(said.starts_with(start), "{said}");
    }
}
