//! Which account an arrival belongs to, as a pure function over what the source
//! proved and what the pool holds.
//!
//! Invariants: two ids that name two accounts never move anything; an account is
//! found by every id it ever proved; a phone number leads to an account only
//! where the call asks for that and somebody vouched for the number.

use crate::{IdentityKey, UserId};

/// What a proved phone number is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PhoneUse {
    /// Written to the account that the ids lead to, if it has none and nobody else has it.
    Fill,
    /// Also leads to the account that has it (`loginByPhone` of authing-wxapp-sdk).
    LogIn,
}

/// What the source proved of the person.
#[derive(Clone, Debug)]
pub struct Arrival {
    /// The id within the app.
    pub openid: IdentityKey,
    /// The id within the Open Platform account, where there is one.
    pub unionid: Option<IdentityKey>,
    /// Whether a phone number was proved as well, and what for.
    pub phone: Option<PhoneUse>,
}

/// What the pool holds about an arrival.
#[derive(Clone, Debug, Default)]
pub struct Holdings {
    /// The account that the OpenID leads to.
    pub by_openid: Option<UserId>,
    /// The account that the UnionID leads to.
    pub by_unionid: Option<UserId>,
    /// The account that has the phone number, vouched for.
    pub by_phone: Option<UserId>,
    /// Whether the account that the OpenID leads to has another UnionID of the same
    /// Open Platform account.
    pub other_unionid: bool,
    /// Whether the account that has the phone number is another WeChat person's already: it
    /// has another OpenID of the same app, or another UnionID of the same Open Platform account.
    pub phone_is_another_persons: bool,
}

/// Why ids disagree; kept for the person or an administrator to settle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConflictKind {
    /// OpenID and UnionID name two accounts.
    OpenidUnionid,
    /// The account has another UnionID of the same Open Platform account.
    UnionidChanged,
    /// The ids name one account and the phone number another.
    IdentityPhone,
}

