//! `/admin/v1`, on both database engines.
#![cfg(test)]

mod administration;
mod administrators;
mod configuration;
mod listed;
mod openapi;

use hufu_testkit::{client, world};
