//! A collection that ends before its time: killed with `kill -9` wherever a seed says, interrupted
//! with Ctrl-C. What was learned is kept, and the run that goes on from there comes to the
//! verdicts of one that nobody disturbed.
#![cfg(unix)]

use std::collections::BTreeSet;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::{Value, json};

use crate::emulator::atlas::Atlas;
use crate::emulator::atlas::estate::{Cluster, Estate, Form, Project, id, snapshot};
use crate::support::atlas::{Login, Machine, enabled, hours_ago};
use crate::support::cmd::{Ran, ran};

const KILLS: usize = 40;
const SEED: u64 = 0x736b_6579_0000_0002;
const WORKERS: usize = 4;

const CURRENT: &str = "arn:aws:kms:us-east-1:111122223333:key/30e1d7c9-5a84-4f26-b09d-e7481c6a25f3";
const FORMER: &str = "arn:aws:kms:us-east-1:111122223333:key/a94b05e2-c731-4d68-8f1e-0b62d3795ac8";
/// Named by nothing: the one that is safe.
const SPARE: &str = "arn:aws:kms:us-east-1:111122223333:key/6dc28f17-e05b-4a93-bd74-815f3ea0c962";

/// Several projects, so that several are under way at any time; a list of two pages, a sharded
/// cluster and a deleted one.
fn world() -> Atlas {
    let taken = |no, key| snapshot(no, &hours_ago(30), &hours_ago(-100), Some(key));
    let projects = (1..=3).map(|no| {
        let mut main = Cluster::new(10 * no, "main", Form::ReplicaSet);
        let snapshots = if no == 1 { 501 } else { 3 };
        main.snapshots = (1..=snapshots)
            .map(|n| taken(1000 * no + n, CURRENT))
            .collect();
        let mut old = Cluster::new(10 * no + 2, "old", Form::ReplicaSet);
        old.deleted = true;
        old.schedule = None;
        let wide = Cluster::new(10 * no + 1, "wide", Form::Sharded);
        Project::new(no, &format!("team-{no}"))
            .with_aws_key(CURRENT)
            .with(main)
            .with(wide.with(taken(1000 * no + 600, CURRENT)))
            .with(old.with(taken(1000 * no + 601, FORMER)))
    });
    let atlas = Atlas::start(Estate {
        projects: projects.collect(),
    });
    atlas.world().latency = Duration::from_millis(2);
    atlas
}

