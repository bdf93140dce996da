//! Webhooks. What they are sent is described in docs/webhooks.md, and its form is Hufu's.

use hufu_app::Refusal;
use hufu_app::administration::{NumberedPage, PageRequest};
use hufu_app::webhooks::{NewWebhook, Webhook, WebhookChange};
use hufu_types::refusal::{Code, Reason};
use hufu_types::{Action, DeliveryId, WebhookId};
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};

use super::call::Call;
use super::put;
use super::users::{BATCH, listed, success};
use crate::envelope::Success;
use crate::surface::Answer;

const JSON: &str = "application/json";
/// The most events that a webhook may name.
const EVENTS: usize = 200;
/// The clients' names of events, and those of the audit log, which may be used as well.
const NAMES: &[(&str, Action)] = &[
    ("login", Action::Login),
    ("register", Action::UserCreated),
    ("kick", Action::SessionsEnded),
    ("user:created", Action::UserCreated),
    ("user:updated", Action::UserUpdated),
    ("user:deleted", Action::UserDeleted),
    ("user:blocked", Action::UserDisabled),
    ("user:unblocked", Action::UserEnabled),
    ("user:archived", Action::UserArchived),
    ("user:password-changed", Action::PasswordChanged),
    ("user:email-verified", Action::EmailVerified),
    ("user:link-account", Action::IdentityBound),
    ("refresh-token", Action::TokenRefreshed),
];

fn told(webhook: &Webhook) -> Value {
    let events: Vec<_> = webhook.actions.iter().map(ToString::to_string).collect();
    json!({
        "webhookId": webhook.id, "name": webhook.name, "url": webhook.url, "contentType": JSON,
        "enabled": webhook.enabled, "events": events, "createdAt": webhook.created_at.to_iso(),
        "updatedAt": webhook.updated_at.to_iso(),
    })
}

impl Call {
    fn webhook_id(&self) -> Result<WebhookId, Refusal> {
        WebhookId::parse(self.sent.required("webhookId")?).map_err(|_| Code::NoSuchWebhook.into())
    }

    /// The events of a request in the names of the audit log.
    fn events(&self) -> Result<Vec<String>, Refusal> {
        let own = |name: String| {
            let known = NAMES.iter().find(|(theirs, _)| *theirs == name);
            known.map_or(name, |(_, action)| action.as_str().to_owned())
        };
        Ok(self.sent.texts("events", EVENTS)?.into_iter().map(own).collect())
    }

    fn check_webhook(&self) -> Result<(), Refusal> {
        self.sent.without(&["secret", "retryConfig"])?;
        match self.sent.text("contentType")? {
            None | Some(JSON) => Ok(()),
            Some(_) => Err(Refusal::invalid("contentType", Reason::NotOneOf { choices: JSON.into() })),
        }
    }
}

/// `POST create-webhook`. The secret that signs its deliveries is in this answer alone.
pub(super) async fn create(call: Call) -> Answer<Success<Value>> {
    call.check_webhook()?;
    let new = NewWebhook {
        name: call.sent.required("name")?.to_owned(),
        url: call.sent.required("url")?.to_owned(),
        events: call.events()?,
        enabled: call.sent.flag("enabled")?.unwrap_or(true),
    };
    let (webhook, secret) = call.app.create_webhook(&call.by, &call.pool, new).await?;
    let mut told = told(&webhook);
    put(&mut told, "secret", secret.expose_secret());
    Ok(Success::new(told))
}

/// `POST update-webhook`
pub(super) async fn update(call: Call) -> Answer<Success<Value>> {
    call.check_webhook()?;
    let change = WebhookChange {
        name: call.sent.text("name")?.map(str::to_owned),
        url: call.sent.text("url")?.map(str::to_owned),
        events: if call.sent.0.contains_key("events") { Some(call.events()?) } else { None },
        enabled: call.sent.flag("enabled")?,
        new_secret: false,
        expected: None,
        seen: None,
    };
    let (webhook, _) = call.app.update_webhook(&call.by, &call.pool, &call.webhook_id()?, change).await?;
    Ok(Success::new(told(&webhook)))
}

