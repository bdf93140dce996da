//! The signature of webhooks.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use hufu_connect::signature::{sign, verify};

/// The example from the Standard Webhooks libraries.
const ID: &str = "msg_p5jXN8AQM9LWM0D4loKWxJek";
const AT: i64 = 1_614_265_330;
const BODY: &[u8] = br#"{"test": 2432232314}"#;
const SIGNATURE: &str = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";

fn secret() -> Vec<u8> {
    STANDARD.decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap()
}

#[test]
fn the_published_example_is_signed_alike() {
    assert_eq!(sign(&secret(), ID, AT, BODY), SIGNATURE);
}

#[test]
fn only_the_whole_delivery_verifies() {
    let secret = secret();
    assert!(verify(&secret, ID, AT, BODY, SIGNATURE));
    // One valid signature is sufficient. Signatures of other versions are ignored.
    let several = format!("v1a,abc v1,AAAA {} {SIGNATURE}", sign(b"old secret", ID, AT, BODY));
    assert!(verify(&secret, ID, AT, BODY, &several));
    assert!(verify(b"old secret", ID, AT, BODY, &several));

    assert!(!verify(b"other", ID, AT, BODY, SIGNATURE));
    assert!(!verify(&secret, "msg_other", AT, BODY, SIGNATURE));
    assert!(!verify(&secret, ID, AT + 1, BODY, SIGNATURE));
    assert!(!verify(&secret, ID, AT, b"{}", SIGNATURE));
    for header in ["", "v1,", "v1", "v1,AAAA", "v2,g0hM", SIGNATURE.trim_start_matches("v1,")] {
        assert!(!verify(&secret, ID, AT, BODY, header), "{header}");
    }
}