/// Starts a collection and says nothing of what it prints.
fn begin(machine: &Machine, more: &[&str]) -> Child {
    machine
        .command(&[&["collect", "atlas", "--out", "bundle"], more].concat())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// All that an audit concludes, without the times of this run and without its order.
fn concluded(machine: &Machine) -> BTreeSet<String> {
    machine
        .place
        .write("keys.ndjson", &enabled(&[CURRENT, FORMER, SPARE]));
    machine.ingest("bundle", 0);
    machine.ingest("keys.ndjson", 0);
    let (code, audit) = machine.json(&["audit", "--no-probe"]);
    let rows = |list: &str, fields: &[&str]| {
        let of_row = |row: &Value| -> Value { fields.iter().map(|f| row[*f].clone()).collect() };
        let rows = audit[list].as_array().unwrap().iter();
        rows.map(|row| format!("{list} {}", of_row(row)))
            .collect::<Vec<_>>()
    };
    let mut all = vec![format!("exit {code}")];
    all.extend(rows(
        "keys",
        &["id", "verdict", "dependant_counts", "doubts"],
    ));
    let snapshot = ["project", "cluster", "id", "verdict", "keys", "reasons"];
    all.extend(rows("snapshots", &snapshot));
    all.extend(rows("projects", &["project", "complete", "gaps"]));
    all.extend(rows("findings", &["code", "subject"]));
    all.into_iter().collect()
}

/// `splitmix64` of the seed and a number.
fn random(n: usize) -> u64 {
    let mut z = SEED.wrapping_add(0x9e37_79b9_7f4a_7c15_u64.wrapping_mul(n as u64 + 1));
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// What an undisturbed run asks and concludes.
struct Whole {
    requests: usize,
    concluded: BTreeSet<String>,
}

impl Whole {
    fn new() -> Self {
        let atlas = world();
        let machine = Machine::of(&atlas, Login::ApiKey);
        let ran = machine.collect("bundle", &[]);
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        let concluded = concluded(&machine);
        let has = |text: &str| concluded.iter().any(|row| row.contains(text));
        assert!(has(&format!(r#"keys ["{SPARE}","safe""#)), "{concluded:#?}");
        assert!(has(&format!(r#"keys ["{FORMER}","held""#)));
        assert!(has("restorable"));
        Self {
            requests: atlas.log().len(),
            concluded,
        }
    }
}

/// Kills a run, and every third time the one that goes on, too.
fn kill_one(whole: &Whole, n: usize, kept: &AtomicUsize) {
    let atlas = world();
    let machine = Machine::of(&atlas, Login::ApiKey);
    let mut resume: &[&str] = &[];
    for round in 0..=usize::from(n.is_multiple_of(3)) {
        let asked = atlas.log().len();
        let mut child = begin(&machine, resume);
        let choice = random(2 * n + round);
        // Not the last ones: a run that has ended cannot be killed.
        let left = whole.requests.saturating_sub(asked + 3).max(2);
        let wanted = 1 + usize::try_from(choice % (left as u64 / 2 + 1)).unwrap();
        atlas.wait_for_requests(asked + wanted);
        // Between what is answered and what is written.
        std::thread::sleep(Duration::from_micros((choice >> 32) % 3_000));
        child.kill().unwrap();
        child.wait().unwrap();
        resume = &["--resume"];
    }
    if n.is_multiple_of(5) {
        let ran = machine.run(&["--store", "half.db", "ingest", "bundle"]);
        // Killed before there was a manifest: no inventory at all.
        assert!([2, 3].contains(&ran.code), "kill {n}: {}", ran.stderr);
    }
    let before = atlas.log().len();
    let ran = machine.collect("bundle", &["--resume"]);
    assert_eq!(ran.code, 0, "kill {n}: {}", ran.stderr);
    let again = atlas.log().len() - before;
    kept.fetch_add(usize::from(again < whole.requests), Ordering::Relaxed);
    let concluded = concluded(&machine);
    let differences: Vec<_> = concluded.symmetric_difference(&whole.concluded).collect();
    assert!(differences.is_empty(), "kill {n}: {differences:#?}");
    let files = |name: &str| {
        let names = std::fs::read_dir(machine.path(name)).unwrap();
        let mut names: Vec<String> = names
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    };
    assert_eq!(files("bundle"), ["manifest.json", "pages"], "kill {n}");
    let manifest = machine.manifest("bundle");
    let named = manifest["requests"].as_array().unwrap().len();
    assert_eq!(files("bundle/pages").len(), named, "kill {n}");
}

#[test]
fn a_kill_at_any_point_changes_no_verdict() {
    let whole = Whole::new();
    let (next, kept) = (AtomicUsize::new(0), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for _ in 0..WORKERS {
            scope.spawn(|| {
                loop {
                    let n = next.fetch_add(1, Ordering::Relaxed);
                    if n >= KILLS {
                        break;
                    }
                    kill_one(&whole, n, &kept);
                }
            });
        }
    });
    // Else the kills came too early to show anything.
    let kept = kept.into_inner();
    assert!(kept >= KILLS / 4, "only {kept} runs went on from something");
}

/// Sends the signal of Ctrl-C.
fn interrupt(child: Child) -> Ran {
    let sent = Command::new("kill")
        .args(["-INT", &child.id().to_string()])
        .status()
        .unwrap();
    assert!(sent.success());
    ran(child.wait_with_output().unwrap())
}

#[test]
fn an_interrupted_run_keeps_what_it_learned_and_says_how_to_go_on() {
    let whole = Whole::new();
    let atlas = world();
    let machine = Machine::of(&atlas, Login::ServiceAccount);
    let stuck = format!("GET /api/atlas/v2/groups/{}/encryptionAtRest?", id(1, 3));
    atlas.fail(
        &stuck,
        0,
        usize::MAX,
        crate::emulator::atlas::Fault::Silence,
    );
    let last = format!("{}/events", id(1, 2));
    let piped = |words: &[&str]| {
        let mut command = machine.command(words);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command.spawn().unwrap()
    };
    let child = piped(&["collect", "atlas", "--out", "bundle"]);
    atlas.wait_for(&last);
    let stopped = interrupt(child);
    assert_eq!((stopped.code, stopped.stdout.as_str()), (4, ""));
    let told = "error: stopped: the bundle is not finished (projects that were read: ";
    assert!(stopped.stderr.starts_with(told), "{}", stopped.stderr);
    let hint = "  hint:  the same command with `--resume` goes on where it was\n";
    assert!(stopped.stderr.ends_with(hint), "{}", stopped.stderr);
    assert_eq!(atlas.world().live_tokens(), 0, "a token was left alive");
    assert_eq!(machine.manifest("bundle")["requests"], json!([]));
    let asked = atlas.log().len();

    atlas.calm();
    let resumed = machine.collect("bundle", &["--resume"]);
    assert_eq!(resumed.code, 0, "{}", resumed.stderr);
    let again = atlas.log().len();
    assert!(again < asked, "{again} requests after {asked}");
    assert_eq!(concluded(&machine), whole.concluded);

    // Nobody can go on with what goes with the run.
    atlas.calm();
    atlas.fail(
        &stuck,
        0,
        usize::MAX,
        crate::emulator::atlas::Fault::Silence,
    );
    let child = piped(&["--store", "live.db", "ingest", "atlas"]);
    atlas.wait_for(&last);
    let stopped = interrupt(child);
    assert_eq!((stopped.code, stopped.stdout.as_str()), (4, ""));
    let told = "error: nothing was ingested\n  cause: stopped: ";
    assert!(stopped.stderr.starts_with(told), "{}", stopped.stderr);
    assert!(
        stopped.stderr.contains("`snapkey collect atlas --out DIR`"),
        "{}",
        stopped.stderr
    );
    let projects = machine.run(&["--store", "live.db", "projects"]);
    assert_eq!(projects.code, 4, "a store was made: {}", projects.stdout);
}
