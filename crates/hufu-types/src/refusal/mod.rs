//! Why something that a client asked for is not done.
//!
//! [`Code`] is the one table of refusals: number, status and the keys of the sentences in `texts/refusals`. A new
//! refusal is a row there, its sentences, and a row in docs/errors.md. [`Reason`] is the same for what may be wrong
//! with a field of a request.

mod code;
mod reason;
mod sentences;

use std::borrow::Cow;
use std::error::Error;
use std::fmt;

use serde_json::Value;

pub use crate::texts::Argument;
pub use code::Code;
pub use reason::Reason;
pub use sentences::{Advice, FOR_INTEGRATORS, FOR_PEOPLE};

/// A refusal: nothing was stored. Surfaces turn it into their envelope; the `Display` text is the English sentence for
/// integrators without its full stop, and its sources say more to operators.
pub struct Refusal {
    code: Code,
    details: Option<Box<Details>>,
}

#[derive(Default)]
struct Details {
    arguments: Vec<(&'static str, Argument)>,
    fault: Option<(Cow<'static, str>, Reason)>,
    data: Option<Value>,
    source: Option<Box<dyn Error + Send + Sync>>,
}

impl Refusal {
    /// A refusal of which there is nothing more to say.
    pub const fn new(code: Code) -> Self {
        Self { code, details: None }
    }

    /// A request with a field, named as the client sent it, that is not right.
    pub fn invalid(field: impl Into<Cow<'static, str>>, reason: Reason) -> Self {
        Self::faulty(Code::Invalid, field, reason)
    }

    /// The same with a code of its own.
    pub fn faulty(code: Code, field: impl Into<Cow<'static, str>>, reason: Reason) -> Self {
        let mut refusal = Self::new(code);
        refusal.details().fault = Some((field.into(), reason));
        refusal
    }

    /// An internal error with its cause.
    pub fn internal(cause: impl Error + Send + Sync + 'static) -> Self {
        Code::Internal.because(cause)
    }

    /// With a value for a placeholder of the sentences: one of [`Code::arguments`].
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl Into<Argument>) -> Self {
        debug_assert!(self.code.arguments().contains(&name), "{:?} has no {name}", self.code);
        self.details().arguments.push((name, value.into()));
        self
    }

    /// With the reason, for operators alone: an error, or a text.
    #[must_use]
    pub fn because(mut self, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.details().source = Some(source.into());
        self
    }

    /// With data for the client.
    #[must_use]
    pub fn carrying(mut self, data: Value) -> Self {
        self.details().data = Some(data);
        self
    }

    fn details(&mut self) -> &mut Details {
        self.details.get_or_insert_default()
    }

    /// The row of the table.
    pub const fn code(&self) -> Code {
        self.code
    }

    /// Whether it is this refusal.
    pub fn is(&self, code: Code) -> bool {
        self.code == code
    }

    /// The stable number.
    pub const fn number(&self) -> u32 {
        self.code.number()
    }

    /// The field that is not right, as the client calls it, and the reason.
    pub fn fault(&self) -> Option<(&str, &Reason)> {
        self.details.as_ref()?.fault.as_ref().map(|(field, reason)| (field.as_ref(), reason))
    }

    /// What the client gets to go on with.
    pub fn data(&self) -> Option<&Value> {
        self.details.as_ref()?.data.as_ref()
    }

    /// The reason, where it is an error of this type.
    pub fn source_as<E: Error + 'static>(&self) -> Option<&E> {
        self.source()?.downcast_ref()
    }

    /// Without its reason, and the reason.
    pub fn take_source(mut self) -> (Self, Option<Box<dyn Error + Send + Sync>>) {
        let source = self.details.as_mut().and_then(|details| details.source.take());
        (self, source)
    }
}

impl Code {
    /// A refusal with a value for a placeholder: see [`Refusal::with`].
    pub fn with(self, name: &'static str, value: impl Into<Argument>) -> Refusal {
        Refusal::new(self).with(name, value)
    }

    /// A refusal with the reason for operators: see [`Refusal::because`].
    pub fn because(self, source: impl Into<Box<dyn Error + Send + Sync>>) -> Refusal {
        Refusal::new(self).because(source)
    }
}

impl From<Code> for Refusal {
    fn from(code: Code) -> Self {
        Self::new(code)
    }
}

#[expect(clippy::missing_fields_in_debug, reason = "what is empty is left out")]
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
        // More may follow: the reasons, or the sentence of whoever logs it.
        f.write_str(self.for_integrator(crate::Language::English).trim_end_matches('.'))
    }
}

impl Error for Refusal {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        let source = self.details.as_ref()?.source.as_ref()?;
        Some(source.as_ref())
    }
}
