//! What is asked, in which order, with which version, and what follows from each answer.

use serde_json::{Value, json};

use super::world::{Reply, World, cluster, gaps, known, plan, snapshot};
use crate::collect::{Kind, KnownCluster, KnownProject, Plan};
use crate::http::Failure;
use crate::model::Scope;

const EVENTS: &str = "/events?eventType=AWS_ENCRYPTION_KEY_ROTATED&eventType=AZURE_ENCRYPTION_KEY_ROTATED\
    &eventType=GCP_ENCRYPTION_KEY_ROTATED&eventType=ENCRYPTION_AT_REST_CONFIGURATION_UPDATED&minDate=";

/// Without the events of every project, which are asked last.
fn asked(world: &World) -> Vec<String> {
    let asked = world.asked().into_iter();
    asked.filter(|path| !path.contains("/events?")).collect()
}

fn of_p1(paths: &[&str]) -> Vec<String> {
    let below = paths.iter().map(|path| format!("/groups/p1{path}"));
    std::iter::once("/groups".to_owned()).chain(below).collect()
}

#[test]
fn everything_is_asked_in_order_and_with_the_version_of_each() {
    let world = World::new();
    world
        .groups(&["p1"])
        .project("p1", &[cluster("b", "SHARDED"), cluster("a", "REPLICASET")]);
    let collected = world.collect();
    assert_eq!(collected.gaps, []);
    assert_eq!(collected.assumptions, []);
    assert_eq!((collected.projects, collected.clusters), (1, 2));
    let events = format!("{EVENTS}2026-07-27T02:00:00Z");
    let expected = of_p1(&[
        "/encryptionAtRest",
        "/clusters?includeDeletedWithRetainedBackups=true",
        "/clusters",
        "/clusters/a/backup/snapshots",
        "/clusters/a/backup/schedule",
        "/clusters/a/backup/restoreJobs",
        "/clusters/b/backup/snapshots",
        "/clusters/b/backup/snapshots/shardedClusters",
        "/clusters/b/backup/schedule",
        "/clusters/b/backup/restoreJobs",
        "/backupCompliancePolicy",
        &events,
    ]);
    assert_eq!(world.asked(), expected);
    let bundled: Vec<String> = world.bundled().into_iter().map(|(path, _)| path).collect();
    assert_eq!(bundled, expected, "the manifest has the order of asking");
    for (path, accept) in world.versions() {
        let version = match path.rsplit('/').next().unwrap() {
            "schedule" => "2024-08-05",
            last if last.starts_with("clusters") => "2024-08-05",
            "backupCompliancePolicy" => "2023-10-01",
            _ => "2023-01-01",
        };
        assert_eq!(
            accept,
            format!("application/vnd.atlas.{version}+json"),
            "{path}"
        );
    }
}

#[test]
fn the_manifest_is_what_ingest_reads() {
    let world = World::small();
    world.collect();
    let manifest = world.manifest();
    assert_eq!(manifest["format"], "snapkey-bundle/1");
    assert_eq!(manifest["source"], "atlas");
    assert_eq!(manifest["base_url"], "https://cloud.mongodb.com");
    assert_eq!(manifest["scope"], json!({"all_visible": true}));
    assert_eq!(manifest["identity"], "kqfvmzbt");
    assert_eq!(manifest["unfinished"], Value::Null);
    let first = &manifest["requests"][0];
    assert_eq!(
        first["path"],
        "/api/atlas/v2/groups?pageNum=1&itemsPerPage=500"
    );
    assert_eq!(first["at"], "2026-11-01T02:00:01Z");
    assert_eq!(first["local_at"], "2026-11-01T02:00:01Z");
    assert_eq!(first["file"], "pages/0001.json");
    assert_eq!(first["pass"], Value::Null);
    assert!(!world.out().join("collect.journal").exists());
}

#[test]
fn the_scope_is_what_was_asked() {
    let world = World::small();
    world.list("/orgs/o1/groups", &[json!({"id": "p1"})]);
    let table = [
        (Scope::AllVisible, "/groups", json!({"all_visible": true})),
        (
            Scope::Org("o1".to_owned()),
            "/orgs/o1/groups",
            json!({"org": "o1"}),
        ),
        (
            Scope::Projects(vec!["p1".to_owned(), "p1".to_owned()]),
            "/groups/p1/encryptionAtRest",
            json!({"projects": ["p1"]}),
        ),
    ];
    for (scope, first, written) in table {
        world.forget_log();
        let _fresh = std::fs::remove_dir_all(world.out());
        let collected = world.run(Plan { scope, ..plan() }).unwrap();
        assert_eq!((collected.projects, collected.gaps.len()), (1, 0));
        assert_eq!(world.asked()[0], first);
        assert_eq!(world.manifest()["scope"], written);
    }
}

