//! What a stolen login cannot do to an account's login names, and which checks a pool can turn off.

use std::time::Duration;

use hufu_app::{AccountName, Registration, Target};
use hufu_testkit::on_both_engines;
use hufu_types::Username;
use hufu_types::refusal::Code;

use super::world::World;
use super::{OTHER, PASSWORD, Purpose, email, phone, sms, username};

/// Longer ago than a recent login may be.
const LATER: Duration = Duration::from_secs(15 * 60 + 1);

on_both_engines! {
    /// Removing a verified phone number or e-mail address requires a recent login. Then another may be bound.
    async fn unbinding_asks_for_a_recent_login(database) {
        let world = World::new(database).await;
        let token = world.user_of_phone(1).await;
        let who = world.who(&token).await.unwrap();
        let code = world.code(Target::Email(email("bob")), Purpose::Bind).await;
        world.app.bind_email(&who, email("bob"), &code).await.unwrap();
        world.clock.advance(LATER);
        let who = world.who(&token).await.unwrap();
        assert!(matches!(world.app.unbind_phone(&who).await, Err(ref refusal) if refusal.is(Code::LoginTooOld)));
        assert!(matches!(world.app.unbind_email(&who).await, Err(ref refusal) if refusal.is(Code::LoginTooOld)));

        let done = world.log_in(AccountName::Phone(phone(1)), PASSWORD).await.unwrap();
        let who = world.who(&done.user_token().unwrap().token).await.unwrap();
        assert!(world.app.unbind_phone(&who).await.unwrap().phone.is_none());
    }

    /// Binding a phone number or an e-mail address requires a recent login.
    async fn binding_asks_for_a_recent_login(database) {
        let world = World::new(database).await;
        let token = world.register("alice").await;
        world.clock.advance(LATER);
        let who = world.who(&token).await.unwrap();
        let code = world.code(sms(1), Purpose::Bind).await;
        assert!(matches!(world.app.bind_phone(&who, phone(1), &code).await, Err(ref refusal) if refusal.is(Code::LoginTooOld)));
        let done = world.log_in(username("alice"), PASSWORD).await.unwrap();
        let who = world.who(&done.user_token().unwrap().token).await.unwrap();
        world.app.bind_phone(&who, phone(1), &code).await.unwrap();
    }

    /// Setting a first password adds a way to log in, too.
    async fn a_first_password_asks_for_a_recent_login(database) {
        let world = World::new(database).await;
        let code = world.code(sms(1), Purpose::Login).await;
        let done = world.log_in_by_code(sms(1), &code, true).await.unwrap();
        let who = world.who(&done.user_token().unwrap().token).await.unwrap();
        world.clock.advance(LATER);
        let late = world.app.change_password(&who, OTHER.into(), None).await;
        assert!(matches!(late, Err(ref refusal) if refusal.is(Code::LoginTooOld)), "{late:?}");
        let code = world.code(sms(1), Purpose::Login).await;
        let done = world.log_in_by_code(sms(1), &code, false).await.unwrap();
        let who = world.who(&done.user_token().unwrap().token).await.unwrap();
        world.app.change_password(&who, OTHER.into(), None).await.unwrap();
        world.log_in(AccountName::Phone(phone(1)), OTHER).await.unwrap();
    }

    /// A new number or address requires a recent login, whatever is proved besides.
    async fn changing_asks_for_a_recent_login(database) {
        let world = World::new(database).await;
        let token = world.user_of_phone(1).await;
        world.clock.advance(LATER);
        let who = world.who(&token).await.unwrap();
        let (old, new) = (world.code(sms(1), Purpose::Change).await, world.code(sms(2), Purpose::Change).await);
        let old = Some((phone(1), old));
        let change = world.app.change_phone(&who, phone(2), &new, old.clone()).await;
        assert!(matches!(change, Err(ref refusal) if refusal.is(Code::LoginTooOld)), "{change:?}");
        let step = world.app.request_phone_change(&who, phone(2), &new, old.clone()).await;
        assert!(matches!(step, Err(ref refusal) if refusal.is(Code::LoginTooOld)), "{step:?}");
        let done = world.log_in(AccountName::Phone(phone(1)), PASSWORD).await.unwrap();
        let who = world.who(&done.user_token().unwrap().token).await.unwrap();
        world.app.change_phone(&who, phone(2), &new, old).await.unwrap();
    }

    /// A pool need not require proof of the old number or address.
    async fn without_proof_of_the_old_one(database) {
        let settings = "verify_old_phone = false\nverify_old_email = false";
        let world = World::with_settings(database, settings).await;
        let token = world.user_of_phone(1).await;
        let who = world.who(&token).await.unwrap();
        let code = world.code(Target::Email(email("bob")), Purpose::Bind).await;
        world.app.bind_email(&who, email("bob"), &code).await.unwrap();
        let code = world.code(sms(2), Purpose::Change).await;
        let user = world.app.change_phone(&who, phone(2), &code, None).await.unwrap();
        assert_eq!(user.vouched_phone(), Some(&phone(2)));
        let code = world.code(Target::Email(email("rob")), Purpose::Change).await;
        let user = world.app.change_email(&who, email("rob"), &code, None).await.unwrap();
        assert_eq!(user.vouched_email(), Some(&email("rob")));
        let new = world.code(sms(3), Purpose::Change).await;
        let step = world.app.request_phone_change(&who, phone(3), &new, None).await.unwrap();
        world.app.change_phone_by_token(&who, step.token.expose()).await.unwrap();
        world.clock.advance(LATER);
        assert!(world.app.unbind_phone(&who).await.unwrap().phone.is_none());
    }

    /// An e-mail address needs a code unless the pool says otherwise. If it does, somebody who claimed an
    /// address first and never logged in does not lock out the owner.
    async fn an_address_needs_a_code(database) {
        let world = World::new(database).await;
        let by_email = |code: Option<String>| Registration {
            email: Some(email("carol")),
            code,
            password: Some(PASSWORD.into()),
            ..Registration::default()
        };
        assert!(matches!(world.try_register(by_email(None)).await, Err(ref refusal) if refusal.is(Code::CodeNeeded)));
        let code = world.code(Target::Email(email("carol")), Purpose::Register).await;
        world.try_register(by_email(Some(code))).await.unwrap();
        assert!(matches!(world.try_register(by_email(None)).await, Err(ref refusal) if refusal.is(Code::CodeNeeded)), "tells nothing");
    }

    async fn an_address_that_was_only_written(database) {
        let world = World::with_settings(database, "register_email_without_code = true").await;
        let application = world.application();
        let by_email = |code: Option<String>| Registration {
            email: Some(email("carol")),
            code,
            password: Some(PASSWORD.into()),
            ..Registration::default()
        };
        // Registers without logging in.
        let (squatter, _) = world.app.register(&application, by_email(None), None, &world.origin).await.unwrap();
        assert!(matches!(world.try_register(by_email(None)).await, Err(ref refusal) if refusal.is(Code::CodeNeeded)));
        let code = world.code(Target::Email(email("carol")), Purpose::Register).await;
        let (owner, _) = world.try_register(by_email(Some(code))).await.unwrap();
        assert!(owner.email_verified && owner.id != squatter.id);
        assert!(matches!(world.try_register(by_email(None)).await, Err(ref refusal) if refusal.is(Code::AccountExists)));
        let name = Registration {
            username: Some(Username::parse("carol").unwrap()),
            password: Some(PASSWORD.into()),
            ..Registration::default()
        };
        world.try_register(name).await.unwrap();
    }
}
