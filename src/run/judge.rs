//! Evidence out of the store, through the rules, into a report: everything that only reads.

#[cfg(test)]
mod tests;

use std::io::{self, Write};
use std::mem::ManuallyDrop;

use super::{Error, ErrorKind, output};
use crate::assess::{
    self, Answers, Decided, Facts, Found, FoundTarget, Purpose, RotationInput, Target, gate,
};
use crate::cli;
use crate::model::outline::Shelves;
use crate::model::verdict::{Intent, KeyCheck, KeyRow, RotationCheck};
use crate::model::{Evidence, Policy, Snapshot, Timestamp, Unit};
use crate::report::{self, DownloadRow, Format, Frame, Layout, SnapshotRows};
use crate::store::{Store, StoreError, View};

/// Takes one snapshot row.
type Take<'t> = &'t mut dyn FnMut(&Snapshot);

/// Streams the rows of a view into a fold that cannot fail itself.
pub(super) fn rows<'v>(
    view: &'v View<'_>,
    as_of: Timestamp,
) -> impl Fn(Take<'_>) -> Result<(), Error> + 'v {
    move |take| {
        view.for_each_snapshot(as_of, &mut |row| {
            take(row);
            Ok(())
        })
    }
}

/// One unchanging sight of a store at an instant: its inventories are read once, for however many
/// questions.
pub(super) struct Sight<'s> {
    view: &'s View<'s>,
    policy: &'s Policy,
    as_of: Timestamp,
    /// Never taken apart: that takes a tenth of the time of an answer, and a run looks at a store
    /// once or twice before it ends.
    evidence: ManuallyDrop<Evidence>,
}

impl Sight<'_> {
    /// Runs `work` on what was known at `as_of`.
    pub(super) fn on<T>(
        store: &Store,
        policy: &Policy,
        as_of: Timestamp,
        work: impl FnOnce(&mut Sight<'_>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        store.view(|view| {
            work(&mut Sight {
                view,
                policy,
                as_of,
                evidence: ManuallyDrop::new(view.inventory(as_of)?),
            })
        })
    }

    /// Puts the evidence through the rules, and hands on what was decided. A check reads the
    /// snapshots that its keys' verdicts rest on, and says nothing of others.
    pub(super) fn judged<T>(
        &mut self,
        purpose: &Purpose,
        work: impl FnOnce(&View<'_>, &Decided<'_>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let (view, as_of) = (self.view, self.as_of);
        self.evidence.observations = match purpose {
            Purpose::Audit | Purpose::List { .. } => view.observations(as_of, &|_key| true)?,
            Purpose::Check { keys, .. } => {
                let answers = Answers::about(keys, &self.evidence);
                view.observations(as_of, &|key| answers.bear_on(key))?
            }
        };
        let facts = Facts::folded(&mut self.evidence, self.policy, as_of);
        let shelves = view.shelved(as_of)?;
        let shelves = shelves.map(|s| Box::new(s) as Box<dyn Shelves<Error = StoreError>>);
        let rows = |take: Take<'_>| {
            view.for_each_snapshot(as_of, &mut |row| {
                take(row);
                Ok::<_, StoreError>(())
            })
        };
        let decided = facts.decide_from(purpose, rows, shelves)?;
        work(view, &decided)
    }
}

/// Puts one question to a store.
pub(super) fn judged<T>(
    store: &Store,
    policy: &Policy,
    as_of: Timestamp,
    purpose: &Purpose,
    work: impl FnOnce(&View<'_>, &Decided<'_>) -> Result<T, Error>,
) -> Result<T, Error> {
    Sight::on(store, policy, as_of, |sight| sight.judged(purpose, work))
}

/// Hands every snapshot's verdict to a report, as often as its format wants, and ends it.
pub(super) fn list(
    view: &View<'_>,
    decided: &Decided<'_>,
    as_of: Timestamp,
    mut list: SnapshotRows<'_>,
) -> Result<(), Stop> {
    for _pass in 0..list.passes() {
        view.for_each_snapshot(as_of, &mut |row| -> Result<(), Stop> {
            if let Some(verdict) = decided.snapshot(row) {
                list.row(&verdict)?;
            }
            Ok(())
        })?;
        list.pass_ended()?;
    }
    Ok(list.finish()?)
}

/// A stream of rows ends early because the store fails or the reader of the output has gone.
pub(super) enum Stop {
    Store(Error),
    Output(io::Error),
}

impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Self {
        Self::Output(error)
    }
}

impl From<StoreError> for Stop {
    fn from(error: StoreError) -> Self {
        Self::Store(Error::from(error))
    }
}

