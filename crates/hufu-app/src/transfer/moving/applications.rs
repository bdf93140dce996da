//! Applications.

use hufu_types::lifetime;
use hufu_types::{
    ApplicationId, ApplicationKind, ClientSecret, Grant, SigningAlgorithm, TokenAuth, check_redirect_uri,
};
use secrecy::SecretString;
use serde_json::{Value, json};

use super::super::reader::Fields;
use super::limits::LONGEST_NAME;
use super::report::{Fate, Finding, Kind, Remark, plain, word};
use super::text;
use crate::configuration::document::Document;

/// An application to make.
#[derive(Clone)]
pub(super) struct PlannedApplication {
    pub(super) id: ApplicationId,
    pub(super) name: String,
    pub(super) kind: ApplicationKind,
    pub(super) document: Document,
    /// The ids, in the other system, of the connections that are switched on for it.
    pub(super) connections: Vec<String>,
    /// The secret that it gets if it needs one and none is known, with its stored form.
    pub(super) candidate: (SecretString, ClientSecret),
    pub(super) remarks: Vec<Remark>,
}

/// The application that a row describes.
pub(super) fn read(
    row: &Fields,
    make_secret: &dyn Fn() -> (SecretString, ClientSecret),
) -> Result<PlannedApplication, Finding> {
    let written = text(row, "appId").or_else(|| text(row, "id")).unwrap_or_default();
    let name = text(row, "appName").or_else(|| text(row, "name")).unwrap_or_default();
    let refuse = |outcome, reason: &str, detail: String| {
        Finding::new(Kind::Application, written, name, outcome, reason, &detail)
    };
    let id = ApplicationId::parse(written)
        .map_err(|error| refuse(Fate::Refused, "id_not_valid", format!("its id: {error}")))?;
    if is_true(row, "isIntegrateApp") {
        let detail = "it was added from the other system's catalogue of integrations".to_owned();
        return Err(refuse(Fate::NotTaken, "application_not_supported", detail));
    }
    let kind = text(row, "appType").unwrap_or("web");
    let Some(kind) = ApplicationKind::parse(kind) else {
        let detail = format!("there are no applications of type {} here", word(kind));
        return Err(refuse(Fate::NotTaken, "application_not_supported", detail));
    };
    let mut reading = Reading { row, document: Document::new(), remarks: Vec::new() };
    reading.put("name", name);
    reading.put("type", kind.as_str());
    for (theirs, own) in
        [("appLogo", "logo"), ("appDescription", "description"), ("initLoginUri", "init_login_uri")]
    {
        if let Some(value) = text(row, theirs) {
            reading.put(own, value);
        }
    }
    reading.addresses("redirectUris", "redirect_uris");
    reading.addresses("logoutRedirectUris", "logout_redirect_uris");
    let connections = reading.login();
    reading.oidc(kind);
    reading.protocols();
    let Reading { document, remarks, .. } = reading;
    let name = name.to_owned();
    Ok(PlannedApplication { id, name, kind, document, connections, candidate: make_secret(), remarks })
}

/// Whether a setting is one, and not an empty place for it.
fn says_something(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => false,
        Value::String(text) => !text.is_empty(),
        Value::Array(list) => !list.is_empty(),
        Value::Object(object) => !object.is_empty(),
        Value::Bool(true) | Value::Number(_) => true,
    }
}

fn is_true(row: &Fields, name: &str) -> bool {
    row.get(name) == Some(&Value::Bool(true))
}

struct Reading<'r> {
    row: &'r Fields,
    document: Document,
    remarks: Vec<Remark>,
}

