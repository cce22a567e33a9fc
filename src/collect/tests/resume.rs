//! A run that was stopped is gone on with: what it read to an end is not asked again, what it did
//! not is, and nothing is trusted that is older than the run.

use std::fs;

use serde_json::{Value, json};

use super::world::{Reply, World, cluster, known, paged, plan, resumed, snapshot, snapshots};
use crate::collect::{CollectError, Plan};
use crate::http::Failure;
use crate::model::Scope;

/// Two projects, one with a list of two pages.
fn two_projects() -> World {
    let world = World::new();
    world
        .groups(&["p1", "p2"])
        .project("p1", &[cluster("a", "REPLICASET")])
        .project("p2", &[cluster("b", "SHARDED")])
        .pages(
            "/groups/p1/clusters/a/backup/snapshots",
            &[&snapshots(0, 500), &snapshots(500, 1)],
        );
    world
}

/// The manifest without what tells when it was made.
fn undated(world: &World) -> Value {
    let mut manifest = world.manifest();
    for member in ["started_at", "finished_at"] {
        manifest[member].take();
    }
    for request in manifest["requests"].as_array_mut().unwrap() {
        for member in ["at", "local_at", "file"] {
            request[member].take();
        }
    }
    manifest
}

#[test]
fn wherever_a_run_is_stopped_the_next_one_ends_with_the_same_bundle() {
    let clean = two_projects();
    let whole = clean.collect();
    let requests = clean.asked().len();
    for stopped_after in 0..requests {
        let world = two_projects();
        world.stop_after(stopped_after);
        let error = world.run(plan()).unwrap_err();
        assert!(
            matches!(error, CollectError::Stopped { .. }),
            "{stopped_after}: {error}"
        );
        let half = world.manifest();
        assert_eq!(
            (&half["unfinished"], &half["requests"]),
            (&json!(true), &json!([]))
        );
        world.go_on();
        let before = world.asked().len();
        let collected = world.run(resumed()).unwrap();
        let again = world.asked().len() - before;
        assert_eq!(undated(&world), undated(&clean), "{stopped_after}");
        assert_eq!(collected.gaps, whole.gaps);
        assert_eq!((collected.asked, collected.requests), (again, requests));
        // At most one list was in the middle, and its two passes are four pages.
        assert!(
            again <= requests - stopped_after + 4,
            "{stopped_after}: {again}"
        );
        let files = fs::read_dir(world.out().join("pages")).unwrap().count();
        assert_eq!(files, requests, "{stopped_after}: nothing is left over");
    }
}

#[test]
fn a_list_in_the_middle_is_read_again_from_its_beginning() {
    let world = two_projects();
    let list = "/groups/p1/clusters/a/backup/snapshots";
    // Groups, three heads, and the first page of the list.
    world.stop_after(5);
    world.run(plan()).unwrap_err();
    world.go_on();
    world.forget_log();
    // Meanwhile a row went, so pages of two runs would not fit.
    world.pages(list, &[&snapshots(1, 500), &[]]);
    assert!(world.run(resumed()).unwrap().is_complete());
    assert_eq!(world.asked()[0], list);
    let manifest = world.manifest();
    let pages = manifest["requests"].as_array().unwrap().iter();
    let pages = pages.filter(|r| r["path"].as_str().unwrap().contains(list));
    assert_eq!(pages.count(), 4);
}

#[test]
fn kept_answers_keep_their_times() {
    let world = World::small();
    world.stop_after(6);
    world.run(plan()).unwrap_err();
    world.go_on();
    world.later(3_600);
    world.run(resumed()).unwrap();
    let manifest = world.manifest();
    let times: Vec<&str> = manifest["requests"]
        .as_array()
        .unwrap()
        .iter()
        .map(|request| request["at"].as_str().unwrap())
        .collect();
    assert_eq!(times[5], "2026-11-01T02:00:06Z");
    assert_eq!(times[6], "2026-11-01T03:00:07Z");
    assert_eq!(manifest["started_at"], "2026-11-01T02:00:00Z");
}

/// Rewrites the journal line by line.
fn edit_journal(world: &World, edit: impl Fn(&str) -> String) {
    let path = world.out().join("collect.journal");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(path, text.lines().map(edit).collect::<String>()).unwrap();
}

