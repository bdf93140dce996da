//! Pools, connections and applications.

use hufu_store::config::{
    self, ReadConfig, ReadPart, Realms, StoredConfig, StoredConnection, StoredSettings,
};
use hufu_store::versions;
use hufu_testkit::on_both_engines;
use hufu_testkit::raw;
use hufu_types::{
    Application, ApplicationId, ApplicationKind, Association, AssociationMode, Branding, ClientSecret,
    ClientSettings, ConnectionExtras, ConnectionId, ConnectionKind, Identifier, LoginControl, OpenPlatform,
    Pool, PoolId, PoolSettings, SigningAlgorithm, Timestamp, TokenAuth, TokenHash, TokenLifetimes,
    VerificationFile,
};

use crate::support::{NOW, migrated, other_pool, pool, seconds, unit};

enum Step {
    MakePool(Pool),
    RenamePool(Pool),
    MakeConnection(StoredConnection),
    ChangeConnection(StoredConnection),
    MakeApplication(Application),
    ChangeApplication(Application),
}

unit! {
    Write Steps { steps: Vec<Step>, now: Timestamp } -> u64, |this, tx| {
        let mut changed = 0;
        for step in &this.steps {
            changed += match step {
                Step::MakePool(pool) => config::insert_pool(tx, pool, this.now).await.map(|()| 1)?,
                Step::RenamePool(pool) => config::update_pool(tx, pool).await?,
                Step::MakeConnection(new) => config::insert_connection(tx, new, this.now).await.map(|()| 1)?,
                Step::ChangeConnection(new) => config::update_connection(tx, new, this.now).await?,
                Step::MakeApplication(new) => config::insert_application(tx, new, this.now).await.map(|()| 1)?,
                Step::ChangeApplication(new) => config::update_application(tx, new, this.now).await?,
            };
        }
        versions::pools_changed(tx, [&pool()]).await?;
        Ok(changed)
    }
}

fn shop() -> Pool {
    Pool {
        id: pool(),
        name: "Shop".to_owned(),
        settings: PoolSettings { required_fields: vec!["phone".to_owned()], ..PoolSettings::default() },
    }
}

fn mini(id: &str) -> StoredConnection {
    StoredConnection {
        id: ConnectionId::parse(id).unwrap(),
        pool: pool(),
        identifier: Identifier::parse(&format!("mini-{id}")).unwrap(),
        kind: ConnectionKind::WechatMiniProgram,
        display_name: "WeChat".to_owned(),
        login_only: false,
        enabled: true,
        open_platform: OpenPlatform(Identifier::parse("shop").unwrap()),
        association: Association { mode: AssociationMode::Field, ..Association::default() },
        settings: StoredSettings::Sealed(vec![0, 1, 255]),
        realms: Realms { own: Some("wechat:a".to_owned()), shared: Some("wechat:open:shop".to_owned()) },
        extras: ConnectionExtras {
            verification_file: Some(VerificationFile {
                name: format!("MP_verify_{id:0>8}.txt"),
                content: "x".to_owned(),
            }),
            callback: vec!["https://shop.example/done".to_owned()],
            ..ConnectionExtras::default()
        },
    }
}

fn application(connections: &[&str]) -> Application {
    Application {
        id: ApplicationId::parse("app").unwrap(),
        pool: pool(),
        name: "Shop mini program".to_owned(),
        kind: ApplicationKind::MiniProgram,
        is_default: true,
        position: 7,
        enabled: true,
        connections: connections.iter().map(|id| ConnectionId::parse(id).unwrap()).collect(),
        signing_algorithm: SigningAlgorithm::Es256,
        lifetimes: TokenLifetimes::default(),
        client: ClientSettings {
            token_auth: Some(TokenAuth::Post),
            redirect_uris: vec!["https://shop.example/cb".to_owned()],
            ..ClientSettings::default()
        }
        .into(),
        secrets: vec![ClientSecret { hash: TokenHash([7; 32]), created_at: Timestamp(1), created_by: None }],
        login: LoginControl { consent: true, ..LoginControl::default() }.into(),
        branding: Branding { primary_color: Some("#112233".to_owned()), ..Branding::default() }.into(),
    }
}

