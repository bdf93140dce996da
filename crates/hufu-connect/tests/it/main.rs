//! Tests of the public interface, against small HTTP and SMTP servers on loopback.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod addresses;
mod fake_http;
#[expect(unreachable_pub, reason = "the testkit shows it to other crates")]
#[path = "../../../hufu-testkit/src/smtp.rs"]
mod fake_smtp;
mod guard;
mod mail;
mod outbox;
mod settings;
mod sms;
mod templates;
mod webhook_signature;

use std::{sync::Arc, time::Duration};

use hufu_connect::{GuardedClient, Outbox, SenderContext, guarded};
use hufu_types::{TestClock, TestRandom, Timestamp};

/// 2026-03-01T00:00:00Z.
const NOW: Timestamp = Timestamp(1_772_323_200_000);

fn loopback() -> std::sync::Arc<[ipnet::IpNet]> {
    ["127.0.0.0/8", "::1/128"].map(|network| network.parse().unwrap()).into()
}

fn open_settings() -> guarded::Settings {
    guarded::Settings { private: loopback(), timeout: Duration::from_secs(20), ..Default::default() }
}

/// A context whose HTTP client may call loopback.
fn sender_context() -> SenderContext {
    let clock = Arc::new(TestClock::new(NOW));
    SenderContext {
        http: GuardedClient::new(open_settings()).unwrap(),
        outbox: Some(Outbox::new(clock.clone())),
        clock,
        random: Arc::new(TestRandom::new(7)),
    }
}

/// Everything an error can print: text, debug text, and its causes.
fn everything_printed(error: &dyn std::error::Error) -> String {
    let mut text = format!("{error} {error:?} {error:#?}");
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text} {error} {error:?}");
        cause = error.source();
    }
    text
}
