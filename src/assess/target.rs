//! What besides the key stands in the way of a restore to one cluster (Atlas documentation,
//! "Restore from a Snapshot Using Encryption at Rest", considerations and step "select the
//! cluster"). One function a constraint. None of it touches a verdict, and what cannot be told is
//! listed as such, never left out.

mod cluster;

use std::collections::BTreeSet;

pub use cluster::Target;

use super::decide::Decided;
use super::encryption::{self, Encryption};
use super::estate::{Estate, NameNo, Project};
use super::identity::{self, Resolved};
use super::snapshot;
use crate::model::evidence::SnapshotShape;
use crate::model::key_id::Provider;
use crate::model::reading::Content;
use crate::model::verdict::{Obstacle, ObstacleKind};
use crate::model::{Snapshot, Spelling};

/// What somebody typed as PROJECT/CLUSTER turned out to be.
#[derive(Clone, Debug)]
pub enum FoundTarget {
    One(Box<Target>),
    /// No such cluster is known; those that are, of the same project if that is known.
    Unknown(Vec<String>),
    /// Projects of several services have the id; their base URLs.
    Several(Vec<String>),
}

impl Decided<'_> {
    /// Finds the cluster that `PROJECT/CLUSTER` names.
    pub fn target(&self, text: &str) -> FoundTarget {
        let projects = self.estate.projects.iter().enumerate();
        let known: Vec<(String, usize, &Project<'_>, &str)> = projects
            .flat_map(|(no, project)| {
                let names = project.clusters.keys();
                names.map(move |name| (format!("{}/{name}", project.id.id), no, project, &**name))
            })
            .collect();
        let mut meant = known.iter().filter(|(spelled, ..)| spelled == text);
        match (meant.next(), meant.next()) {
            (Some((_, no, project, name)), None) => {
                FoundTarget::One(Box::new(Target::of(&self.estate, *no, project, name)))
            }
            (Some(one), Some(other)) => FoundTarget::Several(
                [one, other]
                    .into_iter()
                    .chain(meant)
                    .map(|(_, _, project, _)| project.id.base_url.clone())
                    .collect(),
            ),
            (None, _) => {
                let id = text.rsplit_once('/').map(|(id, _)| id);
                let is_near = known
                    .iter()
                    .any(|(_, _, project, _)| Some(&*project.id.id) == id);
                let near = known
                    .iter()
                    .filter(|(_, _, project, _)| !is_near || Some(&*project.id.id) == id);
                FoundTarget::Unknown(near.map(|(spelled, ..)| spelled.clone()).collect())
            }
        }
    }

    /// What besides the key stands in the way of a restore there, sorted. `versions`: every
    /// MongoDB version that a list told of the snapshot.
    pub fn obstacles(&self, target: &Target, row: &Snapshot, versions: &[String]) -> Vec<Obstacle> {
        let known = self
            .estate
            .project_of(&row.project)
            .zip(snapshot::newest(row));
        let Some(((project_no, project), newest)) = known else {
            let why = "nothing is known of the snapshot's project";
            return cannot_tell(ObstacleKind::Service, why)
                .into_iter()
                .collect();
        };
        let source = SourceSide {
            estate: &self.estate,
            project_no,
            project,
            shape: newest.shape,
            encryption: encryption::of(&self.estate, project_no, project, row),
            versions,
        };
        obstacles(target, &source)
    }
}

/// The snapshot's side of a restore.
struct SourceSide<'s> {
    estate: &'s Estate<'s>,
    project_no: usize,
    project: &'s Project<'s>,
    shape: SnapshotShape,
    encryption: Encryption,
    versions: &'s [String],
}

fn obstacles(target: &Target, source: &SourceSide<'_>) -> Vec<Obstacle> {
    // The other rules are those of one Atlas.
    if let Some(service) = service(target, source) {
        return vec![service];
    }
    let mut found: Vec<Obstacle> = [
        customer_key(target, source),
        key_region(target, source),
        provider(target, source),
        target.deleted.clone(),
        tier(target, source),
        version(target, source),
    ]
    .into_iter()
    .flatten()
    .collect();
    found.sort_unstable();
    found
}

fn known(kind: ObstacleKind, detail: impl Into<String>) -> Option<Obstacle> {
    Some(Obstacle {
        kind,
        known: true,
        detail: detail.into(),
    })
}

fn cannot_tell(kind: ObstacleKind, why: impl Into<String>) -> Option<Obstacle> {
    Some(Obstacle {
        kind,
        known: false,
        detail: why.into(),
    })
}

