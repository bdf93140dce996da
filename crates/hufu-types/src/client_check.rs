//! Finds settings of OAuth clients and of their login pages that make no sense. Their limits are here as well.

use std::collections::{BTreeMap, HashSet};
use std::hash::Hash;

use url::Url;

use crate::client::{
    check_link, check_redirect_uri, check_resource, is_loopback, origin_of, without_fragment,
};
use crate::settings_check::{Problems, names};
use crate::{
    Agreement, Application, ApplicationKind, Branding, ClientSecret, ClientSettings, Grant, Language,
    LoginControl, LoginTab, SettingProblem, TokenAuth,
};

/// The rule for the addresses of pages, servers and pictures.
const ADDRESS_RULE: &str = "write an https address, without user, password, `*` or `#`; http is for this machine \
                            alone (127.0.0.1, [::1], localhost)";
/// The rule for origins.
const ORIGIN_RULE: &str = "write scheme://host or scheme://host:port and nothing else, as browsers send it, such as \
                           https://shop.example.com; http is for this machine alone (127.0.0.1, [::1], localhost)";

impl ClientSecret {
    /// The least characters of a secret that an operator chooses.
    pub const SHORTEST: usize = 32;
    /// The most characters of a secret.
    pub const LONGEST: usize = 256;

    /// Checks the text of a secret (RFC 6749 appendix A.2, without spaces).
    ///
    /// # Errors
    /// The rule, which does not quote the secret.
    pub fn check(text: &str) -> Result<(), &'static str> {
        let fits = (Self::SHORTEST..=Self::LONGEST).contains(&text.len());
        if fits && text.bytes().all(|byte| byte.is_ascii_graphic()) {
            Ok(())
        } else {
            Err("a client secret is 32 to 256 printable ASCII characters without spaces")
        }
    }
}

impl ClientSettings {
    /// The most entries of each list of addresses.
    pub const MOST_ADDRESSES: usize = 64;
    /// The most bytes of an address.
    pub const LONGEST_ADDRESS: usize = 2048;
    /// The most characters of a contact, of an authentication context, and of what names a program.
    pub const LONGEST_LINE: usize = 255;
    /// The most bytes of a resource, which is in every token for it.
    pub const LONGEST_RESOURCE: usize = 255;
    /// The most characters of a description.
    pub const LONGEST_DESCRIPTION: usize = 1000;

    /// The problems of these settings. What depends on the application as a whole is in
    /// [`Application::client_problems`].
    pub fn problems(&self) -> Vec<SettingProblem> {
        let mut problems = Problems::default();
        check_list(&mut problems, "redirect_uris", &self.redirect_uris, redirect_problem);
        check_list(&mut problems, "logout_redirect_uris", &self.logout_redirect_uris, redirect_problem);
        check_list(&mut problems, "allowed_origins", &self.allowed_origins, origin_problem);
        check_list(&mut problems, "request_uris", &self.request_uris, |uri| {
            address_problem(uri, without_fragment(uri))
        });
        check_list(&mut problems, "resources", &self.resources, resource_problem);
        for (path, address) in [
            ("backchannel_logout_uri", &self.backchannel_logout_uri),
            ("frontchannel_logout_uri", &self.frontchannel_logout_uri),
            ("init_login_uri", &self.init_login_uri),
            ("jwks_uri", &self.jwks_uri),
            ("logo", &self.logo),
            ("client_uri", &self.client_uri),
            ("policy_uri", &self.policy_uri),
            ("tos_uri", &self.tos_uri),
            ("sector_identifier_uri", &self.sector_identifier_uri),
        ] {
            check_optional_address(&mut problems, path, address.as_deref());
        }
        check_list(&mut problems, "contacts", &self.contacts, line_problem);
        check_list(&mut problems, "default_acr_values", &self.default_acr_values, word_problem);
        check_list(&mut problems, "scopes", &self.scopes, word_problem);
        if let Some(types) = &self.response_types {
            let types: Vec<String> = types.iter().map(ToString::to_string).collect();
            check_repeated(&mut problems, "response_types", &types, String::as_str);
        }
        for (path, text) in [("software_id", &self.software_id), ("software_version", &self.software_version)]
        {
            if let Some(problem) = text.as_deref().and_then(line_problem) {
                problems.add(path, problem);
            }
        }
        if self.jwks_uri.is_some() && self.jwks.is_some() {
            problems.add("jwks", "the keys are at `jwks_uri` already — write one of the two");
        }
        if let Some(grants) = &self.grants {
            check_repeated(&mut problems, "grants", grants, |grant| grant.as_str());
        }
        let is_too_long = self.description.chars().count() > Self::LONGEST_DESCRIPTION;
        if is_too_long || self.description.chars().any(|c| c.is_control() && c != '\n') {
            let most = Self::LONGEST_DESCRIPTION;
            let reason = format!("not valid — write at most {most} characters, no control characters");
            problems.add("description", reason);
        }
        problems.0
    }
}

