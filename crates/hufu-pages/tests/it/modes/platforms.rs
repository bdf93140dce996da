//! UnionIDs are scoped by the Open Platform account that a connection names: the same text in two of them is two people's,
//! whichever two of the seven ways they come by.

use std::collections::HashSet;

use hufu_testkit::world::World;
use hufu_testkit::{on_both_engines, raw};
use hufu_types::ConnectionKind;

use super::ways::{Mode, file};
use super::{Shop, ways};

/// The file with the connections of this app in an Open Platform account of their own. WeChat goes on to give all apps the same
/// UnionID.
fn apart(app_id: &str) -> String {
    let own = Mode::ALL.into_iter().filter(|mode| mode.app_id() == app_id);
    own.fold(file(""), |file, mode| {
        let connection = format!("identifier = \"{}\"", mode.connection());
        let (before, after) = file.split_once(&connection).unwrap();
        let moved = after.replacen("open_platform = \"shop\"", "open_platform = \"market\"", 1);
        format!("{before}{connection}{moved}")
    })
}

/// The UnionIDs that are kept of the users, and of how many people and realms they are.
async fn unionids(world: &World, users: &[&str]) -> (usize, usize, usize) {
    let of = users.iter().map(|id| format!("'{id}'")).collect::<Vec<_>>().join(", ");
    let sql =
        format!("SELECT value, user_id, realm FROM identities WHERE kind = 'unionid' AND user_id IN ({of})");
    let rows = raw::texts(world.database(), &sql).await;
    let different = |column: usize| rows.iter().map(|row| row[column].clone()).collect::<HashSet<_>>().len();
    (different(0), different(1), different(2))
}

#[test]
fn every_kind_of_connection_is_among_the_seven_ways() {
    let file = ways::file("");
    for kind in ConnectionKind::ALL {
        let of = Mode::ALL.into_iter().find(|mode| {
            let (_, rest) = file.split_once(&format!("identifier = \"{}\"", mode.connection())).unwrap();
            let (_, rest) = rest.split_once("type = \"").unwrap();
            rest.split('"').next() == Some(kind.as_str())
        });
        assert!(of.is_some(), "{}", kind.as_str());
    }
    assert_eq!(ConnectionKind::ALL.len(), Mode::ALL.len());
}

on_both_engines! {
    async fn one_unionid_in_two_open_platform_accounts_is_two_people_in_every_mode(database) {
        let shop = Shop::new(database).await;
        let world = &shop.site.world;
        let (mut people, mut pairs) = (0, 0);
        for first in Mode::ALL {
            world.reconfigure(&apart(first.app_id())).await;
            // Two ways that share an app have its OpenIDs in common.
            for second in Mode::ALL.into_iter().filter(|mode| mode.app_id() != first.app_id()) {
                people += 1;
                let name = format!("person-{people}");
                world.person(&name);
                let one = shop.log_in(first, &name).await.id().to_owned();
                let other = shop.log_in(second, &name).await.id().to_owned();
                assert_ne!(one, other, "{first:?} and {second:?}");
                assert_eq!(unionids(world, &[&one, &other]).await, (1, 2, 2), "{first:?} and {second:?}: one text");
                // Whoever comes back finds their own account, and nothing has joined the two.
                assert_eq!(shop.log_in(first, &name).await.id(), one, "{first:?} and {second:?}");
                assert_eq!(shop.log_in(second, &name).await.id(), other, "{first:?} and {second:?}");
                pairs += 1;
            }
        }
        assert_eq!(pairs, 7 * 6 - 2 * 2, "two ways share the mini program, and two the official account");
        assert_eq!(world.rows("identity_conflicts").await, 0);
    }

    async fn one_unionid_in_one_open_platform_account_is_one_person_in_every_mode(database) {
        let shop = Shop::new(database).await;
        let world = &shop.site.world;
        let mut people = 0;
        for first in Mode::ALL {
            for second in Mode::ALL.into_iter().filter(|mode| *mode != first) {
                people += 1;
                let name = format!("person-{people}");
                world.person(&name);
                let one = shop.log_in(first, &name).await.id().to_owned();
                assert_eq!(shop.log_in(second, &name).await.id(), one, "{first:?} and {second:?}");
                assert_eq!(unionids(world, &[&one]).await, (1, 1, 1), "{first:?} and {second:?}");
            }
        }
        assert_eq!(people, 42);
    }
}
