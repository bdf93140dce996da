mod client;
mod messages;
mod scopes;
mod settings;

use secrecy::ExposeSecret;

use super::*;

/// The example from the documentation.
const EXAMPLE: &str = r#"
[[user_pool]]
id = "6560c0ffee00000000000001"
name = "Shop"
  [[user_pool.connection]]
  identifier = "shop-mini"                      # ^[a-z0-9-]{1,31}$, fixed once made, unique in the pool
  type = "wechat:miniprogram:default"
  display_name = "WeChat"
  login_only = false
  open_platform = "shop"                        # optional: UnionIDs are unique within it; default "default"
  fields = { app_id = "wx0123456789abcdef", app_secret = { env = "SHOP_SECRET" } }
  [[user_pool.application]]
  id = "6560c0ffee00000000000002"
  name = "Shop mini program"
  type = "mini-program"                         # web | spa | native | mini-program | api
  default = true                                # optional: serves clients that name only the pool
  connections = ["shop-mini"]                   # order matters where a client names none
  [[user_pool.user]]
  username = "alice"
  password = { env = "ALICE_PASSWORD" }
  phone = "+8613800000000"
"#;

fn environment(name: &str) -> Option<String> {
    let value = match name {
        "SHOP_SECRET" => "5ec2e75ec2e75ec2e75ec2e75ec2e75e",
        "ALICE_PASSWORD" => "correct horse",
        "EMPTY" => "",
        "SHORT" => "sh0rt",
        "CLIENT_SECRET" => "c11e27c11e27c11e27c11e27c11e27c11e27",
        "TWO_LINES" => "5ec2e7\n",
        _ => return None,
    };
    Some(value.to_owned())
}

fn accepted(text: &str) -> Desired {
    read(text, "hufu.toml", &environment).unwrap_or_else(|errors| panic!("{errors}"))
}

fn refused(text: &str) -> String {
    read(text, "hufu.toml", &environment).expect_err(text).to_string()
}

/// A line in a valid pool, as line 4 of the file.
fn in_pool(lines: &str) -> String {
    format!("[[user_pool]]\nid = \"p\"\nname = \"Shop\"\n{lines}")
}

/// The connection `c` with one line replaced or added. Its header is line 4, the changed line is line 5.
fn with_connection(changed: &str) -> String {
    let key = changed.split('=').next().unwrap_or_default().trim();
    let mut text = in_pool("[[user_pool.connection]]\n") + changed;
    for line in [
        "identifier = \"c\"",
        "type = \"wechat:miniprogram:default\"",
        "fields = { app_id = \"wx0123456789abcdef\", app_secret = \"s\" }",
    ] {
        if !line.starts_with(key) {
            text = text + "\n" + line;
        }
    }
    text
}

/// The application `a`, built in the same way.
fn with_application(changed: &str) -> String {
    let key = changed.split('=').next().unwrap_or_default().trim();
    let mut text = in_pool("[[user_pool.application]]\n") + changed;
    for line in ["id = \"a\"", "name = \"App\"", "type = \"web\""] {
        if !line.starts_with(key) {
            text = text + "\n" + line;
        }
    }
    text
}

/// A user with a username, built in the same way.
fn with_user(changed: &str) -> String {
    let username = if changed.starts_with("username") { "" } else { "\nusername = \"alice\"" };
    in_pool("[[user_pool.user]]\n") + changed + username
}

