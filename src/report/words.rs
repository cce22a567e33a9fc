//! The sentences that tables add to the contract's words: what a verdict means for the person who
//! asked, and what to do next. One home, so that no two reports say it differently.

use std::collections::BTreeMap;

use crate::model::evidence::Condition;
use crate::model::verdict::{
    Assumption, Deletability, DoubtKind, Finding, Intent, KeyCheck, KeyRow, KeyState, Level,
    Obstacle, Restorability, RootVerdict, RotationCheck, RotationVerdict, SafeAfter,
    SnapshotVerdict, UnitVerdict,
};

/// How a line of a table reads to somebody in a hurry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tone {
    Bad,
    Doubtful,
    Good,
    Plain,
}

/// A verdict in words, and what to do next.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Headline {
    pub(super) tone: Tone,
    pub(super) verdict: String,
    pub(super) next: String,
}

/// `match` of a dependant.
pub(super) const fn matching(certain: bool) -> &'static str {
    if certain { "same" } else { "maybe" }
}

/// What keeps a snapshot from a cluster: the kinds, with a `?` behind what cannot be told.
pub(super) fn obstacles(obstacles: &[Obstacle]) -> Vec<String> {
    if obstacles.is_empty() {
        // An empty cell would say that nobody knows.
        return vec!["none".to_owned()];
    }
    obstacles
        .iter()
        .map(|obstacle| {
            let doubt = if obstacle.known { "" } else { "?" };
            format!("{}{doubt}", obstacle.kind.word())
        })
        .collect()
}

pub(super) const fn restorability_tone(verdict: Restorability) -> Tone {
    match verdict {
        Restorability::Lost | Restorability::Blocked => Tone::Bad,
        Restorability::Unknown | Restorability::Conditional => Tone::Doubtful,
        Restorability::Unusable | Restorability::Expired => Tone::Plain,
        Restorability::Restorable => Tone::Good,
    }
}

/// In a list `held` is nothing bad: it is what a key in use should be.
pub(super) const fn deletability_tone(verdict: Deletability) -> Tone {
    match verdict {
        Deletability::Held => Tone::Plain,
        Deletability::Gone => Tone::Bad,
        Deletability::Unknown => Tone::Doubtful,
        Deletability::Safe => Tone::Good,
    }
}

/// The first lines of `check --for delete|disable`.
pub(super) fn headline(check: &KeyCheck) -> Headline {
    let (verb, done) = match check.intent {
        Intent::Delete => ("delete", "deleted"),
        Intent::Disable => ("disable", "disabled"),
        Intent::Rotate => ("rotate away from", "rotated away from"),
    };
    let unit = &check.verdict;
    match unit.verdict {
        Deletability::Held => {
            let (verdict, next) = held(verb, unit.safe_after);
            Headline {
                tone: Tone::Bad,
                verdict,
                next,
            }
        }
        Deletability::Unknown => Headline {
            tone: Tone::Doubtful,
            verdict: format!(
                "unknown: do not {verb} this key yet; nothing is known to need it, but {}",
                number(unit.doubts.len(), "doubt remains", "doubts remain")
            ),
            next: "settle what is not known, see below, then check again".to_owned(),
        },
        Deletability::Safe if check.historical => Headline {
            tone: Tone::Doubtful,
            verdict: format!(
                "safe as of {}, which is not now: do not {verb} this key on this answer",
                check.as_of
            ),
            next: "the store holds later evidence; check again without --as-of".to_owned(),
        },
        Deletability::Safe => Headline {
            tone: Tone::Good,
            verdict: format!("safe: nothing needs this key; it may be {done}"),
            next: match check.covered_at {
                Some(at) => format!("do it soon, or check again: nothing after {at} is seen"),
                None => "do it soon, or check again".to_owned(),
            },
        },
        Deletability::Gone => gone(unit),
    }
}

fn held(verb: &str, safe_after: SafeAfter) -> (String, String) {
    match safe_after {
        SafeAfter::Date(at) => (
            format!("held: do not {verb} this key before {at}"),
            format!("that date is a forecast; after {at} read the inventory and check again"),
        ),
        SafeAfter::NotBefore(Some(at)) => (
            format!("held: do not {verb} this key before {at}, and perhaps not then"),
            "settle what is not known, see below, then check again".to_owned(),
        ),
        SafeAfter::NotBefore(None) => (
            format!("held: do not {verb} this key; until when it is needed is not known"),
            "settle what is not known, see below, then check again".to_owned(),
        ),
        SafeAfter::Indefinite | SafeAfter::None => (
            format!("held: do not {verb} this key; something needs it without an end date"),
            "see below what needs it, and whether that can be ended".to_owned(),
        ),
    }
}