impl ConflictKind {
    /// The name in tables.
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
    /// The account that was logged in.
    pub chosen: UserId,
    /// The account that the other id names; the same one where its own ids disagree.
    pub other: UserId,
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Resolution {
    /// Nobody is known by these ids: make an account with all of them.
    Create {
        /// Whether the proved phone number becomes its login name.
        fill_phone: bool,
    },
    /// Log an account in.
    LogIn {
        /// Which.
        user: UserId,
        /// Whether the OpenID is new to it.
        attach_openid: bool,
        /// Whether the UnionID is new to it.
        attach_unionid: bool,
        /// Whether the number may become its login name, if it has none.
        fill_phone: bool,
        /// What disagrees.
        conflict: Option<Conflict>,
    },
}

/// Decides.
pub fn resolve(arrival: &Arrival, holdings: &Holdings) -> Resolution {
    let phone_is_free = arrival.phone.is_some() && holdings.by_phone.is_none();
    let unionid_is_new = arrival.unionid.is_some() && holdings.by_unionid.is_none();
    let by_id = holdings.by_openid.as_ref().or(holdings.by_unionid.as_ref());

    match (by_id, arrival.phone, &holdings.by_phone) {
        // The number leads to an account, and this call logs in by number.
        (by_id, Some(PhoneUse::LogIn), Some(owner)) => {
            let conflict =
                |kind, other: &UserId| Some(Conflict { kind, chosen: owner.clone(), other: other.clone() });
            match by_id {
                Some(user) if user != owner => Resolution::LogIn {
                    user: owner.clone(),
                    attach_openid: false,
                    attach_unionid: false,
                    fill_phone: false,
                    conflict: conflict(ConflictKind::IdentityPhone, user),
                },
                Some(_) => log_in(arrival, holdings, owner, unionid_is_new, false),
                None if holdings.phone_is_another_persons => Resolution::LogIn {
                    user: owner.clone(),
                    attach_openid: false,
                    attach_unionid: false,
                    fill_phone: false,
                    conflict: conflict(ConflictKind::IdentityPhone, owner),
                },
                None => Resolution::LogIn {
                    user: owner.clone(),
                    attach_openid: true,
                    attach_unionid: unionid_is_new,
                    fill_phone: false,
                    conflict: None,
                },
            }
        }
        (Some(user), _, _) => log_in(arrival, holdings, user, unionid_is_new, phone_is_free),
        (None, _, _) => Resolution::Create { fill_phone: phone_is_free },
    }
}

/// Logs in an account that one of the ids names.
fn log_in(
    arrival: &Arrival,
    holdings: &Holdings,
    user: &UserId,
    unionid_is_new: bool,
    fill_phone: bool,
) -> Resolution {
    let conflict = match (&holdings.by_openid, &holdings.by_unionid, &holdings.by_phone) {
        (Some(a), Some(b), _) if a != b => {
            Some(Conflict { kind: ConflictKind::OpenidUnionid, chosen: user.clone(), other: b.clone() })
        }
        (Some(_), None, _) if unionid_is_new && holdings.other_unionid => {
            Some(Conflict { kind: ConflictKind::UnionidChanged, chosen: user.clone(), other: user.clone() })
        }
        (_, _, Some(owner)) if arrival.phone.is_some() && owner != user => {
            Some(Conflict { kind: ConflictKind::IdentityPhone, chosen: user.clone(), other: owner.clone() })
        }
        _ => None,
    };
    Resolution::LogIn {
        user: user.clone(),
        attach_openid: holdings.by_openid.is_none(),
        attach_unionid: unionid_is_new && !holdings.other_unionid,
        fill_phone,
        conflict,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Identifier, OpenPlatform};

    fn user(name: &str) -> UserId {
        UserId::parse(name).unwrap()
    }

    fn arrival(unionid: bool, phone: Option<PhoneUse>) -> Arrival {
        let platform = OpenPlatform(Identifier::parse("shop").unwrap());
        Arrival {
            openid: IdentityKey::wechat_openid("wx0123456789abcdef", "o1"),
            unionid: unionid.then(|| IdentityKey::wechat_unionid(&platform, "u1")),
            phone,
        }
    }

    fn holdings(openid: Option<&str>, unionid: Option<&str>, phone: Option<&str>) -> Holdings {
        Holdings {
            by_openid: openid.map(user),
            by_unionid: unionid.map(user),
            by_phone: phone.map(user),
            ..Holdings::default()
        }
    }

    fn into(name: &str, openid: bool, unionid: bool, fill: bool) -> Resolution {
        Resolution::LogIn {
            user: user(name),
            attach_openid: openid,
            attach_unionid: unionid,
            fill_phone: fill,
            conflict: None,
        }
    }

    #[test]
    fn the_four_quadrants() {
        let create = Resolution::Create { fill_phone: false };
        assert_eq!(resolve(&arrival(true, None), &holdings(None, None, None)), create);
        assert_eq!(resolve(&arrival(false, None), &holdings(None, None, None)), create);
        assert_eq!(
            resolve(&arrival(false, None), &holdings(Some("a"), None, None)),
            into("a", false, false, false)
        );
        assert_eq!(
            resolve(&arrival(true, None), &holdings(None, Some("a"), None)),
            into("a", true, false, false),
            "the openid of a new app joins by unionid"
        );
    }

    #[test]
    fn a_unionid_that_appears_later_is_attached() {
        assert_eq!(
            resolve(&arrival(true, None), &holdings(Some("a"), None, None)),
            into("a", false, true, false)
        );
    }

    #[test]
    fn two_accounts_move_nothing() {
        let Resolution::LogIn { user: chosen, attach_openid, attach_unionid, conflict, .. } =
            resolve(&arrival(true, None), &holdings(Some("a"), Some("b"), None))
        else {
            panic!("logs in")
        };
        assert_eq!((chosen, attach_openid, attach_unionid), (user("a"), false, false));
        let conflict = conflict.unwrap();
        assert_eq!((conflict.kind, conflict.other), (ConflictKind::OpenidUnionid, user("b")));
    }

    #[test]
    fn a_changed_unionid_is_recorded_and_not_attached() {
        let held = Holdings { other_unionid: true, ..holdings(Some("a"), None, None) };
        let Resolution::LogIn { attach_unionid, conflict, .. } = resolve(&arrival(true, None), &held) else {
            panic!("logs in")
        };
        assert!(!attach_unionid);
        assert_eq!(conflict.unwrap().kind, ConflictKind::UnionidChanged);
    }

    #[test]
    fn a_phone_fills_only_where_it_is_free() {
        let fill = arrival(false, Some(PhoneUse::Fill));
        assert_eq!(resolve(&fill, &holdings(None, None, None)), Resolution::Create { fill_phone: true });
        assert_eq!(
            resolve(&fill, &holdings(None, None, Some("b"))),
            Resolution::Create { fill_phone: false }
        );
        assert_eq!(resolve(&fill, &holdings(Some("a"), None, None)), into("a", false, false, true));
        let Resolution::LogIn { fill_phone, conflict, .. } =
            resolve(&fill, &holdings(Some("a"), None, Some("b")))
        else {
            panic!("logs in")
        };
        assert!(!fill_phone);
        assert_eq!(conflict.unwrap().kind, ConflictKind::IdentityPhone);
    }

    #[test]
    fn a_login_by_phone_leads_to_the_number_s_account() {
        let by_phone = arrival(true, Some(PhoneUse::LogIn));
        assert_eq!(resolve(&by_phone, &holdings(None, None, Some("b"))), into("b", true, true, false));
        assert_eq!(
            resolve(&by_phone, &holdings(Some("b"), Some("b"), Some("b"))),
            into("b", false, false, false)
        );
        assert_eq!(resolve(&by_phone, &holdings(None, None, None)), Resolution::Create { fill_phone: true });
        let Resolution::LogIn { user: chosen, attach_openid, conflict, .. } =
            resolve(&by_phone, &holdings(Some("a"), None, Some("b")))
        else {
            panic!("logs in")
        };
        assert_eq!((chosen, attach_openid), (user("b"), false));
        assert_eq!(conflict.unwrap().other, user("a"));
    }

    #[test]
    fn a_number_of_another_wechat_person_binds_nothing() {
        let held = Holdings { phone_is_another_persons: true, ..holdings(None, None, Some("b")) };
        let Resolution::LogIn { user: chosen, attach_openid, conflict, .. } =
            resolve(&arrival(false, Some(PhoneUse::LogIn)), &held)
        else {
            panic!("logs in")
        };
        assert_eq!((chosen, attach_openid), (user("b"), false));
        assert!(conflict.is_some());
    }
}
