//! Reading and keeping side by side: another thread reads an inventory, this one writes what was
//! read into the store, in the same order and as one import. It decides nothing about either.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use crate::model::evidence::{KeyColumn, SnapshotShape, SnapshotStatus};
use crate::model::intake::{Intake, Shown};
use crate::model::{Observation, ProjectRef, Reading, Timestamp};
use crate::store::{Import, Store, StoreError};

/// Steps that travel together: handing over one by one costs more than the rest.
const BATCH: usize = 512;
/// Batches that the reader may be ahead: memory stays below a mebibyte.
const AHEAD: usize = 4;

/// The store takes nothing more; why is for whoever runs it to say.
#[derive(Debug, thiserror::Error)]
#[error("the store takes nothing more")]
pub(super) struct Stopped;

/// Why an import did not end well.
#[derive(Debug)]
pub(super) enum Failed<E> {
    Reading(E),
    Store(StoreError),
    /// The two ends disagree on where the import ended.
    Abandoned,
}

/// Runs `read` and the import of what it hands over. What `read` gives back counts only if the
/// import was kept; if it fails, nothing is. `last` is the last part of the import.
pub(super) fn import<T: Send, U, E: Send>(
    store: &mut Store,
    now: Timestamp,
    read: impl FnOnce(&mut Sender) -> Result<T, E> + Send,
    last: impl FnOnce(&mut Import<'_>) -> Result<U, StoreError>,
) -> Result<(T, U), Failed<E>> {
    thread::scope(|scope| {
        let (steps, received) = sync_channel(AHEAD);
        let reader = scope.spawn(move || {
            let mut sender = Sender {
                steps,
                batch: Vec::with_capacity(BATCH),
                project: Arc::new(ProjectRef {
                    id: String::new(),
                    base_url: String::new(),
                }),
                cluster: Arc::default(),
                version: None,
            };
            // Without the last step the import is given up.
            let read = read(&mut sender)?;
            // If the store is gone already, it tells why itself.
            let _gone = sender.push(Step::Done).and_then(|()| sender.send());
            Ok(read)
        });
        let kept = store.import(now, |import| -> Result<U, Ended> {
            keep(import, received)?;
            Ok(last(import)?)
        });
        let read = match reader.join() {
            Ok(read) => read,
            Err(panic) => std::panic::resume_unwind(panic),
        };
        match (read, kept) {
            (_, Err(Ended::Store(error))) => Err(Failed::Store(error)),
            (Err(error), Ok(_) | Err(Ended::Abandoned)) => Err(Failed::Reading(error)),
            (Ok(read), Ok(kept)) => Ok((read, kept)),
            (Ok(_), Err(Ended::Abandoned)) => Err(Failed::Abandoned),
        }
    })
}

enum Ended {
    Store(StoreError),
    Abandoned,
}

impl From<StoreError> for Ended {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

enum Step {
    Snapshot(Row),
    Reading(Box<Reading>),
    Observation(Box<Observation>),
    Done,
}

/// A [`Shown`] that owns what it says.
struct Row {
    project: Arc<ProjectRef>,
    cluster: Arc<str>,
    id: String,
    at: Timestamp,
    shape: SnapshotShape,
    status: SnapshotStatus,
    created_at: Option<Timestamp>,
    expires_at: Option<Timestamp>,
    keep: bool,
    frequency: Option<String>,
    copied: bool,
    version: Option<Arc<str>>,
    keys: KeyColumn,
}

/// Drops its end when it ends, so that a reader still at work stops.
fn keep(import: &mut Import<'_>, received: Receiver<Vec<Step>>) -> Result<(), Ended> {
    for step in received.into_iter().flatten() {
        match step {
            Step::Snapshot(row) => import.snapshot(&Shown {
                project: &row.project,
                cluster: &row.cluster,
                id: &row.id,
                at: row.at,
                shape: row.shape,
                status: row.status,
                created_at: row.created_at,
                expires_at: row.expires_at,
                keep: row.keep,
                frequency: row.frequency.as_deref(),
                copied: row.copied,
                version: row.version.as_deref(),
                keys: row.keys,
            })?,
            Step::Reading(reading) => import.reading(&reading)?,
            Step::Observation(observation) => import.observation(&observation)?,
            Step::Done => return Ok(()),
        }
    }
    Err(Ended::Abandoned)
}

/// The reader's end.
pub(super) struct Sender {
    steps: SyncSender<Vec<Step>>,
    batch: Vec<Step>,
    /// Those of the row before: most rows share them.
    project: Arc<ProjectRef>,
    cluster: Arc<str>,
    version: Option<Arc<str>>,
}

impl Sender {
    fn push(&mut self, step: Step) -> Result<(), Stopped> {
        self.batch.push(step);
        if self.batch.len() < BATCH {
            return Ok(());
        }
        self.send()
    }

    fn send(&mut self) -> Result<(), Stopped> {
        let batch = std::mem::replace(&mut self.batch, Vec::with_capacity(BATCH));
        self.steps.send(batch).map_err(|_gone| Stopped)
    }
}

impl Intake for Sender {
    type Error = Stopped;

    fn snapshot(&mut self, shown: &Shown<'_>) -> Result<(), Stopped> {
        if *self.project != *shown.project {
            self.project = Arc::new(shown.project.clone());
        }
        if *self.cluster != *shown.cluster {
            self.cluster = shown.cluster.into();
        }
        if self.version.as_deref() != shown.version {
            self.version = shown.version.map(Arc::from);
        }
        self.push(Step::Snapshot(Row {
            project: Arc::clone(&self.project),
            cluster: Arc::clone(&self.cluster),
            id: shown.id.to_owned(),
            at: shown.at,
            shape: shown.shape,
            status: shown.status.clone(),
            created_at: shown.created_at,
            expires_at: shown.expires_at,
            keep: shown.keep,
            frequency: shown.frequency.map(str::to_owned),
            copied: shown.copied,
            version: self.version.clone(),
            keys: shown.keys.clone(),
        }))
    }

    fn reading(&mut self, reading: &Reading) -> Result<(), Stopped> {
        self.push(Step::Reading(Box::new(reading.clone())))
    }

    fn observation(&mut self, observation: &Observation) -> Result<(), Stopped> {
        self.push(Step::Observation(Box::new(observation.clone())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Location;

    fn at(text: &str) -> Timestamp {
        Timestamp::floor(text).unwrap()
    }

    fn show(sender: &mut Sender, id: &str) -> Result<(), Stopped> {
        sender.snapshot(&Shown {
            project: &ProjectRef {
                id: "p".into(),
                base_url: "https://atlas.example".into(),
            },
            cluster: "c",
            id,
            at: at("2026-11-01T02:00:00Z"),
            shape: SnapshotShape::ReplicaSet,
            status: SnapshotStatus::Completed,
            created_at: None,
            expires_at: None,
            keep: false,
            frequency: Some("daily"),
            copied: false,
            version: None,
            keys: KeyColumn::Absent,
        })
    }

    fn ids(store: &Store) -> Vec<String> {
        let mut ids = Vec::new();
        let read = store.view(|view| {
            view.for_each_snapshot(Timestamp::MAX, &mut |row| -> Result<(), StoreError> {
                ids.push(row.id.clone());
                Ok(())
            })
        });
        read.unwrap();
        ids
    }

    #[test]
    fn an_import_keeps_all_in_order_or_nothing() {
        let now = at("2026-11-01T06:00:00Z");
        let mut store = Store::create(&Location::Memory).unwrap();
        let count = BATCH * (AHEAD + 2) + 1;
        let many = |sender: &mut Sender| -> Result<(), Stopped> {
            (0..count).try_for_each(|no| show(sender, &format!("{no:06}")))
        };

        let given_up = import(
            &mut store,
            now,
            |sender| many(sender).and(Err::<(), _>(Stopped)),
            |_import| Ok(()),
        );
        assert!(matches!(given_up, Err(Failed::Reading(Stopped))));
        assert_eq!(ids(&store).len(), 0);

        let refused = import(&mut store, now, many, |_import| {
            Err::<(), _>(StoreError::ReadOnly)
        });
        assert!(matches!(refused, Err(Failed::Store(StoreError::ReadOnly))));
        assert_eq!(ids(&store).len(), 0);

        let kept = import(&mut store, now, many, |import| Ok(import.has_added()));
        assert!(matches!(kept, Ok(((), true))));
        assert_eq!(ids(&store).len(), count);
    }
}
