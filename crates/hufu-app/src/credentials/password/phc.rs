//! The PHC string format: `$id[$v=version][$name=value,…]$salt$hash`, base64 without padding
//! (<https://github.com/P-H-C/phc-string-format>).

use std::fmt::Write as _;

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

/// Base64 without padding. Padding is accepted when decoding, because some writers keep it.
pub(super) const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_encode_padding(false)
        .with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// A parsed hash in this format. All parameters of the supported schemes are numbers.
pub(super) struct Phc<'a> {
    pub(super) version: Option<u32>,
    parameters: Vec<(&'a str, u32)>,
    pub(super) salt: Vec<u8>,
    pub(super) hash: Vec<u8>,
}

impl<'a> Phc<'a> {
    /// Parses what follows `$id$`. The error says what is wrong.
    pub(super) fn parse(rest: &'a str) -> Result<Self, &'static str> {
        let mut fields: Vec<&str> = rest.split('$').collect();
        let hash = fields.pop().ok_or("it has no hash")?;
        let salt = fields.pop().ok_or("it has no salt")?;
        let mut fields = fields.into_iter().peekable();
        let version = fields.next_if(|field| field.starts_with("v="));
        let parameters = fields.next().unwrap_or_default();
        if fields.next().is_some() {
            return Err("it has too many fields");
        }
        Ok(Self {
            version: version.and_then(|v| v.strip_prefix("v=")).map(number).transpose()?,
            parameters: parameters
                .split(',')
                .filter(|p| !p.is_empty())
                .map(parameter)
                .collect::<Result<_, _>>()?,
            salt: BASE64.decode(salt).map_err(|_| "its salt is no base64")?,
            hash: BASE64.decode(hash).map_err(|_| "its hash is no base64")?,
        })
    }

    /// Removes a parameter and returns its value.
    pub(super) fn take(&mut self, name: &str) -> Option<u32> {
        let at = self.parameters.iter().position(|(n, _)| *n == name)?;
        Some(self.parameters.remove(at).1)
    }

    /// Ends parsing. A parameter that is left over would affect the hash in an unknown way.
    pub(super) fn finish(&self) -> Result<(), &'static str> {
        if self.parameters.is_empty() {
            Ok(())
        } else {
            Err("it has a parameter that is unknown or stands twice")
        }
    }
}

fn parameter(text: &str) -> Result<(&str, u32), &'static str> {
    let (name, value) = text.split_once('=').ok_or("a parameter has no value")?;
    Ok((name, number(value)?))
}

/// Parses a decimal number without a sign or leading zeros.
pub(super) fn number(text: &str) -> Result<u32, &'static str> {
    let plain = text.bytes().all(|b| b.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    plain.then(|| text.parse().ok()).flatten().ok_or("a parameter is no number, or too large")
}

/// Formats a hash.
pub(super) fn format(
    id: &str,
    version: Option<u32>,
    parameters: &[(&str, u32)],
    salt: &[u8],
    hash: &[u8],
) -> String {
    let mut text = format!("${id}");
    // Writing to a `String` cannot fail.
    if let Some(version) = version {
        let _ = write!(text, "$v={version}");
    }
    for (i, (name, value)) in parameters.iter().enumerate() {
        let _ = write!(text, "{}{name}={value}", if i == 0 { '$' } else { ',' });
    }
    let _ = write!(text, "${}${}", BASE64.encode(salt), BASE64.encode(hash));
    text
}
