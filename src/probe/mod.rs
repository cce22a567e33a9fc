//! Asks key services what they say about keys, and hands on what they said. It never decides:
//! what an answer means for a snapshot is `assess`'s.
//!
//! Providers have functions for one errand (`errand`); bounds, quotas, timeouts, deadline and
//! interruption are here, around them. The wall clock and the environment are the caller's.

pub mod aws;
pub mod azure;
mod causes;
mod errand;
mod explain;
pub mod gcp;
mod pace;
mod text;

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::sync::Arc;

use futures::stream::{FuturesUnordered, StreamExt};
use serde_json::Value;

use self::aws::{AwsProbe, PrivateAuthority};
use self::azure::AzureProbe;
use self::errand::{Errand, Turns, errands, region_of};
use self::gcp::{Endpoint, GcpProbe};
use self::pace::Pace;
use crate::model::evidence::{Observation, UnknownReason};
use crate::model::key_id::AzureKey;
use crate::model::{AwsRole, KeyId, LastUse, Provider, Timestamp};

pub use self::causes::{Cause, causes};
pub use self::explain::{ExplainedCall, Explanation, explain};
pub use self::pace::{Limits, Wait, Waits};

/// What to ask about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Target {
    Key(KeyId),
    /// A bare AWS key id (UUID or `mrk-`) in a region of the caller's account: the answer's ARN
    /// completes it.
    AwsId {
        id: String,
        region: String,
    },
    /// Every version of a Key Vault key: the answer names them.
    AzureKey(AzureKey),
}

/// What was learned about one target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// For a key that nobody asked about but another key's answer called related: that key.
    pub target: Target,
    pub observations: Vec<Observation>,
    /// Why a bare id stays without an ARN, or no version of a key is known.
    pub unresolved: Option<(UnknownReason, String)>,
    /// The key whose answer named this one, if it was not among the targets.
    pub named_by: Option<KeyId>,
}

/// How a run of probes went.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Answers handed on, of whatever condition.
    pub answered: usize,
    /// Keys of providers that are not asked yet: nothing was observed of them.
    pub unsupported: Vec<KeyId>,
    /// Targets and related keys that were still to be asked, or being asked, when the run stopped.
    pub not_asked: Vec<Target>,
    pub stopped: Option<Stopped>,
}

/// Why a run ended before everything was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stopped {
    Cancelled,
    Deadline,
}

/// What finding credentials and building clients takes from outside.
#[derive(Clone, Copy)]
pub struct Settings<'s> {
    /// A private certificate authority, beside those of the system.
    pub ca_pem: Option<&'s [u8]>,
    pub environment: &'s dyn Fn(&str) -> Option<OsString>,
    /// The roles in which keys of AWS are asked about.
    pub aws_roles: &'s BTreeMap<KeyId, AwsRole>,
    /// Another endpoint of Google Cloud KMS than Google's own.
    pub gcp_endpoint: Option<&'s str>,
    /// The projects whose keys may be asked about; none: all.
    pub gcp_projects: &'s [String],
}

/// Every provider that can be asked. Keys of one that is `None` are listed as unsupported.
#[derive(Debug)]
pub struct Probes {
    pub aws: AwsProbe,
    pub azure: Option<AzureProbe>,
    pub gcp: Option<GcpProbe>,
    /// What the run under way waits for.
    pub waits: Arc<Waits>,
}

impl Probes {
    /// AWS alone; the others are set one by one.
    pub fn new(aws: AwsProbe) -> Self {
        Self {
            aws,
            azure: None,
            gcp: None,
            waits: Arc::default(),
        }
    }

    /// Credentials and settings from where each vendor's own tools find them; nothing is looked
    /// for that no target needs.
    ///
    /// # Errors
    /// When the private certificate authority or the endpoint cannot be used.
    pub async fn load(settings: &Settings<'_>, targets: &[Target]) -> Result<Self, String> {
        let needs = |provider| targets.iter().any(|target| target.provider() == provider);
        let mut probes = Self::new(match needs(Provider::Aws) {
            true => {
                let authority = settings
                    .ca_pem
                    .map(|pem| PrivateAuthority::read(pem.to_vec()))
                    .transpose()
                    .map_err(|error| error.to_string())?;
                let probe = AwsProbe::load(authority.as_ref()).await;
                probe.with_roles(settings.aws_roles.clone())
            }
            false => AwsProbe::from_config(aws_config::SdkConfig::builder().build()),
        });
        if needs(Provider::Azure) {
            probes.azure = Some(AzureProbe::load(settings)?);
        }
        if needs(Provider::Gcp) {
            let endpoint = match settings.gcp_endpoint {
                Some(text) => text
                    .parse()
                    .map_err(|error| format!("[gcp] endpoint `{text}`: {error}"))?,
                None => Endpoint::default(),
            };
            let gcp = GcpProbe::new(endpoint).with_projects(settings.gcp_projects.to_vec());
            probes.gcp = Some(gcp);
        }
        Ok(probes)
    }