fn gone(unit: &UnitVerdict) -> Headline {
    let doubts = number(unit.doubts.len(), "doubt remains", "doubts remain");
    let (tone, verdict) = match (unit.lost_snapshots, unit.doubts.is_empty()) {
        (0, true) => (
            Tone::Plain,
            "gone: the key is destroyed already, and nothing was lost with it".to_owned(),
        ),
        (0, false) => (
            Tone::Doubtful,
            format!(
                "gone: the key is destroyed already; whether anything was lost with it is not \
                 known: {doubts}"
            ),
        ),
        (lost, _) => (
            Tone::Bad,
            format!(
                "gone: the key is destroyed already, and {} lost with it",
                number(lost, "snapshot was", "snapshots were")
            ),
        ),
    };
    Headline {
        tone,
        verdict,
        next: "no key service brings a destroyed key back".to_owned(),
    }
}

/// The first lines of `check --for rotate`.
pub(super) fn rotation_headline(check: &RotationCheck) -> Headline {
    let keep = match check.keep_until {
        SafeAfter::Date(at) => {
            format!("keep the old key until {at}, then read the inventory and check it for delete")
        }
        SafeAfter::NotBefore(Some(at)) => format!(
            "keep the old key until {at} at least; when what is not known is settled, \
             check it for delete"
        ),
        SafeAfter::NotBefore(None) => {
            "keep the old key; until when it is needed is not known".to_owned()
        }
        SafeAfter::Indefinite => {
            "keep the old key: something needs it without an end date".to_owned()
        }
        SafeAfter::None => {
            "keep the old key until `snapkey check` calls it safe to delete".to_owned()
        }
    };
    match check.verdict {
        RotationVerdict::Pass if check.historical => Headline {
            tone: Tone::Doubtful,
            verdict: format!(
                "pass as of {}, which is not now: do not rotate on this answer",
                check.as_of
            ),
            next: "the store holds later evidence; check again without --as-of".to_owned(),
        },
        RotationVerdict::Pass => Headline {
            tone: Tone::Good,
            verdict: "pass: the rotation may go ahead".to_owned(),
            next: keep,
        },
        RotationVerdict::Fail => Headline {
            tone: Tone::Bad,
            verdict: "fail: do not rotate".to_owned(),
            next: keep,
        },
        RotationVerdict::Unknown => Headline {
            tone: Tone::Doubtful,
            verdict: "unknown: do not rotate yet; whether it would go well cannot be told"
                .to_owned(),
            next: keep,
        },
    }
}

/// What the intended act does besides, which is not obvious from its name.
pub(super) const fn intent_note(intent: Intent) -> &'static str {
    match intent {
        Intent::Delete => {
            "scheduling a deletion disables the key at once: clusters under it stop and restores \
             from its snapshots fail long before it is destroyed"
        }
        Intent::Disable => {
            "disabling stops clusters under the key and blocks restores from its snapshots; \
             enabling it again undoes that"
        }
        Intent::Rotate => {
            "a rotation moves no snapshot: those under the old key still need it until they are \
             gone"
        }
    }
}

/// What may settle a doubt.
pub(super) const fn doubt_hint(kind: DoubtKind) -> &'static str {
    match kind {
        DoubtKind::CopyRetentionUnknown => {
            "ingest the cluster's backup schedule, which says how long copies are kept"
        }
        DoubtKind::EstateEmpty => "ingest an inventory first",
        DoubtKind::EstateIncomplete => "ingest the whole project list of every root",
        DoubtKind::HistoryTooShort => {
            "ingest the project's events back to before the longest restore window"
        }
        DoubtKind::KeyNeverSeen => {
            "look for a typing error; else probe the key with an identity that may see it"
        }
        DoubtKind::KmipNeverNamed => {
            "when no running mongod uses the key, say so in snapkey.toml: [[retired_key]]"
        }
        DoubtKind::LapsedSnapshot => {
            "ingest the project again: a whole list shows whether the snapshot is gone"
        }
        DoubtKind::MaybeMatch => "say in snapkey.toml which key that spelling stands for: [[key]]",
        DoubtKind::PitSuccessorUnseen => {
            "ingest the project again, with a snapshot or settings from after the rotation"
        }
        DoubtKind::ProjectIncomplete => {
            "ingest what is missing, or state the project's keys in snapkey.toml: [[project]]"
        }
        DoubtKind::ProjectMissing => {
            "ingest with a credential that sees the project, or state its keys in snapkey.toml: \
             [[project]]"
        }
        DoubtKind::ProjectStale => "ingest the project again",
        DoubtKind::RotationUnderWay => {
            "wait for a completed snapshot under the new key, then ingest the project again"
        }
        DoubtKind::UnrecordedKey => {
            "say in snapkey.toml what a snapshot without a key id means: [[project]] absent_key"
        }
        DoubtKind::UnresolvedKey => {
            "give the complete id, or say in snapkey.toml which key it is: [[key]]"
        }
    }
}

