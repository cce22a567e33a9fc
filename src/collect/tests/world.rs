//! An Atlas of a few lines: answers by path, a log of what was asked, and a clock that moves by a
//! second with every answer.

use std::collections::{BTreeMap, VecDeque};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard};

use serde_json::{Value, json};

use crate::collect::{self, CollectError, Collected, KnownCluster, KnownProject, Plan};
use crate::http::{Answer, Ask, Failure};
use crate::model::{Scope, Timestamp};

pub(super) const START: &str = "2026-11-01T02:00:00Z";

/// What one request is answered with.
#[derive(Clone, Debug)]
pub(super) enum Reply {
    Body(u16, Vec<u8>),
    Failed(Option<u16>, Failure),
    /// The service's clock is off by so many seconds.
    Dated(i64, Vec<u8>),
    /// This is done before it is answered.
    After(fn(&Path), Vec<u8>),
}

impl Reply {
    pub(super) fn ok(body: &Value) -> Self {
        Self::Body(200, body.to_string().into_bytes())
    }

    pub(super) fn error(status: u16, code: &str) -> Self {
        let body = json!({"error": status, "errorCode": code, "detail": "none of your business"});
        Self::Body(status, body.to_string().into_bytes())
    }

    pub(super) fn rows(rows: &[Value]) -> Self {
        Self::ok(&json!({"links": [], "results": rows, "totalCount": 0}))
    }
}

pub(super) struct World {
    state: Mutex<State>,
    folder: tempfile::TempDir,
}

struct State {
    replies: BTreeMap<String, VecDeque<Reply>>,
    log: Vec<(String, String)>,
    now: Timestamp,
    /// Stops the run when so many requests were answered.
    stop_after: Option<usize>,
    dateless: bool,
}

