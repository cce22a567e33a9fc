//! Reads inventories into the store as one import, and settles what `ingest` exits with.

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::io::Read;

use super::judge;
use super::pipe;
use super::{Console, Error, ErrorKind, not_yet};
use crate::assess::{Facts, gate};
use crate::cli;
use crate::ingest::{self, ImportOutcome, IngestError, Options};
use crate::model::evidence::{KeyColumn, SnapshotShape, SnapshotStatus};
use crate::model::verdict::ProjectVerdict;
use crate::model::{Policy, ProjectRef, Sighting, Snapshot, Timestamp};
use crate::report::{self, IngestReport};
use crate::store::{Reach, Store};

/// What an import came to, ready to be told.
pub(super) struct Imported {
    read: ingest::Report,
    /// The store had all of it already.
    unchanged: bool,
}

/// A report that borrows from what it owns.
pub(super) struct Told {
    now: Timestamp,
    code: u8,
    rejects: Vec<report::Reject>,
    gaps: Vec<String>,
    counts: (u64, u64, u64),
    files: u64,
    not_needed: u64,
    unchanged: bool,
}

impl Told {
    pub(super) fn view(&self) -> IngestReport<'_> {
        IngestReport {
            as_of: self.now,
            exit_code: self.code,
            unchanged: self.unchanged,
            files: self.files,
            snapshots: self.counts.0,
            readings: self.counts.1,
            observations: self.counts.2,
            not_needed: self.not_needed,
            rejects: &self.rejects,
            gaps: &self.gaps,
        }
    }
}

impl Imported {
    pub(super) fn report(&self, now: Timestamp, code: u8) -> Told {
        let useless = self.read.useless_inputs.iter().map(|input| report::Reject {
            file: input.file.clone(),
            record: None,
            reason: input.reason.clone(),
        });
        let rejects = self.read.rejects.iter().map(|reject| report::Reject {
            file: reject.file.clone(),
            record: Some(reject.record.clone()).filter(|record| !record.is_empty()),
            reason: reject.reason.clone(),
        });
        Told {
            now,
            code,
            rejects: useless.chain(rejects).collect(),
            gaps: self.read.gaps.clone(),
            counts: (
                self.read.snapshots,
                self.read.readings,
                self.read.observations,
            ),
            files: self.read.useful_inputs,
            not_needed: self.read.notes.values().sum(),
            unchanged: self.unchanged,
        }
    }

    /// What went wrong, by file and record: on stderr, whatever the format.
    pub(super) fn tell(&self, console: &mut Console<'_>) {
        for input in &self.read.useless_inputs {
            console.notice(&format!("warning: {}: {}", input.file, input.reason));
        }
        for reject in &self.read.rejects {
            console.notice(&format!(
                "warning: {} {}: {}",
                reject.file, reject.record, reject.reason
            ));
        }
        let told = u64::try_from(self.read.rejects.len()).unwrap_or(u64::MAX);
        if self.read.rejected > told {
            console.notice(&format!(
                "warning: and {} more records that could not be read",
                self.read.rejected - told
            ));
        }
        for gap in &self.read.gaps {
            console.notice(&format!("warning: {gap}"));
        }
    }
}

/// Live sources that this release does not read are refused by name.
pub(super) fn refuse_unread(paths: &[cli::Input]) -> Result<(), Error> {
    for path in paths {
        let (word, hint) = match path {
            cli::Input::Stdin | cli::Input::Path(_) | cli::Input::Atlas => continue,
            cli::Input::OpsManager => (
                "`ingest ops-manager`",
                "a folder of that name is `./ops-manager`",
            ),
            cli::Input::Download => ("`ingest download`", "a folder of that name is `./download`"),
        };
        return Err(not_yet(word).hint(hint));
    }
    Ok(())
}

/// A missing path is the caller's mistake, and is found before a store is made.
pub(super) fn find(paths: &[cli::Input]) -> Result<(), Error> {
    for path in paths {
        if let cli::Input::Path(path) = path
            && let Err(error) = std::fs::metadata(path)
        {
            let message = format!("cannot read `{}`", path.display());
            return Err(Error::new(ErrorKind::Input, message).caused_by(&error));
        }
    }
    Ok(())
}

/// Reads everything in one import, which keeps all or nothing.
pub(super) fn read(
    store: &mut Store,
    policy: &Policy,
    paths: &[cli::Input],
    flags: &cli::IngestFlags,
    now: Timestamp,
    console: &mut Console<'_>,
) -> Result<Imported, Error> {
    let known = store.base_urls().map_err(Error::from)?;
    // The name of another backup system (`system:NAME`) is nobody's address: its rows carry it.
    let known_base_url = match known.as_slice() {
        [only] if only.contains("://") => Some(only.clone()),
        [] | [_, ..] => None,
    };
    let options = Options {
        base_url: flags.base_url.clone(),
        known_base_url,
        project: flags.project.first().cloned(),
        cluster: flags.cluster.clone(),
        observed_at: flags.observed_at,
        complete: flags.complete,
        read_key_answer: crate::probe::read_recorded,
    };
    let inputs: Vec<ingest::Input> = paths
        .iter()
        .filter_map(|path| match path {
            cli::Input::Stdin => Some(ingest::Input::Stdin),
            cli::Input::Path(path) => Some(ingest::Input::Path(path.clone())),
            cli::Input::Atlas | cli::Input::OpsManager | cli::Input::Download => None,
        })
        .collect();
    let stdin: &mut (dyn Read + Send) = &mut console.stdin;
    let read = |sender: &mut pipe::Sender| -> Result<ingest::Report, Error> {
        let read = ingest::ingest(&inputs, stdin, &options, now, sender).map_err(failed)?;
        if read.outcome() == ImportOutcome::NotAnInventory {
            return Err(not_an_inventory(&read));
        }
        Ok(read)
    };
    let (read, unchanged) = pipe::import(store, now, read, |import| {
        let unchanged = !import.has_added();
        import.note_holds(&policy.holds)?;
        Ok(unchanged)
    })
    .map_err(|failed| match failed {
        pipe::Failed::Reading(error) => error,
        pipe::Failed::Store(error) => Error::from(error),
        pipe::Failed::Abandoned => Error::new(ErrorKind::Store, "nothing was ingested"),
    })?;
    Ok(Imported { read, unchanged })
}

