//! How complete a project's inventory is, and when it was so.

use std::sync::Arc;

use crate::assess::testing::*;
use crate::model::Timestamp;
use crate::model::evidence::SnapshotShape;
use crate::model::reading::{ClusterState, Content, Gap, Outcome};

/// T of `p1`, or its gaps.
fn coverage(world: &World) -> Result<Timestamp, Vec<String>> {
    let project = &world.audit().all.projects[0];
    assert_eq!(project.complete, project.covered_at.is_some());
    project.covered_at.ok_or_else(|| project.gaps.clone())
}

fn gap(world: &World) -> String {
    match coverage(world) {
        Ok(at) => format!("complete at {at}"),
        Err(gaps) => gaps.join("; "),
    }
}

fn whole(world: &World) {
    assert!(coverage(world).is_ok(), "{:?}", coverage(world));
}

#[test]
fn t_is_the_oldest_of_what_is_needed() {
    let world = World::new();
    assert_eq!(coverage(&world), Ok(minutes(SETTINGS_AT)));
    for word in ["settings", "clusters-with-deleted", "snapshots", "schedule"] {
        // Settings must not be later than the lists, so they go first.
        let world = World::new()
            .change("settings", |r| r.at = minutes(-90))
            .change(word, |r| r.at = minutes(-100));
        let expected = if matches!(word, "clusters-with-deleted" | "snapshots") {
            let gap = gap(&world);
            assert!(gap.contains("settings read at or before"), "{gap}");
            continue;
        } else {
            minutes(-100)
        };
        assert_eq!(coverage(&world), Ok(expected), "{word}");
    }
    // What is not needed does not make it older.
    for word in ["clusters", "events", "restore-jobs", "compliance-policy"] {
        let world = World::new().change(word, |r| r.at = minutes(-100));
        assert_eq!(coverage(&world), Ok(minutes(SETTINGS_AT)), "{word}");
    }
}

#[test]
fn each_required_list_left_out_is_a_gap() {
    let table = [
        ("settings", "no whole encryption-at-rest settings"),
        ("clusters-with-deleted", "no whole cluster list"),
        ("snapshots", "no whole snapshot list of cluster `c1`"),
        ("schedule", "no backup schedule of cluster `c1`"),
    ];
    for (word, expected) in table {
        let left_out = World::new().without(word);
        assert!(gap(&left_out).contains(expected), "{}", gap(&left_out));
        assert!(gap(&left_out).contains("never read"), "{}", gap(&left_out));
        for cut in Gap::ALL {
            let world = World::new().outcome(word, &Outcome::Partial(cut));
            assert!(gap(&world).contains(expected), "{}", gap(&world));
            assert!(gap(&world).contains(cut.word()), "{}", gap(&world));
        }
        for status in [400, 401, 403, 404, 429, 500] {
            let world = World::new().outcome(word, &refused(status, None, true));
            assert!(gap(&world).contains(expected), "{}", gap(&world));
        }
    }
    for word in ["clusters", "events", "restore-jobs", "compliance-policy"] {
        whole(&World::new().without(word));
    }
}

#[test]
fn an_older_whole_reading_stands() {
    for word in ["settings", "clusters-with-deleted", "snapshots", "schedule"] {
        let mut world = World::new();
        let mut older: Vec<_> = world
            .readings()
            .iter()
            .filter(|r| r.content.word() == word || r.content.word() == "settings")
            .cloned()
            .collect();
        for reading in &mut older {
            reading.at = reading.at.saturating_add(-7200);
        }
        for failed in [Outcome::Partial(Gap::PageFailed), refused(500, None, true)] {
            let mut world = World::new().outcome(word, &failed);
            older.iter().cloned().for_each(|r| world.push(r));
            let t = coverage(&world).unwrap();
            assert!(t < minutes(SETTINGS_AT - 60), "{word} {t}");
        }
        // A newer whole one takes over again.
        older.into_iter().for_each(|r| world.push(r));
        assert_eq!(coverage(&world), Ok(minutes(SETTINGS_AT)), "{word}");
    }
}

#[test]
fn settings_must_have_been_read_at_or_before_the_lists() {
    let table = [
        (CLUSTERS_AT, Ok(minutes(CLUSTERS_AT))),
        (CLUSTERS_AT + 1, Err(())),
    ];
    for (at, expected) in table {
        let world = World::new().change("settings", |r| r.at = minutes(at));
        assert_eq!(coverage(&world).map_err(|_gaps| ()), expected, "{at}");
    }
    // Newer settings beside older ones harm nothing.
    let world = World::new().with(|world| {
        world.read(minutes(-5), None, Content::Settings(Vec::new()));
    });
    assert_eq!(coverage(&world), Ok(minutes(SETTINGS_AT)));
}

