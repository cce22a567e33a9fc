//! Runs that are killed in the middle and gone on with.
#![cfg(unix)]

use std::process::Stdio;

use chrono::{DateTime, TimeDelta};

use super::{CURRENT, FORMER, SPARE, estate, orders, replica_set, taken};
use crate::emulator::atlas::estate::{Project, id};
use crate::emulator::atlas::{Atlas, Fault};
use crate::support::atlas::{Login, Machine, enabled, next_second, now};

/// A collection that has read most of the first project, and waits for the second, is killed.
fn kill_in_the_middle(atlas: &Atlas, machine: &Machine) {
    let hung = format!("GET /api/atlas/v2/groups/{}/encryptionAtRest?", id(1, 2));
    atlas.fail(&hung, 0, usize::MAX, Fault::Silence);
    let mut child = machine
        .command(&["collect", "atlas", "--out", "bundle"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    atlas.wait_for(&format!("{}/encryptionAtRest", id(1, 2)));
    atlas.wait_for(&format!("{}/clusters/main/backup/schedule", id(1, 1)));
    child.kill().unwrap();
    child.wait().unwrap();
}

/// Killed in the middle, and gone on with: nothing of the half bundle passes for a whole one, what
/// was read keeps the time at which it was, and what was not is read now.
#[test]
fn a_killed_run_is_resumed() {
    let second = Project::new(2, "billing")
        .with_aws_key(CURRENT)
        .with(replica_set(2, "bills").with(taken(2, 30, 100, CURRENT)));
    let atlas = Atlas::start(estate([orders(), second]));
    // Four minutes slow, so that it can be told what was answered before the kill.
    atlas.world().quirks.clock = TimeDelta::minutes(-4);
    let machine = Machine::of(&atlas, Login::ServiceAccount);
    machine.place.write("keys.ndjson", &enabled(&[SPARE]));
    kill_in_the_middle(&atlas, &machine);
    let killed = now();

    // A half bundle says nothing good, and how to go on.
    let ingest = ["--store", "half.db", "ingest", "bundle"];
    let half = machine.run(&ingest);
    assert_eq!(half.code, 3, "{}", half.stderr);
    let told = "warning: bundle: `snapkey collect` was stopped before its end: go on with \
                `snapkey collect atlas --resume --out bundle`\n";
    assert_eq!(half.stderr, told);
    let quiet = machine.run(&[&["--quiet"][..], &ingest].concat());
    assert_eq!((quiet.code, quiet.stderr.as_str()), (3, ""));
    let spare = machine.run(&["--store", "half.db", "check", SPARE, "--no-probe"]);
    assert_eq!(spare.code, 3, "{}", spare.stdout);

    // A folder that is there is not written over.
    atlas.calm();
    atlas.world().quirks.clock = TimeDelta::zero();
    let again = machine.collect("bundle", &[]);
    assert_eq!(again.code, 2, "{}", again.stderr);
    assert!(again.stderr.contains("--resume"), "{}", again.stderr);

    atlas.calm();
    let resumed = machine.collect("bundle", &["--resume"]);
    assert_eq!(resumed.code, 0, "{}", resumed.stderr);
    let asked: Vec<String> = atlas.log().iter().map(|r| r.target.clone()).collect();
    let mut kept = 0;
    for request in machine.manifest("bundle")["requests"].as_array().unwrap() {
        let path = request["path"].as_str().unwrap();
        let at = request["at"].as_str().unwrap();
        let at = DateTime::parse_from_rfc3339(at).unwrap().to_utc();
        let slow = at < killed - TimeDelta::minutes(3);
        let now_asked = asked.iter().any(|target| target == path);
        assert_eq!(slow, !now_asked, "{path} at {at}, killed at {killed}");
        kept += usize::from(slow);
    }
    assert!(
        asked
            .iter()
            .any(|t| t.contains(&format!("{}/enc", id(1, 2))))
    );
    assert!(kept > 0, "nothing was kept of the first run");
    machine.ingest("bundle", 0);
    machine.ingest("keys.ndjson", 0);
    let spare = machine.check(SPARE);
    assert_eq!(spare.said(), "safe 0", "{}", spare.document);
    let covered = spare.document["covered_at"].as_str().unwrap();
    let covered = DateTime::parse_from_rfc3339(covered).unwrap().to_utc();
    assert!(covered < killed, "{covered}: the oldest page counts");
}

/// Pages of a run that stopped long ago are not what is there now: they are read again, or what
/// follows from them is as old as they are.
#[test]
fn a_resumed_bundle_is_no_newer_than_its_oldest_page() {
    let second = Project::new(2, "billing")
        .with_aws_key(CURRENT)
        .with(replica_set(2, "bills"));
    let atlas = Atlas::start(estate([orders(), second]));
    let machine = Machine::of(&atlas, Login::ServiceAccount);
    kill_in_the_middle(&atlas, &machine);
    next_second();
    let between = now();
    // A snapshot under the former key comes after the stop.
    atlas.calm();
    atlas.change(|estate| {
        let main = estate.projects[0].cluster_mut("main");
        main.snapshots.push(taken(7, 0, 100, FORMER));
    });
    let resumed = machine.collect("bundle", &["--resume"]);
    assert_eq!(resumed.code, 0, "{}", resumed.stderr);
    machine.place.write("keys.ndjson", &enabled(&[FORMER]));
    machine.ingest("bundle", 0);
    machine.ingest("keys.ndjson", 0);
    let former = machine.check(FORMER);
    let covered = &former.document["covered_at"];
    let early = covered
        .as_str()
        .is_some_and(|at| DateTime::parse_from_rfc3339(at).unwrap() < between);
    // Either the new snapshot was read, or the verdict says that it is about the time before.
    assert!(former.code == 1 || early, "{}", former.document);
}
