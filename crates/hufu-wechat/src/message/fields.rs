//! The fields of a message: what XML and JSON have in common.

use super::MessageError;

/// The most fields that a message may have.
const MOST_FIELDS: usize = 128;

/// The fields directly below the root. Their names are compared without regard to case, because a server in
/// between may have changed it.
#[derive(Default)]
pub(super) struct Fields(Vec<(String, String)>);

impl Fields {
    pub(super) fn add(&mut self, name: String, value: String) -> Result<(), MessageError> {
        if self.0.len() == MOST_FIELDS {
            return Err(MessageError::TooLarge);
        }
        self.0.push((name, value));
        Ok(())
    }

    /// The value of a field; `None` if it is missing or empty. A field that is there twice is refused, since
    /// two readers could take two different values for it.
    pub(super) fn get(&self, name: &str) -> Result<Option<&str>, MessageError> {
        let mut found = self.0.iter().filter(|(of, _)| of.eq_ignore_ascii_case(name));
        match (found.next(), found.next()) {
            (_, Some(_)) => Err(MessageError::Malformed("a field is there twice")),
            (field, None) => Ok(field.map(|(_, value)| value.trim()).filter(|value| !value.is_empty())),
        }
    }
}