impl LoginControl {
    /// The problems of these settings. Whether the pool has the agreements is checked by
    /// [`Self::unknown_agreements`].
    pub fn problems(&self) -> Vec<SettingProblem> {
        let mut problems = Problems::default();
        check_repeated(&mut problems, "methods", &self.methods, |tab| tab.as_str());
        check_repeated(&mut problems, "registration", &self.registration, |method| method.as_str());
        check_repeated(&mut problems, "agreements", &self.agreements, String::as_str);
        if let Some(default) = &self.default_method
            && !self.methods.contains(default)
        {
            let methods = match names(self.methods.iter().map(LoginTab::as_str)) {
                none if none.is_empty() => "take it out, or add it to `methods`".to_owned(),
                methods => format!("write one of {methods}, or add it to `methods`"),
            };
            let reason = format!("`{}` is not among the methods — {methods}", default.as_str());
            problems.add("default_method", reason);
        }
        problems.0
    }

    /// The agreements that the pool does not have.
    pub fn unknown_agreements(&self, of_pool: &[Agreement]) -> Vec<SettingProblem> {
        let mut problems = Problems::default();
        for (index, id) in self.agreements.iter().enumerate() {
            if !of_pool.iter().any(|agreement| agreement.id == *id) {
                let reason = format!(
                    "the user pool has no agreement `{}` — declare it in the settings of the pool, or take it out",
                    id.escape_debug()
                );
                problems.add(&format!("agreements.{index}"), reason);
            }
        }
        problems.0
    }
}

impl Branding {
    /// The most characters of a title.
    pub const LONGEST_TITLE: usize = 255;

    /// The problems of these settings.
    pub fn problems(&self) -> Vec<SettingProblem> {
        let mut problems = Problems::default();
        check_texts(&mut problems, "title", &self.title);
        check_optional_address(&mut problems, "logo", self.logo.as_deref());
        if self.primary_color.as_deref().is_some_and(|color| !is_color(color)) {
            problems.add(
                "primary_color",
                "not a color — write `#` and six digits of 0-9 and a-f, such as #1a7f5a",
            );
        }
        if let Some(language) = self.language.as_deref().filter(|tag| *tag != Self::AUTO && !is_tag(tag)) {
            let (language, tags) = (language.escape_debug(), tags());
            let reason = format!("there are no texts in `{language}` — write auto, or one of {tags}");
            problems.add("language", reason);
        }
        problems.0
    }
}

