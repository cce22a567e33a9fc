//! What probing does around one key's answers: retries, timeouts, paging, related keys, bare ids;
//! and that it only ever reads.

use std::time::Duration;

use serde_json::{Value, json};
use snapkey::model::evidence::{Condition, UnknownReason};
use snapkey::probe::{Limits, Target};

use crate::emulator::aws::{ACCOUNT, Aws, Fault, Key, Request};
use crate::support::aws::{
    arn, config, key, limits, observe, observe_within, run, short, targets, uuid,
};

const DESCRIBE: &str = "TrentService.DescribeKey";
const ROTATIONS: &str = "TrentService.ListKeyRotations";
const IDENTITY: &str = "GetCallerIdentity";

const MRK: &str = "mrk-00112233445566778899aabbccddeeff";

fn mrk(region: &str) -> String {
    format!("arn:aws:kms:{region}:{ACCOUNT}:key/{MRK}")
}

/// A multi-Region key in each region, the first one primary, all `Enabled`.
fn put_multi_region(kms: &Aws, regions: &[&str]) {
    let named = |region: &&str| json!({"Arn": mrk(region), "Region": region});
    let configuration = json!({
        "MultiRegionKeyType": "PRIMARY",
        "PrimaryKey": named(&regions[0]),
        "ReplicaKeys": regions[1..].iter().map(named).collect::<Vec<_>>(),
    });
    for region in regions {
        let metadata = json!({"MultiRegion": true, "MultiRegionConfiguration": configuration});
        kms.put(&mrk(region), Key::new(metadata));
    }
}

#[test]
fn what_passes_is_tried_again_and_what_does_not_is_not() {
    let throttled = || Fault::exception("ThrottlingException", "Rate exceeded");
    let internal = || Fault::with_status(500, "KMSInternalException");
    let denied = || Fault::exception("AccessDeniedException", "no");
    let expired = || Fault::exception("ExpiredTokenException", "old");
    let table: Vec<(Vec<Fault>, &str, usize)> = vec![
        (vec![throttled(), throttled()], "enabled", 3),
        (
            vec![throttled(), throttled(), throttled()],
            "unknown throttled",
            3,
        ),
        (vec![internal(), Fault::Reset], "enabled", 3),
        (vec![Fault::HangUp], "enabled", 2),
        (vec![denied()], "unknown access-denied", 1),
        (vec![expired()], "unknown credentials", 1),
        (
            vec![Fault::exception("NotFoundException", "gone")],
            "unknown not-found",
            1,
        ),
    ];
    for (faults, expected, calls) in table {
        let kms = Aws::start();
        kms.put(
            &arn(1),
            Key {
                next: faults.clone().into(),
                ..Key::in_state("Enabled")
            },
        );
        let read = observe(&kms.url(), &arn(1));
        assert_eq!(short(&read.condition), expected, "{faults:?}");
        assert_eq!(kms.count(DESCRIBE), calls, "{faults:?}");
    }
}

#[test]
fn an_answer_that_does_not_come_in_time_is_unreachable() {
    let limits = Limits {
        call: Duration::from_millis(300),
        ..limits()
    };
    for fault in [Fault::Silence, Fault::Trickle(Duration::from_millis(20))] {
        let kms = Aws::start();
        kms.put(&arn(1), Key::failing(fault.clone()));
        let read = observe_within(&kms.url(), &arn(1), &limits);
        assert_eq!(short(&read.condition), "unknown unreachable", "{fault:?}");
    }
}

#[test]
fn nobody_listening_is_unreachable_and_says_why() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", free.local_addr().unwrap());
    drop(free);
    let read = observe(&url, &arn(1));
    let Condition::Unknown { reason, detail } = read.condition else {
        panic!("{read:?}");
    };
    assert_eq!(reason, UnknownReason::Unreachable);
    assert!(detail.unwrap().contains("refused"));
    assert_eq!(read.identity, None);
}

