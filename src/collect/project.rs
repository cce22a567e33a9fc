//! One project, list by list: settings before anything that they must not be newer than, then
//! the clusters, everything of each cluster, and what spans them. What a list answered decides
//! which others completeness needs (design section 4, "Coverage").

use std::collections::BTreeMap;

use futures::stream::{self, StreamExt, TryStreamExt};

use super::body::{ClusterFacts, earlier};
use super::finding::{self, Finding};
use super::journal::Entry;
use super::list::{ListRead, Verdict};
use super::request::{Kind, List, is_segment};
use super::session::Session;
use super::{CollectError, KnownCluster};
use crate::http::Ask;
use crate::model::Timestamp;
use crate::model::reading::says_no_snapshots;

const DAY: i64 = 86_400;
/// Events are read back this many days before the longest window that a schedule or the policy
/// names: the first interval between two events needs evidence of a key too, and a window may be
/// made longer before the next collection.
const EVENTS_BEFORE_WINDOW: i64 = 90;

/// What a collection lacks.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) gaps: Vec<Finding>,
    pub(super) assumptions: Vec<Finding>,
    pub(super) notes: Vec<Finding>,
}

impl Found {
    pub(super) fn gap(&mut self, list: &List, verdict: &Verdict) {
        self.gaps
            .push(Finding::of(list, verdict, finding::gap(list.kind)));
    }

    /// What the store knows by a name that no path can hold.
    pub(super) fn unaskable(&mut self, list: &List) {
        self.gap(
            list,
            &Verdict::Cut("has a name that cannot be asked about".to_owned()),
        );
    }

    pub(super) fn add(&mut self, other: Self) {
        self.gaps.extend(other.gaps);
        for assumed in other.assumptions {
            self.assume(assumed);
        }
        self.notes.extend(other.notes);
    }

    /// What needs more rights is assumed where they lack, once for a project; what failed for
    /// another reason is a gap.
    fn optional(&mut self, list: &List, verdict: &Verdict) {
        let refused = matches!(
            verdict,
            Verdict::Refused {
                status: 400 | 401 | 403 | 404,
                ..
            }
        );
        match finding::assumption(list.kind).filter(|_| refused) {
            None => self.gap(list, verdict),
            Some(assumed) => self.assume(Finding {
                cluster: None,
                ..Finding::of(list, verdict, assumed)
            }),
        }
    }

    fn assume(&mut self, assumed: Finding) {
        let same = |known: &Finding| known.list == assumed.list && known.project == assumed.project;
        if !self.assumptions.iter().any(same) {
            self.assumptions.push(assumed);
        }
    }
}

/// A project that has been read.
#[derive(Debug, Default)]
pub(super) struct ProjectRead {
    pub(super) entries: Vec<Entry>,
    pub(super) found: Found,
    pub(super) clusters: usize,
}

impl ProjectRead {
    /// Reads a list that stands at the head of the project.
    async fn head<A: Ask>(
        &mut self,
        session: &Session<'_, A>,
        kind: Kind,
        id: &str,
    ) -> Result<ListRead, CollectError> {
        let list = List::of_project(kind, id);
        let read = session.head(&list).await?;
        Ok(self.keep(&list, read))
    }

    /// Keeps the requests of a list and names it where it is not whole.
    fn keep(&mut self, list: &List, mut read: ListRead) -> ListRead {
        self.entries.append(&mut read.entries);
        if read.verdict != Verdict::Whole {
            self.found.gap(list, &read.verdict);
        }
        read
    }
}

/// A cluster as both cluster lists and the store show it. A name may be borne by several.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Cluster {
    name: String,
    listed: bool,
    /// Some cluster of the name is not known to be deleted.
    live: bool,
    dedicated: bool,
    /// Some cluster of the name is not stated to be one replica set.
    sharded: bool,
    backup_off: bool,
    /// The store knows snapshots of it.
    known: bool,
}

/// What was read of one cluster.
#[derive(Debug, Default)]
struct ClusterRead {
    entries: Vec<Entry>,
    found: Found,
    window_days: u32,
    /// The earliest creation of a snapshot.
    oldest: Option<Timestamp>,
    /// It says that it is a flex cluster.
    is_flex: bool,
}

