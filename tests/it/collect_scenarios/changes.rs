//! What changes in the estate between two readings, or while it is read: clusters that are deleted,
//! vanish or come back, lists that move, keys that are rotated.

use chrono::{DateTime, TimeDelta};
use serde_json::{Value, json};

use super::{CURRENT, FORMER, SPARE, estate, only_read, orders, replica_set, taken};
use crate::emulator::atlas::estate::{Project, id};
use crate::emulator::atlas::login::Auth;
use crate::emulator::atlas::{Atlas, Request};
use crate::support::atlas::{Login, Machine, enabled, hours_ago, next_second, now, stamp};

/// A cluster that was deleted with its backups kept is on one of the two cluster lists only, and
/// its snapshot holds the former key until it expires.
#[test]
fn a_deleted_cluster_holds_its_key() {
    let mut old = replica_set(2, "old").with(taken(2, 400, 200, FORMER));
    old.deleted = true;
    old.schedule = None;
    let until = old.snapshots[0]["expiresAt"].as_str().unwrap().to_owned();
    let atlas = Atlas::start(estate([orders().with(old)]));
    let machine = Machine::of(&atlas, Login::ServiceAccount);
    machine.take_in("bundle");
    let held = machine.check(FORMER);
    // `main` has shown the successor (its snapshot is the first evidence of it), point-in-time was
    // never on, and a deleted cluster's schedule that answers 404 counts as read: a date, no doubt.
    assert_eq!(held.said(), "held 1", "{}", held.document);
    let expected = format!("snapshot old {} {until}", id(3, 2));
    assert_eq!(held.dependants(), [expected]);
    assert_eq!(held.document["safe_after"], until);
    assert_eq!(
        held.document["safe_after_kind"], "date",
        "{}",
        held.document
    );
    let lists: Vec<bool> = atlas
        .log()
        .iter()
        .filter(|r| r.auth == Auth::Bearer && r.target.contains("/clusters?"))
        .map(|r| r.target.contains("includeDeletedWithRetainedBackups=true"))
        .collect();
    assert!(lists.contains(&true) && lists.contains(&false), "{lists:?}");
    only_read(&atlas);
}

/// A cluster that is on the list and gone when its snapshots are asked for: its backups are on, so
/// that 404 proves nothing. The next run no longer sees it.
#[test]
fn a_vanishing_cluster_is_a_gap_until_it_is_gone() {
    let project = orders().with(replica_set(2, "brief").with(taken(2, 30, 100, FORMER)));
    let atlas = Atlas::start(estate([project]));
    let machine = Machine::of(&atlas, Login::ServiceAccount);
    machine.place.write("keys.ndjson", &enabled(&[SPARE]));
    machine.ingest("keys.ndjson", 0);
    atlas.before("/clusters/brief/", 1, |estate| {
        estate.projects[0].clusters.retain(|c| c.name != "brief");
    });
    let collected = machine.collect("first", &[]);
    assert_eq!(collected.code, 3, "{}", collected.stderr);
    assert!(collected.stderr.contains("brief"), "{}", collected.stderr);
    machine.ingest("first", 3);
    let spare = machine.check(SPARE);
    assert_eq!(spare.said(), "unknown 3", "{}", spare.document);
    next_second();
    machine.take_in("second");
    let spare = machine.check(SPARE);
    assert_eq!(spare.said(), "safe 0", "{}", spare.document);
}

/// A new cluster takes the name of a deleted one whose backups are kept. By name the new one
/// answers, so the absence of the old snapshot proves nothing.
#[test]
fn a_recreated_name_proves_no_absence() {
    let project = Project::new(1, "orders")
        .with_aws_key(CURRENT)
        .with(replica_set(1, "main").with(taken(1, 400, 200, FORMER)));
    let atlas = Atlas::start(estate([project]));
    let machine = Machine::of(&atlas, Login::ServiceAccount);
    machine.take_in_of("before", TimeDelta::days(2));
    atlas.change(|estate| {
        let project = &mut estate.projects[0];
        project.cluster_mut("main").deleted = true;
        let again = replica_set(2, "main").with(taken(2, 20, 100, CURRENT));
        project.clusters.push(again);
    });
    machine.take_in("after");
    let held = machine.check(FORMER);
    assert_eq!(held.said(), "held 1", "{}", held.document);
    let dependants = held.dependants();
    let of_old = format!("snapshot main {} ", id(3, 1));
    assert!(dependants[0].starts_with(&of_old), "{dependants:?}");
}

