//! Asks the key services about keys, and keeps what they said as it comes in.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::judge;
use super::{Console, Error, ErrorKind, wall_clock};
use crate::assess::{Facts, Found, Purpose};
use crate::config::{Config, process_environment};
use crate::model::evidence::Observation;
use crate::model::intake::Intake;
use crate::model::verdict::Intent;
use crate::model::{KeyId, LastUse, Provider, Unit};
use crate::probe::aws::PrivateAuthority;
use crate::probe::{
    Answer, Explanation, Limits, Probes, Settings, Stopped, Summary, Target, Wait, Waits, causes,
    explain, last_uses, probe_all,
};
use crate::report::{CauseRow, ExplainedKey, ProbeReport};
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
    causes: Vec<CauseRow>,
    last_uses: Vec<LastUse>,
}

/// Whether it is asked besides when the keys were last used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LastUses {
    Asked,
    NotAsked,
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
            causes: &self.causes,
            last_uses: &self.last_uses,
        }
    }

    /// What could not be told, once for each cause, with what would change it.
    fn tell_causes(&mut self, console: &mut Console<'_>) {
        for cause in causes(&self.observations) {
            let keys = cause.keys.len();
            let noun = if keys == 1 { "key" } else { "keys" };
            let shown = cause.keys.iter().take(2).cloned().collect::<Vec<_>>();
            let more = if keys > shown.len() { ", …" } else { "" };
            console.notice(&format!(
                "{} {}: {keys} {noun} could not be told ({}{more}){}; {}",
                cause.provider.word(),
                cause.word,
                shown.join(", "),
                cause
                    .example
                    .as_ref()
                    .map(|example| format!(": {example}"))
                    .unwrap_or_default(),
                cause.fix,
            ));
            self.causes.push(CauseRow {
                provider: cause.provider,
                reason: cause.word,
                keys,
                example: cause.example,
                fix: cause.fix,
            });
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
    config: &Config,
    only_older_than: Option<i64>,
    console: &mut Console<'_>,
) -> Result<Asked, Error> {
    let now = wall_clock();
    let (keys, ids, named, unresolved) = store.view(|view| {
        let evidence = view.evidence(now)?;
        let facts = Facts::new(&evidence, &config.policy, now);
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
    let mut asked = ask(store, targets, LastUses::NotAsked, config, console)?;
    asked.still_fresh = still_fresh;
    asked.unresolved = unresolved;
    Ok(asked)
}

/// Asks about these keys, as somebody spelled them.
pub(super) fn named(
    store: &mut Store,
    config: &Config,
    keys: &[String],
    last_uses: LastUses,
    console: &mut Console<'_>,
) -> Result<Asked, Error> {
    let now = wall_clock();
    let purpose = Purpose::Check {
        keys: keys.to_vec(),
        intent: Intent::Rotate,
        limit: 0,
    };
    let mut unresolved = Vec::new();
    let targets = judge::judged(store, &config.policy, now, &purpose, |_view, decided| {
        let mut targets: Vec<Target> = Vec::new();
        for (no, text) in keys.iter().enumerate() {
            match decided.argument(no) {
                Some(Found::One { unit, key }) => {
                    let known: Vec<KeyId> = decided.keys_of(&unit);
                    let named = key.into_iter().chain(known).map(Target::Key);
                    let before = targets.len();
                    targets.extend(named);
                    // No version of it was ever named: the vault names them.
                    if let (Unit::Azure(key), true) = (unit, targets.len() == before) {
                        targets.push(Target::AzureKey(key));
                    }
                }
                Some(Found::Alias(_)) => return Err(judge::alias(text)),
                Some(Found::Several(_) | Found::Unresolved(_)) | None => {
                    unresolved.push(text.clone());
                }
            }
        }
        Ok::<_, Error>(targets)
    })?;
    let mut asked = ask(store, targets, last_uses, config, console)?;
    asked.unresolved = unresolved;
    Ok(asked)
}

fn ask(
    store: &mut Store,
    targets: Vec<Target>,
    wanted: LastUses,
    config: &Config,
    console: &mut Console<'_>,
) -> Result<Asked, Error> {
    let mut asked = Asked::default();
    if targets.is_empty() {
        return Ok(asked);
    }
    let limits = Limits {
        deadline: config
            .probe_deadline
            .and_then(|seconds| u64::try_from(seconds).ok())
            .map(Duration::from_secs),
        ..Limits::default()
    };
    let ca_pem = private_authority(config)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|error| {
            Error::new(ErrorKind::Network, "could not set up the network").caused_by(&error)
        })?;
    let settings = Settings {
        ca_pem: ca_pem.as_deref(),
        ..settings(config)
    };
    let probes = runtime
        .block_on(Probes::load(&settings, &targets))
        .map_err(|why| Error::new(ErrorKind::Config, "no key service was asked").cause(why))?;
    let waits = Arc::clone(&probes.waits);
    let mut progress = Progress::new(&targets, waits, console.progress);
    let (sender, receiver) = std::sync::mpsc::channel::<Answer>();
    let mut kept = Kept {
        store,
        waiting: Vec::new(),
    };
    let summary: Result<Summary, Error> = std::thread::scope(|scope| {
        let asking = scope.spawn(|| {
            runtime.block_on(async {
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
        while let Some(answer) = progress.next(&receiver) {
            if let Some((reason, detail)) = &answer.unresolved {
                asked.unanswered += 1;
                tracing::warn!(
                    key = answer.target.text(),
                    reason = reason.word(),
                    detail,
                    "an incomplete key id got no answer"
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
    progress.bar.finish_and_clear();
    let summary = summary?;
    kept.flush()?;
    asked
        .observations
        .sort_by(|a, b| (&a.key, a.at).cmp(&(&b.key, b.at)));
    asked.not_asked = summary
        .unsupported
        .iter()
        .map(ToString::to_string)
        .chain(summary.not_asked.iter().map(Target::text))
        .collect();
    asked.stopped = summary.stopped;
    if wanted == LastUses::Asked && asked.stopped.is_none() {
        // Everything else is kept by now.
        let told = asked
            .observations
            .iter()
            .filter(|o| o.condition.is_definite());
        let keys: Vec<KeyId> = told.map(|observation| observation.key.clone()).collect();
        let uses = last_uses(&keys, &probes, &limits, &wall_clock);
        asked.last_uses = runtime.block_on(async {
            tokio::select! {
                uses = uses => uses,
                Ok(()) = tokio::signal::ctrl_c() => Vec::new(),
            }
        });
    }
    asked.tell_causes(console);
    Ok(asked)
}

/// The certificate authority of `ca_file`.
fn private_authority(config: &Config) -> Result<Option<Vec<u8>>, Error> {
    let Some(path) = &config.ca_file else {
        return Ok(None);
    };
    let pem = std::fs::read(path).map_err(|error| unusable_authority(config).caused_by(&error))?;
    // Looked at here, where it is known which file it came from.
    PrivateAuthority::read(pem.clone())
        .map_err(|error| unusable_authority(config).caused_by(&error))?;
    Ok(Some(pem))
}

fn unusable_authority(config: &Config) -> Error {
    let path = config
        .ca_file
        .as_deref()
        .unwrap_or(std::path::Path::new(""));
    Error::new(
        ErrorKind::Config,
        format!("cannot use the `ca_file` `{}`", path.display()),
    )
}

/// What finding the key services takes, but for the private authority.
fn settings(config: &Config) -> Settings<'_> {
    Settings {
        ca_pem: None,
        environment: &process_environment,
        aws_roles: &config.aws_roles,
        gcp_endpoint: config.gcp.endpoint.as_deref(),
        gcp_projects: &config.gcp.projects,
    }
}

/// What asking about these keys would take, without asking.
pub(super) fn explained(keys: &[String], config: &Config) -> Result<Vec<ExplainedKey>, Error> {
    if keys.is_empty() {
        return Err(Error::new(
            ErrorKind::Usage,
            "`probe --explain` explains the keys that it is given",
        ));
    }
    keys.iter()
        .map(|key| match explain(key, &settings(config)) {
            Ok(explanation) => Ok(explained_key(explanation)),
            Err(why) => {
                let error = Error::new(
                    ErrorKind::Usage,
                    format!("nobody can be asked about `{key}`"),
                );
                Err(error.cause(why.to_owned()))
            }
        })
        .collect()
}

fn explained_key(explanation: Explanation) -> ExplainedKey {
    let Explanation {
        subject,
        provider,
        endpoint,
        calls,
        login,
    } = explanation;
    ExplainedKey {
        subject,
        provider,
        endpoint,
        login,
        calls: calls
            .into_iter()
            .map(|call| (call.call, call.when, call.right))
            .collect(),
    }
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

/// How often the line of progress looks at what is waited for.
const LOOKED_AT: Duration = Duration::from_millis(200);

/// Progress on stderr: how many keys of each provider are done, and what the rest waits for.
struct Progress {
    bar: ProgressBar,
    waits: Arc<Waits>,
    done: BTreeMap<Provider, (usize, usize)>,
}

impl Progress {
    fn new(targets: &[Target], waits: Arc<Waits>, shown: bool) -> Self {
        let draw = if shown {
            ProgressDrawTarget::stderr()
        } else {
            ProgressDrawTarget::hidden()
        };
        let bar = ProgressBar::with_draw_target(u64::try_from(targets.len()).ok(), draw);
        let style = "asking key services {bar:20} {pos}/{len} {eta} {msg}";
        let bar = match ProgressStyle::with_template(style) {
            Ok(style) => bar.with_style(style),
            Err(_) => bar,
        };
        let mut done = BTreeMap::new();
        for target in targets {
            done.entry(target.provider()).or_insert((0, 0)).1 += 1;
        }
        Self { bar, waits, done }
    }

    /// The next answer; `None` when there will be no more.
    fn next(&mut self, receiver: &Receiver<Answer>) -> Option<Answer> {
        loop {
            match receiver.recv_timeout(LOOKED_AT) {
                Ok(answer) => {
                    self.done.entry(answer.target.provider()).or_default().0 += 1;
                    self.bar.inc(1);
                    return Some(answer);
                }
                Err(RecvTimeoutError::Timeout) => {
                    self.bar.set_message(waiting_for(&self.done, &self.waits));
                }
                Err(RecvTimeoutError::Disconnected) => return None,
            }
        }
    }
}

/// `azure 3/20: 2 for an answer, 1 for a pause`, for each provider that is not done.
fn waiting_for(done: &BTreeMap<Provider, (usize, usize)>, waits: &Waits) -> String {
    let now = waits.now();
    let providers = done.iter().filter(|(_, (done, all))| done < all);
    let lines = providers.map(|(provider, (done, all))| {
        let waits: Vec<String> = now
            .iter()
            .filter(|(of, _, _)| of == provider)
            .map(|(_, wait, waiting)| {
                let what = match wait {
                    Wait::Quota => "for the quota",
                    Wait::Answer => "for an answer",
                    Wait::Pause => "to ask again",
                };
                format!("{waiting} {what}")
            })
            .collect();
        format!("{} {done}/{all}: {}", provider.word(), waits.join(", "))
    });
    lines.collect::<Vec<_>>().join("; ")
}
