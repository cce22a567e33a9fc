//! What besides the key keeps a snapshot from a cluster: every constraint, and every way in which
//! it cannot be told. `?` marks what cannot be told.

use std::sync::Arc;

use crate::assess::testing::*;
use crate::model::evidence::{KeyColumn, SnapshotShape, SnapshotStatus};
use crate::model::key_id::Provider;
use crate::model::reading::{ClusterEncryption, ClusterState, Content, KeySettings, Outcome};
use crate::model::{Reading, Source};

const HERE: &str = "p1/c1";
const THERE: &str = "p2/c1";
const TAKEN: [&str; 1] = ["7.0.12"];

fn of(provider: Provider) -> Option<ClusterEncryption> {
    Some(ClusterEncryption::Provider(provider))
}

/// A snapshot under `AWS_A`; `c1` is of its project and under AWS, too.
fn under_a() -> World {
    World::new()
        .settings(&[block(Provider::Aws, AWS_A)])
        .cluster(|c1| c1.encryption = of(Provider::Aws))
        .row(snap("s1"))
}

/// The same, with another snapshot.
fn under_a_with(change: impl FnOnce(&mut crate::model::Sighting)) -> World {
    under_a().with(|world| world.rows = vec![snap_with("s1", change)])
}

/// A second project `p2`, whose `c1` is under the key of these settings.
fn and_there(world: World, blocks: &[KeySettings]) -> World {
    let provider = blocks.first().map(|block| block.provider);
    world.with(|world| {
        world.add_project("p2");
        for reading in there(world) {
            if let Content::Settings(settings) = Arc::make_mut(&mut reading.content) {
                *settings = blocks.to_vec();
            } else if let Content::Clusters { clusters, .. } = Arc::make_mut(&mut reading.content) {
                for c1 in clusters {
                    c1.encryption = provider.map_or(c1.encryption.clone(), of);
                }
            }
        }
    })
}

fn there(world: &mut World) -> &mut Vec<Reading> {
    world.evidence.projects.get_mut(&project_ref("p2")).unwrap()
}

fn in_region(key: &str, region: Option<&str>) -> KeySettings {
    KeySettings {
        region: region.map(ToOwned::to_owned),
        ..block(Provider::Aws, key)
    }
}

#[test]
fn the_releases_of_one_series_share_their_files() {
    // (taken with, the target runs, obstacles)
    let table: [(&[&str], Option<&str>, &str); 17] = [
        (&["7.0.12"], Some("7.0.12"), ""),
        (&["7.0.12"], Some("7.0.13"), ""),
        (&["6.0.20"], Some("7.0.2"), ""),
        (&["7.0.12"], Some("10.0.1"), ""),
        (&["7.0"], Some("7.0.0"), ""),
        (&["8.0.0-rc3"], Some("8.0.0"), ""),
        (&["8.0.1"], Some("7.0.30"), "version"),
        (&["7.3.1"], Some("7.0.30"), "version"),
        (&["10.0.1"], Some("9.0.1"), "version"),
        (&["7.0.12"], Some("7.0.11"), "version?"),
        (&[], Some("7.0.12"), "version?"),
        (&["7.0.12"], None, "version?"),
        (&["7.0.12"], Some("seven"), "version?"),
        (&["7"], Some("8.0.1"), "version?"),
        (&["7.0.1.2"], Some("8.0.1"), "version?"),
        (&["7.0.12", "8.0.1"], Some("7.0.12"), "version"),
        (&["seven", "8.0.1"], Some("7.0.12"), "version"),
    ];
    for (taken, runs, expected) in table {
        let world = under_a().cluster(|c1| c1.version = runs.map(ToOwned::to_owned));
        assert_eq!(world.obstacles(HERE, taken), expected, "{taken:?} {runs:?}");
    }
}

