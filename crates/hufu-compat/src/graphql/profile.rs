//! `UpdateUserInput`, and which of its fields have an effect.

use async_graphql::{InputObject, MaybeUndefined};
use hufu_app::ProfileChange;
use hufu_types::Gender;

macro_rules! update_user_input {
    (
        profile { $($field:ident),* $(,)? }
        ignored { $($(#[$attribute:meta])* $ignored:ident: $type:ty),* $(,)? }
    ) => {
        /// A change of a user. `null` clears a field; a field that is left out remains unchanged.
        #[derive(Default, InputObject)]
        pub(super) struct UpdateUserInput {
            $($field: MaybeUndefined<String>,)*
            gender: MaybeUndefined<String>,
            $($(#[$attribute])* $ignored: Option<$type>,)*
        }

        impl UpdateUserInput {
            /// The change of the profile, if there is any.
            pub(super) fn into_change(self) -> Option<ProfileChange> {
                let fields = [$((stringify!($field), self.$field)),*];
                let fields: Vec<_> = fields
                    .into_iter()
                    .filter_map(|(name, value)| match value {
                        MaybeUndefined::Undefined => None,
                        MaybeUndefined::Null => Some((name, None)),
                        MaybeUndefined::Value(text) => Some((name, Some(text))),
                    })
                    .collect();
                let gender = match self.gender {
                    MaybeUndefined::Undefined => None,
                    MaybeUndefined::Null => Some(Gender::Unknown),
                    MaybeUndefined::Value(text) => Gender::parse(&text),
                };
                let is_empty = fields.is_empty() && gender.is_none();
                (!is_empty).then(|| ProfileChange { fields, gender, ..ProfileChange::default() })
            }
        }
    };
}

update_user_input! {
    profile {
        nickname, photo, company, browser, device, name, given_name, family_name, middle_name, profile,
        preferred_username, website, birthdate, zoneinfo, locale, address, formatted, street_address, locality, region,
        postal_code, city, province, country,
    }
    // Some of these change by calls that prove them, some only by administrators, and some only by the
    // server.
    ignored {
        email: String,
        unionid: String,
        openid: String,
        email_verified: bool,
        phone: String,
        phone_country_code: String,
        phone_verified: bool,
        username: String,
        password: String,
        oauth: String,
        token_expired_at: String,
        logins_count: i32,
        last_login: String,
        #[graphql(name = "lastIP")]
        last_ip: String,
        blocked: bool,
        external_id: String,
        main_department_id: String,
        main_department_code: String,
        expired_at: String,
        direct_management: String,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> MaybeUndefined<String> {
        MaybeUndefined::Value(text.to_owned())
    }

    #[test]
    fn given_fields_change_and_null_empties() {
        let input = UpdateUserInput {
            nickname: text("Bob"),
            given_name: MaybeUndefined::Null,
            gender: text("F"),
            ..UpdateUserInput::default()
        };
        let change = input.into_change().unwrap();
        assert_eq!(change.fields, [("nickname", Some("Bob".to_owned())), ("given_name", None)]);
        assert_eq!(change.gender, Some(Gender::Female));
        assert!(change.custom_data.is_empty());
    }

    #[test]
    fn what_is_no_profile_changes_nothing() {
        let input = UpdateUserInput {
            password: Some("new".to_owned()),
            phone: Some("13800000000".to_owned()),
            blocked: Some(false),
            external_id: Some("1".to_owned()),
            gender: text("X"),
            ..UpdateUserInput::default()
        };
        assert!(input.into_change().is_none());
        assert!(UpdateUserInput::default().into_change().is_none());
    }

    #[test]
    fn gender_can_be_emptied() {
        let input = UpdateUserInput { gender: MaybeUndefined::Null, ..UpdateUserInput::default() };
        assert_eq!(input.into_change().unwrap().gender, Some(Gender::Unknown));
    }

    #[test]
    fn every_field_is_one_of_the_profile() {
        macro_rules! all_given {
            ($($field:ident),*) => { UpdateUserInput { $($field: text("x"),)* ..UpdateUserInput::default() } };
        }
        let input = all_given!(
            nickname,
            photo,
            company,
            browser,
            device,
            name,
            given_name,
            family_name,
            middle_name,
            profile,
            preferred_username,
            website,
            birthdate,
            zoneinfo,
            locale,
            address,
            formatted,
            street_address,
            locality,
            region,
            postal_code,
            city,
            province,
            country
        );
        let change = input.into_change().unwrap();
        assert_eq!(change.fields.len(), 24);
        for (name, _) in &change.fields {
            assert!(hufu_types::Profile::FIELDS.contains(name), "{name}");
        }
    }
}