#[test]
fn only_reading_calls_are_ever_made() {
    let kms = Aws::start();
    put_multi_region(&kms, &["eu-west-1", "us-east-1"]);
    kms.put(&arn(1), imported(vec![vec![]]));
    kms.put(&arn(2), Key::in_state("PendingDeletion"));
    let mut asked = targets(1..4);
    asked.push(Target::Key(key(&mrk("eu-west-1"))));
    asked.push(Target::AwsId {
        id: uuid(1),
        region: "eu-west-1".to_owned(),
    });
    let (answers, summary) = run(config(&kms.url()), asked, &limits());
    assert_eq!(answers.len(), 6);
    assert_eq!((summary.answered, summary.stopped), (6, None));
    for request in kms.log() {
        assert!(
            [DESCRIBE, ROTATIONS, IDENTITY].contains(&request.operation.as_str()),
            "{request:?}"
        );
        assert!(!request.body.to_string().contains("alias/"), "{request:?}");
    }
    assert_eq!(kms.count(IDENTITY), 1, "once per credential");
}

fn imported(rotations: Vec<Vec<Value>>) -> Key {
    Key {
        rotations,
        ..Key::new(json!({
            "Origin": "EXTERNAL",
            "ExpirationModel": "KEY_MATERIAL_EXPIRES",
            "ValidTo": 1_830_000_000,
        }))
    }
}

#[test]
fn every_page_of_key_material_counts() {
    let material = |import: &str, valid_to: u64| {
        json!({"KeyMaterialId": "m", "KeyMaterialState": "NON_CURRENT", "ImportState": import,
               "ExpirationModel": "KEY_MATERIAL_EXPIRES", "ValidTo": valid_to})
    };
    let good = || material("IMPORTED", 1_830_000_000);
    let table: Vec<(Vec<Vec<Value>>, &str)> = vec![
        (vec![vec![good()]], "enabled 2027-12-28T13:20:00Z"),
        (
            vec![
                vec![good()],
                vec![good(), material("IMPORTED", 1_800_000_000)],
            ],
            "enabled 2027-01-15T08:00:00Z",
        ),
        (
            vec![
                vec![good()],
                vec![],
                vec![material("PENDING_IMPORT", 1_830_000_000)],
            ],
            "material-missing",
        ),
        (
            vec![vec![good()], vec![material("IMPORTED", 1_700_000_000)]],
            "material-missing",
        ),
        (vec![Vec::new(); 40], "unknown malformed"),
    ];
    for (pages, expected) in table {
        let kms = Aws::start();
        kms.put(&arn(1), imported(pages.clone()));
        let read = observe(&kms.url(), &arn(1));
        assert_eq!(short(&read.condition), expected, "{pages:?}");
        assert_eq!(kms.count(ROTATIONS), pages.len().min(32));
        let all = |request: &Request| {
            request.operation != ROTATIONS
                || request.body["IncludeKeyMaterial"] == "ALL_KEY_MATERIAL"
        };
        assert!(kms.log().iter().all(all));
    }
}

#[test]
fn a_list_of_key_material_that_cannot_be_had_is_tolerated_only_if_refused() {
    let table = [
        (
            Fault::exception("AccessDeniedException", "no"),
            "enabled 2027-12-28T13:20:00Z",
        ),
        (
            Fault::exception("UnsupportedOperationException", "no"),
            "enabled 2027-12-28T13:20:00Z",
        ),
        (
            Fault::exception("UnknownOperationException", "no"),
            "enabled 2027-12-28T13:20:00Z",
        ),
        (
            Fault::exception("ThrottlingException", "no"),
            "unknown throttled",
        ),
        (
            Fault::exception("ExpiredTokenException", "no"),
            "unknown credentials",
        ),
        (
            Fault::exception("NotFoundException", "no"),
            "unknown malformed",
        ),
        (Fault::Reset, "unknown unreachable"),
        (Fault::body(200, "{\"Rotations\":["), "unknown malformed"),
    ];
    for (fault, expected) in table {
        let kms = Aws::start();
        kms.put(
            &arn(1),
            Key {
                rotations_fault: Some(fault.clone()),
                ..imported(vec![vec![json!({"KeyMaterialState": "CURRENT"})]])
            },
        );
        let read = observe(&kms.url(), &arn(1));
        assert_eq!(short(&read.condition), expected, "{fault:?}");
    }
}

#[test]
fn another_accounts_key_material_is_not_asked_for() {
    let kms = Aws::start();
    let foreign = arn(1).replace(ACCOUNT, "999988887777");
    kms.put(&foreign, imported(vec![vec![]]));
    let read = observe(&kms.url(), &foreign);
    assert_eq!(short(&read.condition), "enabled 2027-12-28T13:20:00Z");
    assert_eq!(kms.count(ROTATIONS), 0);
}

