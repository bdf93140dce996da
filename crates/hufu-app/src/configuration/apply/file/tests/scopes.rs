//! The scopes of a pool, and the resources of applications.

use super::*;

fn scope(line: &str) -> String {
    in_pool("[[user_pool.scope]]\n") + line
}

#[test]
fn scopes_are_read() {
    let text = in_pool(
        r#"
  [[user_pool.scope]]
  name = "loyalty"
  title = { zh-CN = "会员等级", en = "Your level" }
  claims = { level = "custom.level", mobile = "phone_number", "https://shop.example.com/name" = "name" }
  [[user_pool.scope]]
  name = "https://api.shop.example.com/orders.read"
"#,
    );
    let pool = accepted(&text).pools.remove(0);
    assert_eq!(pool.settings, None, "they are no settings");
    let [loyalty, orders] = pool.scopes.as_slice() else { panic!("two scopes") };
    assert_eq!((loyalty.at, loyalty.scope.name.as_str()), (Position { line: 5, column: 3 }, "loyalty"));
    assert_eq!(loyalty.scope.title["en"], "Your level");
    let claims: Vec<_> =
        loyalty.scope.claims.iter().map(|(claim, source)| (claim.as_str(), source.as_str())).collect();
    assert_eq!(
        claims,
        [("https://shop.example.com/name", "name"), ("level", "custom.level"), ("mobile", "phone_number")]
    );
    assert_eq!(loyalty.place_of("claims.level"), Position { line: 8, column: 22 });
    assert!(orders.scope.claims.is_empty() && orders.scope.title.is_empty());
    assert!(accepted(&in_pool("scope = []")).pools[0].scopes.is_empty());
}

#[test]
fn scopes_that_cannot_be_meant() {
    let token = "write 1 to 64 printable ASCII characters without spaces, `\"` and `\\`";
    for (line, message) in [
        ("claims = {}", "4:1: a scope without `name` — add the key `name`".to_owned()),
        ("name = 1", "5:8: `name` is an integer — write a string".to_owned()),
        ("name = \"a b\"", format!("5:8: `name`: not a scope — {token}")),
        ("name = 'say\"it'", format!("5:8: `name`: not a scope — {token}")),
        ("name = \"a\\u0007\"", format!("5:8: `name`: not a scope — {token}")),
        (
            "name = \"openid\"",
            "5:8: `name`: `openid` is a scope that Hufu has — choose another name".to_owned(),
        ),
        (
            "name = \"a\"\nclaim = { x = \"name\" }",
            "6:1: unknown key `claim` in a scope — did you mean `claims`?".to_owned(),
        ),
        (
            "name = \"a\"\nclaims = { sub = \"custom.x\" }",
            "6:18: `sub`: `sub` has a meaning of its own — choose another name".to_owned(),
        ),
        (
            "name = \"a\"\nclaims = { email_verified = \"custom.x\" }",
            "6:29: `email_verified`: the claim `email_verified` is made by Hufu — write email_verified = \
             \"email_verified\", or choose another name"
                .to_owned(),
        ),
        ("name = \"a\"\nclaims = { x = 1 }", "6:16: `x` is an integer — write a string".to_owned()),
        (
            "name = \"a\"\nclaims = [\"name\"]",
            "6:10: `claims` is an array — write { CLAIM = \"custom.KEY\" }".to_owned(),
        ),
        (
            "name = \"a\"\n[[user_pool.scope]]\nname = \"a\"",
            "7:8: `name`: `a` is there already — name each once".to_owned(),
        ),
        (
            "name = \"a\"\ntitle = { en = \" \" }",
            "6:16: `en`: not valid — write 1 to 255 characters, not only spaces and no control characters"
                .to_owned(),
        ),
    ] {
        assert_eq!(refused(&scope(line)), format!("hufu.toml:{message}"), "{line}");
    }
    let unknown = refused(&scope("name = \"a\"\nclaims = { x = \"password_hash\" }"));
    assert!(unknown.starts_with(
        "hufu.toml:6:16: `x`: there is no source `password_hash` — write custom.KEY, or one of name,"
    ));
    let settings = refused(&in_pool("settings = { scopes = [] }"));
    assert_eq!(settings, "hufu.toml:4:23: scopes are tables of the user pool — write [[user_pool.scope]]");
    let many = (0..65)
        .map(|n| format!("[[user_pool.scope]]\nname = \"s{n}\"\n"))
        .fold(String::new(), |all, one| all + &one);
    assert!(refused(&in_pool(&many)).contains("too many scopes — declare at most 64"));
}

#[test]
fn a_resource_is_one_applications() {
    let rule = "not valid — write an absolute URI, such as https://api.shop.example.com, without `#` and what follows it";
    for (list, message) in [
        ("[\"/orders\"]", format!("5:14: `resources`: {rule}")),
        ("[\"urn:a\", \"https://a.example/#x\"]", format!("5:23: `resources`: {rule}")),
        ("[\"urn:a\", \"urn:a\"]", "5:23: `resources`: `urn:a` is there already — name each once".to_owned()),
    ] {
        let refused = refused(&with_application(&format!("resources = {list}")));
        assert_eq!(refused, format!("hufu.toml:{message}"), "{list}");
    }
    let one = "[[user_pool.application]]\nname = \"A\"\ntype = \"api\"\nresources = [\"urn:a\"]\n";
    let two = in_pool(&format!("{one}id = \"a\"\n"));
    let other = format!("{two}[[user_pool]]\nid = \"q\"\nname = \"Q\"\n{one}id = \"b\"\n");
    assert_eq!(
        refused(&other),
        "hufu.toml:15:14: the resource `urn:a` is already taken at line 7 — each needs its own"
    );
}
