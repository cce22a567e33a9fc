//! Stories of an estate that is read live: what it holds and what changes in it is said first, then
//! the verdicts, each derived by hand from the rules. Judged with `--no-probe` unless the story
//! is about a key service, so that only the inventory speaks.

mod access;
mod changes;
mod documented;
mod resume;

use chrono::TimeDelta;
use serde_json::{Value, json};

use crate::emulator::atlas::Atlas;
use crate::emulator::atlas::estate::{Cluster, Estate, Form, Project, Role, id, snapshot};
use crate::emulator::aws::{Aws, Key};
use crate::support::atlas::{Login, Machine, enabled, hours_ago};

/// The key of the projects now, the one before, and one that nothing ever named.
const CURRENT: &str = "arn:aws:kms:us-east-1:111122223333:key/2f6b8d14-50e7-4c93-a1d8-7e39b0c4f526";
const FORMER: &str = "arn:aws:kms:us-east-1:111122223333:key/91c4e7a3-8d2f-4b60-95e1-c3a70f18d6b2";
const SPARE: &str = "arn:aws:kms:us-east-1:111122223333:key/d05a3c8e-f716-4e29-b48b-16e9a2c7504f";

/// A snapshot of so many hours ago that expires in so many.
fn taken(number: usize, ago: i64, ahead: i64, key: &str) -> Value {
    snapshot(number, &hours_ago(ago), &hours_ago(-ahead), Some(key))
}

fn replica_set(number: usize, name: &str) -> Cluster {
    Cluster::new(number, name, Form::ReplicaSet)
}

fn estate(projects: impl IntoIterator<Item = Project>) -> Estate {
    Estate {
        projects: projects.into_iter().collect(),
    }
}

/// One project, one cluster, one snapshot, all under the current key.
fn orders() -> Project {
    Project::new(1, "orders")
        .with_aws_key(CURRENT)
        .with(replica_set(1, "main").with(taken(1, 30, 100, CURRENT)))
}

/// Holds of every request that was made: reading, in versions, and the two calls of a login.
fn only_read(atlas: &Atlas) {
    let log = atlas.log();
    assert!(!log.is_empty(), "nothing was asked");
    for request in &log {
        let asks = request.method == "GET"
            && request.target.starts_with("/api/atlas/v2/")
            && request.accept.starts_with("application/vnd.atlas.");
        let logs_in = request.method == "POST"
            && ["/api/oauth/token", "/api/oauth/revoke"].contains(&request.target.as_str());
        assert!(asks || logs_in, "{request:?}");
        let refused = [400, 405, 406, 410];
        let status = request.status.unwrap_or_default();
        assert!(!refused.contains(&status), "{request:?}");
    }
    assert_eq!(atlas.world().live_tokens(), 0, "a token was left alive");
}

/// The machine that sees Atlas and the one that sees the key service are two, and need only the
/// bundle between them.
#[test]
fn two_machines_share_a_bundle() {
    let atlas = Atlas::start(estate([orders()]));
    let kms = Aws::start();
    kms.put(CURRENT, Key::in_state("Enabled"));
    let here = Machine::of(&atlas, Login::ApiKey);
    let collected = here.collect("bundle", &[]);
    assert_eq!(collected.code, 0, "{}", collected.stderr);
    assert!(kms.log().is_empty());
    only_read(&atlas);
    let manifest = here.manifest("bundle");
    assert_eq!(manifest["format"], "snapkey-bundle/1");
    assert_eq!(manifest["source"], "atlas");
    assert_eq!(manifest["base_url"], atlas.url());
    assert_eq!(manifest["scope"], json!({"all_visible": true}));
    assert_eq!(manifest["identity"], "kqfvmzbt");

    atlas.calm();
    let there = Machine::bare().with_aws(&kms);
    let bundle = here.path("bundle");
    let (code, audit) = there.json(&["audit", bundle.to_str().unwrap()]);
    // Completed, not expired, on a list of just now; its key was asked about just now: enabled.
    // Nothing is missing and no finding is denied: exit 0.
    assert_eq!(audit["snapshots"][0]["verdict"], "restorable", "{audit}");
    assert_eq!(audit["keys"][0]["verdict"], "held", "{audit}");
    assert_eq!(code, 0, "{audit}");
    assert!(atlas.log().is_empty(), "Atlas was asked again");
    assert!(kms.count("TrentService.DescribeKey") > 0);
}

