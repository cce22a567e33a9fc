//! Findings: what the gate weighs (design 6.3). One finding for each code and subject; snapshots
//! that share a key and a verdict share a finding, so that a report of a million snapshots stays
//! readable and flat in memory.

use std::collections::{BTreeMap, BTreeSet};

use super::decide::{Decided, Group, shown};
use super::estate_doubts;
use super::identity::Resolved;
use super::waivers::{self, Run};
use crate::model::KeyId;
use crate::model::evidence::Condition;
use crate::model::policy::{DAY, GatePolicy, HOUR};
use crate::model::reading::{Gap, Outcome};
use crate::model::verdict::{
    Code, Doubt, DoubtKind, Finding, KeyRow, KeyState, Level, UnitVerdict, Until,
};

/// All findings, sorted by level, code, subject.
pub(super) fn of(decided: &Decided<'_>, keys: &[KeyRow]) -> Vec<Finding> {
    let mut found = Collected {
        decided,
        findings: BTreeMap::new(),
    };
    for ((code, subject), group) in &decided.groups {
        let level = group.level.unwrap_or_else(|| found.policy().level(*code));
        found.insert(*code, level, subject, snapshots(*code, group));
    }
    for row in keys {
        match row {
            KeyRow::Resolved(row) => found.key(&row.key, &row.state, &row.verdict),
            KeyRow::Unresolved { .. } => {}
        }
    }
    found.unresolved();
    found.projects();
    found.estate();
    found.holds();
    let findings: Vec<Finding> = found.findings.into_values().collect();
    let estate = &decided.estate;
    waivers::applied(findings, &estate.policy.gate, Run::Audit, estate.as_of)
}

struct Collected<'a, 'e> {
    decided: &'a Decided<'e>,
    findings: BTreeMap<(Code, String), Finding>,
}