/// What a provider said, in a cell.
pub(super) fn condition(state: &KeyState) -> String {
    let Some(condition) = &state.condition else {
        return "never asked".to_owned();
    };
    let mut text = condition.word().to_owned();
    let dated = match condition {
        Condition::Enabled { expires } => expires.map(|at| format!(", expires {at}")),
        Condition::PendingDeletion { deadline } => deadline.map(|at| format!(" on {at}")),
        Condition::SoftDeleted { purge } => purge.map(|at| format!(", purged on {at}")),
        Condition::Unknown { reason, detail: _ } => Some(format!(" ({})", reason.word())),
        Condition::UnwrapOnly { why } => Some(format!(" ({why})")),
        Condition::Disabled
        | Condition::MaterialMissing
        | Condition::Unavailable { .. }
        | Condition::Transient
        | Condition::Destroyed { .. } => None,
    };
    text.extend(dated);
    if !state.fresh {
        text.push_str(", stale");
    }
    text
}

/// The verdict on a unit in half a sentence, for a row of a list.
pub(super) fn because(unit: &UnitVerdict) -> String {
    let mut parts = Vec::new();
    let holders = unit.counts.to_string();
    match unit.verdict {
        Deletability::Held => parts.push(match unit.safe_after {
            SafeAfter::Date(at) => format!("needed until {at} by {holders}"),
            SafeAfter::NotBefore(Some(at)) => format!("needed until {at} or longer by {holders}"),
            SafeAfter::NotBefore(None) | SafeAfter::Indefinite | SafeAfter::None => {
                format!("needed by {holders}")
            }
        }),
        Deletability::Unknown => {}
        Deletability::Gone if unit.lost_snapshots == 0 => parts.push("nothing lost".to_owned()),
        Deletability::Gone => {
            parts.push(number(
                unit.lost_snapshots,
                "snapshot lost",
                "snapshots lost",
            ));
        }
        Deletability::Safe => parts.push("nothing needs it".to_owned()),
    }
    parts.extend(doubts(unit.doubts.iter().map(|doubt| doubt.kind)));
    parts.join("; ")
}

/// `2 doubts: estate-incomplete, project-stale`
pub(super) fn doubts(kinds: impl IntoIterator<Item = DoubtKind>) -> Option<String> {
    let all: Vec<DoubtKind> = kinds.into_iter().collect();
    if all.is_empty() {
        return None;
    }
    let mut words: Vec<&str> = all.iter().map(|kind| kind.word()).collect();
    words.sort_unstable();
    words.dedup();
    Some(format!(
        "{}: {}",
        number(all.len(), "doubt", "doubts"),
        words.join(", ")
    ))
}

/// `1 snapshot`, `2 snapshots`
pub(super) fn number<N>(count: N, one: &str, many: &str) -> String
where
    N: std::fmt::Display + PartialEq + From<u8>,
{
    let word = if count == N::from(1) { one } else { many };
    format!("{count} {word}")
}

/// `pending-deletion: cancel-deletion, then enable, before 2026-11-08T00:00:00Z`
pub(super) fn why(row: &SnapshotVerdict) -> String {
    let mut text = row.reasons.join(", ");
    if !row.actions.is_empty() {
        if !text.is_empty() {
            text.push_str(": ");
        }
        text.push_str(&row.actions.join(", then "));
    }
    if let Some(at) = row.deadline {
        text.push_str(&format!(", before {at}"));
    }
    text
}

