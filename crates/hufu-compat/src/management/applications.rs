//! Applications.

use hufu_app::Refusal;
use hufu_app::administration::NumberedPage;
use hufu_types::ApplicationId;
use hufu_types::refusal::{Code, Reason};
use secrecy::ExposeSecret;
use serde_json::{Map, Value, json};

use super::call::Call;
use super::put;
use super::sent::{Page, Sent};
use super::users::{listed, success};
use crate::envelope::Success;
use crate::surface::Answer;

/// Settings of an application that these clients know and that are written with `/admin/v1`, or that there are not.
const NOT_SERVED: &[&str] = &[
    "templateData",
    "oidcConfig",
    "samlProviderEnabled",
    "samlConfig",
    "oauthProviderEnabled",
    "oauthConfig",
    "casProviderEnabled",
    "casConfig",
    "loginConfig",
    "registerConfig",
    "brandingConfig",
    "enablePermissionApply",
];
/// The types of applications.
const TYPES: &str = "web, spa, native, mini-program, api";
/// The clients' names, and those of the document.
const FIELDS: &[(&str, &str)] = &[
    ("appName", "name"),
    ("appLogo", "logo"),
    ("appDescription", "description"),
    ("redirectUris", "redirect_uris"),
    ("logoutRedirectUris", "logout_redirect_uris"),
    ("initLoginUri", "init_login_uri"),
];

/// An application, as these clients read it.
fn told(call: &Call, document: &Map<String, Value>) -> Value {
    let of = |name: &str| document.get(name).cloned().unwrap_or_default();
    let list = |name: &str| document.get(name).cloned().unwrap_or_else(|| json!([]));
    json!({
        "appId": of("id"), "appIdentifier": of("id"), "appName": of("name"), "appLogo": of("logo"),
        "appDescription": of("description"), "appType": of("type"), "userPoolId": call.pool,
        "isIntegrateApp": false, "defaultProtocol": "oidc", "redirectUris": list("redirect_uris"),
        "logoutRedirectUris": list("logout_redirect_uris"), "initLoginUri": of("init_login_uri"),
        "ssoEnabled": true, "samlProviderEnabled": false, "oauthProviderEnabled": false,
        "casProviderEnabled": false, "customBrandingEnabled": document.contains_key("branding"),
        "customSecurityEnabled": document.contains_key("login"),
    })
}

/// The same in short.
fn told_shortly(document: &Map<String, Value>) -> Value {
    let of = |name: &str| document.get(name).cloned().unwrap_or_default();
    json!({
        "appId": of("id"), "appIdentifier": of("id"), "appName": of("name"), "appLogo": of("logo"),
        "appDescription": of("description"), "appType": of("type"), "isIntegrateApp": false,
    })
}

/// An application, as the v2 client reads it.
pub(super) fn told_v2(call: &Call, document: &Map<String, Value>) -> Value {
    let of = |name: &str| document.get(name).cloned().unwrap_or_default();
    let list = |name: &str| document.get(name).cloned().unwrap_or_else(|| json!([]));
    json!({
        "id": of("id"), "identifier": of("id"), "name": of("name"), "logo": of("logo"),
        "description": of("description"), "userPoolId": call.pool, "protocol": "oidc",
        "isDeleted": false, "redirectUris": list("redirect_uris"),
        "logoutRedirectUris": list("logout_redirect_uris"),
    })
}

/// What a document takes of a request.
fn document(sent: &Sent) -> Result<Map<String, Value>, Refusal> {
    sent.without(NOT_SERVED)?;
    if sent.text("defaultProtocol")?.is_some_and(|protocol| protocol != "oidc") {
        return Err(Code::FieldNotServed.with("field", "defaultProtocol"));
    }
    let mut document = Map::new();
    for (name, own) in FIELDS {
        if let Some(value) = sent.0.get(*name).filter(|value| !value.is_null()) {
            document.insert((*own).to_owned(), value.clone());
        }
    }
    if let Some(kind) = sent.text("appType")? {
        if !TYPES.split(", ").any(|known| known == kind) {
            return Err(Refusal::invalid("appType", Reason::NotOneOf { choices: TYPES.into() }));
        }
        document.insert("type".to_owned(), kind.into());
    }
    Ok(document)
}

/// The identifiers of the connections that are switched on for an application.
pub(super) fn enabled_connections(document: &Map<String, Value>) -> Vec<String> {
    let connections = document.get("connections").and_then(Value::as_array);
    connections.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}

impl Call {
    fn application_id(&self) -> Result<ApplicationId, Refusal> {
        ApplicationId::parse(self.sent.required("appId")?).map_err(|_| Code::NoSuchApplication.into())
    }

    async fn application_document(&self) -> Result<Map<String, Value>, Refusal> {
        self.app.application(&self.by, &self.pool, &self.application_id()?).await
    }

