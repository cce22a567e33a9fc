//! Which key an Encryption Key ID is: resolution in the order of design section 3 (own grammar,
//! key map, settings ever read in the project, the provider's own answer).

use std::collections::{BTreeMap, BTreeSet};

use super::observed::Observed;
use crate::model::key_id::Provider;
use crate::model::policy::KeyStatement;
use crate::model::reading::{Content, Outcome};
use crate::model::verdict::Assumption;
use crate::model::{Evidence, KeyId, Match, Policy, ProjectRef, Reading, Source, Spelling};

/// What a spelling turned out to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Resolved {
    /// One key; several only for a bare multi-Region id, which stands for every region in which
    /// it was configured or observed.
    Keys(Vec<KeyId>),
    /// Not complete enough: kept as read.
    Unresolved(Spelling),
}

/// A spelling that project settings gave, with the region where AWS settings name one.
#[derive(Clone, Debug)]
struct Configured {
    spelling: Spelling,
}

/// Resolves spellings of one estate.
pub(super) struct Resolver<'e> {
    policy: &'e Policy,
    observed: &'e Observed,
    configured: BTreeMap<&'e ProjectRef, Vec<Configured>>,
    /// Every complete key that settings anywhere name.
    configured_keys: BTreeSet<KeyId>,
    /// Groups of Ops Manager.
    ops_manager: BTreeSet<&'e ProjectRef>,
}

impl<'e> Resolver<'e> {
    pub(super) fn new(evidence: &'e Evidence, policy: &'e Policy, observed: &'e Observed) -> Self {
        let mut configured: BTreeMap<&ProjectRef, Vec<Configured>> = BTreeMap::new();
        let mut configured_keys = BTreeSet::new();
        let mut ops_manager = BTreeSet::new();
        for (project, readings) in &evidence.projects {
            let is_group = |r: &Reading| r.root.source == Source::OpsManager;
            if readings.iter().any(is_group) {
                ops_manager.insert(project);
            }
            let list = configured.entry(project).or_default();
            for reading in readings {
                let blocks = match (&reading.content, &reading.outcome) {
                    (Content::Settings(blocks), Outcome::Whole | Outcome::Partial(_)) => blocks,
                    _ => continue,
                };
                for block in blocks {
                    let Some(key) = &block.key else { continue };
                    let mut spelling = Spelling::read(key);
                    if let Some(region) = &block.region {
                        spelling = spelling.with_region(region);
                    }
                    if let Spelling::Complete(key) = &spelling {
                        configured_keys.insert(key.clone());
                    }
                    list.push(Configured { spelling });
                }
            }
        }
        Self {
            policy,
            observed,
            configured,
            configured_keys,
            ops_manager,
        }
    }

    /// Resolves a spelling as it stands in `project` (`None`: on the command line, in a hold).
    /// An assumption is returned where the answer rests on one.
    pub(super) fn resolve(
        &self,
        raw: &str,
        project: Option<&ProjectRef>,
    ) -> (Resolved, Option<Assumption>) {
        let spelling = Spelling::read(raw);
        if let Spelling::Complete(key) = spelling {
            return (Resolved::Keys(vec![key]), None);
        }
        if let Some(statement) = self.key_map(raw, project) {
            let assumption = Assumption {
                kind: "key-map",
                subject: raw.to_owned(),
                stated: Some(statement.stated),
                reason: statement.reason.clone(),
            };
            return (Resolved::Keys(vec![statement.is.clone()]), Some(assumption));
        }
        if let Some(project) = project
            && let Some(keys) = self.completed_by_settings(&spelling, project)
        {
            return (Resolved::Keys(keys), None);
        }
        if let Some((key, assumption)) = self.on_kmip_server(&spelling, project) {
            return (Resolved::Keys(vec![key]), assumption);
        }
        (Resolved::Unresolved(spelling), None)
    }

