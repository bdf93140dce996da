//! Self-service: what users can see and change of their own account.
//!
//! All operations are about the token's account, including the accounts merged into it. A recent login is
//! required to add a way to log in, merge accounts, undo a merge, unbind a name that came with a merge, delete
//! the account, or export its data. It is not required to read data, change the profile, end sessions or
//! unbind identities: a user who has lost a phone must be able to end its session or unbind its identity
//! immediately.

pub(crate) mod accounts;
pub mod consents;
pub mod deletion;
pub mod export;
pub mod holders;
pub mod identities;
pub(crate) mod linking;
pub mod merging;
pub mod names;
pub(crate) mod notices;
pub(crate) mod profile;
pub mod sessions;
pub mod status;
pub(crate) mod uploads;
mod user_agent;
pub mod ways_in;

pub use consents::ConsentView;
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
pub use uploads::{Picture, Uploaded};
pub use user_agent::{UserAgent, read_user_agent};
