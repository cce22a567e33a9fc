//! Roots, projects that leave, and statements that stand for a project's inventory.

use std::sync::Arc;

use crate::assess::testing::*;
use crate::model::evidence::SnapshotStatus;
use crate::model::key_id::Provider;
use crate::model::policy::{CustomerKeys, ProjectStatement};
use crate::model::reading::{
    ClusterEncryption, Content, Gap, ListedProject, Outcome, Scope, Source,
};
use crate::model::{RootId, Timestamp};

fn free() -> World {
    World::new().enabled(&[AWS_A])
}

fn said(world: &World) -> String {
    line(&world.check(AWS_A))
}

fn other_root(source: Source, base_url: &str, scope: Scope) -> RootId {
    RootId {
        source,
        base_url: base_url.to_owned(),
        scope,
    }
}

#[test]
fn every_root_needs_its_own_whole_list() {
    let org = other_root(
        Source::Atlas,
        "https://cloud.mongodb.com",
        Scope::Org(String::from("o1")),
    );
    let two = free().with(|w| w.add_root(org));
    assert_eq!(said(&two), "safe");
    let cut = two.with(|w| {
        w.evidence.roots[1].lists[0].outcome = Outcome::Partial(Gap::PageMissing);
    });
    assert_eq!(said(&cut), "unknown ?estate-incomplete");
}

#[test]
fn an_older_whole_list_stands_until_it_ages() {
    let world = free().with(|w| {
        let mut newer = w.evidence.roots[0].lists[0].clone();
        newer.at = minutes(-5);
        newer.outcome = Outcome::Partial(Gap::PageFailed);
        newer.content = Arc::new(Content::Projects(Vec::new()));
        w.evidence.roots[0].lists.push(newer);
    });
    assert_eq!(said(&world), "safe");
    let aged = world.with(|w| w.evidence.roots[0].lists[0].at = minutes(-61));
    assert_eq!(said(&aged), "unknown ?estate-incomplete");
}

#[test]
fn loose_files_beside_a_service_are_no_root_of_their_own() {
    let files = |base_url| {
        free().with(|w| {
            w.add_root(other_root(Source::Files, base_url, Scope::AllVisible));
            w.evidence.roots[1].lists.clear();
        })
    };
    assert_eq!(said(&files("https://cloud.mongodb.com")), "safe");
    assert_eq!(
        said(&files("https://elsewhere.example.org")),
        "unknown ?estate-incomplete"
    );
}

/// The list of projects does not name `p1` any more.
fn unlisted() -> World {
    free().row(snap("s1")).with(|w| {
        w.evidence.roots[0].lists[0].content = Arc::new(Content::Projects(vec![ListedProject {
            id: String::from("p2"),
            name: None,
        }]));
        let mut readings = w.readings().clone();
        for reading in &mut readings {
            reading.project = Some(Arc::from("p2"));
        }
        w.evidence.projects.insert(project_ref("p2"), readings);
    })
}

#[test]
fn a_project_that_no_list_names_stays() {
    let held = "held not-before:2026-11-23T12:00:00Z +snapshot ?project-missing";
    assert_eq!(said(&unlisted()), held);
}