#[test]
fn only_dedicated_clusters_take_a_restore() {
    let table = [
        (Some("M10"), true, ""),
        (Some("M200"), true, ""),
        (Some("M40_NVME"), true, ""),
        (Some("R40"), true, ""),
        (Some("M0"), true, "tier"),
        (Some("M2"), true, "tier"),
        (Some("M5"), true, "tier"),
        (None, true, "tier?"),
        (Some("XL"), true, "tier?"),
        (Some("M"), true, "tier?"),
        // A shared cluster is under no customer key either.
        (None, false, "customer-key tier"),
        (Some("M10"), false, "customer-key tier"),
    ];
    for (size, dedicated, expected) in table {
        let world = under_a().cluster(|c1| {
            c1.instance_size = size.map(ToOwned::to_owned);
            c1.dedicated = dedicated;
        });
        assert_eq!(world.obstacles(HERE, &TAKEN), expected, "{size:?}");
    }
    // Where snapshots of shared clusters may go follows rules of their own.
    let shared = under_a_with(|s| {
        s.shape = SnapshotShape::Shared;
        s.keys = KeyColumn::Absent;
    });
    let to_none = shared.cluster(|c1| c1.encryption = Some(ClusterEncryption::None));
    assert_eq!(to_none.obstacles(HERE, &TAKEN), "tier?");
    let to_shared = to_none.cluster(|c1| c1.dedicated = false);
    assert_eq!(to_shared.obstacles(HERE, &TAKEN), "tier?");
}

#[test]
fn keys_of_one_provider_or_none_on_both_sides() {
    let none = Some(ClusterEncryption::None);
    let odd = Some(ClusterEncryption::Unrecognised("OCI".into()));
    let absent = || KeyColumn::Absent;
    let open = || KeyColumn::NotEncrypted;
    let opaque = || named(&["a key that nobody knows"]);
    // (the snapshot's keys, the target's provider, obstacles)
    let table = [
        (named(&[AWS_A]), of(Provider::Aws), ""),
        (named(&[UUID_A]), of(Provider::Aws), ""),
        (named(&[AWS_A]), of(Provider::Azure), "provider"),
        (named(&[AWS_A]), of(Provider::Gcp), "provider"),
        (named(&[AZURE_1]), of(Provider::Azure), ""),
        (named(&[GCP_1]), of(Provider::Aws), "provider"),
        (named(&[AWS_A, AZURE_1]), of(Provider::Aws), "provider"),
        (named(&[AWS_A]), none.clone(), "customer-key"),
        (named(&[AWS_A]), odd.clone(), "customer-key? provider?"),
        (named(&[AWS_A]), None, "customer-key? provider?"),
        (opaque(), of(Provider::Aws), "provider?"),
        (opaque(), none.clone(), "customer-key"),
        (open(), none.clone(), ""),
        (open(), of(Provider::Aws), "customer-key"),
        (open(), odd, "customer-key?"),
        (open(), None, "customer-key?"),
        // Without the events an absent id is unrecorded.
        (absent(), none, "customer-key?"),
        (absent(), of(Provider::Aws), "customer-key? provider?"),
        (absent(), None, "customer-key? provider?"),
    ];
    for (keys, to, expected) in table {
        let case = format!("{keys:?} {to:?}");
        let world = under_a_with(|s| s.keys = keys)
            .without("events")
            .cluster(|c1| c1.encryption = to.clone());
        assert_eq!(world.obstacles(HERE, &TAKEN), expected, "{case}");
    }
    // With them it is taken for not encrypted, as the verdict takes it.
    let trusted = World::new().row(snap_with("s1", |s| s.keys = KeyColumn::Absent));
    assert_eq!(trusted.obstacles(HERE, &TAKEN), "");
    // Under one of the project's keys, which is not said yet.
    let queued = under_a_with(|s| {
        s.status = SnapshotStatus::Queued;
        s.keys = KeyColumn::Absent;
    });
    assert_eq!(
        queued.obstacles(HERE, &[]),
        "customer-key? provider? version?"
    );
}

