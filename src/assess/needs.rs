//! What needs the keys of one snapshot, whichever they turn out to be: itself and its copies
//! (design 6.2: `snapshot`, `snapshot-copy`, `lapsed-snapshot`, `copy-retention-unknown`).

use super::decide::schedules;
use super::estate::{Estate, Project};
use super::retention;
use super::snapshot;
use crate::model::verdict::{Dependant, DependantKind, Doubt, DoubtKind, Until};
use crate::model::{Snapshot, Timestamp};

/// A dependant of a snapshot's keys, before it is tied to one of them. Most are only counted, so
/// their texts are made on demand.
#[derive(Clone, Debug)]
pub(super) struct Need {
    pub(super) kind: DependantKind,
    pub(super) until: Until,
    /// Cluster and id of a job; `None`: those of the snapshot.
    pub(super) job: Option<(String, String)>,
}

impl Need {
    pub(super) fn dependant(&self, row: &Snapshot, certain: bool) -> Dependant {
        let (cluster, id) = match &self.job {
            Some((cluster, id)) => (cluster, id),
            None => (&row.cluster, &row.id),
        };
        Dependant {
            kind: self.kind,
            project: Some(row.project.id.clone()),
            cluster: Some(cluster.clone()),
            id: Some(id.clone()),
            until: self.until,
            certain,
        }
    }
}

/// What needs a snapshot's keys, and doubts about that.
#[derive(Clone, Debug, Default)]
pub(super) struct Needs {
    pub(super) needs: Vec<Need>,
    pub(super) doubts: Vec<Doubt>,
}

impl Needs {
    pub(super) fn is_empty(&self) -> bool {
        self.needs.is_empty() && self.doubts.is_empty()
    }

    fn add(&mut self, kind: DependantKind, until: Until) {
        self.needs.push(Need {
            kind,
            until,
            job: None,
        });
    }

    fn doubt(&mut self, kind: DoubtKind, row: &Snapshot, detail: String) {
        self.doubts.push(Doubt {
            kind,
            project: Some(row.project.id.clone()),
            detail,
        });
    }

    /// Dependant `snapshot`, or the doubt in its place once its date has passed.
    pub(super) fn snapshot(&mut self, estate: &Estate<'_>, project: &Project<'_>, row: &Snapshot) {
        let until = holds_until(project, row);
        if until.date().is_some_and(|at| at <= estate.as_of) {
            self.doubt(DoubtKind::LapsedSnapshot, row, format!(
                "a snapshot of cluster `{}` is past its date, and no later complete reading shows that it is gone",
                row.cluster
            ));
        } else {
            self.add(DependantKind::Snapshot, until);
        }
    }

    /// Dependant `snapshot-copy` and doubt `copy-retention-unknown`: copies in other regions may
    /// outlive the snapshot, gone or not (Atlas documentation, "Snapshot Distribution").
    pub(super) fn copies(&mut self, estate: &Estate<'_>, project: &Project<'_>, row: &Snapshot) {
        let created = snapshot::created(row);
        let copies = Copies::read(project, row, created);
        if let Some(until) = copies.longest
            && until.date().is_none_or(|at| at > estate.as_of)
        {
            self.add(DependantKind::SnapshotCopy, until);
        }
        if copies.unknown {
            self.doubt(DoubtKind::CopyRetentionUnknown, row, format!(
                "snapshots of cluster `{}` are copied to other regions, and how long the copies are kept was never read",
                row.cluster
            ));
        }
    }
}

/// The snapshot's expiry plus the longest extra retention ever read for its frequency.
fn holds_until(project: &Project<'_>, row: &Snapshot) -> Until {
    let Until::At(at) = snapshot::expiry(row) else {
        return Until::Indefinite;
    };
    let frequency = frequency(row);
    let extra = schedules(project, &row.cluster)
        .iter()
        .flat_map(|(_, schedule)| &schedule.extra_retention)
        .filter(|extra| frequency.is_none_or(|frequency| frequency == extra.frequency))
        .map(|extra| extra.days)
        .max();
    Until::At(retention::add_days(at, extra.unwrap_or(0)))
}

fn frequency(row: &Snapshot) -> Option<&str> {
    snapshot::newest(row)?.frequency.as_deref()
}

/// Copies that a schedule ever read could have made.
#[derive(Default)]
struct Copies {
    longest: Option<Until>,
    /// There are copies, and how long they are kept was never read.
    unknown: bool,
}

impl Copies {
    fn read(project: &Project<'_>, row: &Snapshot, created: Option<Timestamp>) -> Self {
        let frequency = frequency(row);
        let mut copies = Self::default();
        let mut read = false;
        let schedules = schedules(project, &row.cluster).iter();
        for setting in schedules.flat_map(|(_, schedule)| &schedule.copies) {
            read = true;
            let fits = |of: &str| frequency.is_none_or(|frequency| frequency == of);
            let none_fits = !setting.items.iter().any(|item| fits(&item.frequency));
            if setting.items.is_empty() && setting.by_number {
                copies.keep(Until::Indefinite);
            }
            for item in &setting.items {
                if !none_fits && !fits(&item.frequency) {
                    continue;
                }
                match (item.retention, created) {
                    (Some(length), Some(created)) => {
                        copies.keep(Until::At(retention::add(created, length)));
                    }
                    (Some(_), None) => copies.keep(Until::Indefinite),
                    (None, Some(_) | None) => copies.unknown = true,
                }
            }
        }
        copies.unknown |= snapshot::is_copied(row) && !read;
        copies
    }

    fn keep(&mut self, until: Until) {
        self.longest = self.longest.max(Some(until));
    }
}
