//! `/admin/v1`, on both database engines.
#![cfg(test)]

mod administration;
mod administrators;
mod app_tokens;
mod availability;
mod batches;
mod configuration;
mod doctor;
mod foreign;
mod invitations;
mod items;
mod last_owner;
mod listed;
mod logins;
mod openapi;
mod paging;
mod pool_life;
mod readable;
mod roles;
mod sealing;
mod secrets;
mod senders;
mod shop;
mod statistics;
mod unseen;

use hufu_testkit::{client, world};