#[test]
fn between_projects_the_aws_keys_are_in_one_region() {
    let us = || vec![block(Provider::Aws, AWS_B)];
    let eu = || vec![block(Provider::Aws, AWS_C)];
    let bare = |region| vec![in_region("cccccccc-3333-4333-8333-cccccccccccc", region)];
    // (the snapshot's keys, the other project's settings, obstacles)
    let table = [
        (named(&[AWS_A]), us(), ""),
        (named(&[AWS_A]), eu(), "key-region"),
        (named(&[AWS_A]), bare(Some("us-east-1")), ""),
        (named(&[AWS_A]), bare(Some("eu-west-1")), "key-region"),
        (named(&[AWS_A]), bare(None), "key-region?"),
        (
            named(&[AWS_A]),
            vec![in_region(AWS_C, Some("us-east-1"))],
            "key-region?",
        ),
        (named(&[AWS_A, AWS_C]), us(), "key-region"),
        // Of a bare id the settings of its own project know the region.
        (named(&[UUID_A]), us(), ""),
        (named(&[UUID_A]), eu(), "key-region"),
        (
            named(&["99999999-1111-4111-8111-aaaaaaaaaaaa"]),
            us(),
            "key-region?",
        ),
        (
            named(&["a key that nobody knows"]),
            us(),
            "key-region? provider?",
        ),
        // A multi-Region key may have a replica there.
        (named(&[MRK_US]), us(), ""),
        (named(&[MRK_EU]), us(), "key-region?"),
        // The rule is one of AWS.
        (named(&[AZURE_1]), vec![block(Provider::Azure, AZURE_2)], ""),
        (named(&[AZURE_1]), us(), "provider"),
        (KeyColumn::NotEncrypted, us(), "customer-key"),
        (KeyColumn::NotEncrypted, vec![], ""),
        (KeyColumn::Absent, vec![], "customer-key?"),
        (
            KeyColumn::Absent,
            us(),
            "customer-key? key-region? provider?",
        ),
    ];
    for (keys, blocks, expected) in table {
        let case = format!("{keys:?} {blocks:?}");
        let world = under_a_with(|s| s.keys = keys).without("events");
        let world = and_there(world, &blocks);
        assert_eq!(world.obstacles(THERE, &TAKEN), expected, "{case}");
    }
    let same_project = under_a().settings(&eu());
    assert_eq!(same_project.obstacles(HERE, &TAKEN), "");
}

#[test]
fn the_settings_of_a_bare_id_tell_its_region() {
    let id = "99999999-1111-4111-8111-aaaaaaaaaaaa";
    let world = |region| {
        let world = under_a_with(|s| s.keys = named(&[id]));
        let world = world.settings(&[in_region(id, region)]);
        and_there(world, &[block(Provider::Aws, AWS_B)])
    };
    assert_eq!(world(Some("us-east-1")).obstacles(THERE, &TAKEN), "");
    assert_eq!(
        world(Some("eu-west-1")).obstacles(THERE, &TAKEN),
        "key-region"
    );
    assert_eq!(world(None).obstacles(THERE, &TAKEN), "key-region?");
}

#[test]
fn settings_that_are_missing_or_old_tell_no_region() {
    let world = || and_there(under_a(), &[block(Provider::Aws, AWS_B)]);
    let unread = world().with(|w| there(w).retain(|r| r.content.word() != "settings"));
    assert_eq!(unread.obstacles(THERE, &TAKEN), "key-region?");
    let refused = world().with(|w| {
        for reading in there(w) {
            if let Content::Settings(blocks) = Arc::make_mut(&mut reading.content) {
                reading.outcome = Outcome::Refused {
                    status: 401,
                    code: None,
                    confirmed: false,
                };
                blocks.clear();
            }
        }
    });
    assert_eq!(refused.obstacles(THERE, &TAKEN), "key-region?");
    let aged = |seconds| {
        world().with(|w| {
            let limit = w.policy.max_inventory_age;
            for reading in there(w) {
                if reading.content.word() == "settings" {
                    reading.at = as_of().saturating_add(-limit - seconds);
                }
            }
        })
    };
    assert_eq!(aged(0).obstacles(THERE, &TAKEN), "");
    assert_eq!(aged(1).obstacles(THERE, &TAKEN), "key-region?");
}

