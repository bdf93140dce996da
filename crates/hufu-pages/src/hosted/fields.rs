//! The fields of hosted forms.

use hufu_app::{Refusal, Target};
use hufu_types::{CustomField, CustomFieldType, Email, Gender, PasscodeChannel, Phone, PoolSettings};
use hufu_web::page::Field;

use super::common::{Said, Visit, Words};

/// A field of a form, rendered by the macro `input` of `hosted/parts.html`.
pub(super) enum Input {
    /// One line.
    Line(Field),
    /// A password, with the page for whoever forgot it.
    Password(Field, Option<String>),
    /// A phone number, with the countries that messages are sent to.
    Phone(Field, Vec<Choice>),
    /// A code, with the button that sends it.
    Code(Field, String),
    /// One of several.
    Select(Field, Vec<Choice>),
    /// Several lines.
    Text(Field),
}

/// An option of a list.
pub(super) struct Choice {
    pub(super) value: String,
    pub(super) text: String,
    pub(super) is_chosen: bool,
}

impl Input {
    fn field_mut(&mut self) -> &mut Field {
        match self {
            Self::Line(field)
            | Self::Password(field, _)
            | Self::Phone(field, _)
            | Self::Code(field, _)
            | Self::Select(field, _)
            | Self::Text(field) => field,
        }
    }

    fn field(&self) -> &Field {
        match self {
            Self::Line(field)
            | Self::Password(field, _)
            | Self::Phone(field, _)
            | Self::Code(field, _)
            | Self::Select(field, _)
            | Self::Text(field) => field,
        }
    }

    fn needs_attention(&self) -> bool {
        let field = self.field();
        field.error.is_some() || (field.value.is_empty() && field.required)
    }
}

/// The names of fields.
pub(super) fn names(inputs: &[Input]) -> Vec<&str> {
    inputs.iter().map(|input| input.field().name.as_ref()).collect()
}

/// What the enter key presses, if there is a field for a code: the button beside that would come first. Without a code
/// on its way the form is sent as it is, for a code.
pub(super) fn enter(inputs: &[Input]) -> Option<&'static str> {
    inputs.iter().find_map(|input| match input {
        Input::Code(field, _) => Some(if field.required { "" } else { "formnovalidate" }),
        _ => None,
    })
}

/// Writes errors to their fields, and puts the cursor into the first one that needs it.
pub(super) fn told(mut inputs: Vec<Input>, said: &Said) -> Vec<Input> {
    for input in &mut inputs {
        let field = input.field_mut();
        field.error = said.errors.of(&field.name).map(str::to_owned);
    }
    let is_wrong = |input: &Input| input.field().error.is_some();
    let place = inputs.iter().position(is_wrong).or_else(|| inputs.iter().position(Input::needs_attention));
    if let Some(input) = place.and_then(|place| inputs.get_mut(place)) {
        input.field_mut().focused = true;
    }
    inputs
}

/// The field for whichever of the account's names.
pub(super) fn account(visit: &Visit, words: &Words) -> Input {
    let hint = visit.open.request.login_hint.as_deref().unwrap_or_default();
    let value = words.raw("account").unwrap_or(hint).to_owned();
    Input::Line(Field {
        autocomplete: "username",
        value,
        required: true,
        ..Field::new("account", visit.text("account"))
    })
}

/// A line of this name.
pub(super) fn line(name: &'static str, label: String, autocomplete: &'static str, words: &Words) -> Input {
    Input::Line(Field { autocomplete, value: words.shown(name), required: true, ..Field::new(name, label) })
}

/// The password of an account. What was typed is never shown again.
pub(super) fn password(visit: &Visit) -> Input {
    let forgot = visit.address("/forgot", &[]);
    let field = Field::new("password", visit.text("password"));
    Input::Password(
        Field { kind: "password", autocomplete: "current-password", required: true, ..field },
        Some(forgot),
    )
}

/// A password that is made here.
pub(super) fn new_password(visit: &Visit, required: bool) -> Input {
    let settings = visit.settings();
    let label = visit.text(if required { "new-password" } else { "new-password-optional" });
    let hint = Some(visit.text_with("new-password-hint", "min", settings.password.min_length.to_string()));
    let field = Field { hint, required, ..Field::new("new-password", label) };
    Input::Password(Field { kind: "password", autocomplete: "new-password", ..field }, None)
}

/// Where messages can go if the pool sends them everywhere: the countries that come first in the list. Others are
/// written with `+`.
const COUNTRIES: [&str; 8] = ["86", "852", "853", "886", "81", "65", "1", "44"];

