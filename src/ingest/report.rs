//! What one import came to: counts, what was rejected and why, and which of the three outcomes
//! of `ingest` that is. It decides nothing about projects: whether a bundle completes one is for
//! `assess` to say.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::ProjectRef;

/// Rejects kept with their text; the rest is only counted.
pub(super) const KEPT_REJECTS: usize = 1_000;

/// The account of one import.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Snapshot rows shown; a row that two pages show counts twice.
    pub snapshots: u64,
    /// Readings of lists, settings, schedules and events.
    pub readings: u64,
    /// Key answers.
    pub observations: u64,
    /// Records that could not be read, in the order met; the first thousand.
    pub rejects: Vec<Reject>,
    /// How many records were rejected in all.
    pub rejected: u64,
    /// Shapes that are known and not needed, by name.
    pub notes: BTreeMap<String, u64>,
    /// What keeps a bundle from being all that was asked for; any makes the import incomplete.
    pub gaps: Vec<String>,
    /// Projects that the bundles of this import name.
    pub bundle_projects: BTreeSet<ProjectRef>,
    /// Files and bundles that held something known.
    pub useful_inputs: u64,
    /// Files and folders that held nothing of an inventory.
    pub useless_inputs: Vec<UselessInput>,
}

/// One record that could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reject {
    pub file: String,
    /// `record 3`, `results[17]`, `line 4`; empty for the file as a whole.
    pub record: String,
    pub reason: String,
}

/// One file or folder that is no inventory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UselessInput {
    pub file: String,
    pub reason: String,
}

/// What the import came to (exit codes 0, 3 and 2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ImportOutcome {
    /// Nothing was rejected and no bundle has a gap.
    Complete,
    /// A record was rejected, a bundle has a gap, or one of several inputs was useless.
    Incomplete,
    /// No input held anything of an inventory.
    NotAnInventory,
}

impl Report {
    /// The outcome as far as reading goes: a bundle may still leave a project incomplete, which
    /// shows only when the store is assessed.
    pub fn outcome(&self) -> ImportOutcome {
        if self.useful_inputs == 0 {
            ImportOutcome::NotAnInventory
        } else if self.rejected > 0 || !self.gaps.is_empty() || !self.useless_inputs.is_empty() {
            ImportOutcome::Incomplete
        } else {
            ImportOutcome::Complete
        }
    }

    pub(super) fn reject(&mut self, reject: Reject) {
        self.rejected = self.rejected.saturating_add(1);
        if self.rejects.len() < KEPT_REJECTS {
            self.rejects.push(reject);
        }
    }

    pub(super) fn note(&mut self, shape: &str) {
        let count = self.notes.entry(shape.to_owned()).or_default();
        *count = count.saturating_add(1);
    }
}

/// A foreign text for a message: at most 64 characters, control characters escaped, quoted.
pub(super) fn quoted(text: &str) -> String {
    let mut short: String = text.chars().take(64).flat_map(char::escape_debug).collect();
    if text.chars().nth(64).is_some() {
        short.push('…');
    }
    format!("`{short}`")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_outcome_follows_the_counts() {
        let reject = || Reject {
            file: "a.json".into(),
            record: "record 1".into(),
            reason: "no id".into(),
        };
        let useless = UselessInput {
            file: "b.txt".into(),
            reason: "a table".into(),
        };
        let mut report = Report::default();
        assert_eq!(report.outcome(), ImportOutcome::NotAnInventory);
        report.useless_inputs.push(useless.clone());
        assert_eq!(report.outcome(), ImportOutcome::NotAnInventory);
        report.useful_inputs = 1;
        assert_eq!(report.outcome(), ImportOutcome::Incomplete);
        report.useless_inputs.clear();
        assert_eq!(report.outcome(), ImportOutcome::Complete);
        report.note("alerts");
        assert_eq!(report.outcome(), ImportOutcome::Complete);
        report.reject(reject());
        assert_eq!(report.outcome(), ImportOutcome::Incomplete);
        report.rejected = 0;
        report.gaps.push("a page is missing".into());
        assert_eq!(report.outcome(), ImportOutcome::Incomplete);
    }

    #[test]
    fn rejects_beyond_the_cap_are_counted() {
        let mut report = Report::default();
        for record in 0..KEPT_REJECTS + 5 {
            report.reject(Reject {
                file: String::new(),
                record: record.to_string(),
                reason: String::new(),
            });
        }
        assert_eq!(report.rejects.len(), KEPT_REJECTS);
        assert_eq!(report.rejected, 1_005);
    }

    #[test]
    fn quoted_text_is_short_and_harmless() {
        assert_eq!(quoted("a\u{1b}[2Jb"), "`a\\u{1b}[2Jb`");
        assert_eq!(quoted(&"x".repeat(70)).chars().count(), 67);
    }
}
