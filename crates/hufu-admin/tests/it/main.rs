//! `/admin/v1`, on both database engines.
#![cfg(test)]

mod administration;
mod administrators;

use hufu_testkit::{client, world};