    fn asks_about(&self, target: &Target) -> bool {
        match (target.provider(), target) {
            (Provider::Aws, _) => true,
            (Provider::Azure, _) => self.azure.is_some(),
            (Provider::Gcp, Target::Key(key)) => {
                self.gcp.as_ref().is_some_and(|gcp| gcp.asks_about(key))
            }
            (Provider::Gcp, Target::AwsId { .. } | Target::AzureKey(_)) | (Provider::Kmip, _) => {
                false
            }
        }
    }
}

/// What a provider's functions share in one run.
struct Session<'a> {
    pace: &'a Pace,
    clock: &'a (dyn Fn() -> Timestamp + Sync),
}

/// An answer that is handed on once it is known who asked. Only AWS tells that apart.
struct Learned {
    answer: Answer,
    role: Option<AwsRole>,
}

/// Asks about every target once, and about keys that answers call related, and hands each answer
/// on as soon as it is there, in no particular order. When `cancelled` is done or the deadline has
/// passed, nothing more is asked; what was learned has been handed on.
pub async fn probe_all(
    targets: Vec<Target>,
    probes: &Probes,
    limits: &Limits,
    clock: &(dyn Fn() -> Timestamp + Sync),
    on_answer: &mut dyn FnMut(Answer),
    cancelled: impl Future<Output = ()>,
) -> Summary {
    let mut summary = Summary::default();
    let (errands, unsupported) = errands(
        targets,
        |target| probes.asks_about(target),
        |target| probes.aws.role_of(target),
    );
    summary.unsupported = unsupported.into_iter().filter_map(key_of).collect();
    let mut claimed: BTreeSet<KeyId> = errands
        .iter()
        .flat_map(Errand::targets)
        .filter_map(key_of)
        .collect();
    let mut turns = Turns::new(errands, limits.in_flight.get());
    let pace = Pace::new(limits).watched(Arc::clone(&probes.waits));
    let session = Session { pace: &pace, clock };
    // Who asks AWS, by role. Absent: not known yet; answers wait for it, asking goes on meanwhile.
    let mut who: BTreeMap<Option<AwsRole>, Option<String>> = BTreeMap::new();
    let mut introduced: BTreeSet<Option<AwsRole>> = BTreeSet::new();
    let mut introducing = FuturesUnordered::new();
    let mut waiting: Vec<Learned> = Vec::new();
    let mut under_way: Vec<Errand> = Vec::new();
    let mut asking = FuturesUnordered::new();
    let deadline = async {
        match limits.deadline {
            Some(deadline) => tokio::time::sleep(deadline).await,
            None => std::future::pending().await,
        }
    };
    tokio::pin!(cancelled, deadline);

    let stopped = loop {
        while let Some(errand) = turns.next() {
            under_way.push(errand.clone());
            // Nobody asks AWS who asks about nothing of AWS.
            if let Errand::Aws { target, role, .. } = &errand
                && introduced.insert(role.clone())
            {
                let (role, region) = (role.clone(), region_of(target).to_owned());
                introducing.push(async move {
                    let identity = probes.aws.identity(role.as_ref(), &region).await;
                    (role, identity.map(|identity| identity.principal))
                });
            }
            asking.push(async {
                let answers = ask(probes, &errand, &session).await;
                (errand, answers)
            });
        }
        if asking.is_empty() && waiting.is_empty() {
            break None;
        }
        tokio::select! {
            biased;
            () = &mut cancelled => break Some(Stopped::Cancelled),
            () = &mut deadline => break Some(Stopped::Deadline),
            Some((role, principal)) = introducing.next() => {
                who.insert(role, principal);
            }
            Some((errand, answers)) = asking.next() => {
                turns.done(&errand.lane());
                under_way.retain(|other| *other != errand);
                for observation in answers.iter().flat_map(|answer| &answer.observations) {
                    claimed.insert(observation.key.clone());
                    for related in &observation.related {
                        if claimed.insert(related.clone()) {
                            let target = Target::Key(related.clone());
                            turns.push(Errand::Aws {
                                role: probes.aws.role_of(&target).cloned(),
                                target,
                                named_by: Some(observation.key.clone()),
                            });
                        }
                    }
                }
                let role = match errand {
                    Errand::Aws { role, .. } => role,
                    Errand::Azure { .. } | Errand::Gcp { .. } => None,
                };
                waiting.extend(answers.into_iter().map(|answer| Learned {
                    answer,
                    role: role.clone(),
                }));
            }
        }
        hand_on(&mut waiting, &who, &mut summary, on_answer);
    };
    drop(asking);
    for learned in &waiting {
        who.entry(learned.role.clone()).or_default();
    }
    hand_on(&mut waiting, &who, &mut summary, on_answer);
    summary.stopped = stopped;
    summary.not_asked = under_way
        .into_iter()
        .chain(turns.rest())
        .flat_map(|errand| errand.targets())
        .collect();
    summary.not_asked.sort();
    summary
}

