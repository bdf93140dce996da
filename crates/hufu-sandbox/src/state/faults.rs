//! Faults for the next calls, which replace the normal response or spoil it afterwards.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde::{Deserialize, Deserializer, Serialize};

use super::lock;
use crate::api::PATHS;
use crate::{ControlError, MAX_FAULTS};

/// A fault for the next calls of one endpoint. Combine `delay_ms` with at most one other effect.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(clippy::struct_excessive_bools, reason = "these are the keys of the control API's JSON")]
pub struct Fault {
    /// WeChat's name of the endpoint, such as `/sns/jscode2session`. Every endpoint if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// Affects only calls for this app. Calls for any app if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub app_id: Option<String>,
    /// Returns this `errcode` in WeChat's usual format.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub errcode: Option<i32>,
    /// Returns this HTTP status, with an HTML page like a gateway.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub http_status: Option<u16>,
    /// Returns an HTML page, with 200 unless `http_status` says otherwise.
    #[serde(default, skip_serializing_if = "is_false")]
    pub html: bool,
    /// Returns unexpected JSON; `true` means `"truncated"`.
    #[serde(default, deserialize_with = "way_or_true", skip_serializing_if = "Option::is_none")]
    pub wrong_json: Option<WrongJson>,
    /// Closes the connection without sending a byte.
    #[serde(default, skip_serializing_if = "is_false")]
    pub drop_connection: bool,
    /// Returns a phone number whose watermark names another app.
    #[serde(default, skip_serializing_if = "is_false")]
    pub wrong_watermark: bool,
    /// Waits before responding: milliseconds of real time, at most two minutes.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub delay_ms: u64,
    /// Executes the call before spoiling its response, so that it consumes a code or issues a token. A fault
    /// with only `delay_ms` always does that. Otherwise the call is not executed.
    #[serde(default, skip_serializing_if = "is_false")]
    pub after: bool,
    /// The number of calls it affects.
    #[serde(default = "one")]
    pub count: u32,
}

/// Ways in which JSON can be wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WrongJson {
    /// Ends in the middle.
    Truncated,
    /// The usual fields with wrong types.
    Types,
    /// An empty object.
    Empty,
    /// An array.
    Array,
}

impl Fault {
    fn check(&self) -> Result<(), ControlError> {
        let effects = [
            self.errcode.is_some(),
            self.http_status.is_some() || self.html,
            self.wrong_json.is_some(),
            self.drop_connection,
            self.wrong_watermark,
        ];
        let effects = effects.into_iter().filter(|on| *on).count();
        if effects > 1 || (effects == 0 && self.delay_ms == 0) {
            return Err(ControlError::Invalid(
                "a fault has one of errcode, http_status (with or without html), wrong_json, drop_connection, \
                 wrong_watermark; delay_ms can be added to any, or used alone",
            ));
        }
        if self.http_status.is_some_and(|status| !(200..=599).contains(&status)) {
            return Err(ControlError::Invalid("http_status must be from 200 to 599"));
        }
        if self.errcode == Some(0) {
            return Err(ControlError::Invalid("errcode must not be 0"));
        }
        if self.delay_ms > 120_000 {
            return Err(ControlError::Invalid("delay_ms must be at most 120000"));
        }
        // A fault for a path that nobody calls would never take effect.
        if self.path.as_deref().is_some_and(|path| !PATHS.contains(&path)) {
            return Err(ControlError::UnknownPath);
        }
        Ok(())
    }

    fn matches(&self, path: &str, app_id: Option<&str>) -> bool {
        self.path.as_ref().is_none_or(|wanted| wanted == path)
            && self.app_id.as_ref().is_none_or(|wanted| Some(wanted.as_str()) == app_id)
    }
}

#[derive(Default)]
pub(crate) struct Faults {
    waiting: Mutex<Vec<Fault>>,
    // Read by every call, so that a sandbox without faults pays nothing for them.
    number: AtomicUsize,
}

impl Faults {
    pub(crate) fn add(&self, fault: Fault) -> Result<(), ControlError> {
        fault.check()?;
        let mut waiting = lock(&self.waiting);
        if waiting.len() >= MAX_FAULTS {
            return Err(ControlError::Full("faults"));
        }
        if fault.count > 0 {
            waiting.push(fault);
        }
        self.number.store(waiting.len(), Ordering::Release);
        Ok(())
    }

    pub(crate) fn list(&self) -> Vec<Fault> {
        lock(&self.waiting).clone()
    }

    pub(crate) fn clear(&self) {
        lock(&self.waiting).clear();
        self.number.store(0, Ordering::Release);
    }

    /// The oldest fault that applies to this call. Decrements its count.
    pub(crate) fn take(&self, path: &str, app_id: Option<&str>) -> Option<Fault> {
        if self.number.load(Ordering::Acquire) == 0 {
            return None;
        }
        let mut waiting = lock(&self.waiting);
        let at = waiting.iter().position(|fault| fault.matches(path, app_id))?;
        let fault = waiting.get_mut(at)?;
        fault.count -= 1;
        let met = fault.clone();
        if met.count == 0 {
            waiting.remove(at);
        }
        self.number.store(waiting.len(), Ordering::Release);
        Some(met)
    }
}

fn way_or_true<'de, D: Deserializer<'de>>(from: D) -> Result<Option<WrongJson>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Wrong {
        On(bool),
        Way(WrongJson),
    }
    Ok(match Option::<Wrong>::deserialize(from)? {
        Some(Wrong::Way(way)) => Some(way),
        Some(Wrong::On(true)) => Some(WrongJson::Truncated),
        Some(Wrong::On(false)) | None => None,
    })
}

fn one() -> u32 {
    1
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's skip_serializing_if passes a reference")]
fn is_false(value: &bool) -> bool {
    !value
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's skip_serializing_if passes a reference")]
fn is_zero(value: &u64) -> bool {
    *value == 0
}