#[test]
fn the_example_is_read_whole() {
    let desired = accepted(EXAMPLE);
    let [pool] = desired.pools.as_slice() else { panic!("one pool") };
    assert_eq!((pool.id.as_str(), pool.name.as_str()), ("6560c0ffee00000000000001", "Shop"));
    assert_eq!(pool.at, Position { line: 2, column: 1 });

    let [connection] = pool.connections.as_slice() else { panic!("one connection") };
    assert_eq!(connection.at, Position { line: 5, column: 3 });
    assert_eq!(connection.identifier.as_str(), "shop-mini");
    assert_eq!(connection.kind, ConnectionKind::WechatMiniProgram);
    assert_eq!(connection.display_name, "WeChat");
    assert!(!connection.login_only);
    assert_eq!(connection.open_platform.0.as_str(), "shop");
    assert_eq!(connection.settings.text("app_id"), Some("wx0123456789abcdef"));
    assert_eq!(connection.settings.text("app_secret"), Some("5ec2e75ec2e75ec2e75ec2e75ec2e75e"));

    let [application] = pool.applications.as_slice() else { panic!("one application") };
    assert_eq!(application.id.as_str(), "6560c0ffee00000000000002");
    assert_eq!(application.name, "Shop mini program");
    assert_eq!(application.kind, ApplicationKind::MiniProgram);
    assert!(application.is_default);
    let [reference] = application.connections.as_slice() else { panic!("one reference") };
    assert_eq!(
        (reference.identifier.as_str(), reference.at),
        ("shop-mini", Position { line: 17, column: 18 })
    );
    assert_eq!(application.signing_algorithm, None);
    assert_eq!(application.lifetimes, DesiredLifetimes::default());

    let [user] = pool.users.as_slice() else { panic!("one user") };
    assert_eq!(user.id, None);
    assert_eq!(user.username.as_ref().map(Username::as_str), Some("alice"));
    assert_eq!(user.phone.as_ref().map(Phone::as_str), Some("+8613800000000"));
    assert_eq!(user.password.as_ref().map(ExposeSecret::expose_secret), Some("correct horse"));
}

#[test]
fn what_may_be_left_out_has_its_default() {
    assert!(accepted("").pools.is_empty());
    assert!(accepted("# nothing\n").pools.is_empty());
    assert_eq!(accepted(&in_pool("")).pools.len(), 1);

    let desired = accepted(&with_connection("login_only = true"));
    let connection = &desired.pools[0].connections[0];
    assert_eq!(connection.display_name, "c");
    assert_eq!(connection.open_platform.0.as_str(), OpenPlatform::DEFAULT);
    assert!(connection.login_only);

    let desired = accepted(&with_application("signing_algorithm = \"EdDSA\""));
    let application = &desired.pools[0].applications[0];
    assert!(!application.is_default && application.connections.is_empty());
    assert_eq!(application.signing_algorithm, Some(SigningAlgorithm::EdDsa));
}

#[test]
fn lifetimes_are_laid_over_those_there_are() {
    let text = with_application("id = \"a\"")
        + "\n[user_pool.application.tokens]\nuser_token = \"30d\"\nsession = \"3650d\"\naccess_token = \"90s\"";
    let lifetimes = accepted(&text).pools[0].applications[0].lifetimes;
    let expected = TokenLifetimes {
        user_token: Duration::from_secs(30 * 86_400),
        session: Duration::from_secs(3650 * 86_400),
        access_token: Duration::from_secs(90),
        refresh_token: TokenLifetimes::default().refresh_token,
    };
    assert_eq!(lifetimes.over(TokenLifetimes::default()), expected);
}

#[test]
fn order_is_that_of_the_file() {
    let text = "user_pool = [{ id = \"z\", name = \"Z\" }, { id = \"a\", name = \"A\" }]";
    let ids: Vec<_> = accepted(text).pools.iter().map(|pool| pool.id.to_string()).collect();
    assert_eq!(ids, ["z", "a"]);
    let text = with_application("connections = [\"z\", \"elsewhere\", \"a\"]");
    let names: Vec<_> = accepted(&text).pools[0].applications[0]
        .connections
        .iter()
        .map(|reference| reference.identifier.to_string())
        .collect();
    assert_eq!(names, ["z", "elsewhere", "a"], "connections that the file lacks are the planner's to judge");
}

