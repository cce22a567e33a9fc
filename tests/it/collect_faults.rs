//! Every request of `snapkey collect atlas`, failing in every way: once, and the bundle is complete
//! all the same; for ever, and what is missing is named, and no verdict is better than it was.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::time::Duration;

use serde_json::{Value, json};

use crate::emulator::atlas::estate::{Cluster, Estate, Form, Project, id, snapshot};
use crate::emulator::atlas::login::Auth;
use crate::emulator::atlas::{Atlas, Fault, Request};
use crate::support::atlas::{Login, Machine, enabled, hours_ago, settings};
use crate::support::evidence::{Passed, read};

const CURRENT: &str = "arn:aws:kms:us-east-1:111122223333:key/5b1d7e90-3c42-4f86-9a0b-d8e2f6714c35";
const FORMER: &str = "arn:aws:kms:us-east-1:111122223333:key/c08f4a2e-71b5-4d39-8e6c-2f9a50d3b714";
/// Named by nothing, known to the key service: the one that is safe.
const SPARE: &str = "arn:aws:kms:us-east-1:111122223333:key/e7a35c16-d904-4b28-b1f7-06c8d92e5a43";

/// The ways in which an answer fails to come that asking again can mend.
const WAYS: [Fault; 6] = [
    Fault::Silence,
    Fault::Reset,
    Fault::Status(500, "UNEXPECTED_ERROR"),
    Fault::TooMany(Some(1)),
    Fault::Cut,
    Fault::Body("<html>busy</html>"),
];
/// Asking again brings the same: JSON, but nothing that was asked for.
const STRANGE: Fault = Fault::Body("\"busy\"");

const WORKERS: usize = 24;

fn completed(number: usize, key: &str) -> Value {
    snapshot(number, &hours_ago(30), &hours_ago(-100), Some(key))
}

/// `orders` with point-in-time restore and a sharded cluster; `archive` with a deleted cluster and
/// one that has its backups off.
fn small() -> Estate {
    let mut old = Cluster::new(3, "old", Form::ReplicaSet).with(completed(3, FORMER));
    old.deleted = true;
    old.schedule = None;
    let mut sandbox = Cluster::new(4, "sandbox", Form::ReplicaSet)
        .showing(json!({"backupEnabled": false, "encryptionAtRestProvider": "NONE"}));
    sandbox.no_snapshots = Some((404, "BACKUP_NOT_ENABLED"));
    sandbox.schedule = None;
    Estate {
        projects: vec![
            Project::new(1, "orders")
                .with_aws_key(CURRENT)
                .with(
                    Cluster::new(1, "main", Form::ReplicaSet)
                        .with(completed(1, CURRENT))
                        .showing(json!({"pitEnabled": true})),
                )
                .with(Cluster::new(2, "wide", Form::Sharded).with(completed(2, CURRENT))),
            Project::new(2, "archive")
                .with_aws_key(CURRENT)
                .with(old)
                .with(sandbox),
        ],
    }
}

/// One cluster whose snapshots fill a page and begin another.
fn paged() -> Estate {
    let mut long = Cluster::new(1, "long", Form::ReplicaSet);
    long.snapshots = (1..=501).map(|n| completed(n, CURRENT)).collect();
    let project = Project::new(1, "orders").with_aws_key(CURRENT).with(long);
    Estate {
        projects: vec![project],
    }
}

/// A request of a clean run: its name, and how many of that name went before.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Step {
    name: String,
    nth: usize,
}

/// What depends on a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Weight {
    /// No project is complete without it: exit 3, nothing is safe.
    Required,
    /// No history of keys is known without it: nothing is safe.
    History,
    /// An assumption stands in its place.
    Optional,
    /// Nothing is asked without it.
    Login,
    /// Nobody needs it, whatever is said of it.
    Unneeded,
    /// Everything is read by then.
    Farewell,
}

