//! What a connection says about people it does not know, and for which applications it is there: the same in all seven ways,
//! from the application to the tokens (`surface.md` §7).
//!
//! [`ROWS`] has a row for each kind of connection. Where something does not apply to a kind, its row says why.

use hufu_app::apply::file;
use hufu_sandbox::{DataKind, Fault, NewUser, UserPatch};
use hufu_testkit::client::{AUTH, SIGNIN, signin};
use hufu_testkit::on_both_engines;
use hufu_testkit::world::{SHOP_APP, World};
use hufu_types::ConnectionKind;
use serde_json::{Value, json};

use super::ways::{Mode, SHOP_PHONE};
use super::{Begun, Outcome, Shop, ways};
use crate::hosted::{BACK, PASSWORD, has, has_not};

/// Another native app, website and mini program, which have the same connections.
const OTHER_PHONE: &str = "6560c0ffee00000000000006";
const OTHER_WEB: &str = "6560c0ffee00000000000007";
const OTHER_APP: &str = "6560c0ffee00000000000008";

/// The refusals, as docs/errors.md has them.
const NO_ACCOUNT: u64 = 2004;
const BIND_OR_CREATE: u64 = 1641;
const BIND: u64 = 1640;
const NOT_FOR_APPLICATION: u64 = 2404;

/// Whether a way in does something.
#[derive(Clone, Copy)]
enum Applies {
    Yes,
    /// It cannot, for this reason.
    No(&'static str),
}

/// A kind of connection.
struct Row {
    kind: ConnectionKind,
    mode: Mode,
    /// Whether `association = { mode = "field" }` finds accounts.
    field: Applies,
    /// Whether WeChat says what is kept as `userInfoInIdp`.
    says: Applies,
}

const TELLS_NO_NUMBER: Applies = Applies::No("WeChat confirms a phone number in mini programs alone");

const ROWS: [Row; 7] = [
    Row { kind: ConnectionKind::WechatPc, mode: Mode::Pc, field: TELLS_NO_NUMBER, says: Applies::Yes },
    Row {
        kind: ConnectionKind::WechatWebpage,
        mode: Mode::Webpage,
        field: TELLS_NO_NUMBER,
        says: Applies::Yes,
    },
    Row {
        kind: ConnectionKind::WechatMobile,
        mode: Mode::Mobile,
        field: TELLS_NO_NUMBER,
        says: Applies::Yes,
    },
    Row {
        kind: ConnectionKind::WechatOfficialAccount,
        mode: Mode::Follow,
        field: TELLS_NO_NUMBER,
        says: Applies::No("WeChat tells no names and pictures of followers since 2021"),
    },
    Row {
        kind: ConnectionKind::WechatMiniProgramScan,
        mode: Mode::Scan,
        field: Applies::Yes,
        says: Applies::No("wx.login tells ids alone, and what the mini program posts is not believed"),
    },
    Row {
        kind: ConnectionKind::WechatAppLaunch,
        mode: Mode::AppLaunch,
        field: Applies::Yes,
        says: Applies::Yes,
    },
    Row {
        kind: ConnectionKind::WechatMiniProgram,
        mode: Mode::MiniProgram,
        field: Applies::Yes,
        says: Applies::Yes,
    },
];

impl Row {
    /// A person at WeChat, by a name that no other row has.
    fn person(&self, shop: &Shop, what: &str) -> String {
        let name = format!("{what}-{:?}", self.mode);
        shop.site.world.person(&name);
        name
    }

    /// The second application that has the connection.
    fn other_application(&self) -> &'static str {
        match self.mode.application() {
            SHOP_APP => OTHER_APP,
            SHOP_PHONE => OTHER_PHONE,
            _ => OTHER_WEB,
        }
    }
}

