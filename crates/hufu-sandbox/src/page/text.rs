//! The texts of the page in its two languages.

use axum::http::{HeaderMap, header};

/// A language of the page.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Language {
    Chinese,
    English,
}

impl Language {
    /// The language of the query (`?lang=zh`), otherwise the first supported one in `Accept-Language`,
    /// otherwise English.
    pub(crate) fn choose(query: Option<&str>, headers: &HeaderMap) -> Language {
        let asked = query.unwrap_or_default().split('&').find_map(|pair| pair.strip_prefix("lang="));
        let accepted = headers.get(header::ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok());
        let accepted = accepted.unwrap_or_default().split(',').map(str::trim);
        asked.into_iter().chain(accepted).find_map(Language::of_tag).unwrap_or(Language::English)
    }

    /// The text of this language.
    pub(crate) fn of<'t>(self, chinese: &'t str, english: &'t str) -> &'t str {
        match self {
            Language::Chinese => chinese,
            Language::English => english,
        }
    }

    pub(super) fn text(self) -> &'static Text {
        match self {
            Language::Chinese => &CHINESE,
            Language::English => &ENGLISH,
        }
    }

    fn of_tag(tag: &str) -> Option<Language> {
        match tag.get(..2)?.to_ascii_lowercase().as_str() {
            "zh" => Some(Language::Chinese),
            "en" => Some(Language::English),
            _ => None,
        }
    }
}

/// A fault that the page offers: its name and its effect on the caller.
pub(super) struct FaultText {
    pub(super) name: &'static str,
    pub(super) about: &'static str,
}

/// All texts of the page. A text that is missing in one language is a compile error.
pub(super) struct Text {
    pub(super) tag: &'static str,
    pub(super) other_tag: &'static str,
    pub(super) other_name: &'static str,
    pub(super) brand: &'static str,
    pub(super) skip: &'static str,
    pub(super) title: &'static str,
    pub(super) about: &'static str,
    pub(super) clock: &'static str,
    pub(super) plus_five_minutes: &'static str,
    pub(super) plus_two_hours: &'static str,
    pub(super) api_base: &'static str,

    pub(super) phone_title: &'static str,
    pub(super) screen: &'static str,
    pub(super) tab_apps: &'static str,
    pub(super) tab_me: &'static str,
    /// `{}` stands for the person's name.
    pub(super) phone_of: &'static str,
    pub(super) choose_app: &'static str,
    /// `{}` stands for the Open Platform account.
    pub(super) platform_of: &'static str,
    pub(super) someone_new: &'static str,
    pub(super) someone_new_about: &'static str,
    pub(super) login_code: &'static str,
    pub(super) phone_code: &'static str,
    pub(super) close: &'static str,
    /// `{}` stands for minutes and seconds.
    pub(super) expires_in: &'static str,
    pub(super) expired: &'static str,
    pub(super) try_it: &'static str,