/// A list of two pages that loses or gains a row between them, in every pass: a row may be on none
/// of the pages. Never safe, whoever may hold the key.
#[test]
fn a_list_that_moves_proves_nothing() {
    type Move = fn(&mut Vec<Value>);
    let moves: [(&str, usize, Move); 2] = [
        ("shrinks", 501, |rows| drop(rows.remove(0))),
        ("grows", 500, |rows| {
            let number = 1000 + rows.len();
            rows.insert(0, taken(number, 1, 100, CURRENT));
        }),
    ];
    for (name, rows, step) in moves {
        let mut main = replica_set(1, "main");
        main.snapshots = (1..=rows).map(|n| taken(n, 30, 100, CURRENT)).collect();
        let project = Project::new(1, "orders").with_aws_key(CURRENT).with(main);
        let atlas = Atlas::start(estate([project]));
        for nth in 1..=8 {
            atlas.before("/main/backup/snapshots?pageNum=2", nth, move |estate| {
                step(&mut estate.projects[0].cluster_mut("main").snapshots);
            });
        }
        let machine = Machine::of(&atlas, Login::ServiceAccount);
        machine.place.write("keys.ndjson", &enabled(&[SPARE]));
        let collected = machine.collect("bundle", &[]);
        assert_eq!(collected.code, 3, "{name}: {}", collected.stderr);
        machine.ingest("bundle", 3);
        machine.ingest("keys.ndjson", 0);
        let spare = machine.check(SPARE);
        assert_eq!(spare.said(), "unknown 3", "{name}: {}", spare.document);
        let moved = atlas.log();
        let second = |r: &&Request| {
            r.target.contains("/main/backup/snapshots?") && r.target.contains("pageNum=2")
        };
        assert!(moved.iter().filter(second).count() >= 2, "{name}: one pass");
    }
}

/// Retention is changed between readings that are more than an hour apart, which no run is: the
/// newest expiry counts, be it later or earlier.
#[test]
fn a_moved_expiry_moves_the_date() {
    let project = orders().with(replica_set(2, "old").with(taken(2, 400, 50, FORMER)));
    let atlas = Atlas::start(estate([project]));
    let machine = Machine::of(&atlas, Login::ServiceAccount);
    machine.take_in_of("before", TimeDelta::hours(5));
    let until = |machine: &Machine| {
        let checked = machine.check(FORMER);
        assert_eq!(checked.code, 1, "{}", checked.document);
        checked.document["safe_after"].clone()
    };
    let first = hours_ago(-50);
    let told = until(&machine);
    let told = DateTime::parse_from_rfc3339(told.as_str().unwrap()).unwrap();
    let off = DateTime::parse_from_rfc3339(&first).unwrap() - told;
    assert!(off.abs() < TimeDelta::minutes(5), "{off}");
    for (name, ahead, age) in [("later", 900, 2), ("earlier", 20, 0)] {
        let moved = hours_ago(-ahead);
        let shown = moved.clone();
        atlas.change(|estate| {
            let old = estate.projects[0].cluster_mut("old");
            old.snapshots[0]["expiresAt"] = shown.into();
        });
        let collected = machine.collect(name, &[]);
        assert_eq!(collected.code, 0, "{name}: {}", collected.stderr);
        machine.age(name, TimeDelta::hours(age));
        machine.ingest(name, 0);
        assert_eq!(until(&machine), moved, "{name}");
    }
}

/// The project has a new key. Its clusters follow one by one, and until each has shown it the old
/// one may still be in use.
#[test]
fn a_rotation_is_under_way_until_every_cluster_followed() {
    let shop = replica_set(1, "shop").with(taken(1, 120, 40, FORMER));
    let ledger = replica_set(2, "ledger").with(taken(2, 120, 40, FORMER));
    let project = Project::new(1, "orders")
        .with_aws_key(FORMER)
        .with(shop)
        .with(ledger);
    let atlas = Atlas::start(estate([project]));
    let machine = Machine::of(&atlas, Login::ServiceAccount);
    machine.take_in_of("before", TimeDelta::days(1));
    atlas.change(|estate| {
        let project = &mut estate.projects[0];
        project.set_aws_key(CURRENT);
        project.cluster_mut("shop").snapshots = vec![taken(3, 2, 100, CURRENT)];
        project.cluster_mut("ledger").snapshots = Vec::new();
    });
    machine.take_in("rotated");
    let under_way = machine.check(FORMER);
    // Its snapshots are gone: the project was complete after they were last shown. It is not the
    // project's key any more. `ledger` has no snapshot under the successor.
    assert_eq!(under_way.said(), "unknown 3", "{}", under_way.document);
    assert_eq!(under_way.kinds("doubts"), ["rotation-under-way"]);
    let ahead = machine.check(CURRENT);
    assert_eq!(ahead.said(), "held 1", "{}", ahead.document);
    assert_eq!(ahead.kinds("dependants"), ["current-key", "snapshot"]);
    atlas.change(|estate| {
        let ledger = estate.projects[0].cluster_mut("ledger");
        ledger.snapshots.push(taken(4, 1, 100, CURRENT));
    });
    machine.take_in("finished");
    let over = machine.check(FORMER);
    assert_eq!(over.said(), "safe 0", "{}", over.document);
}

