//! Which rows a list shows that does not show all: the worst first. Only the order of lists; the
//! verdicts are settled.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use crate::model::evidence::Condition;
use crate::model::verdict::{Deletability, KeyRow, SnapshotVerdict};

/// Rows of a list that does not show all.
pub(super) const ROWS: usize = 50;
/// Findings of one code in a list that does not show all.
pub(super) const EXAMPLES: usize = 3;

/// Takes snapshots in any order and keeps the worst.
pub(super) struct Worst {
    /// `None`: it keeps all.
    limit: Option<usize>,
    kept: BinaryHeap<Row>,
    n_rows: usize,
}

impl Worst {
    pub(super) fn new(limit: Option<usize>) -> Self {
        Self {
            limit,
            kept: BinaryHeap::new(),
            n_rows: 0,
        }
    }

    pub(super) fn row(&mut self, row: &SnapshotVerdict) {
        self.n_rows += 1;
        let full = self.limit.is_some_and(|limit| self.kept.len() >= limit);
        if full
            && self
                .kept
                .peek()
                .is_some_and(|best| compare(row, &best.0) != Ordering::Less)
        {
            return;
        }
        self.kept.push(Row(row.clone()));
        if full {
            self.kept.pop();
        }
    }

    /// Worst first, and how many were not kept.
    pub(super) fn into_rows(self) -> (Vec<SnapshotVerdict>, usize) {
        let rows: Vec<SnapshotVerdict> = self
            .kept
            .into_sorted_vec()
            .into_iter()
            .map(|row| row.0)
            .collect();
        let left_out = self.n_rows - rows.len();
        (rows, left_out)
    }
}

/// A row in a heap whose top is the best of the worst.
struct Row(SnapshotVerdict);

/// Worst first, then contract order.
fn compare(a: &SnapshotVerdict, b: &SnapshotVerdict) -> Ordering {
    let place = |row: &SnapshotVerdict| row.verdict;
    place(a)
        .cmp(&place(b))
        .then_with(|| a.project.cmp(&b.project))
        .then_with(|| a.cluster.cmp(&b.cluster))
        .then_with(|| a.id.cmp(&b.id))
}

impl Ord for Row {
    fn cmp(&self, other: &Self) -> Ordering {
        compare(&self.0, &other.0)
    }
}

impl PartialOrd for Row {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Row {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Row {}

/// Keys, worst first; those of one rank stay in contract order.
pub(super) fn keys(rows: &[KeyRow]) -> Vec<&KeyRow> {
    let mut rows: Vec<&KeyRow> = rows.iter().collect();
    rows.sort_by_key(|row| rank(row));
    rows
}

/// Where a key stands in a list that begins with what somebody should look at.
pub(super) fn rank(row: &KeyRow) -> u8 {
    let (state, verdict) = match row {
        KeyRow::Unresolved { .. } => return 7,
        KeyRow::Resolved(row) => (&row.state, &row.verdict),
    };
    // Nothing hangs on it, whatever its condition.
    if verdict.verdict == Deletability::Safe
        || (verdict.verdict == Deletability::Gone && verdict.lost_snapshots == 0)
    {
        return 12;
    }
    match &state.condition {
        Some(Condition::Destroyed { .. }) => 0,
        Some(Condition::PendingDeletion { .. }) => 1,
        Some(Condition::SoftDeleted { .. }) => 2,
        Some(Condition::MaterialMissing) => 3,
        Some(Condition::Disabled) => 4,
        Some(Condition::Unavailable { .. }) => 5,
        Some(Condition::Unknown { .. }) => 6,
        None | Some(Condition::Transient) => 8,
        Some(Condition::UnwrapOnly { .. }) => 9,
        Some(Condition::Enabled { .. }) if verdict.verdict == Deletability::Unknown => 10,
        Some(Condition::Enabled { .. }) => 11,
    }
}