#[test]
fn the_file_and_its_pools() {
    for (text, message) in [
        ("user_poo = 1", "1:1: unknown key `user_poo` in the file — did you mean `user_pool`?"),
        ("listen = 1", "1:1: unknown key `listen` in the file — the keys here are user_pool"),
        ("[user_pool]\nid = \"p\"", "1:1: `user_pool` is a table — write `[[user_pool]]`"),
        ("user_pool = [1]", "1:14: `user_pool` is an integer — write `[[user_pool]]`"),
        ("[[user_pool]]\nname = \"x\"", "1:1: a user pool without `id` — add the key `id`"),
        ("[[user_pool]]\nid = \"p\"", "1:1: a user pool without `name` — add the key `name`"),
        (
            "[[user_pool]]\nid = \"a b\"\nname = \"x\"",
            "2:6: `id` is not valid — an id is 1 to 64 characters of A-Z, a-z, 0-9, '_' and '-'",
        ),
        (
            "[[user_pool]]\nid = \"system\"\nname = \"x\"",
            "2:6: the pool `system` is reserved for administrators — choose another id",
        ),
        (
            "[[user_pool]]\nid = \"p\"\nname = \" \"",
            "3:8: `name` is not valid — write 1 to 255 characters, not only spaces and no control characters",
        ),
        ("[[user_pool]]\nid = 12\nname = \"x\"", "2:6: `id` is an integer — write a string"),
        (
            "[[user_pool]]\nid = \"p\"\nname = \"x\"\n\n[[user_pool]]\nid = \"p\"\nname = \"y\"",
            "6:6: the pool id `p` is already taken at line 2 — each needs its own",
        ),
        (
            &in_pool("[user_pool.connection]\nidentifier = \"c\""),
            "4:1: `connection` is a table — write `[[user_pool.connection]]`",
        ),
    ] {
        assert_eq!(refused(text), format!("hufu.toml:{message}"), "{text}");
    }
}

#[test]
fn connections() {
    let identifier = "an identifier is 1 to 31 characters of a-z, 0-9 and '-'";
    let app_id = "a WeChat AppID is 'wx' and 16 characters of 0-9 and a-f";
    let app_secret = "an AppSecret is 1 to 128 printable ASCII characters without spaces or line breaks";
    let served = ConnectionKind::ALL.iter().map(|kind| kind.as_str()).collect::<Vec<_>>().join(", ");
    for (line, message) in [
        ("identifier = \"Shop\"", format!("5:14: `identifier` is not valid — {identifier}")),
        ("open_platform = \"\"", format!("5:17: `open_platform` is not valid — {identifier}")),
        (
            "type = \"wechat\"",
            format!("5:8: unknown connection type `wechat` — this version serves {served}"),
        ),
        (
            "type = \"\\u001b[2J\"",
            format!("5:8: unknown connection type `\\u{{1b}}[2J` — this version serves {served}"),
        ),
        ("login_only = \"yes\"", "5:14: `login_only` is a string — write true or false".to_owned()),
        (
            "login-only = true",
            "5:1: unknown key `login-only` in a connection — did you mean `login_only`?".to_owned(),
        ),
        (
            "display = \"x\"",
            "5:1: unknown key `display` in a connection — did you mean `display_name`?".to_owned(),
        ),
        (
            "colour = \"x\"",
            "5:1: unknown key `colour` in a connection — the keys here are \
             identifier, type, enabled, display_name, login_only, open_platform, association, logo, verification_file, callback, return_user, fields"
                .to_owned(),
        ),
        ("fields = 1", "5:10: `fields` is an integer — write { app_id = \"…\", app_secret = … }".to_owned()),
        (
            "fields = { app_id = \"wx0123456789abcdef\" }",
            "5:10: the fields of a connection without `app_secret` — add the key `app_secret`".to_owned(),
        ),
        (
            "fields = { appId = \"x\", app_id = \"wx0123456789abcdef\", app_secret = \"s\" }",
            "5:12: unknown key `appId` in the fields of a connection — did you mean `app_id`?".to_owned(),
        ),
        (
            "fields = { app_id = \"gh_1\", app_secret = \"s\" }",
            format!("5:21: `app_id` is not valid — {app_id}"),
        ),
        (
            "fields = { app_id = \"wx0123456789abcdef\", app_secret = \"\" }",
            format!("5:56: `app_secret` is not valid — {app_secret}"),
        ),
        (
            "fields = { app_id = \"wx0123456789abcdef\", app_secret = { env = \"TWO_LINES\" } }",
            format!(
                "5:56: `app_secret`, from the environment variable TWO_LINES, is not valid — {app_secret}"
            ),
        ),
        (
            "fields = { app_id = \"wx0123456789abcdef\", app_secret = { env = \"UNSET\" } }",
            "5:64: the environment variable UNSET is not set — set it for this command".to_owned(),
        ),
        (
            "fields = { app_id = \"wx0123456789abcdef\", app_secret = { env = \"EMPTY\" } }",
            "5:64: the environment variable EMPTY is empty — set it to the secret".to_owned(),
        ),
        (
            "fields = { app_id = \"wx0123456789abcdef\", app_secret = {} }",
            "5:56: a secret without `env` — add the key `env`".to_owned(),
        ),
        (
            "fields = { app_id = \"wx0123456789abcdef\", app_secret = 5 }",
            "5:56: `app_secret` is an integer — write a string or { env = \"NAME\" }".to_owned(),
        ),
    ] {
        assert_eq!(refused(&with_connection(line)), format!("hufu.toml:{message}"), "{line}");
    }
    let twice = with_connection("identifier = \"c\"");
    let twice = format!("{twice}\n{}", twice.replace(&in_pool(""), ""));
    let message =
        "hufu.toml:9:14: the connection identifier `c` is already taken at line 5 — each needs its own";
    assert_eq!(refused(&twice), message);
}