impl Step {
    fn path(&self) -> &str {
        let (_, target) = self.name.split_once(' ').unwrap();
        target.split('?').next().unwrap()
    }

    fn weight(&self) -> Weight {
        let path = self.path();
        let ends = |end: &str| path.ends_with(end);
        if ends("/oauth/token") {
            Weight::Login
        } else if ends("/oauth/revoke") {
            Weight::Farewell
        } else if ends("/sandbox/backup/schedule") {
            Weight::Unneeded
        } else if ends("/events") && path.contains(&id(1, 1)) {
            Weight::History
        } else if ends("/restoreJobs")
            || ends("/backupCompliancePolicy")
            || ends("/events")
            || path.contains("/flexClusters")
            || (ends("/clusters") && !self.name.contains("DeletedWithRetainedBackups=true"))
            || (ends("/shardedClusters") && !path.contains("/wide/"))
        {
            Weight::Optional
        } else {
            Weight::Required
        }
    }
}

/// What got through, without the rounds of a digest.
fn steps(log: &[Request]) -> Vec<Step> {
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    log.iter()
        .filter(|request| request.auth != Auth::None)
        .map(|request| {
            let name = request.name();
            let nth = seen.entry(name.clone()).or_default();
            *nth += 1;
            Step {
                name,
                nth: *nth - 1,
            }
        })
        .collect()
}

/// One bundle and what follows from it.
struct Outcome {
    code: i32,
    stderr: String,
    /// Per request without the date of events: status, and the rows or the object of its page.
    requests: Vec<(String, Value, Option<Value>)>,
    passed: Passed,
    /// Keys that the audit lists as held.
    held: BTreeSet<String>,
}

fn run(atlas: &Atlas, timeout: Duration, attempts: u32) -> Outcome {
    let machine = Machine::of(atlas, Login::ServiceAccount);
    machine
        .place
        .write("snapkey.toml", &settings(timeout, attempts));
    let keys = enabled(&[CURRENT, FORMER, SPARE]);
    machine.place.write("keys.ndjson", &keys);
    let collected = machine.collect("bundle", &[]);
    let mut outcome = Outcome {
        code: collected.code,
        stderr: collected.stderr,
        requests: Vec::new(),
        passed: Passed::default(),
        held: BTreeSet::new(),
    };
    if !machine.path("bundle/manifest.json").exists() {
        return outcome;
    }
    for request in machine.manifest("bundle")["requests"].as_array().unwrap() {
        let asked = Request {
            method: "GET".to_owned(),
            target: request["path"].as_str().unwrap().to_owned(),
            accept: String::new(),
            auth: Auth::None,
            status: None,
        };
        let file = request["file"].as_str();
        let page = file.map(|file| {
            let page = read(&machine.path("bundle").join(file));
            page.get("results").unwrap_or(&page).clone()
        });
        let name = format!("{} pass {}", asked.name(), request["pass"]);
        outcome
            .requests
            .push((name, request["status"].clone(), page));
    }
    outcome.requests.sort_by(|a, b| a.0.cmp(&b.0));
    let words = [
        "--store",
        ":memory:",
        "--offline",
        "audit",
        "bundle",
        "keys.ndjson",
    ];
    let (code, audit) = machine.json(&words);
    assert!([0, 1, 3].contains(&code), "audit: {code}");
    let of = |list: &str, verdict: &str| -> BTreeSet<String> {
        let rows = audit[list].as_array().unwrap().iter();
        let rows = rows.filter(|row| row["verdict"] == verdict);
        rows.map(|row| row["id"].as_str().unwrap().to_owned())
            .collect()
    };
    outcome.passed = Passed {
        safe: of("keys", "safe"),
        restorable: of("snapshots", "restorable"),
    };
    outcome.held = of("keys", "held");
    outcome
}

const PATIENT: Duration = Duration::from_secs(20);

/// What nothing disturbed.
struct Clean {
    outcome: Outcome,
    steps: Vec<Step>,
}

