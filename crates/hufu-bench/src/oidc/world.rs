//! The application, its users, and the requests of its clients and browsers.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::browser::Form;
use crate::requests::Template;
use crate::world::forwarded;

pub(super) const CLIENT: &str = "6560c0ffee00000000000012";
/// It is only used with a database that is removed, and worthless elsewhere.
pub(super) const SECRET: &str = "hufu-bench-6560c0ffee6560c0ffee6560c0ffee00";
pub(super) const REDIRECT: &str = "https://shop.example.com/callback";
/// The password of all users.
pub(super) const PASSWORD: &str = "correct-horse-battery";
pub(super) const SCOPE: &str = "openid profile offline_access";

/// The file for `hufu apply`: an application with all grants that are measured, and users with a password.
pub(super) fn apply_file(users: usize) -> String {
    let mut text = format!(
        r#"[[user_pool]]
id = "6560c0ffee00000000000011"
name = "Benchmark"

  [[user_pool.application]]
  id = "{CLIENT}"
  name = "Benchmark"
  type = "web"
  secret = "{SECRET}"
  redirect_uris = ["{REDIRECT}"]
  grants = ["authorization_code", "refresh_token", "client_credentials"]
    [user_pool.application.login]
    methods = ["password"]
"#
    );
    for number in 0..users {
        let user = user(number);
        let lines = format!("\n  [[user_pool.user]]\n  username = \"{user}\"\n  password = \"{PASSWORD}\"\n");
        text.push_str(&lines);
    }
    text
}

pub(super) fn user(number: usize) -> String {
    format!("bench-{number}")
}

/// An authorization request that asks for a code.
pub(super) fn authorization(more: &str) -> String {
    let scope = SCOPE.replace(' ', "%20");
    format!(
        "/oidc/auth?client_id={CLIENT}&response_type=code&redirect_uri={REDIRECT}&scope={scope}&state=x{more}"
    )
}

/// The requests of a client at a token endpoint.
pub(super) struct Client {
    pub(super) token_path: &'static str,
}

impl Client {
    fn post(path: &str, body: &str) -> Template {
        Template::post(path, body)
            .header("authorization", &format!("Basic {}", STANDARD.encode(format!("{CLIENT}:{SECRET}"))))
    }

    pub(super) fn own_token(&self) -> Template {
        Client::post(self.token_path, "grant_type=client_credentials").answered(200, "\"access_token\":\"")
    }

    /// The value is a code.
    pub(super) fn exchange(&self) -> Template {
        let body = format!("grant_type=authorization_code&code={{0}}&redirect_uri={REDIRECT}");
        Client::tokens(&Client::post(self.token_path, &body))
    }

    /// The value is a refresh token.
    pub(super) fn refresh(&self) -> Template {
        Client::tokens(&Client::post(self.token_path, "grant_type=refresh_token&refresh_token={0}"))
    }

    /// The response keeps the refresh token and the access token.
    fn tokens(template: &Template) -> Template {
        template
            .clone()
            .answered(200, "\"id_token\":\"ey")
            .keeping(&["\"refresh_token\":\"", "\"access_token\":\""])
    }

    /// The values are a refresh token and an access token.
    pub(super) fn introspection() -> Template {
        Client::post("/oidc/token/introspection", "token={1}").answered(200, "\"active\":true")
    }
}

/// The values are a refresh token and an access token.
pub(super) fn userinfo() -> Template {
    Template::get("/oidc/me").header("authorization", "Bearer {1}").answered(200, "\"sub\":\"")
}

/// The value is the cookie of a browser in which somebody is logged in.
pub(super) fn silent() -> Template {
    Template::get(&authorization("&prompt=none"))
        .header("cookie", "{0}")
        .answered(303, &format!("{REDIRECT}?"))
        .keeping(&["code="])
}

/// A first visit of the login page, whose path is the value.
pub(super) fn login_page() -> Template {
    Template::get("{0}").header("accept-encoding", "gzip, deflate, br").answered(200, "")
}

/// The login form as a browser submits it. The values are those of [`submission`].
pub(super) fn login() -> Template {
    let body = format!(
        "form_token={{2}}&request={{3}}&method=password&account={{4}}&password={PASSWORD}&keep=1&submit=1"
    );
    Template::post("/login", &body)
        .header("x-forwarded-for", "{0}")
        .header("cookie", "{1}")
        .answered(303, "code=")
}

/// A login from an address of its own.
pub(super) fn submission(number: usize, form: &Form, account: &str) -> String {
    format!("{}\t{}\t{}\t{}\t{account}", forwarded(number), form.cookie, form.token, form.request)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_login_has_an_address_of_its_own() {
        let form = Form { cookie: "c".to_owned(), token: "t".to_owned(), request: "r".to_owned() };
        assert_eq!(submission(65_536 + 513, &form, "a"), "10.1.2.1\tc\tt\tr\ta");
    }
}