pub(super) fn stopped(printed: Result<(), Stop>, code: u8) -> Result<u8, Error> {
    match printed {
        Ok(()) => Ok(code),
        Err(Stop::Output(error)) => output(Err(error), code),
        Err(Stop::Store(error)) => Err(error),
    }
}

/// Judges a key that is to be deleted or disabled; `limit`: dependants that are listed.
pub(super) fn check(
    sight: &mut Sight<'_>,
    key: &str,
    intent: Intent,
    limit: u32,
) -> Result<KeyCheck, Error> {
    let purpose = Purpose::Check {
        keys: vec![key.to_owned()],
        intent,
        limit: usize::try_from(limit).unwrap_or(usize::MAX),
    };
    sight.judged(&purpose, |_view, decided| match decided.argument(0) {
        Some(Found::One { unit, key }) => Ok(decided.check(intent, &unit, key.as_ref())),
        Some(Found::Unresolved(spelling)) => Ok(decided.check_unresolved(intent, &spelling)),
        Some(Found::Several(keys)) => Err(ambiguous(key, &keys)),
        Some(Found::Alias(_)) | None => Err(alias(key)),
    })
}

/// Judges a rotation from `key`, to another where one is named.
pub(super) fn rotation(
    sight: &mut Sight<'_>,
    key: &str,
    to: Option<&str>,
    limit: u32,
) -> Result<RotationCheck, Error> {
    let purpose = Purpose::Check {
        keys: std::iter::once(key).chain(to).map(str::to_owned).collect(),
        intent: Intent::Rotate,
        limit: usize::try_from(limit).unwrap_or(usize::MAX),
    };
    sight.judged(&purpose, |_view, decided| {
        let (old, old_key) = match decided.argument(0) {
            Some(Found::One { unit, key }) => (unit, key),
            Some(Found::Several(keys)) => return Err(ambiguous(key, &keys)),
            Some(Found::Alias(_)) => return Err(alias(key)),
            Some(Found::Unresolved(_)) | None => {
                return Ok(decided.rotation_unresolved(key, to));
            }
        };
        let new = match (to, decided.argument(1)) {
            (None, _) => None,
            (Some(to), Some(Found::Several(keys))) => return Err(ambiguous(to, &keys)),
            (Some(to), Some(Found::Alias(_))) => return Err(alias(to)),
            (Some(_), found) => found,
        };
        let input = RotationInput {
            old,
            old_key,
            new,
            new_text: to.map(str::to_owned),
        };
        Ok(decided.rotation(&input))
    })
}

fn ambiguous(text: &str, keys: &[String]) -> Error {
    let error = Error::new(
        ErrorKind::Usage,
        format!("`{text}` may be any of {} keys", keys.len()),
    );
    let error = keys
        .iter()
        .take(20)
        .fold(error, |error, key| error.cause(key.clone()));
    error.hint("name one of them in full")
}

pub(super) fn alias(text: &str) -> Error {
    let error = Error::new(
        ErrorKind::Usage,
        format!("`{text}` is an alias, which may point to another key tomorrow"),
    );
    error.hint("name the key itself: `aws kms describe-key --key-id ALIAS` prints its ARN")
}

fn list_of(key: Option<&String>) -> Purpose {
    match key {
        None => Purpose::Audit,
        Some(key) => Purpose::List {
            keys: vec![key.clone()],
        },
    }
}

pub(super) fn snapshots(
    store: &Store,
    policy: &Policy,
    as_of: Timestamp,
    args: &cli::Snapshots,
    format: Format,
    layout: Layout,
    out: &mut dyn Write,
) -> Result<u8, Error> {
    let purpose = list_of(args.key.as_ref());
    judged(store, policy, as_of, &purpose, |view, decided| {
        let target = match &args.restore_to {
            None => None,
            Some(text) => Some(target(decided, text)?),
        };
        let assessment = decided.assessment();
        let printed = (|| -> Result<(), Stop> {
            let frame = Frame::from(&assessment);
            let restore_to = args.restore_to.as_deref();
            let mut list = report::snapshots(format, frame, restore_to, layout, out)?;
            view.for_each_snapshot(as_of, &mut |row| -> Result<(), Stop> {
                let wanted = among(&args.project, &row.project.id)
                    && among(&args.cluster, &row.cluster)
                    && (args.key.is_none() || decided.is_under(row, 0));
                if wanted && let Some(mut verdict) = decided.snapshot(row) {
                    let in_time = args.expires_before.is_none_or(|before| {
                        verdict.expires_at.is_some_and(|expires| expires < before)
                    });
                    let judged = args.verdict.is_empty() || args.verdict.contains(&verdict.verdict);
                    if in_time && judged {
                        if let Some(target) = &target {
                            let versions = view.versions(as_of, row)?;
                            verdict.obstacles = Some(decided.obstacles(target, row, &versions));
                        }
                        list.row(&verdict)?;
                    }
                }
                Ok(())
            })?;
            Ok(list.finish()?)
        })();
        stopped(printed, gate::PASSED)
    })
}