#[test]
fn stale_lists_tell_nothing() {
    let all = "customer-key? provider? target-deleted? tier? version?";
    let at_limit = |seconds| {
        under_a().with(|world| {
            let age = world.policy.max_inventory_age;
            world.as_of = minutes(CLUSTERS_AT).saturating_add(age + seconds);
        })
    };
    assert_eq!(at_limit(0).obstacles(HERE, &TAKEN), "");
    assert_eq!(at_limit(1).obstacles(HERE, &TAKEN), all);
    // What is wrong with an old reading may be right by now.
    let small = at_limit(1).cluster(|c1| {
        c1.dedicated = false;
        c1.version = Some(String::from("4.4.1"));
    });
    assert_eq!(small.obstacles(HERE, &TAKEN), all);
    let elsewhere = and_there(at_limit(1), &[block(Provider::Aws, AWS_C)]);
    assert_eq!(
        elsewhere.obstacles(THERE, &TAKEN),
        "customer-key? key-region? provider? target-deleted? tier? version?"
    );
    // Not under a key of AWS, no matter of its region.
    let azure = elsewhere.with(|w| w.rows = vec![snap_with("s1", |s| s.keys = named(&[AZURE_1]))]);
    assert_eq!(azure.obstacles(THERE, &TAKEN), all);
    // Never listed, known by its snapshots alone.
    let unlisted = under_a()
        .without("clusters")
        .without("clusters-with-deleted");
    assert_eq!(unlisted.obstacles(HERE, &TAKEN), all);
}

#[test]
fn nothing_goes_to_a_cluster_that_is_deleted() {
    let gone = |r: &mut Reading| r.content = Arc::new(clusters(false, &[]));
    let deleting = |c1: &mut ClusterState| c1.state = Some("DELETING".into());
    let shifted = |word: &'static str, minutes: i64| {
        under_a().change(word, move |r| r.at = r.at.saturating_add(minutes * 60))
    };
    let cut = Outcome::Partial(crate::model::reading::Gap::PageFailed);
    let table = [
        ("both lists", under_a(), ""),
        ("the state", under_a().cluster(deleting), "target-deleted"),
        (
            "only with deleted",
            under_a().change("clusters", gone),
            "target-deleted",
        ),
        (
            "no list without deleted",
            under_a().without("clusters"),
            "target-deleted?",
        ),
        (
            "only without deleted",
            under_a().without("clusters-with-deleted"),
            "",
        ),
        (
            "a cut list without deleted lacks it",
            under_a().change("clusters", gone).outcome("clusters", &cut),
            "target-deleted?",
        ),
        (
            "a cut list without deleted shows it",
            under_a().outcome("clusters", &cut),
            "",
        ),
        (
            "a later list lacks it",
            under_a().with(|w| w.read(minutes(-9), None, clusters(true, &[]))),
            "target-deleted?",
        ),
        (
            "the list without deleted is too old",
            shifted("clusters", -24 * 60),
            "target-deleted?",
        ),
        ("read in another order", shifted("clusters", -1), ""),
        ("and the other", shifted("clusters", 1), ""),
    ];
    for (case, world, expected) in table {
        assert_eq!(world.obstacles(HERE, &TAKEN), expected, "{case}");
    }
}

#[test]
fn nothing_goes_to_a_project_that_is_gone() {
    let unlisted = and_there(under_a(), &[]).with(|w| {
        let Content::Projects(listed) = Arc::make_mut(&mut w.evidence.roots[0].lists[0].content)
        else {
            panic!("a project list");
        };
        listed.retain(|project| project.id != "p2");
    });
    assert_eq!(
        unlisted.obstacles(THERE, &TAKEN),
        "customer-key target-deleted?"
    );
    let left = unlisted.with(|w| {
        let time = minutes(-5).to_string();
        let mut answer = reading(&time, None, Content::Project);
        answer.project = Some(Arc::from("p2"));
        answer.outcome = refused(404, Some("GROUP_NOT_FOUND"), false);
        there(w).push(answer);
    });
    assert_eq!(
        left.obstacles(THERE, &TAKEN),
        "customer-key? key-region? provider? target-deleted tier? version?"
    );
    // Two lists lack the cluster, and its own denies it.
    let vanished = under_a().with(|w| {
        w.read(
            days(-3),
            None,
            clusters(true, &[cluster("c1"), cluster("c9")]),
        );
        w.read(minutes(-100), None, clusters(true, &[cluster("c1")]));
        let time = minutes(-30).to_string();
        let mut denied = reading(&time, Some("c9"), Content::Snapshots);
        denied.outcome = refused(404, Some("CLUSTER_NOT_FOUND"), false);
        w.push(denied);
    });
    assert_eq!(
        vanished.obstacles("p1/c9", &TAKEN),
        "customer-key? provider? target-deleted tier? version?"
    );
}