impl<'e> Collected<'_, 'e> {
    fn policy(&self) -> &'e GatePolicy {
        &self.decided.estate.policy.gate
    }

    /// A finding about no project in particular.
    fn add(&mut self, code: Code, subject: &str, message: String) {
        let level = self.policy().level(code);
        self.insert(code, level, subject, message);
    }

    fn add_in(&mut self, project: &str, code: Code, subject: &str, message: String) {
        let level = self.policy().level_in(code, project);
        self.insert(code, level, subject, message);
    }

    /// A finding about a key, as strict as the strictest of the projects that name it. What needs
    /// it for no project's sake, such as a hold, is judged as everywhere.
    fn add_of_key(&mut self, key: &KeyId, code: Code, subject: &str, message: String) {
        let estate = &self.decided.estate;
        let overall = self.policy().level(code);
        let family = estate.family_of(key);
        let naming = estate.names.iter().filter(|name| {
            name.in_use && name.names.iter().any(|(named, _)| Some(*named) == family)
        });
        let level = naming
            .map(
                |name| match name.project.and_then(|no| estate.projects.get(no)) {
                    Some(project) => self.policy().level_in(code, &project.id.id),
                    None => overall,
                },
            )
            .min()
            .unwrap_or(overall);
        self.insert(code, level, subject, message);
    }

    fn insert(&mut self, code: Code, level: Level, subject: &str, message: String) {
        self.findings
            .entry((code, subject.to_owned()))
            .or_insert_with(|| Finding {
                code,
                level,
                subject: subject.to_owned(),
                message,
                waived: None,
            });
    }

    fn key(&mut self, key: &KeyId, state: &KeyState, verdict: &UnitVerdict) {
        let subject = key.to_string();
        let needed = verdict.counts.total();
        if let Some(at) = self.decided.estate.observed.came_back(key) {
            self.add_of_key(
                key,
                Code::KeyCameBack,
                &subject,
                format!("it was destroyed, and gave a definite answer again at {at}"),
            );
        }
        if needed == 0 {
            return;
        }
        let dependants = count(needed, "dependant");
        match &state.condition {
            None => {
                self.add_of_key(
                    key,
                    Code::ProbeStale,
                    &subject,
                    format!("{dependants}, and the key was never asked about"),
                );
                return;
            }
            Some(Condition::PendingDeletion { deadline }) => {
                let when = deadline.map_or_else(String::new, |at| format!(" at {at}"));
                self.add_of_key(
                    key,
                    Code::KeyPendingDeletionInUse,
                    &subject,
                    format!("{dependants}, and the key will be deleted{when}"),
                );
            }
            Some(Condition::SoftDeleted { purge }) => {
                let when = purge.map_or_else(String::new, |at| format!(" at {at}"));
                self.add_of_key(
                    key,
                    Code::KeyPendingDeletionInUse,
                    &subject,
                    format!("{dependants}, and the deleted key will be purged{when}"),
                );
            }
            Some(Condition::Disabled) => {
                self.add_of_key(
                    key,
                    Code::KeyDisabledInUse,
                    &subject,
                    format!("{dependants}, and the key is disabled"),
                );
            }
            Some(Condition::Enabled {
                expires: Some(expires),
            }) => {
                if self.snapshots_until(key) > Some(Until::At(*expires)) {
                    self.add_of_key(
                key,
                        Code::KeyExpiresBeforeSnapshots,
                        &subject,
                        format!("{dependants}, and the key expires at {expires}, before the last of its snapshots"),
                    );
                }
            }
            Some(
                Condition::Enabled { expires: None }
                | Condition::UnwrapOnly { .. }
                | Condition::MaterialMissing
                | Condition::Unavailable { .. }
                | Condition::Transient
                | Condition::Destroyed { .. }
                | Condition::Unknown { .. },
            ) => {}
        }
        if !state.fresh {
            let at = state
                .observed_at
                .map_or_else(String::new, |at| format!(" (at {at})"));
            self.add_of_key(
                key,
                Code::ProbeStale,
                &subject,
                format!("{dependants}, and the newest answer about the key is too old{at}"),
            );
        }
    }

    /// Until when snapshots and their copies need a key.
    fn snapshots_until(&self, key: &KeyId) -> Option<Until> {
        let family = self.decided.estate.family_of(key)?;
        self.decided.tallies.get(family)?.snapshots_until
    }

    fn unresolved(&mut self) {
        let estate = &self.decided.estate;
        for name in estate.names.iter().filter(|name| name.in_use) {
            if matches!(name.resolved, Resolved::Unresolved(_)) {
                let message = String::from(
                    "the id does not say which key it is: add a [[key]] statement to snapkey.toml",
                );
                let subject = shown(&name.text);
                match name.project.and_then(|no| estate.projects.get(no)) {
                    Some(project) => {
                        self.strictest(&project.id.id, Code::KeyUnresolved, &subject, message);
                    }
                    None => self.add(Code::KeyUnresolved, &subject, message),
                }
            }
        }
    }

    /// A finding that several projects make with the same words.
    fn strictest(&mut self, project: &str, code: Code, subject: &str, message: String) {
        let level = self.policy().level_in(code, project);
        self.insert(code, level, subject, message);
        if let Some(found) = self.findings.get_mut(&(code, subject.to_owned())) {
            found.level = found.level.min(level);
        }
    }

    fn projects(&mut self) {
        let estate = &self.decided.estate;
        for project in estate.projects.iter().filter(|p| !p.left) {
            let age = estate.policy.max_inventory_age;
            let mut doubts: BTreeMap<DoubtKind, Vec<Doubt>> = BTreeMap::new();
            for doubt in estate_doubts::of_project(project, estate.as_of, age) {
                doubts.entry(doubt.kind).or_default().push(doubt);
            }
            for (kind, doubts) in doubts {
                if let (Some(code), Some(first)) = (code_of(kind), doubts.first()) {
                    let more = match doubts.len() {
                        0 | 1 => String::new(),
                        n => format!(" (and {} more)", n - 1),
                    };
                    self.add_in(
                        &project.id.id,
                        code,
                        &project.id.id,
                        format!("{}{more}", first.detail),
                    );
                }
            }
            self.current_keys(project);
            // One that a later import mended is no news.
            let skewed = project.readings.iter().any(|r| {
                r.outcome == Outcome::Partial(Gap::ClockSkew) && estate.as_of.since(r.at) <= age
            });
            if skewed {
                self.add_in(
                    &project.id.id,
                    Code::ClockSkew,
                    &project.id.id,
                    String::from(
                        "the collector's clock and the service's differ by over five minutes",
                    ),
                );
            }
        }
        for ((project, cluster), ids) in &self.decided.conflicts {
            self.add_in(
                project,
                Code::KeyIdConflict,
                &format!("{project}/{cluster}"),
                format!(
                    "readings of {} name different keys: {}",
                    count(ids.count, "snapshot"),
                    joined(&ids.examples)
                ),
            );
        }
    }

    fn current_keys(&mut self, project: &super::estate::Project<'_>) {
        let estate = &self.decided.estate;
        let rotation_max_age = self.policy().rotation_max_age;
        let newest = project.current.iter().map(|current| current.at).max();
        for current in project.current.iter().filter(|c| Some(c.at) == newest) {
            let Some(name) = current.name.and_then(|no| estate.names.get(no)) else {
                continue;
            };
            if current.settings.valid == Some(false) {
                self.add_in(
                    &project.id.id,
                    Code::ActiveKeyInvalid,
                    &project.id.id,
                    format!(
                        "Atlas could not use the current key `{}` when asked",
                        shown(&name.text)
                    ),
                );
            }
            let first = current.name.and_then(|no| project.uses.first(no));
            if let Some(first) = first
                && estate.as_of.since(first) > rotation_max_age
            {
                self.add_in(
                    &project.id.id,
                    Code::KeyRotationOverdue,
                    &project.id.id,
                    format!(
                        "the current key `{}` has been in use since {first}, over {}",
                        shown(&name.text),
                        length(rotation_max_age)
                    ),
                );
            }
        }
    }

    fn estate(&mut self) {
        let estate = &self.decided.estate;
        let age = estate.policy.max_inventory_age;
        for doubt in estate_doubts::of_roots(estate, age) {
            if let Some(code) = code_of(doubt.kind) {
                let subject = doubt.project.as_deref().unwrap_or("estate");
                self.add(code, subject, doubt.detail);
            }
        }
    }

    fn holds(&mut self) {
        let estate = &self.decided.estate;
        for (hold, no) in estate.policy.holds.iter().zip(&estate.holds) {
            let known = estate.names.get(*no).is_some_and(|name| {
                name.names.iter().any(|(family, _)| {
                    estate.families.get(*family).is_some_and(|family| {
                        family
                            .keys
                            .iter()
                            .any(|key| estate.observed.was_asked(key) || self.decided.is_named(key))
                    })
                })
            });
            if !known {
                self.add(
                    Code::HoldUnused,
                    &shown(&hold.key),
                    String::from("the hold names a key that no inventory and no key service knows"),
                );
            }
        }
        for seen in &estate.evidence.holds_seen {
            let still = estate.policy.holds.iter().any(|hold| hold.key == seen.key);
            let running = seen.until.is_none_or(|until| until > estate.as_of);
            let recent = estate.as_of.since(seen.last_seen) <= estate.policy.max_statement_age;
            if !still && running && recent {
                self.add(
                    Code::HoldRemoved,
                    &shown(&seen.key),
                    format!("a hold was in the configuration until {}", seen.last_seen),
                );
            }
        }
    }
}

