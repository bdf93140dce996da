//! `[user_pool.settings]`, `association`, and the Open Platform accounts of a pool.

use hufu_types::{
    AssociationMode, BindMethod, ConflictRule, CustomFieldType, MatchField, PasswordLevel, PasswordPolicy,
};

use super::*;

/// Every setting, each with a value other than its default.
const ALL: &str = r#"
[[user_pool]]
id = "p"
name = "Shop"
  [user_pool.settings]
  registration = false
  tell_existence = true
  register_email_without_code = true
  sms_countries = ["86", "+852"]
  verify_old_phone = false
  verify_old_email = false
  custom_fields_only = true
  required_fields = ["phone", "nickname", "custom.size"]
  deletion_grace_days = 30
  audit_days = 365
  time_zone = "Europe/Paris"
  session = { idle = "2d", life = "30d" }
  qr = { life = "3m", ticket = "10m" }
  password = { min_length = 10, max_length = 64, level = "middle", refuse_common = false, refuse_own_names = false }
  custom_fields = [
    { key = "size", type = "enum", label = "Size", options = ["S", "M"], visible = true, editable = false },
    { key = "member.since", type = "datetime" },
  ]
  agreements = [{ id = "terms", version = 2, title = "Terms", url = "https://example.com/terms", required = false }]
"#;

fn settings_of(text: &str) -> PoolSettings {
    accepted(text).pools.remove(0).settings.expect("settings")
}

#[test]
fn every_setting_is_read() {
    let settings = settings_of(ALL);
    assert!(!settings.registration && settings.tell_existence && settings.custom_fields_only);
    assert!(!settings.verify_old_phone && !settings.verify_old_email && settings.register_email_without_code);
    assert_eq!(settings.required_fields, ["phone", "nickname", "custom.size"]);
    assert_eq!((settings.deletion_grace_days, settings.audit_days), (30, 365));
    let password = PasswordPolicy {
        min_length: 10,
        max_length: 64,
        level: PasswordLevel::Middle,
        refuse_common: false,
        refuse_own_names: false,
    };
    assert_eq!(settings.password, password);
    let [size, since] = settings.custom_fields.as_slice() else { panic!("two fields") };
    assert_eq!(
        (size.kind, size.label.as_str(), size.editable),
        (CustomFieldType::Enumeration, "Size", false)
    );
    assert_eq!((since.kind, since.visible, since.editable), (CustomFieldType::Datetime, true, true));
    assert_eq!((settings.agreements[0].version, settings.agreements[0].required), (2, false));

    let languages =
        settings_of(&ALL.replacen("title = \"Terms\"", "title = { zh-CN = \"条款\", en = \"Terms\" }", 1));
    assert_eq!(languages.agreements[0].title.in_language(hufu_types::Language::SimplifiedChinese), "条款");

    // Every setting must be covered: a new one needs a line in the example above and a mention in the
    // documentation.
    let object =
        |settings: &PoolSettings| serde_json::to_value(settings).unwrap().as_object().unwrap().clone();
    let (read, default) = (object(&settings), object(&PoolSettings::default()));
    let page = include_str!("../../../../../../../docs/apply.md");
    // These are tables of their own.
    for (name, value) in read.iter().filter(|(name, _)| !["scopes", "branding"].contains(&name.as_str())) {
        assert_ne!(default.get(name), Some(value), "{name} has its default in the example");
        assert!(page.contains(&format!("`{name}`")), "docs/apply.md does not tell of {name}");
    }
}

#[test]
fn absent_settings_have_their_defaults_and_an_absent_table_says_nothing() {
    assert_eq!(accepted(&in_pool("")).pools[0].settings, None);
    assert_eq!(settings_of(&in_pool("[user_pool.settings]")), PoolSettings::default());
    let settings = settings_of(&in_pool("settings = { password = { min_length = 9 } }"));
    assert_eq!(settings.password, PasswordPolicy { min_length: 9, ..PasswordPolicy::default() });
}

/// Adds a line to the settings of a pool, as line 5 of the file.
fn with_settings(line: &str) -> String {
    in_pool("[user_pool.settings]\n") + line
}