/// A snapshot stays within its Atlas: "cannot be restored … to a Cloud Manager project".
fn service(target: &Target, source: &SourceSide<'_>) -> Option<Obstacle> {
    let kind = ObstacleKind::Service;
    match source.shape {
        SnapshotShape::Own => {
            return cannot_tell(
                kind,
                "the snapshot is of another system than Atlas, whose restore rules are not known",
            );
        }
        SnapshotShape::ReplicaSet | SnapshotShape::Sharded | SnapshotShape::Shared => {}
    }
    if target.of_ops_manager {
        return known(
            kind,
            "the target is in a Cloud Manager or Ops Manager project",
        );
    }
    let to = source.estate.projects.get(target.project_no)?;
    (to.id.base_url != source.project.id.base_url)
        .then(|| {
            let (from, to) = (&source.project.id.base_url, &to.id.base_url);
            known(
                kind,
                format!("the snapshot is at {from}, the target at {to}"),
            )
        })
        .flatten()
}

/// With a customer key to with one, without to without.
fn customer_key(target: &Target, source: &SourceSide<'_>) -> Option<Obstacle> {
    let kind = ObstacleKind::CustomerKey;
    match (&source.encryption, &target.encryption) {
        (_, Err(why)) => cannot_tell(kind, why),
        (Encryption::NotEnabled(_), Ok(None)) | (Encryption::Keys(_), Ok(Some(_))) => None,
        (Encryption::NotEnabled(_), Ok(Some(provider))) => known(
            kind,
            format!(
                "the snapshot is under no customer key, the target is under a key of {}",
                provider.word()
            ),
        ),
        (Encryption::Keys(_), Ok(None)) => known(
            kind,
            "the snapshot is under a customer key, the target is under none",
        ),
        (Encryption::ProjectKeys(_) | Encryption::Unrecorded, Ok(_)) => {
            cannot_tell(kind, NOT_RECORDED)
        }
    }
}

const NOT_RECORDED: &str = "which key the snapshot is under, if any, is not recorded";

/// "Atlas can only restore to a cluster that uses the same encryption provider." The snapshot's
/// own key tells its provider: the cluster that it was taken of may have changed since.
fn provider(target: &Target, source: &SourceSide<'_>) -> Option<Obstacle> {
    let kind = ObstacleKind::Provider;
    let names = match &source.encryption {
        Encryption::NotEnabled(_) => return None,
        Encryption::Keys(names) => Some(names),
        Encryption::ProjectKeys(_) | Encryption::Unrecorded => None,
    };
    let to = match &target.encryption {
        Err(why) => return cannot_tell(kind, why),
        // What differs is told by `customer-key`.
        Ok(None) => return None,
        Ok(Some(to)) => *to,
    };
    let Some(names) = names else {
        return cannot_tell(kind, NOT_RECORDED);
    };
    let from: BTreeSet<Option<Provider>> =
        names.iter().map(|no| provider_of(source, *no)).collect();
    if let Some(other) = from.iter().flatten().find(|from| **from != to) {
        let (from, to) = (other.word(), to.word());
        return known(
            kind,
            format!("the snapshot's key is of {from}, the target's of {to}"),
        );
    }
    if from.contains(&None) {
        return cannot_tell(
            kind,
            "of which provider the snapshot's key is cannot be told",
        );
    }
    None
}

fn provider_of(source: &SourceSide<'_>, no: NameNo) -> Option<Provider> {
    let name = source.estate.names.get(no)?;
    identity::provider_of(&name.resolved)
}

/// Between projects on AWS the keys "can differ but they must be created in the same region".
fn key_region(target: &Target, source: &SourceSide<'_>) -> Option<Obstacle> {
    let kind = ObstacleKind::KeyRegion;
    if source.project_no == target.project_no {
        return None;
    }
    let names = match &source.encryption {
        Encryption::NotEnabled(_) => return None,
        Encryption::Keys(names) => Some(names.as_slice()),
        Encryption::ProjectKeys(_) | Encryption::Unrecorded => None,
    };
    match &target.encryption {
        Err(why) => {
            let may_be_aws = names.is_none_or(|names| {
                let mut providers = names.iter().map(|no| provider_of(source, *no));
                providers.any(|provider| matches!(provider, None | Some(Provider::Aws)))
            });
            return may_be_aws.then(|| cannot_tell(kind, why)).flatten();
        }
        Ok(Some(Provider::Aws)) => {}
        Ok(None | Some(Provider::Azure | Provider::Gcp | Provider::Kmip)) => return None,
    }
    let Some(names) = names else {
        return cannot_tell(kind, NOT_RECORDED);
    };
    let of_names = names.iter().filter_map(|no| {
        let other = provider_of(source, *no).is_some_and(|provider| provider != Provider::Aws);
        (!other).then(|| regions_of(source, *no))
    });
    let mut undecided = None;
    for Regions {
        regions,
        of_several,
    } in of_names
    {
        let to = match &target.key_region {
            Ok(to) => to,
            Err(why) => return cannot_tell(kind, why),
        };
        let here = regions.contains(to.as_str());
        match (here, regions.len()) {
            (true, 1) => {}
            (_, 0) => {
                undecided =
                    cannot_tell(kind, "in which region the snapshot's key is cannot be told");
            }
            (false, _) if !of_several => {
                let from = Vec::from_iter(regions).join(", ");
                return known(
                    kind,
                    format!("the snapshot's key is in {from}, the target project's in {to}"),
                );
            }
            (true | false, _) => {
                undecided = cannot_tell(
                    kind,
                    format!("whether a multi-Region key counts as one in {to} cannot be told"),
                );
            }
        }
    }
    undecided
}