/// Reads a project.
pub(super) async fn read<A: Ask>(
    session: &Session<'_, A>,
    id: &str,
    known: &[KnownCluster],
) -> Result<ProjectRead, CollectError> {
    let mut project = ProjectRead::default();
    let settings = project.head(session, Kind::Settings, id).await?;
    if settings.verdict.is_refused_with(404, "GROUP_NOT_FOUND") {
        // It vanished since it was listed: nothing of it can be read any more.
        return Ok(project);
    }
    // In this order: a cluster that is made between the two is not taken for a deleted one.
    let with_deleted = project.head(session, Kind::ClustersWithDeleted, id).await?;
    let without = project.head(session, Kind::Clusters, id).await?;
    let clusters = clusters(&with_deleted, &without, known);
    project.clusters = clusters.iter().filter(|cluster| cluster.listed).count();

    let wanted = clusters
        .iter()
        .filter(|cluster| cluster.dedicated || cluster.known);
    let reads: BTreeMap<&str, ClusterRead> = stream::iter(wanted)
        .map(|cluster| async move {
            let read = read_cluster(session, id, cluster).await?;
            Ok::<_, CollectError>((cluster.name.as_str(), read))
        })
        .buffer_unordered(session.plan.in_flight.get())
        .try_collect()
        .await?;
    let mut window_days = 0;
    let mut oldest = None;
    let mut flex = Vec::new();
    for (name, read) in reads {
        project.entries.extend(read.entries);
        project.found.add(read.found);
        window_days = read.window_days.max(window_days);
        oldest = earlier(oldest, read.oldest);
        if read.is_flex {
            flex.push(name);
        }
    }
    if !flex.is_empty() {
        read_flex(session, id, &flex, &mut project).await?;
    }

    let list = List::of_project(Kind::CompliancePolicy, id);
    let policy = session.read(&list).await?;
    window_days = policy.facts.window_days.unwrap_or(0).max(window_days);
    project.entries.extend(policy.entries);
    if policy.verdict != Verdict::Whole {
        project.found.optional(&list, &policy.verdict);
    }
    let list = List::events(id, events_since(session.started_at, window_days, oldest));
    let events = session.read(&list).await?;
    project.keep(&list, events);
    Ok(project)
}

/// Completed snapshots without a key id are only known to be unencrypted where events were read
/// back to before their creation, former keys where they were back to before the longest window.
fn events_since(now: Timestamp, window_days: u32, oldest: Option<Timestamp>) -> Timestamp {
    let days = i64::from(window_days).saturating_add(EVENTS_BEFORE_WINDOW);
    let window = now.saturating_add(days.saturating_mul(-DAY));
    let before_oldest = oldest.map(|oldest| oldest.saturating_add(-DAY));
    before_oldest.map_or(window, |before| before.min(window))
}

/// Everything of one cluster.
async fn read_cluster<A: Ask>(
    session: &Session<'_, A>,
    project: &str,
    cluster: &Cluster,
) -> Result<ClusterRead, CollectError> {
    let mut of_cluster = ClusterRead::default();
    let list_of = |kind| List::of_cluster(kind, project, &cluster.name);

    let list = list_of(Kind::Snapshots);
    if !is_segment(&cluster.name) {
        of_cluster.found.unaskable(&list);
        return Ok(of_cluster);
    }
    let mut read = session.read(&list).await?;
    of_cluster.entries.append(&mut read.entries);
    of_cluster.oldest = read.facts.oldest;
    if read
        .verdict
        .is_refused_with(400, "CANNOT_USE_FLEX_CLUSTER_IN_CLUSTER_API")
    {
        of_cluster.is_flex = true;
        return Ok(of_cluster);
    }
    if !cluster.shows_all(&read.verdict) {
        of_cluster.found.gap(&list, &read.verdict);
    }
    if !cluster.listed && read.verdict.is_refused_with(404, "CLUSTER_NOT_FOUND") {
        // Nothing else of it answers either.
        return Ok(of_cluster);
    }
    if cluster.sharded || read.facts.sharded {
        let list = list_of(Kind::ShardedSnapshots);
        let mut read = session.read(&list).await?;
        of_cluster.entries.append(&mut read.entries);
        of_cluster.oldest = earlier(of_cluster.oldest, read.facts.oldest);
        if !cluster.shows_all(&read.verdict) {
            of_cluster.found.gap(&list, &read.verdict);
        }
    }
    if !cluster.dedicated {
        return Ok(of_cluster);
    }
    let list = list_of(Kind::Schedule);
    let mut read = session.read(&list).await?;
    of_cluster.entries.append(&mut read.entries);
    of_cluster.window_days = read.facts.window_days.unwrap_or(0);
    if !cluster.needs_no_more_than(&read.verdict) {
        of_cluster.found.gap(&list, &read.verdict);
    }
    let list = list_of(Kind::RestoreJobs);
    let mut read = session.read(&list).await?;
    of_cluster.entries.append(&mut read.entries);
    if read.verdict != Verdict::Whole && !cluster.is_gone_for(&read.verdict) {
        of_cluster.found.optional(&list, &read.verdict);
    }
    Ok(of_cluster)
}

