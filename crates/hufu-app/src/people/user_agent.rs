//! Device and browser from a `User-Agent`. A hint for users who review their sessions: clients can send
//! anything, and nothing depends on it.

/// What a client says about itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct UserAgent {
    /// The kind of machine: `iPhone`, `iPad`, `Android`, `HarmonyOS`, `Windows`, `Mac`, `Linux`.
    pub device: Option<&'static str>,
    /// The browser, or the app in its place.
    pub browser: Option<&'static str>,
}

/// A device's mark in the text and its name, most specific first: Android also says `Linux`, and iPhones say
/// `like Mac OS X`.
const DEVICES: &[(&str, &str)] = &[
    ("iPhone", "iPhone"),
    ("iPod", "iPhone"),
    ("iPad", "iPad"),
    ("HarmonyOS", "HarmonyOS"),
    ("OpenHarmony", "HarmonyOS"),
    ("Android", "Android"),
    ("Windows", "Windows"),
    ("Macintosh", "Mac"),
    ("Mac OS", "Mac"),
    ("CrOS", "ChromeOS"),
    ("Linux", "Linux"),
];

/// A browser's mark in the text and its name, most specific first: nearly all also say `Safari`, and many
/// `Chrome`.
const BROWSERS: &[(&str, &str)] = &[
    ("miniProgram", "WeChat mini program"),
    ("MiniProgramEnv", "WeChat mini program"),
    ("wxwork/", "WeCom"),
    ("MicroMessenger/", "WeChat"),
    ("wechatdevtools", "WeChat developer tools"),
    ("DingTalk/", "DingTalk"),
    ("Lark/", "Lark"),
    ("AlipayClient/", "Alipay"),
    ("MQQBrowser/", "QQ Browser"),
    ("QQBrowser/", "QQ Browser"),
    (" QQ/", "QQ"),
    ("UCBrowser/", "UC Browser"),
    ("MiuiBrowser/", "Mi Browser"),
    ("HuaweiBrowser/", "Huawei Browser"),
    ("SamsungBrowser/", "Samsung Internet"),
    ("EdgiOS/", "Edge"),
    ("EdgA/", "Edge"),
    ("Edg/", "Edge"),
    ("OPR/", "Opera"),
    ("FxiOS/", "Firefox"),
    ("Firefox/", "Firefox"),
    ("CriOS/", "Chrome"),
    ("Chrome/", "Chrome"),
    ("Version/", "Safari"),
    ("Dart/", "Flutter app"),
    ("okhttp/", "Android app"),
    ("CFNetwork/", "iOS app"),
    ("curl/", "curl"),
];

/// Parses a `User-Agent`.
pub fn read_user_agent(text: &str) -> UserAgent {
    let first = |marks: &[(&str, &'static str)]| {
        marks.iter().find(|(mark, _)| text.contains(mark)).map(|(_, name)| *name)
    };
    UserAgent { device: first(DEVICES), browser: first(BROWSERS) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn common_clients_are_known() {
        let webkit = "AppleWebKit/537.36 (KHTML, like Gecko)";
        for (text, device, browser) in [
            (
                "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) \
                 Mobile/15E148 MicroMessenger/8.0.50(0x18003230) NetType/WIFI Language/zh_CN"
                    .to_owned(),
                Some("iPhone"),
                Some("WeChat"),
            ),
            (
                format!(
                    "Mozilla/5.0 (Linux; Android 14; V2309A Build/UP1A) {webkit} Version/4.0 Chrome/116.0 Mobile \
                     Safari/537.36 MicroMessenger/8.0.47 MiniProgramEnv/android"
                ),
                Some("Android"),
                Some("WeChat mini program"),
            ),
            (
                format!("Mozilla/5.0 (Windows NT 10.0; Win64; x64) {webkit} Chrome/130.0.0.0 Safari/537.36 Edg/130.0"),
                Some("Windows"),
                Some("Edge"),
            ),
            (
                format!("Mozilla/5.0 (X11; Linux x86_64) {webkit} Chrome/130.0.0.0 Safari/537.36"),
                Some("Linux"),
                Some("Chrome"),
            ),
            (
                "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) \
                 Version/18.0 Safari/605.1.15"
                    .to_owned(),
                Some("Mac"),
                Some("Safari"),
            ),
            (
                "Mozilla/5.0 (Android 14; Mobile; rv:131.0) Gecko/131.0 Firefox/131.0".to_owned(),
                Some("Android"),
                Some("Firefox"),
            ),
            ("Dart/3.5 (dart:io)".to_owned(), None, Some("Flutter app")),
            (String::new(), None, None),
            ("虎符 \u{0}".to_owned(), None, None),
        ] {
            assert_eq!(read_user_agent(&text), UserAgent { device, browser }, "{text}");
        }
    }
}
