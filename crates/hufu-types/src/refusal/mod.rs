//! Refusals: the reasons why a client's request is not carried out.
//!
//! [`Code`] is the only table of refusals: number, status and the keys of the sentences in `texts/refusals`.
//! To add a refusal, add a row there, its sentences, and a row in docs/errors.md. [`Reason`] is the
//! corresponding table for invalid request fields.

mod code;
mod reason;
mod sentences;

use std::borrow::Cow;
use std::error::Error;
use std::fmt;
use std::time::Duration;

use serde_json::{Value, json};

pub use crate::texts::Argument;
pub use code::Code;
pub use reason::Reason;
pub use sentences::{Advice, FOR_INTEGRATORS, FOR_PEOPLE};

/// A refusal: the request had no effect. Each surface renders it in its own envelope. The `Display` text is
/// the English sentence for integrators without its full stop; the error's sources give operators more
/// detail.
pub struct Refusal {
    code: Code,
    details: Option<Box<Details>>,
}

#[derive(Default)]
struct Details {
    arguments: Vec<(&'static str, Argument)>,
    fault: Option<(Cow<'static, str>, Reason)>,
    data: Option<Value>,
    /// How long to wait before trying again, in seconds.
    retry_after: Option<u64>,
    source: Option<Box<dyn Error + Send + Sync>>,
}

impl Refusal {
    /// A refusal without further details.
    pub const fn new(code: Code) -> Self {
        Self { code, details: None }
    }

    /// A refusal of a request with an invalid field, named as the client sent it.
    pub fn invalid(field: impl Into<Cow<'static, str>>, reason: Reason) -> Self {
        Self::faulty(Code::Invalid, field, reason)
    }

    /// Like [`Refusal::invalid`], with a different code.
    pub fn faulty(code: Code, field: impl Into<Cow<'static, str>>, reason: Reason) -> Self {
        let mut refusal = Self::new(code);
        refusal.details().fault = Some((field.into(), reason));
        refusal
    }

    /// An internal error with its cause.
    pub fn internal(cause: impl Error + Send + Sync + 'static) -> Self {
        Code::Internal.because(cause)
    }

    /// A field that the request's type does not have, with those that it has. What the client wrote is shortened.
    pub fn no_such_field(field: &str, choices: &[&str]) -> Self {
        let shown: String = field.chars().filter(|c| !c.is_control()).take(64).collect();
        let reason = if choices.is_empty() {
            Reason::UnknownField
        } else {
            Reason::NoSuchField { choices: choices.join(", ") }
        };
        Self::invalid(shown, reason)
    }

    /// Sets the value of a placeholder: one of [`Code::arguments`].
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl Into<Argument>) -> Self {
        debug_assert!(self.code.arguments().contains(&name), "{:?} has no {name}", self.code);
        self.details().arguments.push((name, value.into()));
        self
    }

    /// Adds the reason, an error or a text. Shown only to operators.
    #[must_use]
    pub fn because(mut self, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.details().source = Some(source.into());
        self
    }

    /// Says how long to wait before trying again. Clients get it in whole seconds, rounded up and never 0: in
    /// the sentence, and as `retryAfter` in the data.
    #[must_use]
    pub fn retry_after(mut self, wait: Duration) -> Self {
        let seconds = wait.as_secs().saturating_add(u64::from(wait.subsec_nanos() > 0)).max(1);
        let details = self.details();
        details.retry_after = Some(seconds);
        details.data = Some(json!({ "retryAfter": seconds }));
        self
    }

    /// Adds data for the client.
    #[must_use]
    pub fn carrying(mut self, data: Value) -> Self {
        self.details().data = Some(data);
        self
    }

    fn details(&mut self) -> &mut Details {
        self.details.get_or_insert_default()
    }

    /// The code.
    pub const fn code(&self) -> Code {
        self.code
    }

    /// Whether it has this code.
    pub fn is(&self, code: Code) -> bool {
        self.code == code
    }

    /// The stable error number.
    pub const fn number(&self) -> u32 {
        self.code.number()
    }

    /// The invalid field, as the client calls it, and what is wrong with it.
    pub fn fault(&self) -> Option<(&str, &Reason)> {
        self.details.as_ref()?.fault.as_ref().map(|(field, reason)| (field.as_ref(), reason))
    }

    /// The text of a placeholder: see [`Refusal::with`].
    pub fn text(&self, name: &str) -> Option<&str> {
        let arguments = &self.details.as_ref()?.arguments;
        arguments.iter().find_map(|(argument, value)| match value {
            Argument::Text(text) if *argument == name => Some(text.as_ref()),
            _ => None,
        })
    }

    /// The data with which the client can continue.
    pub fn data(&self) -> Option<&Value> {
        self.details.as_ref()?.data.as_ref()
    }

    /// How many seconds to wait before trying again, if waiting helps. Never 0.
    pub fn seconds_to_wait(&self) -> Option<u64> {
        let said = self.details.as_ref().and_then(|details| details.retry_after);
        said.or_else(|| self.code.arguments().contains(&"seconds").then_some(1))
    }

    /// The reason, if it is an error of this type.
    pub fn source_as<E: Error + 'static>(&self) -> Option<&E> {
        self.source()?.downcast_ref()
    }

    /// Splits off the reason.
    pub fn take_source(mut self) -> (Self, Option<Box<dyn Error + Send + Sync>>) {
        let source = self.details.as_mut().and_then(|details| details.source.take());
        (self, source)
    }
}

impl Code {
    /// A refusal with the value of a placeholder: see [`Refusal::with`].
    pub fn with(self, name: &'static str, value: impl Into<Argument>) -> Refusal {
        Refusal::new(self).with(name, value)
    }

    /// A refusal that says how long to wait: see [`Refusal::retry_after`].
    pub fn retry_after(self, wait: Duration) -> Refusal {
        Refusal::new(self).retry_after(wait)
    }

    /// A refusal with a reason for operators: see [`Refusal::because`].
    pub fn because(self, source: impl Into<Box<dyn Error + Send + Sync>>) -> Refusal {
        Refusal::new(self).because(source)
    }
}

impl From<Code> for Refusal {
    fn from(code: Code) -> Self {
        Self::new(code)
    }
}

#[expect(clippy::missing_fields_in_debug, reason = "empty fields are omitted")]
impl fmt::Debug for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct(&format!("{:?}", self.code));
        if let Some(fault) = self.fault() {
            shown.field("fault", &fault);
        }
        if let Some(data) = self.data() {
            shown.field("data", &format_args!("{data}"));
        }
        if let Some(source) = self.source() {
            shown.field("source", &source);
        }
        shown.finish()
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // More may follow: the sources, or the rest of a log message.
        f.write_str(self.for_integrator(crate::Language::English).trim_end_matches('.'))
    }
}

impl Error for Refusal {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        let source = self.details.as_ref()?.source.as_ref()?;
        Some(source.as_ref())
    }
}
