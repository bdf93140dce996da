//! Account resolution: which account a person belongs to, as a pure function of what the source proved and
//! what the pool knows.
//!
//! Invariants:
//! - If two ids point to two accounts, no link is changed.
//! - An account can be found by every id that was ever proved for it.
//! - A phone number leads to an account only if the call asks for that and the number is verified.

use serde::{Deserialize, Serialize};

use crate::flow::{Stage, Step};
use crate::{Association, AssociationMode, ConflictRule, MatchField, Proof, UserId};

/// How a proved phone number is used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PhoneUse {
    /// It is added to the account found by the ids, if that account has none and no other account has this
    /// number.
    #[default]
    Fill,
    /// It also finds the account that has it (`loginByPhone` of authing-wxapp-sdk).
    LogIn,
}

/// The account that has one of the fields that the source proved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner {
    /// The account.
    pub user: UserId,
    /// Whether the field is verified for this account.
    pub vouched: bool,
    /// Whether the account already belongs to another person of the same source: it has another OpenID of the
    /// same app, or another UnionID of the same Open Platform account.
    pub has_other_identity: bool,
}

/// What the pool knows about the contents of a proof.
#[derive(Clone, Debug, Default)]
pub struct KnownOwners {
    /// The account linked to the app-specific id.
    pub by_own: Option<UserId>,
    /// The account linked to the id shared by several apps.
    pub by_shared: Option<UserId>,
    /// Whether the account of the app-specific id has a different shared id of the same realm.
    pub other_shared: bool,
    /// The account that has the proved phone number.
    pub by_phone: Option<Owner>,
    /// The account that has the proved e-mail address.
    pub by_email: Option<Owner>,
    /// The account that has the external id guaranteed by the source.
    pub by_external_id: Option<Owner>,
}

/// What the connection and the pool allow, and what the call asks for.
#[derive(Clone, Debug, Default)]
pub struct Rules {
    /// How a proved phone number is used.
    pub phone_use: PhoneUse,
    /// Whether the connection rejects unknown people instead of creating accounts.
    pub login_only: bool,
    /// Whether the pool lets people create accounts.
    pub registration: bool,
    /// How a first login finds its account.
    pub association: Association,
}

impl Rules {
    fn may_create(&self) -> bool {
        self.registration && !self.login_only
    }
}

/// How ids disagree. Recorded so that the person or an administrator can resolve it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConflictKind {
    /// OpenID and UnionID point to two accounts.
    OpenidUnionid,
    /// The account has a different UnionID of the same Open Platform account.
    UnionidChanged,
    /// The ids point to one account and the phone number to another.
    IdentityPhone,
}

impl ConflictKind {
    /// The name in database tables.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::OpenidUnionid => "openid_unionid",
            Self::UnionidChanged => "unionid_changed",
            Self::IdentityPhone => "identity_phone",
        }
    }
}

/// A disagreement between ids.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conflict {
    /// What disagrees.
    pub kind: ConflictKind,
    /// The account that is logged in.
    pub chosen: UserId,
    /// The account that the other id points to; the same account if its own ids disagree.
    pub other: UserId,
}

/// Why a login is denied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Denial {
    /// A virtual user of WeChat's "snapshot page".
    Snapshot,
    /// The person is unknown, and the connection does not create users.
    LoginOnly,
    /// The person is unknown, and the pool does not create users.
    RegistrationOff,
}

/// The account that a person chose when their ids pointed to two.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    /// The account that they log in to.
    pub chosen: UserId,
    /// The account that they did not choose.
    pub other: UserId,
}

impl Choice {
    /// Whether it was made between these two accounts.
    fn is_between(&self, accounts: &[UserId; 2]) -> bool {
        let [one, other] = accounts;
        (&self.chosen, &self.other) == (one, other) || (&self.chosen, &self.other) == (other, one)
    }
}