/// A row of `keys`: the verdict, what the provider said, and why.
pub(super) fn key_told(row: &KeyRow) -> (Deletability, String, String) {
    match row {
        KeyRow::Resolved(row) => (
            row.verdict.verdict,
            condition(&row.state),
            because(&row.verdict),
        ),
        KeyRow::Unresolved {
            provider,
            spelling: _,
            doubts: left,
        } => {
            let provider =
                provider.map_or(String::new(), |provider| format!("{} ", provider.word()));
            let mut why = format!("not complete enough to say which {provider}key it is");
            if let Some(doubts) = doubts(left.iter().map(|doubt| doubt.kind)) {
                why.push_str("; ");
                why.push_str(&doubts);
            }
            (Deletability::Unknown, "not resolved".to_owned(), why)
        }
    }
}

/// Canonical, or as spelled.
pub(super) fn key_id(row: &KeyRow) -> String {
    match row {
        KeyRow::Resolved(row) => row.key.to_string(),
        KeyRow::Unresolved { spelling, .. } => spelling.clone(),
    }
}

/// `Keys: 7 (3 held, 4 safe)`
pub(super) fn counted(title: &str, counts: &[(u64, &str)]) -> String {
    let total: u64 = counts.iter().map(|(count, _)| count).sum();
    let parts: Vec<String> = counts
        .iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, word)| format!("{count} {word}"))
        .collect();
    if parts.is_empty() {
        format!("{title}: none")
    } else {
        format!("{title}: {total} ({})", parts.join(", "))
    }
}

/// How it went, in the words of the exit code that was settled before.
pub(super) fn outcome(findings: &[Finding], historical: bool, exit_code: u8) -> (Tone, String) {
    let denied = findings
        .iter()
        .filter(|finding| finding.level == Level::Deny)
        .count();
    let denied = number(denied, "denied finding", "denied findings");
    match exit_code {
        0 => (Tone::Good, "passed: no denied finding".to_owned()),
        1 => (Tone::Bad, format!("failed: {denied}")),
        3 if historical => (
            Tone::Doubtful,
            format!("undecided: {denied}; the store holds later evidence, which is not seen"),
        ),
        _undecided => (Tone::Doubtful, format!("undecided: {denied}")),
    }
}

/// One thing taken on trust, in a sentence.
pub(super) fn assumption(assumption: &Assumption) -> String {
    let Assumption {
        kind: _,
        subject,
        stated,
        reason,
    } = assumption;
    match stated {
        Some(at) => format!("{subject}: {reason} (stated {at})"),
        None => format!("{subject}: {reason}"),
    }
}

/// What was taken on trust, the kind and a sentence: statements of the operator one by one, in
/// front; the others once for each kind, with the first of their subjects.
pub(super) fn assumptions(assumptions: &[Assumption]) -> Vec<(&'static str, String)> {
    let mut told = Vec::new();
    let mut unstated: BTreeMap<(&'static str, &str), Vec<&str>> = BTreeMap::new();
    for at in assumptions {
        match at.stated {
            Some(_) => told.push((at.kind, assumption(at))),
            None => {
                let group = unstated.entry((at.kind, &at.reason)).or_default();
                group.push(&at.subject);
            }
        }
    }
    told.extend(unstated.into_iter().map(|((kind, reason), subjects)| {
        let about = match subjects.as_slice() {
            [] => String::new(),
            [one] => format!("{one}: "),
            [first, rest @ ..] => format!("{first} and {} more: ", rest.len()),
        };
        (kind, format!("{about}{reason}"))
    }));
    told
}

/// A place that was searched, in a sentence.
pub(super) fn root(root: &RootVerdict) -> String {
    let RootVerdict {
        source,
        base_url,
        scope,
        covered_at: _,
    } = root;
    format!("{source} {base_url}, {scope}: {}", root_read(root))
}

pub(super) fn root_read(root: &RootVerdict) -> String {
    match root.covered_at {
        Some(at) => format!("project list read whole at {at}"),
        None => "project list never read whole".to_owned(),
    }
}

/// `keep it until 2027-01-05T02:00:00Z`
pub(super) fn safe_after(safe_after: SafeAfter) -> Option<String> {
    match safe_after {
        SafeAfter::None => None,
        SafeAfter::Date(at) => Some(format!("keep it until {at}")),
        SafeAfter::NotBefore(Some(at)) => Some(format!("keep it until {at} or longer")),
        SafeAfter::NotBefore(None) => Some("keep it; until when is not known".to_owned()),
        SafeAfter::Indefinite => Some("keep it; something needs it without an end date".to_owned()),
    }
}