#[test]
fn a_name_may_pass_to_another_cluster() {
    let old = || ClusterState {
        id: Some(String::from("id-old")),
        encryption: of(Provider::Gcp),
        ..cluster("c1")
    };
    let new = || ClusterState {
        encryption: of(Provider::Aws),
        ..cluster("c1")
    };
    let lists = |deleted: &[ClusterState], live: &[ClusterState]| {
        under_a()
            .change("clusters-with-deleted", |r| {
                r.content = Arc::new(clusters(true, deleted));
            })
            .change("clusters", |r| r.content = Arc::new(clusters(false, live)))
    };
    let told = lists(&[old(), new()], &[new()]);
    assert_eq!(told.obstacles(HERE, &TAKEN), "");
    let other_way = lists(&[old(), new()], &[old()]);
    assert_eq!(other_way.obstacles(HERE, &TAKEN), "provider");
    let untold = lists(&[old(), new()], &[]).without("clusters");
    assert_eq!(
        untold.obstacles(HERE, &TAKEN),
        "customer-key? provider? target-deleted? tier? version?"
    );
    let both = lists(&[old(), new()], &[old(), new()]);
    assert_eq!(
        both.obstacles(HERE, &TAKEN),
        "customer-key? provider? tier? version?"
    );
}

#[test]
fn a_flex_cluster_stands_on_its_own_list() {
    let flex = ClusterState {
        dedicated: false,
        instance_size: None,
        encryption: None,
        ..cluster("f1")
    };
    let world = under_a().with(|w| {
        w.read(minutes(-50), None, Content::SharedClusters(vec![flex]));
        // The list of serverless instances.
        w.read(minutes(-49), None, Content::SharedClusters(Vec::new()));
    });
    assert_eq!(world.obstacles("p1/f1", &TAKEN), "customer-key tier");
}

#[test]
fn a_snapshot_stays_within_its_atlas() {
    let elsewhere = |change: fn(&mut Reading)| {
        and_there(under_a(), &[block(Provider::Aws, AWS_C)])
            .with(|w| there(w).iter_mut().for_each(change))
    };
    let cloud_manager = elsewhere(|r| Arc::make_mut(&mut r.root).source = Source::OpsManager);
    assert_eq!(cloud_manager.obstacles(THERE, &TAKEN), "service");
    // Other rules are those of one Atlas, and of Atlas only.
    let own = under_a_with(|s| s.shape = SnapshotShape::Own);
    assert_eq!(own.obstacles(HERE, &TAKEN), "service?");
    let government = and_there(under_a(), &[]).with(|w| {
        let mut moved = project_ref("p2");
        moved.base_url = String::from("https://cloud.mongodbgov.com");
        let readings = w.evidence.projects.remove(&project_ref("p2")).unwrap();
        w.evidence.projects.insert(moved, readings);
    });
    assert_eq!(government.obstacles(THERE, &TAKEN), "service");
}

#[test]
fn a_target_is_named_in_full() {
    let world = and_there(under_a(), &[]);
    let table = [
        ("p1/c2", "unknown: p1/c1"),
        ("p3/c1", "unknown: p1/c1 p2/c1"),
        ("p1/C1", "unknown: p1/c1"),
        ("c1", "unknown: p1/c1 p2/c1"),
    ];
    for (text, expected) in table {
        assert_eq!(world.obstacles(text, &TAKEN), expected, "{text}");
    }
    let twice = world.with(|w| {
        let mut other = project_ref("p2");
        other.base_url = String::from("https://cloud.mongodbgov.com");
        let readings = there(w).clone();
        w.evidence.projects.insert(other, readings);
    });
    assert_eq!(
        twice.obstacles(THERE, &TAKEN),
        "several: https://cloud.mongodb.com https://cloud.mongodbgov.com"
    );
}