fn clean(estate: &Estate) -> Clean {
    let named = estate.projects.iter().any(|p| p.name == "archive");
    let atlas = Atlas::start(estate.clone());
    let outcome = run(&atlas, PATIENT, 3);
    assert_eq!(outcome.code, 0, "{}", outcome.stderr);
    let of_snapshots = |project: &Project| -> Vec<String> {
        let clusters = project.clusters.iter();
        clusters
            .flat_map(|c| &c.snapshots)
            .map(|s| s["id"].as_str().unwrap().to_owned())
            .collect()
    };
    // By hand: every snapshot is completed, not expired, on a list of just now, under a key that is
    // enabled. The spare key is named by nothing in an estate that was read whole; nor is the former
    // one where there is no archive.
    let safe: &[&str] = if named { &[SPARE] } else { &[SPARE, FORMER] };
    let expected = Passed {
        safe: safe.iter().map(|key| (*key).to_owned()).collect(),
        restorable: estate.projects.iter().flat_map(of_snapshots).collect(),
    };
    assert_eq!(outcome.passed, expected);
    let log = atlas.log();
    assert_eq!(atlas.world().live_tokens(), 0, "the token was left alive");
    Clean {
        outcome,
        steps: steps(&log),
    }
}

/// Runs the cases beside each other and gives what went wrong, one text each.
fn all<T: Sync>(cases: &[T], judge: impl Fn(&T) -> Vec<String> + Sync) -> Vec<String> {
    let next = Mutex::new(cases.iter());
    let wrong = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..WORKERS.min(cases.len()) {
            scope.spawn(|| {
                loop {
                    let case = next.lock().unwrap().next();
                    let Some(case) = case else { break };
                    let found = judge(case);
                    wrong.lock().unwrap().extend(found);
                }
            });
        }
    });
    wrong.into_inner().unwrap()
}

/// Each of six runs befalls every request once, each in a way of its own, so that all runs befall
/// each request in each way.
fn mended(estate: &Estate) {
    let clean = clean(estate);
    let shifts: Vec<usize> = (0..WAYS.len()).collect();
    let wrong = all(&shifts, |&shift| {
        let atlas = Atlas::start(estate.clone());
        for (no, step) in clean.steps.iter().enumerate() {
            let way = &WAYS[(no + shift) % WAYS.len()];
            atlas.fail(&step.name, usize::from(step.nth > 0), 1, way.clone());
        }
        let outcome = run(&atlas, Duration::from_secs(5), 6);
        let mut wrong = Vec::new();
        let mut differs = |what: &str| {
            wrong.push(format!("shift {shift}: {what}\n{}", outcome.stderr));
        };
        if outcome.code != 0 {
            differs(&format!("exit {}", outcome.code));
        }
        if outcome.passed != clean.outcome.passed || outcome.held != clean.outcome.held {
            differs(&format!("{:?}", outcome.passed));
        }
        let answers = |outcome: &Outcome| -> BTreeMap<String, (Value, Option<Value>)> {
            let requests = outcome.requests.iter().cloned();
            requests
                .map(|(n, status, body)| (n, (status, body)))
                .collect()
        };
        let (got, wanted) = (answers(&outcome), answers(&clean.outcome));
        for (name, answer) in &wanted {
            if got.get(name) != Some(answer) {
                differs(&format!("{name} is not as in a clean run"));
            }
        }
        wrong
    });
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn what_fails_once_is_asked_again() {
    mended(&small());
}

#[test]
fn pages_that_fail_once_are_asked_again() {
    mended(&paged());
}

/// One request that fails from its turn on.
struct Lasting<'a> {
    step: &'a Step,
    way: Fault,
}

