//! When a snapshot is gone: absence is the proof, and what proves no absence.

use std::sync::Arc;

use crate::assess::testing::*;
use crate::model::reading::{Content, Gap, Outcome};
use crate::model::verdict::Until;
use crate::model::{Snapshot, Timestamp};

/// T of `World::new`.
fn t() -> Timestamp {
    minutes(SETTINGS_AT)
}

fn shown_last(at: Timestamp) -> Snapshot {
    snap_with("s1", |s| s.last_at = at)
}

fn is_gone(world: &World) -> bool {
    world.audit().only() == "gone"
}

#[test]
fn gone_is_what_a_later_complete_inventory_lacks() {
    let second = |n: i64| t().saturating_add(n);
    // (last shown, created, gone)
    let table = [
        (second(-1), days(-3), true),
        (second(0), days(-3), false),
        (second(1), days(-3), false),
        // Made after it was last shown, as clocks go.
        (second(-60), second(0), false),
        (second(-60), second(-1), true),
    ];
    for (last_at, created, gone) in table {
        let world = World::new().row(snap_with("s1", |s| {
            s.last_at = last_at;
            s.created_at = Some(created);
        }));
        assert_eq!(is_gone(&world), gone, "{last_at} {created}");
    }
}

#[test]
fn without_a_complete_inventory_nothing_is_gone() {
    for word in ["settings", "clusters-with-deleted", "snapshots", "schedule"] {
        let world = World::new().row(shown_last(days(-2))).without(word);
        assert!(!is_gone(&world), "{word}");
        let world = World::new()
            .row(shown_last(days(-2)))
            .outcome(word, &Outcome::Partial(Gap::PageFailed));
        assert!(!is_gone(&world), "{word}");
    }
}

#[test]
fn t_and_not_the_clusters_own_list_decides() {
    // Its list was read after it was last shown, the settings before.
    let world = World::new()
        .row(shown_last(minutes(-50)))
        .change("settings", |r| r.at = minutes(-55));
    assert!(!is_gone(&world));
}

#[test]
fn an_expiry_that_passed_proves_nothing() {
    let world = World::new().without("schedule").row(snap_with("s1", |s| {
        s.last_at = days(-2);
        s.expires_at = Some(days(-1));
    }));
    assert_eq!(world.audit().only(), "expired");
    assert_eq!(
        line(&world.check(AWS_A)),
        "unknown ?lapsed-snapshot ?project-incomplete"
    );
}

/// `c1` was another cluster before.
fn with_another_id(world: World) -> World {
    world.with(|world| {
        let mut before = cluster("c1");
        before.id = Some(String::from("id-before"));
        world.read(days(-9), None, clusters(true, &[before]));
    })
}

#[test]
fn a_name_that_two_clusters_shared_proves_no_absence() {
    let world = World::new().row(shown_last(days(-2)));
    assert!(is_gone(&world));
    assert!(!is_gone(&with_another_id(world)));
}

/// `c9` had a snapshot, last shown two days ago; then cluster lists lack it.
fn vanishing(lists: &[i64], refusals: &[i64], answer: &Outcome) -> World {
    let mut world = World::new();
    world
        .readings()
        .retain(|r| r.content.word() != "clusters-with-deleted");
    world.read(
        days(-3),
        None,
        clusters(true, &[cluster("c1"), cluster("c9")]),
    );
    for at in lists {
        world.read(minutes(*at), None, clusters(true, &[cluster("c1")]));
    }
    for at in refusals {
        let mut list = reading(&minutes(*at).to_string(), Some("c9"), Content::Snapshots);
        list.outcome = answer.clone();
        world.push(list);
    }
    let mut row = gone_snap("s1", |_| {});
    row.cluster = String::from("c9");
    world.row(row)
}