    fn key_map(&self, raw: &str, project: Option<&ProjectRef>) -> Option<&'e KeyStatement> {
        // A statement for the project beats one for all.
        let named = |s: &&KeyStatement| {
            s.id == raw
                && s.project.is_some()
                && s.project.as_deref() == project.map(|p| p.id.as_str())
        };
        let general = |s: &&KeyStatement| s.id == raw && s.project.is_none();
        self.policy
            .keys
            .iter()
            .find(named)
            .or_else(|| self.policy.keys.iter().find(general))
    }

    /// Any settings ever read in the project; a bare AWS id in the region that they name is
    /// completed by the provider's own answer for that id in that region.
    fn completed_by_settings(
        &self,
        spelling: &Spelling,
        project: &ProjectRef,
    ) -> Option<Vec<KeyId>> {
        let mut found = BTreeSet::new();
        for configured in self.configured.get(project)? {
            match &configured.spelling {
                Spelling::Complete(key) => {
                    if spelling.completed_by(key) {
                        found.insert(key.clone());
                    }
                }
                scoped @ Spelling::AwsId {
                    region: Some(_), ..
                } => {
                    if same_bare_id(spelling, scoped) {
                        found.extend(
                            self.observed
                                .keys()
                                .filter(|key| {
                                    self.observed.is_known(key) && scoped.completed_by(key)
                                })
                                .cloned(),
                        );
                    }
                }
                Spelling::AwsId { region: None, .. }
                | Spelling::AwsAlias(_)
                | Spelling::AzureKey(_)
                | Spelling::AzureVersion(_)
                | Spelling::GcpKey(_)
                | Spelling::Opaque(_) => {}
            }
        }
        let first = found.first()?;
        let one_family = found
            .iter()
            .all(|key| key == first || key.is_related(first));
        if !one_family {
            // Two accounts own such an id: which one encrypted the snapshot is not known.
            return None;
        }
        let multi_region = first.aws().is_some_and(|aws| aws.is_multi_region());
        if multi_region {
            let first = first.clone();
            let siblings = self.observed.keys().chain(self.configured_keys.iter());
            found.extend(siblings.filter(|key| key.is_related(&first)).cloned());
        }
        Some(found.into_iter().collect())
    }

    /// A bare KMIP UID takes the server that a `[[kmip]]` block assigns to its group; in an Ops
    /// Manager group with one server configured, that one, printed as an assumption. Only Ops
    /// Manager groups name KMIP keys, so other projects' ids are left alone.
    fn on_kmip_server(
        &self,
        spelling: &Spelling,
        project: Option<&ProjectRef>,
    ) -> Option<(KeyId, Option<Assumption>)> {
        let project = project?;
        let servers = &self.policy.kmip_servers;
        let mut assigned = servers.iter().filter(|s| s.groups.contains(&project.id));
        match (assigned.next(), assigned.next(), servers.as_slice()) {
            (Some(server), None, _) => Some((spelling.clone().kmip_on(&server.name)?, None)),
            (None, _, [only]) if self.ops_manager.contains(project) => {
                let assumption = Assumption {
                    kind: "only-kmip-server",
                    subject: project.id.clone(),
                    stated: None,
                    reason: format!("`{}` is the only server configured", only.name),
                };
                Some((spelling.clone().kmip_on(&only.name)?, Some(assumption)))
            }
            (Some(_), Some(_), _) | (None, _, _) => None,
        }
    }

    /// Bare AWS ids in a region that settings name and that no answer completed yet: what a probe
    /// may ask for by id.
    pub(super) fn askable_ids(&self) -> BTreeSet<(String, String)> {
        self.configured
            .values()
            .flatten()
            .filter_map(|configured| match &configured.spelling {
                Spelling::AwsId {
                    id,
                    region: Some(region),
                    ..
                } => Some((id.clone(), region.clone())),
                Spelling::AwsId { region: None, .. }
                | Spelling::Complete(_)
                | Spelling::AwsAlias(_)
                | Spelling::AzureKey(_)
                | Spelling::AzureVersion(_)
                | Spelling::GcpKey(_)
                | Spelling::Opaque(_) => None,
            })
            .collect()
    }
}

fn same_bare_id(one: &Spelling, other: &Spelling) -> bool {
    matches!(one.compare(other), Match::Same | Match::Agrees)
}

/// The provider whose shape a resolved or unresolved id has.
pub(super) fn provider_of(resolved: &Resolved) -> Option<Provider> {
    match resolved {
        Resolved::Keys(keys) => keys.first().map(KeyId::provider),
        Resolved::Unresolved(spelling) => spelling.provider(),
    }
}
