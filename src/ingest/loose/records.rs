//! The records of a loose file: each is handed over, or added to the list that it belongs to,
//! under the project and cluster that it names.

use super::group::GroupKey;
use super::own::{self, LineItem};
use super::shape::{self, Shape};
use super::{Around, Inventory, Loose, Stop};
use crate::ingest::MAX_SKEW;
use crate::ingest::answer;
use crate::ingest::kind::{Kind, SnapshotList};
use crate::ingest::node::{self, Node, fault};
use crate::ingest::report::quoted;
use crate::ingest::rows;
use crate::ingest::snapshot::{self, SnapshotRow};
use crate::model::evidence::SnapshotShape;
use crate::model::intake::{Intake, Shown};
use crate::model::reading::{Declared, Gap, Outcome};
use crate::model::{Observation, ProjectRef, Timestamp};

impl<I: Intake> Loose<'_, '_, I> {
    pub(super) fn object(
        &mut self,
        node: &Node,
        bytes: &[u8],
        around: &Around<'_>,
    ) -> Result<(), Stop<I::Error>> {
        let shape = shape::of(node);
        let unknown = matches!(shape, Shape::Refused(_) | Shape::Unknown);
        let foreign = shape == Shape::OwnInventory && !own::is_line(node);
        self.useful |= !unknown && !foreign;
        match shape {
            Shape::Page => return self.nested_page(bytes),
            Shape::Snapshot => match snapshot::of_node(node) {
                Ok(row) => self.snapshot(row, around)?,
                Err(why) => self.bad_record(&why),
            },
            Shape::Cluster => self.listed(node, around, Kind::Clusters),
            Shape::SharedCluster => self.listed(node, around, Kind::FlexClusters),
            Shape::Project => self.listed(node, around, Kind::Groups),
            Shape::RestoreJob => self.listed(node, around, Kind::RestoreJobs),
            Shape::Event => self.listed(node, around, Kind::Events),
            Shape::Settings => self.stands_alone(node, around, Kind::Settings)?,
            Shape::Schedule => self.stands_alone(node, around, Kind::Schedule)?,
            Shape::CompliancePolicy => self.stands_alone(node, around, Kind::CompliancePolicy)?,
            Shape::OwnInventory => self.own_line(node)?,
            Shape::OwnKeyAnswer => self.own_answer(node)?,
            Shape::RecordedKey => self.key_answer(bytes)?,
            Shape::Unneeded(what) => self.shared.report.note(what),
            Shape::Refused(why) => self.bad_record(why),
            Shape::Unknown => self.bad_record("is nothing that snapkey knows"),
        }
        Ok(())
    }

    pub(super) fn snapshot(
        &mut self,
        mut row: SnapshotRow<'_>,
        around: &Around<'_>,
    ) -> Result<(), Stop<I::Error>> {
        self.after_snapshot = true;
        if row.links.torn {
            self.bad_record("names two projects or clusters in its links");
            return Ok(());
        }
        let owner = row.links.owner();
        let options = self.shared.options;
        let group = owner.group.as_deref().or(around.owner.group.as_deref());
        let cluster = owner.cluster.as_deref().or(around.owner.cluster.as_deref());
        let group = group.or(options.project.as_deref());
        let cluster = cluster.or(options.cluster.as_deref());
        let (Some(group), Some(cluster)) = (group, cluster) else {
            self.bad_record(
                "names no project and cluster in its links: say `--project` and `--cluster`",
            );
            return Ok(());
        };
        if fault(group).or(fault(cluster)).is_some() {
            self.bad_record("names an unusable project or cluster in its links");
            return Ok(());
        }
        let kind = match around.list.map(|kind| (kind, kind.snapshots())) {
            Some((kind, Some(_))) => kind,
            Some((_, None)) | None if row.shared || owner.shared => Kind::FlexSnapshots,
            Some((_, None)) | None if row.members => Kind::ShardedSnapshots,
            Some((_, None)) | None => Kind::Snapshots,
        };
        let project = ProjectRef {
            id: group.to_owned(),
            base_url: self.shared.base_url.to_owned(),
        };
        let key = GroupKey {
            kind: kind.of_loose(),
            project: Some(project.id.clone()),
            cluster: Some(cluster.to_owned()),
        };
        let cluster = cluster.to_owned();
        for flaw in std::mem::take(&mut row.flaws) {
            self.bad_record(&flaw);
        }
        if around.in_list {
            let facts = (&row.status, row.created_at, row.expires_at, &row.keys);
            self.ids.add(&row.id, facts);
        }
        let list = kind.snapshots().unwrap_or(SnapshotList::Plain);
        self.count(key, kind, around);
        self.shared.report.snapshots += 1;
        rows::show(self.shared.intake, row, list, &project, &cluster, self.at).map_err(Stop::Intake)
    }