/// All seven ways, with further lines of each connection, and two applications for each of them. Each kind that proves a
/// number has an account with one of its own.
fn file_with(more: &str) -> String {
    let uses = |application: &str, name: &str, kind: &str, connections: &str| {
        format!(
            "\n  [[user_pool.application]]\n  id = \"{application}\"\n  name = \"{name}\"\n  type = \"{kind}\"\n  \
             connections = [{connections}]"
        )
    };
    let website =
        uses(OTHER_WEB, "Second website", "web", "\"shop-pc\", \"shop-h5\", \"shop-oa\", \"shop-scan\"");
    let users = (0..ROWS.len()).map(|place| {
        format!("\n  [[user_pool.user]]\n  username = \"owner{place}\"\n  phone = \"+86{}\"", number(place))
    });
    let added = [
        uses(OTHER_PHONE, "Second phone app", "native", "\"shop-phone\", \"shop-launch\""),
        format!("{website}\n  redirect_uris = [\"{BACK}\"]"),
        uses(OTHER_APP, "Second mini program", "mini-program", "\"shop-mini\""),
        users.collect(),
    ];
    let alice = "\n  [[user_pool.user]]\n  username = \"alice\"";
    ways::file(more).replacen(alice, &format!("{}{alice}", added.concat()), 1)
}

/// The number of the account of a row.
fn number(place: usize) -> String {
    format!("1371111000{place}")
}

async fn shop(database: hufu_testkit::TestDatabase) -> Shop {
    let shop = Shop::new(database).await;
    shop.site.world.reconfigure(&file_with("")).await;
    shop
}

/// A login at an application, up to its last request; for the owner of a number, with that. In a mini program the connection
/// is named: otherwise the application's first one is meant.
async fn begin<'s>(shop: &'s Shop, application: &str, row: &Row, person: &str) -> Result<Begun<'s>, Outcome> {
    let with_number = person.starts_with("owner-");
    let mut begun = shop.begin_at(application, row.mode, person, with_number).await?;
    if let Begun::Post(_, path, body) = &mut begun
        && (path == AUTH || path == SIGNIN)
    {
        body["extIdpConnidentifier"] = row.mode.connection().into();
    }
    Ok(begun)
}

/// A whole login at an application.
async fn log_in(shop: &Shop, application: &str, row: &Row, person: &str) -> Outcome {
    match begin(shop, application, row, person).await {
        Ok(begun) => shop.finish(&begun).await,
        Err(outcome) => outcome,
    }
}

/// Fails unless it is refused with this number, in the answer or on a page that shows it.
#[track_caller]
fn refused(outcome: &Outcome, code: u64, row: &Row) {
    let is_shown = outcome.code == u64::MAX && outcome.sentence.contains(&format!("{code}"));
    assert!(
        outcome.user.is_none() && (outcome.code == code || is_shown),
        "{:?}: not {code}: {outcome:?}",
        row.mode
    );
    assert!(!outcome.sentence.is_empty(), "{:?}", row.mode);
}

/// How many users, identities and sessions there are.
async fn stored(world: &World) -> [i64; 3] {
    [world.rows("users").await, world.rows("identities").await, world.rows("sessions").await]
}

/// What somebody does who is asked.
#[derive(Clone, Copy)]
enum Says<'a> {
    Create,
    /// The account of this name, and its password.
    Bind(&'a str),
}

/// A login of somebody who is asked what to do, with what they say. Fails unless they are asked, with an account of their own
/// among what they may have if `may_create`.
async fn asked(shop: &Shop, row: &Row, person: &str, may_create: bool, says: Says<'_>) -> Outcome {
    match begin(shop, row.mode.application(), row, person).await.unwrap() {
        Begun::Post(client, path, body) => {
            let waiting = client.post(&path, body).await;
            waiting.refused(if may_create { BIND_OR_CREATE } else { BIND });
            let data = &waiting.json()["data"];
            assert_eq!(
                (&data["stage"], &data["mayCreate"]),
                (&json!("associate"), &json!(may_create)),
                "{data}"
            );
            let mut step = match says {
                Says::Create => json!({ "action": "create" }),
                Says::Bind(account) => json!({
                    "action": "bind", "method": "username-password", "account": account, "password": PASSWORD
                }),
            };
            step["key"] = data["key"].clone();
            let path = format!("/api/v3/login-flows/{}", data["flowId"].as_str().unwrap());
            Outcome::of_call(&client.post(&path, step).await)
        }
        Begun::Return(mut browser, address) => {
            let page = browser.follow(&address).await;
            if may_create {
                has(&page, "create");
            } else {
                has_not(&page, "create");
            }
            let values = match says {
                Says::Create => vec![("create", "1")],
                Says::Bind(account) => {
                    vec![("account", account), ("password", PASSWORD), ("bind-username-password", "1")]
                }
            };
            Outcome::of_return(&browser.submit(&page, &values).await)
        }
    }
}

