//! The deeds done to the store, and what it holds after them.

use std::sync::Arc;

use hufu_store::flow_steps::{Continue, Continued, Doing, StepFailure};
use hufu_store::logins::{Bind, BindOutcome, Login, LoginOutcome};
use hufu_store::merges::{Merge, Merged, NewMerge, UndoMerge, Undone};
use hufu_store::credentials::{Guess, Locks, LockRule};
use hufu_store::{Store, StoreError, users};
use hufu_types::{
    Association, Identifier, IdentityKey, OpenPlatform, PhoneProof, PoolId, Profile, Timestamp, User, UserId,
};

use super::model::{Id, Model};
use super::{APPS, Act, Deed, Done, MAX_TRIES, NUMBERS, Proof, Visit};
use crate::support::{NOW, Variant as _, arrival, connection, login, phone, ticket, trace, unit};