#[test]
fn without_backups_the_services_refusal_counts_as_an_empty_list() {
    let no_cluster = Some("CLUSTER_NOT_FOUND");
    let off = Some("BACKUP_NOT_ENABLED");
    // (backups, status, code, confirmed, present snapshot, complete)
    let table = [
        (Some(false), 404, no_cluster, true, false, true),
        (Some(false), 404, off, true, false, true),
        (Some(false), 400, off, true, false, true),
        (Some(false), 404, no_cluster, false, false, false),
        (Some(false), 403, no_cluster, true, false, false),
        (Some(false), 404, Some("NOT_FOUND"), true, false, false),
        (Some(false), 404, None, true, false, false),
        (Some(true), 404, off, true, false, false),
        (None, 404, off, true, false, false),
        (Some(false), 404, off, true, true, false),
    ];
    for (backups, status, code, confirmed, present, complete) in table {
        let mut world = World::new()
            .cluster(|c| c.backup_enabled = backups)
            .outcome("snapshots", &refused(status, code, confirmed));
        if present {
            world = world.row(snap("s1"));
        }
        let case = format!("{backups:?} {status} {code:?} {confirmed} {present}");
        assert_eq!(coverage(&world).is_ok(), complete, "{case}");
    }
}

#[test]
fn a_schedule_is_needed_only_with_backups() {
    let off = |c: &mut ClusterState| c.backup_enabled = Some(false);
    whole(&World::new().without("schedule").cluster(off));
    let world = World::new()
        .without("schedule")
        .cluster(off)
        .row(snap("s1"));
    assert!(
        gap(&world).contains("no backup schedule"),
        "{}",
        gap(&world)
    );
    let world = World::new()
        .without("schedule")
        .cluster(|c| c.backup_enabled = None);
    assert!(
        gap(&world).contains("no backup schedule"),
        "{}",
        gap(&world)
    );
}

#[test]
fn a_deleted_clusters_schedule_may_be_gone() {
    let answer = refused(404, Some("CLUSTER_NOT_FOUND"), false);
    let world = || World::new().outcome("schedule", &answer);
    assert!(gap(&world()).contains("no backup schedule"));
    whole(&world().cluster(|c| c.state = Some(String::from("DELETING"))));
    // Only the list with deleted clusters names it.
    let hidden = world().change("clusters", |r| r.content = Arc::new(clusters(false, &[])));
    whole(&hidden);
    // The one without was read in another run.
    let other_run = hidden.change("clusters", |r| r.run = Arc::from("other"));
    assert!(gap(&other_run).contains("no backup schedule"));
    let denied = World::new()
        .outcome("schedule", &refused(403, None, false))
        .cluster(|c| c.state = Some(String::from("DELETING")));
    assert!(gap(&denied).contains("no backup schedule"));
}

#[test]
fn a_sharded_cluster_has_two_lists() {
    let missing = "no whole sharded snapshot list";
    let by_cluster = World::new().cluster(|c| c.sharded = Some(true));
    let not_said = World::new().cluster(|c| c.sharded = None);
    let by_row = World::new().row(snap_with("s1", |s| s.shape = SnapshotShape::Sharded));
    for mut world in [by_cluster, not_said, by_row] {
        assert!(gap(&world).contains(missing), "{}", gap(&world));
        world.read(minutes(-37), Some("c1"), Content::ShardedSnapshots);
        assert_eq!(coverage(&world), Ok(minutes(SETTINGS_AT)));
        // It has no replica set snapshots, and that must have been read too.
        let one = world.without("snapshots");
        assert!(
            gap(&one).contains("no whole snapshot list"),
            "{}",
            gap(&one)
        );
    }
}

#[test]
fn of_several_states_of_a_cluster_the_last_counts() {
    // (in the newest whole list, in a cut one since, whether its schedule is needed)
    for (listed, since, needed) in [(false, true, true), (true, false, false)] {
        let mut world = World::new()
            .cluster(|c| c.backup_enabled = Some(listed))
            .without("schedule");
        let mut shown = cluster("c1");
        shown.backup_enabled = Some(since);
        world.read(minutes(-20), None, clusters(true, &[shown]));
        if let Some(reading) = world.readings().last_mut() {
            reading.outcome = Outcome::Partial(Gap::PageMissing);
        }
        match coverage(&world) {
            Ok(_) => assert!(!needed, "{listed} then {since}"),
            Err(gaps) => assert!(needed, "{listed} then {since}: {gaps:?}"),
        }
    }
}

