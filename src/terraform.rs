//! Reads the JSON of a Terraform or OpenTofu plan and lists what the plan would do to encryption
//! keys: delete, replace, forget, disable one, or take one away from an Atlas project.
//!
//! The form is that of `terraform show -json PLANFILE`, format versions 0 and 1
//! (<https://developer.hashicorp.com/terraform/internals/json-format>, "Plan Representation" and
//! "Change Representation"; OpenTofu writes the same). Object properties with other names are
//! skipped and other major versions refused, as that page asks of every reader.
//!
//! It names keys as the plan spells them and judges none of them: whether a key may go is for the
//! layers that hold evidence. It never lets a change vanish: what cannot be read is a change of
//! [`Keys::Unknown`] or a flaw of the plan, never nothing. Attribute values other than the ids of
//! keys are compared and dropped, as a plan holds secrets in clear text.

mod document;
mod input;
mod resource;
mod settings;
#[cfg(test)]
mod tests;
mod values;

use std::io::{self, Read};

/// What a plan says of keys.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// In the order of the plan, which sorts by address.
    pub changes: Vec<Change>,
    /// Why `changes` may not be all, one sentence each: the plan is errored or incomplete, a
    /// change of a key is put off, an action is unknown.
    pub flaws: Vec<String>,
}

/// One thing that applying the plan would do to one key, or to keys that go together. A resource
/// may have several.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The resource as the plan spells it, a deposed object in brackets behind it; the place in
    /// the plan if it has no address. Cut at 4 KiB.
    pub address: String,
    pub action: Action,
    pub keys: Keys,
}

/// What happens to the keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// They are destroyed, at once or after the provider's waiting period.
    Delete,
    /// They are destroyed, and others take their place in the configuration.
    Replace,
    /// They stay, and leave the state: nothing in the configuration protects them any longer.
    Forget,
    /// They can no longer decrypt, or from a date on cannot.
    Disable,
    /// An Atlas project no longer has them, nor another key of the same provider.
    Detach,
    /// An Atlas project goes from this key to another.
    Rotate { to: Successor },
}

/// Which keys a change is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Keys {
    /// One key, verbatim.
    One(String),
    /// `projects/…/cryptoKeys/K`, verbatim: all its versions.
    GoogleKey(String),
    /// Every key in the vault or managed HSM of this host, in lower case without a port.
    Vault(String),
    /// Why the plan cannot say.
    Unknown(String),
}

/// The key that a project goes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Successor {
    /// Verbatim.
    Known(String),
    /// Why the plan cannot say: mostly that the key is known only after apply.
    Unknown(String),
}

/// Why a file is no plan. Nothing of it was read into a [`Plan`].
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    #[error("`{name}` is empty; {HOW}")]
    Empty { name: String },
    #[error("`{name}` is the binary plan file, which only Terraform itself can read; {HOW}")]
    Binary { name: String },
    #[error(
        "`{name}` is UTF-16, as `>` of Windows PowerShell writes it; write it again as UTF-8, with \
         `terraform show -json PLANFILE | Out-File -Encoding utf8 FILE`"
    )]
    Utf16 { name: String },
    #[error("`{name}` is the log of `plan -json`, which lacks the keys' ids; {HOW}")]
    Log { name: String },
    #[error("`{name}` is a state, not a plan: it says what is, not what would change; {HOW}")]
    State { name: String },
    #[error("`{name}` is no plan: {why}; {HOW}")]
    NotAPlan { name: String, why: &'static str },
    #[error("`{name}` has format version `{version}`, and only 0 and 1 can be read")]
    Version { name: String, version: String },
    #[error("`{name}` is cut off: it ends at line {line}, column {column}, before the plan does")]
    Truncated {
        name: String,
        line: usize,
        column: usize,
    },
    #[error("`{name}` is not JSON: {why}; {HOW}")]
    Json { name: String, why: String },
    #[error("`{name}` is larger than {mib} MiB, and was not read")]
    TooLarge { name: String, mib: u64 },
    /// The only one that is not the fault of what was given (exit code 4).
    #[error("could not read `{name}`")]
    Io { name: String, source: io::Error },
}

const HOW: &str = "make it with `terraform show -json PLANFILE > FILE`";

impl PlanError {
    /// Whether what was given is to blame, and not the run.
    pub const fn is_usage(&self) -> bool {
        match self {
            Self::Empty { .. }
            | Self::Binary { .. }
            | Self::Utf16 { .. }
            | Self::Log { .. }
            | Self::State { .. }
            | Self::NotAPlan { .. }
            | Self::Version { .. }
            | Self::Truncated { .. }
            | Self::Json { .. }
            | Self::TooLarge { .. } => true,
            Self::Io { .. } => false,
        }
    }
}

/// A plan of ten thousand resources is about 50 MB.
const MAX_BYTES: u64 = 512 << 20;

/// Reads a plan; `name` is how errors call it. Memory grows with the changes of keys and the
/// largest single resource or text, not with the plan.
///
/// # Errors
///
/// Everything that is not the whole JSON of one plan in a known version, each with what to do.
pub fn read(bytes: impl Read, name: &str) -> Result<Plan, PlanError> {
    read_within(bytes, name, MAX_BYTES)
}

fn read_within(bytes: impl Read, name: &str, limit: u64) -> Result<Plan, PlanError> {
    let text = input::utf8(bytes, name, limit)?;
    let document = document::read(text).map_err(|error| input::explain(error, name, limit))?;
    document.into_plan(name)
}