/// The identities of the user of a login: of which connection each is, and what is kept with it.
async fn kept(shop: &Shop, outcome: &Outcome) -> Vec<(String, Value)> {
    let (_, token) = outcome.user.as_ref().unwrap_or_else(|| panic!("nobody is logged in: {outcome:?}"));
    let identities = shop.site.world.nobody().bearer(token).get("/api/v3/get-identities").await.data();
    let one = |of: &Value| (of["extIdpId"].as_str().unwrap().to_owned(), of["userInfoInIdp"].clone());
    identities.as_array().unwrap().iter().map(one).collect()
}

/// A login with what WeChat encrypts of its person, where a mini program sends that.
async fn telling(shop: &Shop, row: &Row, person: &str) -> Outcome {
    let mut begun = begin(shop, row.mode.application(), row, person).await.unwrap();
    if let (Mode::MiniProgram | Mode::AppLaunch, Begun::Post(_, _, body)) = (row.mode, &mut begun) {
        let code = body["code"].as_str().unwrap().to_owned();
        let sealed = shop.site.world.sealed(row.mode.app_id(), &code, DataKind::UserInfo);
        (body["iv"], body["encryptedData"]) = (sealed.iv.into(), sealed.encrypted_data.into());
    }
    shop.finish(&begun).await
}

#[test]
fn every_kind_of_connection_has_its_row() {
    for kind in ConnectionKind::ALL {
        let rows: Vec<_> = ROWS.iter().filter(|row| row.kind == *kind).collect();
        assert_eq!(rows.len(), 1, "{}", kind.as_str());
        // Its connection in the file is of this kind.
        let identifier = format!("identifier = \"{}\"", rows[0].mode.connection());
        let file = file_with("");
        let (_, rest) = file.split_once(&identifier).unwrap();
        let (_, kind_of) = rest.split_once("type = \"").unwrap();
        assert_eq!(kind_of.split('"').next().unwrap(), kind.as_str());
    }
    let modes: std::collections::HashSet<_> = ROWS.iter().map(|row| row.mode).collect();
    assert_eq!(modes.len(), Mode::ALL.len());
}

#[test]
fn field_is_refused_with_the_reason_where_nothing_is_proved() {
    for row in &ROWS {
        let connection = format!("identifier = \"{}\"", row.mode.connection());
        let wanted = format!("{connection}\n  association = {{ mode = \"field\" }}");
        let text = file_with("").replacen(&connection, &wanted, 1);
        let read = file::read(&text, "hufu.toml", &|_| None);
        match row.field {
            Applies::Yes => assert!(read.is_ok(), "{:?}", row.mode),
            Applies::No(reason) => {
                let said = read.err().unwrap_or_else(|| panic!("{:?}: {reason}", row.mode)).to_string();
                assert!(
                    said.contains(&format!(
                        "{} proves nothing to match by — write `none` or `ask`",
                        row.kind.as_str()
                    )),
                    "{:?}: {said}",
                    row.mode
                );
            }
        }
    }
}