on_both_engines! {
    /// However the parts are cut, each pool is in one of them, with everything in it.
    async fn parts_are_the_whole(database) {
        let store = migrated(&database).await;
        let mut steps = Vec::new();
        for number in 0..3 {
            let id = PoolId::parse(&format!("part-{number}")).unwrap();
            steps.push(Step::MakePool(Pool { id: id.clone(), ..shop() }));
            for connection in ["a", "b"] {
                let name = format!("{connection}{number}");
                let new = StoredConnection { pool: id.clone(), ..mini(&name) };
                steps.push(Step::MakeConnection(new));
            }
            let application = application(&[&format!("b{number}"), &format!("a{number}")]);
            let name = ApplicationId::parse(&format!("app-{number}")).unwrap();
            steps.push(Step::MakeApplication(Application { id: name, pool: id, ..application }));
        }
        store.write(Steps { steps, now: NOW }).await.unwrap();
        let whole = store.read(ReadConfig).await.unwrap();
        assert_eq!((whole.pools.len(), whole.connections.len(), whole.applications.len()), (4, 6, 3));
        for limit in 1..=5 {
            let (mut parts, mut after) = (StoredConfig { version: whole.version, ..StoredConfig::default() }, None);
            loop {
                let part = store.read(ReadPart { after, limit }).await.unwrap();
                let is_last = i64::try_from(part.pools.len()).unwrap() < limit;
                after = part.pools.last().map(|pool| pool.id.clone());
                let of_part: Vec<_> = part.pools.iter().map(|pool| &pool.id).collect();
                assert!(part.connections.iter().all(|one| of_part.contains(&&one.pool)));
                assert!(part.applications.iter().all(|one| of_part.contains(&&one.pool)));
                parts.pools.extend(part.pools);
                parts.connections.extend(part.connections);
                parts.applications.extend(part.applications);
                if is_last {
                    break;
                }
            }
            assert_eq!(parts.pools, whole.pools, "{limit}");
            let in_order = |all: &StoredConfig| {
                let mut all: Vec<_> = all.connections.iter().map(|one| format!("{one:?}")).collect();
                all.sort();
                all
            };
            assert_eq!(in_order(&parts), in_order(&whole), "{limit}");
            let mut applications = parts.applications;
            applications.sort_by(|a, b| (a.position, a.id.as_str()).cmp(&(b.position, b.id.as_str())));
            assert_eq!(applications, whole.applications, "{limit}");
        }
    }
}

on_both_engines! {
    async fn what_is_written_is_read_again(database) {
        let store = migrated(&database).await;
        let before = store.read(ReadConfig).await.unwrap();
        let made = vec![
            Step::MakePool(shop()),
            Step::MakeConnection(mini("a")),
            Step::MakeConnection(mini("b")),
            Step::MakeApplication(application(&["b", "a"])),
        ];
        assert_eq!(store.write(Steps { steps: made, now: NOW }).await.unwrap(), 4);
        let read = store.read(ReadConfig).await.unwrap();
        assert_eq!(read.version, before.version + 1);
        assert!(read.pools.contains(&shop()));
        assert_eq!(read.connections, [mini("a"), mini("b")]);
        assert_eq!(read.applications, [application(&["b", "a"])], "the order of connections is kept");

        let renamed = Pool { name: "Market".to_owned(), settings: PoolSettings::default(), ..shop() };
        let moved = StoredConnection {
            display_name: "微信".to_owned(),
            login_only: true,
            enabled: false,
            open_platform: OpenPlatform(Identifier::parse("market").unwrap()),
            association: Association::default(),
            settings: StoredSettings::Sealed(vec![9]),
            realms: Realms { own: Some("wechat:b".to_owned()), shared: None },
            ..mini("a")
        };
        let changed = Application {
            name: "Site".to_owned(),
            kind: ApplicationKind::Web,
            is_default: false,
            position: 1,
            enabled: false,
            signing_algorithm: SigningAlgorithm::EdDsa,
            lifetimes: TokenLifetimes {
                user_token: seconds(1),
                session: seconds(2),
                access_token: seconds(3),
                refresh_token: seconds(4),
            },
            ..application(&["a"])
        };
        let steps = vec![
            Step::RenamePool(renamed.clone()),
            Step::ChangeConnection(moved.clone()),
            Step::ChangeApplication(changed.clone()),
        ];
        assert_eq!(store.write(Steps { steps, now: NOW.plus(seconds(1)) }).await.unwrap(), 3);
        let read = store.read(ReadConfig).await.unwrap();
        assert!(read.pools.contains(&renamed));
        assert_eq!(read.connections, [moved, mini("b")]);
        assert_eq!(read.applications, [changed]);
        assert_eq!(raw::number(&database, "SELECT MAX(updated_at) - MIN(created_at) FROM applications").await, 1000);
    }

    async fn nothing_is_changed_through_another_pool(database) {
        let store = migrated(&database).await;
        let made = vec![
            Step::MakePool(shop()),
            Step::MakeConnection(mini("a")),
            Step::MakeApplication(application(&["a"])),
        ];
        store.write(Steps { steps: made, now: NOW }).await.unwrap();
        let steps = vec![
            Step::ChangeConnection(StoredConnection { pool: other_pool(), enabled: false, ..mini("a") }),
            Step::ChangeApplication(Application { pool: other_pool(), enabled: false, ..application(&[]) }),
        ];
        assert_eq!(store.write(Steps { steps, now: NOW }).await.unwrap(), 0);
        let read = store.read(ReadConfig).await.unwrap();
        assert_eq!((read.connections, read.applications), (vec![mini("a")], vec![application(&["a"])]));
    }

    async fn a_step_that_is_refused_undoes_all(database) {
        let store = migrated(&database).await;
        let twice = StoredConnection { id: ConnectionId::parse("b").unwrap(), ..mini("a") };
        let steps = vec![Step::MakePool(shop()), Step::MakeConnection(mini("a")), Step::MakeConnection(twice)];
        store.write(Steps { steps, now: NOW }).await.unwrap_err();
        let read = store.read(ReadConfig).await.unwrap();
        assert_eq!((read.pools.len(), read.connections.len()), (1, 0));
    }
}
