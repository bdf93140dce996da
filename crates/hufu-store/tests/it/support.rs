//! What many of the tests need.

pub(crate) use hufu_testkit::store::{
    APP, Held, NOW, OTHER_APP, application, hash, migrated, open, other_pool, phone, pool, seconds,
};
pub(crate) use hufu_testkit::unit;
