//! Who arrives in which order, through all seven ways.

use std::collections::{BTreeSet, HashMap};

use hufu_testkit::on_both_engines;

use super::{Mode, Shop};

/// So many orders of the seven modes that each mode is in each place, and each follows each other one (a Williams design).
fn orders() -> Vec<[Mode; 7]> {
    let zigzag = [0, 1, 6, 2, 5, 3, 4];
    let order = |shift: usize| zigzag.map(|place| Mode::ALL[(place + shift) % 7]);
    let mut orders: Vec<_> = (0..7).map(order).collect();
    orders.extend((0..7).map(|shift| {
        let mut order = order(shift);
        order.reverse();
        order
    }));
    orders
}

/// One person, as the accounts should be: a known id leads to its account, and takes the other id along if that is free.
#[derive(Default)]
struct Model {
    by_openid: HashMap<&'static str, usize>,
    by_unionid: Option<usize>,
    accounts: usize,
}

impl Model {
    /// The account that a login through a mode leads to.
    fn visit(&mut self, mode: Mode, has_unionid: bool) -> usize {
        let shared = self.by_unionid.filter(|_| has_unionid);
        let known = self.by_openid.get(mode.app_id()).copied().or(shared);
        let account = known.unwrap_or_else(|| {
            self.accounts += 1;
            self.accounts
        });
        self.by_openid.entry(mode.app_id()).or_insert(account);
        if has_unionid {
            self.by_unionid.get_or_insert(account);
        }
        account
    }
}

#[test]
fn the_orders_are_balanced() {
    let orders = orders();
    let mut neighbours: HashMap<(Mode, Mode), usize> = HashMap::new();
    for order in &orders {
        for pair in order.windows(2) {
            *neighbours.entry((pair[0], pair[1])).or_default() += 1;
        }
    }
    assert!(neighbours.len() == 42 && neighbours.values().all(|times| *times == 2), "{neighbours:?}");
    for place in 0..7 {
        let modes: BTreeSet<_> = orders.iter().map(|order| order[place].connection()).collect();
        assert_eq!(modes.len(), 7);
    }
}

on_both_engines! {
    /// Lesson 7: a UnionID that appears makes nobody a second person. It joins what an id can join; where accounts were
    /// there before any id could join them, each id goes on leading to its own.
    async fn every_order_of_arrival_ends_in_one_account_wherever_an_id_can_join(database) {
        let shop = Shop::new(database).await;
        let mut people = 0;
        for (number, order) in orders().into_iter().enumerate() {
            // From which visit on the UnionID is told, and whether the person comes back first where they were before, or goes
            // on elsewhere.
            for (from, returns) in [(0, false), (1, true), (1 + number % 6, number % 4 < 2), (7, false)] {
                let mut visits: Vec<_> = order[..from].iter().map(|mode| (*mode, false)).collect();
                if returns && from > 0 {
                    visits.push((order[0], from < 7));
                }
                visits.extend(order[from..].iter().map(|mode| (*mode, true)));
                visits.extend(order.iter().rev().map(|mode| (*mode, from < 7)));
                people += 1;
                let name = format!("person-{people}");
                shop.site.world.person(&name);
                let (mut model, mut accounts) = (Model::default(), HashMap::new());
                for (mode, has_unionid) in visits {
                    shop.tell_unionids(has_unionid);
                    let outcome = shop.log_in(mode, &name).await;
                    let expected = accounts.entry(model.visit(mode, has_unionid)).or_insert_with(|| outcome.id().to_owned());
                    assert_eq!(outcome.id(), expected, "{order:?}, UnionID from {from}, {returns}: {mode:?}");
                }
                let different: BTreeSet<_> = accounts.values().collect();
                assert_eq!(different.len(), model.accounts, "{order:?}, UnionID from {from}, {returns}");
                let could_join = from == 0 || (from == 1 && returns);
                assert!(!could_join || model.accounts == 1, "{order:?}, UnionID from {from}, {returns}");
            }
        }
    }

    /// Lesson 7: two first logins at the same instant, through each two of the ways, make one user.
    async fn two_first_logins_at_the_same_instant_make_one_user(database) {
        let shop = Shop::new(database).await;
        let before = shop.site.world.rows("users").await;
        let mut people = 0;
        for (place, one) in Mode::ALL.into_iter().enumerate() {
            for other in &Mode::ALL[place..] {
                people += 1;
                let name = format!("person-{people}");
                shop.site.world.person(&name);
                let (first, second) = (shop.begin(one, &name).await, shop.begin(*other, &name).await);
                let (first, second) = tokio::join!(shop.finish(&first), shop.finish(&second));
                assert_eq!(first.id(), second.id(), "{one:?} and {other:?}");
                assert_eq!(shop.site.world.rows("users").await, before + people, "{one:?} and {other:?}");
            }
        }
        assert_eq!(people, 28);
    }
}
