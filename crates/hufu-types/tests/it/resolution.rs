//! Properties of account resolution that hold for any proof, any contents of the pool and any settings.

use hufu_types::resolution::{
    Conflict, ConflictKind, Denial, KnownOwners, Owner, PhoneUse, Resolution, Rules, resolve,
};
use hufu_types::{
    Association, AssociationMode, BindMethod, ConflictRule, Email, EmailProof, Identifier, IdentityKey,
    MatchField, OpenPlatform, Phone, PhoneProof, Proof, UserId,
};
use proptest::option;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};

fn user(name: &str) -> UserId {
    UserId::parse(name).unwrap()
}

/// One of only a few users, so that ids often point to the same one.
fn some_user() -> impl Strategy<Value = UserId> {
    select(vec!["a", "b", "c"]).prop_map(user)
}

fn owner() -> impl Strategy<Value = Owner> {
    (some_user(), any::<bool>(), any::<bool>()).prop_map(|(user, vouched, has_other_identity)| Owner {
        user,
        vouched,
        has_other_identity,
    })
}

fn rules() -> impl Strategy<Value = Rules> {
    let association = (
        select(AssociationMode::ALL),
        subsequence(MatchField::ALL, 0..=MatchField::ALL.len()).prop_shuffle(),
        subsequence(BindMethod::ALL, 0..=BindMethod::ALL.len()),
        select(ConflictRule::ALL),
    )
        .prop_map(|(mode, fields, methods, conflict)| Association { mode, fields, methods, conflict });
    let phone_use = select(vec![PhoneUse::Fill, PhoneUse::LogIn]);
    (phone_use, any::<bool>(), any::<bool>(), association).prop_map(
        |(phone_use, login_only, registration, association)| Rules {
            phone_use,
            login_only,
            registration,
            association,
        },
    )
}

/// A proof, and what a pool can know about it. The pool knows nothing about fields that were not proved.
fn arrivals() -> impl Strategy<Value = (Proof, KnownOwners)> {
    let platform = OpenPlatform(Identifier::parse("shop").unwrap());
    let unionid = IdentityKey::wechat_unionid(&platform, "u1");
    let phone = option::of(select(vec![PhoneProof::Wechat, PhoneProof::Unverified]));
    let email = option::of(select(EmailProof::ALL));
    let arrival = (any::<bool>(), phone, email, prop::bool::weighted(0.1)).prop_map(
        move |(has_unionid, phone, email, snapshot)| Proof {
            shared: has_unionid.then(|| unionid.clone()),
            phone: phone.map(|proof| (Phone::parse("+8613800000000").unwrap(), proof)),
            email: email.map(|proof| (Email::parse("bob@example.com").unwrap(), proof)),
            snapshot,
            ..Proof::of(IdentityKey::wechat_openid("wx0123456789abcdef", "o1"))
        },
    );
    let ids = (option::of(some_user()), option::of(some_user()), any::<bool>());
    let fields = (option::of(owner()), option::of(owner()), option::of(owner()));
    (arrival, ids, fields).prop_map(
        |(arrival, (by_own, by_shared, other_shared), (by_phone, by_email, by_external_id))| {
            let by_shared = by_shared.filter(|_| arrival.shared.is_some());
            let is_new_unionid = arrival.shared.is_some() && by_shared.is_none();
            let owners = KnownOwners {
                other_shared: other_shared && by_own.is_some() && is_new_unionid,
                by_phone: by_phone.filter(|_| arrival.proved_phone().is_some()),
                by_own,
                by_shared,
                by_email: by_email.filter(|_| arrival.proved_email().is_some()),
                by_external_id,
            };
            (arrival, owners)
        },
    )
}

/// The owner of a field, if the field is verified.
fn vouched(owner: Option<&Owner>) -> Option<&Owner> {
    owner.filter(|owner| owner.vouched)
}

/// The owners of the fields that may match an unknown person to an account.
fn matched<'a>(owners: &'a KnownOwners, rules: &'a Rules) -> impl Iterator<Item = &'a Owner> {
    MatchField::ALL.iter().filter(|field| rules.association.matches(**field)).filter_map(|field| {
        vouched(match field {
            MatchField::Phone => owners.by_phone.as_ref(),
            MatchField::Email => owners.by_email.as_ref(),
            MatchField::ExternalId => owners.by_external_id.as_ref(),
        })
    })
}