/// When AWS last saw these keys used, as far as it says so in a few seconds; nothing of more keys
/// than its quota is for. Not part of any observation: it says nothing of what a key is needed for.
pub async fn last_uses(
    keys: &[KeyId],
    probes: &Probes,
    limits: &Limits,
    clock: &(dyn Fn() -> Timestamp + Sync),
) -> Vec<LastUse> {
    let keys: BTreeSet<&KeyId> = keys.iter().filter(|key| key.aws().is_some()).collect();
    if keys.len() > aws::last_use::AT_MOST {
        return Vec::new();
    }
    let pace = Pace::new(limits);
    let session = Session { pace: &pace, clock };
    let mut uses = Vec::new();
    let mut asking: FuturesUnordered<_> = keys
        .into_iter()
        .map(|key| probes.aws.last_use(key, &session))
        .collect();
    let all = async {
        while let Some(told) = asking.next().await {
            uses.extend(told);
        }
    };
    let _in_time = tokio::time::timeout(aws::last_use::WITHIN, all).await;
    drop(asking);
    uses.sort_by(|a, b| a.key.cmp(&b.key));
    uses
}

fn key_of(target: Target) -> Option<KeyId> {
    match target {
        Target::Key(key) => Some(key),
        Target::AwsId { .. } | Target::AzureKey(_) => None,
    }
}

async fn ask(probes: &Probes, errand: &Errand, session: &Session<'_>) -> Vec<Answer> {
    match errand {
        Errand::Aws {
            target,
            named_by,
            role,
        } => {
            let role = role.as_ref();
            let (observations, unresolved) = match target {
                Target::Key(key) => {
                    let observation = probes.aws.probe(key, role, session).await;
                    (observation.into_iter().collect(), None)
                }
                Target::AwsId { id, region } => {
                    match probes.aws.resolve(id, region, role, session).await {
                        Ok(observation) => (vec![observation], None),
                        Err(why) => (Vec::new(), Some(why)),
                    }
                }
                // Never in an errand to AWS.
                Target::AzureKey(_) => (Vec::new(), None),
            };
            vec![Answer {
                target: target.clone(),
                observations,
                unresolved,
                named_by: named_by.clone(),
            }]
        }
        Errand::Azure { key, wanted, all } => {
            let Some(azure) = &probes.azure else {
                return Vec::new();
            };
            let learned = azure.probe(key, wanted, *all, session).await;
            apart(errand, learned.observations, learned.unresolved)
        }
        Errand::Gcp { wanted, .. } => {
            let Some(gcp) = &probes.gcp else {
                return Vec::new();
            };
            let wanted: Vec<KeyId> = wanted.iter().cloned().collect();
            apart(errand, gcp.probe(&wanted, session).await, None)
        }
    }
}

/// The answer to each target of an errand, out of what came back together. What nobody asked
/// about by name goes to the target that asked for all versions.
fn apart(
    errand: &Errand,
    observations: Vec<Observation>,
    unresolved: Option<(UnknownReason, String)>,
) -> Vec<Answer> {
    let mut by_key: BTreeMap<KeyId, Vec<Observation>> = BTreeMap::new();
    for observation in observations {
        let key = observation.key.clone();
        by_key.entry(key).or_default().push(observation);
    }
    let mut answers = Vec::new();
    let mut whole = None;
    for target in errand.targets() {
        let observations = match &target {
            Target::Key(key) => by_key.remove(key).unwrap_or_default(),
            Target::AwsId { .. } => Vec::new(),
            Target::AzureKey(_) => {
                whole = Some(target);
                continue;
            }
        };
        answers.push(Answer {
            target,
            observations,
            unresolved: None,
            named_by: None,
        });
    }
    answers.extend(whole.map(|target| Answer {
        target,
        observations: by_key.into_values().flatten().collect(),
        unresolved,
        named_by: None,
    }));
    answers
}

/// Hands on what is complete: an answer of AWS once it is settled who asked.
fn hand_on(
    waiting: &mut Vec<Learned>,
    who: &BTreeMap<Option<AwsRole>, Option<String>>,
    summary: &mut Summary,
    on_answer: &mut dyn FnMut(Answer),
) {
    let (ready, still): (Vec<_>, Vec<_>) =
        std::mem::take(waiting).into_iter().partition(|learned| {
            let aws = learned.answer.target.provider() == Provider::Aws;
            !aws || who.contains_key(&learned.role)
        });
    *waiting = still;
    for Learned { mut answer, role } in ready {
        if let (Provider::Aws, Some(who)) = (answer.target.provider(), who.get(&role)) {
            for observation in &mut answer.observations {
                observation.identity.clone_from(who);
            }
        }
        summary.answered += 1;
        on_answer(answer);
    }
}

/// Reads a document that somebody recorded with a provider's own command line, given at `at`.
///
/// # Errors
/// When it is no answer about a key that is known here: a line on what is wrong with it.
pub fn read_recorded(document: &Value, at: Timestamp) -> Result<Vec<Observation>, String> {
    if azure::is_azure(document) {
        azure::read_recorded(document, at)
    } else if gcp::is_google(document) {
        gcp::read_recorded(document, at)
    } else {
        aws::read_recorded(document, at)
    }
}