#[test]
fn a_cluster_that_two_lists_lack_and_its_own_list_denies_is_gone_with_its_snapshots() {
    let no_cluster = refused(404, Some("CLUSTER_NOT_FOUND"), false);
    // (cluster lists that lack it, its own list's answers, gone)
    let table: [(&[i64], &[i64], bool); 7] = [
        (&[-100, CLUSTERS_AT], &[-30], true),
        (&[-99, CLUSTERS_AT], &[-30], true),
        (&[-98, CLUSTERS_AT], &[-30], false),
        (&[CLUSTERS_AT], &[-30], false),
        (&[-100, CLUSTERS_AT], &[], false),
        (&[-100, CLUSTERS_AT], &[-100], false),
        (&[-100, CLUSTERS_AT], &[-99], true),
    ];
    for (lists, refusals, gone) in table {
        let world = vanishing(lists, refusals, &no_cluster);
        assert_eq!(is_gone(&world), gone, "{lists:?} {refusals:?}");
    }
    for other in [
        refused(404, None, true),
        refused(404, Some("BACKUP_NOT_ENABLED"), true),
        refused(403, Some("CLUSTER_NOT_FOUND"), true),
        refused(500, None, true),
    ] {
        let world = vanishing(&[-100, CLUSTERS_AT], &[-30], &other);
        assert!(!is_gone(&world), "{other:?}");
    }
}

#[test]
fn cut_lists_and_lists_that_show_its_id_let_no_cluster_vanish() {
    let no_cluster = refused(404, Some("CLUSTER_NOT_FOUND"), false);
    let world = || vanishing(&[-200, -100, CLUSTERS_AT], &[-30], &no_cluster);
    assert!(is_gone(&world()));
    let cut = world().change("clusters-with-deleted", |r| {
        if r.at < minutes(-60) && r.at > days(-1) {
            r.outcome = Outcome::Partial(Gap::PageMissing);
        }
    });
    assert!(!is_gone(&cut));
    // Renamed: its id is still there.
    let renamed = world().change("clusters-with-deleted", |r| {
        if r.at > days(-1) {
            let mut other = cluster("c10");
            other.id = Some(String::from("id-c9"));
            other.dedicated = false;
            r.content = Arc::new(clusters(true, &[cluster("c1"), other]));
        }
    });
    assert!(!is_gone(&renamed));
    // One without an id may be it.
    let nameless = world().change("clusters-with-deleted", |r| {
        if r.at > days(-1) {
            let mut other = cluster("c10");
            other.id = None;
            other.dedicated = false;
            r.content = Arc::new(clusters(true, &[cluster("c1"), other]));
        }
    });
    assert!(!is_gone(&nameless));
}

#[test]
fn a_moved_expiry_counts_from_when_it_was_shown() {
    // (earlier expiry, later expiry, hours between, until)
    let table = [
        (days(9), days(2), 20, days(2)),
        (days(2), days(9), 20, days(9)),
        // Two readings of one run: the later.
        (days(9), days(2), 0, days(9)),
        (days(2), days(9), 0, days(9)),
    ];
    for (earlier, later, hours, until) in table {
        let mut row = snap_with("s1", |s| s.expires_at = Some(later));
        let mut before = row.sightings[0].clone();
        before.expires_at = Some(earlier);
        before.last_at = before.last_at.saturating_add(-hours * 3600 - 5);
        before.first_at = before.last_at;
        row.sightings[0].first_at = before.last_at.saturating_add(5);
        row.sightings.insert(0, before);
        let check = World::new().row(row).check(AWS_A);
        assert_eq!(check.dependants[0].until, Until::At(until), "{hours}");
    }
}

#[test]
fn gone_snapshots_have_no_verdict_and_no_dependant() {
    let world = World::new().enabled(&[AWS_A]).row(gone_snap("s1", |_| {}));
    let audit = world.audit();
    assert_eq!(audit.only(), "gone");
    assert_eq!(audit.findings(), Vec::<String>::new());
    assert_eq!(line(&world.check(AWS_A)), "safe");
}