#[test]
fn settings_that_cannot_be() {
    let key = "not a key — write 1 to 64 characters of A-Z, a-z, 0-9, '_', '-' and '.'";
    for (line, message) in [
        (
            "tell_existance = true",
            "5:1: unknown key `tell_existance` in the settings of a user pool — did you mean `tell_existence`?",
        ),
        (
            "registration = \"no\"",
            "5:16: `registration` is not valid — invalid type: string \"no\", expected a boolean",
        ),
        (
            "password = { min_lenght = 9 }",
            "5:14: `password` is not valid — unknown field `min_lenght`, expected one of `min_length`, `max_length`, \
             `level`, `refuse_common`, `refuse_own_names`",
        ),
        (
            "password = { level = \"highest\" }",
            "5:22: `password` is not valid — unknown variant `highest`, expected one of `low`, `middle`, `high`",
        ),
        ("password = { min_length = 0 }", "5:27: `min_length`: out of range — write 1 to 128"),
        (
            "password = { min_length = 20, max_length = 19 }",
            "5:44: `max_length`: out of range — write min_length (20) to 128",
        ),
        ("password = { max_length = 7 }", "5:27: `max_length`: out of range — write min_length (8) to 128"),
        ("custom_fields = [{ key = \"a b\", type = \"string\" }]", &format!("5:26: `key`: {key}")),
        (
            "custom_fields = [{ key = \"a\", type = \"string\" }, { key = \"a\", type = \"number\" }]",
            "5:58: `key`: `a` is there already — name each once",
        ),
        (
            "custom_fields = [{ key = \"a\", type = \"enum\" }]",
            "5:18: `custom_fields`: an enum without options — write options = [\"…\"]",
        ),
        (
            "custom_fields = [{ key = \"a\", type = \"number\", options = [\"1\"] }]",
            "5:58: `options`: only an enum has options — take them out, or write type = \"enum\"",
        ),
        (
            "custom_fields = [{ key = \"a\", type = \"enum\", options = [\"x\", \"x\"] }]",
            "5:62: `options`: `x` is there already — name each once",
        ),
        (
            "custom_fields = [{ key = \"a\", type = \"date\" }]",
            "5:38: `custom_fields` is not valid — unknown variant `date`, expected one of `string`, `number`, \
             `boolean`, `datetime`, `enum`, `object`",
        ),
        ("custom_fields = [{ key = \"a\" }]", "5:18: `custom_fields` is not valid — missing field `type`"),
        (
            "required_fields = [\"phone\", \"shoe\"]",
            "5:29: `required_fields`: there is no field `shoe` — write phone, email, username, a field of the profile, \
             or custom.KEY",
        ),
        (
            "required_fields = [\"custom.size\"]",
            "5:20: `required_fields`: there is no field `custom.size` — declare it in custom_fields, or take it out",
        ),
        ("agreements = [{ id = \"\", version = 1, title = \"T\" }]", &format!("5:22: `id`: {key}")),
        (
            "agreements = [{ id = \"t\", version = 0, title = \"T\" }]",
            "5:37: `version`: versions count from 1 — write 1 or more",
        ),
        (
            "agreements = [{ id = \"t\", version = -1, title = \"T\" }]",
            "5:37: `agreements` is not valid — invalid value: integer `-1`, expected u32",
        ),
        (
            "agreements = [{ id = \"t\", version = 1, title = { en = \"T\", fr = \"C\" } }]",
            "5:65: `fr`: there are no texts in `fr` — write zh-CN, zh-TW, en, ja",
        ),
        ("audit_days = 0", "5:14: `audit_days`: out of range — write 1 to 3650"),
        (
            "sms_countries = [\"86\", \"CN\"]",
            "5:24: `sms_countries`: no country calling code — write one to three digits, such as 86",
        ),
        ("deletion_grace_days = 9999", "5:23: `deletion_grace_days`: too long — write 0 to 3650"),
    ] {
        assert_eq!(refused(&with_settings(line)), format!("hufu.toml:{message}"), "{line}");
    }
    let several = with_settings("registration = 1\naudit_days = \"x\"\npassword = { level = 2 }");
    assert_eq!(refused(&several).lines().count(), 3, "{}", refused(&several));
    assert_eq!(
        refused(&in_pool("settings = true")),
        "hufu.toml:4:12: `settings` is a boolean — write [user_pool.settings]"
    );
}

fn association_of(value: &str) -> Association {
    accepted(&with_connection(&format!("association = {value}"))).pools[0].connections[0].association.clone()
}

#[test]
fn associations_are_read() {
    let none = &accepted(&with_connection("login_only = true")).pools[0].connections[0].association;
    assert_eq!(*none, Association::default());
    assert_eq!(association_of("{ mode = \"none\" }"), Association::default());
    assert_eq!(association_of("{ conflict = \"choose\" }").conflict, ConflictRule::Choose);
    let field = association_of("{ mode = \"field\" }");
    assert_eq!((field.mode, field.fields.as_slice()), (AssociationMode::Field, &[MatchField::Phone][..]));
    assert_eq!(association_of("{ mode = \"field\", fields = [\"phone\"] }"), field);
    let field = association_of("{ mode = \"field\", methods = [\"phone-code\"] }");
    assert_eq!((field.fields.len(), field.methods.as_slice()), (1, &[BindMethod::PhoneCode][..]));
    let ask = association_of("{ mode = \"ask\", methods = [\"email-code\", \"phone-password\"] }");
    assert_eq!(ask.methods, [BindMethod::EmailCode, BindMethod::PhonePassword]);
    assert_eq!(association_of("{ mode = \"ask\" }").methods, BindMethod::ALL);
}