#[test]
fn applications() {
    let duration = "a duration is a number with d, h, m or s, such as \"14d\", from 1 minute to 10 years";
    let identifier = "an identifier is 1 to 31 characters of a-z, 0-9 and '-'";
    let mut cases = vec![
        (
            "type = \"site\"",
            "5:8: unknown application type `site` — write one of web, spa, native, mini-program, api"
                .to_owned(),
        ),
        (
            "signing_algorithm = \"HS256\"",
            "5:21: unknown signing algorithm `HS256` — write one of ES256, RS256, EdDSA".to_owned(),
        ),
        (
            "connections = \"c\"",
            "5:15: `connections` is a string — write a list of strings in brackets".to_owned(),
        ),
        ("connections = [\"c\", 1]", "5:21: `connections` is an integer — write a string".to_owned()),
        ("connections = [\"C\"]", format!("5:16: `connections` is not valid — {identifier}")),
        (
            "connections = [\"c\", \"d\", \"c\"]",
            "5:26: `c` stands in this list already — name each connection once".to_owned(),
        ),
        ("default = 1", "5:11: `default` is an integer — write true or false".to_owned()),
        ("tokens = \"2h\"", "5:10: `tokens` is a string — write [user_pool.application.tokens]".to_owned()),
        (
            "tokens = { acess_token = \"2h\" }",
            "5:12: unknown key `acess_token` in the tokens of an application — did you mean `access_token`?"
                .to_owned(),
        ),
    ];
    let wrong =
        ["", "h", "2", "2 h", "2w", "-2h", "1.5h", "59s", "0d", "3651d", "99999999999999999999d", "2時"];
    let lines = wrong.map(|text| format!("tokens = {{ session = \"{text}\" }}"));
    cases.extend(
        lines.iter().map(|line| (line.as_str(), format!("5:22: `session` is not valid — {duration}"))),
    );
    for (line, message) in cases {
        assert_eq!(refused(&with_application(line)), format!("hufu.toml:{message}"), "{line}");
    }
}

#[test]
fn applications_beside_one_another() {
    let first = with_application("default = true");
    let second = "\n[[user_pool.application]]\nid = \"b\"\nname = \"B\"\ntype = \"api\"\n";
    assert_eq!(
        refused(&format!("{first}{second}default = true")),
        "hufu.toml:13:11: a pool has one default application, and it is already at line 5 — let one of them be the default"
    );
    accepted(&format!("{first}{second}default = false"));
    let elsewhere = format!("{first}\n[[user_pool]]\nid = \"q\"\nname = \"Q\"{second}default = true");
    accepted(&elsewhere);
    assert_eq!(
        refused(&elsewhere.replace("id = \"b\"", "id = \"a\"")),
        "hufu.toml:13:6: the application id `a` is already taken at line 6 — each needs its own"
    );
    let with_both = with_connection("login_only = true") + second;
    assert_eq!(
        refused(&format!("{with_both}connections = [\"c\"]")),
        "hufu.toml:13:16: an application of type api cannot use `c`, which is wechat:miniprogram:default — take it out of the list"
    );
}

