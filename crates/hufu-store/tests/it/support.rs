//! Helpers shared by many tests.

pub(crate) use hufu_testkit::store::{
    Held, Hold, NOW, application, hash, migrated, open, other_pool, phone, pool, seconds,
};
pub(crate) use hufu_testkit::unit;
