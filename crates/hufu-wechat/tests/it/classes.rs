//! The table of error codes.

use hufu_wechat::{Class, Endpoint, classify};

const ENDPOINTS: [Endpoint; 13] = [
    Endpoint::CodeToSession,
    Endpoint::PhoneNumber,
    Endpoint::StableToken,
    Endpoint::Token,
    Endpoint::SnsAccessToken,
    Endpoint::SnsRefreshToken,
    Endpoint::SnsUserInfo,
    Endpoint::SessionKey,
    Endpoint::SchemeOrLink,
    Endpoint::CodeImage,
    Endpoint::QrCode,
    Endpoint::Follower,
    Endpoint::Business,
];

#[test]
fn codes_that_mean_the_same_everywhere() {
    let table: [(Class, &[i64]); 7] = [
        (Class::Retry, &[-1, -1000]),
        (
            Class::User,
            &[
                40003, 40029, 40030, 40163, 42002, 42003, 42007, 43004, 43019, 46004, 50001, 50005, 87007,
                87009,
            ],
        ),
        (Class::Deny, &[40226]),
        (
            Class::Admin,
            &[
                40094, 40125, 40164, 40243, 41030, 45029, 45035, 45063, 50003, 61003, 61004, 61005, 61006,
                61007, 61009, 61010, 61011, 61023, 61024, 61028, 76001, 76022, 85403, 85405, 85407, 89002,
                89501, 89502, 89503, 89504, 89505, 89506, 89507,
            ],
        ),
        (Class::Limit, &[44990, 44993, 45009, 45011, 85406]),
        (Class::AppDown, &[45104, 45501, 48004, 50004, 50007, 85079, 85408, 89013]),
        (
            Class::Bug,
            &[
                40033, 40035, 40048, 40052, 40053, 40066, 40097, 40129, 40159, 40165, 40169, 40188, 40212,
                41001, 41002, 41003, 41004, 41008, 41009, 41018, 41021, 43001, 43002, 43003, 44002, 47001,
                47002, 49003, 61014, 61015, 85096, 85401, 85402, 87008,
            ],
        ),
    ];
    for (class, codes) in table {
        for &code in codes {
            for endpoint in ENDPOINTS {
                assert_eq!(classify(endpoint, code), class, "{code} at {}", endpoint.as_str());
            }
        }
    }
}

#[test]
fn codes_that_depend_on_the_endpoint() {
    use Endpoint as E;
    for code in [40001, 40014, 42001, 48012] {
        for endpoint in [
            E::PhoneNumber,
            E::SessionKey,
            E::SchemeOrLink,
            E::CodeImage,
            E::QrCode,
            E::Follower,
            E::Business,
        ] {
            assert_eq!(classify(endpoint, code), Class::Token, "{code} at {}", endpoint.as_str());
        }
        for endpoint in [E::StableToken, E::Token, E::CodeToSession, E::SnsAccessToken, E::SnsRefreshToken] {
            assert_eq!(classify(endpoint, code), Class::Admin, "{code} at {}", endpoint.as_str());
        }
        assert_eq!(classify(E::SnsUserInfo, code), Class::User);
    }
    let table = [
        (E::StableToken, 40002, Class::Bug),
        (E::SchemeOrLink, 40002, Class::Admin),
        (E::CodeToSession, 40013, Class::Admin),
        (E::StableToken, 40013, Class::Admin),
        (E::PhoneNumber, 40013, Class::User),
        (E::SchemeOrLink, 40013, Class::AppDown),
        (E::PhoneNumber, 48001, Class::Admin),
        (E::SnsUserInfo, 48001, Class::User),
        (E::StableToken, 50002, Class::AppDown),
        (E::CodeToSession, 50002, Class::AppDown),
        (E::SnsUserInfo, 50002, Class::Deny),
        (E::SnsAccessToken, 50002, Class::Deny),
    ];
    for (endpoint, code, class) in table {
        assert_eq!(classify(endpoint, code), class, "{code} at {}", endpoint.as_str());
    }
}

#[test]
fn an_unknown_code_is_for_an_administrator() {
    for endpoint in ENDPOINTS {
        for code in [1, 99_999, -2, 12_345_678, i64::MIN, i64::MAX] {
            assert_eq!(classify(endpoint, code), Class::Admin, "{code} at {}", endpoint.as_str());
        }
    }
}
