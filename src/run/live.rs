//! Reads the inventory of a live service into a bundle: login, client, bundle, progress. What the
//! bundle then says is `ingest`'s.

use std::cell::Cell;
use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::{Console, Error, ErrorKind, Session, ingest, judge, not_yet, output, wall_clock};
use crate::assess::{Facts, Present, gate};
use crate::cli::{self, Input, LiveSource};
use crate::collect::{self, CollectError, Collected, KnownCluster, KnownProject, Plan, Progress};
use crate::config::atlas::{self, Access, Tool};
use crate::config::{self, Config};
use crate::http;
use crate::model::reading::{Scope, Source};
use crate::model::{Policy, Timestamp};
use crate::report::{self, CollectReport};
use crate::store::{Store, StoreError};

/// What is to be read.
struct Wanted {
    scope: Scope,
    /// Go on in a folder where a stopped run was.
    resume: bool,
}

/// What a person asked for; without a word, all that the login sees: a default project of the
/// Atlas CLI is for commands about one project, and would make the rest of the estate vanish.
fn scope(org: Option<&String>, projects: &[String]) -> Scope {
    match org {
        Some(org) => Scope::Org(org.clone()),
        None if projects.is_empty() => Scope::AllVisible,
        None => {
            let mut projects = projects.to_vec();
            projects.sort();
            projects.dedup();
            Scope::Projects(projects)
        }
    }
}

/// Bundles in the place of live sources.
#[derive(Default)]
pub(super) struct Fetched {
    pub(super) paths: Vec<Input>,
    /// Removed with this.
    folders: Vec<tempfile::TempDir>,
    /// 3 where something that completeness needs was not read.
    pub(super) code: u8,
}

impl Session<'_, '_> {
    pub(super) fn collect(&mut self, args: &cli::Collect) -> Result<u8, Error> {
        match args.source {
            LiveSource::Atlas => {}
            LiveSource::OpsManager => return Err(not_yet("`collect ops-manager`")),
        }
        let access = self.atlas_access(args.profile.as_deref())?;
        let store = match Store::open_read_only(&self.location()) {
            Ok(store) => Some(store),
            Err(StoreError::Missing { .. }) => None,
            Err(error) => return Err(Error::from(error)),
        };
        let wanted = Wanted {
            scope: scope(args.org.as_ref(), &args.project),
            resume: args.resume,
        };
        let collected = read(
            &self.config,
            &access,
            &wanted,
            store.as_ref(),
            &args.out,
            self.console,
        )?
        .map_err(|error| failed(&error))?;
        tell(&collected, self.console);
        let code = exit_code(&collected);
        let told = Told::new(&collected, &args.out);
        let printed = report::collect(
            self.format,
            &told.report(&collected, wall_clock(), code),
            self.console.layout(),
            &mut self.console.out,
        );
        output(printed, code)
    }

    fn atlas_access(&self, profile: Option<&str>) -> Result<Access, Error> {
        atlas::access(Tool::AtlasCli, profile, &config::process_environment)
    }

    /// The login of the live sources among the paths, looked for before anything is made.
    pub(super) fn login_of(
        &self,
        paths: &[Input],
        flags: &cli::IngestFlags,
    ) -> Result<Option<Access>, Error> {
        if paths.contains(&Input::Atlas) {
            self.atlas_access(flags.profile.as_deref()).map(Some)
        } else {
            Ok(None)
        }
    }

    /// The paths with bundles in the place of live sources, and what has to be kept until they
    /// were read. The code is that of the sources alone.
    pub(super) fn collected(
        &mut self,
        store: &Store,
        paths: &[Input],
        flags: &cli::IngestFlags,
        access: Option<&Access>,
    ) -> Result<Fetched, Error> {
        let mut fetched = Fetched::default();
        for path in paths {
            match (path, access) {
                (Input::Atlas, Some(access)) => {
                    let scope = scope(flags.org.as_ref(), &flags.project);
                    self.fetch(store, access, scope, &mut fetched)?;
                }
                (
                    Input::Atlas
                    | Input::Stdin
                    | Input::Path(_)
                    | Input::OpsManager
                    | Input::Download,
                    _,
                ) => fetched.paths.push(path.clone()),
            }
        }
        Ok(fetched)
    }

