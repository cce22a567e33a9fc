//! Asks the key services about keys, and keeps what they said as it comes in.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::judge;
use super::{Console, Error, ErrorKind, wall_clock};
use crate::assess::{Facts, Found, Purpose};
use crate::model::evidence::Observation;
use crate::model::intake::Intake;
use crate::model::verdict::Intent;
use crate::model::{KeyId, Policy};
use crate::probe::{Answer, Limits, Probes, Stopped, Summary, Target, probe_all};
use crate::report::ProbeReport;
use crate::store::{Store, StoreError};

/// Answers that are kept in one transaction: few enough that a kill loses little.
const KEPT_TOGETHER: usize = 64;

/// What one round of questions brought.
#[derive(Debug, Default)]
pub(super) struct Asked {
    pub(super) observations: Vec<Observation>,
    /// Ids that are not complete, so nobody can be asked.
    pub(super) unresolved: Vec<String>,
    /// Keys whose answer is young enough.
    pub(super) still_fresh: u64,
    not_asked: Vec<String>,
    /// Bare ids that were asked for and got no ARN.
    unanswered: u64,
    stopped: Option<Stopped>,
}

impl Asked {
    /// 0 when every key got an answer of any condition but `unknown` and `transient`.
    pub(super) fn exit_code(&self) -> u8 {
        let settled = self.observations.iter().all(|o| o.condition.is_definite());
        let all = self.not_asked.is_empty() && self.unanswered == 0 && self.stopped.is_none();
        if settled && all {
            crate::assess::gate::PASSED
        } else {
            crate::assess::gate::UNDECIDED
        }
    }

    pub(super) fn report(&self, as_of: crate::model::Timestamp, exit_code: u8) -> ProbeReport<'_> {
        ProbeReport {
            as_of,
            exit_code,
            observations: &self.observations,
            unresolved: &self.unresolved,
            still_fresh: self.still_fresh,
            not_asked: &self.not_asked,
        }
    }

    /// What a command that probes on the way says of it.
    pub(super) fn tell(&self, console: &mut Console<'_>) {
        match self.stopped {
            Some(Stopped::Cancelled) => console.notice("stopped asking: what was learned is kept"),
            Some(Stopped::Deadline) => console.notice("out of time: what was learned is kept"),
            None => {}
        }
        if !self.not_asked.is_empty() {
            console.notice(&format!(
                "not asked about {} keys: {}",
                self.not_asked.len(),
                self.not_asked
                    .iter()
                    .take(3)
                    .cloned()
                    .collect::<Vec<_>>()
                    .join(", ")
            ));
        }
    }
}

/// Asks about every key that is named or current, leaving out those whose answer is younger than
/// `only_older_than` seconds.
pub(super) fn all_in_use(
    store: &mut Store,
    policy: &Policy,
    only_older_than: Option<i64>,
    console: &mut Console<'_>,
) -> Result<Asked, Error> {
    let now = wall_clock();
    let (keys, ids, named, unresolved) = store.view(|view| {
        let evidence = view.evidence(now)?;
        let facts = Facts::new(&evidence, policy, now);
        let decided = facts.decide(&Purpose::Audit, judge::rows(view, now))?;
        let (keys, ids) = facts.to_probe(&decided, only_older_than);
        let named = decided.named_keys().len();
        Ok::<_, Error>((keys, ids, named, decided.unresolved_spellings()))
    })?;
    let still_fresh = u64::try_from(named.saturating_sub(keys.len())).unwrap_or(u64::MAX);
    let targets = keys
        .into_iter()
        .map(Target::Key)
        .chain(
            ids.into_iter()
                .map(|(id, region)| Target::AwsId { id, region }),
        )
        .collect();
    let mut asked = ask(store, targets, console)?;
    asked.still_fresh = still_fresh;
    asked.unresolved = unresolved;
    Ok(asked)
}