#[test]
fn what_cannot_be_trusted_is_asked_again() {
    type Spoil = fn(&World);
    let table: [(&str, Spoil, &[&str]); 7] = [
        ("nothing", |_| {}, &[]),
        (
            "a page older than the run",
            |world| {
                edit_journal(world, |line| {
                    let old = line.contains("/schedule") && line.contains("\"answer\"");
                    let line = if old {
                        line.replace("2026-11-01T02:00:0", "2026-10-31T02:00:0")
                    } else {
                        line.to_owned()
                    };
                    line + "\n"
                });
            },
            &["/clusters/a/backup/schedule"],
        ),
        (
            "a page that is no more",
            |world| fs::remove_file(world.out().join("pages/0006.json")).unwrap(),
            &["/clusters/a/backup/schedule"],
        ),
        (
            "a page that was damaged",
            |world| fs::write(world.out().join("pages/0006.json"), "{").unwrap(),
            &["/clusters/a/backup/schedule"],
        ),
        (
            "another version of the API",
            |world| {
                edit_journal(world, |line| {
                    let line = if line.contains("/schedule") {
                        line.replace("2024-08-05+json", "2023-01-01+json")
                    } else {
                        line.to_owned()
                    };
                    line + "\n"
                });
            },
            &["/clusters/a/backup/schedule"],
        ),
        (
            "settings, and so all that must not be older",
            |world| fs::remove_file(world.out().join("pages/0002.json")).unwrap(),
            &[
                "/encryptionAtRest",
                "/clusters?includeDeletedWithRetainedBackups=true",
                "/clusters",
                "/clusters/a/backup/snapshots",
                "/clusters/a/backup/schedule",
            ],
        ),
        (
            "a line that nobody can read",
            |world| {
                edit_journal(world, |line| {
                    if line.contains("\"done\"") && line.ends_with("schedule\"}") {
                        "{\"done\":\n".to_owned()
                    } else {
                        line.to_owned() + "\n"
                    }
                });
            },
            &[
                "",
                "/encryptionAtRest",
                "/clusters?includeDeletedWithRetainedBackups=true",
                "/clusters",
                "/clusters/a/backup/snapshots",
                "/clusters/a/backup/schedule",
            ],
        ),
    ];
    for (name, spoil, again) in table {
        let world = World::small();
        world.stop_after(6);
        world.run(plan()).unwrap_err();
        world.go_on();
        world.forget_log();
        spoil(&world);
        assert!(world.run(resumed()).unwrap().is_complete(), "{name}");
        let asked = world.asked();
        let again: Vec<String> = again
            .iter()
            .map(|path| match *path {
                "" => "/groups".to_owned(),
                path => format!("/groups/p1{path}"),
            })
            .collect();
        let rest = asked.len() - 3;
        assert_eq!(asked[..rest], again, "{name}");
        assert!(asked[rest].ends_with("/restoreJobs"), "{name}");
        assert_eq!(
            world.manifest()["requests"].as_array().unwrap().len(),
            9,
            "{name}"
        );
    }
}

#[test]
fn a_killed_write_costs_one_line() {
    let world = World::small();
    world.stop_after(6);
    world.run(plan()).unwrap_err();
    world.go_on();
    let path = world.out().join("collect.journal");
    let text = fs::read(&path).unwrap();
    // The last line begins the restore jobs, the one before ends the schedule.
    let last = text[..text.len() - 1]
        .iter()
        .rposition(|byte| *byte == b'\n');
    fs::write(&path, &text[..last.unwrap() - 3]).unwrap();
    fs::write(world.out().join("pages/.tmp0007"), "half").unwrap();
    world.forget_log();
    assert!(world.run(resumed()).unwrap().is_complete());
    assert_eq!(world.asked()[0], "/groups/p1/clusters/a/backup/schedule");
    assert!(!world.out().join("pages/.tmp0007").exists());
}

#[test]
fn a_bundle_with_gaps_is_gone_on_with_and_a_whole_one_is_not() {
    let world = World::small();
    let schedule = "/groups/p1/clusters/a/backup/schedule";
    let jobs = paged("/groups/p1/clusters/a/backup/restoreJobs", 1);
    world
        .on(schedule, [Reply::Failed(None, Failure::TimedOut(30))])
        .on(&jobs, [Reply::error(403, "ROLE")]);
    assert_eq!(world.collect().gaps.len(), 1);
    assert_eq!(world.manifest()["requests"].as_array().unwrap().len(), 9);
    assert!(world.out().join("collect.journal").exists());

    world.on(
        schedule,
        [Reply::ok(&json!({"restoreWindowDays": 7, "policies": []}))],
    );
    world.forget_log();
    let collected = world.run(resumed()).unwrap();
    let asked = world.asked();
    assert_eq!(asked[0], schedule);
    // Its window is longer than none: the events go back further.
    assert!(
        asked[1].contains("/events?") && asked.len() == 2,
        "{asked:?}"
    );
    assert!(collected.is_complete());
    // A right that lacks is still told.
    assert_eq!(collected.assumptions.len(), 1);

    world.forget_log();
    let collected = world.run(resumed()).unwrap();
    assert!(collected.was_finished && collected.is_complete());
    assert_eq!(world.asked(), [""; 0]);
}