#[test]
fn which_lists_a_cluster_needs() {
    let shared = json!({"name": "m0", "clusterType": "REPLICASET",
        "replicationSpecs": [{"regionConfigs": [{"providerName": "TENANT"}]}]});
    let mut unsaid = cluster("a", "REPLICASET");
    unsaid.as_object_mut().unwrap().remove("clusterType");
    let rows = [json!({"id": "s1", "type": "shardedCluster"})];
    // (cluster, its snapshots, what is asked of it)
    let table: [(Value, &[Value], &[&str]); 5] = [
        (
            cluster("a", "REPLICASET"),
            &[],
            &["snapshots", "schedule", "restoreJobs"],
        ),
        (
            cluster("a", "GEOSHARDED"),
            &[],
            &[
                "snapshots",
                "snapshots/shardedClusters",
                "schedule",
                "restoreJobs",
            ],
        ),
        (
            unsaid,
            &[],
            &[
                "snapshots",
                "snapshots/shardedClusters",
                "schedule",
                "restoreJobs",
            ],
        ),
        (
            cluster("a", "REPLICASET"),
            &rows,
            &[
                "snapshots",
                "snapshots/shardedClusters",
                "schedule",
                "restoreJobs",
            ],
        ),
        (shared, &[], &[]),
    ];
    for (row, snapshots, expected) in table {
        let world = World::new();
        let name = row["name"].as_str().unwrap().to_owned();
        world.groups(&["p1"]).project("p1", &[row]);
        world.list(
            &format!("/groups/p1/clusters/{name}/backup/snapshots"),
            snapshots,
        );
        assert!(world.collect().is_complete());
        let below = format!("/groups/p1/clusters/{name}/backup/");
        let asked = world.asked();
        let found: Vec<&str> = asked
            .iter()
            .filter_map(|path| path.strip_prefix(&below))
            .collect();
        assert_eq!(found, expected, "{name}");
    }
}

#[test]
fn events_go_back_past_the_longest_window_and_the_oldest_snapshot() {
    let snapshots = |created: &str| {
        let mut row = snapshot(1);
        row["createdAt"] = created.into();
        vec![row]
    };
    // (schedule's window, policy's, oldest snapshot, minDate)
    let table = [
        (7, 0, "2026-10-31T02:00:00Z", "2026-07-27T02:00:00Z"),
        (7, 35, "2026-10-31T02:00:00Z", "2026-06-29T02:00:00Z"),
        (7, 35, "2025-01-31T02:00:00Z", "2025-01-30T02:00:00Z"),
    ];
    for (schedule, policy, oldest, expected) in table {
        let world = World::small();
        let path = "/groups/p1/clusters/a/backup";
        world
            .list(&format!("{path}/snapshots"), &snapshots(oldest))
            .on(
                &format!("{path}/schedule"),
                [Reply::ok(
                    &json!({"restoreWindowDays": schedule, "policies": []}),
                )],
            )
            .on(
                "/groups/p1/backupCompliancePolicy",
                [Reply::ok(
                    &json!({"projectId": "p1", "restoreWindowDays": policy}),
                )],
            );
        world.collect();
        let expected = format!("/groups/p1{EVENTS}{expected}");
        assert_eq!(world.asked().last(), Some(&expected));
    }
}

#[test]
fn deleted_and_remembered_clusters_are_asked_about() {
    let world = World::new();
    world
        .groups(&["p1"])
        .project("p1", &[cluster("a", "REPLICASET")]);
    let ghost = cluster("ghost", "REPLICASET");
    let live = cluster("a", "REPLICASET");
    world.clusters("p1", &[live.clone(), ghost], &[live]);
    world.cluster("p1", "ghost").cluster("p1", "forgotten");
    let gone = || [Reply::error(404, "CLUSTER_NOT_FOUND")];
    let ghost = "/groups/p1/clusters/ghost/backup";
    world.on(&format!("{ghost}/schedule"), gone()).on(
        &format!("{ghost}/restoreJobs?pageNum=1&itemsPerPage=500"),
        gone(),
    );
    let collected = world
        .run(Plan {
            known: vec![known("p1", &["forgotten", "a"])],
            ..plan()
        })
        .unwrap();
    // A deleted cluster's schedule may be gone; its jobs are over.
    assert_eq!(gaps(&collected), []);
    assert_eq!(collected.assumptions, []);
    let asked = asked(&world);
    for path in [
        "/clusters/ghost/backup/snapshots",
        "/clusters/forgotten/backup/snapshots",
        "/clusters/forgotten/backup/snapshots/shardedClusters",
        "/clusters/forgotten/backup/schedule",
    ] {
        assert!(asked.contains(&format!("/groups/p1{path}")), "{path}");
    }
    assert!(
        !asked
            .iter()
            .any(|path| path.ends_with("/clusters/a/backup/snapshots/shardedClusters"))
    );
}