#[test]
fn users() {
    let password = "a password has 8 to 128 characters";
    let long = format!("password = \"{}\"", "x".repeat(129));
    for (line, message) in [
        (
            "phone = \"13800000000\"",
            "5:9: `phone` is not valid — a phone number is written in international form: \
             '+', country code, number, 8 to 15 digits in all"
                .to_owned(),
        ),
        (
            "email = \"alice\"",
            "5:9: `email` is not valid — an e-mail address looks like name@example.com, in at most 254 characters"
                .to_owned(),
        ),
        (
            "username = \"a@b\"",
            "5:12: `username` is not valid — a username has 1 to 64 characters, \
             without spaces at its ends, control characters or '@'"
                .to_owned(),
        ),
        ("password = \"1234567\"", format!("5:12: `password` is not valid — {password}")),
        (&long, format!("5:12: `password` is not valid — {password}")),
        (
            "password = { env = \"SHORT\" }",
            format!("5:12: `password`, from the environment variable SHORT, is not valid — {password}"),
        ),
        (
            "passwort = \"12345678\"",
            "5:1: unknown key `passwort` in a user — did you mean `password`?".to_owned(),
        ),
        (
            "nickname = \"\"",
            "5:12: `nickname` is not valid — write 1 to 255 characters, not only spaces and no control characters"
                .to_owned(),
        ),
    ] {
        assert_eq!(refused(&with_user(line)), format!("hufu.toml:{message}"), "{line}");
    }
    assert_eq!(
        refused(&in_pool("[[user_pool.user]]\nnickname = \"Alice\"")),
        "hufu.toml:4:1: a user that cannot log in — add `username`, `email` or `phone`"
    );
}

#[test]
fn users_beside_one_another() {
    for (first, second, what) in [
        ("username = \"alice\"", "username = \"alice\"", "this username"),
        ("email = \"alice@example.com\"", "email = \"Alice@Example.com\"", "this e-mail address"),
        ("phone = \"+8613800000000\"", "phone = \"+86 138-0000-0000\"", "this phone number"),
        (
            "username = \"a\"\nexternal_id = \"7\"",
            "username = \"b\"\nexternal_id = \"7\"",
            "this external_id",
        ),
        ("username = \"a\"\nid = \"7\"", "username = \"b\"\nid = \"7\"", "the user id `7`"),
    ] {
        let text = in_pool(&format!("[[user_pool.user]]\n{first}\n[[user_pool.user]]\n{second}"));
        let tail =
            format!(": {what} is already taken at line {} — each needs its own", 4 + first.lines().count());
        let errors = refused(&text);
        assert!(errors.ends_with(&tail) && errors.lines().count() == 1, "{errors}");
    }
    let other_pool = "[[user_pool]]\nid = \"q\"\nname = \"Q\"\n[[user_pool.user]]\nusername = \"alice\"\n";
    accepted(&format!("{other_pool}{}", with_user("nickname = \"Alice\"")));
}

