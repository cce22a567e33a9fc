//! Is this snapshot restorable (design 6.1)? The worst of all answers counts.

use std::cell::OnceCell;
use std::collections::BTreeSet;

use super::coverage;
use super::encryption::{self, Encryption};
use super::estate::{Estate, Name, NameNo, Project};
use super::identity::Resolved;
use super::snapshot;
use crate::model::evidence::{Condition, SnapshotStatus};
use crate::model::key_id::Provider;
use crate::model::verdict::{Restorability, SnapshotVerdict, Until};
use crate::model::{KeyId, Snapshot, Timestamp};

/// One answer about one thing that a restore needs.
#[derive(Clone, Copy, Debug, Default)]
struct Answer {
    rank: Rank,
    reason: Option<&'static str>,
    actions: &'static [&'static str],
    deadline: Option<Timestamp>,
}

/// From best to worst (design 6.1: lost > unknown > blocked > conditional > restorable).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    #[default]
    Restorable,
    Conditional,
    Blocked,
    Unknown,
    Lost,
}

impl Rank {
    const fn verdict(self) -> Restorability {
        match self {
            Self::Restorable => Restorability::Restorable,
            Self::Conditional => Restorability::Conditional,
            Self::Blocked => Restorability::Blocked,
            Self::Unknown => Restorability::Unknown,
            Self::Lost => Restorability::Lost,
        }
    }
}

/// What one spelling means for every snapshot under it, worked out once for all of them.
#[derive(Debug)]
pub(super) struct OfName {
    answers: Box<[Answer]>,
    /// The ids that the verdicts name.
    texts: Vec<Box<str>>,
}

/// Room for one of each spelling of the estate: it is worked out when a snapshot is under it.
pub(super) fn unjudged(estate: &Estate<'_>) -> Vec<OnceCell<OfName>> {
    estate.names.iter().map(|_| OnceCell::new()).collect()
}

fn judged<'a>(estate: &'a Estate<'_>, no: NameNo) -> Option<&'a OfName> {
    let name = estate.names.get(no)?;
    let judged = estate.judged.get(no)?;
    Some(judged.get_or_init(|| OfName {
        answers: of_name(estate, name).into(),
        texts: match &name.resolved {
            Resolved::Keys(keys) => keys.iter().map(|key| key.to_string().into()).collect(),
            Resolved::Unresolved(_) => vec![name.text.as_str().into()],
        },
    }))
}

/// The verdict on a snapshot without what the snapshot says of itself.
#[derive(Clone, Debug)]
pub(super) struct Judged {
    pub(super) verdict: Restorability,
    /// Sorted.
    pub(super) reasons: Vec<&'static str>,
    pub(super) actions: Vec<&'static str>,
    pub(super) deadline: Option<Timestamp>,
}

/// The verdict on a snapshot; `None` if it is gone.
pub(super) fn judge(estate: &Estate<'_>, row: &Snapshot) -> Option<SnapshotVerdict> {
    let (project_no, project) = estate.project_of(&row.project)?;
    if project.left || is_gone(project, row) {
        return None;
    }
    let encryption = encryption::of(estate, project_no, project, row);
    let judged = judge_present(estate, project, row, &encryption)?;
    Some(SnapshotVerdict {
        project: row.project.clone(),
        cluster: row.cluster.clone(),
        id: row.id.clone(),
        verdict: judged.verdict,
        keys: key_texts(estate, &encryption)
            .into_iter()
            .map(str::to_owned)
            .collect(),
        reasons: judged.reasons.into_iter().map(str::to_owned).collect(),
        actions: judged.actions,
        deadline: judged.deadline,
        created_at: snapshot::newest(row)?.created_at,
        expires_at: snapshot::expiry(row).date(),
        obstacles: None,
    })
}

/// The verdict on a snapshot that is not gone.
pub(super) fn judge_present(
    estate: &Estate<'_>,
    project: &Project<'_>,
    row: &Snapshot,
    encryption: &Encryption,
) -> Option<Judged> {
    let newest = snapshot::newest(row)?;
    let mut judged = Judged {
        verdict: Restorability::Unknown,
        reasons: Vec::new(),
        actions: Vec::new(),
        deadline: None,
    };
    if let Until::At(at) = snapshot::expiry(row)
        && at <= estate.as_of
        && newest.last_at <= at
    {
        judged.verdict = Restorability::Expired;
        return Some(judged);
    }
    let answers = match unfit(&newest.status) {
        Some((word, Restorability::Unusable)) => {
            judged.verdict = Restorability::Unusable;
            judged.reasons = vec![word];
            return Some(judged);
        }
        Some((word, _)) => vec![unknown(word)],
        None => answers(estate, project, row, encryption),
    };
    let worst = answers
        .iter()
        .map(|a| a.rank)
        .max()
        .unwrap_or(Rank::Unknown);
    judged.verdict = worst.verdict();
    judged.reasons = sorted(answers.iter().filter_map(|a| a.reason));
    if worst == Rank::Blocked {
        judged.actions = sorted(answers.iter().flat_map(|a| a.actions.iter().copied()));
        judged.deadline = answers.iter().filter_map(|a| a.deadline).min();
    }
    Some(judged)
}