fn countries(settings: &PoolSettings) -> Vec<String> {
    if settings.sms_countries.is_empty() {
        return COUNTRIES.iter().map(|code| (*code).to_owned()).collect();
    }
    settings.sms_countries.clone()
}

/// A phone number.
pub(super) fn phone(visit: &Visit, words: &Words) -> Input {
    let countries = countries(&visit.settings());
    let chosen =
        words.get("country").map(str::to_owned).or_else(|| countries.first().cloned()).unwrap_or_default();
    let choice = |value: String| Choice { text: format!("+{value}"), is_chosen: value == chosen, value };
    let hint = visit.open.request.login_hint.as_deref().filter(|hint| is_number(hint)).unwrap_or_default();
    let value = words.raw("phone").unwrap_or(hint).to_owned();
    let field = Field { value, required: true, kind: "tel", ..Field::new("phone", visit.text("phone")) };
    let field = Field { autocomplete: "tel-national", input_mode: "tel", ..field };
    Input::Phone(field, countries.into_iter().map(choice).collect())
}

fn is_number(text: &str) -> bool {
    text.chars().all(|c| c.is_ascii_digit() || matches!(c, '+' | ' ' | '-'))
}

/// An e-mail address.
pub(super) fn email(visit: &Visit, words: &Words) -> Input {
    let hint = visit.open.request.login_hint.as_deref().filter(|hint| hint.contains('@')).unwrap_or_default();
    let value = words.raw("email").unwrap_or(hint).to_owned();
    let field = Field { value, required: true, kind: "email", ..Field::new("email", visit.text("email")) };
    Input::Line(Field { autocomplete: "email", input_mode: "email", ..field })
}

/// A code. It is only required once one is on its way.
pub(super) fn code(visit: &Visit, has_sent: bool) -> Input {
    let hint = has_sent.then(|| visit.text("code-hint"));
    let field = Field { hint, required: has_sent, ..Field::new("code", visit.text("code")) };
    let send = visit.text(if has_sent { "send-code-again" } else { "send-code" });
    Input::Code(Field { autocomplete: "one-time-code", input_mode: "numeric", ..field }, send)
}

/// A phone number or an address, and the code for it.
pub(super) fn proof(visit: &Visit, channel: PasscodeChannel, words: &Words, has_sent: bool) -> Vec<Input> {
    let to = match channel {
        PasscodeChannel::Sms => phone(visit, words),
        PasscodeChannel::Email => email(visit, words),
    };
    vec![to, code(visit, has_sent)]
}

/// The phone number that was filled in.
pub(super) fn read_phone(visit: &Visit, words: &Words) -> Result<Phone, Refusal> {
    let number = words.required("phone")?;
    let countries = countries(&visit.settings());
    let country = words.get("country").or_else(|| countries.first().map(String::as_str)).unwrap_or("86");
    let parsed =
        if number.starts_with('+') { Phone::parse(number) } else { Phone::from_parts(country, number) };
    parsed.map_err(|error| Refusal::invalid("phone", error.into()))
}

/// The address that was filled in.
pub(super) fn read_email(words: &Words) -> Result<Email, Refusal> {
    Email::parse(words.required("email")?).map_err(|error| Refusal::invalid("email", error.into()))
}

/// Where a code goes.
pub(super) fn read_target(visit: &Visit, channel: PasscodeChannel, words: &Words) -> Result<Target, Refusal> {
    Ok(match channel {
        PasscodeChannel::Sms => Target::Phone(read_phone(visit, words)?),
        PasscodeChannel::Email => Target::Email(read_email(words)?),
    })
}

