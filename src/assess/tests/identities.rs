//! Which key an Encryption Key ID is, and what a snapshot without one is under.

use std::sync::Arc;

use crate::assess::testing::*;
use crate::model::evidence::UnknownReason;
use crate::model::key_id::Provider;
use crate::model::policy::{KeyStatement, KmipServer};
use crate::model::reading::{ClusterEncryption, Content, Source};
use crate::model::verdict::Code;

/// The keys of the only snapshot, as a report prints them.
fn keys_of(world: &World) -> String {
    world.audit().snapshots[0].keys.join(" ")
}

fn under(text: &str) -> World {
    World::new().row(snap_with("s1", |s| s.keys = named(&[text])))
}

fn statement(id: &str, is: &str, project: Option<&str>) -> KeyStatement {
    KeyStatement {
        id: id.to_owned(),
        is: key(is),
        project: project.map(ToOwned::to_owned),
        stated: days(-1000),
        reason: String::from("as the runbook says"),
    }
}

fn in_account(account: &str) -> String {
    AWS_A.replace("111122223333", account)
}

#[test]
fn settings_ever_read_in_the_project_complete_an_id() {
    let hex = "11111111111111111111111111111111";
    let other = in_account("999988887777");
    // (id, settings of p1, of p2, the keys it is)
    let table: [(&str, &[&str], &[&str], &str); 8] = [
        (UUID_A, &[AWS_A], &[], AWS_A),
        (UUID_A, &[AWS_A, AWS_B], &[], AWS_A),
        (UUID_A, &[AWS_B], &[], UUID_A),
        // Another project's settings complete nothing.
        (UUID_A, &[], &[AWS_A], UUID_A),
        // Two accounts: which one?
        (UUID_A, &[AWS_A, &other], &[], UUID_A),
        (hex, &[AZURE_1], &[], AZURE_1),
        (hex, &[AZURE_2], &[], hex),
        (AWS_A, &[&other], &[], AWS_A),
    ];
    for (id, ours, theirs, expected) in table {
        let mut world = under(id);
        world.add_project("p2");
        for (project, keys) in [("p1", ours), ("p2", theirs)] {
            let readings = world
                .evidence
                .projects
                .get_mut(&project_ref(project))
                .unwrap();
            for (no, text) in keys.iter().enumerate() {
                let minute = -900 + i64::try_from(no).unwrap();
                let provider = key(text).provider();
                let blocks = Content::Settings(vec![block(provider, text)]);
                readings.insert(no, reading(&minutes(minute).to_string(), None, blocks));
            }
        }
        assert_eq!(keys_of(&world), expected, "{id} {ours:?}");
    }
}

#[test]
fn settings_whose_provider_is_off_still_name_their_key() {
    let mut off = block(Provider::Aws, AWS_A);
    off.enabled = false;
    assert_eq!(keys_of(&under(UUID_A).settings(&[off])), AWS_A);
}

#[test]
fn the_providers_own_answer_completes_an_id_in_a_known_region() {
    let bare = |region: Option<&str>| {
        let mut bare = block(Provider::Aws, UUID_A);
        bare.region = region.map(ToOwned::to_owned);
        bare
    };
    let home = Some("us-east-1");
    let away = Some("eu-west-1");
    let dark = unknown(UnknownReason::AccessDenied);
    let table = [
        (home, Some(ENABLED), AWS_A),
        (Some("US_EAST_1"), Some(ENABLED), AWS_A),
        (away, Some(ENABLED), UUID_A),
        (None, Some(ENABLED), UUID_A),
        (home, None, UUID_A),
        // A refusal shows no key.
        (home, Some(dark), UUID_A),
        (
            home,
            Some(unknown(UnknownReason::BackingKeyUnverified)),
            AWS_A,
        ),
    ];
    for (region, answer, expected) in table {
        let mut world = under(UUID_A).settings(&[bare(region)]);
        if let Some(answer) = answer.clone() {
            world = world.observe(observed(AWS_A, minutes(-30), answer));
        }
        assert_eq!(keys_of(&world), expected, "{region:?} {answer:?}");
    }
}