fn sorted<'a>(texts: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let mut texts: Vec<&str> = texts.collect();
    texts.sort_unstable();
    texts.dedup();
    texts
}

/// Whether the snapshot is gone for good.
pub(super) fn is_gone(project: &Project<'_>, row: &Snapshot) -> bool {
    let cluster = project.clusters.get(row.cluster.as_str());
    coverage::is_gone(
        &project.coverage,
        cluster.map(|c| &**c),
        snapshot::latest(row),
    )
}

/// A snapshot that is not `completed` is unusable; without a status, or with one that nobody
/// knows, nothing can be said.
fn unfit(status: &SnapshotStatus) -> Option<(&'static str, Restorability)> {
    match status {
        SnapshotStatus::Completed => None,
        SnapshotStatus::Queued => Some(("queued", Restorability::Unusable)),
        SnapshotStatus::InProgress => Some(("in-progress", Restorability::Unusable)),
        SnapshotStatus::Failed => Some(("failed", Restorability::Unusable)),
        SnapshotStatus::Unrecorded => Some(("status-unrecorded", Restorability::Unknown)),
        SnapshotStatus::Unrecognised(_) => Some(("status-unrecognised", Restorability::Unknown)),
    }
}

fn answers(
    estate: &Estate<'_>,
    project: &Project<'_>,
    row: &Snapshot,
    encryption: &Encryption,
) -> Vec<Answer> {
    let mut answers = Vec::new();
    let shown = snapshot::last_shown(row);
    if shown.is_none_or(|at| estate.as_of.since(at) > estate.policy.max_inventory_age) {
        answers.push(unknown("inventory-stale"));
    }
    match encryption {
        Encryption::NotEnabled(_) => answers.push(Answer::default()),
        Encryption::Unrecorded => answers.push(unknown("key-unrecorded")),
        Encryption::ProjectKeys(_) => {
            let names: BTreeSet<NameNo> = project
                .uses
                .names()
                .chain(project.current.iter().filter_map(|c| c.name))
                .collect();
            // Which keys were the project's is not known from a cut inventory.
            if names.is_empty() || project.coverage.complete_at.is_none() {
                answers.push(unknown("key-unrecorded"));
            }
            answers.extend(names.into_iter().flat_map(|name| known(estate, name)));
        }
        Encryption::Keys(names) => {
            answers.extend(names.iter().flat_map(|name| known(estate, *name)));
        }
    }
    answers
}

fn known<'a>(estate: &'a Estate<'_>, name: NameNo) -> impl Iterator<Item = Answer> + 'a {
    let known = judged(estate, name).map(|of| &*of.answers);
    const UNRESOLVED: &[Answer] = &[unknown("key-unresolved")];
    known.unwrap_or(UNRESOLVED).iter().copied()
}

/// Whether what a spelling names is destroyed.
pub(super) fn is_lost_under(estate: &Estate<'_>, name: NameNo) -> bool {
    known(estate, name).any(|answer| answer.rank == Rank::Lost)
}

fn of_name(estate: &Estate<'_>, name: &Name) -> Vec<Answer> {
    let mut answers: Vec<Answer> = match &name.resolved {
        Resolved::Unresolved(_) => vec![unknown("key-unresolved")],
        Resolved::Keys(keys) => keys.iter().map(|key| of_key(estate, key)).collect(),
    };
    let project = name.project.and_then(|no| estate.projects.get(no));
    answers.extend(project.map(|project| of_settings(estate, project, name)));
    answers
}