#[test]
fn associations_that_cannot_be() {
    let cannot = |field: &str| {
        format!(
            "`fields`: wechat:miniprogram:default cannot prove `{field}`, and no connection of this version does — \
             take it out of the list"
        )
    };
    for (value, message) in [
        (
            "\"field\"",
            "5:15: `association` is a string — write { mode = \"none\" }, or with \"field\" or \"ask\"".to_owned(),
        ),
        (
            "{ mode = \"match\" }",
            "5:24: `mode` is not valid — unknown variant `match`, expected one of `none`, `field`, `ask`".to_owned(),
        ),
        (
            "{ method = [\"phone-code\"], mode = \"ask\" }",
            "5:17: unknown key `method` in the association of a connection — did you mean `methods`?".to_owned(),
        ),
        ("{ mode = \"field\", fields = [\"phone\", \"email\"] }", format!("5:52: {}", cannot("email"))),
        ("{ mode = \"field\", fields = [\"external_id\"] }", format!("5:43: {}", cannot("external_id"))),
        (
            "{ mode = \"field\", fields = [] }",
            "5:42: `fields`: `field` matches by nothing — name one of phone".to_owned(),
        ),
        (
            "{ mode = \"ask\", methods = [] }",
            "5:41: `methods`: `ask` without a way to prove an account — name at least one of phone-code, email-code, \
             username-password, phone-password, email-password"
                .to_owned(),
        ),
        (
            "{ mode = \"ask\", methods = [\"phone-code\", \"phone-code\"] }",
            "5:56: `methods`: `phone-code` is there already — name each once".to_owned(),
        ),
        (
            "{ mode = \"ask\", fields = [\"phone\"] }",
            "5:40: `fields` is for mode = \"field\" alone — write that mode, or take it out".to_owned(),
        ),
        (
            "{ methods = [\"phone-code\"] }",
            "5:27: `methods` is for mode = \"ask\" or \"field\" alone — write that mode, or take it out".to_owned(),
        ),
        (
            "{ mode = \"none\", conflict = \"merge\" }",
            "5:43: `conflict` is not valid — unknown variant `merge`, expected `keep` or `choose`".to_owned(),
        ),
    ] {
        let line = format!("association = {value}");
        assert_eq!(refused(&with_connection(&line)), format!("hufu.toml:{message}"), "{line}");
    }
}

#[test]
fn a_misspelt_open_platform_account_is_seen_where_the_pool_declares_its_own() {
    let declared = |name: &str| format!("[[user_pool.open_platform]]\nname = \"{name}\"\n");
    let with = |declarations: &str, connection: &str| {
        with_connection(connection).replace(&in_pool(""), &in_pool(declarations))
    };
    let group = declared("group");
    assert_eq!(accepted(&with(&group, "open_platform = \"group\"")).pools.len(), 1);
    assert_eq!(accepted(&with(&group, "login_only = true")).pools.len(), 1, "bound to none");
    assert_eq!(accepted(&with("", "open_platform = \"any\"")).pools.len(), 1);
    assert_eq!(
        refused(&with(&group, "open_platform = \"gruop\"")),
        "hufu.toml:7:17: the user pool declares no Open Platform account `gruop` — correct the name, or declare it as \
         [[user_pool.open_platform]]"
    );
    for (declarations, message) in [
        (
            declared("group") + &declared("group"),
            "7:8: the Open Platform account `group` is already taken at line 5 — each needs its own",
        ),
        (
            declared("Group"),
            "5:8: `name` is not valid — an identifier is 1 to 31 characters of a-z, 0-9 and '-'",
        ),
        (
            "[[user_pool.open_platform]]\n".to_owned(),
            "4:1: an Open Platform account without `name` — add the key `name`",
        ),
        (
            "open_platform = \"group\"\n".to_owned(),
            "4:17: `open_platform` is a string — write `[[user_pool.open_platform]]`",
        ),
    ] {
        assert_eq!(refused(&in_pool(&declarations)), format!("hufu.toml:{message}"), "{declarations}");
    }
}

#[test]
fn the_branding_of_a_pool_is_read_like_that_of_an_application() {
    let read = accepted(&in_pool("branding = { title = { en = \"Shop\" }, logo = \"\", language = \"ja\" }"));
    let branding = read.pools[0].branding.clone().unwrap();
    assert_eq!((branding.title["en"].as_str(), branding.logo), ("Shop", None));
    assert_eq!(branding.language.as_deref(), Some("ja"));
    assert_eq!(accepted(&in_pool("")).pools[0].branding, None);
    for (line, message) in [
        (
            "primary_color = \"red\"",
            "5:17: `primary_color`: not a color — write `#` and six digits of 0-9 and a-f, such as #1a7f5a",
        ),
        ("css = \"x\"", "5:1: `css` in the branding of a user pool is not available yet — take it out"),
        (
            "background = \"#fff\"",
            "5:1: `background` in the branding of a user pool is not available yet — take it out",
        ),
    ] {
        let file = in_pool("[user_pool.branding]\n") + line;
        assert_eq!(refused(&file), format!("hufu.toml:{message}"), "{line}");
    }
    assert_eq!(
        refused(&with_settings("branding = { theme = \"dark\" }")),
        "hufu.toml:5:12: the branding is a table of the user pool — write [user_pool.branding]"
    );
}
