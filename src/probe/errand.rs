//! What is asked together, and in which order. One errand is one question as the provider wants
//! it put: an AWS key; a Key Vault key or a Cloud KMS key with all its wanted versions.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::Target;
use crate::model::key_id::{AzureKey, AzureKeyVersion, GcpKey};
use crate::model::{AwsRole, KeyId, Provider, Spelling};

/// One question, or one that a provider answers for several keys at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Errand {
    Aws {
        /// A key, or a bare id in a region.
        target: Target,
        /// The key whose answer named this one, if nobody else did.
        named_by: Option<KeyId>,
        /// The role in which it is asked about, if not with the credentials found.
        role: Option<AwsRole>,
    },
    Azure {
        key: AzureKey,
        wanted: BTreeSet<AzureKeyVersion>,
        /// Every version that there is, besides.
        all: bool,
    },
    Gcp {
        key: GcpKey,
        /// Versions of `key`.
        wanted: BTreeSet<KeyId>,
    },
}

/// Whose quota, and whose slowness, errands share.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Lane {
    provider: Provider,
    /// AWS: the region and the role in which it is asked, if any. Azure: the vault. Google: the one
    /// calling project, without a name here.
    place: String,
}

impl Errand {
    pub(super) fn lane(&self) -> Lane {
        let (provider, place) = match self {
            Self::Aws { target, role, .. } => {
                let region = region_of(target);
                let place = match role {
                    Some(role) => format!("{region} as {}", role.arn()),
                    None => region.to_owned(),
                };
                (Provider::Aws, place)
            }
            Self::Azure { key, .. } => (Provider::Azure, key.host().to_owned()),
            Self::Gcp { .. } => (Provider::Gcp, String::new()),
        };
        Lane { provider, place }
    }

    /// What its answers are handed on as.
    pub(super) fn targets(&self) -> Vec<Target> {
        match self {
            Self::Aws { target, .. } => vec![target.clone()],
            Self::Azure { key, wanted, all } => wanted
                .iter()
                .map(|version| Target::Key(KeyId::Azure(version.clone())))
                .chain(all.then(|| Target::AzureKey(key.clone())))
                .collect(),
            Self::Gcp { wanted, .. } => wanted.iter().cloned().map(Target::Key).collect(),
        }
    }
}

/// The region that an AWS target is asked in; empty for others.
pub(super) fn region_of(target: &Target) -> &str {
    match target {
        Target::Key(key) => key.aws().map_or("", |aws| aws.region()),
        Target::AwsId { id: _, region } => region,
        Target::AzureKey(_) => "",
    }
}

/// Puts the targets, each once, together into errands. Gives back the keys of providers that
/// `asks_about` does not take.
pub(super) fn errands<'r>(
    targets: Vec<Target>,
    asks_about: impl Fn(&Target) -> bool,
    role_of: impl Fn(&Target) -> Option<&'r AwsRole>,
) -> (Vec<Errand>, Vec<Target>) {
    let mut errands = Vec::new();
    let mut azure: BTreeMap<AzureKey, (BTreeSet<AzureKeyVersion>, bool)> = BTreeMap::new();
    let mut gcp: BTreeMap<GcpKey, BTreeSet<KeyId>> = BTreeMap::new();
    let mut unsupported = Vec::new();
    for target in targets.into_iter().collect::<BTreeSet<_>>() {
        if !asks_about(&target) {
            unsupported.push(target);
            continue;
        }
        match target {
            Target::Key(KeyId::Azure(version)) => {
                let (wanted, _) = azure.entry(version.key().clone()).or_default();
                wanted.insert(version);
            }
            Target::AzureKey(key) => azure.entry(key).or_default().1 = true,
            Target::Key(KeyId::Gcp(version)) => {
                let wanted = gcp.entry(version.key().clone()).or_default();
                wanted.insert(KeyId::Gcp(version));
            }
            Target::Key(KeyId::Kmip(_)) => unsupported.push(target),
            Target::Key(KeyId::Aws(_)) | Target::AwsId { .. } => errands.push(Errand::Aws {
                role: role_of(&target).cloned(),
                target,
                named_by: None,
            }),
        }
    }
    errands.extend(azure.into_iter().map(|(key, (wanted, all))| Errand::Azure {
        key,
        wanted,
        all,
    }));
    errands.extend(
        gcp.into_iter()
            .map(|(key, wanted)| Errand::Gcp { key, wanted }),
    );
    (errands, unsupported)
}

/// Errands that wait for their turn. Each provider has its own number of places, so that none
/// waits for another; within a provider the next errand is of the lane with the fewest under way,
/// so that one slow vault or region never has more than its share while others have work.
#[derive(Debug)]
pub(super) struct Turns {
    lanes: BTreeMap<Lane, Waiting>,
    places: usize,
}

#[derive(Debug, Default)]
struct Waiting {
    errands: VecDeque<Errand>,
    under_way: usize,
    /// The turn in which it was last served: among equals the one that waited longest is next.
    served: u64,
}

impl Turns {
    pub(super) fn new(errands: Vec<Errand>, places: usize) -> Self {
        let mut turns = Self {
            lanes: BTreeMap::new(),
            places,
        };
        for errand in errands {
            turns.push(errand);
        }
        turns
    }

    pub(super) fn push(&mut self, errand: Errand) {
        let lane = self.lanes.entry(errand.lane()).or_default();
        lane.errands.push_back(errand);
    }

    /// The next errand that there is a place for; it counts as under way until [`Turns::done`].
    pub(super) fn next(&mut self) -> Option<Errand> {
        let mut under_way: BTreeMap<Provider, usize> = BTreeMap::new();
        for (lane, waiting) in &self.lanes {
            *under_way.entry(lane.provider).or_default() += waiting.under_way;
        }
        let latest = self.lanes.values().map(|w| w.served).max().unwrap_or(0);
        let places = self.places;
        let (_, next) = self
            .lanes
            .iter_mut()
            .filter(|(lane, waiting)| {
                let taken = under_way.get(&lane.provider).copied().unwrap_or(0);
                !waiting.errands.is_empty() && taken < places
            })
            .min_by_key(|(_, waiting)| (waiting.under_way, waiting.served))?;
        next.under_way += 1;
        next.served = latest + 1;
        next.errands.pop_front()
    }

    pub(super) fn done(&mut self, lane: &Lane) {
        if let Some(waiting) = self.lanes.get_mut(lane) {
            waiting.under_way = waiting.under_way.saturating_sub(1);
        }
    }

    /// What was never taken.
    pub(super) fn rest(self) -> impl Iterator<Item = Errand> {
        self.lanes.into_values().flat_map(|waiting| waiting.errands)
    }
}

impl Target {
    pub fn provider(&self) -> Provider {
        match self {
            Self::Key(key) => key.provider(),
            Self::AwsId { .. } => Provider::Aws,
            Self::AzureKey(_) => Provider::Azure,
        }
    }

    /// What a person calls it.
    pub fn text(&self) -> String {
        match self {
            Self::Key(key) => key.to_string(),
            Self::AwsId { id, region } => format!("{id} in {region}"),
            Self::AzureKey(key) => Spelling::AzureKey(key.clone()).to_string(),
        }
    }
}

#[cfg(test)]
mod tests;