/// Point-in-time restore needs the old key until its window has rolled past the rotation, and only
/// events tell that there was no other key in between.
#[test]
fn a_window_of_point_in_time_restore_is_waited_for() {
    let main = replica_set(1, "main")
        .with(taken(1, 200, -60, FORMER))
        .showing(json!({"pitEnabled": true}));
    let project = Project::new(1, "orders").with_aws_key(FORMER).with(main);
    let atlas = Atlas::start(estate([project]));
    let machine = Machine::of(&atlas, Login::ServiceAccount);
    machine.place.write("keys.ndjson", &enabled(&[SPARE]));
    machine.ingest("keys.ndjson", 0);
    machine.take_in_of("before", TimeDelta::hours(120));
    // Rotated 110 hours ago; the first snapshot under the successor is 96 hours old.
    let rotated =
        |hours| json!({"created": hours_ago(hours), "eventTypeName": "AWS_ENCRYPTION_KEY_ROTATED"});
    let successor = taken(2, 96, 100, CURRENT);
    let created = DateTime::parse_from_rfc3339(successor["createdAt"].as_str().unwrap())
        .unwrap()
        .to_utc();
    let event = rotated(110);
    atlas.change(|estate| {
        let project = &mut estate.projects[0];
        project.set_aws_key(CURRENT);
        project.cluster_mut("main").snapshots = vec![successor];
        project.events = vec![event];
    });
    machine.take_in("seven");
    let held = machine.check(FORMER);
    // 7 days from the first evidence of the successor. Events were read back to before the window;
    // before the rotation there is evidence of this key (settings of 120 hours ago), after it of
    // the other.
    assert_eq!(held.said(), "held 1", "{}", held.document);
    let until = stamp(created + TimeDelta::days(7));
    assert_eq!(held.dependants(), [format!("pit-window main - {until}")]);
    assert_eq!(
        held.document["safe_after_kind"], "date",
        "{}",
        held.document
    );
    assert_eq!(machine.check(SPARE).said(), "safe 0");

    // With a window of two days it is past.
    atlas.change(|estate| {
        let main = estate.projects[0].cluster_mut("main");
        main.schedule = Some(json!({"restoreWindowDays": 2}));
    });
    next_second();
    machine.take_in("two");
    let over = machine.check(FORMER);
    assert_eq!(over.said(), "safe 0", "{}", over.document);
    only_read(&atlas);
}

/// Two rotations within minutes and nothing seen in between: some key came and went. Which one is
/// not known, so it may be any of the provider, and what was read before does not know of it.
#[test]
fn a_key_that_nobody_saw_may_be_any() {
    let main = replica_set(1, "main")
        .with(taken(1, 30, 100, CURRENT))
        .showing(json!({"pitEnabled": true}));
    let project = Project::new(1, "orders").with_aws_key(CURRENT).with(main);
    let atlas = Atlas::start(estate([project]));
    let machine = Machine::of(&atlas, Login::ServiceAccount);
    machine.place.write("keys.ndjson", &enabled(&[SPARE]));
    machine.ingest("keys.ndjson", 0);
    machine.take_in_of("before", TimeDelta::minutes(40));
    let before = machine.check(SPARE);
    assert_eq!(before.said(), "safe 0", "{}", before.document);
    let rotated = |ago| {
        let created = stamp(now() - TimeDelta::minutes(ago));
        json!({"created": created, "eventTypeName": "AWS_ENCRYPTION_KEY_ROTATED"})
    };
    let events = vec![rotated(30), rotated(20)];
    atlas.change(|estate| estate.projects[0].events = events);
    machine.take_in("after");
    let after = machine.check(SPARE);
    assert_eq!(after.said(), "unknown 3", "{}", after.document);
    assert_eq!(after.kinds("doubts"), ["history-too-short"]);
}