#[test]
fn a_project_leaves_by_404_to_a_credential_that_could_read_it() {
    let not_found = refused(404, Some("GROUP_NOT_FOUND"), false);
    let us = Some("abcdefgh");
    // (answer, identity, minutes, left)
    let table = [
        (not_found.clone(), us, -5, true),
        (not_found.clone(), Some("other"), -5, false),
        (not_found.clone(), None, -5, false),
        (refused(403, Some("GROUP_NOT_FOUND"), false), us, -5, false),
        (
            refused(404, Some("CLUSTER_NOT_FOUND"), false),
            us,
            -5,
            false,
        ),
        (refused(404, None, false), us, -5, false),
        // It was read after that.
        (not_found, us, -50, false),
    ];
    for (outcome, identity, at, left) in table {
        let world = unlisted().with(|w| {
            let mut answer = reading(&minutes(at).to_string(), None, Content::Project);
            answer.identity = identity.map(Arc::from);
            answer.outcome = outcome.clone();
            w.push(answer);
        });
        let gone = world.audit().snapshots.is_empty();
        assert_eq!(gone, left, "{outcome:?} {identity:?} {at}");
        assert_eq!(
            said(&world) == "safe",
            left,
            "{outcome:?} {identity:?} {at}"
        );
        // A cut answer later than it shows that the project is there.
        let mut back = world;
        back.read(minutes(-2), None, clusters(true, &[cluster("c1")]));
        let back = back.change("clusters-with-deleted", |r| {
            if r.at == minutes(-2) {
                r.outcome = Outcome::Partial(Gap::LooseFile);
            }
        });
        assert!(!back.audit().snapshots.is_empty());
    }
    // A list names it all the same.
    let mut listed = free().row(snap("s1"));
    let mut answer = reading("2026-11-20T11:55:00Z", None, Content::Project);
    answer.outcome = refused(404, Some("GROUP_NOT_FOUND"), false);
    listed.push(answer);
    assert!(said(&listed).starts_with("held"));
}

fn stated(at: Timestamp, customer_keys: CustomerKeys) -> ProjectStatement {
    ProjectStatement {
        id: String::from("p1"),
        customer_keys: Some(customer_keys),
        absent_key: None,
        stated: at,
        reason: String::from("nobody but us knows"),
    }
}

fn only(keys: &[&str]) -> CustomerKeys {
    CustomerKeys::Only(keys.iter().map(|k| (*k).to_owned()).collect())
}

/// Nothing of `p1` was read but what `change` adds.
fn unread(statement: ProjectStatement) -> World {
    free()
        .with(|w| w.readings().clear())
        .policy(|p| p.projects = vec![statement])
}

#[test]
fn a_statement_stands_for_a_projects_inventory_for_all_keys_but_those_listed() {
    let doubt = "unknown ?project-incomplete";
    let recent = days(-1);
    let table = [
        (stated(recent, CustomerKeys::None), "safe"),
        (stated(recent, only(&[AWS_B])), "safe"),
        (stated(recent, only(&[AWS_A])), doubt),
        // What may be a listed key is not covered.
        (stated(recent, only(&[UUID_A])), doubt),
        (stated(recent, only(&["something else"])), doubt),
        // It ages out, and must have been made.
        (stated(days(-90), CustomerKeys::None), "safe"),
        (
            stated(days(-90).saturating_add(-1), CustomerKeys::None),
            doubt,
        ),
        (stated(minutes(0), CustomerKeys::None), "safe"),
        (stated(minutes(1), CustomerKeys::None), doubt),
    ];
    for (statement, expected) in table {
        let world = unread(statement.clone());
        assert_eq!(said(&world), expected, "{statement:?}");
        let printed = world
            .audit()
            .assumptions()
            .contains(&String::from("stated-customer-keys p1"));
        let listed = statement.customer_keys == Some(only(&[AWS_A]));
        assert!(
            printed
                || (expected == doubt && !listed)
                || statement.customer_keys == Some(only(&[UUID_A]))
        );
    }
    // Of another project.
    let mut other = stated(recent, CustomerKeys::None);
    other.id = String::from("p2");
    assert_eq!(said(&unread(other)), doubt);
    // It covers a project that is missing, stale or cut, and no other doubt.
    let missing = unlisted()
        .policy(|p| p.projects = vec![stated(recent, only(&[AWS_A, AWS_B]))])
        .enabled(&[AWS_C]);
    assert_eq!(line(&missing.check(AWS_C)), "safe");
    let unlisted_root =
        unread(stated(recent, CustomerKeys::None)).with(|w| w.evidence.roots[0].lists.clear());
    assert_eq!(said(&unlisted_root), "unknown ?estate-incomplete");
}