    /// A record of a list other than of snapshots.
    fn listed(&mut self, node: &Node, around: &Around<'_>, kind: Kind) {
        let clusters = matches!(kind, Kind::Clusters | Kind::FlexClusters);
        let kind = match around.list {
            Some(list @ (Kind::Clusters | Kind::ClustersWithDeleted)) if clusters => list,
            Some(list) if list.of_loose() == kind => list,
            Some(_) | None => kind,
        };
        let mut key = GroupKey {
            kind: kind.of_loose(),
            project: None,
            cluster: None,
        };
        if key.kind != Kind::Groups {
            key.project = self.project_of(node, around);
            if key.project.is_none() {
                return;
            }
        }
        if key.kind == Kind::RestoreJobs {
            key.cluster = self.cluster_of(node, around);
            if key.cluster.is_none() {
                return;
            }
        }
        let group = self.count(key, kind, around);
        match rows::take(&mut group.content, node) {
            Ok(taken) => taken.flaws.iter().for_each(|flaw| self.bad_record(flaw)),
            Err(why) => self.bad_record(&why),
        }
    }

    /// Settings, a schedule, a policy: whole in itself.
    fn stands_alone(
        &mut self,
        node: &Node,
        around: &Around<'_>,
        kind: Kind,
    ) -> Result<(), Stop<I::Error>> {
        let Some(project) = self.project_of(node, around) else {
            return Ok(());
        };
        let cluster = if kind == Kind::Schedule {
            let Some(cluster) = self.cluster_of(node, around) else {
                return Ok(());
            };
            Some(cluster)
        } else {
            None
        };
        let mut content = rows::empty_content(kind, None);
        let flaws = match rows::take(&mut content, node) {
            Ok(taken) => taken.flaws,
            Err(why) => {
                self.bad_record(&why);
                return Ok(());
            }
        };
        flaws.iter().for_each(|flaw| self.bad_record(flaw));
        let outcome = match (flaws.is_empty(), self.shared.options.complete) {
            (false, _) => Outcome::Partial(Gap::RowRejected),
            (true, true) => Outcome::Whole,
            (true, false) => Outcome::Partial(Gap::LooseFile),
        };
        let base_url = self.shared.base_url.to_owned();
        self.keep(base_url, Some(project), cluster, self.at, outcome, content)
            .map_err(Stop::Intake)
    }

    /// The project that a record belongs to; a record without one is rejected.
    fn project_of(&mut self, node: &Node, around: &Around<'_>) -> Option<String> {
        let Some(owner) = answer::owner_of(node) else {
            self.bad_record("names two projects or clusters in its links");
            return None;
        };
        let stated = ["groupId", "projectId"]
            .into_iter()
            .find_map(|name| node.get(name).and_then(Node::as_text));
        let project = owner.group.as_deref().or(stated);
        let project = project.or(around.owner.group.as_deref());
        let project = project.or(self.shared.options.project.as_deref());
        match project.filter(|project| !project.is_empty() && fault(project).is_none()) {
            Some(project) => Some(project.to_owned()),
            None => {
                self.bad_record("names no project: say `--project`");
                None
            }
        }
    }

    /// The cluster that a record belongs to; a record without one is rejected.
    fn cluster_of(&mut self, node: &Node, around: &Around<'_>) -> Option<String> {
        let owner = answer::owner_of(node).unwrap_or_default();
        let stated = node.get("clusterName").and_then(Node::as_text);
        let cluster = owner.cluster.as_deref().or(stated);
        let cluster = cluster.or(around.owner.cluster.as_deref());
        let cluster = cluster.or(self.shared.options.cluster.as_deref());
        match cluster.filter(|cluster| !cluster.is_empty() && fault(cluster).is_none()) {
            Some(cluster) => Some(cluster.to_owned()),
            None => {
                self.bad_record("names no cluster: say `--cluster`");
                None
            }
        }
    }

