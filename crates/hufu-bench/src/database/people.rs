//! Stored users as in a pool that is a few years old. Half have a nickname and an avatar, a third have a
//! phone number that WeChat proved, and each has an openid and a unionid. All data is generated from a fixed
//! seed.

use hufu_types::Timestamp;

use crate::codes::Person;

/// The users joined at an even rate over this many milliseconds until now: two years.
const HISTORY_MS: i64 = 2 * 365 * 86_400_000;
const SURNAMES: [&str; 8] = ["王", "李", "张", "刘", "陈", "杨", "赵", "黄"];
const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// A row of `users` and its two rows of `identities`.
pub(crate) struct Stored {
    pub(crate) id: String,
    pub(crate) phone: Option<String>,
    /// Nickname and avatar URL.
    pub(crate) shown: Option<(String, String)>,
    pub(crate) logins_count: i64,
    pub(crate) last_login_at: i64,
    pub(crate) created_at: i64,
    pub(crate) openid: String,
    pub(crate) unionid: String,
}

impl Stored {
    /// The column `profile`.
    pub(crate) fn profile(&self) -> String {
        let Some((nickname, photo)) = &self.shown else { return "{}".to_owned() };
        // These values need no escaping.
        format!(r#"{{"nickname":"{nickname}","photo":"{photo}"}}"#)
    }
}

/// This many users, with the known people spread evenly among them.
pub(crate) fn stored(count: usize, known: &[Person], now: Timestamp) -> impl Iterator<Item = Stored> {
    let mut random = SplitMix(0x6856_6675);
    let spacing = count / known.len().max(1);
    (0..count).map(move |number| {
        let person = (spacing > 0 && number % spacing == 0).then(|| known.get(number / spacing)).flatten();
        user(&mut random, person, number, position(number, count, now))
    })
}

fn position(number: usize, count: usize, now: Timestamp) -> i64 {
    let (number, count) = (i64::try_from(number).unwrap_or(0), i64::try_from(count).unwrap_or(1).max(1));
    now.0 - HISTORY_MS + HISTORY_MS / count * number
}

fn user(random: &mut SplitMix, person: Option<&Person>, number: usize, created_at: i64) -> Stored {
    // The same format as Hufu's ids: 48 bits of milliseconds, 48 random bits.
    let id = format!("{created_at:012x}{:012x}", random.next() >> 16);
    let shown = random.one_in(2).then(|| {
        let surname = SURNAMES.get(random.below(8)).copied().unwrap_or_default();
        let photo = random.next();
        let nickname = format!("{surname}{}", random.below(1000));
        (nickname, format!("https://id.shop.example/uploads/{photo:016x}{:016x}.jpg", random.next()))
    });
    let (openid, unionid) = match person {
        Some(person) => (person.openid.clone(), person.unionid.clone()),
        None => (random.wechat_id(), random.wechat_id()),
    };
    Stored {
        id,
        phone: random.one_in(3).then(|| format!("+861{number:010}")),
        shown,
        logins_count: i64::try_from(1 + random.below(40)).unwrap_or(1),
        last_login_at: created_at + i64::try_from(random.below(86_400_000)).unwrap_or(0),
        created_at,
        openid,
        unionid,
    }
}

/// SplitMix64: fast and reproducible.
struct SplitMix(u64);

impl SplitMix {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, end: u64) -> usize {
        usize::try_from(self.next() % end).unwrap_or_default()
    }

    fn one_in(&mut self, n: u64) -> bool {
        self.next().is_multiple_of(n)
    }

    /// A value in the format of an openid.
    fn wechat_id(&mut self) -> String {
        let mut id = String::with_capacity(28);
        id.push('o');
        while id.len() < 28 {
            let letter = LETTERS.get(self.below(64)).copied().unwrap_or(b'A');
            id.push(char::from(letter));
        }
        id
    }
}
