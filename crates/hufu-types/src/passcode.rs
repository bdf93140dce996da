//! One-time codes sent by SMS and e-mail.

use serde::{Deserialize, Serialize};

use crate::application::text_enum;

text_enum! {
    /// How a code is sent.
    PasscodeChannel {
        /// SMS.
        Sms = "sms",
        /// E-mail.
        Email = "email",
    }
}

text_enum! {
    /// What a code is for. A code is accepted only for the purpose it was sent for.
    PasscodePurpose {
        /// Unspecified, because older clients request codes without a purpose. Accepted for login,
        /// registration, binding, changing, and resetting a password; never for deleting or unlocking an
        /// account.
        General = "general",
        /// Logging in.
        Login = "login",
        /// Registering.
        Register = "register",
        /// Resetting a forgotten password.
        ResetPassword = "reset_password",
        /// Binding a phone number or an e-mail address.
        Bind = "bind",
        /// Removing a phone number or an e-mail address.
        Unbind = "unbind",
        /// Changing a phone number or an e-mail address. Used for the old one as well as for the new one.
        Change = "change",
        /// Verifying an e-mail address.
        Verify = "verify",
        /// Proving a phone number or an e-mail address that a login requires.
        Complete = "complete",
        /// Confirming one's identity before a sensitive operation.
        Confirm = "confirm",
        /// Deleting one's account.
        DeleteAccount = "delete_account",
        /// Unlocking one's account.
        Unlock = "unlock",
    }
}
