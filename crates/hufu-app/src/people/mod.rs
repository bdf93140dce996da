//! What people see and do with their own account: identities, sessions, what happened, their data.
//!
//! Everything is about the account of the token, with what was merged into it. Merging, undoing a merge, unbinding
//! a name that came with one, deleting the account and taking the data out need a recent login; reading, changing
//! the profile, ending sessions and unbinding identities do not: whoever ends a session or unbinds an identity of a
//! lost phone must be able to at once.

mod deletion;
mod export;
mod identities;
pub(crate) mod merging;
mod names;
pub(crate) mod profile;
mod sessions;
pub(crate) mod uploads;
mod user_agent;

pub use deletion::DeletionProof;
pub use export::OwnExport;
pub use hufu_store::personal::{OwnData, OwnEvent, OwnSession};
pub use identities::{BoundIdentity, UnboundIdentities, WhichIdentities, identity_id};
pub use merging::{MergePreview, MergeUndone, StoredMerge};
pub use names::LoginName;
pub use profile::ProfileChange;
pub use sessions::SessionView;
pub use uploads::{Picture, UploadSlot, Uploaded};
pub use user_agent::{UserAgent, read_user_agent};
