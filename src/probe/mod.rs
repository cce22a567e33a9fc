//! Asks key services what they say about keys, and hands on what they said. It never decides:
//! what an answer means for a snapshot is `assess`'s.
//!
//! Providers have functions for one key; bounds, quotas, timeouts, deadline and interruption are
//! here, around them. The wall clock is the caller's.

pub mod aws;
mod pace;

use std::collections::{BTreeSet, VecDeque};

use futures::future::{BoxFuture, FutureExt, Shared};
use futures::stream::{FuturesUnordered, StreamExt};

use self::aws::{AwsProbe, Identity};
use self::pace::Pace;
use crate::model::evidence::{Observation, UnknownReason};
use crate::model::{KeyId, Provider, Timestamp};

pub use self::pace::Limits;

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
}

/// What was learned about one target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// For a key that nobody asked about but another key's answer called related: that key.
    pub target: Target,
    pub observations: Vec<Observation>,
    /// Why a bare id stays without an ARN.
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

/// Every provider that can be asked.
#[derive(Debug)]
pub struct Probes {
    pub aws: AwsProbe,
}

impl Probes {
    /// Credentials and settings from where each vendor's own tools find them.
    pub async fn load() -> Self {
        Self {
            aws: AwsProbe::load().await,
        }
    }
}

/// What a provider's functions share in one run.
struct Session<'a> {
    pace: &'a Pace,
    clock: &'a (dyn Fn() -> Timestamp + Sync),
    identity: Shared<BoxFuture<'a, Option<Identity>>>,
}

/// A target, and the key whose answer named it.
type Work = (Target, Option<KeyId>);

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
    let (mut queue, mut claimed) = sort_out(targets, &mut summary);
    let Some(region) = queue
        .front()
        .map(|(target, _)| region_of(target).to_owned())
    else {
        return summary;
    };
    let pace = Pace::new(limits);
    let identity = probes.aws.identity(&region).boxed().shared();
    let session = Session {
        pace: &pace,
        clock,
        identity: identity.clone(),
    };
    let mut identity = identity.fuse();
    // `None`: not known yet. Answers wait for it; asking goes on meanwhile.
    let mut who: Option<Option<String>> = None;
    let mut waiting: Vec<Answer> = Vec::new();
    let mut under_way: Vec<Target> = Vec::new();
    let mut asking = FuturesUnordered::new();
    let deadline = async {
        match limits.deadline {
            Some(deadline) => tokio::time::sleep(deadline).await,
            None => std::future::pending().await,
        }
    };
    tokio::pin!(cancelled, deadline);

    let stopped = loop {
        while asking.len() < limits.in_flight.get() {
            let Some((target, named_by)) = queue.pop_front() else {
                break;
            };
            under_way.push(target.clone());
            asking.push(ask(probes, target, named_by, &session));
        }
        if asking.is_empty() && waiting.is_empty() {
            break None;
        }
        tokio::select! {
            biased;
            () = &mut cancelled => break Some(Stopped::Cancelled),
            () = &mut deadline => break Some(Stopped::Deadline),
            known = &mut identity, if who.is_none() => {
                who = Some(known.map(|identity| identity.principal));
            }
            Some(answer) = asking.next() => {
                under_way.retain(|target| *target != answer.target);
                for observation in &answer.observations {
                    claimed.insert(observation.key.clone());
                    for related in &observation.related {
                        if claimed.insert(related.clone()) {
                            queue.push_back((
                                Target::Key(related.clone()),
                                Some(observation.key.clone()),
                            ));
                        }
                    }
                }
                waiting.push(answer);
            }
        }
        if let Some(who) = &who {
            hand_on(&mut waiting, who.as_ref(), &mut summary, on_answer);
        }
    };
    drop(asking);
    hand_on(
        &mut waiting,
        who.flatten().as_ref(),
        &mut summary,
        on_answer,
    );
    summary.stopped = stopped;
    summary.not_asked = under_way;
    summary
        .not_asked
        .extend(queue.into_iter().map(|(target, _)| target));
    summary.not_asked.sort();
    summary
}

/// The targets that can be asked, each once, and the keys among them.
fn sort_out(targets: Vec<Target>, summary: &mut Summary) -> (VecDeque<Work>, BTreeSet<KeyId>) {
    let mut queue = VecDeque::new();
    let mut claimed = BTreeSet::new();
    for target in targets.into_iter().collect::<BTreeSet<_>>() {
        if let Target::Key(key) = &target {
            match key.provider() {
                Provider::Aws => {
                    claimed.insert(key.clone());
                }
                Provider::Azure | Provider::Gcp | Provider::Kmip => {
                    summary.unsupported.push(key.clone());
                    continue;
                }
            }
        }
        queue.push_back((target, None));
    }
    (queue, claimed)
}

/// Empty for a key that is not AWS's, of which there is none in the queue.
fn region_of(target: &Target) -> &str {
    match target {
        Target::Key(key) => key.aws().map_or("", |aws| aws.region()),
        Target::AwsId { id: _, region } => region,
    }
}

async fn ask(
    probes: &Probes,
    target: Target,
    named_by: Option<KeyId>,
    session: &Session<'_>,
) -> Answer {
    let (observations, unresolved) = match &target {
        Target::Key(key) => {
            let observation = probes.aws.probe(key, session).await;
            (observation.into_iter().collect(), None)
        }
        Target::AwsId { id, region } => match probes.aws.resolve(id, region, session).await {
            Ok(observation) => (vec![observation], None),
            Err(why) => (Vec::new(), Some(why)),
        },
    };
    Answer {
        target,
        observations,
        unresolved,
        named_by,
    }
}

fn hand_on(
    waiting: &mut Vec<Answer>,
    who: Option<&String>,
    summary: &mut Summary,
    on_answer: &mut dyn FnMut(Answer),
) {
    for mut answer in waiting.drain(..) {
        for observation in &mut answer.observations {
            observation.identity = who.cloned();
        }
        summary.answered += 1;
        on_answer(answer);
    }
}
