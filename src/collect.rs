//! Asks an inventory source for everything that a complete inventory needs, and writes the raw
//! answers into a bundle that says what was asked. What came back is evidence whatever it is: a
//! refusal is kept as one, and a list that was not read whole is named with what that weakens.
//!
//! It never judges a key or a snapshot, follows no link, and keeps no secret. It asks through
//! [`http::Ask`](crate::http::Ask), which has the logins, retries and limits.

mod body;
mod bundle;
mod estate;
mod finding;
mod journal;
mod list;
mod project;
mod request;
mod row;
mod session;
mod strip;
#[cfg(test)]
mod tests;

use std::io;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use self::bundle::{Bundle, Opened, Ready};
use self::session::Session;
use crate::http::Ask;
use crate::model::{Scope, Timestamp};

pub use self::finding::Finding;
pub use self::request::Kind;

/// What to collect.
pub struct Plan<'a> {
    /// Scheme, host and port; written into the bundle, never asked.
    pub base_url: String,
    /// The credential's public id.
    pub identity: Option<String>,
    pub scope: Scope,
    /// Projects that the store knows at this base URL. Outside the scope they are passed over.
    pub known: Vec<KnownProject>,
    /// Requests at the same time. The asker bounds them; projects in work are bounded here.
    pub in_flight: NonZeroUsize,
    /// Go on where a stopped run was.
    pub resume: bool,
    pub clock: &'a (dyn Fn() -> Timestamp + Sync),
}

/// A project that the store has evidence of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KnownProject {
    pub id: String,
    pub clusters: Vec<KnownCluster>,
}

/// A cluster name that the store has evidence of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KnownCluster {
    pub name: String,
    /// It has snapshots that are not known to be gone: it is asked for even when no list names it
    /// any more.
    pub has_snapshots: bool,
    /// A cluster list or a snapshot ever showed it as a sharded cluster.
    pub sharded: bool,
}

/// Hears how far a collection is.
pub trait Progress {
    /// So many projects are to be read.
    fn projects(&self, _count: usize) {}
    /// A request was answered, or a kept answer was taken over.
    fn answered(&self) {}
    /// A project was read.
    fn project_done(&self) {}
}

/// Nobody listens.
impl Progress for () {}

/// What a collection came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Collected {
    /// When the run began that the oldest answer may be of.
    pub started_at: Option<Timestamp>,
    /// The folder held a finished bundle: nothing was asked.
    pub was_finished: bool,
    pub projects: usize,
    pub clusters: usize,
    /// Requests that the bundle names.
    pub requests: usize,
    /// Requests that this run made; the others were kept from a stopped one.
    pub asked: usize,
    /// Lists that were not read whole, and what each weakens, sorted.
    pub gaps: Vec<Finding>,
    /// Lists that the credential has no right to, one for each project, and what is assumed.
    pub assumptions: Vec<Finding>,
    /// Answers worth knowing that weaken nothing.
    pub notes: Vec<Finding>,
}

impl Collected {
    /// Whether everything was read that completeness needs: 0 or 3.
    pub fn is_complete(&self) -> bool {
        self.gaps.is_empty()
    }
}

/// Why nothing, or not all, was collected. What was answered so far stays in the folder, and
/// `--resume` goes on from there.
#[derive(Debug, thiserror::Error)]
pub enum CollectError {
    #[error("nothing was collected: the base URL `{0}` {1}")]
    BaseUrl(String, &'static str),
    #[error("nothing was collected: `{0}` cannot be the id of an organization or a project")]
    Id(String),
    #[error(
        "nothing was collected: `{}` is not empty; `--resume` goes on only where a run of `collect` was stopped",
        out.display()
    )]
    Occupied { out: PathBuf },
    #[error("nothing was collected: `{}` holds another bundle: {difference}", out.display())]
    Other { out: PathBuf, difference: String },
    #[error("nothing was collected: another run is writing to `{}`", out.display())]
    Busy { out: PathBuf },
    #[error("the bundle is not finished: cannot write `{}`", path.display())]
    Write {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("nothing was collected: cannot read `{}`", path.display())]
    Read {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("the bundle is not finished: no login: {0}")]
    Login(String),
    #[error("stopped: the bundle is not finished (projects that were read: {projects})")]
    Stopped { projects: usize },
}

impl CollectError {
    /// Whether the caller asked for what cannot be (exit 2), rather than the run having failed.
    pub const fn is_usage(&self) -> bool {
        match self {
            Self::BaseUrl(..) | Self::Id(_) | Self::Occupied { .. } | Self::Other { .. } => true,
            Self::Busy { .. }
            | Self::Write { .. }
            | Self::Read { .. }
            | Self::Login(_)
            | Self::Stopped { .. } => false,
        }
    }
}

/// Collects from Atlas into the folder `out`, which is made, or empty, or left by a stopped run.
///
/// When `cancelled` is done nothing more is asked, and what was answered is kept.
pub async fn atlas(
    ask: &impl Ask,
    plan: &Plan<'_>,
    out: &Path,
    progress: &dyn Progress,
    cancelled: impl Future<Output = ()>,
) -> Result<Collected, CollectError> {
    check(plan)?;
    let Ready {
        bundle,
        started_at,
        kept,
    } = match Bundle::open(out, plan)? {
        Opened::Ready(ready) => *ready,
        Opened::Finished(at) => {
            return Ok(Collected {
                started_at: Some(at),
                was_finished: true,
                ..Collected::default()
            });
        }
    };
    bundle.prepare()?;
    let session = Session::new(ask, plan, &bundle, started_at, kept, progress);
    let read = tokio::select! {
        biased;
        () = cancelled => Err(session.stopped()),
        read = estate::read(&session) => read,
    }?;
    let collected = Collected {
        started_at: Some(started_at),
        was_finished: false,
        projects: read.projects,
        clusters: read.clusters,
        requests: read.entries.iter().map(Vec::len).sum(),
        asked: session.asked(),
        gaps: read.found.gaps,
        assumptions: read.found.assumptions,
        notes: read.found.notes,
    };
    bundle.finish(&read.entries, (plan.clock)(), collected.is_complete())?;
    Ok(collected)
}

/// What is written into paths and into the bundle is checked before anything is done.
fn check(plan: &Plan<'_>) -> Result<(), CollectError> {
    // What may be a secret in it is not repeated.
    let told = |why| {
        let shown = plan.base_url.split(['?', '#']).next().unwrap_or_default();
        let shown = shown.rsplit('@').next().unwrap_or_default();
        Err(CollectError::BaseUrl(shown.escape_debug().to_string(), why))
    };
    match url::Url::parse(&plan.base_url) {
        Err(_) => return told("is no address"),
        Ok(url) if !url.username().is_empty() || url.password().is_some() => {
            return told("carries credentials");
        }
        Ok(url) if url.query().is_some() || url.fragment().is_some() => {
            return told("carries a query");
        }
        Ok(_) => {}
    }
    let ids: &[String] = match &plan.scope {
        Scope::AllVisible => &[],
        Scope::Org(org) => std::slice::from_ref(org),
        Scope::Projects(ids) => ids,
    };
    match ids.iter().find(|id| !request::is_segment(id)) {
        Some(id) => Err(CollectError::Id(id.escape_debug().to_string())),
        None => Ok(()),
    }
}