#[test]
fn what_was_ever_sharded_has_its_sharded_list_asked() {
    for (name, has_snapshots, expected) in
        [("a", true, true), ("a", false, true), ("b", false, false)]
    {
        let world = World::small();
        let known = KnownProject {
            id: "p1".to_owned(),
            clusters: vec![KnownCluster {
                name: name.to_owned(),
                has_snapshots,
                sharded: true,
            }],
        };
        let known = vec![known];
        world.run(Plan { known, ..plan() }).unwrap();
        let asked = world.asked();
        let sharded = asked.iter().any(|path| path.ends_with("/shardedClusters"));
        assert_eq!(sharded, expected, "{name} {has_snapshots}");
        assert!(!asked.iter().any(|path| path.contains("/clusters/b/")));
    }
}

#[test]
fn what_the_store_knows_by_an_impossible_name_is_a_gap() {
    let world = World::small();
    let collected = world
        .run(Plan {
            known: vec![known("p1", &[".."]), known(".", &[])],
            ..plan()
        })
        .unwrap();
    let gaps = gaps(&collected);
    assert_eq!(gaps.len(), 2);
    assert!(
        gaps.iter()
            .all(|(_, told)| told == "has a name that cannot be asked about")
    );
    assert!(world.asked().iter().all(|path| !path.contains("..")));
}

#[test]
fn a_remembered_cluster_that_is_nowhere_is_a_gap_and_asked_no_further() {
    let world = World::small();
    let path = "/groups/p1/clusters/gone/backup/snapshots";
    world.on(
        &format!("{path}?pageNum=1&itemsPerPage=500"),
        [Reply::error(404, "CLUSTER_NOT_FOUND")],
    );
    let collected = world
        .run(Plan {
            known: vec![known("p1", &["gone"])],
            ..plan()
        })
        .unwrap();
    assert_eq!(
        gaps(&collected),
        [(path.to_owned(), "answered 404 CLUSTER_NOT_FOUND".to_owned())]
    );
    let of_gone = asked(&world);
    let of_gone = of_gone.iter().filter(|path| path.contains("/gone/"));
    assert_eq!(of_gone.count(), 2, "a second try, and nothing else");
}

#[test]
fn a_remembered_flex_cluster_is_read_as_one() {
    let world = World::small();
    world
        .on(
            "/groups/p1/clusters/f/backup/snapshots?pageNum=1&itemsPerPage=500",
            [Reply::error(400, "CANNOT_USE_FLEX_CLUSTER_IN_CLUSTER_API")],
        )
        .list(
            "/groups/p1/flexClusters",
            &[json!({"id": "id-f", "name": "f"})],
        )
        .list(
            "/groups/p1/flexClusters/f/backup/snapshots",
            &[json!({"id": "s"})],
        );
    let collected = world
        .run(Plan {
            known: vec![known("p1", &["f"])],
            ..plan()
        })
        .unwrap();
    assert_eq!(gaps(&collected), []);
    let versions = world.versions();
    assert_eq!(
        versions["/groups/p1/flexClusters/f/backup/snapshots"],
        "application/vnd.atlas.2024-11-13+json"
    );
}

