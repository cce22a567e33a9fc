//! An [`Intake`] that writes down what it is handed, one line each, for tests.

use super::{ImportOutcome, IngestError, Input, Options, Report, ingest};
use crate::model::Timestamp;
use crate::model::evidence::{KeyColumn, Observation, SnapshotStatus};
use crate::model::intake::{Intake, Shown};
use crate::model::reading::{Content, Outcome, Reading};

#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Recorder {
    pub(super) snapshots: Vec<String>,
    pub(super) readings: Vec<Reading>,
    pub(super) observations: Vec<Observation>,
}

/// The intake refused.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("refused")]
pub(super) struct Refused;

impl Intake for Recorder {
    type Error = Refused;

    fn snapshot(&mut self, shown: &Shown<'_>) -> Result<(), Refused> {
        let status = match &shown.status {
            SnapshotStatus::Completed => "completed",
            SnapshotStatus::Queued => "queued",
            SnapshotStatus::InProgress => "in-progress",
            SnapshotStatus::Failed => "failed",
            SnapshotStatus::Unrecorded => "unrecorded",
            SnapshotStatus::Unrecognised(word) => word,
        };
        let keys = match &shown.keys {
            KeyColumn::Absent => "absent".to_owned(),
            KeyColumn::NotEncrypted => "not-encrypted".to_owned(),
            KeyColumn::Named(keys) => keys.join("+"),
        };
        self.snapshots.push(format!(
            "{}/{}/{} {} {status} {keys}",
            shown.project.id,
            shown.cluster,
            shown.id,
            shown.shape.word()
        ));
        Ok(())
    }

    fn reading(&mut self, reading: &Reading) -> Result<(), Refused> {
        self.readings.push(reading.clone());
        Ok(())
    }

    fn observation(&mut self, observation: &Observation) -> Result<(), Refused> {
        self.observations.push(observation.clone());
        Ok(())
    }
}

impl Recorder {
    /// `project/cluster content outcome rows` for each reading, sorted.
    pub(super) fn told(&self) -> Vec<String> {
        let mut told: Vec<String> = self.readings.iter().map(tell).collect();
        told.sort_unstable();
        told
    }
}

fn tell(reading: &Reading) -> String {
    let outcome = match &reading.outcome {
        Outcome::Whole => "whole".to_owned(),
        Outcome::Partial(gap) => gap.word().to_owned(),
        Outcome::Refused {
            status,
            code,
            confirmed,
        } => {
            let code = code.as_deref().unwrap_or("-");
            let sure = if *confirmed { " confirmed" } else { "" };
            format!("{status} {code}{sure}")
        }
    };
    let rows = match &*reading.content {
        Content::Projects(rows) => rows.len(),
        Content::Clusters { clusters, .. } | Content::SharedClusters(clusters) => clusters.len(),
        Content::Settings(blocks) => blocks.len(),
        Content::Events { events, .. } => events.len(),
        Content::RestoreJobs(jobs) => jobs.len(),
        Content::Inventory(lines) => lines.len(),
        Content::Project
        | Content::Snapshots
        | Content::ShardedSnapshots
        | Content::SharedSnapshots
        | Content::Schedule(_)
        | Content::CompliancePolicy(_) => 0,
    };
    format!(
        "{}/{} {} {outcome} {rows}",
        reading.project.as_deref().unwrap_or("-"),
        reading.cluster.as_deref().unwrap_or("-"),
        reading.content.word()
    )
}

/// 2026-11-01T06:00:00Z.
pub(super) fn now() -> Timestamp {
    Timestamp::floor("2026-11-01T06:00:00Z").unwrap()
}

pub(super) fn options() -> Options {
    Options {
        base_url: None,
        known_base_url: None,
        project: None,
        cluster: None,
        observed_at: None,
        complete: false,
        read_key_answer: |_, _| Err("is not read here".to_owned()),
    }
}

pub(super) struct Ran {
    pub(super) recorder: Recorder,
    pub(super) report: Report,
    pub(super) outcome: ImportOutcome,
}

pub(super) fn run(
    inputs: &[Input],
    stdin: &[u8],
    options: &Options,
) -> Result<Ran, IngestError<Refused>> {
    let mut recorder = Recorder::default();
    let mut stdin = stdin;
    let report = ingest(inputs, &mut stdin, options, now(), &mut recorder)?;
    let outcome = report.outcome();
    Ok(Ran {
        recorder,
        report,
        outcome,
    })
}

/// Standard input alone.
pub(super) fn piped(stdin: impl AsRef<[u8]>, options: &Options) -> Ran {
    run(&[Input::Stdin], stdin.as_ref(), options).unwrap()
}
