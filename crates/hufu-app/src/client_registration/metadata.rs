//! What a client says of itself when it registers (RFC 7591 section 2, OpenID Connect Registration 1.0 section 2), as an
//! application, and back.
//!
//! What is not known is ignored. What is asked for and not served is refused: a client must not believe that it has it.

use hufu_types::refusal::Code;
use hufu_types::{
    Application, ApplicationKind, ClientAlgorithm, ClientSettings, Grant, ResponseType, SettingProblem,
    SigningAlgorithm, SubjectType, TokenAuth, check_redirect_uri, origin_of,
};
use serde_json::{Map, Value, json};

use crate::Refusal;

/// What would make answers unreadable, or requests safer, if it were served.
const UNSERVED: [&str; 12] = [
    "id_token_encrypted_response_alg",
    "id_token_encrypted_response_enc",
    "userinfo_encrypted_response_alg",
    "userinfo_encrypted_response_enc",
    "introspection_encrypted_response_alg",
    "introspection_encrypted_response_enc",
    "request_object_encryption_alg",
    "request_object_encryption_enc",
    "authorization_signed_response_alg",
    "authorization_encrypted_response_alg",
    "authorization_encrypted_response_enc",
    "backchannel_token_delivery_mode",
];
/// The same, if they are `true`.
const UNSERVED_FLAGS: [&str; 3] = [
    "require_pushed_authorization_requests",
    "require_signed_request_object",
    "tls_client_certificate_bound_access_tokens",
];
/// Settings that have another name here than in an application.
const OTHER_NAMES: [(&str, &str); 9] = [
    ("name", "client_name"),
    ("grants", "grant_types"),
    ("init_login_uri", "initiate_login_uri"),
    ("logo", "logo_uri"),
    ("logout_redirect_uris", "post_logout_redirect_uris"),
    ("scopes", "scope"),
    ("secret", "client_secret"),
    ("token_auth", "token_endpoint_auth_method"),
    ("token_auth_signing_alg", "token_endpoint_auth_signing_alg"),
];
/// The most characters of a name.
const LONGEST_NAME: usize = 255;
/// The most characters of a value that a description repeats.
const SHOWN: usize = 64;

/// What a client says of itself, as far as the client decides it.
#[derive(Clone, Debug)]
pub(super) struct Registration {
    name: String,
    kind: ApplicationKind,
    signing_algorithm: SigningAlgorithm,
    client: ClientSettings,
}

