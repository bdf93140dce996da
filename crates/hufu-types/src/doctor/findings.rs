//! What a check can find. A finding has no other key than one of these or of [`WECHAT_ERRORS`](super::WECHAT_ERRORS), so a test
//! of this list is one of every sentence that an administrator can be told.

/// The key of a finding's sentences. It is stable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FindingKey {
    /// The name in answers, in JSON and in the Fluent files.
    pub name: &'static str,
    /// Which sentences it has.
    pub says: Says,
}

/// Which sentences a finding has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Says {
    /// What is so.
    WhatIsSo,
    /// What is so, and what to do if it should be otherwise, or where it is set.
    WhatToDo,
    /// What is wrong, what it breaks, and how to mend it.
    WhatIsWrong,
}

macro_rules! findings {
    ($($says:ident { $($constant:ident = $name:literal,)+ })+) => {
        $($(
            #[doc = concat!("`", $name, "`")]
            pub const $constant: FindingKey = FindingKey { name: $name, says: Says::$says };
        )+)+

        /// All of them.
        pub const ALL: &[FindingKey] = &[$($($constant),+),+];
    };
}

findings! {
    WhatIsSo {
        CREDENTIALS_FINE = "credentials-fine",
        APP_TOKEN_FINE = "app-token-fine",
        KIND_OF_APP_FINE = "kind-of-app-fine",
        CONNECTION_USED = "connection-used",
        VERIFICATION_FILE_FINE = "verification-file-fine",
        MESSAGE_URL_FINE = "message-url-fine",
        UNIONID_FINE = "unionid-fine",
        PUBLISHED_FINE = "published-fine",
    }
    WhatToDo {
        SERVER_DOMAIN_SET = "server-domain-set",
        BUSINESS_DOMAIN_SET = "business-domain-set",
        BUSINESS_DOMAIN_OPTIONAL = "business-domain-optional",
        WEBSITE_DOMAIN_SET = "website-domain-set",
        WEBPAGE_DOMAIN_SET = "webpage-domain-set",
        VERIFICATION_FILE_NONE = "verification-file-none",
        MESSAGE_URL_SET = "message-url-set",
        UNIONID_UNKNOWN = "unionid-unknown",
        PHONE_FINE = "phone-fine",
    }
    WhatIsWrong {
        LOGIN_MINI_PROGRAM_MISSING = "login-mini-program-missing",
        UNREACHABLE = "unreachable",
        NONSENSE = "nonsense",
        UNKNOWN_ERROR = "unknown-error",
        KIND_OF_APP_WRONG = "kind-of-app-wrong",
        FOLLOWERS_NOT_PERMITTED = "followers-not-permitted",
        CONNECTION_OFF = "connection-off",
        CONNECTION_UNUSED = "connection-unused",
        OUT_OF_SERVICE = "out-of-service",
        DOMAIN_IN_PLAIN_TEXT = "domain-in-plain-text",
        DOMAIN_NOT_HTTPS = "domain-not-https",
        DOMAIN_WITH_PORT = "domain-with-port",
        DOMAIN_IS_ADDRESS = "domain-is-address",
        DOMAIN_IS_LOCAL = "domain-is-local",
        VERIFICATION_FILE_OTHER = "verification-file-other",
        ADDRESS_UNREACHABLE = "address-unreachable",
        MESSAGE_URL_OTHER = "message-url-other",
        UNIONID_MISSING = "unionid-missing",
        PUBLISHED_NOT = "published-not",
        PHONE_NOT_PERMITTED = "phone-not-permitted",
        // Also what 41030 means.
        PAGE_UNPUBLISHED = "page-unpublished",
    }
}