    pub(super) fn own_line(&mut self, node: &Node) -> Result<(), Stop<I::Error>> {
        let line = match own::line(node) {
            Ok(line) => line,
            Err(why) => {
                self.bad_record(&why);
                return Ok(());
            }
        };
        self.tell_unknown_fields(node, &own::INVENTORY_FIELDS);
        let options = self.shared.options;
        let Some(project) = line.project.or_else(|| options.project.clone()) else {
            self.bad_record("names no project: say `--project`");
            return Ok(());
        };
        let Some(at) = self.not_ahead(line.at.unwrap_or(self.at)) else {
            return Ok(());
        };
        line.flaws.iter().for_each(|flaw| self.bad_record(flaw));
        let cluster = line.cluster.or_else(|| options.cluster.clone());
        let base_url = line
            .base_url
            .unwrap_or_else(|| self.shared.base_url.to_owned());
        let project = ProjectRef {
            id: project,
            base_url,
        };
        let inventory = self.inventories.entry(project.clone());
        let inventory = inventory.or_insert(Inventory {
            at,
            snapshots: 0,
            declared: Vec::new(),
        });
        inventory.at = inventory.at.min(at);
        match line.item {
            LineItem::Declared(declared) => {
                inventory.declared.push(Declared {
                    cluster,
                    ..declared
                });
                Ok(())
            }
            LineItem::Snapshot(snapshot) => {
                inventory.snapshots += 1;
                self.shared.report.snapshots += 1;
                let shown = Shown {
                    project: &project,
                    cluster: cluster.as_deref().unwrap_or_default(),
                    id: &snapshot.id,
                    at,
                    shape: SnapshotShape::Own,
                    status: snapshot.status,
                    created_at: snapshot.created_at,
                    expires_at: snapshot.expires_at,
                    keep: snapshot.keep,
                    frequency: None,
                    copied: false,
                    version: None,
                    keys: snapshot.keys,
                };
                self.shared.intake.snapshot(&shown).map_err(Stop::Intake)
            }
        }
    }

    pub(super) fn own_answer(&mut self, node: &Node) -> Result<(), Stop<I::Error>> {
        match own::key_answer(node) {
            Ok((mut observation, flaws)) => {
                self.tell_unknown_fields(node, &own::ANSWER_FIELDS);
                flaws.iter().for_each(|flaw| self.bad_record(flaw));
                let Some(at) = self.not_ahead(observation.at) else {
                    return Ok(());
                };
                observation.at = at;
                self.observe(&observation)
            }
            Err(why) => {
                self.bad_record(&why);
                Ok(())
            }
        }
    }

    /// A key tool's answer; a small document, so it may be built whole.
    fn key_answer(&mut self, bytes: &[u8]) -> Result<(), Stop<I::Error>> {
        let read = serde_json::from_slice(bytes)
            .map_err(|error| node::broken(&error))
            .and_then(|value| (self.shared.options.read_key_answer)(&value, self.at));
        match read {
            Ok(observations) => observations.iter().try_for_each(|o| self.observe(o)),
            Err(why) => {
                self.bad_record(&why);
                Ok(())
            }
        }
    }

    fn observe(&mut self, observation: &Observation) -> Result<(), Stop<I::Error>> {
        self.shared.report.observations += 1;
        let kept = self.shared.intake.observation(observation);
        kept.map_err(Stop::Intake)
    }

    /// A time up to five minutes ahead counts as now; a later one is refused.
    fn not_ahead(&mut self, at: Timestamp) -> Option<Timestamp> {
        if at > self.shared.now.saturating_add(MAX_SKEW) {
            self.bad_record("is dated more than five minutes ahead of now");
            return None;
        }
        Some(at.min(self.shared.now))
    }

    fn tell_unknown_fields(&mut self, node: &Node, known: &[&str]) {
        for name in own::unknown_fields(node, known) {
            if self.unknown_fields.insert(name.clone()) {
                self.bad_record(&format!("has {}, which the form has not", quoted(&name)));
            }
        }
    }
}