impl Application {
    /// What is wrong with the application as an OAuth client, given its kind, its secrets and its settings together.
    pub fn client_problems(&self) -> Vec<SettingProblem> {
        let mut problems = Problems::default();
        if self.secrets.len() > Self::MAX_SECRETS {
            problems.add("secret", format!("too many secrets — keep the newest {}", Self::MAX_SECRETS));
        }
        if !self.client.subject_type.is_public() && self.client.sector().is_none() {
            let reason = "the redirect URIs are on several hosts, which would know people by different subjects — \
                          add `sector_identifier_uri`";
            problems.add("subject_type", reason);
        }
        if self.token_auth() == TokenAuth::PrivateKey {
            if !self.client.has_keys() {
                let method = TokenAuth::PrivateKey.as_str();
                let reason = format!("{method} needs the client's public keys — add `jwks_uri` or `jwks`");
                problems.add("token_auth", reason);
            }
            if !self.secrets.is_empty() {
                problems.add("secret", "a client that signs has no secret — take it out");
            }
        }
        if self.kind != ApplicationKind::Api && !self.client.resources.is_empty() {
            problems.add("resources", "only an application of type api is a resource — take them out");
        }
        if self.client.dpop_bound_access_tokens && self.kind == ApplicationKind::MiniProgram {
            let reason = "the published clients of mini programs send no DPoP proofs — take it out";
            problems.add("dpop_bound_access_tokens", reason);
        }
        if self.is_public() {
            let methods = [TokenAuth::Basic, TokenAuth::Post].map(TokenAuth::as_str).join(" or ");
            if !self.secrets.is_empty() {
                let reason =
                    format!("a public client has no secret — take it out, or write token_auth = {methods}");
                problems.add("secret", reason);
            }
            if self.has_grant(Grant::ClientCredentials) {
                let reason = format!(
                    "a public client cannot have client_credentials — take it out of `grants`, or write \
                     token_auth = {methods}"
                );
                problems.add("grants", reason);
            }
        }
        problems.0
    }

    /// All problems of the client, its login page and its branding, each under the name of its table. `agreements` are
    /// those of the pool, if they are to be checked.
    pub fn problems(&self, agreements: Option<&[Agreement]>) -> Vec<SettingProblem> {
        let mut all = self.client_problems();
        all.extend(self.problems_of_parts(agreements));
        all
    }

    /// The problems of the client, its login page and its branding, each by itself.
    pub fn problems_of_parts(&self, agreements: Option<&[Agreement]>) -> Vec<SettingProblem> {
        let login = self.login.problems();
        let unknown = agreements.map(|of_pool| self.login.unknown_agreements(of_pool)).unwrap_or_default();
        let mut all = self.client.problems();
        all.extend(login.into_iter().chain(unknown).map(|problem| problem.within("login")));
        all.extend(self.branding.problems().into_iter().map(|problem| problem.within("branding")));
        all
    }
}

/// Checks a text for people, by language tag.
pub(crate) fn check_texts(problems: &mut Problems, path: &str, texts: &BTreeMap<String, String>) {
    for (tag, text) in texts {
        let path = format!("{path}.{tag}");
        let fits = text.chars().count() <= Branding::LONGEST_TITLE && !text.trim().is_empty();
        if !is_tag(tag) {
            let reason = format!("there are no texts in `{}` — write {}", tag.escape_debug(), tags());
            problems.add(&path, reason);
        } else if !fits || text.chars().any(char::is_control) {
            let most = Branding::LONGEST_TITLE;
            let rule = "characters, not only spaces and no control characters";
            problems.add(&path, format!("not valid — write 1 to {most} {rule}"));
        }
    }
}

/// Checks that there are texts in these languages.
pub(crate) fn check_tags<'a>(problems: &mut Problems, path: &str, found: impl Iterator<Item = &'a String>) {
    for tag in found.filter(|tag| !is_tag(tag)) {
        let reason = format!("there are no texts in `{}` — write {}", tag.escape_debug(), tags());
        problems.add(&format!("{path}.{tag}"), reason);
    }
}

fn tags() -> String {
    names(Language::ALL.iter().map(|language| language.tag()))
}

fn is_tag(text: &str) -> bool {
    Language::ALL.iter().any(|language| language.tag() == text)
}

pub(crate) fn check_list(
    problems: &mut Problems,
    path: &str,
    addresses: &[String],
    problem_of: impl Fn(&str) -> Option<String>,
) {
    let most = ClientSettings::MOST_ADDRESSES;
    if addresses.len() > most {
        problems.add(path, format!("too many — list at most {most}"));
    }
    let mut seen = HashSet::new();
    for (index, address) in addresses.iter().enumerate() {
        let path = format!("{path}.{index}");
        if let Some(problem) = problem_of(address) {
            problems.add(&path, problem);
        } else if !seen.insert(address) {
            problems.repeated(&path, address);
        }
    }
}

