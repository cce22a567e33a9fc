//! What was collected is ingested and judged: a bundle of everything makes a project complete, and
//! one that lacks anything says so, whatever it lacks. The service is a table in this file; the
//! network has stories of its own.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::Mutex;

use serde_json::{Value, json};
use snapkey::collect::{self, CollectError, Collected, KnownCluster, KnownProject, Plan};
use snapkey::http::{Answer, Ask, Failure};
use snapkey::model::{Scope, Timestamp};

use crate::support::cmd::Place;
use crate::support::evidence::arn;

const FIRST: &str = "2026-11-01T02:00:00Z";
const SECOND: &str = "2026-11-02T02:00:00Z";
const AS_OF: &str = "2026-11-02T02:30:00Z";

/// Answers by path below `/api/atlas/v2` without the query; a second page is empty.
struct Service {
    answers: BTreeMap<String, Value>,
    /// Fails for ever.
    broken: Option<(String, Fault)>,
    asked: Mutex<Vec<String>>,
    at: Timestamp,
    /// The run is stopped here.
    ends_after: usize,
}

#[derive(Clone, Copy, Debug)]
enum Fault {
    Silent,
    Refused(u16, &'static str),
    NotJson,
    Cut,
}

impl Service {
    fn new(at: &str) -> Self {
        Self {
            answers: BTreeMap::new(),
            broken: None,
            asked: Mutex::default(),
            at: Timestamp::floor(at).unwrap(),
            ends_after: usize::MAX,
        }
    }

    fn on(&mut self, path: &str, body: Value) {
        self.answers.insert(path.to_owned(), body);
    }

    fn list(&mut self, path: &str, rows: &[Value]) {
        self.on(path, json!({"links": [], "results": rows}));
    }

    fn cluster(&mut self, name: &str, snapshots: &[Value]) {
        let path = format!("/groups/p1/clusters/{name}/backup");
        self.list(&format!("{path}/snapshots"), snapshots);
        self.list(&format!("{path}/snapshots/shardedClusters"), &[]);
        self.list(&format!("{path}/restoreJobs"), &[]);
        self.on(
            &format!("{path}/schedule"),
            json!({"clusterName": name, "restoreWindowDays": 7, "policies": []}),
        );
    }