#[test]
fn a_project_that_no_list_names_is_asked_about_first() {
    let org = || Scope::Org("o1".to_owned());
    let found = |org: &str| Reply::ok(&json!({"id": "p2", "orgId": org}));
    // (scope, answer, gaps, notes, was it read)
    let table = [
        (Scope::AllVisible, found("o9"), 0, 0, true),
        (
            Scope::AllVisible,
            Reply::error(404, "GROUP_NOT_FOUND"),
            0,
            1,
            false,
        ),
        (
            Scope::AllVisible,
            Reply::error(404, "SOMETHING"),
            1,
            0,
            false,
        ),
        (Scope::AllVisible, Reply::error(403, "NO"), 1, 0, false),
        (org(), found("o1"), 0, 0, true),
        (org(), found("o9"), 0, 0, false),
        (org(), Reply::error(404, "GROUP_NOT_FOUND"), 0, 1, false),
        (org(), Reply::error(403, "NO"), 0, 0, false),
        (org(), Reply::error(500, "NO"), 1, 0, false),
        (
            Scope::Projects(vec!["p1".to_owned()]),
            Reply::error(500, "NO"),
            0,
            0,
            false,
        ),
    ];
    for (scope, reply, gaps, notes, is_read) in table {
        let world = World::small();
        world.list("/orgs/o1/groups", &[json!({"id": "p1"})]);
        world.project("p2", &[]).on("/groups/p2", [reply.clone()]);
        let told = format!("{scope:?} {reply:?}");
        let collected = world
            .run(Plan {
                scope,
                known: vec![known("p2", &[])],
                ..plan()
            })
            .unwrap();
        assert_eq!(
            (collected.gaps.len(), collected.notes.len()),
            (gaps, notes),
            "{told}"
        );
        let settings = "/groups/p2/encryptionAtRest".to_owned();
        assert_eq!(world.asked().contains(&settings), is_read, "{told}");
    }
}

#[test]
fn refusals_are_assumptions_gaps_or_the_whole_truth() {
    let with_backups = cluster("a", "REPLICASET");
    let mut without = with_backups.clone();
    without["backupEnabled"] = false.into();
    let none = || Reply::error(404, "CLUSTER_NOT_FOUND");
    let off = || Reply::error(400, "BACKUP_NOT_ENABLED");
    let denied = || Reply::error(403, "ROLE");
    let snapshots = "/clusters/a/backup/snapshots?pageNum=1&itemsPerPage=500";
    let jobs = "/clusters/a/backup/restoreJobs?pageNum=1&itemsPerPage=500";
    let policy = "/backupCompliancePolicy";
    let schedule = "/clusters/a/backup/schedule";
    // (cluster, path, answers, gaps, assumptions)
    let table: Vec<(&Value, &str, Vec<Reply>, usize, usize)> = vec![
        (&with_backups, jobs, vec![denied()], 0, 1),
        (&with_backups, jobs, vec![Reply::error(401, "ROLE")], 0, 1),
        (&with_backups, jobs, vec![Reply::error(500, "OOPS")], 1, 0),
        (
            &with_backups,
            jobs,
            vec![Reply::Failed(None, Failure::TimedOut(30))],
            1,
            0,
        ),
        (&with_backups, policy, vec![denied()], 0, 1),
        (&with_backups, policy, vec![Reply::error(404, "NONE")], 0, 1),
        (
            &with_backups,
            policy,
            vec![Reply::error(429, "RATE_LIMITED")],
            1,
            0,
        ),
        (
            &with_backups,
            policy,
            vec![Reply::Body(200, b"null".to_vec())],
            0,
            0,
        ),
        (
            &with_backups,
            policy,
            vec![Reply::Body(200, Vec::new())],
            0,
            0,
        ),
        (&with_backups, schedule, vec![denied()], 1, 0),
        (&with_backups, schedule, vec![none()], 1, 0),
        (&without, schedule, vec![off()], 0, 0),
        (&without, schedule, vec![Reply::error(500, "OOPS")], 0, 0),
        (&without, snapshots, vec![none()], 0, 0),
        (&without, snapshots, vec![off()], 0, 0),
        (&without, snapshots, vec![none(), off()], 1, 0),
        (&without, snapshots, vec![Reply::error(404, "OTHER")], 1, 0),
        (&with_backups, snapshots, vec![none()], 1, 0),
        (&with_backups, snapshots, vec![off()], 1, 0),
        (&with_backups, snapshots, vec![denied()], 1, 0),
        // It comes and goes: what it shows at the second try counts.
        (
            &with_backups,
            snapshots,
            vec![none(), Reply::rows(&[])],
            0,
            0,
        ),
        (&with_backups, "/encryptionAtRest", vec![denied()], 1, 0),
    ];
    for (row, path, replies, n_gaps, assumptions) in table {
        let world = World::new();
        world
            .groups(&["p1"])
            .project("p1", std::slice::from_ref(row));
        let told = format!("{path}: {replies:?}");
        world.on(&format!("/groups/p1{path}"), replies);
        let collected = world.collect();
        assert_eq!(
            gaps(&collected).len(),
            n_gaps,
            "{told}: {:?}",
            gaps(&collected)
        );
        assert_eq!(collected.assumptions.len(), assumptions, "{told}");
        assert_eq!(collected.is_complete(), n_gaps == 0, "{told}");
    }
}