#[test]
fn nothing_after_a_statements_date_is_covered() {
    let world = unread(stated(days(-1), CustomerKeys::None));
    let check = world.check_for(crate::model::verdict::Intent::Delete, AWS_A);
    assert_eq!(check.covered_at, Some(days(-1)));
    let complete = free().check_for(crate::model::verdict::Intent::Delete, AWS_A);
    assert_eq!(complete.covered_at, Some(minutes(PROJECTS_AT)));
    let unread = free().without("schedule");
    assert_eq!(unread.audit().all.covered_at, None);
}

#[test]
fn evidence_that_contradicts_a_statement_voids_it() {
    let none = || unread(stated(days(-1), CustomerKeys::None));
    let b = || unread(stated(days(-1), only(&[AWS_B])));
    let doubt = "unknown ?project-incomplete";
    let settings = |mut world: World, block| {
        world.read(minutes(-50), None, Content::Settings(vec![block]));
        world
    };
    let mut nameless = block(Provider::Aws, AWS_B);
    nameless.key = None;
    let of_cluster = |mut world: World, provider| {
        let mut c1 = cluster("c1");
        c1.encryption = Some(ClusterEncryption::Provider(provider));
        world.read(minutes(-50), None, clusters(true, &[c1]));
        world
    };
    let row = |key: &str| gone_row(key);
    assert_eq!(said(&settings(none(), block(Provider::Aws, AWS_C))), doubt);
    assert_eq!(said(&settings(b(), block(Provider::Aws, AWS_C))), doubt);
    assert_eq!(said(&settings(b(), block(Provider::Aws, AWS_B))), "safe");
    assert!(said(&settings(b(), nameless)).contains("?project-incomplete"));
    assert!(said(&none().row(row(AWS_B))).contains("?project-incomplete"));
    assert!(!said(&b().row(row(AWS_B))).contains("?project-incomplete"));
    assert!(said(&b().row(row("something else"))).contains("?project-incomplete"));
    assert_eq!(said(&of_cluster(none(), Provider::Aws)), doubt);
    assert_eq!(said(&of_cluster(b(), Provider::Gcp)), doubt);
    assert_eq!(said(&of_cluster(b(), Provider::Aws)), "safe");
}

fn gone_row(key: &str) -> crate::model::Snapshot {
    snap_with("s1", |s| {
        s.keys = named(&[key]);
        s.status = SnapshotStatus::Completed;
    })
}

#[test]
fn a_statement_does_not_hide_what_needs_a_key() {
    let world = free()
        .row(snap("s1"))
        .policy(|p| p.projects = vec![stated(days(-1), CustomerKeys::None)]);
    assert!(said(&world).starts_with("held"));
}

#[test]
fn reports_show_roots_and_projects() {
    let world = free().without("schedule").with(|w| {
        w.evidence.roots[0].lists[0].content = Arc::new(Content::Projects(vec![ListedProject {
            id: String::from("p1"),
            name: Some(String::from("payments")),
        }]));
    });
    let all = world.audit().all;
    let project = &all.projects[0];
    assert_eq!(project.name.as_deref(), Some("payments"));
    assert!(!project.complete);
    assert_eq!(project.gaps.len(), 1);
    let root = &all.roots[0];
    assert_eq!((root.source, root.scope.as_str()), ("atlas", "all-visible"));
    assert_eq!(root.covered_at, Some(minutes(PROJECTS_AT)));
}

#[test]
fn rights_that_were_lacking_are_printed_as_assumptions() {
    let unread = ["no-downloads p1", "no-restore-running p1"];
    let policy = "schedule-window-is-longest p1";
    assert_eq!(World::new().audit().assumptions(), Vec::<String>::new());
    for world in [
        World::new().without("restore-jobs"),
        World::new().outcome("restore-jobs", &refused(403, None, false)),
        World::new().outcome("restore-jobs", &Outcome::Partial(Gap::PageMissing)),
    ] {
        assert_eq!(world.audit().assumptions(), unread);
    }
    assert_eq!(
        World::new()
            .without("compliance-policy")
            .audit()
            .assumptions(),
        [policy]
    );
}