pub(crate) fn redirect_problem(address: &str) -> Option<String> {
    if is_too_long(address) {
        return Some(too_long());
    }
    check_redirect_uri(address).err().map(|rule| format!("not valid — {rule}"))
}

fn line_problem(text: &str) -> Option<String> {
    let most = ClientSettings::LONGEST_LINE;
    let fits = (1..=most).contains(&text.chars().count()) && !text.chars().any(char::is_control);
    (!fits).then(|| format!("not valid — write 1 to {most} characters, no control characters"))
}

/// RFC 6749 section 3.3.
fn word_problem(text: &str) -> Option<String> {
    let most = ClientSettings::LONGEST_LINE;
    let is_part = |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\\');
    let fits = (1..=most).contains(&text.len()) && text.bytes().all(is_part);
    (!fits).then(|| format!("not valid — write 1 to {most} printable ASCII characters without spaces"))
}

fn resource_problem(resource: &str) -> Option<String> {
    let most = ClientSettings::LONGEST_RESOURCE;
    if resource.len() > most {
        return Some(format!("too long — write at most {most} bytes"));
    }
    check_resource(resource).err().map(|rule| format!("not valid — {rule}"))
}

fn origin_problem(origin: &str) -> Option<String> {
    let url = Url::parse(origin).ok().filter(is_https_or_loopback);
    let is_origin = url.is_some() && origin_of(origin).as_deref() == Some(origin) && !origin.contains('*');
    (!is_origin || is_too_long(origin)).then(|| format!("not an origin — {ORIGIN_RULE}"))
}

/// Checks the address of a page, a server or a picture: https, or http on this machine.
///
/// # Errors
/// The rule. It does not quote the address.
pub fn check_address(address: &str) -> Result<(), String> {
    let is_short = address.len() <= ClientSettings::LONGEST_ADDRESS;
    if is_short && address_problem(address, address).is_none() {
        Ok(())
    } else {
        Err(ADDRESS_RULE.to_owned())
    }
}

pub(crate) fn check_optional_address(problems: &mut Problems, path: &str, address: Option<&str>) {
    if let Some(problem) = address.and_then(|address| address_problem(address, address)) {
        problems.add(path, problem);
    }
}

/// What is wrong with an address. `checked` is the part of it to which the rules apply.
fn address_problem(address: &str, checked: &str) -> Option<String> {
    if is_too_long(address) {
        return Some(too_long());
    }
    let is_sound =
        check_link(checked).is_ok() && Url::parse(checked).is_ok_and(|url| is_https_or_loopback(&url));
    (!is_sound).then(|| format!("not valid — {ADDRESS_RULE}"))
}

fn is_https_or_loopback(url: &Url) -> bool {
    url.scheme() == "https" || (url.scheme() == "http" && is_loopback(url))
}

fn is_too_long(address: &str) -> bool {
    address.len() > ClientSettings::LONGEST_ADDRESS
}

fn too_long() -> String {
    format!("too long — write at most {} bytes", ClientSettings::LONGEST_ADDRESS)
}

fn check_repeated<T: Hash + Eq>(problems: &mut Problems, path: &str, list: &[T], name: impl Fn(&T) -> &str) {
    let mut seen = HashSet::new();
    for (index, value) in list.iter().enumerate() {
        if !seen.insert(value) {
            problems.repeated(&format!("{path}.{index}"), name(value));
        }
    }
}

