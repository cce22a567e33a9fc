//! The frozen shapes of the JSON documents, field by field in the order in which they are written.

use std::marker::PhantomData;

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

#[cfg(test)]
use super::schema::words;
use crate::model::verdict::{
    self, Deletability, DependantCounts, DependantKind, Restorability, SafeAfter,
};
use crate::model::{self, Timestamp, evidence, gate};
use crate::report;

/// RFC 3339 in UTC, with `Z` and whole seconds.
pub(super) struct Time(pub(super) Timestamp);

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

/// A list of the model's that is written row by row.
pub(super) struct Each<'a, M, S>(&'a [M], PhantomData<S>);

impl<'a, M, S> Each<'a, M, S> {
    pub(super) const fn of(rows: &'a [M]) -> Self {
        Self(rows, PhantomData)
    }
}

impl<'a, M, S: From<&'a M> + Serialize> Serialize for Each<'a, M, S> {
    fn serialize<Z: Serializer>(&self, serializer: Z) -> Result<Z::Ok, Z::Error> {
        serializer.collect_seq(self.0.iter().map(S::from))
    }
}

pub(super) fn time(at: Option<Timestamp>) -> Option<Time> {
    at.map(Time)
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct Tool {
    name: &'static str,
    version: &'static str,
}

impl Default for Tool {
    fn default() -> Self {
        Self {
            name: env!("CARGO_PKG_NAME"),
            version: env!("CARGO_PKG_VERSION"),
        }
    }
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct Root<'a> {
    #[cfg_attr(test, schemars(schema_with = "words::source"))]
    source: &'static str,
    base_url: &'a str,
    scope: &'a str,
    covered_at: Option<Time>,
}

impl<'a> From<&'a verdict::RootVerdict> for Root<'a> {
    fn from(root: &'a verdict::RootVerdict) -> Self {
        Self {
            source: root.source,
            base_url: &root.base_url,
            scope: &root.scope,
            covered_at: time(root.covered_at),
        }
    }
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct Assumption<'a> {
    kind: &'static str,
    subject: &'a str,
    stated: Option<Time>,
    reason: &'a str,
}

impl<'a> From<&'a verdict::Assumption> for Assumption<'a> {
    fn from(assumption: &'a verdict::Assumption) -> Self {
        Self {
            kind: assumption.kind,
            subject: &assumption.subject,
            stated: time(assumption.stated),
            reason: &assumption.reason,
        }
    }
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct Summary {
    snapshots: SnapshotCounts,
    keys: KeyCounts,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct SnapshotCounts {
    restorable: u64,
    conditional: u64,
    blocked: u64,
    lost: u64,
    unknown: u64,
    unusable: u64,
    expired: u64,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct KeyCounts {
    safe: u64,
    held: u64,
    unknown: u64,
    gone: u64,
}

impl From<&verdict::Summary> for Summary {
    fn from(summary: &verdict::Summary) -> Self {
        Self {
            snapshots: SnapshotCounts {
                restorable: summary.snapshots(Restorability::Restorable),
                conditional: summary.snapshots(Restorability::Conditional),
                blocked: summary.snapshots(Restorability::Blocked),
                lost: summary.snapshots(Restorability::Lost),
                unknown: summary.snapshots(Restorability::Unknown),
                unusable: summary.snapshots(Restorability::Unusable),
                expired: summary.snapshots(Restorability::Expired),
            },
            keys: KeyCounts {
                safe: summary.keys(Deletability::Safe),
                held: summary.keys(Deletability::Held),
                unknown: summary.keys(Deletability::Unknown),
                gone: summary.keys(Deletability::Gone),
            },
        }
    }
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct Finding<'a> {
    #[cfg_attr(test, schemars(schema_with = "words::code"))]
    code: &'static str,
    #[cfg_attr(test, schemars(schema_with = "words::class"))]
    class: &'static str,
    #[cfg_attr(test, schemars(schema_with = "words::level"))]
    level: &'static str,
    subject: &'a str,
    message: &'a str,
    waived: Option<Waived<'a>>,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Waived<'a> {
    until: Time,
    reason: &'a str,
}

/// What the gate was asked and told.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct Answer<'a> {
    address: Option<&'a str>,
    #[cfg_attr(test, schemars(schema_with = "words::action"))]
    action: &'static str,
    key: Option<&'a str>,
    to: Option<&'a str>,
    #[cfg_attr(test, schemars(schema_with = "words::answer"))]
    verdict: &'static str,
    safe_after: Option<Time>,
    #[cfg_attr(test, schemars(schema_with = "words::safe_after"))]
    safe_after_kind: &'static str,
    dependant_counts: Counts,
    #[cfg_attr(test, schemars(schema_with = "words::doubts"))]
    doubts: Vec<&'static str>,
    details: &'a [String],
    exit_code: u8,
}

impl<'a> From<&'a gate::Answer> for Answer<'a> {
    fn from(answer: &'a gate::Answer) -> Self {
        Self {
            address: answer.address.as_deref(),
            action: answer.action.word(),
            key: answer.key.as_deref(),
            to: answer.to.as_deref(),
            verdict: answer.verdict,
            safe_after: time(answer.safe_after.date()),
            safe_after_kind: answer.safe_after.word(),
            dependant_counts: counts(&answer.counts),
            doubts: answer.doubts.iter().map(|kind| kind.word()).collect(),
            details: &answer.details,
            exit_code: answer.exit_code,
        }
    }
}

impl<'a> From<&'a verdict::Finding> for Finding<'a> {
    fn from(finding: &'a verdict::Finding) -> Self {
        Self {
            code: finding.code.word(),
            class: finding.code.class().word(),
            level: finding.level.word(),
            subject: &finding.subject,
            message: &finding.message,
            waived: finding.waived.as_ref().map(|waived| Waived {
                until: Time(waived.until),
                reason: &waived.reason,
            }),
        }
    }
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct Project<'a> {
    project: &'a str,
    name: Option<&'a str>,
    complete: bool,
    covered_at: Option<Time>,
    gaps: &'a [String],
}