/// What the newest answer about a key means. A multi-Region key's siblings unwrap for each other:
/// restorable if all known ones are usable, conditional if some are, lost only if all are
/// destroyed (AWS KMS developer guide, "Multi-Region keys").
fn of_key(estate: &Estate<'_>, key: &KeyId) -> Answer {
    let multi_region = key.aws().is_some_and(|aws| aws.is_multi_region());
    let family = estate
        .family_of(key)
        .and_then(|no| estate.families.get(no))
        .filter(|_| multi_region);
    let Some(family) = family else {
        return of_one(estate, key);
    };
    let all: Vec<Answer> = family
        .keys
        .iter()
        .map(|sibling| of_one(estate, sibling))
        .collect();
    let best = all.iter().map(|a| a.rank).min().unwrap_or(Rank::Unknown);
    let worst = all.iter().map(|a| a.rank).max().unwrap_or(Rank::Unknown);
    match (best, worst) {
        (Rank::Restorable, Rank::Restorable) | (Rank::Lost, Rank::Lost) => {
            all.into_iter().next().unwrap_or_default()
        }
        (Rank::Restorable | Rank::Conditional, _) => Answer {
            rank: Rank::Conditional,
            reason: Some("sibling-not-usable"),
            ..Answer::default()
        },
        // No sibling is usable: one that somebody can bring back keeps the snapshot from being
        // lost, one that cannot be told keeps it from being only blocked.
        (Rank::Blocked | Rank::Unknown | Rank::Lost, _) => {
            let earliest = all.iter().filter_map(|a| a.deadline).min();
            let not_lost = all.into_iter().filter(|a| a.rank != Rank::Lost);
            let worst = not_lost.max_by_key(|a| a.rank);
            worst.map_or_else(
                || unknown("not-probed"),
                |answer| Answer {
                    deadline: earliest,
                    ..answer
                },
            )
        }
    }
}

fn of_one(estate: &Estate<'_>, key: &KeyId) -> Answer {
    let state = estate.state(key);
    let Some(condition) = state.condition else {
        return unknown("not-probed");
    };
    if !state.fresh {
        return unknown("probe-stale");
    }
    let blocked = |actions: &'static [&'static str]| Answer {
        rank: Rank::Blocked,
        reason: Some(condition.word()),
        actions,
        deadline: condition.date(),
    };
    match &condition {
        Condition::Enabled { .. } => Answer::default(),
        Condition::UnwrapOnly { .. } => Answer {
            rank: Rank::Conditional,
            reason: Some(condition.word()),
            ..Answer::default()
        },
        Condition::Disabled => blocked(&["enable"]),
        Condition::PendingDeletion { .. } => blocked(&["cancel-deletion", "enable"]),
        Condition::SoftDeleted { .. } => blocked(&["recover"]),
        Condition::MaterialMissing => blocked(&["import-material"]),
        Condition::Unavailable { .. } => blocked(&["reconnect"]),
        Condition::Transient => unknown("transient"),
        Condition::Destroyed { .. } => Answer {
            rank: Rank::Lost,
            reason: Some(condition.word()),
            ..Answer::default()
        },
        Condition::Unknown { reason, detail: _ } => unknown(reason.word()),
    }
}

const fn unknown(reason: &'static str) -> Answer {
    Answer {
        rank: Rank::Unknown,
        reason: Some(reason),
        actions: &[],
        deadline: None,
    }
}

/// Atlas may have lost its access to the project's current key, which the settings tell. Settings
/// that were never read, where a service was asked, or that said so too long ago tell nothing
/// either way.
fn of_settings(estate: &Estate<'_>, project: &Project<'_>, name: &Name) -> Answer {
    if !project.settings_read {
        return unknown("settings-unread");
    }
    let newest_of = |provider: Provider| {
        let of_it = project.current.iter();
        let of_it = of_it.filter(|current| current.settings.provider == provider);
        of_it.map(|current| current.at).max()
    };
    let refused = project
        .current
        .iter()
        .filter(|c| c.settings.valid == Some(false))
        .filter(|c| Some(c.at) == newest_of(c.settings.provider))
        .find(|c| {
            c.name
                .and_then(|no| estate.names.get(no))
                .is_some_and(|current| shares_family(current, name) || current.text == name.text)
        });
    match refused {
        None => Answer::default(),
        Some(current) if estate.as_of.since(current.at) > estate.policy.max_inventory_age => {
            unknown("settings-stale")
        }
        Some(_) => Answer {
            rank: Rank::Blocked,
            reason: Some("settings-invalid"),
            actions: &["repair-access"],
            deadline: None,
        },
    }
}

fn shares_family(one: &Name, other: &Name) -> bool {
    one.names
        .iter()
        .any(|(family, _)| other.names.iter().any(|(f, _)| f == family))
}

/// The keys that a verdict names, sorted.
pub(super) fn key_texts<'a>(estate: &'a Estate<'_>, encryption: &Encryption) -> Vec<&'a str> {
    let Encryption::Keys(names) = encryption else {
        return Vec::new();
    };
    let of_names = names.iter().filter_map(|no| judged(estate, *no));
    sorted(of_names.flat_map(|of| of.texts.iter().map(|text| &**text)))
}
