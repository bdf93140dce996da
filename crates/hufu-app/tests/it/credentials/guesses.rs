//! Guessing names, passwords and codes, by every route, from one IP address and from many.

use std::time::Duration;

use futures::future::{join, join_all};
use hufu_app::credentials::locks::{FindAccount, LockRule, Name};
use hufu_app::{AccountName, Origin, Refusal, Registration, Target};
use hufu_store::audit::{AuditFilter, ListEvents};
use hufu_testkit::on_both_engines;
use hufu_types::refusal::Code;
use hufu_types::{Action, Email, Phone, Username};

use super::world::World;
use super::{OTHER, PASSWORD, Purpose, email, other_than, phone, sms, username};

/// The spellings of a name and the routes that accept it, in an order in which one could reveal something
/// about the next.
fn routes(name: &str) -> Vec<AccountName> {
    let as_typed = |text: &str| {
        vec![
            AccountName::Username(text.to_owned()),
            AccountName::Email(text.to_owned()),
            AccountName::Any(text.to_owned()),
        ]
    };
    let mut routes = as_typed(name);
    routes.extend(as_typed(&name.to_uppercase()));
    routes.extend(as_typed(&format!(" {name} ")));
    if let Ok(number) = Phone::from_parts("86", name) {
        routes.push(AccountName::Phone(number));
        routes.extend(as_typed(&format!("+86 {name}")));
        routes.extend(as_typed(&format!("+860{name}")));
    }
    routes.extend(as_typed(name));
    routes
}

async fn register(world: &World, registration: Registration) {
    world.try_register(Registration { password: Some(PASSWORD.into()), ..registration }).await.unwrap();
}