/// `POST delete-webhook`
pub(super) async fn delete(call: Call) -> Answer<Success<Value>> {
    for id in call.sent.texts("webhookIds", BATCH)? {
        let id = WebhookId::parse(&id).map_err(|_| Code::NoSuchWebhook)?;
        call.app.delete_webhook(&call.by, &call.pool, &id, None).await?;
    }
    Ok(success())
}

/// `GET get-webhook`
pub(super) async fn get(call: Call) -> Answer<Success<Value>> {
    Ok(Success::new(told(&call.app.webhook(&call.by, &call.pool, &call.webhook_id()?).await?)))
}

/// The webhooks of the pool, of which there are few.
async fn all(call: &Call) -> Result<Vec<Webhook>, Refusal> {
    let (mut all, mut page) = (Vec::new(), PageRequest { cursor: None, limit: Some(100) });
    loop {
        let found = call.app.webhooks(&call.by, &call.pool, &page).await?;
        all.extend(found.rows);
        match found.next {
            Some(next) => page.cursor = Some(next),
            None => return Ok(all),
        }
    }
}

/// `GET list-webhooks`
pub(super) async fn list(call: Call) -> Answer<Success<Value>> {
    let page = call.sent.page()?;
    let all = all(&call).await?;
    let number = |number: u32| usize::try_from(number).unwrap_or(usize::MAX);
    let passed = number(page.number.saturating_sub(1)).saturating_mul(number(page.rows));
    let rows = all.iter().skip(passed).take(number(page.rows)).map(told).collect();
    Ok(listed(NumberedPage { rows, total: u64::try_from(all.len()).unwrap_or_default() }))
}

/// `POST trigger-webhook`: sends a test. Its outcome is in the log.
pub(super) async fn trigger(call: Call) -> Answer<Success<Value>> {
    call.sent.without(&["requestHeaders", "requestBody"])?;
    let id = call.app.ping_webhook(&call.by, &call.pool, &call.webhook_id()?).await?;
    Ok(Success::new(json!({ "response": null, "deliveryId": id })))
}

/// `POST get-webhook-logs`
pub(super) async fn logs(call: Call) -> Answer<Success<Value>> {
    let (id, page) = (call.webhook_id()?, call.sent.page()?);
    call.app.webhook(&call.by, &call.pool, &id).await?;
    let list = format!("deliveries of {} {id}", call.pool);
    let read = |cursor: Option<String>, limit: u32| {
        let (call, id) = (&call, &id);
        async move {
            let before = cursor.map(|cursor| DeliveryId::parse(&cursor)).transpose();
            let before = before.map_err(Refusal::internal)?;
            let limit = usize::try_from(limit).unwrap_or(usize::MAX);
            let found = call.app.deliveries(&call.by, &call.pool, id, None, before, limit).await?;
            Ok::<_, Refusal>((found.deliveries, found.next.map(String::from)))
        }
    };
    let found = call.app.numbered_page(&list, page.number, page.rows, read).await?;
    let rows = found.rows.iter().map(|delivery| {
        json!({
            "webhookId": delivery.webhook, "eventName": delivery.action, "requestBody": delivery.body,
            "responseStatusCode": delivery.response_status, "responseBody": delivery.response,
            "timestamp": delivery.last_attempt_at.unwrap_or(delivery.created_at).to_iso(),
            "success": delivery.response_status.is_some_and(|status| (200..300).contains(&status)),
        })
    });
    Ok(listed(NumberedPage { rows: rows.collect(), total: found.total }))
}

/// `GET get-webhook-event-list`: the events in the names of the audit log.
pub(super) async fn event_list(call: Call) -> Answer<Success<Value>> {
    call.app.webhooks(&call.by, &call.pool, &PageRequest::default()).await?;
    let events: Vec<_> = Action::ALL
        .iter()
        .map(|action| {
            let name = action.as_str();
            json!({ "name": name, "nameEn": name, "value": name, "category": "hufu" })
        })
        .collect();
    let categories = json!([{ "name": "Hufu", "nameEn": "Hufu", "value": "hufu" }]);
    Ok(Success::new(json!({ "categories": categories, "events": events })))
}