impl Registration {
    /// Reads and checks metadata.
    ///
    /// # Errors
    /// [`Code::RedirectUriInvalid`], [`Code::ClientMetadataInvalid`].
    pub(super) fn read(metadata: &Map<String, Value>) -> Result<Self, Refusal> {
        let metadata = Metadata(metadata);
        metadata.refuse_unserved()?;
        let kind = match metadata.text("application_type")? {
            None | Some("web") => ApplicationKind::Web,
            Some("native") => ApplicationKind::Native,
            Some(other) => return Err(unknown("application_type", other, &["web", "native"])),
        };
        let token_auth = metadata.choice("token_endpoint_auth_method", TokenAuth::ALL, TokenAuth::as_str)?;
        let token_auth = token_auth.unwrap_or(TokenAuth::Basic);
        let (grants, response_types) = metadata.flows()?;
        if token_auth == TokenAuth::None && grants.contains(&Grant::ClientCredentials) {
            let problem = "a client that does not authenticate gets no tokens for itself: ask for another \
                           token_endpoint_auth_method, or leave client_credentials out";
            return Err(refuse("grant_types", problem));
        }
        let redirect_uris = metadata.list("redirect_uris")?.unwrap_or_default();
        check_redirect_uris(&redirect_uris, &response_types, kind)?;
        let algorithms = (SigningAlgorithm::ALL, SigningAlgorithm::as_str);
        let client_algorithms = (ClientAlgorithm::ALL, ClientAlgorithm::as_str);
        let choice = |name| metadata.choice(name, algorithms.0, algorithms.1);
        let client_choice = |name| metadata.choice(name, client_algorithms.0, client_algorithms.1);
        let list = |name| metadata.list(name).map(Option::unwrap_or_default);
        let text = |name| metadata.text(name).map(|text| text.map(str::to_owned));
        let client = ClientSettings {
            token_auth: Some(token_auth),
            jwks_uri: text("jwks_uri")?,
            jwks: metadata.given("jwks").cloned(),
            grants: Some(grants),
            logout_redirect_uris: list("post_logout_redirect_uris")?,
            backchannel_logout_uri: text("backchannel_logout_uri")?,
            frontchannel_logout_uri: text("frontchannel_logout_uri")?,
            init_login_uri: text("initiate_login_uri")?,
            logo: text("logo_uri")?,
            client_uri: text("client_uri")?,
            policy_uri: text("policy_uri")?,
            tos_uri: text("tos_uri")?,
            contacts: list("contacts")?,
            request_uris: list("request_uris")?,
            subject_type: metadata
                .choice("subject_type", SubjectType::ALL, SubjectType::as_str)?
                .unwrap_or_default(),
            sector_identifier_uri: text("sector_identifier_uri")?,
            userinfo_signed_response_alg: choice("userinfo_signed_response_alg")?,
            response_types: Some(response_types),
            scopes: words(metadata.text("scope")?),
            default_max_age: metadata.number("default_max_age")?,
            default_acr_values: list("default_acr_values")?,
            request_object_signing_alg: client_choice("request_object_signing_alg")?,
            token_auth_signing_alg: client_choice("token_endpoint_auth_signing_alg")?,
            software_id: text("software_id")?,
            software_version: text("software_version")?,
            dpop_bound_access_tokens: metadata.flag("dpop_bound_access_tokens")?,
            redirect_uris,
            ..ClientSettings::default()
        };
        check_frontchannel(&client)?;
        // These are always so: whoever asks for less gets more.
        for name in [
            "require_auth_time",
            "backchannel_logout_session_required",
            "frontchannel_logout_session_required",
        ] {
            metadata.flag(name)?;
        }
        Ok(Self {
            name: metadata.name(&client)?,
            kind,
            signing_algorithm: choice("id_token_signed_response_alg")?.unwrap_or(SigningAlgorithm::Rs256),
            client,
        })
    }

    /// The application with all that the client decides replaced. Its secrets stay.
    pub(super) fn over(&self, present: Application) -> Application {
        let Self { name, kind, signing_algorithm, client } = self.clone();
        let ClientSettings { allowed_origins, description, dpop_nonce_required, .. } =
            present.client.into_inner();
        let client = ClientSettings { allowed_origins, description, dpop_nonce_required, ..client };
        Application { name, kind, signing_algorithm, client: client.into(), ..present }
    }
}