#[test]
fn related_keys_are_asked_once_each_in_their_own_regions() {
    let kms = Aws::start();
    put_multi_region(&kms, &["eu-west-1", "us-east-1", "ap-south-1"]);
    kms.put(&mrk("us-east-1"), Key::in_state("Disabled"));
    let asked = vec![
        Target::Key(key(&mrk("eu-west-1"))),
        Target::Key(key(&mrk("ap-south-1"))),
        Target::Key(key(&mrk("eu-west-1"))),
    ];
    let (answers, summary) = run(config(&kms.url()), asked, &limits());
    let told: Vec<(String, String, bool)> = answers
        .iter()
        .flat_map(|answer| {
            answer.observations.iter().map(|observation| {
                (
                    observation.key.to_string(),
                    short(&observation.condition),
                    answer.named_by.is_some(),
                )
            })
        })
        .collect();
    assert_eq!(
        told,
        [
            (mrk("ap-south-1"), "enabled".to_owned(), false),
            (mrk("eu-west-1"), "enabled".to_owned(), false),
            (mrk("us-east-1"), "disabled".to_owned(), true),
        ]
    );
    assert_eq!(summary.answered, 3);
    assert_eq!(
        answers[0].observations[0].related,
        [key(&mrk("eu-west-1")), key(&mrk("us-east-1"))]
    );
    let mut regions: Vec<String> = kms
        .log()
        .into_iter()
        .filter(|request| request.operation == DESCRIBE)
        .map(|request| request.region)
        .collect();
    regions.sort();
    assert_eq!(regions, ["ap-south-1", "eu-west-1", "us-east-1"]);
}

#[test]
fn a_sibling_that_cannot_be_asked_is_an_observation_of_its_own() {
    let kms = Aws::start();
    put_multi_region(&kms, &["eu-west-1", "us-east-1"]);
    kms.put(
        &mrk("us-east-1"),
        Key::failing(Fault::exception("AccessDeniedException", "no")),
    );
    let (answers, _) = run(
        config(&kms.url()),
        vec![Target::Key(key(&mrk("eu-west-1")))],
        &limits(),
    );
    let told: Vec<String> = answers
        .iter()
        .flat_map(|answer| &answer.observations)
        .map(|observation| short(&observation.condition))
        .collect();
    assert_eq!(told, ["enabled", "unknown access-denied"]);
}

#[test]
fn a_bare_id_takes_the_arn_of_the_answer_or_stays_unresolved() {
    let kms = Aws::start();
    kms.put(&arn(1), Key::in_state("Disabled"));
    kms.put(&arn(2), Key::new(json!({"Arn": arn(3)})));
    kms.put(
        &arn(3),
        Key::new(json!({"Arn": arn(3).replace("eu-west", "us-west")})),
    );
    let bare = |id: String| Target::AwsId {
        id,
        region: "eu-west-1".to_owned(),
    };
    let table = [
        (uuid(1), Ok("disabled"), 1),
        (uuid(2), Err(UnknownReason::Malformed), 1),
        (uuid(3), Err(UnknownReason::Malformed), 1),
        (uuid(4), Err(UnknownReason::NotFound), 1),
        ("alias/aws/s3".to_owned(), Err(UnknownReason::Malformed), 0),
        ("nonsense".to_owned(), Err(UnknownReason::Malformed), 0),
    ];
    for (id, expected, calls) in table {
        let before = kms.count(DESCRIBE);
        let (answers, _) = run(config(&kms.url()), vec![bare(id.clone())], &limits());
        let [answer] = answers.as_slice() else {
            panic!("{answers:?}");
        };
        match expected {
            Ok(word) => {
                assert_eq!(answer.observations[0].key, key(&arn(1)), "{id}");
                assert_eq!(short(&answer.observations[0].condition), word, "{id}");
                assert_eq!(answer.unresolved, None, "{id}");
            }
            Err(reason) => {
                assert!(answer.observations.is_empty(), "{id}");
                assert_eq!(answer.unresolved.as_ref().unwrap().0, reason, "{id}");
            }
        }
        assert_eq!(kms.count(DESCRIBE) - before, calls, "{id}");
    }
    let elsewhere = Target::AwsId {
        id: uuid(1),
        region: "evil.example/".to_owned(),
    };
    let (answers, _) = run(config(&kms.url()), vec![elsewhere], &limits());
    assert_eq!(
        answers[0].unresolved.as_ref().unwrap().0,
        UnknownReason::Malformed
    );
}