impl<'a> From<&'a verdict::ProjectVerdict> for Project<'a> {
    fn from(row: &'a verdict::ProjectVerdict) -> Self {
        Self {
            project: &row.project.id,
            name: row.name.as_deref(),
            complete: row.complete,
            covered_at: time(row.covered_at),
            gaps: &row.gaps,
        }
    }
}

/// A key and the newest counted answer about it.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct Key<'a> {
    #[cfg_attr(test, schemars(schema_with = "words::provider_or_null"))]
    provider: Option<&'static str>,
    id: &'a str,
    unit: &'a str,
    #[cfg_attr(test, schemars(schema_with = "words::condition_or_null"))]
    condition: Option<&'static str>,
    reason: Option<String>,
    deadline: Option<Time>,
    observed_at: Option<Time>,
}

impl<'a> From<&'a verdict::CheckedKey> for Key<'a> {
    fn from(key: &'a verdict::CheckedKey) -> Self {
        let state = State::from(&key.state);
        Self {
            provider: key.provider.map(|provider| provider.word()),
            id: &key.id,
            unit: &key.unit,
            condition: state.condition,
            reason: state.reason,
            deadline: state.deadline,
            observed_at: state.observed_at,
        }
    }
}

/// The four fields that say what a provider answered.
struct State {
    condition: Option<&'static str>,
    reason: Option<String>,
    deadline: Option<Time>,
    observed_at: Option<Time>,
}

impl From<&verdict::KeyState> for State {
    fn from(state: &verdict::KeyState) -> Self {
        let condition = state.condition.as_ref();
        Self {
            condition: condition.map(evidence::Condition::word),
            reason: condition.and_then(evidence::Condition::reason),
            deadline: time(condition.and_then(evidence::Condition::date)),
            observed_at: time(state.observed_at),
        }
    }
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct KeyRow<'a> {
    #[cfg_attr(test, schemars(schema_with = "words::provider_or_null"))]
    provider: Option<&'static str>,
    id: String,
    unit: Option<String>,
    resolved: bool,
    #[cfg_attr(test, schemars(schema_with = "words::condition_or_null"))]
    condition: Option<&'static str>,
    reason: Option<String>,
    deadline: Option<Time>,
    observed_at: Option<Time>,
    #[cfg_attr(test, schemars(schema_with = "words::deletability"))]
    verdict: &'static str,
    safe_after: Option<Time>,
    #[cfg_attr(test, schemars(schema_with = "words::safe_after"))]
    safe_after_kind: &'static str,
    dependant_counts: Counts,
    doubts: Vec<Doubt<'a>>,
}