    /// Collects into a folder that goes with `fetched`.
    fn fetch(
        &mut self,
        store: &Store,
        access: &Access,
        scope: Scope,
        fetched: &mut Fetched,
    ) -> Result<(), Error> {
        let folder = tempfile::Builder::new()
            .prefix("snapkey-atlas-")
            .tempdir()
            .map_err(|error| {
                Error::new(ErrorKind::Io, "cannot make a folder for the answers").caused_by(&error)
            })?;
        let wanted = Wanted {
            scope,
            resume: false,
        };
        let collected = read(
            &self.config,
            access,
            &wanted,
            Some(store),
            folder.path(),
            self.console,
        )?
        .map_err(|error| lost(&error))?;
        tell(&collected, self.console);
        fetched.code = fetched.code.max(exit_code(&collected));
        fetched.paths.push(Input::Path(folder.path().to_owned()));
        fetched.folders.push(folder);
        Ok(())
    }

    /// Reads every Atlas root of the store that the login belongs to again. What cannot be read
    /// again keeps its age, which the verdict then names.
    pub(super) fn refresh(&mut self, store: &mut Store, args: &cli::Check) -> Result<(), Error> {
        let access = self.atlas_access(args.profile.as_deref())?;
        let scopes = scopes(store, &access.base_url)?;
        if scopes.is_empty() {
            let error = Error::new(
                ErrorKind::Usage,
                format!("the store knows no inventory of `{}`", access.base_url),
            );
            return Err(error.hint("read one with `snapkey ingest atlas`, then check again"));
        }
        let mut fetched = Fetched::default();
        for scope in scopes {
            self.fetch(store, &access, scope, &mut fetched)?;
        }
        let imported = ingest::read(
            store,
            &self.config.policy,
            &fetched.paths,
            &cli::IngestFlags::default(),
            wall_clock(),
            self.console,
        )?;
        imported.tell(self.console);
        Ok(())
    }
}

/// Collects into `out`. Where the store knows the service, what it knows is asked for too. What
/// ends a collection under way is for the caller to tell: it knows what becomes of the folder.
fn read(
    config: &Config,
    access: &Access,
    wanted: &Wanted,
    store: Option<&Store>,
    out: &Path,
    console: &mut Console<'_>,
) -> Result<Result<Collected, CollectError>, Error> {
    for warning in &access.notices {
        console.notice(&format!("warning: {warning}"));
    }
    let known = match store {
        Some(store) => known(store, &config.policy, &access.base_url, wall_clock())?,
        None => Vec::new(),
    };
    let stop = http::Stop::new();
    let client = http::Client::new(settings(config, access, stop.clone())?).map_err(|error| {
        Error::new(ErrorKind::Config, "nothing was collected").caused_by(&error)
    })?;
    let plan = Plan {
        base_url: access.base_url.clone(),
        identity: Some(access.login.identity().to_owned()),
        scope: wanted.scope.clone(),
        known,
        in_flight: in_flight(config),
        resume: wanted.resume,
        clock: &wall_clock,
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| {
            Error::new(ErrorKind::Network, "could not set up the network").caused_by(&error)
        })?;
    let bar = Bar::new(console.progress);
    let (collected, not_closed) = runtime.block_on(async {
        let interrupted = async {
            if tokio::signal::ctrl_c().await.is_err() {
                // Nobody can interrupt: go on to the end.
                std::future::pending::<()>().await;
            }
            stop.stop();
        };
        let collected = collect::atlas(&client, &plan, out, &bar, interrupted).await;
        (collected, client.close().await)
    });
    bar.bar.finish_and_clear();
    if let Some(notice) = not_closed {
        console.notice(&format!("warning: {notice}"));
    }
    Ok(collected)
}