/// What an application is as a registered client, but for what identifies it.
pub(super) fn described(application: &Application) -> Map<String, Value> {
    let client = &application.client;
    let grants = application.grants().iter().filter(|grant| **grant != Grant::Hybrid);
    let types = client.response_types.iter().flatten().map(ToString::to_string);
    let is_native = application.kind == ApplicationKind::Native;
    let mut described = Map::new();
    let mut put = |name: &str, value: Value| {
        let is_empty = value.is_null() || value.as_array().is_some_and(Vec::is_empty) || value == "";
        if !is_empty {
            described.insert(name.to_owned(), value);
        }
    };
    put("client_name", json!(application.name));
    put("application_type", json!(if is_native { "native" } else { "web" }));
    put("token_endpoint_auth_method", json!(application.token_auth().as_str()));
    put("grant_types", grants.map(|grant| grant.on_the_wire()).collect());
    put("response_types", types.collect());
    put("redirect_uris", json!(client.redirect_uris));
    put("post_logout_redirect_uris", json!(client.logout_redirect_uris));
    put("jwks_uri", json!(client.jwks_uri));
    put("jwks", json!(client.jwks));
    put("client_uri", json!(client.client_uri));
    put("logo_uri", json!(client.logo));
    put("policy_uri", json!(client.policy_uri));
    put("tos_uri", json!(client.tos_uri));
    put("contacts", json!(client.contacts));
    put("scope", json!(client.scopes.join(" ")));
    put("software_id", json!(client.software_id));
    put("software_version", json!(client.software_version));
    put("initiate_login_uri", json!(client.init_login_uri));
    put("request_uris", json!(client.request_uris));
    put("subject_type", json!(client.subject_type.as_str()));
    put("sector_identifier_uri", json!(client.sector_identifier_uri));
    put("id_token_signed_response_alg", json!(application.signing_algorithm.as_str()));
    put("userinfo_signed_response_alg", json!(client.userinfo_signed_response_alg));
    put("request_object_signing_alg", json!(client.request_object_signing_alg));
    put("token_endpoint_auth_signing_alg", json!(client.token_auth_signing_alg));
    put("default_max_age", json!(client.default_max_age));
    put("default_acr_values", json!(client.default_acr_values));
    put("require_auth_time", json!(true));
    put("dpop_bound_access_tokens", json!(client.dpop_bound_access_tokens.then_some(true)));
    for (uri, name, flag) in [
        (&client.backchannel_logout_uri, "backchannel_logout_uri", "backchannel_logout_session_required"),
        (&client.frontchannel_logout_uri, "frontchannel_logout_uri", "frontchannel_logout_session_required"),
    ] {
        if let Some(uri) = uri {
            put(name, json!(uri));
            put(flag, json!(true));
        }
    }
    described
}

/// The refusal of an application with these problems, in the words of the client. `None` if there are none.
pub(super) fn problem(problems: &[SettingProblem]) -> Option<Refusal> {
    let SettingProblem { path, reason } = problems.first()?;
    let (own, place) = path.split_once('.').map_or((path.as_str(), None), |(own, rest)| (own, Some(rest)));
    let name = OTHER_NAMES.iter().find(|(other, _)| *other == own).map_or(own, |(_, name)| name);
    let code = if own == "redirect_uris" { Code::RedirectUriInvalid } else { Code::ClientMetadataInvalid };
    let field = place.map_or_else(|| name.to_owned(), |place| format!("{name}.{place}"));
    Some(refusal(code, &field, reason))
}

/// Metadata as it was sent. A member that is null or an empty text is missing (RFC 7591 section 2).
struct Metadata<'a>(&'a Map<String, Value>);