impl<'a> From<&'a verdict::KeyRow> for KeyRow<'a> {
    fn from(row: &'a verdict::KeyRow) -> Self {
        match row {
            verdict::KeyRow::Resolved(row) => {
                let verdict::ResolvedKey {
                    key,
                    state,
                    verdict,
                } = &**row;
                let state = State::from(state);
                Self {
                    provider: Some(key.provider().word()),
                    id: key.to_string(),
                    unit: Some(key.unit().to_string()),
                    resolved: true,
                    condition: state.condition,
                    reason: state.reason,
                    deadline: state.deadline,
                    observed_at: state.observed_at,
                    verdict: verdict.verdict.word(),
                    safe_after: time(verdict.safe_after.date()),
                    safe_after_kind: verdict.safe_after.word(),
                    dependant_counts: counts(&verdict.counts),
                    doubts: verdict.doubts.iter().map(Doubt::from).collect(),
                }
            }
            verdict::KeyRow::Unresolved {
                provider,
                spelling,
                doubts,
            } => Self {
                provider: provider.map(|provider| provider.word()),
                id: spelling.clone(),
                unit: None,
                resolved: false,
                condition: None,
                reason: None,
                deadline: None,
                observed_at: None,
                verdict: Deletability::Unknown.word(),
                safe_after: None,
                safe_after_kind: SafeAfter::None.word(),
                dependant_counts: counts(&DependantCounts::default()),
                doubts: doubts.iter().map(Doubt::from).collect(),
            },
        }
    }
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct Doubt<'a> {
    #[cfg_attr(test, schemars(schema_with = "words::doubt"))]
    kind: &'static str,
    project: Option<&'a str>,
    detail: &'a str,
}

impl<'a> From<&'a verdict::Doubt> for Doubt<'a> {
    fn from(doubt: &'a verdict::Doubt) -> Self {
        Self {
            kind: doubt.kind.word(),
            project: doubt.project.as_deref(),
            detail: &doubt.detail,
        }
    }
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct Dependant<'a> {
    #[cfg_attr(test, schemars(schema_with = "words::dependant"))]
    kind: &'static str,
    #[serde(rename = "match")]
    #[cfg_attr(test, schemars(schema_with = "words::matching"))]
    matching: &'static str,
    project: Option<&'a str>,
    cluster: Option<&'a str>,
    id: Option<&'a str>,
    /// Null: indefinite.
    until: Option<Time>,
}

impl<'a> From<&'a verdict::Dependant> for Dependant<'a> {
    fn from(dependant: &'a verdict::Dependant) -> Self {
        Self {
            kind: dependant.kind.word(),
            matching: report::words::matching(dependant.certain),
            project: dependant.project.as_deref(),
            cluster: dependant.cluster.as_deref(),
            id: dependant.id.as_deref(),
            until: time(dependant.until.date()),
        }
    }
}

/// All eight kinds, also those without any.
pub(super) struct Counts(DependantCounts);

pub(super) fn counts(counts: &DependantCounts) -> Counts {
    Counts(*counts)
}

impl Serialize for Counts {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(DependantKind::ALL.len()))?;
        for kind in DependantKind::ALL {
            map.serialize_entry(kind.word(), &self.0.of(kind))?;
        }
        map.end()
    }
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct Snapshot<'a> {
    project: &'a str,
    cluster: &'a str,
    id: &'a str,
    #[cfg_attr(test, schemars(schema_with = "words::restorability"))]
    verdict: &'static str,
    keys: &'a [String],
    reasons: &'a [String],
    actions: &'a [&'static str],
    deadline: Option<Time>,
    expires_at: Option<Time>,
}

impl<'a> From<&'a verdict::SnapshotVerdict> for Snapshot<'a> {
    fn from(row: &'a verdict::SnapshotVerdict) -> Self {
        Self {
            project: &row.project.id,
            cluster: &row.cluster,
            id: &row.id,
            verdict: row.verdict.word(),
            keys: &row.keys,
            reasons: &row.reasons,
            actions: &row.actions,
            deadline: time(row.deadline),
            expires_at: time(row.expires_at),
        }
    }
}

/// A row of `snapshots`: that of an audit, when it was taken, and what keeps it from one cluster.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct ListedSnapshot<'a> {
    #[serde(flatten)]
    pub(super) judged: Snapshot<'a>,
    pub(super) created_at: Option<Time>,
    /// Null: nobody asked.
    pub(super) obstacles: Option<Vec<Obstacle<'a>>>,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct Obstacle<'a> {
    #[cfg_attr(test, schemars(schema_with = "words::obstacle"))]
    kind: &'static str,
    known: bool,
    detail: &'a str,
}

