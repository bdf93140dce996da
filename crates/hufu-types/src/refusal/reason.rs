//! The table of what may be wrong with a field of a request.

use std::borrow::Cow;
use std::convert::Infallible;

use crate::NameError;
use crate::texts::Argument;

/// Builds the enum and its look-ups. A row is: variant { values } => key for the integrator, key for the person.
macro_rules! reasons {
    ($($(#[$doc:meta])* $name:ident $({ $($value:ident: $type:ty),* })? => $integrator:literal, $person:literal;)*) => {
        /// Why a field of a request is not right. Sentences for integrators name the field; those for people stand
        /// beside it.
        #[derive(Clone, Debug, PartialEq, Eq)]
        #[expect(missing_docs, reason = "the values of a reason are what its sentence calls them")]
        pub enum Reason {
            $($(#[$doc])* $name $({ $($value: $type),* })?,)*
        }

        impl Reason {
            /// Every row: the keys of the sentences, and the placeholders that they may have beside `$field`.
            pub const ROWS: &'static [(&'static str, &'static str, &'static [&'static str])] =
                &[$(($integrator, $person, &[$($(stringify!($value)),*)?]),)*];

            /// The key of the sentence for integrators.
            pub const fn integrator_key(&self) -> &'static str {
                match self { $(Self::$name { .. } => $integrator,)* }
            }

            /// The key of the sentence for people.
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
    /// The field is what WeChat returned to the client, and is missing.
    MissingFromWechat => "missing-from-wechat", "field-try-again";
    /// One of several fields is needed, exactly one: `field` lists them.
    OneNeeded => "one-needed", "field-missing";
    /// The field is there, but empty.
    Empty => "empty", "field-missing";
    /// A value is null where data is set.
    Null => "null", "field-missing";

    /// Not text.
    NotText => "not-text", "field-check";
    /// Not a number.
    NotANumber => "not-a-number", "field-number";
    /// Neither true nor false.
    NotABoolean => "not-a-boolean", "field-check";
    /// Not a timestamp by RFC 3339.
    NotATimestamp => "not-a-timestamp", "field-timestamp";
    /// Neither a timestamp by RFC 3339 nor milliseconds since 1970.
    NotADatetime => "not-a-datetime", "field-timestamp";
    /// Not a JSON object.
    NotAnObject => "not-an-object", "field-check";
    /// The body is no form, or has a parameter twice (RFC 6749 3.2).
    NotAForm => "not-a-form", "field-check";
    /// Not the JSON text of a list of key and value.
    NotPairs => "not-pairs", "field-check";
    /// Not one of a few values.
    NotOneOf { choices: Cow<'static, str> } => "not-one-of", "field-choose";
    /// A value nobody knows.
    Unknown { value: String } => "unknown-value", "field-check";
    /// A name nobody knows, which is not repeated.
    UnknownName => "unknown-name", "field-choose";
    /// An id or the like that is malformed.
    Malformed => "malformed", "field-check";
    /// No field of this name is known.
    UnknownField => "unknown-field", "field-unknown";
    /// The field is not set here, but at `place`.
    SetElsewhere { place: &'static str } => "set-elsewhere", "field-unknown";

    /// Longer than so many characters.
    TooLong { max: usize } => "too-long", "field-too-long";
    /// Longer than so many bytes.
    TooManyBytes { max: usize } => "too-many-bytes", "field-shorten";
    /// Not so many characters in one line.
    NotALine { max: usize } => "not-a-line", "field-length";
    /// The same, with spaces around them.
    NotATrimmedLine { max: usize } => "not-a-trimmed-line", "field-length";
    /// Not so many letters, digits and signs of ASCII.
    NotAscii { max: usize } => "not-ascii", "field-check";
    /// Not so many characters as a search inside of names needs.
    TooShortToSearch { min: usize } => "too-short-to-search", "field-too-short";
    /// Not a number of this range.
    OutOfRange { min: u32, max: u32 } => "out-of-range", "field-range";
    /// A NUL character.
    Nul => "nul", "field-check";

    /// Not an e-mail address.
    NotAnEmail => "not-an-email", "field-email";
    /// Not a phone number in international form.
    NotAPhone => "not-a-phone", "field-phone";
    /// Not a username.
    NotAUsername => "not-a-username", "field-username";
    /// Not the identifier of a connection.
    NotAnIdentifier => "not-an-identifier", "field-check";
    /// A username that is a phone number.
    UsernameIsPhone => "username-is-phone", "field-username-is-phone";
    /// A phone number that gets no SMS.
    NotMobile => "not-mobile", "field-not-mobile";
    /// A phone number of a country that the pool sends no SMS to.
    CountryNotServed => "country-not-served", "field-country";
    /// A time in the past.
    InThePast => "in-the-past", "field-past";
    /// A new password that is the old one.
    SameAsOld => "same-as-old", "field-same-as-old";
    /// A password that should be encrypted with RSA, and is not base64 of the key's length.
    NotRsa => "not-rsa", "field-try-again";
    /// A password that should be encrypted with SM2, and is not hexadecimal.
    NotSm2 => "not-sm2", "field-try-again";
    /// A password that this instance's SM2 key does not decrypt.
    NotForThisKey => "not-for-this-key", "field-try-again";

    /// Not a place in this list.
    NotACursor => "not-a-cursor", "field-try-again";
    /// Not a name that custom data can have.
    NotACustomKey { max: usize } => "not-a-custom-key", "field-check";
    /// More custom data than so many keys.
    TooManyKeys { max: usize } => "too-many-keys", "field-shorten";
    /// More custom data than so many bytes.
    TooMuchData { max: usize } => "too-much-data", "field-shorten";
    /// Nested deeper than so many levels.
    TooDeep { max: usize } => "too-deep", "field-check";
    /// Not an address of the web.
    NotAWebAddress => "not-a-web-address", "field-address";
    /// Not an address at all.
    NotAnAddress => "not-an-address", "field-address";
    /// An address that does not begin with one of these.
    WrongScheme { choices: &'static str } => "wrong-scheme", "field-address";
    /// An address with a user or a password in it.
    AddressWithUser => "address-with-user", "field-address";
    /// An address without a host.
    NoHost => "no-host", "field-address";
    /// An address of a network that is not public.
    NotPublic => "not-public", "field-not-public";

    /// The body came too slowly.
    BodySlow => "body-slow", "field-try-again";
    /// The body ended before its end.
    BodyBroken => "body-broken", "field-try-again";
    /// The body is not JSON.
    NotJson { line: usize, column: usize } => "not-json", "field-try-again";
    /// The body is JSON of another shape.
    WrongShape { line: usize, column: usize } => "wrong-shape", "field-try-again";
    /// The query has a parameter that is unknown or of a wrong type.
    WrongQuery => "wrong-query", "field-try-again";
    /// The body is not a form with a picture in this field.
    NotMultipart => "not-multipart", "field-try-again";
    /// An access token where only a user token can be renewed.
    RenewedElsewhere => "renewed-elsewhere", "field-try-again";

    /// Not GraphQL, at this place.
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
    /// A document that is too deep.
    TooManyLevels { max: usize } => "too-many-levels", "field-try-again";
    /// A document that repeats a field.
    TooManyRepeats { max: usize } => "too-many-repeats", "field-try-again";
    /// A document that asks for the schema.
    Introspection => "introspection", "field-try-again";

    /// An empty file.
    EmptyFile => "empty-file", "field-empty-file";
    /// A file that is not UTF-8, by the first wrong byte.
    NotUtf8 { at: u64 } => "not-utf-8", "field-not-utf-8";
    /// A file of JSON that is not a list.
    NotAList => "not-a-list", "field-check";
    /// A column that stands twice.
    ColumnTwice => "column-twice", "field-column-twice";
    /// Columns for which no fields are known.
    UnknownColumns => "unknown-columns", "field-unknown-columns";
    /// The first row is not a row of CSV.
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