/// The field for something that an account lacks: a username, a field of the profile, or custom data.
pub(super) fn missing(visit: &Visit, name: &str, words: &Words) -> Input {
    let value = words.shown(name);
    if let Some(key) = name.strip_prefix("custom.") {
        let settings = visit.settings();
        return custom(visit, key, settings.custom_field(key), value);
    }
    let label = label(visit, name);
    let field = Field { value, required: true, ..Field::new(name.to_owned(), label) };
    match name {
        "gender" => {
            let texts = ["gender-male", "gender-female", "gender-unknown"];
            let choices = Gender::ALL.iter().zip(texts).map(|(gender, text)| Choice {
                value: gender.as_str().to_owned(),
                text: visit.text(text),
                is_chosen: field.value == gender.as_str(),
            });
            Input::Select(field.clone(), choices.collect())
        }
        "birthdate" => Input::Line(Field { kind: "date", autocomplete: "bday", ..field }),
        "website" | "profile" | "photo" => Input::Line(Field { kind: "url", autocomplete: "url", ..field }),
        "username" => Input::Line(Field { autocomplete: "username", ..field }),
        "nickname" => Input::Line(Field { autocomplete: "nickname", ..field }),
        "name" => Input::Line(Field { autocomplete: "name", ..field }),
        "given_name" => Input::Line(Field { autocomplete: "given-name", ..field }),
        "family_name" => Input::Line(Field { autocomplete: "family-name", ..field }),
        "company" => Input::Line(Field { autocomplete: "organization", ..field }),
        "postal_code" => Input::Line(Field { autocomplete: "postal-code", ..field }),
        _ => Input::Line(field),
    }
}

fn custom(visit: &Visit, key: &str, declared: Option<&CustomField>, value: String) -> Input {
    let label = declared.map(|field| field.label.clone()).filter(|label| !label.is_empty());
    let label = label.unwrap_or_else(|| key.to_owned());
    let field = Field { value, required: true, ..Field::new(format!("custom.{key}"), label) };
    let choices = |options: Vec<(String, String)>, field: Field| {
        let choice =
            |(value, text): (String, String)| Choice { is_chosen: value == field.value, value, text };
        let choices = options.into_iter().map(choice).collect();
        Input::Select(field, choices)
    };
    match declared.map(|field| field.kind) {
        Some(CustomFieldType::Number) => Input::Line(Field { input_mode: "decimal", ..field }),
        Some(CustomFieldType::Boolean) => {
            let options = [("true", "yes"), ("false", "no")];
            choices(options.map(|(value, text)| (value.to_owned(), visit.text(text))).into(), field)
        }
        Some(CustomFieldType::Datetime) => Input::Line(Field { kind: "datetime-local", ..field }),
        Some(CustomFieldType::Enumeration) => {
            let options = declared.map(|field| field.options.clone()).unwrap_or_default();
            choices(options.into_iter().map(|option| (option.clone(), option)).collect(), field)
        }
        Some(CustomFieldType::Object) => Input::Text(field),
        Some(CustomFieldType::Text) | None => Input::Line(field),
    }
}

/// What a field of an account is called, by the name that it has in settings (`given_name`) or in a preview
/// (`givenName`).
pub(super) fn label(visit: &Visit, name: &str) -> String {
    if let Some(key) = name.strip_prefix("custom.") {
        let settings = visit.settings();
        let declared = settings.custom_field(key).map(|field| field.label.clone());
        return declared.filter(|label| !label.is_empty()).unwrap_or_else(|| key.to_owned());
    }
    if let Some(id) = name.strip_prefix("agreement.") {
        let settings = visit.settings();
        let agreement = settings.agreements.iter().find(|agreement| agreement.id == id);
        return agreement.map_or_else(
            || id.to_owned(),
            |agreement| agreement.title.in_language(visit.language()).to_owned(),
        );
    }
    LABELS
        .iter()
        .find(|(field, camel, _)| *field == name || *camel == name)
        .map_or_else(|| name.to_owned(), |(_, _, key)| visit.text(key))
}

/// The fields of accounts that have a name in the texts.
const LABELS: [(&str, &str, &str); 26] = [
    ("phone", "", "phone"),
    ("email", "", "email"),
    ("password", "", "password"),
    ("username", "", "field-username"),
    ("nickname", "", "field-nickname"),
    ("photo", "", "field-photo"),
    ("name", "", "field-name"),
    ("given_name", "givenName", "field-given-name"),
    ("family_name", "familyName", "field-family-name"),
    ("middle_name", "middleName", "field-middle-name"),
    ("profile", "", "field-profile"),
    ("website", "", "field-website"),
    ("gender", "", "field-gender"),
    ("birthdate", "", "field-birthdate"),
    ("zoneinfo", "", "field-zoneinfo"),
    ("locale", "", "field-locale"),
    ("address", "", "field-address"),
    ("formatted", "", "field-address"),
    ("street_address", "streetAddress", "field-street-address"),
    ("locality", "", "field-city"),
    ("region", "", "field-province"),
    ("postal_code", "postalCode", "field-postal-code"),
    ("city", "", "field-city"),
    ("province", "", "field-province"),
    ("country", "", "field-country"),
    ("company", "", "field-company"),
];
