//! Decrypts the passwords that the published clients send.
//!
//! A v2 client does not declare encryption. Text of the form `sm2:` plus hexadecimal is treated as SM2,
//! base64 of the length of the RSA key as RSA, and everything else as the password itself. If such a text
//! does not decrypt, it is taken as the password too, because someone may have chosen it. A v3 client
//! declares `none`, `rsa` or `sm2`.
//!
//! With PKCS#1 v1.5 padding, anyone who can ask often enough whether a text decrypts can recover an encrypted
//! message. So this is never revealed: a text of the right form that does not decrypt is taken literally,
//! declared or not. It then matches no account, is counted as a wrong password, and as a new one it is longer than
//! any policy allows. SM2 would not need the secrecy, but whoever makes us decrypt is to be counted.

use async_recursion::async_recursion as boxed;
use secrecy::SecretString;

use super::sm2_key;
use crate::{App, Refusal};
use hufu_types::refusal::{Code, Reason};

/// Maximum length of an unencrypted password in characters. A 2048-bit RSA ciphertext has 344, and may have
/// to be taken literally.
const LONGEST_PLAIN: usize = 512;
/// Maximum length of an encrypted password's text in bytes.
const LONGEST_ENCRYPTED: usize = 4096;
/// The prefix that v2 clients put before SM2 ciphertexts.
const SM2_MARK: &str = "sm2:";

/// The encryption that a v3 client declares for a password (`passwordEncryptType`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PasswordEncryption {
    /// Not encrypted.
    None,
    /// RSAES-PKCS1-v1_5 (RFC 8017 section 7.2) in base64.
    Rsa,
    /// SM2 (GB/T 32918.4), C1‖C3‖C2 in hexadecimal.
    Sm2,
}

impl PasswordEncryption {
    /// Parses `none`, `rsa` or `sm2`.
    pub fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "none" => Self::None,
            "rsa" => Self::Rsa,
            "sm2" => Self::Sm2,
            _ => return None,
        })
    }
}

impl App {
    /// Decrypts a password. Without a declared encryption, the form of the text determines it.
    ///
    /// # Errors
    /// [`Code::Invalid`] for a text that is too long or does not have the declared form. Never reveals
    /// whether an RSA ciphertext decrypts (see the module documentation).
    #[boxed]
    pub async fn open_password(
        &self,
        text: &str,
        declared: Option<PasswordEncryption>,
    ) -> Result<SecretString, Refusal> {
        match declared {
            None => self.open_undeclared(text).await,
            Some(PasswordEncryption::None) => literal(text),
            Some(PasswordEncryption::Rsa) => {
                let key = self.password_rsa_key().await?;
                match key.ciphertext(text) {
                    Some(ciphertext) => {
                        or_literal(run_blocking(move || key.decrypt(&ciphertext)).await?, text)
                    }
                    None => Err(invalid(Reason::NotRsa)),
                }
            }
            Some(PasswordEncryption::Sm2) => {
                let ciphertext = sm2_ciphertext(text)?.filter(|bytes| bytes.len() >= sm2_key::SHORTEST);
                let ciphertext = ciphertext.ok_or_else(|| invalid(Reason::NotSm2))?;
                // What stands for a ciphertext that does not decrypt need not be all of it.
                let literal = text.get(..text.len().min(LONGEST_PLAIN)).unwrap_or_default();
                or_literal(self.decrypt_sm2(ciphertext).await?, literal)
            }
        }
    }

    /// Like [`Self::open_password`], but takes a text literally if it does not open. The mini program client
    /// declares the encryption of the new password, but sends the old one beside it as typed.
    #[boxed]
    pub async fn open_password_leniently(
        &self,
        text: &str,
        declared: Option<PasswordEncryption>,
    ) -> Result<SecretString, Refusal> {
        match self.open_password(text, declared).await {
            Err(refusal) if refusal.is(Code::Invalid) => literal(text),
            opened => opened,
        }
    }

