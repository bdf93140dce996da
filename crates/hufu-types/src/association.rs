//! How the first login through a connection finds its account.

use serde::{Deserialize, Serialize};

use crate::application::text_enum;

text_enum! {
    /// What to do when no id of the proof is linked to an account.
    AssociationMode {
        /// Create an account.
        None = "none",
        /// Use the account that has one of the proved fields; if there is none, create one.
        Field = "field",
        /// Let the person choose: bind an existing account, or create one.
        Ask = "ask",
    }
}

text_enum! {
    /// A field that a source can prove and that can identify an account. Usernames are not among them,
    /// because anyone can choose any username.
    MatchField {
        /// The phone number, if the source proved it.
        Phone = "phone",
        /// The e-mail address, if the source verified it.
        Email = "email",
        /// The id in the owner's original system, if the source guarantees it.
        ExternalId = "external_id",
    }
}

text_enum! {
    /// How a person proves that they own the account they want to bind.
    BindMethod {
        /// A code sent to the account's phone number.
        PhoneCode = "phone-code",
        /// A code sent to the account's e-mail address.
        EmailCode = "email-code",
        /// Username and password.
        UsernamePassword = "username-password",
        /// Phone number and password.
        PhonePassword = "phone-password",
        /// E-mail address and password.
        EmailPassword = "email-password",
    }
}

text_enum! {
    /// What to do when one person's ids point to two accounts.
    ConflictRule {
        /// Log in to the account of the app-specific id, and record the conflict.
        Keep = "keep",
        /// Let the person choose one, with the option to merge the two.
        Choose = "choose",
    }
}

/// The association settings of a connection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Association {
    /// What to do when no id of the proof is linked to an account.
    pub mode: AssociationMode,
    /// The fields to match, in this order. Used with [`AssociationMode::Field`].
    pub fields: Vec<MatchField>,
    /// How an existing account can be bound. Used with [`AssociationMode::Ask`], and with
    /// [`AssociationMode::Field`] when nothing matched and the connection may not create accounts.
    pub methods: Vec<BindMethod>,
    /// What to do when one person's ids point to two accounts.
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
    /// Whether this field may be used to find an account.
    pub fn matches(&self, field: MatchField) -> bool {
        self.mode == AssociationMode::Field && self.fields.contains(&field)
    }
}