    /// The identifiers of the connections that are switched on for an application.
    pub(super) async fn connections_of(&self, application: &str) -> Result<Vec<String>, Refusal> {
        let id = ApplicationId::parse(application).map_err(|_| Code::NoSuchApplication)?;
        Ok(enabled_connections(&self.app.application(&self.by, &self.pool, &id).await?))
    }

    /// The applications of the pool, and whether a connection is switched on for each.
    pub(super) async fn applications_with(&self, connection: &str) -> Result<Vec<Value>, Refusal> {
        let mut list = Vec::new();
        let mut cursor = None;
        loop {
            let page = self.app.list_applications(&self.by, &self.pool, cursor.as_deref(), None).await?;
            for document in &page.applications {
                let enabled = document.get("connections").and_then(Value::as_array);
                let mut told = told_shortly(document);
                put(&mut told, "enabled", enabled.is_some_and(|list| list.contains(&connection.into())));
                list.push(told);
            }
            match page.next {
                Some(next) => cursor = Some(next),
                None => return Ok(list),
            }
        }
    }

    pub(super) async fn page_of_applications(
        &self,
        page: Page,
    ) -> Result<NumberedPage<Map<String, Value>>, Refusal> {
        let list = format!("applications of {}", self.pool);
        let read = |cursor: Option<String>, limit| async move {
            let found =
                self.app.list_applications(&self.by, &self.pool, cursor.as_deref(), Some(limit)).await?;
            Ok::<_, Refusal>((found.applications, found.next))
        };
        let mut found = self.app.numbered_page(&list, page.number, page.rows, read).await?;
        let known = self.app.config().of_pool(&self.pool).map_or(0, |pool| pool.applications().len());
        found.total = found.total.max(u64::try_from(known).unwrap_or_default());
        Ok(found)
    }

    /// Whether the list is for integrated applications, which there are not.
    fn is_empty_list(&self) -> Result<bool, Refusal> {
        self.sent.without(&["keywords", "all"])?;
        self.sent.is("isIntegrateApp")
    }
}

/// `GET list-applications`
pub(super) async fn list(call: Call) -> Answer<Success<Value>> {
    if call.is_empty_list()? {
        return Ok(listed(NumberedPage { rows: Vec::new(), total: 0 }));
    }
    let found = call.page_of_applications(call.sent.page()?).await?;
    let rows = found.rows.iter().map(|document| told(&call, document)).collect();
    Ok(listed(NumberedPage { rows, total: found.total }))
}

/// `GET list-application-simple-info`
pub(super) async fn list_shortly(call: Call) -> Answer<Success<Value>> {
    if call.is_empty_list()? {
        return Ok(listed(NumberedPage { rows: Vec::new(), total: 0 }));
    }
    let found = call.page_of_applications(call.sent.page()?).await?;
    let rows = found.rows.iter().map(told_shortly).collect();
    Ok(listed(NumberedPage { rows, total: found.total }))
}

/// `GET get-application`
pub(super) async fn get(call: Call) -> Answer<Success<Value>> {
    let document = call.application_document().await?;
    Ok(Success::new(told(&call, &document)))
}

/// `GET get-application-simple-info`
pub(super) async fn get_shortly(call: Call) -> Answer<Success<Value>> {
    Ok(Success::new(told_shortly(&call.application_document().await?)))
}

/// `POST create-application`. The id is new; there are no identifiers beside it.
pub(super) async fn create(call: Call) -> Answer<Success<Value>> {
    call.sent.required("appName")?;
    let mut document = document(&call.sent)?;
    document.entry("type").or_insert_with(|| "web".into());
    let made = call.app.create_application(&call.by, &call.pool, document).await?;
    let mut told = told(&call, &made.document);
    if let Some(secret) = made.secret {
        put(&mut told, "secret", secret.expose_secret());
    }
    Ok(Success::new(told))
}

/// `POST update-application`
pub(super) async fn update(call: Call) -> Answer<Success<Value>> {
    let (id, patch) = (call.application_id()?, document(&call.sent)?);
    call.app.change_application(&call.by, &call.pool, &id, patch, None).await?;
    Ok(success())
}

/// `POST delete-application`
pub(super) async fn delete(call: Call) -> Answer<Success<Value>> {
    call.app.remove_application(&call.by, &call.pool, &call.application_id()?, None).await?;
    Ok(success())
}

/// `GET get-application-secret`: only hashes of secrets are kept.
pub(super) async fn get_secret(call: Call) -> Answer<Success<Value>> {
    call.application_document().await?;
    Err(Code::SecretNotKept.into())
}

/// `POST refresh-application-secret`: the one before stays valid until the next.
pub(super) async fn refresh_secret(call: Call) -> Answer<Success<Value>> {
    let made = call.app.add_client_secret(&call.by, &call.pool, &call.application_id()?).await?;
    let secret = made.secret.as_ref().map(ExposeSecret::expose_secret);
    Ok(Success::new(json!({ "secret": secret })))
}