fn other(change: impl FnOnce(&mut ClusterState)) -> [ClusterState; 2] {
    let mut other = cluster("c2");
    change(&mut other);
    [cluster("c1"), other]
}

#[test]
fn every_dedicated_cluster_of_the_newest_list_is_needed() {
    let world = World::new().change("clusters-with-deleted", |r| {
        r.content = Arc::new(clusters(true, &other(|_| {})));
    });
    let gaps = coverage(&world).unwrap_err();
    assert_eq!(gaps.len(), 2, "{gaps:?}");
    // Flex, serverless and shared tiers are not.
    whole(&World::new().change("clusters-with-deleted", |r| {
        r.content = Arc::new(clusters(true, &other(|c| c.dedicated = false)));
    }));
    // Unless they have snapshots.
    let flex = World::new()
        .change("clusters-with-deleted", |r| {
            r.content = Arc::new(clusters(true, &other(|c| c.dedicated = false)));
        })
        .row({
            let mut row = snap_with("f1", |s| s.shape = SnapshotShape::Shared);
            row.cluster = String::from("c2");
            row
        });
    assert!(gap(&flex).contains("snapshot list of cluster `c2`"));
    let mut read = flex;
    read.read(minutes(-35), Some("c2"), Content::SharedSnapshots);
    whole(&read);
}

#[test]
fn one_dedicated_cluster_among_those_that_share_a_name_is_enough() {
    // A deleted dedicated cluster, and a flex one that took its name; either way round.
    let mut flex = cluster("c2");
    flex.id = Some(String::from("id-flex"));
    flex.dedicated = false;
    for pair in [[cluster("c2"), flex.clone()], [flex, cluster("c2")]] {
        let mut all = vec![cluster("c1")];
        all.extend(pair);
        let world = World::new().change("clusters-with-deleted", |r| {
            r.content = Arc::new(clusters(true, &all));
        });
        assert!(gap(&world).contains("cluster `c2`"), "{}", gap(&world));
    }
}

#[test]
fn a_cluster_that_only_a_cut_newer_list_shows_is_needed() {
    let mut world = World::new();
    world.read(minutes(-20), None, clusters(true, &other(|_| {})));
    let world = world.change("clusters-with-deleted", |r| {
        if r.at == minutes(-20) {
            r.outcome = Outcome::Partial(Gap::LastPageFull);
        }
    });
    assert!(gap(&world).contains("cluster `c2`"), "{}", gap(&world));
}

#[test]
fn a_cluster_with_a_present_snapshot_is_needed_though_no_list_names_it() {
    let world = World::new().row({
        let mut row = snap("s1");
        row.cluster = String::from("c9");
        row
    });
    assert!(gap(&world).contains("cluster `c9`"), "{}", gap(&world));
    let mut read = world;
    read.read(minutes(-35), Some("c9"), Content::Snapshots);
    read.read(minutes(-35), Some("c9"), Content::Schedule(schedule()));
    whole(&read);
}

#[test]
fn a_cluster_whose_snapshots_are_all_gone_holds_nothing_up() {
    // c9 was read empty two hours ago and is in no list since.
    let world = World::new()
        .with(|world| {
            world.read(hours(-3), None, Content::Settings(Vec::new()));
            world.read(hours(-2), Some("c9"), Content::Snapshots);
            world.read(hours(-2), Some("c9"), Content::Schedule(schedule()));
        })
        .row({
            let mut row = gone_snap("s1", |_| {});
            row.cluster = String::from("c9");
            row
        });
    assert_eq!(coverage(&world), Ok(minutes(SETTINGS_AT)));
    assert_eq!(world.audit().only(), "gone");
}

#[test]
fn an_own_inventory_is_all_lists_in_one_unless_a_service_lists_the_project() {
    let own = |of_service: bool| {
        let mut world = World::new();
        world.readings().clear();
        world.read(minutes(-10), None, Content::Inventory(Vec::new()));
        for reading in world.readings() {
            Arc::make_mut(&mut reading.root).source = crate::model::Source::Files;
        }
        if !of_service {
            world.evidence.roots[0].id.source = crate::model::Source::Files;
        }
        world
    };
    assert_eq!(coverage(&own(false)), Ok(minutes(-10)));
    let cut = own(false).outcome("inventory", &Outcome::Partial(Gap::LooseFile));
    assert!(gap(&cut).contains("loose-file"), "{}", gap(&cut));
    assert!(coverage(&own(true)).is_err());
    // Lists of a service besides: those count.
    let mut both = own(false);
    both.read(minutes(-9), None, clusters(true, &[cluster("c1")]));
    assert!(coverage(&both).is_err());
}
