//! The facts of a login: kept while it waits, and recorded in the audit log.

use hufu_app::credentials::guess::{Guess, Presented};
use hufu_app::login::{Continue, Continued, Login, LoginOutcome, PreparedAction, ViewFlow};
use hufu_store::Store;
use hufu_store::audit::{AuditFilter, ListEvents};
use hufu_store::passcodes::{self, Addressed, Target};
use hufu_store::users;
use hufu_testkit::on_both_engines;
use hufu_types::flow::Stage;
use hufu_types::{
    Action, Association, AssociationMode, ConnectionKind, Facts, Method, PasscodePurpose, PhoneProof,
    SystemRandom, TokenHash, User, UserId,
};
use serde_json::{Value as Json, json};

use crate::support::{
    APP, NOW, Variant as _, hash, log_in, login, migrated, openid, phone, plan, pool, random_hash, seconds,
    unit,
};

const WECHAT: Method = Method::Source(ConnectionKind::WechatMiniProgram);

unit! {
    Write Make { user: User, to: Addressed, code: TokenHash } -> (), |this, tx| {
        users::insert(tx, &this.user, None).await?;
        let expires_at = NOW.plus(seconds(300));
        passcodes::put(tx, &pool(), &this.to, PasscodePurpose::Bind, &this.code, NOW, expires_at).await
    }
}

fn addressed() -> Addressed {
    Addressed { channel: Target::Phone(phone(1)).channel(), target: hash("target") }
}

/// A user with a phone number, and a code sent to it.
async fn somebody(store: &Store) -> UserId {
    let id = UserId::parse("6560c0ffee0000000000aaaa").unwrap();
    let number = Some((phone(1), PhoneProof::Code));
    let user = User { phone: number, ..User::new(pool(), id.clone(), "admin", NOW) };
    store.write(Make { user, to: addressed(), code: hash("code") }).await.unwrap();
    id
}

/// A step `after` seconds later that proves the number.
fn bind(login: &Login, after: u64) -> Continue {
    let code =
        Presented { to: addressed(), code: hash("code"), purposes: &[PasscodePurpose::Bind], max_tries: 5 };
    let flow = login.plan.flow.clone();
    let mut next = plan(NOW.plus(seconds(after)));
    (next.facts, next.settings, next.flow.id) =
        (login.plan.facts.clone(), login.plan.settings.clone(), flow.id.clone());
    Continue {
        pool: pool(),
        flow: flow.id,
        handle: flow.handle,
        cookie: None,
        prepared: PreparedAction::BindByCode {
            guess: Guess { code, guard: None },
            to: Target::Phone(phone(1)),
        },
        resolver: Some(login.resolver.clone()),
        candidate: UserId::generate(NOW, &SystemRandom),
        plan: next,
        max_tries: 10,
        keeps_handle: false,
    }
}

fn asking() -> Login {
    login(openid(APP, "o1"), None)
        .associating(Association { mode: AssociationMode::Ask, ..Association::default() })
}

async fn logged(store: &Store, action: Action) -> Json {
    let filter = AuditFilter { actions: vec![action], ..AuditFilter::default() };
    let events = store.read(ListEvents { pool: pool(), filter, before: None, limit: 1 }).await.unwrap();
    let mut details = events[0].details.clone();
    details.as_object_mut().unwrap().remove("session");
    details
}

on_both_engines! {
    async fn the_audit_log_names_what_was_used(database) {
        let store = migrated(&database).await;
        let plain = log_in(&store, login(openid(APP, "o9"), None)).await;
        assert_eq!(logged(&store, Action::Login).await, json!({ "by": WECHAT.as_str() }));
        assert!(plain.newly_created);

        somebody(&store).await;
        let login = asking();
        assert!(matches!(store.write(login.clone()).await.unwrap(), LoginOutcome::Waiting(_)));
        let Continued::Login(outcome) = store.write(bind(&login, 9)).await.unwrap() else { panic!("goes on") };
        assert!(matches!(*outcome, LoginOutcome::LoggedIn(_)));
        let both = json!({ "by": WECHAT.as_str(), "methods": [WECHAT.as_str(), "phone-code"] });
        assert_eq!(logged(&store, Action::IdentityBound).await, both);
        assert_eq!(logged(&store, Action::Login).await, both);
    }

    async fn a_login_that_waits_keeps_its_facts(database) {
        let store = migrated(&database).await;
        let somebody = somebody(&store).await;
        let mut login = asking();
        let mut settings = (*login.plan.settings).clone();
        settings.required_fields = vec!["nickname".to_owned()];
        login.plan.settings = settings.into();
        let look = || ViewFlow { pool: pool(), flow: login.plan.flow.id.clone() };
        assert!(matches!(store.write(login.clone()).await.unwrap(), LoginOutcome::Waiting(_)));
        let (flow, accounts) = store.read(look()).await.unwrap().unwrap();
        assert_eq!((flow.state.stage, accounts.len()), (Stage::Associate, 0));
        assert_eq!(flow.state.facts, Facts::of(WECHAT, NOW));

        let mut step = bind(&login, 9);
        step.plan.flow.handle = random_hash();
        assert!(matches!(store.write(step).await.unwrap(), Continued::Login(_)));
        let (flow, accounts) = store.read(look()).await.unwrap().unwrap();
        assert_eq!((flow.state.stage, &accounts[0].id), (Stage::Complete, &somebody));
        let facts = Facts::of(WECHAT, NOW).and(Method::PhoneCode, NOW.plus(seconds(9)));
        assert_eq!(flow.state.facts, facts);
        assert_eq!(facts.auth_time(), Some(NOW.plus(seconds(9))));
    }
}
