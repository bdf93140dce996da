//! Codes sent by SMS and e-mail.

use serde::{Deserialize, Serialize};

use crate::application::text_enum;

text_enum! {
    /// By what a code is sent.
    PasscodeChannel {
        /// SMS.
        Sms = "sms",
        /// E-mail.
        Email = "email",
    }
}

text_enum! {
    /// What a code is for. One that was sent for one purpose is accepted for that alone.
    PasscodePurpose {
        /// Not said: the older clients send codes without a purpose. Accepted for logging in, registering,
        /// binding, changing, and resetting a password; never for deleting or unlocking an account.
        General = "general",
        /// Logging in.
        Login = "login",
        /// Registering.
        Register = "register",
        /// Resetting a forgotten password.
        ResetPassword = "reset_password",
        /// Binding a phone number or an e-mail address.
        Bind = "bind",
        /// Taking a phone number or an e-mail address away.
        Unbind = "unbind",
        /// Changing a phone number or an e-mail address, on either side.
        Change = "change",
        /// Verifying an e-mail address.
        Verify = "verify",
        /// Filling in what a login asks for.
        Complete = "complete",
        /// Proving oneself before something that matters.
        Confirm = "confirm",
        /// Deleting one's account.
        DeleteAccount = "delete_account",
        /// Unlocking one's account.
        Unlock = "unlock",
    }
}