#[test]
fn the_key_map_completes_and_never_overrides() {
    // (id, statements, settings, the key it is)
    let table: [(&str, Vec<KeyStatement>, &[&str], &str); 6] = [
        (UUID_A, vec![statement(UUID_A, AWS_A, None)], &[], AWS_A),
        (
            UUID_A,
            vec![statement(UUID_A, AWS_A, Some("p1"))],
            &[],
            AWS_A,
        ),
        (
            UUID_A,
            vec![statement(UUID_A, AWS_A, Some("p2"))],
            &[],
            UUID_A,
        ),
        (AWS_B, vec![statement(AWS_B, AWS_A, None)], &[], AWS_B),
        ("cmk-7", vec![statement("cmk-7", GCP_1, None)], &[], GCP_1),
        // Before the settings, and the project's own before the general one.
        (
            UUID_A,
            vec![
                statement(UUID_A, &in_account("999988887777"), None),
                statement(UUID_A, &in_account("444455556666"), Some("p1")),
            ],
            &[AWS_A],
            "arn:aws:kms:us-east-1:444455556666:key/aaaaaaaa-1111-4111-8111-aaaaaaaaaaaa",
        ),
    ];
    for (id, statements, settings, expected) in table {
        let blocks: Vec<_> = settings.iter().map(|k| block(Provider::Aws, k)).collect();
        let world = under(id)
            .settings(&blocks)
            .policy(|policy| policy.keys = statements);
        assert_eq!(keys_of(&world), expected, "{id}");
        let printed = world
            .audit()
            .assumptions()
            .contains(&format!("key-map {id}"));
        assert_eq!(printed, expected != id, "{id}");
    }
}

#[test]
fn a_bare_multi_region_id_stands_for_every_region_it_was_met_in() {
    let world = under(MRK_ID).settings(&[block(Provider::Aws, MRK_US)]);
    assert_eq!(keys_of(&world), MRK_US);
    // Observed, called related, configured elsewhere.
    let both = format!("{MRK_EU} {MRK_US}");
    assert_eq!(keys_of(&world.clone().enabled(&[MRK_EU])), both);
    let mut answer = observed(MRK_US, minutes(-30), ENABLED);
    answer.related = vec![key(MRK_EU)];
    assert_eq!(keys_of(&world.clone().observe(answer)), both);
    let elsewhere = world.clone().with(|world| {
        world.add_project("p2");
        let p2 = world.evidence.projects.get_mut(&project_ref("p2")).unwrap();
        p2[0].content = Arc::new(Content::Settings(vec![block(Provider::Aws, MRK_EU)]));
    });
    assert_eq!(keys_of(&elsewhere), both);
    // Even if it is no longer.
    let formerly = world.with(|world| {
        world.add_project("p2");
        let p2 = world.evidence.projects.get_mut(&project_ref("p2")).unwrap();
        let mut former = p2[0].clone();
        former.at = days(-9);
        former.content = Arc::new(Content::Settings(vec![block(Provider::Aws, MRK_EU)]));
        p2.insert(0, former);
    });
    assert_eq!(keys_of(&formerly), both);
}

#[test]
fn a_bare_kmip_uid_takes_its_groups_server() {
    let server = |name: &str, groups: &[&str]| KmipServer {
        name: name.to_owned(),
        groups: groups.iter().map(|g| (*g).to_owned()).collect(),
    };
    // (servers, an Ops Manager group, the key it is)
    let table = [
        (
            vec![server("hsm", &["p1"]), server("old", &["p9"])],
            true,
            "kmip://hsm/7",
        ),
        (vec![server("hsm", &["p9"])], true, "kmip://hsm/7"),
        (vec![server("hsm", &["p9"])], false, "7"),
        (vec![server("hsm", &["p9"]), server("old", &[])], true, "7"),
        (
            vec![server("hsm", &["p1"]), server("old", &["p1"])],
            true,
            "7",
        ),
        (vec![], true, "7"),
    ];
    for (servers, group, expected) in table {
        let assumed = servers.len() == 1;
        let world = under("7")
            .with(|world| {
                for reading in world.readings() {
                    if group {
                        Arc::make_mut(&mut reading.root).source = Source::OpsManager;
                    }
                }
            })
            .policy(|policy| policy.kmip_servers = servers);
        assert_eq!(keys_of(&world), expected);
        let printed = world
            .audit()
            .assumptions()
            .contains(&String::from("only-kmip-server p1"));
        assert_eq!(printed, assumed && expected != "7");
    }
}