#[test]
fn everything_that_is_wrong_is_told_at_once() {
    let text = "\
[[user_pool]]
id = \"system\"
nam = \"Shop\"
[[user_pool.user]]
password = \"short\"
[[user_pool.connection]]
identifier = \"汉字\"
type = 3
fields = { app_id = \"\", app_secret = { env = \"UNSET\" } }
";
    assert_eq!(
        refused(text),
        "\
hufu.toml:1:1: a user pool without `name` — add the key `name`
hufu.toml:2:6: the pool `system` is reserved for administrators — choose another id
hufu.toml:3:1: unknown key `nam` in a user pool — did you mean `name`?
hufu.toml:4:1: a user that cannot log in — add `username`, `email` or `phone`
hufu.toml:5:12: `password` is not valid — a password has 8 to 128 characters
hufu.toml:7:14: `identifier` is not valid — an identifier is 1 to 31 characters of a-z, 0-9 and '-'
hufu.toml:8:8: `type` is an integer — write a string
hufu.toml:9:21: `app_id` is not valid — a WeChat AppID is 'wx' and 16 characters of 0-9 and a-f
hufu.toml:9:46: the environment variable UNSET is not set — set it for this command"
    );
}

#[test]
fn what_is_not_toml() {
    for (text, message) in [
        ("[[user_pool]\nid = \"p\"", "1:13: not TOML: unclosed array table, expected `]`"),
        ("[[user_pool]]\nid = p", "2:6: not TOML: string values must be quoted, expected literal string"),
        ("[[user_pool]]\nid = \"p\nname = \"Shop\"", "2:8: not TOML: invalid basic string, expected `\"`"),
        (
            "[[user_pool]]\n汉字 = \"p\"",
            "2:1: not TOML: invalid unquoted key, expected letters, numbers, `-`, `_`",
        ),
        ("user_pool = [", "1:14: not TOML: unclosed array, expected `]`"),
        ("{\"user_pool\": []}", "1:1: not TOML: invalid key-value pair, expected key"),
    ] {
        let reason = format!("hufu.toml:{message} — correct the syntax here");
        assert_eq!(refused(text), reason, "{text}");
    }
}

#[test]
fn a_key_stands_once() {
    assert_eq!(
        refused("[[user_pool]]\nid = \"p\"\nid = \"q\""),
        "hufu.toml:3:1: this key or table is there already — keep one of the two"
    );
}

/// No error message and no debug output contains a secret, wherever the error is.
#[test]
fn secrets_are_never_shown() {
    const SECRET: &str = "5ec2e75ec2e75ec2e75ec2e75ec2e75e";
    let shown = format!("{:?}", accepted(EXAMPLE));
    assert!(
        !shown.contains(SECRET) && !shown.contains("correct horse") && !shown.contains("1380000"),
        "{shown}"
    );

    for line in [
        format!("fields = {{ app_id = \"wx0123456789abcdef\", app_secret = \"{SECRET} \" }}"),
        format!("fields = {{ app_id = \"wx0123456789abcdef\", app_secret = \"{SECRET} }}"),
        format!("fields = {{ app_id = \"wx0123456789abcdef\", app_secret = {SECRET} }}"),
        format!(
            "fields = {{ app_id = \"wx0123456789abcdef\", app_secret = '{SECRET}', app_secret = '{SECRET}' }}"
        ),
        format!("fields = {{ app_id = \"wx0123456789abcdef\" app_secret = \"{SECRET}\" }}"),
        format!("fields = {{ app_id = \"wx0123456789abcdef\", app_secret = {{ env = \"{SECRET}\" }} }}"),
        format!("fields = {{ app_id = \"wx0123456789abcdef\", app_secret = {{ env = [\"{SECRET}\"] }} }}"),
        format!("fields = {{ app_id = \"{SECRET}\", app_secret = \"wx0123456789abcdef\" }}"),
        format!("fields = \"{SECRET}\""),
    ] {
        let errors = read(&with_connection(&line), "hufu.toml", &environment).expect_err(&line);
        assert!(!format!("{errors} {errors:?}").contains("5ec2e7"), "{errors}");
    }
    // Bare digits are a number, which is a wrong type.
    let errors = refused(&with_user("password = 1234567890"));
    assert!(!errors.contains("12345"), "{errors}");
}

/// The parser continues after an error. Wherever the text is broken, it must neither panic nor reveal a
/// secret.
#[test]
fn a_text_broken_anywhere_is_refused_without_its_secrets() {
    let text = EXAMPLE
        .replace("{ env = \"SHOP_SECRET\" }", "\"!!!!!!!!!!!!!!!!\"")
        .replace("{ env = \"ALICE_PASSWORD\" }", "'!!!!!!!!!!!!!!!!'");
    accepted(&text);
    for (at, c) in text.char_indices() {
        let (before, after) = text.split_at(at);
        let without = &after[c.len_utf8()..];
        for broken in [
            before.to_owned(),
            format!("{before}{without}"),
            format!("{before}\"{after}"),
            format!("{before}[{after}"),
        ] {
            if let Err(errors) = read(&broken, "hufu.toml", &environment) {
                assert!(!errors.to_string().contains("!!!!"), "{errors}\n{broken}");
            }
        }
    }
}

#[test]
fn places_are_counted_in_lines_and_characters() {
    let text = "# 虎符\r\nuser_pool = [ { \"名\" = 1 } ] # the end";
    let errors = read(text, "hufu.toml", &environment).expect_err(text);
    let places: Vec<_> = errors.errors().iter().map(|error| error.at().to_string()).collect();
    assert_eq!(places, ["2:15", "2:15", "2:17"]);
    assert_eq!(errors.errors()[2].reason().split(" — ").next(), Some("unknown key `名` in a user pool"));
}
