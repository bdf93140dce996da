//! Events, recorded in the transaction of the operation itself: an entry in the audit log, and a delivery for
//! each webhook that subscribes to the event.

use std::sync::Arc;

use hufu_store::audit::{self, NewEvent};
use hufu_store::deliveries::{self, NewDelivery};
use hufu_store::{StoreError, Tx};
use hufu_types::{
    Action, ActorKind, ApplicationId, ConnectionId, DeliveryId, EventId, EventName, JobId, PoolId, Random,
    Timestamp, UserId,
};
use serde_json::{Value as Json, json};

pub use hufu_store::webhooks::Subscriber;

/// Who performs an operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Actor {
    /// The kind of actor.
    pub kind: ActorKind,
    /// The id of the user, administrator or key.
    pub id: Option<String>,
}

impl Actor {
    /// A user acting on their own account.
    pub fn user(id: &UserId) -> Self {
        Self { kind: ActorKind::User, id: Some(id.as_str().to_owned()) }
    }

    /// An administrator who is logged in.
    pub fn administrator(id: &UserId) -> Self {
        Self { kind: ActorKind::Administrator, id: Some(id.as_str().to_owned()) }
    }

    /// The instance itself.
    pub fn system() -> Self {
        Self { kind: ActorKind::System, id: None }
    }
}

/// The context that all events of a unit share: who acts, from where, through which application and
/// connection, and when.
#[derive(Clone, Debug)]
pub struct Trace {
    /// The actor. `None` for a login, where the user is only known once it succeeds.
    pub actor: Option<Actor>,
    /// The application used.
    pub application: Option<ApplicationId>,
    /// The connection used.
    pub connection: Option<ConnectionId>,
    /// The client's IP address.
    pub ip: Option<String>,
    /// The client's user agent.
    pub user_agent: Option<String>,
    /// The id of the request.
    pub request_id: Option<String>,
    /// The time of the operation.
    pub at: Timestamp,
    /// The id of the first event. Later events of the unit get the ids that follow.
    pub first: EventId,
    /// The webhooks to notify.
    pub subscribers: Arc<[Subscriber]>,
}

/// Something that happened.
#[derive(Clone, Debug)]
pub struct Event<'a> {
    /// The action.
    pub action: Action,
    /// 0 for success, or the code of the refusal.
    pub code: u32,
    /// The user affected.
    pub user: Option<&'a UserId>,
    /// Further details, as an object; changes are under `before` and `after`. Never contains secrets, codes
    /// or tokens.
    pub details: Json,
}

impl<'a> Event<'a> {
    /// An action that succeeded.
    pub fn of(action: Action, user: &'a UserId) -> Self {
        Self { action, code: 0, user: Some(user), details: json!({}) }
    }

    /// Sets the details.
    #[must_use]
    pub fn with(self, details: Json) -> Self {
        Self { details, ..self }
    }
}

/// Records the events of one unit of work.
pub struct Recorder<'a> {
    trace: &'a Trace,
    next: EventId,
}

impl Trace {
    /// An operation run from the command line. It notifies no webhooks.
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

    /// Starts recording the events of a unit. Create only one recorder per unit: event ids would repeat
    /// otherwise.
    pub fn recorder(&self) -> Recorder<'_> {
        Recorder { trace: self, next: self.first.clone() }
    }
}

impl Recorder<'_> {
    /// The time of the operation.
    pub fn now(&self) -> Timestamp {
        self.trace.at
    }

    /// The id of a job that the operation puts into the queue.
    pub(crate) fn job_id(&mut self) -> Result<JobId, StoreError> {
        Ok(JobId::parse(self.id().as_str())?)
    }

    /// The application used.
    pub(crate) fn application(&self) -> Option<&ApplicationId> {
        self.trace.application.as_ref()
    }

    fn id(&mut self) -> EventId {
        let next = self.next.next();
        std::mem::replace(&mut self.next, next)
    }

    /// Writes an event to the audit log, and queues it for the webhooks that subscribe to it.
    pub async fn record(
        &mut self,
        tx: &mut Tx<'_>,
        pool: &PoolId,
        event: Event<'_>,
    ) -> Result<(), StoreError> {
        let id = self.id();
        let trace = self.trace;
        // A login has no actor until the user is known.
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
        let name = EventName::of(event.action, event.code);
        for subscriber in trace.subscribers.iter() {
            if subscriber.actions.is_empty() || subscriber.actions.contains(&name) {
                self.deliver(tx, pool, (&id, name), subscriber, &event, &actor).await?;
            }
        }
        Ok(())
    }

    async fn deliver(
        &mut self,
        tx: &mut Tx<'_>,
        pool: &PoolId,
        (id, name): (&EventId, EventName),
        subscriber: &Subscriber,
        event: &Event<'_>,
        actor: &Actor,
    ) -> Result<(), StoreError> {
        let delivery = DeliveryId::parse(self.id().as_str())?;
        let (trace, name) = (self.trace, name.to_string());
        let body = json!({
            "id": id.as_str(),
            "type": name,
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
            action: &name,
            body: &body,
            now: trace.at,
        };
        deliveries::insert(tx, &new).await
    }
}