impl World {
    pub(super) fn new() -> Self {
        Self {
            state: Mutex::new(State {
                replies: BTreeMap::new(),
                log: Vec::new(),
                now: Timestamp::floor(START).unwrap(),
                stop_after: None,
                dateless: false,
            }),
            folder: tempfile::tempdir().unwrap(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    pub(super) fn out(&self) -> PathBuf {
        self.folder.path().join("bundle")
    }

    /// Answers a path with this from now on; several are given in turn, the last one for ever.
    /// Paths are below `/api/atlas/v2`.
    pub(super) fn on(&self, path: &str, replies: impl IntoIterator<Item = Reply>) -> &Self {
        let path = format!("/api/atlas/v2{path}");
        let replies: VecDeque<Reply> = replies.into_iter().collect();
        self.state().replies.insert(path, replies);
        self
    }

    /// Answers a list that fits in one page.
    pub(super) fn list(&self, path: &str, rows: &[Value]) -> &Self {
        self.pages(path, &[rows])
    }

    /// Answers page by page.
    pub(super) fn pages(&self, path: &str, pages: &[&[Value]]) -> &Self {
        for (no, rows) in (1..).zip(pages) {
            self.on(&paged(path, no), [Reply::rows(rows)]);
        }
        self
    }

    /// A project with encryption under an AWS key and whatever of it is optional.
    pub(super) fn project(&self, id: &str, clusters: &[Value]) -> &Self {
        self.on(
            &format!("/groups/{id}/encryptionAtRest"),
            [Reply::ok(&json!({
                "awsKms": {"enabled": true, "customerMasterKeyID": key(1), "region": "US_EAST_1",
                           "valid": true},
                "azureKeyVault": {"enabled": false}, "googleCloudKms": {"enabled": false}}))],
        );
        self.clusters(id, clusters, clusters);
        self.on(
            &format!("/groups/{id}/backupCompliancePolicy"),
            [Reply::ok(&json!({}))],
        );
        for cluster in clusters {
            self.cluster(id, cluster["name"].as_str().unwrap());
        }
        self
    }

    pub(super) fn clusters(&self, id: &str, all: &[Value], running: &[Value]) -> &Self {
        let path = format!("/groups/{id}/clusters");
        self.list(
            &format!("{path}?includeDeletedWithRetainedBackups=true"),
            all,
        )
        .list(&path, running)
    }

    /// Everything of a cluster, with one snapshot.
    pub(super) fn cluster(&self, project: &str, name: &str) -> &Self {
        let path = format!("/groups/{project}/clusters/{name}/backup");
        self.list(&format!("{path}/snapshots"), &[snapshot(1)])
            .list(&format!("{path}/restoreJobs"), &[])
            .on(
                &format!("{path}/snapshots/shardedClusters"),
                [Reply::rows(&[])],
            )
            .on(
                &format!("{path}/schedule"),
                [Reply::ok(
                    &json!({"clusterName": name, "restoreWindowDays": 7, "policies": []}),
                )],
            )
    }

    /// The projects of the credential.
    pub(super) fn groups(&self, ids: &[&str]) -> &Self {
        let rows: Vec<Value> = ids.iter().map(|id| json!({"id": id, "name": id})).collect();
        self.list("/groups", &rows)
    }

    /// One project `p1` with one replica set `a`.
    pub(super) fn small() -> Self {
        let world = Self::new();
        world
            .groups(&["p1"])
            .project("p1", &[cluster("a", "REPLICASET")]);
        world
    }

    pub(super) fn stop_after(&self, requests: usize) {
        let mut state = self.state();
        let asked = state.log.len();
        state.stop_after = Some(asked + requests);
    }

    pub(super) fn go_on(&self) {
        self.state().stop_after = None;
    }

    pub(super) fn later(&self, seconds: i64) {
        let mut state = self.state();
        state.now = state.now.saturating_add(seconds);
    }

    /// Paths asked so far below `/api/atlas/v2`, with the page cut off where it is the first.
    pub(super) fn asked(&self) -> Vec<String> {
        let log = &self.state().log;
        log.iter().map(|(path, _)| short(path)).collect()
    }

    /// Changes every body that is there by now.
    pub(super) fn change_bodies(&self, change: impl Fn(&mut Value)) {
        for reply in self.state().replies.values_mut().flatten() {
            if let Reply::Body(_, body) = reply {
                let mut value = serde_json::from_slice(body).unwrap();
                change(&mut value);
                *body = value.to_string().into_bytes();
            }
        }
    }

    /// The service says no time.
    pub(super) fn drop_dates(&self) {
        self.state().dateless = true;
    }

    pub(super) fn forget_log(&self) {
        self.state().log.clear();
    }

    /// Each path with the API version that it was asked with.
    pub(super) fn versions(&self) -> BTreeMap<String, String> {
        let log = &self.state().log;
        log.iter()
            .map(|(path, accept)| (short(path), accept.clone()))
            .collect()
    }

    pub(super) fn run(&self, plan: Plan<'_>) -> Result<Collected, CollectError> {
        let clock = || self.state().now;
        let plan = Plan {
            clock: &clock,
            ..plan
        };
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        let cancelled = std::future::poll_fn(|context| {
            let state = self.state();
            if state.stop_after.is_some_and(|most| state.log.len() >= most) {
                return std::task::Poll::Ready(());
            }
            context.waker().wake_by_ref();
            std::task::Poll::Pending
        });
        runtime.block_on(collect::atlas(self, &plan, &self.out(), &(), cancelled))
    }

    /// Runs what must come to a bundle.
    pub(super) fn collect(&self) -> Collected {
        self.run(plan()).unwrap()
    }

    pub(super) fn manifest(&self) -> Value {
        serde_json::from_slice(&std::fs::read(self.out().join("manifest.json")).unwrap()).unwrap()
    }

    /// Paths in the bundle as `asked` spells them, with the status of each.
    pub(super) fn bundled(&self) -> Vec<(String, Value)> {
        let manifest = self.manifest();
        let requests = manifest["requests"].as_array().unwrap().iter();
        requests
            .map(|request| {
                (
                    short(request["path"].as_str().unwrap()),
                    request["status"].clone(),
                )
            })
            .collect()
    }
}

impl Ask for World {
    async fn get(&self, path_and_query: &str, accept: &str) -> Answer {
        // Others may be asked meanwhile.
        tokio::task::yield_now().await;
        let mut state = self.state();
        state
            .log
            .push((path_and_query.to_owned(), accept.to_owned()));
        state.now = state.now.saturating_add(1);
        let now = state.now;
        let events = path_and_query.contains("/events?");
        let replies = state.replies.get_mut(path_and_query);
        let reply = match replies {
            Some(replies) if replies.len() > 1 => replies.pop_front().unwrap(),
            Some(replies) => replies.front().unwrap().clone(),
            None if events => Reply::rows(&[]),
            None => panic!("nobody answers {path_and_query}"),
        };
        let date = (!state.dateless).then_some(now);
        drop(state);
        let mut answer = Answer {
            status: Some(200),
            date,
            local_at: now,
            retry_after: None,
            body: Vec::new(),
            failure: None,
        };
        match reply {
            Reply::Body(status, body) => {
                answer.status = Some(status);
                answer.body = body;
            }
            Reply::Dated(off, body) => {
                answer.date = Some(now.saturating_add(off));
                answer.body = body;
            }
            Reply::After(act, body) => {
                act(&self.out());
                answer.body = body;
            }
            Reply::Failed(status, failure) => {
                answer.status = status;
                answer.date = status.and(answer.date);
                answer.failure = Some(failure);
            }
        }
        answer
    }
}

/// Everything that the credential sees, one request at a time.
pub(super) fn plan() -> Plan<'static> {
    Plan {
        base_url: "https://cloud.mongodb.com".to_owned(),
        identity: Some("kqfvmzbt".to_owned()),
        scope: Scope::AllVisible,
        known: Vec::new(),
        in_flight: NonZeroUsize::MIN,
        resume: false,
        clock: &|| Timestamp::MAX,
    }
}

pub(super) fn resumed() -> Plan<'static> {
    Plan {
        resume: true,
        ..plan()
    }
}

pub(super) fn known(id: &str, clusters: &[&str]) -> KnownProject {
    let clusters = clusters.iter().map(|name| KnownCluster {
        name: (*name).to_owned(),
        has_snapshots: true,
        sharded: false,
    });
    KnownProject {
        id: id.to_owned(),
        clusters: clusters.collect(),
    }
}

pub(super) fn paged(path: &str, page: u32) -> String {
    let joint = if path.contains('?') { '&' } else { '?' };
    format!("{path}{joint}pageNum={page}&itemsPerPage=500")
}

fn short(path: &str) -> String {
    let path = path.strip_prefix("/api/atlas/v2").unwrap();
    let path = path.replace("&itemsPerPage=500", "");
    let first = path.strip_suffix("?pageNum=1");
    first
        .or_else(|| path.strip_suffix("&pageNum=1"))
        .unwrap_or(&path)
        .to_owned()
}

pub(super) fn cluster(name: &str, kind: &str) -> Value {
    json!({"id": format!("id-{name}"), "name": name, "clusterType": kind, "stateName": "IDLE",
        "backupEnabled": true, "pitEnabled": false, "encryptionAtRestProvider": "AWS",
        "replicationSpecs": [{"regionConfigs": [{"providerName": "AWS"}]}]})
}

pub(super) fn snapshot(no: u32) -> Value {
    json!({"id": format!("{no:024x}"), "type": "replicaSet", "status": "completed",
        "createdAt": "2026-10-31T02:00:00Z", "expiresAt": "2027-10-31T02:00:00Z",
        "frequencyType": "daily", "masterKeyUUID": key(1)})
}

/// So many snapshots from a number on.
pub(super) fn snapshots(from: u32, count: u32) -> Vec<Value> {
    (from..from + count).map(snapshot).collect()
}

pub(super) fn key(no: u32) -> String {
    format!("arn:aws:kms:us-east-1:111122223333:key/00000000-0000-4000-8000-{no:012x}")
}

/// The lists that gaps name, as `asked` spells them, each with how it was answered.
pub(super) fn gaps(collected: &Collected) -> Vec<(String, String)> {
    let gaps = collected.gaps.iter();
    gaps.map(|gap| (short(&gap.path), gap.answer.clone()))
        .collect()
}