on_both_engines! {
    /// On every route and in every spelling, existing and unknown names get the same answers.
    async fn routes_and_spellings_tell_nothing(database) {
        let mut world = World::new(database).await;
        let code = world.code(sms(1), Purpose::Register).await;
        register(&world, Registration { phone: Some(phone(1)), code: Some(code), ..Registration::default() }).await;
        let address = Email::parse("bob@example.com").unwrap();
        let code = world.code(Target::Email(address.clone()), Purpose::Register).await;
        register(&world, Registration { email: Some(address), code: Some(code), ..Registration::default() }).await;
        let name = Username::parse("alice").unwrap();
        register(&world, Registration { username: Some(name), ..Registration::default() }).await;

        let pairs = [("13800000001", "13800000002"), ("bob@example.com", "rob@example.com"), ("alice", "clarie")];
        for (place, (somebody, nobody)) in pairs.into_iter().enumerate() {
            let mut answers = Vec::new();
            for name in [somebody, nobody] {
                let before = world.app.password_work();
                let mut outcomes = Vec::new();
                for round in 0..3 {
                    world.from(&format!("198.51.100.{}", place * 10 + round));
                    for account in routes(name) {
                        outcomes.push(format!("{:?}", world.log_in(account, OTHER).await.unwrap_err()));
                    }
                }
                for account in [AccountName::Any(name.to_owned()), AccountName::Any(name.to_uppercase())] {
                    outcomes.push(format!("{:?}", world.log_in(account, PASSWORD).await.map(|_| ())));
                }
                answers.push((outcomes, world.app.password_work() - before));
            }
            // Usernames are case-sensitive, so the upper-case spelling is an unknown name.
            assert_eq!(answers[0], answers[1], "{somebody}");
            assert!(answers[0].0.contains(&"Err(Locked)".to_owned()) && answers[0].0[0].contains("\"remainCount\":9"));
        }
    }

    /// Each name of an account is locked separately. A code unlocks the account under all its names.
    async fn a_code_unlocks_all_names(database) {
        let world = World::new(database).await;
        let code = world.code(sms(1), Purpose::Register).await;
        let name = Username::parse("alice").unwrap();
        let both = Registration {
            username: Some(name), phone: Some(phone(1)), code: Some(code), ..Registration::default()
        };
        register(&world, both).await;
        for account in [username("alice"), AccountName::Phone(phone(1))] {
            world.lock(&account).await;
        }
        let code = world.code(sms(1), Purpose::Unlock).await;
        world.app.unlock_account(&world.application(), sms(1), &code, &world.origin).await.unwrap();
        for account in [username("alice"), AccountName::Phone(phone(1))] {
            world.log_in(account, PASSWORD).await.unwrap();
        }
    }

    /// After fifty wrong passwords from one IP address, further passwords from there are not checked. Other
    /// addresses are not affected.
    async fn wrong_passwords_of_an_address(database) {
        let mut world = World::new(database).await;
        world.register("alice").await;
        for number in 0..50 {
            let refused = world.log_in(username(&format!("name{number}")), OTHER).await;
            assert!(matches!(refused, Err(ref refusal) if refusal.is(Code::WrongPassword) && refusal.data().unwrap()["remainCount"] == 9), "{refused:?}");
        }
        let work = world.app.password_work();
        assert!(matches!(world.log_in(username("alice"), PASSWORD).await, Err(ref refusal) if refusal.is(Code::TooOften)));
        assert_eq!(world.app.password_work(), work);
        world.from("203.0.113.10");
        world.log_in(username("alice"), PASSWORD).await.unwrap();
        world.from("203.0.113.9");
        world.clock.advance(world.app.limits().guess_window);
        world.log_in(username("alice"), PASSWORD).await.unwrap();
    }

    /// The same for wrong codes of any purpose.
    async fn wrong_codes_of_an_address(database) {
        let mut world = World::with_limits(database, |limits| limits.guesses_per_ip = 6).await;
        let code = world.code(sms(1), Purpose::Login).await;
        let application = world.application();
        for number in 10..13 {
            let refused = world.log_in_by_code(sms(number), "000000", true).await;
            assert!(matches!(refused, Err(ref refusal) if refusal.is(Code::WrongCode)));
            let reset = world.app.reset_password(&application, sms(number), "000000", OTHER.into(), &world.origin);
            assert!(matches!(reset.await, Err(ref refusal) if refusal.is(Code::WrongCode)));
        }
        assert!(matches!(world.log_in_by_code(sms(1), &code, true).await, Err(ref refusal) if refusal.is(Code::TooOften)));
        let reset = world.app.reset_password(&application, sms(1), &code, OTHER.into(), &world.origin).await;
        assert!(matches!(reset, Err(ref refusal) if refusal.is(Code::TooOften)));
        world.from("203.0.113.10");
        world.log_in_by_code(sms(1), &code, true).await.unwrap();
    }

    /// The number of codes is limited per pool, whoever requests them, and per IPv6 site.
    async fn codes_of_a_pool_and_of_a_site(database) {
        let mut world = World::with_limits(database, |limits| {
            limits.passcodes_per_pool = 5;
            limits.passcodes_per_site = 3;
        }).await;
        for number in 0..3 {
            world.from(&format!("2001:db8:1:{number}::1"));
            world.send(sms(number), Purpose::Login).await.unwrap();
        }
        world.from("2001:db8:1:ffff::1");
        assert!(matches!(world.send(sms(3), Purpose::Login).await, Err(ref refusal) if refusal.is(Code::TooOften)), "another network of the site");
        for number in 4..6 {
            world.from(&format!("203.0.113.{number}"));
            world.send(sms(number), Purpose::Login).await.unwrap();
        }
        world.from("203.0.113.99");
        assert!(matches!(world.send(sms(9), Purpose::Login).await, Err(ref refusal) if refusal.is(Code::TooOften)), "the pool");
        world.clock.advance(world.app.limits().passcode_window);
        world.send(sms(9), Purpose::Login).await.unwrap();
    }

    /// A wrong code costs no hashing, and a right one keeps its remaining attempts until it is used.
    async fn wrong_codes_hash_no_password(database) {
        let world = &World::new(database).await;
        world.user_of_phone(1).await;
        let (app, application) = (&world.app, world.application());
        let code = world.code(sms(1), Purpose::ResetPassword).await;
        let reset = |code: String| async move {
            app.reset_password(&world.application(), sms(1), &code, OTHER.into(), &world.origin).await
        };
        let work = app.password_work();
        for _ in 0..4 {
            assert!(matches!(reset(other_than(&code).to_owned()).await, Err(ref refusal) if refusal.is(Code::WrongCode)));
        }
        let stranger = app.reset_password(&application, sms(7), "123456", OTHER.into(), &world.origin).await;
        assert!(matches!(stranger, Err(ref refusal) if refusal.is(Code::WrongCode)));
        assert_eq!(app.password_work(), work);
        reset(code).await.unwrap();
        world.log_in(AccountName::Phone(phone(1)), OTHER).await.unwrap();

        let code = world.code(sms(2), Purpose::Register).await;
        let registration = |code: &str, name: Option<&str>| Registration {
            username: name.map(|name| Username::parse(name).unwrap()),
            phone: Some(phone(2)),
            code: Some(code.to_owned()),
            password: Some(PASSWORD.into()),
            ..Registration::default()
        };
        world.register("alice").await;
        let work = app.password_work();
        for _ in 0..4 {
            let refused = world.try_register(registration(other_than(&code), None)).await;
            assert!(matches!(refused, Err(ref refusal) if refusal.is(Code::WrongCode)));
        }
        let taken = world.try_register(registration(&code, Some("alice"))).await;
        assert!(matches!(taken, Err(ref refusal) if refusal.is(Code::UsernameTaken)), "and the code is as good as before");
        assert_eq!(app.password_work(), work);
        world.try_register(registration(&code, None)).await.unwrap();
    }

    /// Registrations without a code are counted before anything is hashed.
    async fn registrations_of_an_address(database) {
        let mut world = World::with_limits(database, |limits| limits.registrations_per_ip = 2).await;
        world.register("one").await;
        world.register("two").await;
        let three = || Registration {
            username: Some(Username::parse("three").unwrap()),
            password: Some(PASSWORD.into()),
            ..Registration::default()
        };
        let work = world.app.password_work();
        assert!(matches!(world.try_register(three()).await, Err(ref refusal) if refusal.is(Code::TooOften)));
        assert_eq!(world.app.password_work(), work);
        world.from("203.0.113.10");
        world.try_register(three()).await.unwrap();
    }

    /// Of three hundred wrong passwords at once from one address, at most fifty are looked at, and somebody else gets in
    /// meanwhile.
    async fn three_hundred_passwords_at_once(database) {
        let world = World::new(database).await;
        world.register("alice").await;
        let work = world.app.password_work();
        let guesses = join_all((0..300).map(|number| world.log_in(username(&format!("name{number}")), OTHER)));
        let elsewhere = Origin { ip: Some("198.51.100.9".to_owned()), ..Origin::default() };
        let (guesses, alice) = join(guesses, world.log_in_from(&elsewhere, username("alice"), PASSWORD)).await;
        alice.unwrap();
        let count = |code| guesses.iter().filter(|guess| matches!(guess, Err(refusal) if refusal.is(code))).count();
        // The database of a busy machine may turn some away before they are counted.
        assert!((1..=50).contains(&count(Code::WrongPassword)), "{}", count(Code::WrongPassword));
        assert!(world.app.password_work() - work <= 51);
        for refusal in guesses.iter().filter_map(|guess| guess.as_ref().err()).filter(|r| r.is(Code::TooOften)) {
            assert!(refusal.seconds_to_wait().unwrap() >= 1);
        }
    }

    /// As many right passwords as come at once from one address log in.
    async fn right_passwords_at_once_are_no_guesses(database) {
        let world = World::with_limits(database, |limits| limits.guesses_per_ip = 3).await;
        world.register("alice").await;
        for done in join_all((0..20).map(|_| world.log_in(username("alice"), PASSWORD))).await {
            done.unwrap();
        }
    }

    /// An automaton that tests a client, say.
    async fn a_hundred_logins_of_one_person_shut_nobody_out(database) {
        let world = World::new(database).await;
        world.register("alice").await;
        for _ in 0..100 {
            world.log_in(username("alice"), PASSWORD).await.unwrap();
        }
    }

    /// Of many wrong codes at once from one address, as many are looked at as the limit says, whichever numbers
    /// they are for.
    async fn codes_at_once(database) {
        let world = World::with_limits(database, |limits| limits.guesses_per_ip = 6).await;
        let guesses = join_all((0..40).map(|number| world.log_in_by_code(sms(number), "000000", true))).await;
        let count = |code| guesses.iter().filter(|guess| matches!(guess, Err(refusal) if refusal.is(code))).count();
        assert_eq!((count(Code::WrongCode), count(Code::TooOften)), (6, 34));
    }

    /// Of many wrong codes at once for one number, five are looked at.
    async fn codes_of_one_number_at_once(database) {
        let world = World::new(database).await;
        let code = world.code(sms(1), Purpose::Login).await;
        let wrong = other_than(&code);
        join_all((0..20).map(|_| world.log_in_by_code(sms(1), wrong, true))).await;
        assert!(matches!(world.log_in_by_code(sms(1), &code, true).await, Err(ref refusal) if refusal.is(Code::WrongCode)));
    }

    /// Strangers who lock an account do not lock its owner out of the place where they logged in before, and this
    /// place has as many tries as others.
    async fn strangers_lock_nobody_out_of_where_they_were(database) {
        let world = World::new(database).await;
        world.register("alice").await;
        let from = |ip: &str| Origin { ip: Some(ip.to_owned()), ..Origin::default() };
        let (home, office) = (from("203.0.113.9"), from("2001:db8:1:2::1"));
        for place in [&home, &office] {
            world.log_in_from(place, username("alice"), PASSWORD).await.unwrap();
        }
        let attack = async || {
            for number in 0..10 {
                let refused = world.log_in_from(&from(&format!("198.51.100.{number}")), username("alice"), OTHER).await;
                assert!(matches!(refused, Err(ref refusal) if refusal.is(Code::WrongPassword)), "{refused:?}");
            }
        };
        attack().await;
        let new = world.log_in_from(&from("192.0.2.1"), username("alice"), PASSWORD).await;
        assert!(matches!(new, Err(ref refusal) if refusal.is(Code::Locked)), "{new:?}");
        world.log_in_from(&home, username("alice"), PASSWORD).await.unwrap();
        world.log_in_from(&from("2001:db8:1:2::99"), username("alice"), PASSWORD).await.unwrap();
        for _ in 0..10 {
            let refused = world.log_in_from(&home, username("alice"), OTHER).await;
            assert!(matches!(refused, Err(ref refusal) if refusal.is(Code::WrongPassword)), "{refused:?}");
        }
        let refused = world.log_in_from(&home, username("alice"), PASSWORD).await;
        assert!(matches!(refused, Err(ref refusal) if refusal.is(Code::Locked)), "{refused:?}");
        world.log_in_from(&office, username("alice"), PASSWORD).await.unwrap();
        // A place is forgotten after thirty days.
        world.clock.advance(Duration::from_secs(30 * 24 * 60 * 60));
        world.app.sweep().await.unwrap();
        attack().await;
        let late = world.log_in_from(&office, username("alice"), PASSWORD).await;
        assert!(matches!(late, Err(ref refusal) if refusal.is(Code::Locked)), "{late:?}");
    }

    /// Whoever is refused because of too many requests is told how long to wait.
    async fn how_long_to_wait(database) {
        let world = World::with_limits(database, |limits| limits.guesses_per_ip = 1).await;
        let waits = |refused: Refusal| {
            assert!(refused.is(Code::TooOften), "{refused:?}");
            assert_eq!(refused.data().unwrap()["retryAfter"], refused.seconds_to_wait().unwrap());
            refused.seconds_to_wait().unwrap()
        };
        world.send(sms(1), Purpose::Login).await.unwrap();
        assert_eq!(waits(world.send(sms(1), Purpose::Login).await.unwrap_err()), 60);
        world.clock.advance(Duration::from_millis(20_500));
        assert_eq!(waits(world.send(sms(1), Purpose::Login).await.unwrap_err()), 40);
        // Windows of five minutes begin with the hour. It is 22:15:20 and a half.
        world.log_in_by_code(sms(1), "000000", true).await.unwrap_err();
        assert_eq!(waits(world.log_in_by_code(sms(1), "000000", true).await.unwrap_err()), 280);
        world.log_in(username("nobody"), OTHER).await.unwrap_err();
        assert_eq!(waits(world.log_in(username("nobody"), OTHER).await.unwrap_err()), 280);
    }

    /// Of tries of the old password that are made at once with a stolen login, no more are looked at than one by
    /// one.
    async fn the_old_password_guessed_at_once(database) {
        let world = World::new(database).await;
        let who = world.who(&world.register("alice").await).await.unwrap();
        let change = |old: &'static str| world.app.change_password(&who, OTHER.into(), Some(old.into()));
        let refused = join_all((0..15).map(|_| change("wrong"))).await;
        let count = |code| refused.iter().filter(|change| matches!(change, Err(refusal) if refusal.is(code))).count();
        assert_eq!((count(Code::OldPasswordWrong), count(Code::Locked)), (10, 5));
        assert!(matches!(change(PASSWORD).await, Err(ref refusal) if refusal.is(Code::Locked)));
        world.log_in(username("alice"), PASSWORD).await.unwrap();
    }

    /// Wrong passwords by several names lock the account though none of the names is locked, and the audit log
    /// says so.
    async fn an_account_locked_by_many_names_is_recorded_and_its_owner_goes_on(database) {
        let world = World::with_limits(database, |limits| limits.guesses_per_ip = 1000).await;
        let token = world.user_of_phone(1).await;
        let who = world.who(&token).await.unwrap();
        world.app.choose_username(&who, Username::parse("alice").unwrap()).await.unwrap();
        let code = world.code(Target::Email(email("bob")), Purpose::Bind).await;
        world.app.bind_email(&who, email("bob"), &code).await.unwrap();
        let locked = async || {
            let filter = AuditFilter { actions: vec![Action::AccountLocked], ..AuditFilter::default() };
            let list = ListEvents { pool: who.pool().clone(), filter, before: None, limit: 10 };
            world.app.store().read(list).await.unwrap().len()
        };
        let names = [username("alice"), AccountName::Phone(phone(1)), AccountName::Email("bob@example.com".to_owned())];
        for (entries, name) in (1..).zip(&names) {
            for _ in 0..10 {
                world.log_in(name.clone(), "wrong").await.unwrap_err();
            }
            assert_eq!(locked().await, entries);
        }
        for name in names {
            let refused = world.log_in(name, PASSWORD).await;
            assert!(matches!(refused, Err(ref refusal) if refusal.is(Code::Locked)), "{refused:?}");
        }
        assert_eq!(locked().await, 3, "each once");
        // Its owner, who is logged in, is not kept from changing the password by those who guess.
        let wrong = world.app.change_password(&who, OTHER.into(), Some("wrong".into())).await;
        assert!(!matches!(wrong, Err(ref refusal) if refusal.is(Code::Locked)), "{wrong:?}");
    }

    /// Hashes use the configured cost.
    async fn hashes_cost_what_is_configured(database) {
        let world = World::with_limits(database, |limits| limits.password_memory = 20 * 1024).await;
        world.register("alice").await;
        let find = FindAccount {
            pool: world.application().pool.clone(),
            names: vec![Name::Username(Username::parse("alice").unwrap())],
            unknown: String::new(),
            lock: LockRule { most: 1, window: world.app.limits().password_window },
            network: None,
        };
        let hash = world.app.store().read(find).await.unwrap().hash.unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=20480,t=2,p=1$"), "{hash}");
    }

    /// If the pool reveals whether accounts exist, the number of questions per IP address is limited.
    async fn questions_of_an_address(database) {
        let world = World::with_settings(database, "tell_existence = true").await;
        world.register("alice").await;
        let application = world.application();
        let ask = |name: String| async { world.app.user_exists(&application, AccountName::Username(name), &world.origin).await };
        assert!(ask("alice".to_owned()).await.unwrap());
        for number in 1..50 {
            assert!(!ask(format!("name{number}")).await.unwrap());
        }
        assert!(matches!(ask("alice".to_owned()).await, Err(ref refusal) if refusal.is(Code::TooOften)));
        world.clock.advance(world.app.limits().guess_window);
        assert!(ask("alice".to_owned()).await.unwrap());
    }

    /// Nobody can take somebody else's phone number as a username.
    async fn a_phone_number_is_no_username(database) {
        let world = World::new(database).await;
        for number in ["13800000001", "138-0000-0001", "+8613800000001"] {
            let squatter = Registration {
                username: Some(Username::parse(number).unwrap()),
                password: Some(PASSWORD.into()),
                ..Registration::default()
            };
            assert!(matches!(world.try_register(squatter).await, Err(ref refusal) if refusal.is(Code::Invalid)), "{number}");
        }
        world.user_of_phone(1).await;
        world.log_in(AccountName::Any("13800000001".to_owned()), PASSWORD).await.unwrap();
    }

    /// Unless the pool says otherwise, codes are sent to numbers in China only.
    async fn codes_go_to_china_by_default(database) {
        let world = World::new(database).await;
        let number = |text: &str| Target::Phone(Phone::parse(text).unwrap());
        world.send(number("+8613800000001"), Purpose::Login).await.unwrap();
        for abroad in ["+85291234567", "+12025550123"] {
            let refused = world.send(number(abroad), Purpose::Login).await;
            assert!(matches!(refused, Err(ref refusal) if refusal.is(Code::Invalid)), "{abroad}");
        }
    }

    /// A pool may send everywhere.
    async fn codes_go_everywhere_if_the_pool_says_so(database) {
        let world = World::with_settings(database, "sms_countries = []").await;
        let number = Target::Phone(Phone::parse("+12025550123").unwrap());
        world.send(number, Purpose::Login).await.unwrap();
    }

    /// A number has one spelling, and codes are sent only to the countries that the pool permits.
    async fn where_codes_go(database) {
        let world = World::with_settings(database, "sms_countries = [\"86\", \"+852\"]").await;
        let number = |text: &str| Target::Phone(Phone::parse(text).unwrap());
        world.send(number("+8613800000001"), Purpose::Login).await.unwrap();
        assert!(matches!(world.send(number("+86013800000001"), Purpose::Login).await, Err(ref refusal) if refusal.is(Code::TooOften)));
        world.send(number("+85291234567"), Purpose::Login).await.unwrap();
        for nowhere in ["+12025550123", "+86138000000011", "+861012345678"] {
            assert!(matches!(world.send(number(nowhere), Purpose::Login).await, Err(ref refusal) if refusal.is(Code::Invalid)), "{nowhere}");
        }
        world.send(Target::Email(email("bob")), Purpose::Login).await.unwrap();
    }
}