/// What to do with a login.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Resolution {
    /// The ids are unknown: create an account with all of them.
    Create {
        /// Whether the proved phone number becomes a login name of the account.
        fill_phone: bool,
        /// Whether the proved e-mail address becomes a login name of the account.
        fill_email: bool,
    },
    /// Log in to an existing account.
    LogIn {
        /// The account.
        user: UserId,
        /// Whether the app-specific id has to be linked to it.
        attach_own: bool,
        /// Whether the shared id has to be linked to it.
        attach_shared: bool,
        /// Whether the proved phone number may become its login name, if it has none.
        fill_phone: bool,
        /// Whether the proved e-mail address may become its login name, if it has none.
        fill_email: bool,
        /// The disagreement between ids, if any.
        conflict: Option<Conflict>,
    },
    /// Let the person choose one of two accounts.
    Choose {
        /// The accounts. The first is the one that is logged in when no choice is offered.
        accounts: [UserId; 2],
    },
    /// Let the person bind an account or create one.
    Ask {
        /// Whether they may create one.
        may_create: bool,
    },
    /// Deny the login.
    Deny(Denial),
}

impl Resolution {
    /// The step that leads on from [`Stage::Identify`]; `None` if the login is denied.
    pub const fn step(&self) -> Option<Step> {
        match self {
            Self::Create { .. } => Some(Step::Created),
            Self::LogIn { .. } => Some(Step::Known),
            Self::Choose { .. } => Some(Step::Several),
            Self::Ask { .. } => Some(Step::Unknown),
            Self::Deny(_) => None,
        }
    }

    /// Logs in to the account that was chosen before, if the choice would be the same again. As after the
    /// choice itself, no id is linked, nothing is filled in, and the disagreement is not recorded.
    #[must_use]
    pub fn remembering(self, choice: Option<Choice>) -> Self {
        match (self, choice) {
            (Self::Choose { accounts }, Some(choice)) if choice.is_between(&accounts) => Self::LogIn {
                user: choice.chosen,
                attach_own: false,
                attach_shared: false,
                fill_phone: false,
                fill_email: false,
                conflict: None,
            },
            (resolution, _) => resolution,
        }
    }

    /// The stage of the login after this resolution.
    pub fn stage(&self) -> Stage {
        self.step().and_then(|step| Stage::Identify.after(step)).unwrap_or(Stage::Refused)
    }
}

/// Decides what to do with a login.
pub fn resolve(proof: &Proof, owners: &KnownOwners, rules: &Rules) -> Resolution {
    if proof.snapshot {
        return Resolution::Deny(Denial::Snapshot);
    }
    // A login name that is not verified belongs to the first person who proves it.
    let phone_owner = owners.by_phone.as_ref().filter(|owner| owner.vouched);
    let free = Free {
        phone: proof.proved_phone().is_some() && phone_owner.is_none(),
        email: proof.proved_email().is_some() && !owners.by_email.as_ref().is_some_and(|owner| owner.vouched),
    };
    let by_id = owners.by_own.as_ref().or(owners.by_shared.as_ref());
    let logs_in_by_phone = proof.proved_phone().is_some() && rules.phone_use == PhoneUse::LogIn;

    let resolution = match (by_id, phone_owner.filter(|_| logs_in_by_phone)) {
        (Some(user), Some(owner)) if owner.user != *user => without_moving(&owner.user, user),
        (Some(user), _) => resolve_known(proof, owners, user, phone_owner, free),
        (None, Some(owner)) if owner.has_other_identity => without_moving(&owner.user, &owner.user),
        (None, Some(owner)) => join(proof, owners, &owner.user, Free { phone: false, ..free }),
        (None, None) => resolve_unknown(proof, owners, rules, free),
    };
    match resolution {
        Resolution::LogIn { conflict: Some(Conflict { kind, chosen, other }), .. }
            if rules.association.conflict == ConflictRule::Choose
                && kind != ConflictKind::UnionidChanged
                && (kind == ConflictKind::OpenidUnionid || logs_in_by_phone)
                && chosen != other =>
        {
            Resolution::Choose { accounts: [chosen, other] }
        }
        resolution => resolution,
    }
}

/// Which of the proved login names are free: no account has them verified.
#[derive(Clone, Copy)]
struct Free {
    phone: bool,
    email: bool,
}

