//! The table of reasons why a request field is invalid.

use std::borrow::Cow;
use std::convert::Infallible;

use crate::NameError;
use crate::texts::Argument;

/// Builds the enum and its lookup functions. A row is: variant { values } => key for integrators, key for end
/// users.
macro_rules! reasons {
    ($($(#[$doc:meta])* $name:ident $({ $($value:ident: $type:ty),* })? => $integrator:literal, $person:literal;)*) => {
        /// Why a request field is invalid. Sentences for integrators name the field; those for end users are
        /// shown next to it.
        #[derive(Clone, Debug, PartialEq, Eq)]
        #[expect(missing_docs, reason = "the values are named like the placeholders of the sentence")]
        pub enum Reason {
            $($(#[$doc])* $name $({ $($value: $type),* })?,)*
        }

        impl Reason {
            /// Every row: the keys of the sentences, and the placeholders that they may contain besides
            /// `$field`.
            pub const ROWS: &'static [(&'static str, &'static str, &'static [&'static str])] =
                &[$(($integrator, $person, &[$($(stringify!($value)),*)?]),)*];

            /// The key of the sentence for integrators.
            pub const fn integrator_key(&self) -> &'static str {
                match self { $(Self::$name { .. } => $integrator,)* }
            }

            /// The key of the sentence for end users.
            pub const fn person_key(&self) -> &'static str {
                match self { $(Self::$name { .. } => $person,)* }
            }

            pub(super) fn values(&self) -> Vec<(&'static str, Argument)> {
                match self {
                    $(Self::$name $({ $($value),* })? => vec![$($((stringify!($value), $value.clone().into())),*)?],)*
                }
            }
        }
    };
}

reasons! {
    /// The field is missing or empty.
    Missing => "missing", "field-missing";
    /// The parameter is there more than once.
    Twice => "twice", "field-check";
    /// The field is missing. It carries what WeChat returned to the client.
    MissingFromWechat => "missing-from-wechat", "field-try-again";
    /// Exactly one of several fields is required; `field` lists them.
    OneNeeded => "one-needed", "field-missing";
    /// The field is present but empty.
    Empty => "empty", "field-missing";
    /// The value is null, but setting data requires a value.
    Null => "null", "field-missing";

    /// Not text.
    NotText => "not-text", "field-check";
    /// Not a number.
    NotANumber => "not-a-number", "field-number";
    /// Neither true nor false.
    NotABoolean => "not-a-boolean", "field-check";
    /// Not an RFC 3339 timestamp.
    NotATimestamp => "not-a-timestamp", "field-timestamp";
    /// Neither an RFC 3339 timestamp nor milliseconds since 1970.
    NotADatetime => "not-a-datetime", "field-timestamp";
    /// Not a day such as 2026-01-31.
    NotADay => "not-a-day", "field-timestamp";
    /// A period that ends before it begins, or is longer than `max` days.
    NotAPeriod { max: usize } => "not-a-period", "field-timestamp";
    /// Not a JSON object.
    NotAnObject => "not-an-object", "field-check";
    /// The body is not a form, or has a repeated parameter (RFC 6749 3.2).
    NotAForm => "not-a-form", "field-check";
    /// Not a JSON-encoded list of key-value pairs.
    NotPairs => "not-pairs", "field-check";
    /// Not one of the allowed values.
    NotOneOf { choices: Cow<'static, str> } => "not-one-of", "field-choose";
    /// An unknown value.
    Unknown { value: String } => "unknown-value", "field-check";
    /// An unknown name. The sentence does not repeat it.
    UnknownName => "unknown-name", "field-choose";
    /// A malformed id or the like.
    Malformed => "malformed", "field-check";
    /// There is no such field.
    UnknownField => "unknown-field", "field-unknown";
    /// There is no such field, but these.
    NoSuchField { choices: String } => "no-such-field", "field-unknown";
    /// The field cannot be set here, but at `place`.
    SetElsewhere { place: &'static str } => "set-elsewhere", "field-unknown";

    /// Longer than `max` characters.
    TooLong { max: usize } => "too-long", "field-too-long";
    /// Longer than `max` bytes.
    TooManyBytes { max: usize } => "too-many-bytes", "field-shorten";
    /// Not a single line of 1 to `max` characters.
    NotALine { max: usize } => "not-a-line", "field-length";
    /// Not a single line of 1 to `max` characters without surrounding spaces.
    NotATrimmedLine { max: usize } => "not-a-trimmed-line", "field-length";
    /// Not 1 to `max` ASCII letters, digits and signs.
    NotAscii { max: usize } => "not-ascii", "field-check";
    /// Shorter than the `min` characters that a substring search requires.
    TooShortToSearch { min: usize } => "too-short-to-search", "field-too-short";
    /// Not a number in this range.
    OutOfRange { min: u32, max: u32 } => "out-of-range", "field-range";
    /// Contains a NUL character.
    Nul => "nul", "field-check";

    /// Not an e-mail address.
    NotAnEmail => "not-an-email", "field-email";
    /// Not a phone number in international form.
    NotAPhone => "not-a-phone", "field-phone";
    /// Not a username.
    NotAUsername => "not-a-username", "field-username";
    /// Not the identifier of a connection.
    NotAnIdentifier => "not-an-identifier", "field-check";
    /// A username that looks like a phone number.
    UsernameIsPhone => "username-is-phone", "field-username-is-phone";
    /// A phone number that cannot receive SMS.
    NotMobile => "not-mobile", "field-not-mobile";
    /// A phone number in a country that the pool does not send SMS to.
    CountryNotServed => "country-not-served", "field-country";
    /// A time in the past.
    InThePast => "in-the-past", "field-past";
    /// A time later than `latest`.
    TooFarAhead { latest: String } => "too-far-ahead", "field-timestamp";
    /// The new password equals the old one.
    SameAsOld => "same-as-old", "field-same-as-old";
    /// The password should be RSA-encrypted, but is not base64 of the key's length.
    NotRsa => "not-rsa", "field-try-again";
    /// The password should be SM2-encrypted, but is not hexadecimal.
    NotSm2 => "not-sm2", "field-try-again";

    /// Not a valid cursor of this list.
    NotACursor => "not-a-cursor", "field-try-again";
    /// Not a valid key for custom data.
    NotACustomKey { max: usize } => "not-a-custom-key", "field-check";
    /// Custom data with more than `max` keys.
    TooManyKeys { max: usize } => "too-many-keys", "field-shorten";
    /// Custom data of more than `max` bytes.
    TooMuchData { max: usize } => "too-much-data", "field-shorten";
    /// Nested more than `max` levels deep.
    TooDeep { max: usize } => "too-deep", "field-check";
    /// Not a web address.
    NotAWebAddress => "not-a-web-address", "field-address";
    /// Not a URL.
    NotAnAddress => "not-an-address", "field-address";
    /// A URL with a scheme other than these.
    WrongScheme { choices: &'static str } => "wrong-scheme", "field-address";
    /// A URL that contains a username or a password.
    AddressWithUser => "address-with-user", "field-address";
    /// A URL without a host.
    NoHost => "no-host", "field-address";
    /// An address in a non-public network.
    NotPublic => "not-public", "field-not-public";

    /// The body ended prematurely.
    BodyBroken => "body-broken", "field-try-again";
    /// The body is not JSON.
    NotJson { line: usize, column: usize } => "not-json", "field-try-again";
    /// The body is JSON, but of the wrong shape.
    WrongShape { line: usize, column: usize } => "wrong-shape", "field-try-again";
    /// The query has an unknown parameter, or one of the wrong type.
    WrongQuery => "wrong-query", "field-try-again";
    /// The body is not a multipart form with an image in this field.
    NotMultipart => "not-multipart", "field-try-again";
    /// An access token, where only a user token can be renewed.
    RenewedElsewhere => "renewed-elsewhere", "field-try-again";

    /// Not valid GraphQL; `line` and `column` say where.
    NotGraphql { line: usize, column: usize } => "not-graphql", "field-try-again";
    /// GraphQL that does not match the schema.
    NotInSchema => "not-in-schema", "field-try-again";
    /// A document with too many brackets.
    TooManyBrackets { max: usize } => "too-many-brackets", "field-try-again";
    /// A document with several operations.
    SeveralOperations => "several-operations", "field-try-again";
    /// A document with several root fields.
    SeveralRootFields => "several-root-fields", "field-try-again";
    /// A document that selects too many fields.
    TooManyFields { max: usize } => "too-many-fields", "field-try-again";
    /// A document that is nested too deeply.
    TooManyLevels { max: usize } => "too-many-levels", "field-try-again";
    /// A document that repeats a field too often.
    TooManyRepeats { max: usize } => "too-many-repeats", "field-try-again";
    /// A document that queries the schema.
    Introspection => "introspection", "field-try-again";

    /// Neither a parameter nor the content type nor the file's name says the format of a file.
    FormatUnknown => "format-unknown", "field-choose";
    /// An empty file.
    EmptyFile => "empty-file", "field-empty-file";
    /// A file that is not UTF-8; `at` is the offset of the first invalid byte.
    NotUtf8 { at: u64 } => "not-utf-8", "field-not-utf-8";
    /// A JSON file that is not a list.
    NotAList => "not-a-list", "field-check";
    /// A list of more than `max` items.
    TooManyItems { max: usize } => "too-many-items", "field-shorten";
    /// A column that occurs twice.
    ColumnTwice => "column-twice", "field-column-twice";
    /// Columns that do not correspond to any field.
    UnknownColumns => "unknown-columns", "field-unknown-columns";
    /// The first line is not a CSV row.
    NotARow => "not-a-row", "field-check";
}

impl From<Infallible> for Reason {
    fn from(error: Infallible) -> Self {
        match error {}
    }
}

impl From<NameError> for Reason {
    fn from(error: NameError) -> Self {
        match error {
            NameError::Email => Self::NotAnEmail,
            NameError::Phone => Self::NotAPhone,
            NameError::Username => Self::NotAUsername,
            NameError::Identifier => Self::NotAnIdentifier,
        }
    }
}