fn target(decided: &Decided<'_>, text: &str) -> Result<Box<Target>, Error> {
    match decided.target(text) {
        FoundTarget::One(target) => Ok(target),
        FoundTarget::Unknown(known) => {
            let none = known.is_empty();
            let error = Error::new(
                ErrorKind::Usage,
                format!("no list or snapshot names a cluster `{text}`"),
            );
            let error = some_of(error, known);
            Err(error.hint(if none {
                "ingest the cluster list of its project"
            } else {
                "a cluster is named by its project's id, a slash and its own name"
            }))
        }
        FoundTarget::Several(base_urls) => {
            let error = Error::new(
                ErrorKind::Usage,
                format!("`{text}` is a cluster of several services"),
            );
            Err(some_of(error, base_urls))
        }
    }
}

/// The first few of a list that may be long.
fn some_of(error: Error, known: Vec<String>) -> Error {
    let left_out = known.len().saturating_sub(20);
    let error = known.into_iter().take(20).fold(error, Error::cause);
    if left_out == 0 {
        return error;
    }
    error.cause(format!("and {left_out} more"))
}

pub(super) fn keys(
    store: &Store,
    policy: &Policy,
    as_of: Timestamp,
    args: &cli::Keys,
    format: Format,
    layout: Layout,
    out: &mut dyn Write,
) -> Result<u8, Error> {
    let purpose = list_of(args.key.as_ref());
    judged(store, policy, as_of, &purpose, |_view, decided| {
        let assessment = decided.assessment();
        let placed = !args.project.is_empty() || !args.cluster.is_empty();
        let named = decided.keys_named_in(&args.project, &args.cluster);
        let wanted: Option<Unit> = match decided.argument(0) {
            Some(Found::One { unit, key: _ }) => Some(unit),
            Some(Found::Several(_) | Found::Unresolved(_) | Found::Alias(_)) | None => None,
        };
        let chosen: Vec<&KeyRow> = assessment
            .keys
            .iter()
            .filter(|row| {
                let (text, verdict, is_asked) = match row {
                    KeyRow::Resolved(row) => (
                        row.key.to_string(),
                        row.verdict.verdict,
                        wanted.as_ref().is_some_and(|unit| unit.contains(&row.key)),
                    ),
                    KeyRow::Unresolved { spelling, .. } => (
                        spelling.clone(),
                        crate::model::verdict::Deletability::Unknown,
                        args.key.as_deref() == Some(spelling),
                    ),
                };
                (args.key.is_none() || is_asked)
                    && (!placed || named.contains(&text))
                    && (args.verdict.is_empty() || args.verdict.contains(&verdict))
            })
            .collect();
        let printed = report::keys(format, Frame::from(&assessment), chosen, layout, out);
        output(printed, gate::PASSED)
    })
}

pub(super) fn projects(
    store: &Store,
    policy: &Policy,
    as_of: Timestamp,
    args: &cli::Projects,
    format: Format,
    layout: Layout,
    out: &mut dyn Write,
) -> Result<u8, Error> {
    judged(store, policy, as_of, &Purpose::Audit, |_view, decided| {
        let assessment = decided.assessment();
        let chosen = assessment.projects.iter().filter(|row| {
            among(&args.project, &row.project.id)
                && match args.verdict {
                    None => true,
                    Some(cli::Completeness::Complete) => row.complete,
                    Some(cli::Completeness::Incomplete) => !row.complete,
                }
        });
        let printed = report::projects(format, Frame::from(&assessment), chosen, layout, out);
        output(printed, gate::PASSED)
    })
}

pub(super) fn downloads(store: &Store, as_of: Timestamp) -> Result<Vec<DownloadRow>, Error> {
    let found: Vec<assess::Download> = store.view(|view| {
        let evidence = view.evidence(as_of)?;
        assess::downloads(&evidence, rows(view, as_of))
    })?;
    Ok(found
        .into_iter()
        .map(|download| {
            let (forgotten_at, reason) = download.forgotten.unzip();
            DownloadRow {
                id: download.id,
                project: Some(download.project.id),
                cluster: download.cluster,
                snapshot: download.snapshot,
                keys: download.keys,
                finished_at: download.finished_at,
                forgotten_at,
                reason,
            }
        })
        .collect())
}

/// An empty filter lets all pass.
fn among(wanted: &[String], value: &str) -> bool {
    wanted.is_empty() || wanted.iter().any(|one| one == value)
}