/// Resolves a login whose ids are all unknown.
fn resolve_unknown(proof: &Proof, owners: &KnownOwners, rules: &Rules, free: Free) -> Resolution {
    let association = &rules.association;
    if association.mode == AssociationMode::Field {
        let owner_by = |field| match field {
            MatchField::Phone => owners.by_phone.as_ref(),
            MatchField::Email => owners.by_email.as_ref(),
            MatchField::ExternalId => owners.by_external_id.as_ref(),
        };
        let mut matched = association.fields.iter().filter_map(|field| owner_by(*field));
        // Never join an account that belongs to another person of this source, even if both share a phone
        // number.
        if let Some(owner) = matched.find(|owner| owner.vouched && !owner.has_other_identity) {
            return join(proof, owners, &owner.user, free);
        }
    }
    let may_create = rules.may_create();
    match association.mode {
        AssociationMode::Ask => Resolution::Ask { may_create },
        _ if may_create => Resolution::Create { fill_phone: free.phone, fill_email: free.email },
        // Nothing matched and no account may be created, but a person who can prove that they own an account
        // may bind it.
        AssociationMode::Field if !association.methods.is_empty() => Resolution::Ask { may_create: false },
        _ if rules.login_only => Resolution::Deny(Denial::LoginOnly),
        _ => Resolution::Deny(Denial::RegistrationOff),
    }
}

/// Links all ids to an account. None of them is linked to an account yet.
fn join(proof: &Proof, owners: &KnownOwners, user: &UserId, free: Free) -> Resolution {
    Resolution::LogIn {
        user: user.clone(),
        attach_own: true,
        attach_shared: proof.shared.is_some() && owners.by_shared.is_none(),
        fill_phone: free.phone,
        fill_email: free.email,
        conflict: None,
    }
}

/// Logs in to the account that has the phone number, without changing any links.
fn without_moving(owner: &UserId, other: &UserId) -> Resolution {
    Resolution::LogIn {
        user: owner.clone(),
        attach_own: false,
        attach_shared: false,
        fill_phone: false,
        fill_email: false,
        conflict: Some(Conflict {
            kind: ConflictKind::IdentityPhone,
            chosen: owner.clone(),
            other: other.clone(),
        }),
    }
}