/// Whether a text is `#rrggbb`.
fn is_color(text: &str) -> bool {
    let digits = text.strip_prefix('#').unwrap_or_default();
    digits.len() == 6 && digits.bytes().all(|byte| byte.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        ApplicationId, LoginMethod, PoolId, ResponseType, SigningAlgorithm, SubjectType, Timestamp, TokenHash,
    };

    fn paths(problems: Vec<SettingProblem>) -> Vec<String> {
        for problem in &problems {
            assert!(problem.reason.contains(" — "), "{problem:?}");
        }
        problems.into_iter().map(|problem| problem.path).collect()
    }

    fn texts(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|text| (*text).to_owned()).collect()
    }

    #[test]
    fn clients_that_cannot_be_meant() {
        assert_eq!(ClientSettings::default().problems(), []);
        let many: Vec<String> = (0..65).map(|n| format!("https://shop.example.com/{n}")).collect();
        let client = ClientSettings {
            token_auth: None,
            jwks_uri: Some("https://a.example/*".to_owned()),
            jwks: Some(serde_json::json!({ "keys": [] })),
            grants: Some(vec![Grant::Implicit, Grant::Hybrid, Grant::Implicit]),
            redirect_uris: texts(&[
                "https://a.example/cb",
                "http://a.example/",
                "https://a.example/cb",
                "app:/cb",
            ]),
            logout_redirect_uris: many,
            backchannel_logout_uri: Some("http://a.example/".to_owned()),
            frontchannel_logout_uri: Some("app:/out".to_owned()),
            allowed_origins: texts(&["https://a.example", "https://a.example/", "null", "https://A.example"]),
            init_login_uri: Some("https://a.example/#x".to_owned()),
            logo: Some(format!("https://a.example/{}", "x".repeat(2048))),
            description: "x".repeat(1001),
            client_uri: Some("javascript:alert(1)".to_owned()),
            policy_uri: Some("data:text/html,x".to_owned()),
            tos_uri: Some("http://a.example/".to_owned()),
            contacts: texts(&["ann@a.example", "", "a\nb"]),
            default_acr_values: texts(&["1", "a b"]),
            scopes: texts(&["openid", "openid", "\""]),
            response_types: Some(vec![ResponseType::CODE, ResponseType::CODE]),
            software_id: Some(String::new()),
            software_version: Some("x".repeat(256)),
            request_uris: texts(&[
                "https://a.example/r#x",
                "https://a.example/r#x",
                "http://a.example/r",
                "/r",
            ]),
            sector_identifier_uri: Some("http://a.example/sector".to_owned()),
            resources: texts(&["https://api.a.example", "/x", "https://api.a.example"]),
            ..ClientSettings::default()
        };
        assert_eq!(
            paths(client.problems()),
            [
                "redirect_uris.1",
                "redirect_uris.2",
                "logout_redirect_uris",
                "allowed_origins.1",
                "allowed_origins.2",
                "allowed_origins.3",
                "request_uris.1",
                "request_uris.2",
                "request_uris.3",
                "resources.1",
                "resources.2",
                "backchannel_logout_uri",
                "frontchannel_logout_uri",
                "init_login_uri",
                "jwks_uri",
                "logo",
                "client_uri",
                "policy_uri",
                "tos_uri",
                "sector_identifier_uri",
                "contacts.1",
                "contacts.2",
                "default_acr_values.1",
                "scopes.1",
                "scopes.2",
                "response_types.1",
                "software_id",
                "software_version",
                "jwks",
                "grants.2",
                "description",
            ]
        );
    }

    #[test]
    fn origins_are_what_browsers_send() {
        for good in [
            "https://shop.example.com",
            "https://shop.example.com:8443",
            "http://localhost:3000",
            "http://[::1]:1",
        ] {
            assert_eq!(origin_problem(good), None, "{good}");
        }
        for wrong in [
            "",
            "*",
            "https://shop.example.com/",
            "https://shop.example.com:443",
            "https://shop@shop.example.com",
            "https://*.example.com",
            "http://shop.example.com",
            "ftp://127.0.0.1",
            "com.example.shop:/",
        ] {
            assert!(origin_problem(wrong).is_some(), "{wrong}");
        }
    }

    #[test]
    fn login_pages_that_cannot_be_meant() {
        assert_eq!(LoginControl::default().problems(), []);
        let login = LoginControl {
            methods: vec![LoginMethod::Password.into(), LoginMethod::Password.into()],
            default_method: Some(LoginMethod::PhoneCode.into()),
            agreements: texts(&["terms", "terms"]),
            ..LoginControl::default()
        };
        assert_eq!(paths(login.problems()), ["methods.1", "agreements.1", "default_method"]);
        assert_eq!(paths(login.unknown_agreements(&[])), ["agreements.0", "agreements.1"]);
        let none = LoginControl { methods: Vec::new(), ..login };
        assert_eq!(paths(none.problems()), ["agreements.1", "default_method"]);
    }

    #[test]
    fn branding_that_cannot_be_meant() {
        assert_eq!(Branding::default().problems(), []);
        let title = [("fr", "Boutique"), ("en", " "), ("ja", "店")];
        let branding = Branding {
            title: title.map(|(tag, text)| (tag.to_owned(), text.to_owned())).into(),
            logo: Some("http://a.example/logo.png".to_owned()),
            primary_color: Some("#12345".to_owned()),
            theme: None,
            language: Some("fr".to_owned()),
        };
        assert_eq!(paths(branding.problems()), ["title.en", "title.fr", "logo", "primary_color", "language"]);
        let auto = Branding { language: Some("auto".to_owned()), ..Branding::default() };
        assert_eq!(auto.problems(), []);
        for (color, fits) in
            [("#1a7f5A", true), ("1a7f5a", false), ("#1a7f5g", false), ("red;}", false), ("#红红", false)]
        {
            assert_eq!(is_color(color), fits, "{color}");
        }
    }

    #[test]
    fn a_secret_is_long_and_can_be_sent() {
        assert_eq!(ClientSecret::check(&"x".repeat(32)), Ok(()));
        for wrong in [
            "x".repeat(31),
            "x".repeat(257),
            format!("{} {}", "x".repeat(16), "x".repeat(16)),
            "密".repeat(32),
        ] {
            assert!(ClientSecret::check(&wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_public_client_has_no_secret_and_does_not_act_for_itself() {
        let secret = ClientSecret { hash: TokenHash([0; 32]), created_at: Timestamp(0), created_by: None };
        let api = Application {
            id: ApplicationId::parse("app").unwrap(),
            pool: PoolId::parse("pool").unwrap(),
            name: "App".to_owned(),
            kind: ApplicationKind::Api,
            is_default: false,
            position: 0,
            enabled: true,
            connections: Vec::new(),
            signing_algorithm: SigningAlgorithm::Es256,
            lifetimes: crate::TokenLifetimes::default(),
            client: ClientSettings::default().into(),
            secrets: vec![secret.clone()],
            login: LoginControl::default().into(),
            branding: Branding::default().into(),
        };
        assert_eq!(api.problems(Some(&[])), []);
        let mut scattered = api.clone();
        scattered.client.subject_type = SubjectType::Pairwise;
        scattered.client.redirect_uris = texts(&["https://a.example/cb", "https://b.example/cb"]);
        assert_eq!(paths(scattered.problems(None)), ["subject_type"]);
        scattered.client.sector_identifier_uri = Some("https://a.example/sector".to_owned());
        assert_eq!(scattered.problems(None), []);
        let mut public = api.clone();
        public.client.token_auth = Some(TokenAuth::None);
        public.login.agreements = texts(&["terms"]);
        public.branding.language = Some("fr".to_owned());
        let all = ["secret", "grants", "login.agreements.0", "branding.language"];
        assert_eq!(paths(public.problems(Some(&[]))), all);
        assert_eq!(paths(public.problems(None)), ["secret", "grants", "branding.language"]);
        let too_many = Application { secrets: vec![secret; 3], ..api.clone() };
        assert_eq!(paths(too_many.problems(None)), ["secret"]);
        // Its published clients send no proofs; those of other kinds may.
        let mut bound =
            Application { kind: ApplicationKind::MiniProgram, secrets: Vec::new(), ..api.clone() };
        bound.client.dpop_bound_access_tokens = true;
        assert_eq!(paths(bound.problems(None)), ["dpop_bound_access_tokens"]);
        bound.kind = ApplicationKind::Spa;
        assert_eq!(bound.problems(None), []);
        let mut resource = api;
        resource.client.resources = texts(&["https://api.a.example"]);
        assert_eq!(resource.problems(None), []);
        resource.kind = ApplicationKind::Web;
        assert_eq!(paths(resource.problems(None)), ["resources"]);
    }
}