/// `90 days`, `36 hours`: in days where they are whole.
fn length(seconds: i64) -> String {
    let (n, unit) = if seconds % DAY == 0 {
        (seconds / DAY, "day")
    } else if seconds % HOUR == 0 {
        (seconds / HOUR, "hour")
    } else {
        (seconds, "second")
    };
    count(n.unsigned_abs(), unit)
}

/// The finding that a doubt about the inventory makes.
fn code_of(kind: DoubtKind) -> Option<Code> {
    match kind {
        DoubtKind::EstateEmpty => Some(Code::EstateEmpty),
        DoubtKind::EstateIncomplete => Some(Code::EstateIncomplete),
        DoubtKind::ProjectIncomplete => Some(Code::ProjectIncomplete),
        DoubtKind::ProjectMissing => Some(Code::ProjectMissing),
        DoubtKind::ProjectStale => Some(Code::ProjectStale),
        DoubtKind::CopyRetentionUnknown
        | DoubtKind::HistoryTooShort
        | DoubtKind::KeyNeverSeen
        | DoubtKind::KmipNeverNamed
        | DoubtKind::LapsedSnapshot
        | DoubtKind::MaybeMatch
        | DoubtKind::PitSuccessorUnseen
        | DoubtKind::RotationUnderWay
        | DoubtKind::UnrecordedKey
        | DoubtKind::UnresolvedKey => None,
    }
}

fn snapshots(code: Code, group: &Group) -> String {
    let reasons = group.reasons.iter().cloned().collect::<Vec<_>>().join(", ");
    let why = if reasons.is_empty() {
        String::new()
    } else {
        format!(" ({reasons})")
    };
    let what = if code == Code::SnapshotLost {
        "can never be restored"
    } else if code == Code::SnapshotBlocked {
        "cannot be restored until somebody acts"
    } else if code == Code::SnapshotConditional {
        "may be refused by MongoDB"
    } else {
        "may or may not be restorable"
    };
    let by = group
        .deadline
        .map_or_else(String::new, |at| format!(", before {at}"));
    format!(
        "{} {what}{by}{why}: {}{}",
        count(group.count, "snapshot"),
        joined(&group.examples),
        if group.is_cut() { ", …" } else { "" }
    )
}

fn joined(examples: &BTreeSet<String>) -> String {
    let examples: Vec<&str> = examples.iter().map(String::as_str).collect();
    examples.join(", ")
}

fn count(n: u64, what: &str) -> String {
    if n == 1 {
        format!("1 {what}")
    } else {
        format!("{n} {what}s")
    }
}