/// An inventory of three hours ago is too old to delete by; `--refresh` reads again. Of two keys
/// about which nothing was known, one turns out to be safe and one to be held.
#[test]
fn a_refresh_turns_stale_into_a_verdict() {
    let atlas = Atlas::start(estate([orders()]));
    let kms = Aws::start();
    kms.put(FORMER, Key::in_state("Enabled"));
    kms.put(SPARE, Key::in_state("Enabled"));
    let machine = Machine::of(&atlas, Login::ServiceAccount).with_aws(&kms);
    machine.take_in_of("bundle", TimeDelta::hours(3));
    atlas.change(|estate| {
        let main = estate.projects[0].cluster_mut("main");
        main.snapshots.push(taken(2, 2, 100, FORMER));
    });
    for key in [SPARE, FORMER] {
        let stale = machine.check_with(key, &[]);
        // No dependant; project and project list are older than an hour.
        assert_eq!(stale.said(), "unknown 3", "{}", stale.document);
        let doubts = stale.kinds("doubts");
        assert!(doubts.contains(&"project-stale"), "{doubts:?}");
    }
    atlas.calm();
    let safe = machine.check_with(SPARE, &["--refresh"]);
    assert_eq!(safe.said(), "safe 0", "{}", safe.document);
    let held = machine.check_with(FORMER, &["--refresh"]);
    assert_eq!(held.said(), "held 1", "{}", held.document);
    let dependants = held.dependants();
    assert_eq!(dependants.len(), 1, "{dependants:?}");
    assert!(dependants[0].starts_with(&format!("snapshot main {}", id(3, 2))));
    only_read(&atlas);
}

/// What a refresh cannot read is no reason to call anything safe.
#[test]
fn a_refresh_that_is_refused_leaves_it_unknown() {
    let atlas = Atlas::start(estate([orders()]));
    let kms = Aws::start();
    kms.put(SPARE, Key::in_state("Enabled"));
    let machine = Machine::of(&atlas, Login::ServiceAccount).with_aws(&kms);
    machine.take_in_of("bundle", TimeDelta::hours(3));
    atlas.change(|estate| estate.projects[0].role = Role::Nothing);
    let ran = machine.run(&["--format", "json", "check", SPARE, "--refresh"]);
    assert_eq!(ran.code, 3, "{}{}", ran.stdout, ran.stderr);
    assert!(
        !ran.stdout.contains("\"verdict\": \"safe\""),
        "{}",
        ran.stdout
    );
}

/// What was asked for is what the verdict is about, and stands beside it.
#[test]
fn a_scope_is_told_with_the_verdict() {
    let mut foreign = Project::new(2, "foreign");
    foreign.org = id(0, 2);
    let (one, org) = (id(1, 1), id(0, 1));
    let cases = [
        (
            vec![],
            json!({"all_visible": true}),
            "all-visible".to_owned(),
            2,
        ),
        (
            vec!["--org", &org],
            json!({"org": org}),
            format!("org:{org}"),
            1,
        ),
        (
            vec!["--project", &one],
            json!({"projects": [one]}),
            format!("projects:{one}"),
            1,
        ),
    ];
    for (more, scope, told, projects) in cases {
        let atlas = Atlas::start(estate([orders(), foreign.clone()]));
        let machine = Machine::of(&atlas, Login::ServiceAccount);
        machine.place.write("keys.ndjson", &enabled(&[SPARE]));
        let collected = machine.collect("bundle", &more);
        assert_eq!(collected.code, 0, "{more:?}: {}", collected.stderr);
        assert_eq!(machine.manifest("bundle")["scope"], scope);
        machine.ingest("bundle", 0);
        machine.ingest("keys.ndjson", 0);
        let safe = machine.check(SPARE);
        assert_eq!(safe.said(), "safe 0", "{more:?}: {}", safe.document);
        assert_eq!(safe.document["roots"][0]["scope"], told);
        assert_eq!(safe.document["roots"][0]["source"], "atlas");
        let (_, listed) = machine.json(&["projects"]);
        let listed = listed["projects"].as_array().unwrap().len();
        assert_eq!(listed, projects, "{more:?}");
        let strayed = atlas.log().iter().any(|r| r.target.contains(&id(1, 2)));
        assert_eq!(strayed, projects == 2, "{more:?}");
        only_read(&atlas);
    }
}

/// `ingest atlas` is the two in a row.
#[test]
fn a_live_ingest_says_the_same() {
    let atlas = Atlas::start(estate([orders()]));
    let machine = Machine::of(&atlas, Login::ServiceAccount);
    machine.place.write("keys.ndjson", &enabled(&[SPARE]));
    let live = machine.run(&["ingest", "atlas"]);
    assert_eq!(live.code, 0, "{}", live.stderr);
    machine.ingest("keys.ndjson", 0);
    assert_eq!(machine.check(SPARE).said(), "safe 0");
    let current = machine.check(CURRENT);
    assert_eq!(current.said(), "held 1");
    assert_eq!(current.kinds("dependants"), ["current-key", "snapshot"]);
    only_read(&atlas);
}
