//! What the operator decided: ages, statements, and how severe each finding is. Validated by
//! `config`; the rules read it as it stands.

use std::collections::BTreeMap;

use super::key_id::KeyId;
use super::time::Timestamp;
use super::verdict::{Code, Level};

#[derive(Clone, Debug)]
pub struct Policy {
    /// Seconds for which an observation is fresh.
    pub max_probe_age: i64,
    /// Seconds for which a project's coverage is fresh.
    pub max_inventory_age: i64,
    /// Seconds of coverage age that `check --for delete|disable` accepts.
    pub max_check_age: i64,
    /// Seconds after which a statement no longer stands for evidence.
    pub max_statement_age: i64,
    /// Non-answers of other identities are shown, not counted.
    pub probe_identity: Option<String>,
    pub keys: Vec<KeyStatement>,
    pub projects: Vec<ProjectStatement>,
    pub holds: Vec<Hold>,
    pub retired_keys: Vec<RetiredKey>,
    pub kmip_servers: Vec<KmipServer>,
    pub gate: GatePolicy,
}

/// How severe each finding is, and which are put up with: what `gate --policy FILE` replaces.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GatePolicy {
    /// `[policy]`
    pub levels: BTreeMap<Code, Level>,
    /// `[policy.project.ID]`, by project id.
    pub of_projects: BTreeMap<String, BTreeMap<Code, Level>>,
    pub waivers: Vec<Waiver>,
    /// Seconds after which a project's current key is due for rotation.
    pub rotation_max_age: i64,
}

impl Default for GatePolicy {
    fn default() -> Self {
        Self {
            levels: BTreeMap::new(),
            of_projects: BTreeMap::new(),
            waivers: Vec::new(),
            // Atlas alerts after 90 days by default.
            rotation_max_age: 90 * DAY,
        }
    }
}

/// `[[waiver]]`: a finding that is put up with for a while.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiver {
    pub code: Code,
    /// As the finding spells it; a key in any spelling of its own.
    pub subject: String,
    /// The first instant at which it no longer counts.
    pub until: Timestamp,
    pub reason: String,
}

/// Seconds of a day.
pub const DAY: i64 = 86_400;
/// Seconds of an hour.
pub const HOUR: i64 = 3_600;

impl Default for Policy {
    fn default() -> Self {
        Self {
            max_probe_age: DAY,
            max_inventory_age: DAY,
            max_check_age: HOUR,
            max_statement_age: 90 * DAY,
            probe_identity: None,
            keys: Vec::new(),
            projects: Vec::new(),
            holds: Vec::new(),
            retired_keys: Vec::new(),
            kmip_servers: Vec::new(),
            gate: GatePolicy::default(),
        }
    }
}

impl GatePolicy {
    /// The level of a finding: the operator's, else the default of its code.
    pub fn level(&self, code: Code) -> Level {
        self.levels
            .get(&code)
            .copied()
            .unwrap_or_else(|| code.default_level())
    }

    /// The level of a finding about one project: the project's own, else that of all.
    pub fn level_in(&self, code: Code, project: &str) -> Level {
        self.of_projects
            .get(project)
            .and_then(|levels| levels.get(&code))
            .copied()
            .unwrap_or_else(|| self.level(code))
    }
}

/// `[[key]]`: `id` as snapshots spell it is the key `is`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyStatement {
    pub id: String,
    pub is: KeyId,
    /// Only in this project.
    pub project: Option<String>,
    pub stated: Timestamp,
    pub reason: String,
}

/// `[[project]]`: what an operator vouches for in place of evidence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProjectStatement {
    pub id: String,
    pub customer_keys: Option<CustomerKeys>,
    pub absent_key: Option<AbsentKey>,
    pub stated: Timestamp,
    pub reason: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CustomerKeys {
    None,
    /// As spelled.
    Only(Vec<String>),
}

/// What a snapshot without a key id means in a project.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AbsentKey {
    NotEnabled,
    ProjectKey,
}

/// `[[hold]]`: keep this key, whatever the evidence says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hold {
    pub key: String,
    /// `None` = indefinitely.
    pub until: Option<Timestamp>,
    pub stated: Timestamp,
    pub reason: String,
}

/// `[[retired_key]]`: no running node uses this KMIP key any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RetiredKey {
    pub key: String,
    pub stated: Timestamp,
    pub reason: String,
}

/// `[[kmip]]`: a named server and the groups whose keys live there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KmipServer {
    pub name: String,
    pub groups: Vec<String>,
}