/// What is missing, and what is assumed instead: on stderr, whatever the format.
fn tell(collected: &Collected, console: &mut Console<'_>) {
    for gap in &collected.gaps {
        console.notice(&format!("warning: {gap}"));
    }
    for assumption in &collected.assumptions {
        console.notice(&format!("note: {assumption}"));
    }
    for note in &collected.notes {
        console.notice(&format!("note: {note}"));
    }
}

/// 0 when all that completeness needs was read, else 3.
fn exit_code(collected: &Collected) -> u8 {
    if collected.is_complete() {
        gate::PASSED
    } else {
        gate::UNDECIDED
    }
}

/// The texts of a report, which borrows them.
struct Told {
    out: String,
    gaps: Vec<String>,
    assumptions: Vec<String>,
}

impl Told {
    fn new(collected: &Collected, out: &Path) -> Self {
        let sentences = |all: &[collect::Finding]| all.iter().map(ToString::to_string).collect();
        Self {
            out: out.display().to_string(),
            gaps: sentences(&collected.gaps),
            assumptions: sentences(&collected.assumptions),
        }
    }

    fn report(&self, collected: &Collected, as_of: Timestamp, exit_code: u8) -> CollectReport<'_> {
        CollectReport {
            as_of,
            exit_code,
            out: &self.out,
            started_at: collected.started_at,
            was_finished: collected.was_finished,
            projects: collected.projects,
            clusters: collected.clusters,
            requests: collected.requests,
            asked: collected.asked,
            gaps: &self.gaps,
            assumptions: &self.assumptions,
        }
    }
}

/// The scopes in which the store's Atlas roots at this service were read, to be read again.
fn scopes(store: &Store, base_url: &str) -> Result<Vec<Scope>, Error> {
    let roots = store.roots().map_err(Error::from)?;
    Ok(roots
        .into_iter()
        .filter(|root| root.source == Source::Atlas && root.base_url == base_url)
        .map(|root| root.scope)
        .collect())
}

fn known(
    store: &Store,
    policy: &Policy,
    base_url: &str,
    now: Timestamp,
) -> Result<Vec<KnownProject>, Error> {
    if store.base_urls().map_err(Error::from)?.is_empty() {
        // Nothing was ever imported.
        return Ok(Vec::new());
    }
    let present: Present = store.view(|view| {
        let mut evidence = view.evidence(now)?;
        // What is present does not depend on what the key services said.
        evidence.observations = Vec::new();
        Facts::new(&evidence, policy, now).present_clusters(judge::rows(view, now))
    })?;
    Ok(present
        .into_iter()
        .filter(|(project, _)| project.base_url == base_url)
        .map(|(project, clusters)| KnownProject {
            id: project.id,
            clusters: clusters
                .into_iter()
                .map(|(name, cluster)| KnownCluster {
                    name,
                    has_snapshots: cluster.has_snapshots,
                    sharded: cluster.sharded,
                })
                .collect(),
        })
        .collect())
}

fn settings(config: &Config, access: &Access, stop: http::Stop) -> Result<http::Settings, Error> {
    let ca_pem = authority(config, access)?;
    let defaults = http::Settings::new(
        access.base_url.clone(),
        access.login.clone(),
        Arc::new(wall_clock),
    );
    let timeout = Duration::from_secs(config.collect.timeout);
    Ok(http::Settings {
        ca_pem,
        timeouts: http::Timeouts {
            connect: timeout.min(defaults.timeouts.connect),
            idle: timeout,
            ..defaults.timeouts
        },
        in_flight: in_flight(config),
        retries: http::Retries {
            attempts: usize::from(config.collect.attempts),
            ..defaults.retries
        },
        stop,
        ..defaults
    })
}

