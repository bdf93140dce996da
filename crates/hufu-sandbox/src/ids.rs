//! The identifiers that WeChat issues: derived ones (openid, unionid, session key of a code) and random ones
//! (codes, tokens, request ids).
//!
//! A derived identifier cannot be chosen: a person named `alice` has the same openid for one AppID after
//! every restart, and no call can make two people share one.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::sync::atomic::{AtomicU64, Ordering};

use aws_lc_rs::{digest, hmac};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};

/// A login code as `wx.login` returns it: `0` and 31 letters or digits.
pub(crate) type LoginCode = [u8; 32];
/// A phone code as `getPhoneNumber` returns it: 64 hexadecimal digits.
pub(crate) type PhoneCode = [u8; 64];
/// The 16 bytes of a `session_key`, before base64.
pub(crate) type SessionKeyBytes = [u8; 16];

/// Identifies a person inside the sandbox, across all apps. Never shown to an app.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct PersonKey([u8; 16]);

impl PersonKey {
    /// The person with this name, the same after every restart.
    pub(crate) fn named(name: &str) -> PersonKey {
        let digest = digest::digest(&digest::SHA256, name.as_bytes());
        PersonKey(first_bytes(digest.as_ref()))
    }

    /// A number that looks like one from mainland China, for people without a given number.
    pub(crate) fn phone(self) -> String {
        format!("199{:08}", u128::from_be_bytes(self.0) % 100_000_000)
    }
}

/// An openid or unionid: 28 characters of `[A-Za-z0-9_-]`, the first an `o`.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct WechatId([u8; 28]);

impl WechatId {
    pub(crate) fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }

    /// `None` if its shape cannot be an openid.
    pub(crate) fn parse(text: &str) -> Option<WechatId> {
        let bytes: [u8; 28] = text.as_bytes().try_into().ok()?;
        let shaped = bytes.iter().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'));
        (shaped && bytes.first() == Some(&b'o')).then_some(WechatId(bytes))
    }

    fn derive(key: &hmac::Key, scope: &str, person: PersonKey) -> WechatId {
        let mut context = hmac::Context::with_key(key);
        context.update(scope.as_bytes());
        context.update(&[0]);
        context.update(&person.0);
        let text = URL_SAFE_NO_PAD.encode(context.sign());
        let mut id = [b'o'; 28];
        for (to, from) in id.iter_mut().skip(1).zip(text.bytes()) {
            *to = from;
        }
        WechatId(id)
    }
}

/// Generates every identifier of one sandbox.
pub(crate) struct Ids {
    openid: hmac::Key,
    unionid: hmac::Key,
    session: hmac::Key,
    stream: hmac::Key,
    generated: AtomicU64,
}

