//! What a certificate says that the TLS library checks for certificates of others, and does not tell of one's own: from
//! when until when it is valid (RFC 5280 section 4.1.2.5), and which of its issuer's it is (RFC 9773 section 4.1).

use hufu_types::Timestamp;

const INTEGER: u8 = 0x02;
const OCTET_STRING: u8 = 0x04;
const OBJECT_IDENTIFIER: u8 = 0x06;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
const SEQUENCE: u8 = 0x30;
/// The version, which the oldest certificates lack.
const EXPLICIT_0: u8 = 0xa0;
const EXPLICIT_3: u8 = 0xa3;
const IMPLICIT_0: u8 = 0x80;
/// The extension with the id of the issuer's key: 2.5.29.35 (RFC 5280 section 4.2.1.1).
const AUTHORITY_KEY_IDENTIFIER: &[u8] = &[0x55, 0x1d, 0x23];

/// From when until when a certificate is valid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Validity {
    pub(super) from: Timestamp,
    pub(super) until: Timestamp,
}

impl Validity {
    /// That of a certificate in DER. None if it is malformed.
    pub(super) fn of(certificate: &[u8]) -> Option<Self> {
        let (_, times, _) = fields(certificate)?;
        let (from, times) = time(times)?;
        let (until, _) = time(times)?;
        Some(Self { from, until })
    }
}

/// Which certificate of its issuer's it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Issued<'a> {
    /// The id of the key that signed it.
    pub(super) authority_key: &'a [u8],
    /// Its number, as it is encoded.
    pub(super) serial: &'a [u8],
}

impl<'a> Issued<'a> {
    /// That of a certificate in DER. None if it does not say, or is malformed.
    pub(super) fn of(certificate: &'a [u8]) -> Option<Self> {
        let (serial, _, rest) = fields(certificate)?;
        let (_subject, rest) = element(SEQUENCE, rest)?;
        let (_public_key, rest) = element(SEQUENCE, rest)?;
        let (extensions, _) = element(EXPLICIT_3, rest)?;
        let (mut extensions, _) = element(SEQUENCE, extensions)?;
        while let Some((extension, rest)) = element(SEQUENCE, extensions) {
            extensions = rest;
            let (id, value) = element(OBJECT_IDENTIFIER, extension)?;
            if id == AUTHORITY_KEY_IDENTIFIER {
                // It is never critical, so that its value follows.
                let (value, _) = element(OCTET_STRING, value)?;
                let (value, _) = element(SEQUENCE, value)?;
                let (authority_key, _) = element(IMPLICIT_0, value)?;
                return Some(Self { authority_key, serial });
            }
        }
        None
    }
}

/// The number of a certificate, its times, and what comes after them.
fn fields(certificate: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let (signed, _) = element(SEQUENCE, certificate)?;
    let (fields, _) = element(SEQUENCE, signed)?;
    let fields = element(EXPLICIT_0, fields).map_or(fields, |(_, rest)| rest);
    let (serial, fields) = element(INTEGER, fields)?;
    let (_algorithm, fields) = element(SEQUENCE, fields)?;
    let (_issuer, fields) = element(SEQUENCE, fields)?;
    let (times, rest) = element(SEQUENCE, fields)?;
    Some((serial, times, rest))
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
    use instant_acme::CertificateIdentifier;
    use tokio_rustls::rustls::pki_types::pem::PemObject as _;
    use tokio_rustls::rustls::pki_types::{CertificateDer, Der};

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

    #[test]
    fn the_example_of_rfc_9773() {
        // Appendix A.
        let pem = "-----BEGIN CERTIFICATE-----\n\
            MIIBQzCB66ADAgECAgUAh2VDITAKBggqhkjOPQQDAjAVMRMwEQYDVQQDEwpFeGFt\n\
            cGxlIENBMCIYDzAwMDEwMTAxMDAwMDAwWhgPMDAwMTAxMDEwMDAwMDBaMBYxFDAS\n\
            BgNVBAMTC2V4YW1wbGUuY29tMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEeBZu\n\
            7cbpAYNXZLbbh8rNIzuOoqOOtmxA1v7cRm//AwyMwWxyHz4zfwmBhcSrf47NUAFf\n\
            qzLQ2PPQxdTXREYEnKMjMCEwHwYDVR0jBBgwFoAUaYhba4dGQEHhs3uEe6CuLN4B\n\
            yNQwCgYIKoZIzj0EAwIDRwAwRAIge09+S5TZAlw5tgtiVvuERV6cT4mfutXIlwTb\n\
            +FYN/8oCIClDsqBklhB9KAelFiYt9+6FDj3z4KGVelYM5MdsO3pK\n\
            -----END CERTIFICATE-----\n";
        let der = CertificateDer::from_pem_slice(pem.as_bytes()).unwrap();
        let issued = Issued::of(&der).unwrap();
        let said =
            CertificateIdentifier::new(Der::from_slice(issued.authority_key), Der::from_slice(issued.serial));
        assert_eq!(said.to_string(), "aYhba4dGQEHhs3uEe6CuLN4ByNQ.AIdlQyE");
        for length in 0..der.len() {
            let _ = Issued::of(&der[..length]);
        }
    }
}