/// The private authority: that of `snapkey.toml`, else the one that the profile trusts.
fn authority(config: &Config, access: &Access) -> Result<Option<Vec<u8>>, Error> {
    let (path, setting) = match (&config.ca_file, &access.ca_file) {
        (Some(path), _) => (path, "ca_file"),
        (None, Some(path)) => (path, "ops_manager_ca_certificate"),
        (None, None) => return Ok(None),
    };
    let pem = std::fs::read(path).map_err(|error| {
        let message = format!("cannot read `{setting}` `{}`", path.display());
        Error::new(ErrorKind::Config, message).caused_by(&error)
    })?;
    Ok(Some(pem))
}

fn in_flight(config: &Config) -> NonZeroUsize {
    NonZeroUsize::new(usize::from(config.collect.in_flight)).unwrap_or(NonZeroUsize::MIN)
}

fn kind(error: &CollectError) -> ErrorKind {
    match error {
        usage if usage.is_usage() => ErrorKind::Usage,
        CollectError::Write { .. } | CollectError::Read { .. } => ErrorKind::Io,
        CollectError::BaseUrl(..)
        | CollectError::Id(_)
        | CollectError::Occupied { .. }
        | CollectError::Other { .. }
        | CollectError::Busy { .. }
        | CollectError::Login(_)
        | CollectError::Stopped { .. } => ErrorKind::Network,
    }
}

/// What ended a collection into a folder that stays.
fn failed(error: &CollectError) -> Error {
    const GO_ON: &str = "the same command with `--resume` goes on where it was";
    let told = Error::new(kind(error), error.to_string());
    let told = match std::error::Error::source(error) {
        Some(source) => told.caused_by(source),
        None => told,
    };
    match error {
        CollectError::Write { source, .. } if source.kind() == std::io::ErrorKind::StorageFull => {
            told.hint(format!("the disk is full: make room; {GO_ON}"))
        }
        CollectError::Write { .. } | CollectError::Stopped { .. } => told.hint(GO_ON),
        CollectError::BaseUrl(..)
        | CollectError::Id(_)
        | CollectError::Occupied { .. }
        | CollectError::Other { .. }
        | CollectError::Busy { .. }
        | CollectError::Read { .. }
        | CollectError::Login(_) => told,
    }
}

/// What ended a collection into a folder that goes with the run.
fn lost(error: &CollectError) -> Error {
    let told = Error::new(kind(error), "nothing was ingested").caused_by(error);
    match error {
        CollectError::Write { .. } | CollectError::Stopped { .. } => told.hint(
            "`snapkey collect atlas --out DIR` keeps what was answered, and goes on with `--resume`",
        ),
        CollectError::BaseUrl(..)
        | CollectError::Id(_)
        | CollectError::Occupied { .. }
        | CollectError::Other { .. }
        | CollectError::Busy { .. }
        | CollectError::Read { .. }
        | CollectError::Login(_) => told,
    }
}

/// Projects and requests, on a terminal.
struct Bar {
    bar: ProgressBar,
    answers: Cell<u64>,
}

impl Bar {
    fn new(shown: bool) -> Self {
        let target = if shown {
            ProgressDrawTarget::stderr()
        } else {
            ProgressDrawTarget::hidden()
        };
        let bar = ProgressBar::with_draw_target(None, target);
        let style = ProgressStyle::with_template(
            "reading projects {bar:30} {pos}/{len}, {msg} answers, {elapsed}",
        );
        let bar = match style {
            Ok(style) => bar.with_style(style),
            Err(_) => bar,
        };
        Self {
            bar,
            answers: Cell::new(0),
        }
    }
}

impl Progress for Bar {
    fn projects(&self, count: usize) {
        self.bar
            .set_length(u64::try_from(count).unwrap_or(u64::MAX));
    }

    fn answered(&self) {
        self.answers.set(self.answers.get() + 1);
        self.bar.set_message(self.answers.get().to_string());
    }

    fn project_done(&self) {
        self.bar.inc(1);
    }
}
