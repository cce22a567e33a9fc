//! The nouns of the field. This layer names nothing else of the crate, does no I/O, reads no
//! clock and knows no wire format.

pub mod aws_role;
pub mod evidence;
pub mod gate;
pub mod intake;
pub mod key_id;
pub mod last_use;
pub mod login;
pub mod outline;
pub mod policy;
pub mod reading;
pub mod time;
pub mod verdict;

pub use aws_role::AwsRole;
pub use evidence::{Evidence, Forgotten, HoldSeen, Observation, Root, Sighting, Snapshot};
pub use key_id::{KeyId, Match, Provider, Spelling, Unit};
pub use last_use::LastUse;
pub use login::{Login, Secret};
pub use policy::Policy;
pub use reading::{ProjectRef, Reading, RootId, Scope, Source};
pub use time::Timestamp;
