//! Which key an Encryption Key ID is: resolution in the order of design section 3 (own grammar,
//! key map, settings ever read in the project, the provider's own answer).

use std::borrow::Cow;
use std::cell::{OnceCell, RefCell};
use std::collections::{BTreeSet, HashMap};
use std::rc::Rc;

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

/// Resolves spellings of one estate. Most are complete: what settings say of keys is only read for
/// those that are not.
pub(super) struct Resolver<'e> {
    evidence: &'e Evidence,
    policy: &'e Policy,
    observed: &'e Observed,
    configured: RefCell<HashMap<&'e ProjectRef, Rc<[Spelling]>>>,
    /// Every complete multi-Region key that settings anywhere name.
    siblings: OnceCell<BTreeSet<KeyId>>,
}

impl<'e> Resolver<'e> {
    pub(super) fn new(evidence: &'e Evidence, policy: &'e Policy, observed: &'e Observed) -> Self {
        Self {
            evidence,
            policy,
            observed,
            configured: RefCell::default(),
            siblings: OnceCell::new(),
        }
    }

    /// Spellings that a project's settings gave, with the region where AWS settings name one.
    fn configured(&self, project: &ProjectRef) -> Rc<[Spelling]> {
        let Some((project, readings)) = self.evidence.projects.get_key_value(project) else {
            return Rc::new([]);
        };
        let mut known = self.configured.borrow_mut();
        let spellings = known
            .entry(project)
            .or_insert_with(|| configured(readings).collect());
        Rc::clone(spellings)
    }

    fn siblings(&self) -> &BTreeSet<KeyId> {
        self.siblings.get_or_init(|| {
            let all = self.evidence.projects.values();
            all.flat_map(|readings| configured(readings))
                .filter_map(|spelling| spelling.complete().cloned())
                .filter(|key| key.aws().is_some_and(|aws| aws.is_multi_region()))
                .collect()
        })
    }

    /// A group of Ops Manager.
    fn is_ops_manager(&self, project: &ProjectRef) -> bool {
        let readings = self.evidence.projects.get(project);
        let mut readings = readings.into_iter().flatten();
        readings.any(|r| r.root.source == Source::OpsManager)
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
                reason: Cow::Owned(statement.reason.clone()),
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
        for configured in &*self.configured(project) {
            match configured {
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
            let siblings = self.observed.keys().chain(self.siblings());
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
            (None, _, [only]) if self.is_ops_manager(project) => {
                let assumption = Assumption {
                    kind: "only-kmip-server",
                    subject: project.id.clone(),
                    stated: None,
                    reason: Cow::Owned(format!("`{}` is the only server configured", only.name)),
                };
                Some((spelling.clone().kmip_on(&only.name)?, Some(assumption)))
            }
            (Some(_), Some(_), _) | (None, _, _) => None,
        }
    }
}

/// Bare AWS ids in a region that settings name: what a probe may ask for by id.
pub(super) fn askable_ids(evidence: &Evidence) -> BTreeSet<(String, String)> {
    evidence
        .projects
        .values()
        .flat_map(|readings| configured(readings))
        .filter_map(|spelling| match spelling {
            Spelling::AwsId {
                id,
                region: Some(region),
                ..
            } => Some((id, region)),
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

/// Every spelling that settings gave, as far as they were read.
fn configured(readings: &[Reading]) -> impl Iterator<Item = Spelling> + '_ {
    let blocks =
        readings
            .iter()
            .filter_map(|reading| match (&*reading.content, &reading.outcome) {
                (Content::Settings(blocks), Outcome::Whole | Outcome::Partial(_)) => Some(blocks),
                _ => None,
            });
    blocks.flatten().filter_map(|block| {
        let spelling = Spelling::read(block.key.as_ref()?);
        Some(match &block.region {
            Some(region) => spelling.with_region(region),
            None => spelling,
        })
    })
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