/// Logs in to the account that one of the ids points to.
fn resolve_known(
    proof: &Proof,
    owners: &KnownOwners,
    user: &UserId,
    phone_owner: Option<&Owner>,
    free: Free,
) -> Resolution {
    let shared_is_new = proof.shared.is_some() && owners.by_shared.is_none();
    let conflict = match (&owners.by_own, &owners.by_shared, phone_owner) {
        (Some(a), Some(b), _) if a != b => {
            Some(Conflict { kind: ConflictKind::OpenidUnionid, chosen: user.clone(), other: b.clone() })
        }
        (Some(_), None, _) if shared_is_new && owners.other_shared => {
            Some(Conflict { kind: ConflictKind::UnionidChanged, chosen: user.clone(), other: user.clone() })
        }
        (_, _, Some(owner)) if proof.proved_phone().is_some() && owner.user != *user => Some(Conflict {
            kind: ConflictKind::IdentityPhone,
            chosen: user.clone(),
            other: owner.user.clone(),
        }),
        _ => None,
    };
    Resolution::LogIn {
        user: user.clone(),
        attach_own: owners.by_own.is_none(),
        attach_shared: shared_is_new && !owners.other_shared,
        fill_phone: free.phone,
        fill_email: free.email,
        conflict,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{EmailProof, Identifier, IdentityKey, OpenPlatform, Phone, PhoneProof};

    fn user(name: &str) -> UserId {
        UserId::parse(name).unwrap()
    }

    /// A proof, and how its phone number is used.
    fn arrival(unionid: bool, phone: Option<PhoneUse>) -> (Proof, PhoneUse) {
        let platform = OpenPlatform(Identifier::parse("shop").unwrap());
        let number = || (Phone::parse("+8613800000000").unwrap(), PhoneProof::Wechat);
        let proof = Proof {
            shared: unionid.then(|| IdentityKey::wechat_unionid(&platform, "u1")),
            phone: phone.map(|_| number()),
            ..Proof::of(IdentityKey::wechat_openid("wx0123456789abcdef", "o1"))
        };
        (proof, phone.unwrap_or_default())
    }

    fn owner(name: &str) -> Owner {
        Owner { user: user(name), vouched: true, has_other_identity: false }
    }

    fn owners(openid: Option<&str>, unionid: Option<&str>, phone: Option<&str>) -> KnownOwners {
        KnownOwners {
            by_own: openid.map(user),
            by_shared: unionid.map(user),
            by_phone: phone.map(owner),
            ..KnownOwners::default()
        }
    }

    fn open() -> Rules {
        Rules { registration: true, ..Rules::default() }
    }

    fn resolve(arrival: &(Proof, PhoneUse), owners: &KnownOwners) -> Resolution {
        decide(arrival, owners, &open())
    }

    fn decide((proof, phone_use): &(Proof, PhoneUse), owners: &KnownOwners, rules: &Rules) -> Resolution {
        super::resolve(proof, owners, &Rules { phone_use: *phone_use, ..rules.clone() })
    }

    fn with(mode: AssociationMode) -> Rules {
        Rules { association: Association { mode, ..Association::default() }, ..open() }
    }

    fn into(name: &str, openid: bool, unionid: bool, fill: bool) -> Resolution {
        Resolution::LogIn {
            user: user(name),
            attach_own: openid,
            attach_shared: unionid,
            fill_phone: fill,
            fill_email: false,
            conflict: None,
        }
    }

    #[test]
    fn each_resolution_is_a_step_of_the_table() {
        let of = |resolution: Resolution| (resolution.step(), resolution.stage());
        let create = Resolution::Create { fill_phone: false, fill_email: false };
        assert_eq!(of(create), (Some(Step::Created), Stage::Done));
        assert_eq!(of(into("a", false, false, false)), (Some(Step::Known), Stage::Done));
        let choose = Resolution::Choose { accounts: [user("a"), user("b")] };
        assert_eq!(of(choose), (Some(Step::Several), Stage::Select));
        assert_eq!(of(Resolution::Ask { may_create: true }), (Some(Step::Unknown), Stage::Associate));
        assert_eq!(of(Resolution::Deny(Denial::LoginOnly)), (None, Stage::Refused));
        assert_eq!(Stage::Identify.steps().count(), 4, "and no other step leads from there");
    }

    #[test]
    fn a_choice_counts_for_the_same_two_accounts() {
        let between = |a: &str, b: &str| Resolution::Choose { accounts: [user(a), user(b)] };
        let choice = |chosen: &str, other: &str| Some(Choice { chosen: user(chosen), other: user(other) });
        let logged_in = into("b", false, false, false);
        assert_eq!(between("a", "b").remembering(choice("b", "a")), logged_in);
        assert_eq!(between("b", "a").remembering(choice("b", "a")), logged_in);
        for other in [None, choice("b", "c"), choice("c", "b"), choice("b", "b")] {
            assert_eq!(between("a", "b").remembering(other), between("a", "b"));
        }
        let ask = Resolution::Ask { may_create: true };
        assert_eq!(ask.clone().remembering(choice("b", "a")), ask);
    }

    #[test]
    fn the_four_quadrants() {
        let create = Resolution::Create { fill_phone: false, fill_email: false };
        assert_eq!(resolve(&arrival(true, None), &owners(None, None, None)), create);
        assert_eq!(resolve(&arrival(false, None), &owners(None, None, None)), create);
        assert_eq!(
            resolve(&arrival(false, None), &owners(Some("a"), None, None)),
            into("a", false, false, false)
        );
        assert_eq!(
            resolve(&arrival(true, None), &owners(None, Some("a"), None)),
            into("a", true, false, false),
            "the openid of a new app joins by unionid"
        );
    }

    #[test]
    fn a_unionid_that_appears_later_is_attached() {
        assert_eq!(
            resolve(&arrival(true, None), &owners(Some("a"), None, None)),
            into("a", false, true, false)
        );
    }

    #[test]
    fn two_accounts_move_nothing() {
        let Resolution::LogIn { user: chosen, attach_own, attach_shared, conflict, .. } =
            resolve(&arrival(true, None), &owners(Some("a"), Some("b"), None))
        else {
            panic!("logs in")
        };
        assert_eq!((chosen, attach_own, attach_shared), (user("a"), false, false));
        let conflict = conflict.unwrap();
        assert_eq!((conflict.kind, conflict.other), (ConflictKind::OpenidUnionid, user("b")));
    }

    #[test]
    fn a_changed_unionid_is_recorded_and_not_attached() {
        let held = KnownOwners { other_shared: true, ..owners(Some("a"), None, None) };
        let Resolution::LogIn { attach_shared, conflict, .. } = resolve(&arrival(true, None), &held) else {
            panic!("logs in")
        };
        assert!(!attach_shared);
        assert_eq!(conflict.unwrap().kind, ConflictKind::UnionidChanged);
    }

    #[test]
    fn a_phone_fills_only_where_it_is_free() {
        let fill = arrival(false, Some(PhoneUse::Fill));
        assert_eq!(
            resolve(&fill, &owners(None, None, None)),
            Resolution::Create { fill_phone: true, fill_email: false }
        );
        assert_eq!(
            resolve(&fill, &owners(None, None, Some("b"))),
            Resolution::Create { fill_phone: false, fill_email: false }
        );
        assert_eq!(resolve(&fill, &owners(Some("a"), None, None)), into("a", false, false, true));
        let Resolution::LogIn { fill_phone, conflict, .. } =
            resolve(&fill, &owners(Some("a"), None, Some("b")))
        else {
            panic!("logs in")
        };
        assert!(!fill_phone);
        assert_eq!(conflict.unwrap().kind, ConflictKind::IdentityPhone);
    }

    #[test]
    fn a_login_by_phone_leads_to_the_number_s_account() {
        let by_phone = arrival(true, Some(PhoneUse::LogIn));
        assert_eq!(resolve(&by_phone, &owners(None, None, Some("b"))), into("b", true, true, false));
        assert_eq!(
            resolve(&by_phone, &owners(Some("b"), Some("b"), Some("b"))),
            into("b", false, false, false)
        );
        assert_eq!(
            resolve(&by_phone, &owners(None, None, None)),
            Resolution::Create { fill_phone: true, fill_email: false }
        );
        let Resolution::LogIn { user: chosen, attach_own, conflict, .. } =
            resolve(&by_phone, &owners(Some("a"), None, Some("b")))
        else {
            panic!("logs in")
        };
        assert_eq!((chosen, attach_own), (user("b"), false));
        assert_eq!(conflict.unwrap().other, user("a"));
    }

    #[test]
    fn a_number_of_another_wechat_person_binds_nothing() {
        let mut held = owners(None, None, Some("b"));
        held.by_phone.as_mut().unwrap().has_other_identity = true;
        let Resolution::LogIn { user: chosen, attach_own, conflict, .. } =
            resolve(&arrival(false, Some(PhoneUse::LogIn)), &held)
        else {
            panic!("logs in")
        };
        assert_eq!((chosen, attach_own), (user("b"), false));
        assert!(conflict.is_some());
    }

    #[test]
    fn a_snapshot_user_is_nobody() {
        let (proof, phone_use) = arrival(true, None);
        let nobody = (Proof { snapshot: true, ..proof }, phone_use);
        assert_eq!(resolve(&nobody, &owners(Some("a"), Some("a"), None)), Resolution::Deny(Denial::Snapshot));
    }

    #[test]
    fn a_number_that_nobody_vouches_for_leads_nowhere() {
        let mut held = owners(None, None, Some("b"));
        held.by_phone.as_mut().unwrap().vouched = false;
        for phone_use in [PhoneUse::Fill, PhoneUse::LogIn] {
            for mode in [AssociationMode::None, AssociationMode::Field] {
                let arrival = arrival(false, Some(phone_use));
                assert_eq!(
                    decide(&arrival, &held, &with(mode)),
                    Resolution::Create { fill_phone: true, fill_email: false },
                    "whoever lies in wait with it gets nobody, and loses it"
                );
            }
        }
    }

    #[test]
    fn fields_are_matched_in_the_order_of_the_setting() {
        let held = KnownOwners {
            by_email: Some(owner("e")),
            by_external_id: Some(owner("x")),
            ..owners(None, None, Some("p"))
        };
        let fill = arrival(true, Some(PhoneUse::Fill));
        let mut rules = with(AssociationMode::Field);
        for (fields, expected) in [
            (vec![MatchField::Phone, MatchField::Email], "p"),
            (vec![MatchField::Email, MatchField::Phone], "e"),
            (vec![MatchField::ExternalId], "x"),
        ] {
            rules.association.fields = fields;
            assert_eq!(decide(&fill, &held, &rules), into(expected, true, true, false));
        }
        rules.association.fields = Vec::new();
        assert_eq!(decide(&fill, &held, &rules), Resolution::Create { fill_phone: false, fill_email: false });
    }

    #[test]
    fn a_matched_account_of_another_person_of_the_source_is_left_alone() {
        let mut held = owners(None, None, Some("b"));
        held.by_phone.as_mut().unwrap().has_other_identity = true;
        let fill = arrival(false, Some(PhoneUse::Fill));
        let rules = with(AssociationMode::Field);
        assert_eq!(decide(&fill, &held, &rules), Resolution::Create { fill_phone: false, fill_email: false });
    }

    #[test]
    fn strangers_by_what_the_settings_permit() {
        use AssociationMode::{Ask, Field, None as Nothing};
        let create = Resolution::Create { fill_phone: false, fill_email: false };
        let ask = |may_create| Resolution::Ask { may_create };
        let deny = Resolution::Deny;
        for (mode, login_only, registration, expected) in [
            (Nothing, false, true, create.clone()),
            (Nothing, true, true, deny(Denial::LoginOnly)),
            (Nothing, false, false, deny(Denial::RegistrationOff)),
            (Field, false, true, create),
            (Field, true, true, ask(false)),
            (Field, false, false, ask(false)),
            (Ask, false, true, ask(true)),
            (Ask, true, true, ask(false)),
            (Ask, false, false, ask(false)),
        ] {
            let rules = Rules { login_only, registration, ..with(mode) };
            let resolved = decide(&arrival(true, None), &owners(None, None, None), &rules);
            assert_eq!(resolved, expected, "{mode:?} {login_only} {registration}");
        }
    }

    #[test]
    fn with_a_choice_two_accounts_are_offered() {
        let mut rules = open();
        rules.association.conflict = ConflictRule::Choose;
        let choose = |a, b| Resolution::Choose { accounts: [user(a), user(b)] };
        assert_eq!(
            decide(&arrival(true, None), &owners(Some("a"), Some("b"), None), &rules),
            choose("a", "b")
        );
        let by_phone = arrival(false, Some(PhoneUse::LogIn));
        assert_eq!(decide(&by_phone, &owners(Some("a"), None, Some("b")), &rules), choose("b", "a"));
    }

    #[test]
    fn a_proved_address_reaches_an_account_where_nobody_is_vouched_for_by_it() {
        let address = |proof| Some((crate::Email::parse("bob@example.com").unwrap(), proof));
        let (proof, phone_use) = arrival(false, None);
        let proved = (Proof { email: address(EmailProof::Verified), ..proof.clone() }, phone_use);
        let claimed = (Proof { email: address(EmailProof::Unverified), ..proof }, phone_use);
        let filled = |fill_email| Resolution::Create { fill_phone: false, fill_email };
        let taken = |vouched| KnownOwners {
            by_email: Some(Owner { vouched, ..owner("e") }),
            ..owners(None, None, None)
        };
        assert_eq!(resolve(&proved, &owners(None, None, None)), filled(true));
        assert_eq!(resolve(&proved, &taken(false)), filled(true), "whoever claims it loses it");
        assert_eq!(resolve(&proved, &taken(true)), filled(false));
        assert_eq!(resolve(&claimed, &owners(None, None, None)), filled(false));
    }
}