impl<'a> Metadata<'a> {
    fn given(&self, name: &str) -> Option<&'a Value> {
        self.0.get(name).filter(|value| !value.is_null() && value.as_str() != Some(""))
    }

    fn text(&self, name: &str) -> Result<Option<&'a str>, Refusal> {
        let Some(value) = self.given(name) else { return Ok(None) };
        value.as_str().map(Some).ok_or_else(|| refuse(name, "it is not a text"))
    }

    fn list(&self, name: &str) -> Result<Option<Vec<String>>, Refusal> {
        let Some(value) = self.given(name) else { return Ok(None) };
        let texts = value.as_array().and_then(|values| {
            values.iter().map(|value| value.as_str().map(str::to_owned)).collect::<Option<Vec<_>>>()
        });
        texts.map(Some).ok_or_else(|| refuse(name, "it is not a list of texts"))
    }

    fn number(&self, name: &str) -> Result<Option<u64>, Refusal> {
        let Some(value) = self.given(name) else { return Ok(None) };
        value.as_u64().map(Some).ok_or_else(|| refuse(name, "it is not a whole number, 0 or more"))
    }

    fn flag(&self, name: &str) -> Result<bool, Refusal> {
        let Some(value) = self.given(name) else { return Ok(false) };
        value.as_bool().ok_or_else(|| refuse(name, "it is neither true nor false"))
    }

    fn choice<T: Copy>(
        &self,
        name: &str,
        all: &[T],
        text: impl Fn(T) -> &'static str,
    ) -> Result<Option<T>, Refusal> {
        let Some(chosen) = self.text(name)? else { return Ok(None) };
        let found = all.iter().copied().find(|one| text(*one) == chosen);
        let choices = || all.iter().map(|one| text(*one)).collect::<Vec<_>>();
        found.map(Some).ok_or_else(|| unknown(name, chosen, &choices()))
    }

    fn refuse_unserved(&self) -> Result<(), Refusal> {
        let asked = UNSERVED.into_iter().find(|name| self.given(name).is_some());
        if let Some(name) = asked {
            return Err(refuse(name, "this is not served: leave it out"));
        }
        for name in UNSERVED_FLAGS {
            if self.flag(name)? {
                return Err(refuse(name, "this is not served: leave it out"));
            }
        }
        Ok(())
    }

    /// The name, in any language if there is none without one (RFC 7591 section 2.2).
    fn name(&self, client: &ClientSettings) -> Result<String, Refusal> {
        let tagged = || self.0.keys().find(|name| name.starts_with("client_name#"));
        let given = match (self.text("client_name")?, tagged()) {
            (None, Some(tagged)) => self.text(tagged)?,
            (name, _) => name,
        };
        let Some(name) = given.map(str::trim) else {
            // Where it is says more than its id.
            let places = client.client_uri.iter().chain(&client.redirect_uris);
            let host = |place: &String| origin_of(place)?.split_once("://").map(|(_, host)| host.to_owned());
            return Ok(places.into_iter().find_map(host).unwrap_or_else(|| "Client".to_owned()));
        };
        let fits = (1..=LONGEST_NAME).contains(&name.chars().count());
        if !fits || name.chars().any(|c| c.is_control() || turns_text(c)) {
            let problem = format!("write 1 to {LONGEST_NAME} characters, none of which control others");
            return Err(refuse("client_name", &problem));
        }
        Ok(name.to_owned())
    }

    /// The grants and response types, which must agree (RFC 7591 section 2.1). Whichever is missing follows from the
    /// other.
    fn flows(&self) -> Result<(Vec<Grant>, Vec<ResponseType>), Refusal> {
        let types = match self.list("response_types")? {
            Some(names) => Some(names.iter().map(|name| response_type(name)).collect::<Result<Vec<_>, _>>()?),
            None => None,
        };
        let grants = match self.list("grant_types")? {
            Some(names) => Some(names.iter().map(|name| grant(name)).collect::<Result<Vec<_>, _>>()?),
            None => None,
        };
        let (mut grants, types) = match (grants, types) {
            (None, None) => (vec![Grant::AuthorizationCode], vec![ResponseType::CODE]),
            (None, Some(types)) => (all_needed(&types), types),
            (Some(grants), None) => {
                let implicit = ResponseType { code: false, id_token: true, token: false };
                let types = if grants.contains(&Grant::AuthorizationCode) {
                    vec![ResponseType::CODE]
                } else if grants.contains(&Grant::Implicit) {
                    vec![implicit]
                } else {
                    Vec::new()
                };
                (grants, types)
            }
            (Some(grants), Some(types)) => (grants, types),
        };
        for asked in &types {
            let missing = needed(*asked).find(|grant| !grants.contains(grant));
            if let Some(missing) = missing {
                let missing = missing.on_the_wire();
                let problem = format!("the response type {asked} needs the grant type {missing}");
                return Err(refuse("grant_types", &problem));
            }
        }
        if types.iter().any(|wanted| wanted.code && wanted.has_tokens()) {
            grants.push(Grant::Hybrid);
        }
        Ok((grants, types))
    }
}

fn response_type(name: &str) -> Result<ResponseType, Refusal> {
    ResponseType::parse(name).ok_or_else(|| {
        let all = ResponseType::ALL.map(|one| one.to_string());
        unknown("response_types", name, &all.each_ref().map(String::as_str))
    })
}