    async fn open_undeclared(&self, text: &str) -> Result<SecretString, Refusal> {
        if let Some(hexadecimal) = text.strip_prefix(SM2_MARK) {
            let opened = match sm2_ciphertext(hexadecimal)? {
                Some(ciphertext) => self.decrypt_sm2(ciphertext).await?,
                None => None,
            };
            return or_literal(opened, text);
        }
        let key = self.password_rsa_key().await?;
        match key.ciphertext(text) {
            Some(ciphertext) => or_literal(run_blocking(move || key.decrypt(&ciphertext)).await?, text),
            None => literal(text),
        }
    }

    async fn decrypt_sm2(&self, ciphertext: Vec<u8>) -> Result<Option<SecretString>, Refusal> {
        let key = self.password_sm2_key().await?;
        run_blocking(move || key.decrypt(&ciphertext)).await
    }
}

/// Half a millisecond of arithmetic, or more on a small machine, is too long for an asynchronous thread.
async fn run_blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Refusal> {
    tokio::task::spawn_blocking(work).await.map_err(Refusal::internal)
}

fn sm2_ciphertext(hexadecimal: &str) -> Result<Option<Vec<u8>>, Refusal> {
    if hexadecimal.len() > LONGEST_ENCRYPTED {
        return Err(invalid(Reason::TooLong { max: LONGEST_ENCRYPTED }));
    }
    Ok(hex::decode(hexadecimal).ok())
}

fn or_literal(opened: Option<SecretString>, text: &str) -> Result<SecretString, Refusal> {
    opened.map_or_else(|| literal(text), Ok)
}

fn literal(text: &str) -> Result<SecretString, Refusal> {
    if text.chars().nth(LONGEST_PLAIN).is_some() {
        return Err(invalid(Reason::TooLong { max: LONGEST_PLAIN }));
    }
    Ok(SecretString::from(text))
}