/// What the pool knows after the resolution is carried out. A new account is called `new`.
fn done(arrival: &Proof, before: &KnownOwners, resolution: &Resolution) -> KnownOwners {
    let mut after = before.clone();
    let (user, own, shared, phone, email) = match resolution {
        Resolution::Create { fill_phone, fill_email } => {
            (user("new"), true, arrival.shared.is_some(), *fill_phone, *fill_email)
        }
        Resolution::LogIn { user, attach_own, attach_shared, fill_phone, fill_email, .. } => {
            (user.clone(), *attach_own, *attach_shared, *fill_phone, *fill_email)
        }
        _ => return after,
    };
    if own {
        after.by_own = Some(user.clone());
    }
    if shared {
        after.by_shared = Some(user.clone());
    }
    if phone {
        after.by_phone = Some(Owner { user: user.clone(), vouched: true, has_other_identity: false });
    }
    if email {
        after.by_email = Some(Owner { user, vouched: true, has_other_identity: false });
    }
    after
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(4096) })]

    #[test]
    fn two_ids_that_name_two_accounts_move_nothing((arrival, held) in arrivals(), rules in rules()) {
        let resolution = resolve(&arrival, &held, &rules);
        if let (Some(a), Some(b)) = (&held.by_own, &held.by_shared)
            && a != b
            && !arrival.snapshot
        {
            match resolution {
                Resolution::LogIn { attach_own, attach_shared, conflict, .. } => {
                    prop_assert!(!attach_own && !attach_shared && conflict.is_some());
                    prop_assert_eq!(rules.association.conflict, ConflictRule::Keep);
                }
                Resolution::Choose { .. } => prop_assert_eq!(rules.association.conflict, ConflictRule::Choose),
                other => prop_assert!(false, "{:?}", other),
            }
        }
    }

    /// No link is changed to another account, and no account gets a second UnionID of one Open Platform
    /// account.
    #[test]
    fn only_what_leads_nowhere_is_attached((arrival, held) in arrivals(), rules in rules()) {
        if let Resolution::LogIn { attach_own, attach_shared, .. } = resolve(&arrival, &held, &rules) {
            prop_assert!(!attach_own || held.by_own.is_none());
            let is_new = arrival.shared.is_some() && held.by_shared.is_none();
            prop_assert!(!attach_shared || (is_new && !held.other_shared));
        }
    }

    #[test]
    fn an_account_of_another_person_is_joined_by_no_field((arrival, held) in arrivals(), rules in rules()) {
        if let Resolution::LogIn { user, attach_own, attach_shared, .. } = resolve(&arrival, &held, &rules)
            && held.by_own.is_none()
            && held.by_shared.is_none()
            && (attach_own || attach_shared)
        {
            let by_number = vouched(held.by_phone.as_ref()).filter(|_| arrival.proved_phone().is_some() && rules.phone_use == PhoneUse::LogIn);
            let mut ways = matched(&held, &rules).chain(by_number).filter(|owner| owner.user == user);
            prop_assert!(ways.any(|owner| !owner.has_other_identity));
        }
    }

    #[test]
    fn who_is_logged_in_is_named_by_an_id_or_by_a_vouched_field_that_may((arrival, held) in arrivals(), rules in rules()) {
        let by_number = vouched(held.by_phone.as_ref()).filter(|_| arrival.proved_phone().is_some() && rules.phone_use == PhoneUse::LogIn);
        let by_id: Vec<&UserId> = held.by_own.iter().chain(&held.by_shared).collect();
        let is_named = |user: &UserId| {
            by_id.contains(&user)
                || by_number.is_some_and(|owner| owner.user == *user)
                || (by_id.is_empty() && matched(&held, &rules).any(|owner| owner.user == *user))
        };
        match resolve(&arrival, &held, &rules) {
            Resolution::LogIn { user, .. } => prop_assert!(is_named(&user), "{:?}", user),
            Resolution::Choose { accounts: [a, b] } => {
                prop_assert!(is_named(&a) && is_named(&b));
                prop_assert_ne!(a, b);
            }
            _ => {}
        }
    }

    /// An unverified field is treated as if no account had it.
    #[test]
    fn who_lies_in_wait_with_a_field_changes_nothing((arrival, held) in arrivals(), rules in rules()) {
        let honest = |owner: &Option<Owner>| vouched(owner.as_ref()).cloned();
        let without = KnownOwners {
            by_phone: honest(&held.by_phone),
            by_email: honest(&held.by_email),
            by_external_id: honest(&held.by_external_id),
            ..held.clone()
        };
        prop_assert_eq!(resolve(&arrival, &held, &rules), resolve(&arrival, &without, &rules));
    }

    #[test]
    fn a_snapshot_user_is_always_nobody((arrival, held) in arrivals(), rules in rules()) {
        let nobody = Proof { snapshot: true, ..arrival };
        prop_assert_eq!(resolve(&nobody, &held, &rules), Resolution::Deny(Denial::Snapshot));
    }

    #[test]
    fn accounts_are_made_only_for_strangers_and_where_they_may_be((arrival, held) in arrivals(), rules in rules()) {
        let may_create = rules.registration && !rules.login_only;
        let is_known = held.by_own.is_some() || held.by_shared.is_some();
        match resolve(&arrival, &held, &rules) {
            Resolution::Create { .. } => {
                prop_assert!(may_create && !is_known);
                prop_assert_ne!(rules.association.mode, AssociationMode::Ask);
                prop_assert!(matched(&held, &rules).all(|owner| owner.has_other_identity), "one could be joined");
            }
            Resolution::Ask { may_create: offered } => {
                prop_assert!(!is_known);
                prop_assert_eq!(offered, may_create);
            }
            Resolution::Deny(denial) => {
                let expected = match (arrival.snapshot, rules.login_only) {
                    (true, _) => Denial::Snapshot,
                    (false, true) => Denial::LoginOnly,
                    (false, false) => Denial::RegistrationOff,
                };
                prop_assert_eq!(denial, expected);
                prop_assert!(arrival.snapshot || (!may_create && !is_known));
            }
            Resolution::LogIn { .. } | Resolution::Choose { .. } => {}
        }
    }

    /// If the connection associates at all, a person who can prove an account can always log in.
    #[test]
    fn association_is_never_a_dead_end((arrival, held) in arrivals(), mut rules in rules()) {
        rules.association.methods = BindMethod::ALL.to_vec();
        let resolution = resolve(&Proof { snapshot: false, ..arrival }, &held, &rules);
        let associates = rules.association.mode != AssociationMode::None;
        prop_assert!(!associates || !matches!(resolution, Resolution::Deny(_)), "{:?}", resolution);
    }

    #[test]
    fn a_number_is_filled_in_only_where_it_was_proved_and_is_nobody_elses((arrival, held) in arrivals(), rules in rules()) {
        if let Resolution::Create { fill_phone: true, .. } | Resolution::LogIn { fill_phone: true, .. } =
            resolve(&arrival, &held, &rules)
        {
            prop_assert!(arrival.proved_phone().is_some());
            prop_assert_eq!(vouched(held.by_phone.as_ref()), None);
        }
    }

    #[test]
    fn an_address_is_filled_in_only_where_it_was_proved_and_is_nobody_elses((arrival, held) in arrivals(), rules in rules()) {
        if let Resolution::Create { fill_email: true, .. } | Resolution::LogIn { fill_email: true, .. } =
            resolve(&arrival, &held, &rules)
        {
            prop_assert!(arrival.proved_email().is_some());
            prop_assert_eq!(vouched(held.by_email.as_ref()), None);
        }
    }

    /// With [`PhoneUse::Fill`], a phone number never leads a known person to a different account.
    #[test]
    fn a_number_that_fills_leads_nobody_away_from_their_ids((arrival, held) in arrivals(), rules in rules()) {
        if rules.phone_use != PhoneUse::LogIn
            && let Some(known) = held.by_own.as_ref().or(held.by_shared.as_ref())
        {
            match resolve(&arrival, &held, &rules) {
                Resolution::LogIn { user, .. } => prop_assert_eq!(&user, known),
                Resolution::Choose { accounts: [first, second] } => {
                    prop_assert_eq!((Some(&first), Some(&second)), (held.by_own.as_ref(), held.by_shared.as_ref()));
                }
                other => prop_assert_eq!(other, Resolution::Deny(Denial::Snapshot)),
            }
        }
    }

    #[test]
    fn a_conflict_names_the_account_that_is_logged_in((arrival, held) in arrivals(), rules in rules()) {
        if let Resolution::LogIn { user, conflict: Some(Conflict { kind, chosen, other }), .. } =
            resolve(&arrival, &held, &rules)
        {
            prop_assert_eq!(&chosen, &user);
            match kind {
                ConflictKind::OpenidUnionid => prop_assert_eq!(Some(&other), held.by_shared.as_ref()),
                ConflictKind::UnionidChanged => prop_assert!(held.other_shared && other == user),
                ConflictKind::IdentityPhone => prop_assert!(vouched(held.by_phone.as_ref()).is_some()),
            }
        }
    }

    /// Resolving the same proof again finds the same account, and there is nothing left to do.
    #[test]
    fn the_same_arrival_again_leads_to_the_same_account((arrival, held) in arrivals(), rules in rules()) {
        let first = resolve(&arrival, &held, &rules);
        let again = resolve(&arrival, &done(&arrival, &held, &first), &rules);
        let came_to = match &first {
            Resolution::Create { .. } => user("new"),
            Resolution::LogIn { user, .. } => user.clone(),
            other => {
                prop_assert_eq!(&again, other, "nothing was done");
                return Ok(());
            }
        };
        match again {
            Resolution::LogIn { user, attach_own, attach_shared, .. } => {
                prop_assert_eq!(user, came_to);
                prop_assert!(!attach_own && !attach_shared);
            }
            other => prop_assert!(false, "{:?}", other),
        }
    }
}