/// Clusters that the store knows and that are flex clusters: they never carry customer keys, but
/// their snapshots must be seen to go. Others of their kind are of no consequence for a key.
async fn read_flex<A: Ask>(
    session: &Session<'_, A>,
    id: &str,
    names: &[&str],
    project: &mut ProjectRead,
) -> Result<(), CollectError> {
    let list = List::of_project(Kind::FlexClusters, id);
    let read = session.read(&list).await?;
    project.keep(&list, read);
    for name in names {
        let list = List::of_cluster(Kind::FlexSnapshots, id, name);
        let read = session.read(&list).await?;
        project.keep(&list, read);
    }
    Ok(())
}

impl Cluster {
    /// Whether an answer to a snapshot list shows all its snapshots. "No such cluster" and "no
    /// backups", said twice, are as good as an empty list where backups are off and the store
    /// knows no snapshot (design section 4, "Coverage"; the rule itself is `assess::coverage`'s).
    fn shows_all(&self, verdict: &Verdict) -> bool {
        match verdict {
            Verdict::Whole => true,
            Verdict::Refused {
                status,
                code,
                confirmed: true,
            } => self.has_no_backups() && says_no_snapshots(*status, code.as_deref()),
            Verdict::Refused { .. } | Verdict::Cut(_) => false,
        }
    }

    /// Whether an answer is all that is needed of a schedule: none is needed without backups, and
    /// that of a deleted cluster may be gone.
    fn needs_no_more_than(&self, verdict: &Verdict) -> bool {
        *verdict == Verdict::Whole
            || self.is_gone_for(verdict)
            || self.has_no_backups() && matches!(verdict, Verdict::Refused { .. })
    }

    /// Nothing speaks for a backup of it.
    fn has_no_backups(&self) -> bool {
        self.listed && self.backup_off && !self.known
    }

    fn is_gone_for(&self, verdict: &Verdict) -> bool {
        !self.live && matches!(verdict, Verdict::Refused { status: 404, .. })
    }
}

/// All clusters of a project that a list or the store names, by name.
fn clusters(with_deleted: &ListRead, without: &ListRead, known: &[KnownCluster]) -> Vec<Cluster> {
    let both_whole = with_deleted.verdict == Verdict::Whole && without.verdict == Verdict::Whole;
    let (all, running) = (&with_deleted.facts.clusters, &without.facts.clusters);
    let mut clusters: BTreeMap<&str, Cluster> = BTreeMap::new();
    for state in all.iter().chain(running) {
        let deleted = state.deleting || both_whole && !running.iter().any(|r| is_same(r, state));
        let cluster = clusters.entry(&state.name).or_insert_with(|| Cluster {
            name: state.name.clone(),
            listed: true,
            backup_off: true,
            ..Cluster::default()
        });
        cluster.live |= !deleted;
        cluster.dedicated |= state.dedicated;
        cluster.sharded |= !state.replica_set;
        cluster.backup_off &= state.backup_off;
    }
    for known in known {
        // Nothing is known of one that no list names, so everything of it is asked.
        if known.has_snapshots {
            let unlisted = || Cluster {
                name: known.name.clone(),
                dedicated: true,
                sharded: true,
                ..Cluster::default()
            };
            clusters.entry(&known.name).or_insert_with(unlisted).known = true;
        }
        if let Some(cluster) = clusters.get_mut(known.name.as_str()) {
            cluster.sharded |= known.sharded;
        }
    }
    clusters.into_values().collect()
}

fn is_same(one: &ClusterFacts, other: &ClusterFacts) -> bool {
    one.name == other.name && (one.id.is_none() || other.id.is_none() || one.id == other.id)
}
