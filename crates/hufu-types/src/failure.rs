//! Errors formatted as one line for operators.

use std::error::Error;

/// An error with all its causes: `what failed: its cause: the cause of that`.
pub fn chain(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let text_of_error = error.to_string();
        // A transparent error has the same text as its source.
        if !text.ends_with(&text_of_error) {
            text.push_str(": ");
            text.push_str(&text_of_error);
        }
        cause = error.source();
    }
    text
}
