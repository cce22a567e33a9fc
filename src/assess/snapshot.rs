//! One snapshot, put together from everything that readings said of it (design sections 3, 4).

use crate::model::evidence::{KeyColumn, Sighting, SnapshotShape, SnapshotStatus};
use crate::model::policy::HOUR;
use crate::model::verdict::Until;
use crate::model::{Snapshot, Timestamp};

/// The sighting that speaks for the snapshot now: the one shown last; among several shown at the
/// same second, the one that first appeared last, then the worse status.
pub(super) fn newest(row: &Snapshot) -> Option<&Sighting> {
    row.sightings.iter().max_by(|a, b| {
        let order = |s: &Sighting| (s.last_at, s.first_at, s.created_at);
        (order(a), &a.status, &a.keys).cmp(&(order(b), &b.status, &b.keys))
    })
}

/// The latest time at which the snapshot was shown or made: only a list after it can prove the
/// snapshot gone.
pub(super) fn latest(row: &Snapshot) -> Timestamp {
    row.sightings
        .iter()
        .map(|s| {
            s.created_at
                .map_or(s.last_at, |created| created.max(s.last_at))
        })
        .max()
        .unwrap_or(Timestamp::MAX)
}

/// When the snapshot was last shown.
pub(super) fn last_shown(row: &Snapshot) -> Option<Timestamp> {
    row.sightings.iter().map(|s| s.last_at).max()
}

/// When the snapshot was first shown.
pub(super) fn first_shown(row: &Snapshot) -> Option<Timestamp> {
    row.sightings.iter().map(|s| s.first_at).min()
}

/// When the snapshot was made, by the newest sighting that says so.
pub(super) fn created(row: &Snapshot) -> Option<Timestamp> {
    row.sightings
        .iter()
        .filter(|s| s.created_at.is_some())
        .max_by_key(|s| (s.last_at, s.first_at))
        .and_then(|s| s.created_at)
}

/// The snapshot's own expiry: `Indefinite` if it has none or must be kept. Of two readings of one
/// run the later expiry counts; a run reads a cluster's lists within the hour.
pub(super) fn expiry(row: &Snapshot) -> Until {
    let Some(newest) = newest(row) else {
        return Until::Indefinite;
    };
    row.sightings
        .iter()
        .filter(|s| newest.last_at.since(s.last_at) < HOUR)
        .map(|s| match s.expires_at {
            Some(at) if !s.keep => Until::At(at),
            Some(_) | None => Until::Indefinite,
        })
        .max()
        .unwrap_or(Until::Indefinite)
}

/// Every key id that any reading gave the snapshot, without repeats: keys only accumulate.
pub(super) fn key_texts(row: &Snapshot) -> Vec<&str> {
    let mut texts: Vec<&str> = Vec::new();
    for sighting in &row.sightings {
        if let KeyColumn::Named(named) = &sighting.keys {
            for text in named {
                if !texts.contains(&text.as_str()) {
                    texts.push(text);
                }
            }
        }
    }
    texts
}

/// The source says outright that the snapshot is not under a customer key.
pub(super) fn is_stated_unencrypted(row: &Snapshot) -> bool {
    newest(row).is_some_and(|s| matches!(s.keys, KeyColumn::NotEncrypted))
}

/// It is being made.
pub(super) fn is_under_way(row: &Snapshot) -> bool {
    newest(row).is_some_and(|newest| match newest.status {
        SnapshotStatus::Queued | SnapshotStatus::InProgress => true,
        SnapshotStatus::Completed
        | SnapshotStatus::Failed
        | SnapshotStatus::Unrecorded
        | SnapshotStatus::Unrecognised(_) => false,
    })
}

/// Copies of it exist, as it says itself.
pub(super) fn is_copied(row: &Snapshot) -> bool {
    row.sightings.iter().any(|s| s.copied)
}

/// Whether it can never be restored because it was never made: everything that was shown last
/// says so.
pub(super) fn has_failed(row: &Snapshot) -> bool {
    let last = last_shown(row);
    let mut shown_last = row
        .sightings
        .iter()
        .filter(|s| Some(s.last_at) == last)
        .peekable();
    shown_last.peek().is_some() && shown_last.all(|s| s.status == SnapshotStatus::Failed)
}

/// It only ever came from a list of flex clusters or serverless instances.
pub(super) fn is_shared(row: &Snapshot) -> bool {
    row.sightings
        .iter()
        .all(|s| s.shape == SnapshotShape::Shared)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::assess::testing::{at, sighting, snapshot};

    #[test]
    fn the_later_expiry_of_one_run_counts_and_a_later_run_may_shorten_it() {
        let mut first = sighting("2026-10-01T02:00:00Z");
        first.expires_at = Some(at("2026-12-01T00:00:00Z"));
        let mut second = sighting("2026-10-01T02:00:09Z");
        second.expires_at = Some(at("2026-11-20T00:00:00Z"));
        let row = snapshot("s1", vec![first.clone(), second.clone()]);
        assert_eq!(expiry(&row), Until::At(at("2026-12-01T00:00:00Z")));
        second.last_at = at("2026-10-02T02:00:09Z");
        second.first_at = second.last_at;
        let row = snapshot("s1", vec![first.clone(), second]);
        assert_eq!(expiry(&row), Until::At(at("2026-11-20T00:00:00Z")));
        first.keep = true;
        assert_eq!(expiry(&snapshot("s1", vec![first])), Until::Indefinite);
    }

    #[test]
    fn keys_accumulate_whatever_the_newest_reading_says() {
        let mut first = sighting("2026-10-01T02:00:00Z");
        first.keys = KeyColumn::Named(vec!["a".into(), "b".into()]);
        let mut second = sighting("2026-10-02T02:00:00Z");
        second.keys = KeyColumn::Absent;
        let mut third = sighting("2026-10-03T02:00:00Z");
        third.keys = KeyColumn::Named(vec!["b".into()]);
        let row = snapshot("s1", vec![first, second, third]);
        assert_eq!(key_texts(&row), ["a", "b"]);
    }

    #[test]
    fn a_creation_after_the_last_sighting_moves_the_latest_time() {
        let mut only = sighting("2026-10-01T02:00:00Z");
        only.created_at = Some(at("2026-10-01T03:00:00Z"));
        assert_eq!(
            latest(&snapshot("s1", vec![only])),
            at("2026-10-01T03:00:00Z")
        );
    }
}
