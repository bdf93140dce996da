//! What people see and do with their own account: identities, sessions, what happened, their data.
//!
//! Everything is about the account of the token, with what was merged into it. Merging, undoing a merge, unbinding
//! a name that came with one, deleting the account and taking the data out need a recent login; reading, changing
//! the profile, ending sessions and unbinding identities do not: whoever ends a session or unbinds an identity of a
//! lost phone must be able to at once.

pub(crate) mod accounts;
pub mod deletion;
pub mod export;
pub mod holders;
pub mod identities;
pub mod merging;
pub mod names;
pub(crate) mod profile;
pub mod sessions;
pub mod status;
pub(crate) mod uploads;
mod user_agent;
pub mod ways_in;

pub use deletion::DeletionProof;
pub use export::OwnExport;
pub use export::unit::OwnData;
pub use hufu_store::audit::OwnEvent;
pub use hufu_store::sessions::OwnSession;
pub use identities::{BoundIdentity, UnboundIdentities, WhichIdentities, identity_id};
pub use merging::{MergePreview, MergeUndone, StoredMerge};
pub use names::LoginName;
pub use profile::ProfileChange;
pub use sessions::SessionView;
pub use uploads::{Picture, UploadSlot, Uploaded};
pub use user_agent::{UserAgent, read_user_agent};