#[test]
fn rights_that_lack_are_named_once_for_a_project() {
    let world = World::new();
    let clusters = [cluster("a", "REPLICASET"), cluster("b", "REPLICASET")];
    world
        .groups(&["p1", "p2"])
        .project("p1", &clusters)
        .project("p2", &clusters);
    for (project, name) in [("p1", "a"), ("p1", "b"), ("p2", "a")] {
        world.on(
            &format!(
                "/groups/{project}/clusters/{name}/backup/restoreJobs?pageNum=1&itemsPerPage=500"
            ),
            [Reply::error(403, "USER_UNAUTHORIZED")],
        );
    }
    let collected = world.collect();
    let named: Vec<_> = collected
        .assumptions
        .iter()
        .map(|f| f.project.as_deref().unwrap())
        .collect();
    assert_eq!(named, ["p1", "p2"]);
    let told = collected.assumptions[0].to_string();
    assert!(
        told.contains("restore jobs in project `p1`: answered 403 USER_UNAUTHORIZED"),
        "{told}"
    );
    assert!(told.contains("no-restore-running"), "{told}");
    // Every refusal is evidence.
    let refused = world.bundled();
    assert_eq!(
        refused.iter().filter(|(_, status)| *status == 403).count(),
        3
    );
}

#[test]
fn what_vanishes_meanwhile_costs_itself() {
    let world = World::new();
    world
        .groups(&["p1", "p2"])
        .project("p1", &[cluster("a", "REPLICASET")])
        .project("p2", &[cluster("a", "REPLICASET")])
        .on(
            "/groups/p1/encryptionAtRest",
            [Reply::error(404, "GROUP_NOT_FOUND")],
        )
        .on(
            "/groups/p2/clusters/a/backup/snapshots?pageNum=1&itemsPerPage=500",
            [Reply::error(404, "CLUSTER_NOT_FOUND")],
        );
    let collected = world.collect();
    assert_eq!(
        gaps(&collected),
        [
            (
                "/groups/p1/encryptionAtRest",
                "answered 404 GROUP_NOT_FOUND"
            ),
            (
                "/groups/p2/clusters/a/backup/snapshots",
                "answered 404 CLUSTER_NOT_FOUND"
            ),
        ]
        .map(|(path, answer)| (path.to_owned(), answer.to_owned()))
    );
    let asked = asked(&world);
    assert_eq!(
        asked
            .iter()
            .filter(|path| path.starts_with("/groups/p1/"))
            .count(),
        1
    );
    assert!(asked.contains(&"/groups/p2/clusters/a/backup/schedule".to_owned()));
    assert!(
        world
            .bundled()
            .contains(&("/groups/p1/encryptionAtRest".to_owned(), 404.into()))
    );
}

#[test]
fn without_a_project_list_what_the_store_knows_is_still_read() {
    let world = World::small();
    world.on(
        "/groups?pageNum=1&itemsPerPage=500",
        [Reply::Failed(
            None,
            Failure::Unreachable("reset".to_owned()),
        )],
    );
    let collected = world
        .run(Plan {
            known: vec![known("p1", &["a"])],
            ..plan()
        })
        .unwrap();
    assert_eq!(
        gaps(&collected),
        [("/groups".to_owned(), "cannot connect: reset".to_owned())]
    );
    assert_eq!(collected.gaps[0].list, Kind::Projects);
    assert!(
        world
            .asked()
            .contains(&"/groups/p1/clusters/a/backup/snapshots".to_owned())
    );
    let first = &world.manifest()["requests"][0];
    assert_eq!(
        (&first["status"], &first["file"], &first["failure"]),
        (&Value::Null, &Value::Null, &"cannot connect: reset".into())
    );
}

#[test]
fn ids_that_would_lead_elsewhere_are_not_asked_about() {
    let world = World::new();
    world
        .list(
            "/groups",
            &[
                json!({"id": ".."}),
                json!({"id": "p1"}),
                json!({"name": "none"}),
                json!(7),
            ],
        )
        .project("p1", &[]);
    let collected = world.collect();
    assert_eq!(
        gaps(&collected),
        [(
            "/groups".to_owned(),
            "has 3 rows that cannot be used".to_owned()
        )]
    );
    assert!(world.asked().iter().all(|path| !path.contains("..")));
}
