//! Browser sessions: one login, several applications, one sign-out.

use std::time::Duration;

use hufu_app::login::{BrowserBinding, Login, LoginOutcome, LoginPlan};
use hufu_app::people::merging::unit::{Merge, Merged};
use hufu_app::people::sessions::unit::{EndSessions, SessionSelection};
use hufu_app::people::status::SetStatus;
use hufu_app::tokens::{EndBrowserSession, ExtendBrowserSession, FindBrowserSession};
use hufu_store::Store;
use hufu_store::browser_sessions::{self, BrowserSession, NewBrowserSession};
use hufu_store::merges::NewMerge;
use hufu_store::rates::Hits;
use hufu_store::sessions::GetSession;
use hufu_testkit::{on_both_engines, raw};
use hufu_types::{
    BrowserSessionId, ConnectionKind, Facts, MergeId, Method, PoolId, SessionId, SessionRules, SystemRandom,
    Timestamp, UserStatus,
};

use crate::support::{
    APP, NOW, Variant as _, hash, log_in, login, migrated, openid, other_pool, pool, seconds, trace, unit,
};

const DAY: u64 = 86_400;

unit! { Write Sweep { now: Timestamp } -> u64, |this, tx| browser_sessions::sweep(tx, this.now).await }

fn id(name: &str) -> BrowserSessionId {
    BrowserSessionId::parse(name).unwrap()
}

/// A login that starts a browser session. The cookie is named after the session.
fn begins(name: &str, value: &str) -> Login {
    in_browser(
        login(openid(APP, value), None),
        BrowserBinding::New(NewBrowserSession {
            id: id(name),
            cookie: hash(name),
            created_at: NOW,
            expires_at: NOW.plus(seconds(DAY)),
            ip: Some("203.0.113.9".to_owned()),
            user_agent: Some("a browser".to_owned()),
            granted: Hits::NONE,
        }),
    )
}

/// A login in a browser that already has a session.
fn within(name: &str, value: &str) -> Login {
    in_browser(login(openid(APP, value), None), BrowserBinding::Existing(id(name)))
}

fn in_browser(login: Login, browser: BrowserBinding) -> Login {
    Login { plan: LoginPlan { browser: Some(browser), ..login.plan }, ..login }
}

async fn find(store: &Store, name: &str, now: Timestamp) -> Option<BrowserSession> {
    let rules = SessionRules::default();
    store.read(FindBrowserSession { pool: pool(), cookie: hash(name), rules, now }).await.unwrap()
}

async fn is_alive(store: &Store, session: &SessionId) -> bool {
    store.read(GetSession { pool: pool(), session: session.clone() }).await.unwrap().is_some()
}