pub(super) fn obstacles(row: &verdict::SnapshotVerdict) -> Option<Vec<Obstacle<'_>>> {
    let obstacles = row.obstacles.as_ref()?;
    Some(
        obstacles
            .iter()
            .map(|obstacle| Obstacle {
                kind: obstacle.kind.word(),
                known: obstacle.known,
                detail: &obstacle.detail,
            })
            .collect(),
    )
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct Observation<'a> {
    #[cfg_attr(test, schemars(schema_with = "words::provider"))]
    provider: &'static str,
    id: String,
    #[cfg_attr(test, schemars(schema_with = "words::condition"))]
    condition: &'static str,
    reason: Option<String>,
    deadline: Option<Time>,
    observed_at: Time,
    native: Option<&'a str>,
    endpoint: &'a str,
    identity: Option<&'a str>,
}

impl<'a> From<&'a evidence::Observation> for Observation<'a> {
    fn from(observation: &'a evidence::Observation) -> Self {
        Self {
            provider: observation.key.provider().word(),
            id: observation.key.to_string(),
            condition: observation.condition.word(),
            reason: observation.condition.reason(),
            deadline: time(observation.condition.date()),
            observed_at: Time(observation.at),
            native: observation.native.as_deref(),
            endpoint: &observation.endpoint,
            identity: observation.identity.as_deref(),
        }
    }
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct Cause<'a> {
    #[cfg_attr(test, schemars(schema_with = "words::provider"))]
    provider: &'static str,
    reason: &'static str,
    keys: usize,
    example: Option<&'a str>,
    fix: &'static str,
}

impl<'a> From<&'a report::CauseRow> for Cause<'a> {
    fn from(cause: &'a report::CauseRow) -> Self {
        let report::CauseRow {
            provider,
            reason,
            keys,
            example,
            fix,
        } = cause;
        Self {
            provider: provider.word(),
            reason,
            keys: *keys,
            example: example.as_deref(),
            fix,
        }
    }
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct LastUse<'a> {
    #[cfg_attr(test, schemars(schema_with = "words::provider"))]
    provider: &'static str,
    id: String,
    at: Option<Time>,
    operation: Option<&'a str>,
    recorded_since: Option<Time>,
}

impl<'a> From<&'a model::LastUse> for LastUse<'a> {
    fn from(told: &'a model::LastUse) -> Self {
        let model::LastUse {
            key,
            operation,
            at,
            tracked_since,
        } = told;
        Self {
            provider: key.provider().word(),
            id: key.to_string(),
            at: time(*at),
            operation: operation.as_deref(),
            recorded_since: time(*tracked_since),
        }
    }
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct ExplainedKey<'a> {
    key: &'a str,
    #[cfg_attr(test, schemars(schema_with = "words::provider"))]
    provider: &'static str,
    endpoint: &'a str,
    login: &'a str,
    calls: Vec<ExplainedCall<'a>>,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct ExplainedCall<'a> {
    call: &'a str,
    when: &'a str,
    right: &'a str,
}

impl<'a> From<&'a report::ExplainedKey> for ExplainedKey<'a> {
    fn from(explained: &'a report::ExplainedKey) -> Self {
        Self {
            key: &explained.subject,
            provider: explained.provider.word(),
            endpoint: &explained.endpoint,
            login: explained.login,
            calls: explained
                .calls
                .iter()
                .map(|(call, when, right)| ExplainedCall { call, when, right })
                .collect(),
        }
    }
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct Reject<'a> {
    file: &'a str,
    record: Option<&'a str>,
    reason: &'a str,
}

impl<'a> From<&'a report::Reject> for Reject<'a> {
    fn from(reject: &'a report::Reject) -> Self {
        Self {
            file: &reject.file,
            record: reject.record.as_deref(),
            reason: &reject.reason,
        }
    }
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct Download<'a> {
    id: &'a str,
    project: Option<&'a str>,
    cluster: Option<&'a str>,
    snapshot: Option<&'a str>,
    keys: &'a [String],
    finished_at: Option<Time>,
    forgotten_at: Option<Time>,
    reason: Option<&'a str>,
}

impl<'a> From<&'a report::DownloadRow> for Download<'a> {
    fn from(row: &'a report::DownloadRow) -> Self {
        Self {
            id: &row.id,
            project: row.project.as_deref(),
            cluster: row.cluster.as_deref(),
            snapshot: row.snapshot.as_deref(),
            keys: &row.keys,
            finished_at: time(row.finished_at),
            forgotten_at: time(row.forgotten_at),
            reason: row.reason.as_deref(),
        }
    }
}