/// Asks about these keys, as somebody spelled them.
pub(super) fn named(
    store: &mut Store,
    policy: &Policy,
    keys: &[String],
    console: &mut Console<'_>,
) -> Result<Asked, Error> {
    let now = wall_clock();
    let purpose = Purpose::Check {
        keys: keys.to_vec(),
        intent: Intent::Rotate,
        limit: 0,
    };
    let mut unresolved = Vec::new();
    let targets = store.view(|view| {
        let evidence = view.evidence(now)?;
        let facts = Facts::new(&evidence, policy, now);
        let decided = facts.decide(&purpose, judge::rows(view, now))?;
        let mut targets: Vec<Target> = Vec::new();
        for (no, text) in keys.iter().enumerate() {
            match decided.argument(no) {
                Some(Found::One { unit, key }) => {
                    let known: Vec<KeyId> = decided.keys_of(&unit);
                    targets.extend(key.into_iter().chain(known).map(Target::Key));
                }
                Some(Found::Alias(_)) => return Err(judge::alias(text)),
                Some(Found::Several(_) | Found::Unresolved(_)) | None => {
                    unresolved.push(text.clone());
                }
            }
        }
        Ok::<_, Error>(targets)
    })?;
    let mut asked = ask(store, targets, console)?;
    asked.unresolved = unresolved;
    Ok(asked)
}

fn ask(store: &mut Store, targets: Vec<Target>, console: &mut Console<'_>) -> Result<Asked, Error> {
    let mut asked = Asked::default();
    if targets.is_empty() {
        return Ok(asked);
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|error| {
            Error::new(ErrorKind::Network, "could not set up the network").caused_by(&error)
        })?;
    let bar = progress(targets.len(), console.progress);
    let (sender, receiver) = std::sync::mpsc::channel::<Answer>();
    let mut kept = Kept {
        store,
        waiting: Vec::new(),
    };
    let summary: Result<Summary, Error> = std::thread::scope(|scope| {
        let asking = scope.spawn(|| {
            runtime.block_on(async {
                let probes = Probes::load().await;
                let cancelled = async {
                    if tokio::signal::ctrl_c().await.is_err() {
                        // Nobody can interrupt: go on to the end.
                        std::future::pending::<()>().await;
                    }
                };
                let mut hand_on = |answer: Answer| {
                    // The receiver only goes away when the store failed: then nothing is kept.
                    let _unheard = sender.send(answer);
                };
                let limits = Limits::default();
                let summary = probe_all(
                    targets,
                    &probes,
                    &limits,
                    &wall_clock,
                    &mut hand_on,
                    cancelled,
                )
                .await;
                drop(sender);
                summary
            })
        });
        for answer in receiver {
            bar.inc(1);
            if let Some((reason, detail)) = &answer.unresolved {
                asked.unanswered += 1;
                tracing::warn!(
                    reason = reason.word(),
                    detail,
                    "a bare key id got no answer"
                );
            }
            asked
                .observations
                .extend(answer.observations.iter().cloned());
            kept.take(answer.observations)?;
        }
        asking.join().map_err(|_panic| {
            Error::new(
                ErrorKind::Internal,
                "asking the key services ended unexpectedly",
            )
        })
    });
    bar.finish_and_clear();
    let summary = summary?;
    kept.flush()?;
    asked
        .observations
        .sort_by(|a, b| (&a.key, a.at).cmp(&(&b.key, b.at)));
    asked.not_asked = summary
        .unsupported
        .iter()
        .map(ToString::to_string)
        .chain(summary.not_asked.iter().map(|target| match target {
            Target::Key(key) => key.to_string(),
            Target::AwsId { id, region } => format!("{id} in {region}"),
        }))
        .collect();
    asked.stopped = summary.stopped;
    Ok(asked)
}

/// Observations on their way into the store.
struct Kept<'s> {
    store: &'s mut Store,
    waiting: Vec<Observation>,
}

impl Kept<'_> {
    fn take(&mut self, observations: Vec<Observation>) -> Result<(), Error> {
        self.waiting.extend(observations);
        if self.waiting.len() >= KEPT_TOGETHER {
            self.flush()
        } else {
            Ok(())
        }
    }

    fn flush(&mut self) -> Result<(), Error> {
        if self.waiting.is_empty() {
            return Ok(());
        }
        let waiting = std::mem::take(&mut self.waiting);
        self.store
            .import(wall_clock(), |import| -> Result<(), StoreError> {
                waiting
                    .iter()
                    .try_for_each(|observation| import.observation(observation))
            })?;
        Ok(())
    }
}

fn progress(n: usize, shown: bool) -> ProgressBar {
    let target = if shown {
        ProgressDrawTarget::stderr()
    } else {
        ProgressDrawTarget::hidden()
    };
    let bar = ProgressBar::with_draw_target(u64::try_from(n).ok(), target);
    match ProgressStyle::with_template("asking key services {bar:30} {pos}/{len} {eta}") {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}