impl Ids {
    /// Uses the kernel's randomness, or generates the same sequence each time if there is a seed.
    pub(crate) fn new(seed: Option<[u8; 32]>) -> Ids {
        let seed = seed.unwrap_or_else(random_seed);
        let of_seed = |purpose: &[u8]| {
            let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &seed), purpose);
            hmac::Key::new(hmac::HMAC_SHA256, tag.as_ref())
        };
        Ids {
            // Independent of the seed: these must survive a restart, like the accounts created from them.
            openid: hmac::Key::new(hmac::HMAC_SHA256, b"hufu sandbox openid"),
            unionid: hmac::Key::new(hmac::HMAC_SHA256, b"hufu sandbox unionid"),
            session: of_seed(b"session key of a code"),
            stream: of_seed(b"drawn values"),
            generated: AtomicU64::new(0),
        }
    }

    pub(crate) fn openid(&self, app_id: &str, person: PersonKey) -> WechatId {
        WechatId::derive(&self.openid, app_id, person)
    }

    pub(crate) fn unionid(&self, open_platform: &str, person: PersonKey) -> WechatId {
        WechatId::derive(&self.unionid, open_platform, person)
    }

    /// The virtual person that an app sees of somebody who only previews its page.
    pub(crate) fn snapshot_of(&self, app_id: &str, person: PersonKey) -> PersonKey {
        let virtual_id = WechatId::derive(&self.openid, &format!("snapshot {app_id}"), person);
        PersonKey(first_bytes(digest::digest(&digest::SHA256, &virtual_id.0).as_ref()))
    }

    /// The session key that the exchange of this code returns. It is derived from the code. A client can
    /// therefore get data encrypted with it before the exchange, as from a real phone, without the sandbox
    /// storing the key.
    pub(crate) fn session_key_of(&self, code: &LoginCode) -> SessionKeyBytes {
        first_bytes(hmac::sign(&self.session, code).as_ref())
    }

    pub(crate) fn fresh_session_key(&self) -> SessionKeyBytes {
        first_bytes(&self.generate())
    }

    pub(crate) fn fresh_person(&self) -> PersonKey {
        PersonKey(first_bytes(&self.generate()))
    }

    pub(crate) fn login_code(&self) -> LoginCode {
        let mut code = self.generate();
        for byte in &mut code {
            *byte = base62(*byte);
        }
        if let Some(first) = code.first_mut() {
            *first = b'0';
        }
        code
    }

    pub(crate) fn phone_code(&self) -> PhoneCode {
        let mut code = [0; 64];
        for (to, from) in code.iter_mut().zip(hex::encode(self.generate()).bytes()) {
            *to = from;
        }
        code
    }

    /// An app token of about the same length as WeChat's, which may grow to 512 characters.
    pub(crate) fn access_token(&self) -> String {
        let mut bytes = Vec::with_capacity(128);
        while bytes.len() < 100 {
            bytes.extend_from_slice(&self.generate());
        }
        bytes.truncate(100);
        format!("97_{}", URL_SAFE_NO_PAD.encode(bytes))
    }

    /// `n` random bytes as hexadecimal text (at most 32 bytes).
    pub(crate) fn hex(&self, n: usize) -> String {
        let mut text = hex::encode(self.generate());
        text.truncate(2 * n);
        text
    }

    /// The ticket of an official account's QR code.
    pub(crate) fn ticket(&self) -> String {
        let bytes = [self.generate(), self.generate(), self.generate()].concat();
        let text = STANDARD.encode(bytes.get(..67).unwrap_or_default());
        format!("gQ{}", text.get(2..).unwrap_or_default())
    }

    /// `n` random letters and digits (at most 32).
    pub(crate) fn letters(&self, n: usize) -> String {
        self.generate().iter().take(n).map(|byte| char::from(base62(*byte))).collect()
    }

    /// A random decimal number with `n` digits (at most 32), the first not zero.
    pub(crate) fn digits(&self, n: usize) -> String {
        let generated = self.generate();
        let digit = |(at, byte): (usize, &u8)| match at {
            0 => char::from(b'1' + byte % 9),
            _ => char::from(b'0' + byte % 10),
        };
        generated.iter().take(n).enumerate().map(digit).collect()
    }

    pub(crate) fn iv(&self) -> [u8; 16] {
        first_bytes(&self.generate())
    }

    /// The request id that WeChat appends to every error text: the time in seconds, then two random groups.
    pub(crate) fn rid(&self, now_ms: i64) -> String {
        let seconds = u32::try_from(now_ms / 1000).unwrap_or_default();
        let generated = self.generate();
        let (left, right) = generated.split_at(generated.len() / 2);
        let [left, right] = [left, right].map(|half| u32::from_be_bytes(first_bytes(half)));
        format!("{seconds:08x}-{left:08x}-{right:08x}")
    }

    /// 32 bytes of a keyed stream. This takes one system call at the start, instead of one for each of
    /// 100,000 codes.
    fn generate(&self) -> [u8; 32] {
        let position = self.generated.fetch_add(1, Ordering::Relaxed);
        first_bytes(hmac::sign(&self.stream, &position.to_be_bytes()).as_ref())
    }
}

/// The original id (原始 ID) of an app that was not given one.
pub(crate) fn original_id_of(app_id: &str) -> String {
    let digest = digest::digest(&digest::SHA256, app_id.as_bytes());
    format!("gh_{}", hex::encode(first_bytes::<6>(digest.as_ref())))
}

fn random_seed() -> [u8; 32] {
    let mut seed = [0; 32];
    if getrandom::fill(&mut seed).is_err() {
        // This secret is not worth failing for. The standard library's hasher keys also differ in each
        // process.
        for chunk in seed.chunks_mut(8) {
            let word = RandomState::new().build_hasher().finish().to_be_bytes();
            chunk.iter_mut().zip(word).for_each(|(to, from)| *to = from);
        }
    }
    seed
}

fn first_bytes<const N: usize>(from: &[u8]) -> [u8; N] {
    let mut to = [0; N];
    to.iter_mut().zip(from).for_each(|(to, from)| *to = *from);
    to
}

fn base62(byte: u8) -> u8 {
    match byte % 62 {
        n @ 0..=9 => b'0' + n,
        n @ 10..=35 => b'a' + n - 10,
        n => b'A' + n - 36,
    }
}