on_both_engines! {
    async fn a_login_begins_one_and_others_belong_to_it(database) {
        let store = migrated(&database).await;
        let first = log_in(&store, begins("b1", "o1")).await;
        let found = find(&store, "b1", NOW).await.unwrap();
        assert_eq!((&found.user, &found.account), (&first.user.id, &first.user.id));
        assert_eq!(found.facts, Facts::of(Method::Source(ConnectionKind::WechatMiniProgram), NOW));
        assert_eq!((found.created_at, found.last_used_at, found.expires_at), (NOW, NOW, NOW.plus(seconds(DAY))));
        log_in(&store, within("b1", "o1")).await;
        log_in(&store, login(openid(APP, "o1"), None)).await;
        let beneath = "SELECT COUNT(*) FROM sessions WHERE browser_session_id = 'b1'";
        assert_eq!(raw::number(&database, beneath).await, 2, "and one of no browser");
        for (pool, cookie) in [(pool(), "b2"), (other_pool(), "b1")] {
            let rules = SessionRules::default();
            let elsewhere = FindBrowserSession { pool, cookie: hash(cookie), rules, now: NOW };
            assert_eq!(store.read(elsewhere).await.unwrap(), None);
        }
        let cookies = "SELECT COUNT(*) FROM browser_sessions WHERE length(cookie) = 32";
        assert_eq!(raw::number(&database, cookies).await, 1, "a hash");
    }

    async fn signing_a_browser_out_ends_all_that_is_beneath_it(database) {
        let store = migrated(&database).await;
        let first = log_in(&store, begins("b1", "o1").with_refresh_token(hash("r1"))).await;
        let second = log_in(&store, within("b1", "o1").with_refresh_token(hash("r2"))).await;
        let elsewhere = log_in(&store, begins("b2", "o1").with_refresh_token(hash("r3"))).await;
        let (pool, account) = (pool(), first.user.id.clone());
        let end = || EndBrowserSession { pool: pool.clone(), id: id("b1"), account: account.clone(), trace: trace(NOW) };
        let ended = store.write(end()).await.unwrap();
        let mut ended: Vec<_> = ended.into_iter().map(|ended| ended.session).collect();
        ended.sort();
        let mut both = vec![first.session.clone(), second.session.clone()];
        both.sort();
        assert_eq!(ended, both);
        assert_eq!(find(&store, "b1", NOW).await, None);
        assert!(!is_alive(&store, &first.session).await && !is_alive(&store, &second.session).await);
        assert!(is_alive(&store, &elsewhere.session).await && find(&store, "b2", NOW).await.is_some());
        assert_eq!(raw::number(&database, "SELECT COUNT(*) FROM refresh_tokens").await, 1);
        assert_eq!(store.write(end()).await.unwrap(), [], "it is over");
        let logouts = "SELECT COUNT(*) FROM audit_events WHERE action = 'logout'";
        assert_eq!(raw::number(&database, logouts).await, 1);
    }

    async fn a_session_that_is_over_takes_no_login(database) {
        let store = migrated(&database).await;
        let owner = log_in(&store, begins("b1", "o1")).await;
        let refused = async |login: Login| {
            matches!(store.write(login).await.unwrap(), LoginOutcome::Ended)
        };
        assert!(refused(within("b1", "o2")).await, "another person's");
        assert!(refused(within("b2", "o1")).await, "nobody's");
        let mut late = within("b1", "o1");
        late.plan.trace.at = NOW.plus(seconds(DAY));
        assert!(refused(late).await, "expired");
        let (pool, account) = (pool(), owner.user.id.clone());
        store.write(EndBrowserSession { pool, id: id("b1"), account, trace: trace(NOW) }).await.unwrap();
        assert!(refused(within("b1", "o1")).await, "ended");
    }

    async fn whatever_ends_the_sessions_of_a_person_ends_their_browsers(database) {
        let store = migrated(&database).await;
        let other = log_in(&store, begins("b9", "o9")).await;
        for (number, all) in [(0, true), (1, false)] {
            let (kept, gone) = (format!("k{number}"), format!("g{number}"));
            let person = format!("o{number}");
            let here = log_in(&store, begins(&kept, &person)).await;
            log_in(&store, begins(&gone, &person)).await;
            let which = if all { SessionSelection::All } else { SessionSelection::AllBut(here.session.clone()) };
            let user = here.user.id.clone();
            store.write(EndSessions { pool: pool(), user, which, trace: trace(NOW) }).await.unwrap();
            assert_eq!(find(&store, &gone, NOW).await, None);
            assert_eq!(find(&store, &kept, NOW).await.is_some(), !all, "the browser of the session that stays");
        }
        let disabled = log_in(&store, begins("b3", "o3")).await.user.id;
        let (pool, status) = (pool(), UserStatus::Suspended);
        store.write(SetStatus { pool, user: disabled, status, trace: trace(NOW) }).await.unwrap();
        assert_eq!(find(&store, "b3", NOW).await, None);
        assert_eq!(find(&store, "b9", NOW).await.map(|found| found.user), Some(other.user.id), "another's stays");
    }

    async fn it_lives_on_with_its_use(database) {
        let store = migrated(&database).await;
        log_in(&store, begins("b1", "o1")).await;
        let extend = |now: Timestamp| {
            let expires_at = now.plus(seconds(DAY));
            ExtendBrowserSession { pool: pool(), id: id("b1"), now, expires_at, rules: SessionRules::default() }
        };
        let noon = NOW.plus(seconds(DAY / 2));
        assert!(store.write(extend(noon)).await.unwrap());
        let found = find(&store, "b1", NOW.plus(seconds(DAY))).await.unwrap();
        assert_eq!((found.last_used_at, found.expires_at), (noon, noon.plus(seconds(DAY))));
        let end = noon.plus(seconds(DAY));
        assert_eq!(find(&store, "b1", end).await, None);
        assert!(!store.write(extend(end)).await.unwrap(), "what is over is not begun again");
        assert_eq!(store.write(Sweep { now: end }).await.unwrap(), 0);
        assert_eq!(store.write(Sweep { now: end.plus(seconds(1)) }).await.unwrap(), 1);
    }

    /// Extending a session never brings its end nearer, and never past the life of its login.
    async fn an_extension_shortens_nothing_and_has_an_end(database) {
        let store = migrated(&database).await;
        log_in(&store, begins("b1", "o1")).await;
        let rules = SessionRules { idle: Duration::from_secs(DAY), life: Duration::from_secs(DAY * 2) };
        let extend = |now: Timestamp, until: u64| {
            let expires_at = NOW.plus(seconds(until));
            ExtendBrowserSession { pool: pool(), id: id("b1"), now, expires_at, rules }
        };
        assert!(store.write(extend(NOW.plus(seconds(1)), DAY / 2)).await.unwrap());
        let found = find(&store, "b1", NOW.plus(seconds(2))).await.unwrap();
        assert_eq!((found.last_used_at, found.expires_at), (NOW.plus(seconds(1)), NOW.plus(seconds(DAY))));
        assert!(store.write(extend(NOW.plus(seconds(2)), DAY * 5)).await.unwrap());
        assert_eq!(find(&store, "b1", NOW.plus(seconds(2))).await.unwrap().expires_at, NOW.plus(seconds(DAY * 2)));
        let late = FindBrowserSession { pool: pool(), cookie: hash("b1"), rules, now: NOW.plus(seconds(DAY + 2)) };
        assert_eq!(store.read(late).await.unwrap(), None, "not used for a day");
        assert!(!store.write(extend(NOW.plus(seconds(DAY * 2)), DAY * 5)).await.unwrap(), "its life is over");
    }

    async fn a_merged_account_s_is_the_survivor_s(database) {
        let store = migrated(&database).await;
        let merged = log_in(&store, begins("b1", "o1")).await.user.id;
        let survivor = log_in(&store, login(openid(APP, "o2"), None)).await.user.id;
        let new = NewMerge {
            id: MergeId::generate(NOW, &SystemRandom),
            survivor: survivor.clone(),
            merged: merged.clone(),
        };
        let done = store.write(Merge { pool: pool(), new, trace: trace(NOW) }).await.unwrap();
        assert!(matches!(done, Merged::Done(_)));
        let found = find(&store, "b1", NOW).await.unwrap();
        assert_eq!((found.user, found.account), (merged, survivor.clone()));
        log_in(&store, within("b1", "o2")).await;
        let which = SessionSelection::All;
        store.write(EndSessions { pool: pool(), user: survivor, which, trace: trace(NOW) }).await.unwrap();
        assert_eq!(find(&store, "b1", NOW).await, None);
    }

    /// A login that finishes during a sign-out must not leave a session behind: it either fails, or its
    /// session ends too.
    async fn a_login_and_a_sign_out_at_once_leave_no_session_behind(database) {
        let store = migrated(&database).await;
        for round in 0..20 {
            let name = format!("b{round}");
            let owner = log_in(&store, begins(&name, "o1")).await.user.id;
            let login = within(&name, "o1");
            let (pool, account): (PoolId, _) = (pool(), owner);
            let end = EndBrowserSession { pool, id: id(&name), account, trace: trace(NOW) };
            let (one, other) = tokio::join!(store.write(login), store.write(end));
            one.unwrap();
            other.unwrap();
        }
        let orphans = "SELECT COUNT(*) FROM sessions s WHERE s.browser_session_id IS NOT NULL";
        assert_eq!(raw::number(&database, orphans).await, 0);
    }
}
