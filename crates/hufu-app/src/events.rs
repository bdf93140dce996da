//! What happens, written in the transaction of the operation: an entry of the audit
//! log, and a delivery for each webhook that wants to know.

use std::sync::Arc;

use hufu_store::audit::{self, NewEvent};
use hufu_store::deliveries::{self, NewDelivery};
use hufu_store::{StoreError, Tx};
use hufu_types::{
    Action, ActorKind, ApplicationId, ConnectionId, DeliveryId, EventId, PoolId, Random, Timestamp, UserId,
};
use serde_json::{Value as Json, json};

pub use hufu_store::webhooks::Subscriber;

/// Who does something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Actor {
    /// What they are.
    pub kind: ActorKind,
    /// The id of the user, administrator or key.
    pub id: Option<String>,
}

impl Actor {
    /// A person, about their own account.
    pub fn user(id: &UserId) -> Self {
        Self { kind: ActorKind::User, id: Some(id.as_str().to_owned()) }
    }

    /// The instance itself.
    pub fn system() -> Self {
        Self { kind: ActorKind::System, id: None }
    }
}

/// Who does something, from where, through what, and when: what every event of a unit has in common.
#[derive(Clone, Debug)]
pub struct Trace {
    /// Who; none where the login itself shows who it is.
    pub actor: Option<Actor>,
    /// Through which application.
    pub application: Option<ApplicationId>,
    /// Through which connection.
    pub connection: Option<ConnectionId>,
    /// From which address.
    pub ip: Option<String>,
    /// With which client.
    pub user_agent: Option<String>,
    /// In which request.
    pub request_id: Option<String>,
    /// When.
    pub at: Timestamp,
    /// The id of the first event; the others follow it.
    pub first: EventId,
    /// Who wants to know.
    pub subscribers: Arc<[Subscriber]>,
}

/// Something that happened.
#[derive(Clone, Debug)]
pub struct Event<'a> {
    /// What.
    pub action: Action,
    /// 0, or the code of the refusal.
    pub code: u32,
    /// To whom.
    pub user: Option<&'a UserId>,
    /// What else is known: an object; what changed stands in `before` and `after`. Never secrets, codes or tokens.
    pub details: Json,
}

impl<'a> Event<'a> {
    /// Something that succeeded.
    pub fn of(action: Action, user: &'a UserId) -> Self {
        Self { action, code: 0, user: Some(user), details: json!({}) }
    }

    /// With what else is known.
    #[must_use]
    pub fn with(self, details: Json) -> Self {
        Self { details, ..self }
    }
}

/// Writes the events of one unit of work.
pub struct Recorder<'a> {
    trace: &'a Trace,
    next: EventId,
}

impl Trace {
    /// An operation of the command line, which nobody subscribes to.
    pub fn of_command(at: Timestamp, random: &dyn Random) -> Self {
        Self {
            actor: Some(Actor { kind: ActorKind::Command, id: None }),
            application: None,
            connection: None,
            ip: None,
            user_agent: None,
            request_id: None,
            at,
            first: EventId::generate(at, random),
            subscribers: Arc::default(),
        }
    }

    /// Begins to write the events of a unit. A unit makes one of these, so that no two events have one id.
    pub fn recorder(&self) -> Recorder<'_> {
        Recorder { trace: self, next: self.first.clone() }
    }
}

impl Recorder<'_> {
    /// When it happens.
    pub fn now(&self) -> Timestamp {
        self.trace.at
    }

    fn id(&mut self) -> EventId {
        let next = self.next.next();
        std::mem::replace(&mut self.next, next)
    }

    /// Writes an event to the audit log, and queues it for the webhooks that want to know.
    pub async fn record(
        &mut self,
        tx: &mut Tx<'_>,
        pool: &PoolId,
        event: Event<'_>,
    ) -> Result<(), StoreError> {
        let id = self.id();
        let trace = self.trace;
        // A login has no actor until it is known who logs in.
        let by_login = || event.user.map(Actor::user);
        let actor = trace.actor.clone().or_else(by_login).unwrap_or_else(Actor::system);
        let new = NewEvent {
            pool,
            id: &id,
            at: trace.at,
            action: event.action,
            code: event.code,
            actor_kind: actor.kind,
            actor_id: actor.id.as_deref(),
            user: event.user,
            application: trace.application.as_ref(),
            connection: trace.connection.as_ref(),
            ip: trace.ip.as_deref(),
            user_agent: trace.user_agent.as_deref(),
            request_id: trace.request_id.as_deref(),
            details: &event.details,
        };
        audit::insert(tx, &new).await?;
        for subscriber in trace.subscribers.iter() {
            if subscriber.actions.is_empty() || subscriber.actions.contains(&event.action) {
                self.deliver(tx, pool, &id, subscriber, &event, &actor).await?;
            }
        }
        Ok(())
    }

    async fn deliver(
        &mut self,
        tx: &mut Tx<'_>,
        pool: &PoolId,
        id: &EventId,
        subscriber: &Subscriber,
        event: &Event<'_>,
        actor: &Actor,
    ) -> Result<(), StoreError> {
        let delivery = DeliveryId::parse(self.id().as_str())?;
        let trace = self.trace;
        let body = json!({
            "id": id.as_str(),
            "type": event.action.as_str(),
            "time": trace.at.to_iso(),
            "poolId": pool.as_str(),
            "data": {
                "code": event.code,
                "userId": event.user.map(UserId::as_str),
                "applicationId": trace.application.as_ref().map(ApplicationId::as_str),
                "connectionId": trace.connection.as_ref().map(ConnectionId::as_str),
                "actor": { "kind": actor.kind.as_str(), "id": actor.id },
                "ip": trace.ip,
                "userAgent": trace.user_agent,
                "requestId": trace.request_id,
                "details": event.details,
            },
        })
        .to_string();
        let new = NewDelivery {
            pool,
            id: &delivery,
            webhook: &subscriber.webhook,
            event: id.as_str(),
            action: event.action.as_str(),
            body: &body,
            now: trace.at,
        };
        deliveries::insert(tx, &new).await
    }
}
