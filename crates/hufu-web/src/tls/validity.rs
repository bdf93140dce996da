//! From when until when a certificate is valid (RFC 5280 section 4.1.2.5). The TLS library checks this for certificates
//! of others, and does not tell it of one's own.

use hufu_types::Timestamp;

const INTEGER: u8 = 0x02;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
const SEQUENCE: u8 = 0x30;
/// The version, which the oldest certificates lack.
const EXPLICIT_0: u8 = 0xa0;

/// From when until when a certificate is valid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Validity {
    pub(super) from: Timestamp,
    pub(super) until: Timestamp,
}

impl Validity {
    /// That of a certificate in DER. None if it is malformed.
    pub(super) fn of(certificate: &[u8]) -> Option<Self> {
        let (signed, _) = element(SEQUENCE, certificate)?;
        let (fields, _) = element(SEQUENCE, signed)?;
        let fields = element(EXPLICIT_0, fields).map_or(fields, |(_, rest)| rest);
        let (_serial, fields) = element(INTEGER, fields)?;
        let (_algorithm, fields) = element(SEQUENCE, fields)?;
        let (_issuer, fields) = element(SEQUENCE, fields)?;
        let (times, _) = element(SEQUENCE, fields)?;
        let (from, times) = time(times)?;
        let (until, _) = time(times)?;
        Some(Self { from, until })
    }
}

/// The content of the first element, which must have this tag, and what comes after it.
fn element(tag: u8, input: &[u8]) -> Option<(&[u8], &[u8])> {
    let (found, rest) = input.split_first()?;
    let (&length, rest) = rest.split_first()?;
    let (length, rest) = if length < 0x80 {
        (usize::from(length), rest)
    } else {
        let (digits, rest) = rest.split_at_checked(usize::from(length & 0x7f))?;
        let length = digits.iter().try_fold(0_usize, |length, digit| {
            length.checked_mul(256).map(|length| length | usize::from(*digit))
        });
        (length?, rest)
    };
    (*found == tag).then(|| rest.split_at_checked(length))?
}

fn time(input: &[u8]) -> Option<(Timestamp, &[u8])> {
    let (text, rest, century) = match (element(UTC_TIME, input), element(GENERALIZED_TIME, input)) {
        (Some((text, rest)), _) => (text, rest, if text.first()? < &b'5' { "20" } else { "19" }),
        (None, Some((text, rest))) => (text, rest, ""),
        (None, None) => return None,
    };
    let digits = format!("{century}{}", std::str::from_utf8(text).ok()?.strip_suffix('Z')?);
    let part = |from: usize, to: usize| digits.get(from..to);
    let [year, month, day] = [part(0, 4)?, part(4, 6)?, part(6, 8)?];
    let [hour, minute, second] = [part(8, 10)?, part(10, 12)?, part(12, 14)?];
    let written = format!("{year}-{month}-{day}T{hour}:{minute}:{second}Z");
    let time: jiff::Timestamp = written.parse().ok()?;
    Some((Timestamp(time.as_millisecond()), rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A certificate of which nothing is there but what comes up to its times.
    fn certificate(version: &[u8], times: &[(u8, &str)]) -> Vec<u8> {
        let wrap = |tag: u8, content: &[u8]| {
            // The long form of the length, which real certificates need.
            let length = u16::try_from(content.len()).unwrap().to_be_bytes();
            [&[tag, 0x82, length[0], length[1]], content].concat()
        };
        let times: Vec<u8> = times.iter().flat_map(|(tag, text)| wrap(*tag, text.as_bytes())).collect();
        let fields = [
            version,
            &wrap(INTEGER, &[1]),
            &wrap(SEQUENCE, &[]),
            &wrap(SEQUENCE, &[5, 0]),
            &wrap(SEQUENCE, &times),
            &wrap(SEQUENCE, &[]),
        ];
        wrap(SEQUENCE, &wrap(SEQUENCE, &fields.concat()))
    }

    #[test]
    fn both_forms_of_a_time() {
        for version in [&[][..], &[EXPLICIT_0, 3, INTEGER, 1, 2]] {
            let der =
                certificate(version, &[(UTC_TIME, "991231235959Z"), (GENERALIZED_TIME, "20500101000000Z")]);
            let validity = Validity::of(&der).unwrap();
            assert_eq!(validity.from.to_iso(), "1999-12-31T23:59:59.000Z");
            assert_eq!(validity.until.to_iso(), "2050-01-01T00:00:00.000Z");
        }
        let der = certificate(&[], &[(UTC_TIME, "261129000000Z"), (UTC_TIME, "491129000000Z")]);
        assert_eq!(Validity::of(&der).unwrap().until.to_iso(), "2049-11-29T00:00:00.000Z");
    }

    #[test]
    fn what_is_malformed_has_none() {
        let whole = certificate(&[], &[(UTC_TIME, "261129000000Z"), (UTC_TIME, "491129000000Z")]);
        for length in 0..whole.len() {
            assert_eq!(Validity::of(&whole[..length]), None, "{length}");
        }
        for text in ["", "Z", "261129000000", "269929000000Z", "26112900000éZ"] {
            assert_eq!(
                Validity::of(&certificate(&[], &[(UTC_TIME, text), (UTC_TIME, text)])),
                None,
                "{text}"
            );
        }
        assert_eq!(Validity::of(&[SEQUENCE, 0x89, 1, 1, 1, 1, 1, 1, 1, 1, 1]), None);
    }
}
