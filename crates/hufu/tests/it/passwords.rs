//! The cost of a password hash: measured, configured, and kept above the permitted minimum.

use hufu_testkit::on_both_engines;

use crate::support::{Instance, Process, hufu};

/// Calibration needs no configuration. It prints one, which the server accepts.
#[tokio::test]
async fn calibration_prints_limits() {
    let mut command = hufu();
    let ran =
        Process::start(command.args(["admin", "calibrate-password", "--milliseconds", "1"])).finish().await;
    let printed = ran.succeeded();
    assert!(printed.starts_with("# One hash takes "), "{printed}");
    let limits = printed.split_once("[limits]\n").unwrap().1;
    assert_eq!(limits, "password_memory = 19456\npassword_passes = 2\n", "never weaker than is permitted");
    let ran =
        Process::start(hufu().args(["admin", "calibrate-password", "--milliseconds", "0"])).finish().await;
    assert_eq!(ran.code, Some(2), "{ran:?}");
}

on_both_engines! {
    async fn a_weak_cost_is_no_start(database) {
        let instance = Instance::ready(database).await;
        let mut weak = instance.command(&["admin", "list-keys"]);
        let ran = Process::start(weak.env("HUFU_LIMITS_PASSWORD_MEMORY", "8192")).finish().await;
        assert!(ran.failed().contains("password_memory and password_passes"), "{ran:?}");
        let mut strong = instance.command(&["admin", "list-keys"]);
        let strong = strong.env("HUFU_LIMITS_PASSWORD_MEMORY", "8192").env("HUFU_LIMITS_PASSWORD_PASSES", "5");
        Process::start(strong).finish().await.succeeded();
    }
}