impl Reading<'_> {
    fn put(&mut self, name: &str, value: impl Into<Value>) {
        self.document.insert(name.to_owned(), value.into());
    }

    fn remark(&mut self, reason: &'static str, detail: impl AsRef<str>) {
        self.remarks.push(Remark::new(reason, detail));
    }

    /// Addresses are compared exactly here, so those with wildcards, and insecure ones, do not come.
    fn addresses(&mut self, theirs: &str, own: &'static str) {
        let Some(Value::Array(list)) = self.row.get(theirs) else { return };
        let mut taken: Vec<String> = Vec::new();
        for address in list.iter().filter_map(Value::as_str).map(str::trim).filter(|text| !text.is_empty()) {
            match check_redirect_uri(address) {
                Ok(()) if taken.iter().any(|other| other == address) => {}
                Ok(()) => taken.push(address.to_owned()),
                Err(rule) => {
                    let shown = plain(address, LONGEST_NAME);
                    self.remark("redirect_uri_refused", format!("{own}: {shown}: {rule}"));
                }
            }
        }
        self.put(own, taken);
    }

    /// What the login page offers. Returns the connections there.
    fn login(&mut self) -> Vec<String> {
        let login = self.row.get("loginConfig").and_then(Value::as_object);
        let register = self.row.get("registerConfig").and_then(Value::as_object);
        let mut document = Document::new();
        let mut connections = Vec::new();
        let names = |of: Option<&Fields>, list: &str| -> Option<Vec<String>> {
            let list = of?.get(list)?.as_array()?;
            Some(list.iter().filter_map(Value::as_str).map(str::to_owned).collect())
        };
        if let Some(theirs) = names(login, "enabledBasicLoginMethods") {
            let mut methods: Vec<&str> = Vec::new();
            for name in &theirs {
                let method = match name.as_str() {
                    "PHONE_CODE" => "phone-code",
                    "EMAIL_CODE" => "email-code",
                    "PHONE_PASSWORD" | "EMAIL_PASSWORD" | "USERNAME_PASSWORD" => "password",
                    other => {
                        let detail = format!("loginConfig: {}", word(other));
                        self.remarks.push(Remark::new("setting_without_counterpart", detail));
                        continue;
                    }
                };
                if !methods.contains(&method) {
                    methods.push(method);
                }
            }
            document.insert("methods".to_owned(), json!(methods));
        }
        if let Some(theirs) = names(register, "enabledBasicRegisterMethods") {
            let known = theirs.iter().filter_map(|name| match name.as_str() {
                "PHONE_CODE" => Some("phone-code"),
                "EMAIL_CODE" => Some("email-code"),
                "EMAIL_PASSWORD" => Some("email-password"),
                _ => None,
            });
            document.insert("registration".to_owned(), known.collect());
        }
        if let Some(login) = login {
            if is_true(login, "mergeLoginAndRegisterPage") {
                document.insert("merged".to_owned(), true.into());
            }
            if is_true(login, "showAuthorizationPage") {
                document.insert("consent".to_owned(), true.into());
            }
            for connection in login.get("enabledExtIdpConns").and_then(Value::as_array).into_iter().flatten()
            {
                let Value::Object(connection) = connection else { continue };
                let is_on = connection.get("enabled") != Some(&Value::Bool(false));
                if let (Some(id), true) = (text(connection, "extIdpConnId"), is_on) {
                    connections.push(id.to_owned());
                }
            }
        }
        if !document.is_empty() {
            self.document.insert("login".to_owned(), document.into());
        }
        for (name, of, theirs) in [
            ("loginConfig", login, "defaultLoginMethod"),
            ("registerConfig", register, "defaultRegisterMethod"),
        ] {
            if of.and_then(|of| of.get(theirs)).is_some_and(says_something) {
                let detail = format!("{name}.{theirs}: what a page shows first is set anew, in `login`");
                self.remark("setting_without_counterpart", detail);
            }
        }
        for theirs in ["mfa", "applicationMfa", "mfaSettings"] {
            let found = [Some(self.row), login].into_iter().flatten().find_map(|of| of.get(theirs));
            if found.is_some_and(says_something) {
                self.remark(
                    "setting_without_counterpart",
                    format!("{theirs}: a second factor is not asked for by applications here"),
                );
            }
        }
        connections
    }

    /// Its settings as a client of OpenID Connect.
    fn oidc(&mut self, kind: ApplicationKind) {
        let config = self.row.get("oidcConfig").and_then(Value::as_object).cloned().unwrap_or_default();
        let mut tokens = Document::new();
        for (theirs, own) in
            [("access_token_expire", "access_token"), ("refresh_token_expire", "refresh_token")]
        {
            let seconds = match config.get(theirs) {
                Some(Value::Number(number)) => number.as_u64(),
                Some(Value::String(text)) => text.trim().parse().ok(),
                _ => continue,
            };
            let text = seconds.map(|seconds| lifetime::print(std::time::Duration::from_secs(seconds)));
            match text.filter(|text| lifetime::parse(text).is_ok()) {
                Some(text) => drop(tokens.insert(own.to_owned(), text.into())),
                None => {
                    self.remark("setting_refused", format!("oidcConfig.{theirs}: from 1 minute to 10 years"));
                }
            }
        }
        if !tokens.is_empty() {
            self.put("tokens", tokens);
        }
        self.grants(&config);
        match text(&config, "token_endpoint_auth_method") {
            None => {}
            Some(method) if TokenAuth::parse(method).is_some_and(|auth| auth != TokenAuth::PrivateKey) => {
                self.put("token_auth", method);
            }
            Some(method) => {
                self.remark(
                    "setting_without_counterpart",
                    format!("oidcConfig.token_endpoint_auth_method: {}", word(method)),
                );
            }
        }
        match text(&config, "id_token_signed_response_alg") {
            None => {}
            Some(algorithm) if SigningAlgorithm::parse(algorithm).is_some() => {
                self.put("signing_algorithm", algorithm);
            }
            Some(algorithm) => {
                let detail = format!(
                    "oidcConfig.id_token_signed_response_alg: tokens are not signed with {} here, but with ES256",
                    word(algorithm)
                );
                self.remark("setting_without_counterpart", detail);
            }
        }
        let secret = text(self.row, "secret").or_else(|| text(&config, "client_secret"));
        let public = self
            .document
            .get("token_auth")
            .map_or(!matches!(kind, ApplicationKind::Web | ApplicationKind::Api), |auth| auth == "none");
        match secret.map(ClientSecret::check) {
            Some(Ok(())) if !public => {
                if let Some(secret) = secret {
                    self.document.insert("secret".to_owned(), secret.into());
                }
            }
            Some(Err(rule)) if !public => self.remark("secret_refused", format!("{rule}; it gets a new one")),
            Some(_) => self.remark("secret_not_needed", "a public client has no secret here"),
            None => {}
        }
    }

    fn grants(&mut self, config: &Fields) {
        let Some(Value::Array(theirs)) = config.get("grant_types") else { return };
        let mut grants: Vec<&str> = Vec::new();
        let has_code = theirs.iter().any(|name| name == "authorization_code");
        for name in theirs.iter().filter_map(Value::as_str) {
            let grant = Grant::ALL.iter().find(|grant| grant.on_the_wire() == name || grant.as_str() == name);
            match grant {
                Some(grant) if !grants.contains(&grant.as_str()) => grants.push(grant.as_str()),
                Some(_) => {}
                // This one needs no entry here.
                None if name.ends_with("/grant_type/authing_token") => {}
                None => self
                    .remark("setting_without_counterpart", format!("oidcConfig.grant_types: {}", word(name))),
            }
        }
        // What they call implicit together with codes is a response type of its own here.
        let types = config.get("response_types").and_then(Value::as_array);
        let is_hybrid = |kind: &Value| kind.as_str().is_some_and(|kind| kind.starts_with("code "));
        if has_code && types.is_some_and(|types| types.iter().any(is_hybrid)) {
            grants.push("hybrid");
        }
        if !grants.is_empty() {
            self.put("grants", grants);
        }
    }

    /// What else it is there, and not here.
    fn protocols(&mut self) {
        let protocol = text(self.row, "defaultProtocol").unwrap_or("oidc");
        if protocol != "oidc" {
            self.remark(
                "protocol_not_supported",
                format!("it speaks {} there, and OpenID Connect here", word(protocol)),
            );
        }
        for (name, what) in [
            ("samlProviderEnabled", "SAML"),
            ("casProviderEnabled", "CAS"),
            ("oauthProviderEnabled", "plain OAuth 2.0"),
        ] {
            if is_true(self.row, name) {
                self.remark("protocol_not_supported", format!("{name}: {what}"));
            }
        }
        if self.row.get("ssoEnabled") == Some(&Value::Bool(false)) {
            self.remark(
                "setting_without_counterpart",
                "ssoEnabled: applications of a pool share the browser's session",
            );
        }
        if is_true(self.row, "customBrandingEnabled") {
            self.remark(
                "setting_without_counterpart",
                "brandingConfig: how pages look is set anew, in `branding`",
            );
        }
        if is_true(self.row, "customSecurityEnabled") {
            self.remark(
                "setting_without_counterpart",
                "customSecurityEnabled: rules of security are those of the pool",
            );
        }
    }
}
