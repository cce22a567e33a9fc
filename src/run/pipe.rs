//! Reading and keeping side by side: another thread reads an inventory, this one writes what was
//! read into the store, as one import. It decides nothing about either.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use crate::model::intake::{Intake, Shown};
use crate::model::{Observation, Reading, Timestamp};
use crate::store::{Import, Rows, Store, StoreError};

/// Rows and steps that travel together: handing over one by one costs more than the rest. A batch
/// of so many is sent when a list ends, so that the store sees what its pages say alike at once.
const BATCH: usize = 1024;
/// The longest batch: a list may be of any length.
const LONGEST: usize = 4096;
/// Batches that the reader may be ahead: memory stays below a few mebibytes.
const AHEAD: usize = 2;

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
        let (batches, received) = sync_channel(AHEAD);
        let reader = scope.spawn(move || {
            let mut sender = Sender {
                batches,
                batch: Batch::default(),
            };
            // Without the last step the import is given up.
            let read = read(&mut sender)?;
            // If the store is gone already, it tells why itself.
            sender.batch.last = true;
            let _gone = sender.send();
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

/// What travels together. Rows and the rest are kept apart: which of them was read first does not
/// matter, they are one import.
#[derive(Default)]
struct Batch {
    rows: Rows,
    rest: Vec<Step>,
    /// The reader has come to its end.
    last: bool,
}

enum Step {
    Reading(Box<Reading>),
    Observation(Box<Observation>),
}

/// Drops its end when it ends, so that a reader still at work stops.
fn keep(import: &mut Import<'_>, received: Receiver<Batch>) -> Result<(), Ended> {
    for Batch { rows, rest, last } in received {
        import.rows(rows)?;
        for step in rest {
            match step {
                Step::Reading(reading) => import.reading(&reading)?,
                Step::Observation(observation) => import.observation(&observation)?,
            }
        }
        if last {
            return Ok(());
        }
    }
    Err(Ended::Abandoned)
}

/// The reader's end.
pub(super) struct Sender {
    batches: SyncSender<Batch>,
    batch: Batch,
}

impl Sender {
    fn push(&mut self, step: Step) -> Result<(), Stopped> {
        self.batch.rest.push(step);
        self.send_from(BATCH)
    }

    /// Sends the batch if it is so long.
    fn send_from(&mut self, length: usize) -> Result<(), Stopped> {
        if self.batch.rows.len() + self.batch.rest.len() < length {
            return Ok(());
        }
        self.send()
    }

    fn send(&mut self) -> Result<(), Stopped> {
        let batch = std::mem::take(&mut self.batch);
        self.batches.send(batch).map_err(|_gone| Stopped)
    }
}

impl Intake for Sender {
    type Error = Stopped;

    fn snapshot(&mut self, shown: &Shown<'_>) -> Result<(), Stopped> {
        self.batch.rows.push(shown);
        self.send_from(LONGEST)
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
    use crate::model::ProjectRef;
    use crate::model::evidence::{KeyColumn, SnapshotShape, SnapshotStatus};
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
    fn an_import_keeps_all_or_nothing() {
        let now = at("2026-11-01T06:00:00Z");
        let mut store = Store::create(&Location::Memory).unwrap();
        let count = LONGEST * (AHEAD + 2) + 1;
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
