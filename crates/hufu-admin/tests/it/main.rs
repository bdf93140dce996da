//! `/admin/v1`, on both database engines.
#![cfg(test)]

mod administration;
mod administrators;
mod app_tokens;
mod availability;
mod configuration;
mod doctor;
mod listed;
mod openapi;
mod sealing;
mod statistics;

use hufu_testkit::{client, world};