fn invalid(reason: Reason) -> Refusal {
    Refusal::invalid("password", reason)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use hufu_protocol::sealing::SealingKey;
    use hufu_store::Store;
    use hufu_testkit::TestDatabase;
    use hufu_types::{PasswordPolicy, SystemClock, SystemRandom};
    use secrecy::ExposeSecret as _;

    use super::*;
    use crate::Parts;
    use crate::credentials::password::{rsa_key, sm2_key};

    /// A node of the instance that uses this database.
    async fn node(database: &TestDatabase) -> Arc<App> {
        let store = Store::open(&database.url().parse().unwrap()).await.unwrap();
        store.migrate().await.unwrap();
        App::start(Parts {
            store,
            wechat: hufu_wechat::Client::new(hufu_wechat::Settings::default()).unwrap(),
            sealing: Arc::new(SealingKey::from_bytes([7; 32])),
            limits: crate::Limits::default(),
            public_url: "https://id.example.com".to_owned(),
            clock: Arc::new(SystemClock),
            random: Arc::new(SystemRandom),
            outgoing: hufu_connect::GuardedClient::new(hufu_connect::guarded::Settings::default()).unwrap(),
            outbox: None,
            default_mini_program: None,
            sign_up: false,
        })
        .await
        .unwrap()
    }

    async fn rsa(app: &App, password: &str) -> String {
        let public = app.password_rsa_public_key().await.unwrap();
        STANDARD.encode(rsa_key::tests::encrypt(&public, password.as_bytes()))
    }

    async fn sm2(app: &App, password: &str) -> String {
        let public = app.password_sm2_public_key().await.unwrap();
        hex::encode(sm2_key::tests::encrypt(&public, password.as_bytes(), &SystemRandom))
    }

    async fn open(app: &App, text: &str, declared: Option<PasswordEncryption>) -> Result<String, String> {
        match app.open_password(text, declared).await {
            Ok(password) => Ok(password.expose_secret().to_owned()),
            Err(refusal) if refusal.is(Code::Invalid) => Err(refusal.to_string()),
            Err(other) => panic!("{other}"),
        }
    }

    const RSA: Option<PasswordEncryption> = Some(PasswordEncryption::Rsa);
    const SM2: Option<PasswordEncryption> = Some(PasswordEncryption::Sm2);
    const NONE: Option<PasswordEncryption> = Some(PasswordEncryption::None);

    #[tokio::test]
    async fn what_the_clients_send_is_opened_on_every_node() {
        let database = TestDatabase::sqlite();
        let (one, two) = (node(&database).await, node(&database).await);
        let password = "correct 马 battery";
        let (by_rsa, by_sm2) = (rsa(&one, password).await, sm2(&one, password).await);
        for app in [one, two] {
            for (text, declared) in [
                (password.to_owned(), None),
                (by_rsa.clone(), None),
                (format!("sm2:{by_sm2}"), None),
                (format!("sm2:04{by_sm2}"), None),
                (password.to_owned(), NONE),
                (by_rsa.clone(), RSA),
                (by_sm2.clone(), SM2),
                (by_sm2.to_uppercase(), SM2),
                (format!("04{by_sm2}"), SM2),
            ] {
                assert_eq!(open(&app, &text, declared).await.as_deref(), Ok(password), "{text} {declared:?}");
            }
        }
    }

    #[tokio::test]
    async fn what_only_looks_encrypted_is_the_password_itself() {
        let app = node(&TestDatabase::sqlite()).await;
        let other_key = STANDARD.encode([7; 256]);
        let declared_none = rsa(&app, "password").await;
        let mut damaged = sm2(&app, "password").await;
        damaged.replace_range(0..2, if damaged.starts_with("00") { "01" } else { "00" });
        let prefixed = format!("sm2:{damaged}");
        for (text, declared) in [
            (other_key.as_str(), None),
            (&damaged, SM2),
            (&prefixed, None),
            // The response must not reveal that it does not decrypt.
            (&other_key, RSA),
            (&declared_none, NONE),
            ("sm2:", None),
            ("sm2:password", None),
            ("sm2:0400", None),
            ("", None),
            ("c2hvcnQgYmFzZTY0", None),
        ] {
            assert_eq!(open(&app, text, declared).await.as_deref(), Ok(text), "{text} {declared:?}");
        }
    }

    #[tokio::test]
    async fn a_wrong_declaration_is_refused_with_the_reason() {
        let app = node(&TestDatabase::sqlite()).await;
        for (text, declared) in [
            ("password", RSA),
            ("", RSA),
            (STANDARD.encode([7; 128]).as_str(), RSA),
            ("password", SM2),
            ("", SM2),
            ("00", SM2),
            ("0".repeat(2 * sm2_key::SHORTEST - 2).as_str(), SM2),
        ] {
            let why = open(&app, text, declared).await.unwrap_err();
            assert!(why.contains("password is declared as encrypted"), "{why}");
            let lenient = app.open_password_leniently(text, declared).await.unwrap();
            assert_eq!(lenient.expose_secret(), text);
        }
        let lenient = app.open_password_leniently(&rsa(&app, "old").await, RSA).await.unwrap();
        assert_eq!(lenient.expose_secret(), "old");
    }

    #[tokio::test]
    async fn lengths_are_bounded() {
        let app = node(&TestDatabase::sqlite()).await;
        let longest = "密".repeat(512);
        assert_eq!(open(&app, &longest, None).await.as_deref(), Ok(longest.as_str()));
        for (text, declared) in [
            ("密".repeat(513), None),
            ("x".repeat(513), NONE),
            (format!("sm2:{}", "x".repeat(4097)), None),
            (format!("sm2:{}", "x".repeat(1000)), None),
            ("0".repeat(4098), SM2),
        ] {
            let why = open(&app, &text, declared).await.unwrap_err();
            assert!(why.contains("longer than"), "{why}");
            assert!(app.open_password_leniently(&text, declared).await.is_err());
        }
        // As a new password it is longer than any policy allows, and as an old one it is short enough.
        for bytes in [sm2_key::SHORTEST, 2048] {
            let literal = open(&app, &"00".repeat(bytes), SM2).await.unwrap();
            assert!(literal.len() > usize::try_from(PasswordPolicy::LONGEST).unwrap());
        }
    }

    #[test]
    fn the_names_of_encryptions() {
        for (name, encryption) in [("none", NONE), ("rsa", RSA), ("sm2", SM2), ("RSA", None), ("", None)] {
            assert_eq!(PasswordEncryption::parse(name), encryption);
        }
    }
}