#[test]
fn spellings_that_agree_hold_and_those_that_may_be_are_doubted() {
    let hex = "44444444444444444444444444444444";
    let gcp_key = GCP_1.rsplit_once("/cryptoKeyVersions").unwrap().0;
    let azure_key = AZURE_1.rsplit_once('/').unwrap().0;
    let agree = "held not-before:2026-11-23T12:00:00Z +~snapshot ?unresolved-key";
    let maybe = "unknown ?maybe-match ?unresolved-key";
    // (the snapshot's id, the key asked about, what is said of it)
    let table = [
        (UUID_A, AWS_A, agree),
        (UUID_A, AWS_B, "safe"),
        (UUID_A, GCP_1, "safe"),
        (MRK_ID, MRK_EU, agree),
        ("alias/backup", AWS_A, maybe),
        ("something else", AWS_A, maybe),
        ("something else", GCP_1, maybe),
        ("something else", AZURE_1, maybe),
        (hex, AZURE_1, maybe),
        (hex, AWS_A, "safe"),
        (gcp_key, GCP_2, agree),
        (gcp_key, AWS_A, "safe"),
        (
            azure_key,
            AZURE_2,
            "held date:2026-11-23T12:00:00Z +snapshot",
        ),
        (AZURE_1, AZURE_2, "held date:2026-11-23T12:00:00Z +snapshot"),
        (GCP_1, GCP_2, "safe"),
        (MRK_US, MRK_EU, "held date:2026-11-23T12:00:00Z +snapshot"),
    ];
    for (id, asked, expected) in table {
        let world = under(id).enabled(&[asked]);
        assert_eq!(line(&world.check(asked)), expected, "{id} {asked}");
    }
}

#[test]
fn an_unresolved_id_may_be_a_key_of_every_provider_shown_in_its_project() {
    let world = under(UUID_A).enabled(&[GCP_1]);
    let by_settings = world.clone().settings(&[block(Provider::Gcp, GCP_2)]);
    let by_cluster = world.clone().cluster(|c| {
        c.encryption = Some(ClusterEncryption::Provider(Provider::Gcp));
    });
    let by_unknown_word = world.clone().cluster(|c| {
        c.encryption = Some(ClusterEncryption::Unrecognised(String::from("OTHER")));
    });
    let by_event = world.clone().change("events", |r| {
        r.content = events_reading(
            "2026-11-20T11:00:00Z",
            None,
            &[("2026-11-01T00:00:00Z", "GCP_ENCRYPTION_KEY_ROTATED")],
        )
        .content;
    });
    let by_row = world
        .clone()
        .row(snap_with("s2", |s| s.keys = named(&[GCP_2])));
    let events_cut = world.clone().outcome(
        "events",
        &crate::model::reading::Outcome::Partial(crate::model::reading::Gap::PageMissing),
    );
    assert_eq!(line(&world.check(GCP_1)), "safe");
    for world in [
        by_settings,
        by_cluster,
        by_unknown_word,
        by_event,
        by_row,
        events_cut,
    ] {
        let said = line(&world.check(GCP_1));
        assert!(said.starts_with("unknown ?maybe-match"), "{said}");
    }
}

/// Google's names of one key by the project's id and by its number share no text that would
/// connect them.
#[test]
fn a_google_key_named_by_project_number_may_be_one_named_by_id() {
    let other = GCP_1_BY_NUMBER.replace("Versions/1", "Versions/2");
    let numbers = GCP_1_BY_NUMBER.replace("123456789012", "210987654321");
    // (snapshot, asked about, verdict)
    let table = [
        (GCP_1, GCP_1_BY_NUMBER, "unknown ?maybe-match"),
        (GCP_1_BY_NUMBER, GCP_1, "unknown ?maybe-match"),
        (GCP_1, &other, "safe"),
        (&numbers, GCP_1_BY_NUMBER, "safe"),
        (GCP_1, GCP_2, "safe"),
    ];
    for (of_snapshot, asked, expected) in table {
        let world = under(of_snapshot).enabled(&[of_snapshot, asked]);
        assert_eq!(line(&world.check(asked)), expected, "{of_snapshot} {asked}");
        assert_eq!(world.check(of_snapshot).verdict.word(), "held");
    }
}

#[test]
fn two_different_ids_for_one_snapshot_are_a_conflict() {
    let table: [(&[&str], bool); 6] = [
        (&[AWS_A, AWS_B], true),
        (&[AWS_A, UUID_A], false),
        (&[AWS_A], false),
        (&[AZURE_1, AZURE_2], true),
        (&[AWS_A, "something else"], false),
        (&[AWS_A, GCP_1], true),
    ];
    for (ids, conflict) in table {
        // By one reading, and by two.
        let at_once = World::new().row(snap_with("s1", |s| s.keys = named(ids)));
        let mut row = snap("s1");
        row.sightings = ids
            .iter()
            .map(|id| {
                let mut sighting = row.sightings[0].clone();
                sighting.keys = named(&[id]);
                sighting
            })
            .collect();
        let one_by_one = World::new().row(row);
        for world in [at_once, one_by_one] {
            assert_eq!(world.audit().has(Code::KeyIdConflict), conflict, "{ids:?}");
            for id in ids.iter().filter(|id| id.len() > UUID_A.len()) {
                assert_eq!(world.check(id).verdict.word(), "held", "{id}");
            }
        }
    }
}