/// Where an AWS key is.
struct Regions<'s> {
    regions: BTreeSet<&'s str>,
    /// It is a multi-Region key.
    of_several: bool,
}

/// The regions of the key that a snapshot names, or of a bare id those in which settings of its
/// project name it.
fn regions_of<'s>(source: &SourceSide<'s>, no: NameNo) -> Regions<'s> {
    let mut found = Regions {
        regions: BTreeSet::new(),
        of_several: false,
    };
    let Some(name) = source.estate.names.get(no) else {
        return found;
    };
    match &name.resolved {
        Resolved::Keys(keys) => {
            for key in keys.iter().filter_map(|key| key.aws()) {
                found.regions.insert(key.region());
                found.of_several |= key.is_multi_region();
            }
        }
        Resolved::Unresolved(Spelling::AwsId {
            id,
            region: Some(region),
            ..
        }) => {
            found.regions.insert(region);
            found.of_several = id.starts_with("mrk-");
        }
        Resolved::Unresolved(_) => {
            for reading in source.project.readings {
                let Content::Settings(blocks) = &*reading.content else {
                    continue;
                };
                let of_aws = blocks.iter().filter(|b| b.provider == Provider::Aws);
                let same = of_aws.filter(|b| b.key.as_deref() == Some(name.text.as_str()));
                found
                    .regions
                    .extend(same.filter_map(|b| b.region.as_deref()));
            }
            found.of_several = name.text.starts_with("mrk-");
        }
    }
    found
}

/// "Only available for M10+ dedicated clusters."
fn tier(target: &Target, source: &SourceSide<'_>) -> Option<Obstacle> {
    let kind = ObstacleKind::Tier;
    match (&target.too_small, source.shape) {
        (_, SnapshotShape::Shared) => cannot_tell(
            kind,
            "where snapshots of Flex clusters and serverless instances may go follows other rules",
        ),
        (Err(why), _) => cannot_tell(kind, why),
        (Ok(None), _) => None,
        (Ok(Some(what)), _) => known(
            kind,
            format!("the target is {what}; a restore needs M10 or larger"),
        ),
    }
}

/// "The target cluster must run the same or greater version of MongoDB." Releases of one series
/// share their files; whether a later patch release counts as greater is not said.
fn version(target: &Target, source: &SourceSide<'_>) -> Option<Obstacle> {
    let kind = ObstacleKind::Version;
    let runs = match &target.version {
        Ok(runs) => runs,
        Err(why) => return cannot_tell(kind, why),
    };
    let mut undecided = source.versions.is_empty().then(|| {
        cannot_tell(
            kind,
            "no list says which MongoDB version the snapshot was taken with",
        )
    });
    for taken in source.versions {
        let sentence =
            format!("the snapshot was taken with MongoDB {taken}, the target runs {runs}");
        let (Some(from), Some(to)) = (release(taken), release(runs)) else {
            undecided = Some(cannot_tell(kind, format!("{sentence}: not comparable")));
            continue;
        };
        if to.series < from.series {
            return known(kind, sentence);
        }
        if to.series == from.series && to.patch < from.patch {
            undecided = Some(cannot_tell(
                kind,
                format!("{sentence}: whether patch releases count is not said"),
            ));
        }
    }
    undecided.flatten()
}

/// A MongoDB version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Release {
    series: (u32, u32),
    /// 0 where it is not said.
    patch: u32,
}

/// `7.0.12`, `8.0.0-rc3`, `6.0`.
fn release(text: &str) -> Option<Release> {
    let plain = text.split(['-', '+']).next().unwrap_or_default();
    let mut numbers = plain.split('.').map(|part| part.parse::<u32>().ok());
    let (major, minor) = (numbers.next()??, numbers.next()??);
    let patch = match numbers.next() {
        None => 0,
        Some(patch) => patch?,
    };
    numbers.next().is_none().then_some(Release {
        series: (major, minor),
        patch,
    })
}