    pub(super) faults: &'static str,
    pub(super) for_next: &'static str,
    /// In the order 1, 3, 10, always.
    pub(super) counts: [&'static str; 4],
    /// `{}` stands for a number.
    pub(super) left: &'static str,
    pub(super) busy: FaultText,
    pub(super) slow: FaultText,
    pub(super) gateway: FaultText,
    pub(super) dropped: FaultText,
    pub(super) nonsense: FaultText,
    pub(super) frozen: FaultText,
    pub(super) wrong_secret: FaultText,
    pub(super) discard: FaultText,
    pub(super) discard_now: &'static str,
    pub(super) other_faults: &'static str,
    pub(super) clear: &'static str,

    pub(super) log: &'static str,
    pub(super) log_about: &'static str,
    pub(super) live: &'static str,
    pub(super) no_calls: &'static str,
    pub(super) no_calls_how: &'static str,
    pub(super) time: &'static str,
    pub(super) call: &'static str,
    pub(super) app: &'static str,
    pub(super) outcome: &'static str,
    pub(super) ok: &'static str,
    pub(super) by_fault: &'static str,
    pub(super) no_answer: &'static str,

    pub(super) apps: &'static str,
    pub(super) kind: &'static str,
    /// In the order of [`crate::AppKind`].
    pub(super) kinds: [&'static str; 5],
    pub(super) no_apps: &'static str,
    pub(super) app_id: &'static str,
    pub(super) secret: &'static str,
    pub(super) open_platform: &'static str,
    pub(super) none: &'static str,
    pub(super) state: &'static str,
    /// In the order of [`crate::AppState`].
    pub(super) states: [&'static str; 7],
    pub(super) add_app: &'static str,
    pub(super) drawn_if_empty: &'static str,

    pub(super) people: &'static str,
    pub(super) people_about: &'static str,
    pub(super) no_people: &'static str,
    pub(super) person: &'static str,
    pub(super) name: &'static str,
    pub(super) phone: &'static str,
    pub(super) country_code: &'static str,
    pub(super) nickname: &'static str,
    pub(super) risky: &'static str,
    pub(super) risky_short: &'static str,
    pub(super) add_person: &'static str,

    pub(super) add: &'static str,
    pub(super) copy: &'static str,
    pub(super) copied: &'static str,
    pub(super) done: &'static str,
    pub(super) unreachable: &'static str,
    pub(super) footer: &'static str,
}

const CHINESE: Text = Text {
    tag: "zh-CN",
    other_tag: "en",
    other_name: "English",
    brand: "虎符",
    skip: "跳到主要内容",
    title: "微信沙箱",
    about: "一部装着微信的手机，只在这台电脑上。错误码、有效期和配额都和真的一样，数据只在内存里。",
    clock: "沙箱时间",
    plus_five_minutes: "快进 5 分钟",
    plus_two_hours: "快进 2 小时",
    api_base: "接口地址",
    phone_title: "沙箱手机",
    screen: "手机屏幕",
    tab_apps: "应用",
    tab_me: "我是谁",
    phone_of: "{} 的手机",
    choose_app: "打开哪个应用",
    platform_of: "开放平台 {}",
    someone_new: "一位新用户",
    someone_new_about: "随机名字和手机号",
    login_code: "登录码",
    phone_code: "手机号授权码",
    close: "关闭",
    expires_in: "剩 {}",
    expired: "已过期",
    try_it: "在终端里试一下",
    faults: "弄坏一点什么",
    for_next: "接下来",
    counts: ["1 次", "3 次", "10 次", "一直"],
    left: "还剩 {} 次",
    busy: FaultText {
        name: "系统繁忙", about: "微信请你稍后再试。只有这个错误值得重试。"
    },
    slow: FaultText {
        name: "慢 5 秒", about: "微信答得对，只是晚。看看你的服务愿意等多久。"
    },
    gateway: FaultText { name: "网关错误", about: "回来的是一页 HTML，不是 JSON。" },
    dropped: FaultText { name: "断开连接", about: "连接直接关闭，一个字节也没有。" },
    nonsense: FaultText { name: "残缺的 JSON", about: "回答在半路断掉，解析不了。" },
    frozen: FaultText {
        name: "应用被冻结", about: "作用于手机上选中的应用，直到关掉。"
    },
    wrong_secret: FaultText {
        name: "密钥被重置", about: "选中的应用换了密钥，旧的全部失效，直到关掉。"
    },
    discard: FaultText {
        name: "令牌被顶掉", about: "别的服务刷新了令牌，选中的应用手里的都作废。"
    },
    discard_now: "作废",
    other_faults: "用接口加的故障",
    clear: "清除",
    log: "微信收到的调用",
    log_about: "这里不出现 code、密钥、令牌和 OpenID。",
    live: "实时",
    no_calls: "还没有调用",
    no_calls_how: "把服务的 api_base 指向上面的接口地址，然后登录一次。",
    time: "时间",
    call: "调用",
    app: "应用",
    outcome: "结果",
    ok: "成功",
    by_fault: "故障",
    no_answer: "无应答",
    apps: "应用",
    kind: "类型",
    kinds: ["小程序", "移动应用", "网站应用", "服务号", "订阅号"],
    no_apps: "还没有小程序。先登记一个，AppID 和密钥可以留空。",
    app_id: "AppID",
    secret: "密钥",
    open_platform: "开放平台账号",
    none: "未绑定",
    state: "状态",
    states: ["正常", "已冻结", "违规封禁", "密钥已冻结", "密钥已重置", "已注销", "未发布"],
    add_app: "登记应用",
    drawn_if_empty: "留空则随机生成",
    people: "微信用户",
    people_about: "OpenID 由人和应用算出，不能指定；绑定到同一个开放平台账号的应用，UnionID 相同。",
    no_people: "还没有人。也可以直接生成登录码，沙箱会造一位新用户。",
    person: "用户",
    name: "名字",
    phone: "手机号",
    country_code: "区号",
    nickname: "昵称",
    risky: "高风险用户，登录一律答 40226",
    risky_short: "高风险",
    add_person: "添加用户",
    add: "添加",
    copy: "复制",
    copied: "已复制",
    done: "完成",
    unreachable: "连不上沙箱。它停了吗？",
    footer: "仅供开发与测试，只回应本机，重启后清空。",
};

const ENGLISH: Text = Text {
    tag: "en",
    other_tag: "zh",
    other_name: "中文",
    brand: "Hufu",
    skip: "Skip to the content",
    title: "WeChat sandbox",
    about: "A phone with WeChat on it, on this machine only. Error codes, lifetimes and quotas are WeChat’s own; everything is in memory.",
    clock: "Sandbox time",
    plus_five_minutes: "+5 min",
    plus_two_hours: "+2 h",
    api_base: "API base",
    phone_title: "The sandbox’s phone",
    screen: "Screen of the phone",
    tab_apps: "Apps",
    tab_me: "Who I am",
    phone_of: "{}’s phone",
    choose_app: "App to open",
    platform_of: "Open Platform {}",
    someone_new: "Somebody new",
    someone_new_about: "Random name and number",
    login_code: "Login code",
    phone_code: "Phone code",
    close: "Close",
    expires_in: "{} left",
    expired: "expired",
    try_it: "Try it in a terminal",
    faults: "Break something",
    for_next: "For the next",
    counts: ["1 call", "3 calls", "10 calls", "all calls"],
    left: "{} left",
    busy: FaultText { name: "Busy", about: "WeChat asks to try again later. The one error worth a retry." },
    slow: FaultText {
        name: "5 s slow",
        about: "The answer is right but late. See how long your service waits.",
    },
    gateway: FaultText { name: "Gateway error", about: "An HTML page comes back instead of JSON." },
    dropped: FaultText { name: "Hang up", about: "The connection closes without a single byte." },
    nonsense: FaultText { name: "Broken JSON", about: "The answer breaks off and cannot be parsed." },
    frozen: FaultText { name: "App frozen", about: "For the app chosen on the phone, until switched off." },
    wrong_secret: FaultText {
        name: "Secret reset",
        about: "The chosen app has a new secret; every old one is wrong, until switched off.",
    },
    discard: FaultText {
        name: "Token thrown away",
        about: "Another service refreshed the token: those of the chosen app are void.",
    },
    discard_now: "Throw away",
    other_faults: "Faults added by API",
    clear: "Clear",
    log: "Calls that WeChat received",
    log_about: "No codes, secrets, tokens or OpenIDs appear here.",
    live: "Live",
    no_calls: "No calls yet",
    no_calls_how: "Point your service’s api_base at the address above, then log in.",
    time: "Time",
    call: "Call",
    app: "App",
    outcome: "Outcome",
    ok: "ok",
    by_fault: "fault",
    no_answer: "no answer",
    apps: "Apps",
    kind: "Kind",
    kinds: ["Mini program", "Mobile app", "Website", "Service account", "Subscription account"],
    no_apps: "No mini program yet. Register one; AppID and secret may stay empty.",
    app_id: "AppID",
    secret: "Secret",
    open_platform: "Open Platform account",
    none: "not bound",
    state: "State",
    states: ["Normal", "Frozen", "Banned", "Secret frozen", "Secret reset", "Deleted", "Unreleased"],
    add_app: "Register an app",
    drawn_if_empty: "drawn if empty",
    people: "People",
    people_about: "An OpenID follows from person and app and cannot be set. Apps of one Open Platform account share the UnionID.",
    no_people: "Nobody yet. You can also draw a login code at once: somebody new is made for it.",
    person: "Person",
    name: "Name",
    phone: "Phone",
    country_code: "Country code",
    nickname: "Nickname",
    risky: "High-risk: every login answers 40226",
    risky_short: "High-risk",
    add_person: "Add a person",
    add: "Add",
    copy: "Copy",
    copied: "Copied",
    done: "Done",
    unreachable: "The sandbox does not answer. Has it stopped?",
    footer: "For development and tests only. It answers this machine alone and forgets everything when it stops.",
};
