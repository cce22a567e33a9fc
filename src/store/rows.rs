//! Rows of snapshot lists as they wait to be kept: owned, in a few allocations for all of them.
//! Puts them in the order of the table, in which SQLite takes them in with the least work, and
//! makes one row of what several pages say alike, as `sightings` would when it meets the second.
//! How much waits is for whoever fills it to bound.

use std::cmp::Ordering;

use super::sightings::Seen;
use crate::model::evidence::{KeyColumn, SnapshotShape, SnapshotStatus};
use crate::model::intake::Shown;
use crate::model::{ProjectRef, Timestamp};

/// Rows that [`super::Import::rows`] takes in at once.
#[derive(Default)]
pub struct Rows {
    /// Ids, frequencies and versions, one behind the other.
    text: String,
    places: Vec<Place>,
    keys: Vec<KeyColumn>,
    rows: Vec<Row>,
}

/// A cluster, whose rows mostly follow each other.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    project: ProjectRef,
    cluster: String,
}

/// A part of [`Rows::text`].
#[derive(Clone, Copy)]
struct Span {
    from: usize,
    to: usize,
}

/// A [`Shown`] that borrows by number, from its first time to its last.
struct Row {
    place: usize,
    id: Span,
    first_at: Timestamp,
    last_at: Timestamp,
    shape: SnapshotShape,
    status: SnapshotStatus,
    created_at: Option<Timestamp>,
    expires_at: Option<Timestamp>,
    keep: bool,
    frequency: Option<Span>,
    copied: bool,
    version: Option<Span>,
    keys: usize,
}

impl Rows {
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    pub fn push(&mut self, shown: &Shown<'_>) {
        let Shown {
            project,
            cluster,
            id,
            at,
            shape,
            status,
            created_at,
            expires_at,
            keep,
            frequency,
            copied,
            version,
            keys,
        } = shown;
        let is_there = |place: &Place| place.cluster == *cluster && place.project == **project;
        if !self.places.last().is_some_and(is_there) {
            self.places.push(Place {
                project: (*project).clone(),
                cluster: (*cluster).to_owned(),
            });
        }
        if self.keys.last() != Some(keys) {
            self.keys.push(keys.clone());
        }
        let row = Row {
            place: self.places.len() - 1,
            id: self.write(id),
            first_at: *at,
            last_at: *at,
            shape: *shape,
            status: status.clone(),
            created_at: *created_at,
            expires_at: *expires_at,
            keep: *keep,
            frequency: frequency.map(|frequency| self.write(frequency)),
            copied: *copied,
            version: version.map(|version| self.write(version)),
            keys: self.keys.len() - 1,
        };
        self.rows.push(row);
    }

    /// Hands what the rows say to `keep`, in order.
    pub(super) fn read<T>(self, keep: impl FnOnce(&[Seen<'_>]) -> T) -> T {
        let Self {
            text,
            places,
            keys,
            mut rows,
        } = self;
        let words = Words { text, places, keys };
        // Rows of one snapshot stay in the order in which they were shown.
        rows.sort_by(|one, other| words.order(one, other));
        rows.dedup_by(|next, row| {
            let alike = words.are_alike(row, next);
            if alike {
                row.first_at = row.first_at.min(next.first_at);
                row.last_at = row.last_at.max(next.last_at);
            }
            alike
        });
        let seen: Vec<Seen<'_>> = rows.iter().map(|row| words.seen(row)).collect();
        keep(&seen)
    }

    fn write(&mut self, text: &str) -> Span {
        let from = self.text.len();
        self.text.push_str(text);
        Span {
            from,
            to: self.text.len(),
        }
    }
}

/// What the numbers in rows stand for: each was given to its row by [`Rows::push`].
struct Words {
    text: String,
    places: Vec<Place>,
    keys: Vec<KeyColumn>,
}

impl Words {
    fn text(&self, span: Span) -> &str {
        &self.text[span.from..span.to]
    }

    fn order(&self, one: &Row, other: &Row) -> Ordering {
        let place = if one.place == other.place {
            Ordering::Equal
        } else {
            self.places[one.place].cmp(&self.places[other.place])
        };
        place.then_with(|| self.text(one.id).cmp(self.text(other.id)))
    }

    /// Whether two rows say the same of one snapshot, whenever they said it.
    fn are_alike(&self, one: &Row, other: &Row) -> bool {
        let said = |row: &Row| {
            let Row {
                place: _,
                id: _,
                first_at: _,
                last_at: _,
                shape,
                status: _,
                created_at,
                expires_at,
                keep,
                frequency: _,
                copied,
                version: _,
                keys: _,
            } = *row;
            (shape, created_at, expires_at, keep, copied)
        };
        self.order(one, other) == Ordering::Equal
            && said(one) == said(other)
            && one.status == other.status
            && one.frequency.map(|span| self.text(span))
                == other.frequency.map(|span| self.text(span))
            && one.version.map(|span| self.text(span)) == other.version.map(|span| self.text(span))
            && (one.keys == other.keys || self.keys[one.keys] == self.keys[other.keys])
    }

    fn seen<'w>(&'w self, row: &'w Row) -> Seen<'w> {
        let Place { project, cluster } = &self.places[row.place];
        Seen {
            project,
            cluster,
            id: self.text(row.id),
            first_at: row.first_at,
            last_at: row.last_at,
            shape: row.shape,
            status: &row.status,
            created_at: row.created_at,
            expires_at: row.expires_at,
            keep: row.keep,
            frequency: row.frequency.map(|span| self.text(span)),
            copied: row.copied,
            version: row.version.map(|span| self.text(span)),
            keys: &self.keys[row.keys],
        }
    }
}
