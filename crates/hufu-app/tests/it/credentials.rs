//! Passwords and codes: single use, attempts, limits, no account enumeration, locking, races, changes in two
//! steps, account deletion.

mod contacts;
mod guesses;
mod world;

use std::time::Duration;

use hufu_app::{AccountName, Confirmation, Registration, Target};
use hufu_testkit::on_both_engines;
use hufu_types::flow::RequestedTokens;
use hufu_types::refusal::Code;
use hufu_types::{Email, PasscodePurpose as Purpose, Phone, Username};
use world::World;

const PASSWORD: &str = "plum orchard 77";
const OTHER: &str = "walnut harbour 12";

fn phone(number: u32) -> Phone {
    Phone::parse(&format!("+86138{number:08}")).unwrap()
}

fn sms(number: u32) -> Target {
    Target::Phone(phone(number))
}

fn email(name: &str) -> Email {
    Email::parse(&format!("{name}@example.com")).unwrap()
}

fn username(text: &str) -> AccountName {
    AccountName::Username(text.to_owned())
}

/// A six-digit code that is wrong.
fn other_than(code: &str) -> &'static str {
    if code == "000000" { "000001" } else { "000000" }
}

on_both_engines! {
    /// A code works once, until it expires, and only for its purpose. A newer one voids it.
    async fn a_code_is_good_once_and_for_a_while(database) {
        let world = World::new(database).await;
        let code = world.code(sms(1), Purpose::Login).await;
        let done = world.log_in_by_code(sms(1), &code, true).await.unwrap();
        assert!(done.newly_created);
        let again = world.log_in_by_code(sms(1), &code, true).await;
        assert!(matches!(again, Err(ref refusal) if refusal.is(Code::WrongCode)), "{again:?}");

        let old = world.code(sms(2), Purpose::Login).await;
        let new = world.code(sms(2), Purpose::Login).await;
        assert!(matches!(world.log_in_by_code(sms(2), &old, true).await, Err(ref refusal) if refusal.is(Code::WrongCode)));
        world.clock.advance(Duration::from_secs(299));
        world.log_in_by_code(sms(2), &new, true).await.unwrap();

        let code = world.code(sms(3), Purpose::Login).await;
        world.clock.advance(Duration::from_secs(301));
        assert!(matches!(world.log_in_by_code(sms(3), &code, true).await, Err(ref refusal) if refusal.is(Code::WrongCode)));
        let bind = world.code(sms(3), Purpose::Bind).await;
        assert!(matches!(world.log_in_by_code(sms(3), &bind, true).await, Err(ref refusal) if refusal.is(Code::WrongCode)));
    }

    /// The right code becomes void after five wrong attempts, not earlier.
    async fn five_tries(database) {
        let world = World::new(database).await;
        for (number, wrong, is_good) in [(1, 4, true), (2, 5, false)] {
            let code = world.code(sms(number), Purpose::Login).await;
            for _ in 0..wrong {
                let refused = world.log_in_by_code(sms(number), other_than(&code), true).await;
                assert!(matches!(refused, Err(ref refusal) if refusal.is(Code::WrongCode)));
            }
            assert_eq!(world.log_in_by_code(sms(number), &code, true).await.is_ok(), is_good);
        }
    }

    /// One per minute and ten per hour for each target, sixty per hour for each IP address. Refused requests
    /// do not count.
    async fn sending_is_limited(database) {
        let world = World::new(database).await;
        world.send(sms(1), Purpose::Login).await.unwrap();
        assert!(matches!(world.send(sms(1), Purpose::Bind).await, Err(ref refusal) if refusal.is(Code::TooOften)));
        for _ in 1..10 {
            world.clock.advance(Duration::from_secs(61));
            world.send(sms(1), Purpose::Login).await.unwrap();
        }
        world.clock.advance(Duration::from_secs(61));
        assert!(matches!(world.send(sms(1), Purpose::Login).await, Err(ref refusal) if refusal.is(Code::TooOften)));
        for number in 2..52 {
            world.send(sms(number), Purpose::Login).await.unwrap();
        }
        assert!(matches!(world.send(sms(99), Purpose::Login).await, Err(ref refusal) if refusal.is(Code::TooOften)));
        world.clock.advance(Duration::from_secs(3600));
        world.send(sms(99), Purpose::Login).await.unwrap();
    }

    /// A reset code is sent only to an account's owner, and the answer does not reveal whether there is one.
    async fn resetting_tells_nobody_who_exists(database) {
        let world = World::new(database).await;
        world.user_of_phone(1).await;
        world.send(sms(1), Purpose::ResetPassword).await.unwrap();
        world.send(sms(2), Purpose::ResetPassword).await.unwrap();
        assert_eq!(world.app.run_due_jobs().await, 2, "the same work");
        let outcomes: Vec<_> = world.outbox.list().into_iter().map(|message| message.to).collect();
        assert_eq!(outcomes.iter().filter(|to| **to == phone(1).as_str()).count(), 2, "registering, and resetting");
        assert!(!outcomes.contains(&phone(2).as_str().to_owned()));
    }

    /// Without a sender, every target is refused in the same way.
    async fn without_a_sender_nothing_is_promised(database) {
        let world = World::without_outbox(database).await;
        for number in [1, 2] {
            let refused = world.send(sms(number), Purpose::ResetPassword).await;
            assert!(matches!(refused, Err(ref refusal) if refusal.number() == 2420), "{refused:?}");
        }
    }

    /// Unknown names and wrong passwords are refused and locked in the same way, at the same cost.
    async fn nothing_tells_who_exists(database) {
        let world = World::new(database).await;
        world.register("alice").await;
        let mut answers = Vec::new();
        for name in ["alice", "nobody"] {
            let before = world.app.password_work();
            let mut outcomes = Vec::new();
            for _ in 0..11 {
                outcomes.push(format!("{:?}", world.log_in(username(name), OTHER).await.unwrap_err()));
            }
            outcomes.push(format!("{:?}", world.log_in(username(name), PASSWORD).await.unwrap_err()));
            answers.push((outcomes, world.app.password_work() - before));
        }
        assert_eq!(answers[0], answers[1]);
        let (outcomes, work) = &answers[0];
        assert_eq!(outcomes[0], "WrongPassword { data: {\"remainCount\":9} }");
        assert_eq!((outcomes[10].as_str(), outcomes[11].as_str()), ("Locked", "Locked"));
        assert_eq!(*work, 10, "nothing is verified for who is locked");
        let exists = world.app.user_exists(&world.application(), username("alice"), &world.origin).await;
        assert!(matches!(exists, Err(ref refusal) if refusal.is(Code::ExistenceHidden)));
    }

    /// A code, a password reset or waiting unlocks an account.
    async fn unlocking(database) {
        let world = World::new(database).await;
        let account = AccountName::Any("13800000001".to_owned());
        world.user_of_phone(1).await;
        world.lock(&account).await;
        let code = world.code(sms(1), Purpose::Unlock).await;
        let (app, application) = (&world.app, world.application());
        app.unlock_account(&application, sms(1), &code, &world.origin).await.unwrap();
        assert!(app.unlock_account(&application, sms(1), &code, &world.origin).await.is_err());
        world.log_in(account.clone(), PASSWORD).await.unwrap();

        world.lock(&account).await;
        let code = world.code(sms(1), Purpose::ResetPassword).await;
        let own = app.reset_password(&application, sms(1), &code, "my00000001word".into(), &world.origin).await;
        assert!(matches!(own, Err(ref refusal) if refusal.code().is_weak_password()), "{own:?}");
        app.reset_password(&application, sms(1), &code, OTHER.into(), &world.origin).await.unwrap();
        world.log_in(account.clone(), OTHER).await.unwrap();

        world.lock(&account).await;
        world.clock.advance(Duration::from_secs(15 * 60));
        world.log_in(account, OTHER).await.unwrap();
    }

    /// A reset ends every session. Of two resets with one code, one succeeds.
    async fn two_resets_with_one_code(database) {
        let world = World::new(database).await;
        let token = world.user_of_phone(1).await;
        let code = world.code(sms(1), Purpose::ResetPassword).await;
        let application = world.application();
        let reset = || world.app.reset_password(&application, sms(1), &code, OTHER.into(), &world.origin);
        let (one, two) = futures::join!(reset(), reset());
        assert!(one.is_ok() != two.is_ok(), "{one:?} {two:?}");
        assert!(world.who(&token).await.is_err());
    }

    /// Of two parallel binds of one phone number, each with a right code, one succeeds.
    async fn two_binds_at_once(database) {
        let world = World::new(database).await;
        let (alice, bob) = (world.register("alice").await, world.register("bob").await);
        let (alice, bob) = (world.who(&alice).await.unwrap(), world.who(&bob).await.unwrap());
        let one = world.code(sms(1), Purpose::Bind).await;
        let two = world.code(sms(1), Purpose::General).await;
        let (one, two) = futures::join!(
            world.app.bind_phone(&alice, phone(1), &one),
            world.app.bind_phone(&bob, phone(1), &two),
        );
        let refused = match (one, two) {
            (Ok(_), Err(refused)) | (Err(refused), Ok(_)) => refused,
            both => panic!("{both:?}"),
        };
        assert!(refused.is(Code::PhoneTaken), "{refused:?}");
    }

    /// The last way to log in cannot be removed, unless there is another.
    async fn the_last_way_in(database) {
        let world = World::new(database).await;
        let code = world.code(sms(1), Purpose::Login).await;
        let done = world.log_in_by_code(sms(1), &code, true).await.unwrap();
        let who = world.who(&done.user_token().unwrap().token).await.unwrap();
        assert!(matches!(world.app.unbind_phone(&who).await, Err(ref refusal) if refusal.is(Code::LastWayIn)));
        assert!(matches!(world.app.unbind_email(&who).await, Err(ref refusal) if refusal.is(Code::NotBound)));
        let code = world.code(Target::Email(email("bob")), Purpose::Bind).await;
        let user = world.app.bind_email(&who, email("bob"), &code).await.unwrap();
        assert!(user.email_verified);
        assert!(world.app.unbind_phone(&who).await.unwrap().phone.is_none());
        assert!(matches!(world.app.unbind_email(&who).await, Err(ref refusal) if refusal.is(Code::LastWayIn)));
    }

    /// The first step's token works for one user, for one minute, once. The old number must be proved.
    async fn changing_in_two_steps(database) {
        let world = World::new(database).await;
        let token = world.user_of_phone(1).await;
        let who = world.who(&token).await.unwrap();
        let other = world.who(&world.register("eve").await).await.unwrap();
        let app = &world.app;
        let bound = app.bind_phone(&who, phone(2), "123456").await;
        assert!(matches!(bound, Err(ref refusal) if refusal.is(Code::HasPhone)));

        let new = world.code(sms(2), Purpose::Bind).await;
        let refused = app.request_phone_change(&who, phone(2), &new, None).await;
        assert!(matches!(refused, Err(ref refusal) if refusal.is(Code::OldPhoneMismatch)));
        let old = world.code(sms(1), Purpose::Unbind).await;
        let step = app.request_phone_change(&who, phone(2), &new, Some((phone(1), old))).await.unwrap();
        assert_eq!(step.expires_in, 60);
        let by_other = app.change_phone_by_token(&other, step.token.expose()).await;
        assert!(matches!(by_other, Err(ref refusal) if refusal.is(Code::StepTokenInvalid)));
        let elsewhere = app.delete_account(&who, step.token.expose()).await;
        assert!(matches!(elsewhere, Err(ref refusal) if refusal.is(Code::StepTokenInvalid)));
        let user = app.change_phone_by_token(&who, step.token.expose()).await.unwrap();
        assert_eq!(user.vouched_phone(), Some(&phone(2)));
        let twice = app.change_phone_by_token(&who, step.token.expose()).await;
        assert!(matches!(twice, Err(ref refusal) if refusal.is(Code::StepTokenInvalid)));

        let new = world.code(sms(3), Purpose::Change).await;
        let old = world.code(sms(2), Purpose::Change).await;
        let step = app.request_phone_change(&who, phone(3), &new, Some((phone(2), old))).await.unwrap();
        world.clock.advance(Duration::from_secs(60));
        let late = app.change_phone_by_token(&who, step.token.expose()).await;
        assert!(matches!(late, Err(ref refusal) if refusal.is(Code::StepTokenInvalid)));
    }

    /// The old password is required. All other sessions end, and this one continues.
    async fn changing_the_password(database) {
        let world = World::new(database).await;
        let token = world.register("alice").await;
        let elsewhere = world.log_in(username("alice"), PASSWORD).await.unwrap();
        let who = world.who(&token).await.unwrap();
        let app = &world.app;
        assert!(matches!(app.change_password(&who, OTHER.into(), None).await, Err(ref refusal) if refusal.is(Code::OldPasswordNeeded)));
        let wrong = app.change_password(&who, OTHER.into(), Some("wrong".into())).await;
        assert!(matches!(wrong, Err(ref refusal) if refusal.is(Code::OldPasswordWrong)));
        let weak = app.change_password(&who, "12345678".into(), Some(PASSWORD.into())).await;
        assert!(matches!(weak, Err(ref refusal) if refusal.code().is_weak_password()));
        app.change_password(&who, OTHER.into(), Some(PASSWORD.into())).await.unwrap();
        world.who(&token).await.unwrap();
        assert!(world.who(&elsewhere.user_token().unwrap().token).await.is_err());
        world.log_in(username("alice"), OTHER).await.unwrap();
    }

    /// Taken names are reported. Proving a name takes it from an account that has it unverified.
    async fn registering(database) {
        let world = World::with_settings(database, "register_email_without_code = true").await;
        world.register("alice").await;
        let again = world.try_register(Registration {
            username: Some(Username::parse("alice").unwrap()),
            password: Some(PASSWORD.into()),
            ..Registration::default()
        }).await;
        assert!(matches!(again, Err(ref refusal) if refusal.is(Code::UsernameTaken)));

        let by_email = |code: Option<String>| Registration {
            email: Some(email("carol")),
            code,
            password: Some(PASSWORD.into()),
            ..Registration::default()
        };
        let (first, _) = world.try_register(by_email(None)).await.unwrap();
        assert!(!first.email_verified);
        assert!(matches!(world.try_register(by_email(None)).await, Err(ref refusal) if refusal.is(Code::AccountExists)));
        let code = world.code(Target::Email(email("carol")), Purpose::Register).await;
        let (second, _) = world.try_register(by_email(Some(code))).await.unwrap();
        assert!(second.email_verified && second.id != first.id);
        let code = world.code(Target::Email(email("carol")), Purpose::Register).await;
        assert!(matches!(world.try_register(by_email(Some(code))).await, Err(ref refusal) if refusal.is(Code::EmailTaken)));

        let no_code = Registration { phone: Some(phone(1)), ..Registration::default() };
        assert!(world.try_register(no_code).await.is_err());
    }

    /// An account deleted by its owner cannot log in, and is erased after the grace period.
    async fn leaving(database) {
        let world = World::new(database).await;
        let token = world.register("alice").await;
        let who = world.who(&token).await.unwrap();
        let app = &world.app;
        let wrong = app.request_deletion(&who, Confirmation::Password("wrong".into())).await;
        assert!(matches!(wrong, Err(ref refusal) if refusal.is(Code::WrongPassword)));
        let not_own = Confirmation::Code { target: sms(7), code: "123456".to_owned() };
        assert!(matches!(app.request_deletion(&who, not_own).await, Err(ref refusal) if refusal.is(Code::OldPhoneMismatch)));
        let step = app.request_deletion(&who, Confirmation::Password(PASSWORD.into())).await.unwrap();
        app.delete_account(&who, step.token.expose()).await.unwrap();
        assert!(world.who(&token).await.is_err());
        assert!(matches!(world.log_in(username("alice"), PASSWORD).await, Err(ref refusal) if refusal.is(Code::DeletionPending)));
        let wrong = world.log_in(username("alice"), OTHER).await;
        assert!(matches!(wrong, Err(ref refusal) if refusal.is(Code::WrongPassword)), "told only to who knows the password");
        world.clock.advance(Duration::from_secs(7 * 24 * 3600 - 1));
        app.sweep().await.unwrap();
        assert!(matches!(world.log_in(username("alice"), PASSWORD).await, Err(ref refusal) if refusal.is(Code::DeletionPending)));
        world.clock.advance(Duration::from_secs(1));
        app.sweep().await.unwrap();
        assert!(matches!(world.log_in(username("alice"), PASSWORD).await, Err(ref refusal) if refusal.is(Code::WrongPassword)));
        world.register("alice").await;
    }
}