fn for_ever(estate: &Estate, meant: impl Fn(&Step) -> bool) -> usize {
    let clean = clean(estate);
    let mut cases = Vec::new();
    for step in clean.steps.iter().filter(|step| meant(step)) {
        for way in WAYS.iter().chain([&STRANGE]) {
            // A 404 whose body is cut is a 404 still, and that is all there is to a deleted
            // cluster's schedule.
            if *way != Fault::Cut || !step.path().ends_with("/old/backup/schedule") {
                let way = way.clone();
                cases.push(Lasting { step, way });
            }
        }
    }
    let wrong = all(&cases, |case| {
        let atlas = Atlas::start(estate.clone());
        let Step { name, nth } = case.step;
        atlas.fail(name, *nth, usize::MAX, case.way.clone());
        let timeout = if case.way == Fault::Silence {
            Duration::from_secs(8)
        } else {
            PATIENT
        };
        let outcome = run(&atlas, timeout, 2);
        let wrong = worsened(case, &outcome, &clean.outcome);
        let told = |what: String| {
            let no = nth + 1;
            format!(
                "{name} (no. {no}), {:?}: {what}\n{}",
                case.way, outcome.stderr
            )
        };
        wrong.into_iter().map(told).collect()
    });
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    cases.len()
}

/// What is wrong with a run of which one request failed for ever.
fn worsened(case: &Lasting<'_>, outcome: &Outcome, clean: &Outcome) -> Vec<String> {
    let weight = case.step.weight();
    let mut wrong = Vec::new();
    let codes: &[i32] = match weight {
        Weight::Required => &[3],
        Weight::History | Weight::Optional | Weight::Unneeded => &[0, 3],
        Weight::Login => &[2, 3, 4],
        Weight::Farewell => &[0],
    };
    if !codes.contains(&outcome.code) {
        wrong.push(format!("exit {}, not one of {codes:?}", outcome.code));
    }
    let no_key = match weight {
        Weight::Required | Weight::History | Weight::Login => true,
        Weight::Optional | Weight::Unneeded | Weight::Farewell => false,
    };
    if no_key && !outcome.passed.safe.is_empty() {
        wrong.push(format!("safe: {:?}", outcome.passed.safe));
    }
    if !outcome.passed.safe.is_subset(&clean.passed.safe)
        || !outcome
            .passed
            .restorable
            .is_subset(&clean.passed.restorable)
    {
        wrong.push(format!("better than before: {:?}", outcome.passed));
    }
    if weight == Weight::Farewell && outcome.passed != clean.passed {
        wrong.push(format!("worse for nothing: {:?}", outcome.passed));
    }
    let listed = matches!(
        weight,
        Weight::Required | Weight::History | Weight::Optional
    );
    if listed && case.way != STRANGE {
        let path = case.step.path();
        if !outcome.stderr.contains(path) {
            wrong.push(format!("stderr does not name {path}"));
        }
        let recorded = outcome.requests.iter().any(|(name, status, file)| {
            let of_it = name.starts_with(&format!("{} pass", case.step.name));
            of_it && (*status != 200 || file.is_none())
        });
        if !recorded {
            wrong.push("the bundle does not record it".to_owned());
        }
    }
    wrong
}

#[test]
fn what_fails_for_ever_is_missed() {
    let cases = for_ever(&small(), |_| true);
    assert!(cases >= 150, "only {cases} cases");
}

#[test]
fn a_page_that_fails_for_ever_is_missed() {
    let cases = for_ever(&paged(), |step| step.path().ends_with("/backup/snapshots"));
    assert!(cases >= 4 * 7, "only {cases} cases");
}

/// The weights above say what may be missing, so each must be there.
#[test]
fn every_weight_is_tried() {
    let weights: Vec<Weight> = clean(&small()).steps.iter().map(Step::weight).collect();
    for weight in [
        Weight::Required,
        Weight::History,
        Weight::Optional,
        Weight::Login,
        Weight::Farewell,
    ] {
        assert!(weights.contains(&weight), "{weight:?}: {weights:?}");
    }
}