#[test]
fn only_a_bundle_of_the_same_kind_is_gone_on_with() {
    type Change = fn(&mut Plan<'_>);
    let table: [(Change, &str); 3] = [
        (
            |plan| plan.base_url = "https://cloud.mongodbgov.com".to_owned(),
            "base URL",
        ),
        (|plan| plan.scope = Scope::Org("o1".to_owned()), "scope"),
        (
            |plan| plan.identity = Some("another".to_owned()),
            "credential",
        ),
    ];
    for finished in [false, true] {
        for (change, what) in table {
            let world = World::small();
            if finished {
                world.collect();
            } else {
                world.stop_after(4);
                world.run(plan()).unwrap_err();
                world.go_on();
            }
            world.forget_log();
            let mut other = resumed();
            change(&mut other);
            let error = world.run(other).unwrap_err();
            assert!(
                error.is_usage() && error.to_string().contains(what),
                "{error}"
            );
            assert_eq!(world.asked(), [""; 0]);
        }
    }
}

#[test]
fn a_folder_of_something_else_is_left_alone() {
    for plan in [plan(), resumed()] {
        let world = World::small();
        fs::create_dir(world.out()).unwrap();
        fs::write(world.out().join("holiday.txt"), "sun").unwrap();
        let error = world.run(plan).unwrap_err();
        assert!(matches!(error, CollectError::Occupied { .. }) && error.is_usage());
        assert_eq!(fs::read_dir(world.out()).unwrap().count(), 1);
        assert_eq!(world.asked(), [""; 0]);
    }
    // A finished bundle is not written over.
    let world = World::small();
    world.collect();
    assert!(matches!(
        world.run(plan()),
        Err(CollectError::Occupied { .. })
    ));
    // Without its journal nobody knows what an unfinished one lacks.
    let world = World::small();
    world.stop_after(4);
    world.run(plan()).unwrap_err();
    fs::remove_file(world.out().join("collect.journal")).unwrap();
    assert!(matches!(
        world.run(resumed()),
        Err(CollectError::Occupied { .. })
    ));
}

#[test]
fn there_is_nothing_to_go_on_with_in_an_empty_folder_so_all_is_asked() {
    let world = World::small();
    assert!(world.run(resumed()).unwrap().is_complete());
    let world = World::small();
    fs::create_dir(world.out()).unwrap();
    assert!(world.run(resumed()).unwrap().is_complete());
}

#[test]
fn a_run_that_could_not_even_say_what_it_is_of_is_begun_again() {
    let world = World::small();
    fs::create_dir(world.out()).unwrap();
    let journal = world.out().join("collect.journal");
    fs::write(&journal, "{\"header\":{\"form").unwrap();
    assert!(world.run(resumed()).unwrap().is_complete());

    let world = World::small();
    fs::create_dir(world.out()).unwrap();
    let journal = world.out().join("collect.journal");
    fs::write(&journal, "a diary\nof somebody\n").unwrap();
    let error = world.run(resumed()).unwrap_err();
    assert!(matches!(error, CollectError::Read { .. }), "{error}");
    assert_eq!(
        fs::read_to_string(&journal).unwrap(),
        "a diary\nof somebody\n"
    );
}

#[test]
fn two_runs_do_not_write_to_one_folder() {
    let world = World::small();
    world.stop_after(4);
    world.run(plan()).unwrap_err();
    world.go_on();
    let journal = fs::File::open(world.out().join("collect.journal")).unwrap();
    journal.lock().unwrap();
    assert!(matches!(
        world.run(resumed()),
        Err(CollectError::Busy { .. })
    ));
    journal.unlock().unwrap();
    assert!(world.run(resumed()).unwrap().is_complete());
}

#[test]
fn lists_that_the_plan_no_longer_needs_are_not_in_the_bundle() {
    let world = World::small();
    let path = "/groups/p1/clusters/old/backup";
    world
        .cluster("p1", "old")
        .list(&format!("{path}/snapshots"), &[snapshot(2)]);
    world.stop_after(12);
    let with_old = Plan {
        known: vec![known("p1", &["old"])],
        ..plan()
    };
    world.run(with_old).unwrap_err();
    world.go_on();
    world.run(resumed()).unwrap();
    assert!(
        !world
            .bundled()
            .iter()
            .any(|(path, _)| path.contains("/old/"))
    );
    let requests = world.bundled().len();
    assert_eq!(
        fs::read_dir(world.out().join("pages")).unwrap().count(),
        requests
    );
}
