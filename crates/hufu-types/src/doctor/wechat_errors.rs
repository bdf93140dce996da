//! What WeChat's error codes mean, as keys of sentences.

/// The codes with one meaning, and the key of its sentences. Source: WeChat's global return codes and the pages of the
/// single calls.
pub const WECHAT_ERRORS: &[(&str, &[i64])] = &[
    ("busy", &[-1, -1000]),
    ("fine", &[0]),
    ("token-refused", &[40001, 40014, 42001, 48012]),
    ("secret-wrong", &[40125]),
    ("openid-wrong", &[40003, 46004]),
    ("app-unknown", &[40013]),
    ("code-wrong", &[40029, 42003]),
    ("code-used", &[40163]),
    ("user-token-ended", &[40030, 42002, 42007]),
    (
        "request-wrong",
        &[
            40002, 40033, 40035, 40048, 40052, 40053, 40066, 40097, 40188, 41001, 41002, 41003, 41004, 41008,
            41009, 41018, 41021, 43001, 43002, 43003, 44002, 47001, 47002, 61014, 61015, 85096, 85401, 85402,
            87008,
        ],
    ),
    ("page-wrong", &[40129, 40159, 40165, 40169, 40212]),
    ("page-unpublished", &[41030]),
    ("app-unpublished", &[85079]),
    ("ip-not-listed", &[40164, 45035, 61004]),
    ("ip-to-confirm", &[89501, 89502, 89503, 89504, 89505]),
    ("ip-rejected", &[89506, 89507]),
    ("person-blocked", &[40226]),
    ("secret-frozen", &[40243]),
    ("not-a-follower", &[43004, 43019, 50005]),
    ("quota-of-the-day", &[45009]),
    ("quota-of-the-minute", &[45011, 44990, 44993]),
    ("codes-used-up", &[45029]),
    ("visits-used-up", &[85406]),
    ("other-kind-of-app", &[45063, 49003]),
    ("not-permitted", &[48001, 50003]),
    ("not-authorized-by-user", &[50001]),
    ("app-banned", &[48004, 50004, 89013]),
    ("app-frozen", &[50002, 50007]),
    ("app-suspended", &[45104, 45501]),
    (
        "third-party-authorization",
        &[40094, 42006, 61003, 61005, 61006, 61007, 61009, 61010, 61011, 61023, 61028],
    ),
    ("third-party-platform", &[61024]),
    ("quota-query", &[76001, 76002, 76003, 76004, 76021, 76022]),
    ("scheme-unusable", &[85403, 85405, 85407, 85408]),
    ("session-key-ended", &[87007, 87009]),
    ("no-open-platform", &[89002]),
    ("authorize-page", &[10003, 10004, 10005, 10006, 10009, 10010, 10011, 10012, 10013, 10015, 10016]),
    ("phone-quota-used-up", &[1_400_001]),
];

/// The key of the sentences about an error code. `None` if it is not in the table.
pub fn meaning_of(code: i64) -> Option<&'static str> {
    WECHAT_ERRORS.iter().find(|(_, codes)| codes.contains(&code)).map(|(key, _)| *key)
}

/// The same for an answer to a request for an app token, where some codes mean something else.
pub fn meaning_when_fetching_tokens(code: i64) -> Option<&'static str> {
    match code {
        // There is no token yet that could be wrong.
        40001 => Some("secret-wrong"),
        code => meaning_of(code),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_has_one_meaning() {
        let mut all: Vec<i64> = WECHAT_ERRORS.iter().flat_map(|(_, codes)| codes.iter().copied()).collect();
        let count = all.len();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), count);
        assert_eq!(meaning_of(40164), Some("ip-not-listed"));
        assert_eq!(meaning_of(40001), Some("token-refused"));
        assert_eq!(meaning_when_fetching_tokens(40001), Some("secret-wrong"));
        assert_eq!(meaning_of(99_999), None);
    }
}