fn failed(error: IngestError<pipe::Stopped>) -> Error {
    match error {
        // The store's own error takes the place of this one.
        IngestError::Intake(error) => {
            Error::new(ErrorKind::Store, "nothing was ingested").caused_by(&error)
        }
        error @ (IngestError::MissingPath(_) | IngestError::Usage(_)) => {
            Error::new(ErrorKind::Input, "nothing was ingested").caused_by(&error)
        }
        error @ IngestError::Io { .. } => {
            Error::new(ErrorKind::Io, "nothing was ingested").caused_by(&error)
        }
    }
}

fn not_an_inventory(read: &ingest::Report) -> Error {
    let error = Error::new(
        ErrorKind::Input,
        "nothing was ingested: no input is an inventory",
    );
    let error = read
        .useless_inputs
        .iter()
        .take(20)
        .fold(error, |error, input| {
            error.cause(format!("{}: {}", input.file, input.reason))
        });
    read.rejects.iter().take(20).fold(error, |error, r| {
        error.cause(format!("{} {}: {}", r.file, r.record, r.reason))
    })
}

/// What an import exits with, and which projects are why.
pub(super) struct Settled {
    pub(super) code: u8,
    /// Named by a bundle of this import, and incomplete all the same.
    incomplete: Vec<ProjectVerdict>,
}

/// 0 when all that completeness needs was read; 3 when a record was rejected or a bundle leaves a
/// project incomplete.
pub(super) fn settle(
    store: &Store,
    policy: &Policy,
    imported: &Imported,
    now: Timestamp,
) -> Result<Settled, Error> {
    let named = &imported.read.bundle_projects;
    let incomplete = if named.is_empty() {
        Vec::new()
    } else {
        let mut projects = coverage(store, policy, named, now)?;
        projects.retain(|row| !row.complete && named.contains(&row.project));
        projects
    };
    let whole = imported.read.outcome() == ImportOutcome::Complete && incomplete.is_empty();
    Ok(Settled {
        code: if whole { gate::PASSED } else { gate::UNDECIDED },
        incomplete,
    })
}

impl Settled {
    /// Which projects lack what, the first of them: on stderr, whatever the format.
    pub(super) fn tell(&self, console: &mut Console<'_>) {
        const TOLD: usize = 3;
        let lacks = |row: &ProjectVerdict| {
            let name = row.name.as_deref();
            let name = name.map_or_else(String::new, |name| format!(" ({name})"));
            let (first, more) = match row.gaps.as_slice() {
                [] => ("it was not read whole", 0),
                [first, rest @ ..] => (first.as_str(), rest.len()),
            };
            let project = &row.project.id;
            let more = and_more(more, "gap", "gaps");
            format!("`{project}`{name}: {first}{more}")
        };
        let projects = match self.incomplete.len() {
            0 => return,
            1 => "1 project is".to_owned(),
            many => format!("{many} projects are"),
        };
        let told: Vec<String> = self.incomplete.iter().take(TOLD).map(lacks).collect();
        let more = self.incomplete.len().saturating_sub(TOLD);
        console.notice(&format!(
            "warning: {projects} incomplete, and no key of theirs is `safe`: {}{}",
            told.join("; "),
            and_more(more, "project", "projects")
        ));
    }
}

fn and_more(count: usize, one: &str, many: &str) -> String {
    match count {
        0 => String::new(),
        1 => format!(", and 1 more {one}"),
        _ => format!(", and {count} more {many}"),
    }
}

/// How complete projects are: at least these, and all that `projects` would print of them.
fn coverage(
    store: &Store,
    policy: &Policy,
    projects: &BTreeSet<ProjectRef>,
    now: Timestamp,
) -> Result<Vec<ProjectVerdict>, Error> {
    store.view(|view| {
        let mut evidence = view.evidence(now)?;
        // Whether an inventory is complete does not depend on what the key services said.
        evidence.observations = Vec::new();
        let facts = Facts::new(&evidence, policy, now);
        if evidence.later_exists {
            return facts.projects(judge::rows(view, now));
        }
        facts.projects(|take| {
            view.for_each_reach(projects, &mut |reach| {
                take(&stand_in(reach));
                Ok(())
            })
        })
    })
}

/// A snapshot that stands for all of its cluster. Of snapshots, completeness depends on nothing
/// but whether a cluster has any, when the last was shown or made, and whether any is a sharded
/// one (design section 4, "Coverage"): a million rows need not be read for that.
fn stand_in(reach: &Reach<'_>) -> Snapshot {
    Snapshot {
        project: reach.project.clone(),
        cluster: reach.cluster.to_owned(),
        id: String::new(),
        sightings: vec![Sighting {
            first_at: reach.latest,
            last_at: reach.latest,
            shape: if reach.sharded {
                SnapshotShape::Sharded
            } else {
                SnapshotShape::ReplicaSet
            },
            status: SnapshotStatus::Unrecorded,
            created_at: None,
            expires_at: None,
            keep: false,
            frequency: None,
            copied: false,
            keys: KeyColumn::Absent,
        }],
    }
}