on_both_engines! {
    async fn without_association_a_stranger_is_a_new_account_in_every_mode(database) {
        let shop = shop(database).await;
        let world = &shop.site.world;
        for row in &ROWS {
            let stranger = row.person(&shop, "stranger");
            let before = stored(world).await;
            let first = log_in(&shop, row.mode.application(), row, &stranger).await;
            let again = log_in(&shop, row.mode.application(), row, &stranger).await;
            assert_eq!(first.id(), again.id(), "{:?}", row.mode);
            let after = stored(world).await;
            assert_eq!((after[0] - before[0], after[1] - before[1]), (1, 2), "{:?}: an OpenID and a UnionID", row.mode);
        }
    }

    async fn field_leads_to_the_account_of_the_number_in_every_mode_that_proves_one(database) {
        let shop = shop(database).await;
        let world = &shop.site.world;
        let field = "association = { mode = \"field\" }";
        let with_field = ROWS.iter().filter(|row| matches!(row.field, Applies::Yes)).fold(file_with(""), |file, row| {
            let connection = format!("identifier = \"{}\"", row.mode.connection());
            file.replacen(&connection, &format!("{connection}\n  {field}"), 1)
        });
        world.reconfigure(&with_field).await;
        for (place, row) in ROWS.iter().enumerate() {
            let Applies::Yes = row.field else { continue };
            let name = format!("owner-{:?}", row.mode);
            let phone = Some(number(place));
            world.person_with(NewUser { name: Some(name.clone()), phone, ..NewUser::default() });
            let before = world.rows("users").await;
            if row.mode == Mode::Scan {
                // The login mini program asks for the number, before its person confirms.
                let login = json!({ "code": world.code(row.mode.app_id(), &name), "iv": "", "encryptedData": "" });
                let payload = json!({
                    "wxLoginInfo": login, "wxPhoneInfo": { "code": world.phone_code(row.mode.app_id(), &name) }
                });
                let mut body = signin("wechat_mini_program_code_and_phone", "wechatMiniProgramCodeAndPhonePayload", &payload);
                body["extIdpConnidentifier"] = row.mode.connection().into();
                shop.client(row.mode.application()).post(SIGNIN, body).await.tokens();
            }
            let outcome = log_in(&shop, row.mode.application(), row, &name).await;
            let (id, token) = outcome.user.as_ref().unwrap_or_else(|| panic!("{:?}: {outcome:?}", row.mode));
            assert_eq!(world.rows("users").await, before, "{:?}: the account was there", row.mode);
            let profile = world.nobody().bearer(token).get("/api/v3/get-profile").await.data();
            assert_eq!(profile["username"], json!(format!("owner{place}")), "{:?}", row.mode);
            // From now on by the OpenID, without a number.
            let begun = shop.begin(row.mode, &name).await;
            assert_eq!(shop.finish(&begun).await.id(), id, "{:?}", row.mode);
            // Whoever has another number is somebody else.
            let stranger = row.person(&shop, "stranger");
            assert_ne!(shop.log_in(row.mode, &stranger).await.id(), id, "{:?}", row.mode);
        }
    }

    async fn whoever_is_asked_makes_an_account_or_binds_one_in_every_mode(database) {
        let shop = shop(database).await;
        let world = &shop.site.world;
        for place in 0..ROWS.len() {
            shop.site.person(&format!("member{place}")).await;
        }
        let ask = |more: &str| {
            file_with(&format!("{more}association = {{ mode = \"ask\", methods = [\"username-password\"] }}"))
        };
        world.reconfigure(&ask("")).await;
        for row in &ROWS {
            let stranger = row.person(&shop, "stranger");
            let before = stored(world).await;
            let begun = begin(&shop, row.mode.application(), row, &stranger).await.unwrap();
            // Who is asked and says nothing is nobody.
            match begun {
                Begun::Post(client, path, body) => {
                    client.post(&path, body).await.refused(BIND_OR_CREATE);
                }
                Begun::Return(mut browser, address) => has(&browser.follow(&address).await, "create"),
            }
            assert_eq!(stored(world).await, before, "{:?}", row.mode);
            let made = asked(&shop, row, &stranger, true, Says::Create).await;
            assert_eq!(log_in(&shop, row.mode.application(), row, &stranger).await.id(), made.id(), "{:?}", row.mode);
            assert_eq!(world.rows("users").await, before[0] + 1, "{:?}", row.mode);
        }
        // Where the connection makes no accounts, they may bind one.
        world.reconfigure(&ask("login_only = true\n  ")).await;
        let users = world.rows("users").await;
        for (place, row) in ROWS.iter().enumerate() {
            let member = row.person(&shop, "member");
            let account = format!("member{place}");
            let bound = asked(&shop, row, &member, false, Says::Bind(&account)).await;
            let token = &bound.user.as_ref().unwrap_or_else(|| panic!("{:?}: {bound:?}", row.mode)).1;
            let profile = world.nobody().bearer(token).get("/api/v3/get-profile").await.data();
            assert_eq!(profile["username"], json!(account), "{:?}", row.mode);
            assert_eq!(log_in(&shop, row.mode.application(), row, &member).await.id(), bound.id(), "{:?}", row.mode);
        }
        assert_eq!(world.rows("users").await, users);
    }

    async fn login_only_refuses_strangers_and_nobody_else_in_every_mode(database) {
        let shop = shop(database).await;
        let world = &shop.site.world;
        let mut known = Vec::new();
        for row in &ROWS {
            let name = row.person(&shop, "known");
            known.push((log_in(&shop, row.mode.application(), row, &name).await, name));
        }
        world.reconfigure(&file_with("login_only = true")).await;
        for (row, (before, name)) in ROWS.iter().zip(&known) {
            let stranger = row.person(&shop, "stranger");
            let counts = stored(world).await;
            for application in [row.mode.application(), row.other_application()] {
                refused(&log_in(&shop, application, row, &stranger).await, NO_ACCOUNT, row);
            }
            assert_eq!(stored(world).await, counts, "{:?}", row.mode);
            let again = log_in(&shop, row.mode.application(), row, name).await;
            assert_eq!(again.id(), before.id(), "{:?}", row.mode);
        }
    }

    async fn a_connection_that_is_switched_off_for_an_application_goes_on_in_others_in_every_mode(database) {
        let shop = shop(database).await;
        let world = &shop.site.world;
        for row in &ROWS {
            let (here, there) = (row.mode.application(), row.other_application());
            let person = row.person(&shop, "person");
            let user = log_in(&shop, here, row, &person).await.id().to_owned();
            assert_eq!(log_in(&shop, there, row, &person).await.id(), user, "{:?}", row.mode);
            let under_way = begin(&shop, here, row, &person).await.unwrap();
            let id = shop.connection(row.mode);
            world.change_application(here, |application| application.connections.retain(|one| one.as_str() != id)).await;
            let counts = stored(world).await;
            refused(&log_in(&shop, here, row, &person).await, NOT_FOR_APPLICATION, row);
            // Nor does a login that was under way.
            refused(&shop.finish(&under_way).await, NOT_FOR_APPLICATION, row);
            assert_eq!(stored(world).await, counts, "{:?}", row.mode);
            assert_eq!(log_in(&shop, there, row, &person).await.id(), user, "{:?}", row.mode);
        }
    }

    async fn what_wechat_says_is_kept_with_the_identities_in_every_mode(database) {
        let shop = shop(database).await;
        let world = &shop.site.world;
        let picture = "https://thirdwx.qlogo.cn/mmopen/somebody/132";
        for row in &ROWS {
            let name = format!("{:?}", row.mode);
            let (nickname, avatar_url) = (Some("小美".to_owned()), Some(picture.to_owned()));
            world.person_with(NewUser { name: Some(name.clone()), nickname, avatar_url, ..NewUser::default() });
            let said = |nickname: &str| match (row.says, row.mode) {
                (Applies::No(_), _) => json!({}),
                (_, Mode::MiniProgram | Mode::AppLaunch) => {
                    json!({ "nickName": nickname, "avatarUrl": picture, "gender": 0, "language": "zh_CN" })
                }
                _ => json!({ "nickname": nickname, "headimgurl": picture, "sex": 0 }),
            };
            let both = |nickname: &str| vec![(shop.connection(row.mode), said(nickname)); 2];
            assert_eq!(kept(&shop, &telling(&shop, row, &name).await).await, both("小美"), "{name}");
            let renamed = UserPatch { nickname: Some("美美".to_owned()), ..UserPatch::default() };
            world.sandbox.change_user(&name, renamed).unwrap();
            assert_eq!(kept(&shop, &telling(&shop, row, &name).await).await, both("美美"), "{name}");
            // Where WeChat says nothing, what it said stays.
            let fault = Fault { path: Some("/sns/userinfo".to_owned()), errcode: Some(-1), count: 9, ..Fault::default() };
            world.sandbox.add_fault(fault).unwrap();
            let silent = log_in(&shop, row.mode.application(), row, &name).await;
            world.sandbox.clear_faults();
            assert_eq!(kept(&shop, &silent).await, both("美美"), "{name}");
        }
    }
}
