//! How a first login through a connection finds its account.

use serde::{Deserialize, Serialize};

use crate::application::text_enum;

text_enum! {
    /// What is done with a person whom no id leads to.
    AssociationMode {
        /// An account is made.
        None = "none",
        /// The account that has one of the proved fields is taken; else one is made.
        Field = "field",
        /// The person is asked: bind an account, or make one.
        Ask = "ask",
    }
}

text_enum! {
    /// A field that a source can prove, and an account can be found by. Usernames are none: anybody can choose one.
    MatchField {
        /// The phone number, where the source proved it.
        Phone = "phone",
        /// The e-mail address, where the source verified it.
        Email = "email",
        /// The id in the owner's original system, where the source warrants it.
        ExternalId = "external_id",
    }
}

text_enum! {
    /// How a person proves the account that they want to bind.
    BindMethod {
        /// A code sent to the account's phone number.
        PhoneCode = "phone-code",
        /// A code sent to the account's e-mail address.
        EmailCode = "email-code",
        /// The username and the password.
        UsernamePassword = "username-password",
        /// The phone number and the password.
        PhonePassword = "phone-password",
        /// The e-mail address and the password.
        EmailPassword = "email-password",
    }
}

text_enum! {
    /// What is done where the ids of one person name two accounts.
    ConflictRule {
        /// The account of the id within the app is logged in, and the conflict is recorded.
        Keep = "keep",
        /// The person chooses one, and may merge the two.
        Choose = "choose",
    }
}

/// The association setting of a connection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Association {
    /// What is done with a person whom no id leads to.
    pub mode: AssociationMode,
    /// With [`AssociationMode::Field`]: what is matched, in this order.
    pub fields: Vec<MatchField>,
    /// With [`AssociationMode::Ask`], and with [`AssociationMode::Field`] where nothing matched and the connection makes
    /// no accounts: how an account can be bound.
    pub methods: Vec<BindMethod>,
    /// What is done where ids name two accounts.
    pub conflict: ConflictRule,
}

impl Default for Association {
    fn default() -> Self {
        Self {
            mode: AssociationMode::None,
            fields: vec![MatchField::Phone, MatchField::Email, MatchField::ExternalId],
            methods: BindMethod::ALL.to_vec(),
            conflict: ConflictRule::Keep,
        }
    }
}

impl Association {
    /// Whether an account may be found by this field.
    pub fn matches(&self, field: MatchField) -> bool {
        self.mode == AssociationMode::Field && self.fields.contains(&field)
    }
}
