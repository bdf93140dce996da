//! The public configuration of an application.

use hufu_testkit::on_both_engines;
use serde_json::{Value, json};

use crate::client::Answer;
use crate::world::{CAFE_APP, FILE, PUBLIC_URL, SHOP, SHOP_APP, SHOP_WEB, World};

fn path(application: &str) -> String {
    format!("/api/v2/applications/{application}/public-config")
}

#[track_caller]
fn data(answer: &Answer) -> Value {
    let json = answer.json();
    assert_eq!((&json["code"], &json["statusCode"]), (&json!(200), &json!(200)), "{answer}");
    json["data"].clone()
}

on_both_engines! {
    async fn every_member_that_the_clients_read_is_there(database) {
        let world = World::new(database).await;
        let answer = world.nobody().header("origin", "https://h5.shop.example").get(&path(SHOP_WEB)).await;
        assert_eq!(answer.headers["cache-control"], "public, max-age=60");
        assert!(answer.headers.get_all("vary").iter().any(|vary| vary.to_str().unwrap().contains("origin")));
        let data = data(&answer);
        // Mobile SDKs, then Guard.
        for name in "id userPoolId userpoolName identifier requestHostname name logo userpoolLogo verifyCodeLength \
             passwordStrength publicKey websocket eventSocket deviceFuncEnabled enableAppLogin enableFingerprintLogin \
             enableFaceLogin appType loginTabs verifyCodeTabConfig passwordTabConfig registerDisabled registerTabs \
             tabMethodsFields ecConnections agreements skipComplateFileds complateFiledsPlace extendsFields \
             extendsFieldsI18n redirectUris internationalSmsConfig ssoPageComponentDisplay livingAuthSortConfig \
             regexRules corsWhitelist qrcodeTabsSettings socialConnections identityProviders allowedOrigins \
             cdnBase template description showAuthorizationPage css selfUnlockStrategy extendsFieldsEnabled \
             logoutRedirectUris protocol oidcConfig oauthConfig rootUserPoolId enableSubAccount packageType \
             customBrandingEnabled userPortal agreementEnabled customPasswordStrength loginFailCheckEnabled \
             changeEmailStrategy changePhoneStrategy welcomeMessage enableCompletePassword \
             enableLoginAccountSwitch ssoEnabled isTenantConsole qrCodeSortConfig customScope"
            .split_whitespace()
        {
            assert!(data.as_object().unwrap().contains_key(name), "{name}");
        }
        assert_eq!((&data["id"], &data["userPoolId"]), (&json!(SHOP_WEB), &json!(SHOP)));
        assert_eq!((&data["logo"], &data["userpoolLogo"]), (&json!(""), &json!("")), "nobody shows null as a text");
        // Guard shows nothing before it has icons from there, whatever site it is on.
        assert!(data["css"].as_str().unwrap().contains("[src='']"), "nor a broken picture");
        assert_eq!(data["livingAuthSortConfig"], Value::Null, "a list, or nothing");
        assert_eq!(data["cdnBase"], PUBLIC_URL);
        let icons = world.nobody().header("origin", "https://h5.shop.example").get("/svg-string/guard?v=1").await;
        assert_eq!((icons.status.as_u16(), &icons.headers["access-control-allow-origin"]), (200, &answer.headers["access-control-allow-origin"]));
        for icon in ["<svg", "id=\"authing-wechat-pc-fill\"", "id=\"authing-a-erweima22\""] {
            assert!(String::from_utf8_lossy(&icons.bytes).contains(icon), "{icon}");
        }
        assert_eq!((&data["userpoolName"], &data["requestHostname"]), (&json!("Shop"), &json!("id.example.com")));
        assert!(data["publicKey"].as_str().unwrap().contains("PUBLIC KEY"));
        let social = data["socialConnections"].as_array().unwrap();
        let identifiers: Vec<_> = social.iter().map(|one| one["identifier"].as_str().unwrap()).collect();
        assert_eq!(identifiers, ["shop-two", "shop-mini"], "in the order of the application");
        for (name, expected) in [
            ("provider", "wechat:miniprogram:default"),
            ("authorizationUrl", "https://id.example.com/connections/social/shop-two"),
        ] {
            assert_eq!(social[0][name], expected);
        }
        for member in ["id", "name", "name_en", "displayName", "tooltip"] {
            assert!(!social[0][member].is_null(), "{member}");
        }
        let text = answer.to_string();
        assert!(!text.contains("secret-of") && !text.contains("app_secret"), "{text}");
    }

    async fn it_is_what_the_application_is_set_up_as(database) {
        let world = World::new(database).await;
        let settings = "[user_pool.settings]
  registration = true
  required_fields = [\"nickname\"]
  sms_countries = [\"86\", \"1\"]
  verify_old_phone = false
  password = { level = \"high\", min_length = 12 }
  agreements = [
    { id = \"terms\", version = 1, title = \"Terms & <conditions>\", url = \"https://shop.example/terms\" },
    { id = \"news\", version = 1, title = \"News\", required = false },
    { id = \"unseen\", version = 1, title = \"Unseen\", required = false },
  ]";
        let login = "redirect_uris = [\"https://www.shop.example/callback\"]
  logout_redirect_uris = [\"https://www.shop.example/bye\"]
  logo = \"https://www.shop.example/logo.png\"
  [user_pool.application.login]
  methods = [\"email-code\", \"password\"]
  default_method = \"password\"
  registration = [\"email-code\", \"email-password\"]
  merged = true
  agreements = [\"news\"]
  [user_pool.application.branding]
  primary_color = \"#1a7f5a\"
  language = \"en\"";
        let file = FILE
            .replacen("name = \"Shop\"", &format!("name = \"Shop\"\n  {settings}"), 1)
            .replacen("connections = [\"shop-two\", \"shop-mini\"]", &format!("connections = [\"shop-two\"]\n  {login}"), 1);
        world.reconfigure(&file).await;
        let data = data(&world.nobody().get(&path(SHOP_WEB)).await);
        for (pointer, expected) in [
            // All codes are this tab; what it takes stands beside.
            ("/loginTabs/list", json!(["phone-code", "password"])),
            ("/loginTabs/default", json!("password")),
            ("/verifyCodeTabConfig/enabledLoginMethods", json!(["email-code"])),
            ("/verifyCodeTabConfig/validLoginMethods", json!(["email-code"])),
            ("/verifyCodeTabConfig/validRegisterMethods", json!(["email-code"])),
            ("/passwordTabConfig/enabledLoginMethods", json!(["username-password", "email-password", "phone-password"])),
            ("/passwordTabConfig/validRegisterMethods", json!(["email-password"])),
            ("/registerTabs/list", json!(["emailCode", "email"])),
            ("/registerDisabled", json!(false)),
            ("/ssoPageComponentDisplay/autoRegisterThenLoginHintInfo", json!(true)),
            ("/ssoPageComponentDisplay/loginByPhoneCodeTab", json!(false)),
            ("/passwordStrength", json!(3)),
            ("/internationalSmsConfig/enabled", json!(true)),
            ("/changePhoneStrategy/verifyOldPhone", json!(false)),
            ("/redirectUris", json!(["https://www.shop.example/callback"])),
            ("/logoutRedirectUris", json!(["https://www.shop.example/bye"])),
            ("/corsWhitelist", json!(["https://www.shop.example"])),
            ("/logo", json!("https://www.shop.example/logo.png")),
            ("/css", Value::Null),
            ("/primaryColor", json!("#1a7f5a")),
            ("/extendsFields/0/name", json!("nickname")),
            ("/oidcConfig/client_id", json!(SHOP_WEB)),
        ] {
            assert_eq!(data.pointer(pointer), Some(&expected), "{pointer}");
        }
        let agreements = data["agreements"].as_array().unwrap();
        let of = |lang: &str| agreements.iter().filter(|one| one["lang"] == lang).cloned().collect::<Vec<_>>();
        for lang in ["zh-CN", "zh-TW", "en-US", "ja-JP"] {
            let ids: Vec<_> = of(lang).iter().map(|one| (one["id"].clone(), one["required"].clone())).collect();
            assert_eq!(ids, [(json!("terms"), json!(true)), (json!("news"), json!(false))], "{lang}");
        }
        let title = of("en-US")[0]["title"].as_str().unwrap().to_owned();
        assert!(title.contains("Terms &amp; &lt;conditions&gt;") && title.contains("href=\"https://shop.example/terms\""));

        let guard = format!("/api/v2/applications/{SHOP_WEB}/components-public-config/guard");
        let answer = world.nobody().get(&guard).await;
        let global = json!({ "showChangeLanguage": true, "defaultLanguage": "en-US" });
        assert_eq!(self::data(&answer)["global"], global);

        // An application that nobody registers with.
        let closed = file.replace("registration = true", "registration = false");
        world.reconfigure(&closed).await;
        let data = self::data(&world.nobody().get(&path(SHOP_WEB)).await);
        assert_eq!((&data["registerDisabled"], &data["registerTabs"]["list"]), (&json!(true), &json!([])));
    }

    async fn tabs_are_those_of_each_client(database) {
        let world = World::new(database).await;
        let codes = ["email-code", "password", "phone-code"];
        // Its methods, its default; then the tabs of Guard and of the SDK for Android, and what is first.
        for (methods, default, tabs, first, tells) in [
            (&codes[..], None, json!(["phone-code", "password"]), "email-code", json!(["email-code", "phone-code"])),
            (&codes, Some("password"), json!(["phone-code", "password"]), "password", json!(["email-code", "phone-code"])),
            (&codes[1..], Some("phone-code"), json!(["password", "phone-code"]), "phone-code", json!(["phone-code"])),
            (&["password", "email-code"], Some("email-code"), json!(["phone-code", "password"]), "email-code", json!(["email-code"])),
            (&["password"], None, json!(["password"]), "password", json!([])),
        ] {
            let default = default.map_or(String::new(), |method| format!("default_method = {method:?}\n"));
            let login = format!("name = \"Shop website\"\n  login = {{ methods = {methods:?} }}\n")
                .replace(" }", &format!(", {} }}", default.trim()).replace(", }", " }"));
            world.reconfigure(&FILE.replacen("name = \"Shop website\"", &login, 1)).await;
            let guard = data(&world.nobody().header("x-authing-request-from", "Guard@5.3.9").get(&path(SHOP_WEB)).await);
            assert_eq!(guard["loginTabs"]["list"], tabs, "{login}");
            assert_eq!(guard["loginTabs"]["default"], first, "{login}");
            for list in ["enabledLoginMethods", "validLoginMethods"] {
                assert_eq!(guard["verifyCodeTabConfig"][list], tells, "{login}");
            }
            // The SDK for iOS shows what the list names, and `enabledLoginMethods` besides.
            let answer = world.nobody().header("x-authing-request-from", "Guard-iOS@1.6.0").get(&path(SHOP_WEB)).await;
            let vary = answer.headers.get_all("vary").iter().any(|vary| vary == "x-authing-request-from");
            assert!(vary, "kept for its own client only");
            let ios = data(&answer);
            assert_eq!(ios["loginTabs"]["list"], json!(methods));
            assert_eq!(ios["loginTabs"]["default"], first);
            assert_eq!(ios["verifyCodeTabConfig"]["enabledLoginMethods"], tells);
        }
        // By what comes before the hyphen of a method.
        let fields = data(&world.nobody().get(&path(SHOP_WEB)).await)["tabMethodsFields"].clone();
        let keys: Vec<_> = fields.as_array().unwrap().iter().map(|field| field["key"].as_str().unwrap()).collect();
        assert_eq!(keys, ["username", "email", "phone"]);
    }

    async fn codes_to_scan_are_named_by_their_connections(database) {
        let world = World::new(database).await;
        let scan = |name: &str, of: &str| format!("
  [[user_pool.connection]]
  identifier = \"{name}\"
  type = \"wechat:miniprogram:qrconnect\"
  display_name = \"{name}\"
  open_platform = \"shop\"
  fields = {{ app_id = \"{of}\", app_secret = \"secret-of-{of}\" }}
");
        let connections = format!("{}{}", scan("one", "wx00000000000000a1"), scan("two", "wx00000000000000a2"));
        let with = |methods: &str| {
            FILE.replacen("  [[user_pool.application]]", &format!("{connections}  [[user_pool.application]]"), 1)
                .replacen("connections = [\"shop-two\", \"shop-mini\"]", &format!("connections = [\"one\", \"two\", \"shop-mini\"]\n  login = {{ {methods} }}"), 1)
        };
        world.reconfigure(&with("methods = [\"password\"]")).await;
        let shown = async || {
            let data = data(&world.nobody().get(&path(SHOP_WEB)).await);
            let items = data["qrcodeTabsSettings"]["wechat-miniprogram-qrcode"].as_array().unwrap().clone();
            let ids: Vec<_> = items.iter().map(|item| item["id"].clone()).collect();
            assert_eq!(data["qrCodeSortConfig"]["loginMethodsSort"], json!(ids));
            let social = data["socialConnections"].as_array().unwrap().iter().map(|one| one["identifier"].clone());
            assert_eq!(social.collect::<Vec<_>>(), ["shop-mini"], "a code to scan is no button");
            let items = items.into_iter().map(|item| (item["title"].as_str().unwrap().to_owned(), item["isDefault"] == true));
            (data["loginTabs"].clone(), items.collect::<Vec<_>>())
        };
        let named = |items: &[(&str, bool)]| items.iter().map(|(name, first)| ((*name).to_owned(), *first)).collect::<Vec<_>>();
        // No tab, but a page of the application's own may show them.
        let (tabs, items) = shown().await;
        assert_eq!((&tabs["list"], items), (&json!(["password"]), named(&[("one", true), ("two", false)])));

        world.reconfigure(&with("methods = [\"two\", \"password\", \"one\"], default_method = \"one\"")).await;
        let (tabs, items) = shown().await;
        assert_eq!(tabs["list"], json!(["wechat-miniprogram-qrcode", "password"]));
        assert_eq!(tabs["default"], "wechat-miniprogram-qrcode");
        assert_eq!(items, named(&[("two", false), ("one", true)]));

        world.reconfigure(&with("methods = [\"password\", \"two\"]")).await;
        assert_eq!(shown().await.1, named(&[("two", true)]));
    }

    async fn a_form_to_register_is_offered_where_it_works(database) {
        let world = World::new(database).await;
        let button = async || data(&world.nobody().get(&path(SHOP_WEB)).await)["ssoPageComponentDisplay"]["registerBtn"].clone();
        assert_eq!(button().await, false, "it would say of every name that it is taken");
        world.reconfigure(&FILE.replacen("name = \"Shop\"", "name = \"Shop\"\n  [user_pool.settings]\n  tell_existence = true", 1)).await;
        assert_eq!(button().await, true);
    }

    async fn there_is_one_for_each_application_that_serves(database) {
        let world = World::new(database).await;
        world.stores_nothing(async {
            for id in [SHOP_APP, CAFE_APP] {
                // Whatever else the client says.
                let answer = world.cafe().bearer("nonsense").get(&path(id)).await;
                assert_eq!(data(&answer)["id"], id);
            }
            for id in ["6560c0ffee00000000000099", "nonsense", SHOP] {
                world.nobody().get(&path(id)).await.refused(2011);
                world.nobody().get(&format!("/api/v2/applications/{id}/components-public-config/guard")).await.refused(2011);
            }
        }).await;
        world.change_application(SHOP_WEB, |application| application.enabled = false).await;
        world.nobody().get(&path(SHOP_WEB)).await.refused(2011);
    }
}