fn grant(name: &str) -> Result<Grant, Refusal> {
    let all = || Grant::ALL.iter().copied().filter(|grant| *grant != Grant::Hybrid);
    let found = all().find(|grant| grant.on_the_wire() == name);
    let choices = || all().map(Grant::on_the_wire).collect::<Vec<_>>();
    found.ok_or_else(|| unknown("grant_types", name, &choices()))
}

/// The grants that a response type needs.
fn needed(wanted: ResponseType) -> impl Iterator<Item = Grant> {
    let code = wanted.code.then_some(Grant::AuthorizationCode);
    code.into_iter().chain(wanted.has_tokens().then_some(Grant::Implicit))
}

fn all_needed(types: &[ResponseType]) -> Vec<Grant> {
    let mut grants = Vec::new();
    for grant in types.iter().copied().flat_map(needed) {
        if !grants.contains(&grant) {
            grants.push(grant);
        }
    }
    grants
}

fn check_redirect_uris(
    uris: &[String],
    types: &[ResponseType],
    kind: ApplicationKind,
) -> Result<(), Refusal> {
    let invalid = |place: String, problem: &str| Err(refusal(Code::RedirectUriInvalid, &place, problem));
    if uris.is_empty() && !types.is_empty() {
        return invalid("redirect_uris".to_owned(), "a client that people log in to needs one");
    }
    let has_tokens = types.iter().any(|wanted| wanted.has_tokens());
    for (index, uri) in uris.iter().enumerate() {
        let place = format!("redirect_uris.{index}");
        if let Err(error) = check_redirect_uri(uri) {
            return invalid(place, &error.to_string());
        }
        let scheme = uri.split(':').next().unwrap_or_default().to_ascii_lowercase();
        match (kind, scheme.as_str()) {
            (ApplicationKind::Native, _) | (_, "https") => {}
            // OpenID Connect Registration 1.0 section 2, application_type.
            (_, "http") if has_tokens => {
                return invalid(place, "a web client that gets tokens from the browser needs https");
            }
            (_, "http") => {}
            _ => return invalid(place, "a scheme of its own needs the application_type native"),
        }
    }
    Ok(())
}

/// The page is loaded in a frame, so it is the client's own (OpenID Connect Front-Channel Logout 1.0 section 2).
fn check_frontchannel(client: &ClientSettings) -> Result<(), Refusal> {
    let Some(page) = &client.frontchannel_logout_uri else { return Ok(()) };
    let is_own = origin_of(page)
        .is_some_and(|own| client.redirect_uris.iter().any(|uri| origin_of(uri).as_ref() == Some(&own)));
    if is_own {
        return Ok(());
    }
    Err(refuse("frontchannel_logout_uri", "scheme, host and port are those of a redirect URI"))
}

/// Whether a character changes the direction of those around it, so that a name reads as another one (UAX 9).
const fn turns_text(c: char) -> bool {
    matches!(c, '\u{061c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

fn words(text: Option<&str>) -> Vec<String> {
    text.unwrap_or_default().split_ascii_whitespace().map(str::to_owned).collect()
}

/// Refuses a member.
pub(super) fn refuse(name: &str, problem: &str) -> Refusal {
    refusal(Code::ClientMetadataInvalid, name, problem)
}

fn unknown(name: &str, value: &str, choices: &[&str]) -> Refusal {
    let shown: String = value.chars().take(SHOWN).collect();
    refuse(name, &format!("`{shown}` is not served: choose among {}", choices.join(", ")))
}

fn refusal(code: Code, field: &str, problem: &str) -> Refusal {
    code.with("field", plain(field)).with("problem", plain(problem))
}

/// What may stand in the description of an error (RFC 6749 section 5.2).
fn plain(text: &str) -> String {
    let text = text.replace(" — ", ": ");
    text.chars().map(|c| if matches!(c, ' '..='~') && c != '"' && c != '\\' { c } else { '?' }).collect()
}