    fn collect(&self, out: &Path, resume: bool) -> Result<Collected, CollectError> {
        let plan = Plan {
            base_url: "https://cloud.mongodb.com".to_owned(),
            identity: Some("kqfvmzbt".to_owned()),
            scope: Scope::AllVisible,
            known: vec![KnownProject {
                id: "p1".to_owned(),
                clusters: vec![KnownCluster {
                    name: "a".to_owned(),
                    has_snapshots: true,
                    sharded: false,
                }],
            }],
            in_flight: NonZeroUsize::new(8).unwrap(),
            resume,
            clock: &|| self.at,
        };
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        let cancelled = std::future::poll_fn(|context| {
            context.waker().wake_by_ref();
            if self.asked.lock().unwrap().len() >= self.ends_after {
                std::task::Poll::Ready(())
            } else {
                std::task::Poll::Pending
            }
        });
        runtime.block_on(collect::atlas(self, &plan, out, &(), cancelled))
    }
}

impl Ask for Service {
    async fn get(&self, path_and_query: &str, _accept: &str) -> Answer {
        tokio::task::yield_now().await;
        let path = path_and_query.strip_prefix("/api/atlas/v2").unwrap();
        self.asked.lock().unwrap().push(path.to_owned());
        let mut answer = Answer {
            status: Some(200),
            date: Some(self.at),
            local_at: self.at,
            retry_after: None,
            body: Vec::new(),
            failure: None,
        };
        let (name, query) = path.split_once('?').unwrap_or((path, ""));
        if let Some((broken, fault)) = &self.broken
            && *broken == path
        {
            match fault {
                Fault::Silent => {
                    answer.status = None;
                    answer.date = None;
                    answer.failure = Some(Failure::TimedOut(30));
                }
                Fault::Refused(status, code) => {
                    answer.status = Some(*status);
                    answer.body = json!({"error": status, "errorCode": code})
                        .to_string()
                        .into();
                }
                Fault::NotJson => answer.failure = Some(Failure::NotJson),
                Fault::Cut => answer.failure = Some(Failure::Cut("reset".to_owned())),
            }
            return answer;
        }
        let all = self.answers.get(&format!("{name}?deleted"));
        let body = all
            .filter(|_| query.contains("includeDeletedWithRetainedBackups=true"))
            .or_else(|| self.answers.get(name))
            .unwrap_or_else(|| panic!("nobody answers {path}"));
        let page: usize = query
            .split('&')
            .find_map(|pair| pair.strip_prefix("pageNum="))
            .map_or(1, |page| page.parse().unwrap());
        let mut body = body.clone();
        if let Some(rows) = body["results"].as_array_mut()
            && query.contains("pageNum=")
        {
            let skipped = rows.len().min((page - 1) * 500);
            rows.drain(..skipped);
            rows.truncate(500);
        }
        answer.body = body.to_string().into_bytes();
        answer
    }
}

fn cluster(name: &str, kind: &str) -> Value {
    json!({"id": format!("id-{name}"), "name": name, "clusterType": kind, "stateName": "IDLE",
        "backupEnabled": true, "pitEnabled": false, "paused": false,
        "encryptionAtRestProvider": "AWS",
        "replicationSpecs": [{"regionConfigs": [{"providerName": "AWS"}]}]})
}

fn snapshot(id: &str, key: usize, created: &str) -> Value {
    json!({"id": id, "type": "replicaSet", "status": "completed", "frequencyType": "daily",
        "createdAt": created, "expiresAt": "2027-01-01T00:00:00Z", "masterKeyUUID": arn(key)})
}

/// The first day: key 2 is the project's, and one snapshot is under it.
fn first_day() -> Service {
    service(FIRST, 2, &[snapshot("s-old", 2, "2026-10-01T00:00:00Z")])
}

/// The second day: key 1 is, and what was under key 2 is gone.
fn second_day() -> Service {
    service(SECOND, 1, &[snapshot("s-new", 1, "2026-11-01T12:00:00Z")])
}

fn service(at: &str, key: usize, snapshots: &[Value]) -> Service {
    let mut service = Service::new(at);
    service.list("/groups", &[json!({"id": "p1", "name": "one"})]);
    service.on(
        "/groups/p1/encryptionAtRest",
        json!({"awsKms": {"enabled": true, "customerMasterKeyID": arn(key), "region": "US_EAST_1",
            "valid": true}, "azureKeyVault": {"enabled": false}, "googleCloudKms": {"enabled": false}}),
    );
    let clusters = [cluster("a", "REPLICASET"), cluster("b", "SHARDED")];
    service.list("/groups/p1/clusters", &clusters);
    service.cluster("a", snapshots);
    let mut sharded = snapshots.first().cloned().unwrap_or_default();
    sharded["id"] = format!("{}-sharded", sharded["id"].as_str().unwrap_or_default()).into();
    sharded["type"] = "shardedCluster".into();
    service.cluster("b", std::slice::from_ref(&sharded));
    service.list(
        "/groups/p1/clusters/b/backup/snapshots/shardedClusters",
        &[sharded],
    );
    service.on("/groups/p1/backupCompliancePolicy", json!({}));
    service.list("/groups/p1/events", &[]);
    service
}

/// Ingests a folder and gives the exit code.
fn ingest(place: &Place, folder: &Path) -> i32 {
    place.run(&["ingest", folder.to_str().unwrap()]).code
}

/// The verdict on key 2, which nothing needs on the second day.
fn verdict(place: &Place) -> Value {
    let (_, check) = place.json(&["--as-of", AS_OF, "check", &arn(2)]);
    check["verdict"].clone()
}

/// A place that knows the first day.
fn after_the_first_day() -> Place {
    let place = Place::new();
    let out = place.path().join("first");
    let collected = first_day().collect(&out, false).unwrap();
    assert_eq!(collected.gaps, []);
    assert_eq!(ingest(&place, &out), 0);
    let (_, check) = place.json(&["--as-of", "2026-11-01T02:30:00Z", "check", &arn(2)]);
    assert_eq!(check["verdict"], "held");
    place
}

fn complete(place: &Place) -> bool {
    let (_, projects) = place.json(&["--as-of", AS_OF, "projects"]);
    projects["projects"][0]["complete"] == true
}

#[test]
fn what_was_collected_whole_is_ingested_as_complete() {
    let place = after_the_first_day();
    let out = place.path().join("second");
    assert!(second_day().collect(&out, false).unwrap().is_complete());
    assert_eq!(ingest(&place, &out), 0);
    assert!(complete(&place));
    assert_eq!(verdict(&place), "safe");
}

#[test]
fn whatever_fails_for_ever_is_named_and_makes_nothing_safe() {
    let base = after_the_first_day();
    let store = std::fs::read(base.path().join("snapkey.db")).unwrap();
    let clean = second_day();
    clean.collect(&base.path().join("clean"), false).unwrap();
    let mut paths = clean.asked.into_inner().unwrap();
    paths.dedup();
    let faults = [
        Fault::Silent,
        Fault::Refused(500, "UNEXPECTED_ERROR"),
        Fault::Refused(404, "CLUSTER_NOT_FOUND"),
        Fault::NotJson,
        Fault::Cut,
    ];
    for (no, path) in paths.iter().enumerate() {
        // All faults on some, and each fault on some: every pair would take a minute.
        let some = if path.contains("/clusters/a/backup/snapshots?") {
            &faults[..]
        } else {
            &faults[no % 5..=no % 5]
        };
        for fault in some {
            let place = Place::new();
            std::fs::write(place.path().join("snapkey.db"), &store).unwrap();
            let mut broken = second_day();
            broken.broken = Some((path.clone(), *fault));
            let out = place.path().join("second");
            let collected = broken.collect(&out, false).unwrap();
            let told = format!("{path} {fault:?}");
            // Evidence of jobs, policy and events is no part of completeness: what lacks of it is
            // assumed or doubted, and printed.
            let beside = ["/restoreJobs", "/backupCompliancePolicy", "/events"]
                .iter()
                .any(|part| path.contains(part));
            let assumed = beside && matches!(fault, Fault::Refused(404, _));
            assert_eq!(
                collected.gaps.is_empty(),
                assumed && !path.contains("/events"),
                "{told}"
            );
            let named = collected.gaps.iter().chain(&collected.assumptions);
            let named: Vec<String> = named.map(ToString::to_string).collect();
            let bare = path
                .split("pageNum=")
                .next()
                .unwrap()
                .trim_end_matches(['?', '&']);
            assert!(
                named.iter().any(|text| text.contains(bare)),
                "{told}: {named:?}"
            );
            ingest(&place, &out);
            let live_list = path.starts_with("/groups/p1/clusters?pageNum");
            if beside || live_list {
                assert!(complete(&place), "{told}");
            } else {
                // Older readings stand, but not for a day.
                assert_ne!(verdict(&place), "safe", "{told}");
            }
        }
    }
    assert!(paths.len() >= 13, "{paths:?}");
}

#[test]
fn lists_of_several_pages_and_names_that_need_escapes_are_read_back() {
    let place = Place::new();
    let mut service = first_day();
    let rows: Vec<Value> = (0..1_001)
        .map(|no| snapshot(&format!("{no:024x}"), no % 7, "2026-10-31T00:00:00Z"))
        .collect();
    let name = "été & co/x";
    service.list(
        "/groups/p1/clusters",
        &[cluster(name, "REPLICASET"), cluster("a", "REPLICASET")],
    );
    service.cluster("%C3%A9t%C3%A9%20%26%20co%2Fx", &rows);
    let schedule = "/groups/p1/clusters/%C3%A9t%C3%A9%20%26%20co%2Fx/backup/schedule";
    service.on(
        schedule,
        json!({"clusterName": name, "restoreWindowDays": 7, "policies": []}),
    );
    let out = place.path().join("bundle");
    let collected = service.collect(&out, false).unwrap();
    assert_eq!(collected.gaps, []);
    assert_eq!(ingest(&place, &out), 0);
    assert!(complete(&place));
    let (_, snapshots) = place.json(&["--as-of", AS_OF, "snapshots", "--cluster", name]);
    assert_eq!(snapshots["snapshots"].as_array().unwrap().len(), 1_001);
}

#[test]
fn a_deleted_cluster_with_backups_holds_its_key() {
    let place = after_the_first_day();
    let mut service = second_day();
    let live = [cluster("a", "REPLICASET"), cluster("b", "SHARDED")];
    let mut all = live.to_vec();
    all.push(cluster("ghost", "REPLICASET"));
    service.list("/groups/p1/clusters?deleted", &all);
    service.cluster("ghost", &[snapshot("s-ghost", 2, "2026-09-01T00:00:00Z")]);
    let ghost_schedule = "/groups/p1/clusters/ghost/backup/schedule".to_owned();
    service.broken = Some((ghost_schedule, Fault::Refused(404, "CLUSTER_NOT_FOUND")));
    let out = place.path().join("second");
    assert_eq!(service.collect(&out, false).unwrap().gaps, []);
    assert_eq!(ingest(&place, &out), 0);
    assert!(complete(&place));
    assert_eq!(verdict(&place), "held");
}

#[test]
fn half_a_bundle_is_never_taken_for_a_whole_one() {
    let clean = second_day();
    let scratch = Place::new();
    clean.collect(&scratch.path().join("clean"), false).unwrap();
    let requests = clean.asked.into_inner().unwrap().len();
    for ends_after in [0, 1, 2, 5, requests - 1] {
        let place = after_the_first_day();
        let out = place.path().join("second");
        let mut service = second_day();
        service.ends_after = ends_after;
        let stopped = service.collect(&out, false).unwrap_err();
        assert!(matches!(stopped, CollectError::Stopped { .. }), "{stopped}");
        assert_eq!(ingest(&place, &out), 3, "{ends_after}");
        assert_ne!(verdict(&place), "safe", "{ends_after}");
        // Nor is it walked into as loose files when it lies in a folder of bundles.
        let (_, listed) = place.json(&["--as-of", AS_OF, "snapshots"]);
        assert_eq!(
            listed["snapshots"].as_array().unwrap().len(),
            2,
            "{ends_after}"
        );

        service.ends_after = usize::MAX;
        assert!(service.collect(&out, true).unwrap().is_complete());
        assert_eq!(ingest(&place, &out), 0, "{ends_after}");
        assert_eq!(verdict(&place), "safe", "{ends_after}");
    }
}

#[test]
fn the_same_bundle_twice_changes_nothing() {
    let place = after_the_first_day();
    let out = place.path().join("first");
    let before = crate::support::stored::read(&place.path().join("snapkey.db"));
    assert_eq!(ingest(&place, &out), 0);
    let after = crate::support::stored::read(&place.path().join("snapkey.db"));
    assert_eq!(before.differences(&after), []);
}
