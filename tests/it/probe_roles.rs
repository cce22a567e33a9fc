//! Keys that are asked about in a role: with nobody else's rights, in the key's own region, once
//! for each role; and a role that cannot be taken on.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;
use snapkey::model::{AwsRole, KeyId};
use snapkey::probe::aws::AwsProbe;
use snapkey::probe::{Answer, Probes, Target, probe_all};

use crate::emulator::aws::{Aws, Fault, Key, Request, Role, signer_of};
use crate::support::aws::{SECRET, TOKEN, arn, at, config, key, limits, runtime, short, uuid};

const AUDIT: &str = "arn:aws:iam::444455556666:role/snapkey-audit";
const OTHER: &str = "arn:aws:iam::777788889999:role/path/backup-reader";
const DESCRIBE: &str = "TrentService.DescribeKey";
/// Who signs without a role.
const FOUND: &str = "AKIDTEST";

fn role(arn: &str) -> AwsRole {
    AwsRole::read(arn).unwrap()
}

/// A key of the account of a role.
fn of(role: &str, number: u32) -> String {
    let account = role.split(':').nth(4).unwrap();
    arn(number).replace("111122223333", account)
}

fn ask(kms: &Aws, roles: &[(&str, AwsRole)], targets: &[Target]) -> Vec<Answer> {
    let roles: BTreeMap<KeyId, AwsRole> = roles
        .iter()
        .map(|(arn, role)| (key(arn), role.clone()))
        .collect();
    let probes = Probes::new(AwsProbe::from_config(config(&kms.url())).with_roles(roles));
    let mut answers = Vec::new();
    let never = std::future::pending();
    let mut keep = |answer: Answer| answers.push(answer);
    let targets = targets.to_vec();
    runtime().block_on(probe_all(
        targets,
        &probes,
        &limits(),
        &at,
        &mut keep,
        never,
    ));
    answers.sort_by(|a, b| a.target.cmp(&b.target));
    answers
}

fn whole(arn: &str) -> Target {
    Target::Key(key(arn))
}

/// Who signed the requests for an operation.
fn signers(log: &[Request], operation: &str) -> BTreeSet<String> {
    let of_it = log.iter().filter(|request| request.operation == operation);
    of_it.map(|request| request.signer.clone()).collect()
}

#[test]
fn each_key_is_asked_about_in_its_own_role_which_is_taken_on_once() {
    let kms = Aws::start();
    let with_id = role(OTHER).with_external_id("backup:42").unwrap();
    kms.put_role(AUDIT, Role::default());
    let external_id = Some("backup:42".to_owned());
    kms.put_role(
        OTHER,
        Role {
            external_id,
            fault: None,
        },
    );
    let mut targets = Vec::new();
    let mut roles = Vec::new();
    let names: Vec<(String, AwsRole)> = (0..20)
        .map(|number| (of(AUDIT, number), role(AUDIT)))
        .chain((0..20).map(|number| (of(OTHER, number), with_id.clone())))
        .collect();
    for (name, role) in &names {
        kms.put(name, Key::in_state("Enabled"));
        targets.push(whole(name));
        roles.push((name.as_str(), role.clone()));
    }
    kms.put(&arn(1), Key::in_state("Disabled"));
    targets.push(whole(&arn(1)));
    let answers = ask(&kms, &roles, &targets);
    assert_eq!(answers.len(), 41);
    for answer in &answers {
        let [observation] = answer.observations.as_slice() else {
            panic!("{answer:?}");
        };
        let account = observation.key.aws().unwrap().account().to_owned();
        let (condition, identity) = match account.as_str() {
            "444455556666" => ("enabled", "444455556666:assumed-role/snapkey-audit"),
            "777788889999" => ("enabled", "777788889999:assumed-role/backup-reader"),
            _ => ("disabled", "111122223333:assumed-role/auditor"),
        };
        assert_eq!(short(&observation.condition), condition);
        let identity = format!("arn:aws:sts::{identity}");
        assert_eq!(observation.identity.as_deref(), Some(identity.as_str()));
    }
    let log = kms.log();
    for request in log.iter().filter(|request| request.operation == DESCRIBE) {
        let account = request.key.as_deref().unwrap().split(':').nth(4).unwrap();
        let signer = match account {
            "444455556666" => signer_of(AUDIT),
            "777788889999" => signer_of(OTHER),
            _ => FOUND.to_owned(),
        };
        assert_eq!(request.signer, signer, "{request:?}");
    }
    // Taken on once each, with the credentials found, in the region of the keys.
    let taken_on: Vec<&Request> = log.iter().filter(|r| r.operation == "AssumeRole").collect();
    let asked: BTreeSet<_> = taken_on
        .iter()
        .map(|request| {
            assert_eq!(
                (request.signer.as_str(), request.region.as_str()),
                (FOUND, "eu-west-1")
            );
            assert_eq!(request.body["RoleSessionName"], "snapkey");
            let text = |name: &str| request.body[name].as_str().map(str::to_owned);
            (text("RoleArn").unwrap(), text("ExternalId"))
        })
        .collect();
    assert_eq!(taken_on.len(), 2);
    assert_eq!(
        asked,
        BTreeSet::from([
            (AUDIT.to_owned(), None),
            (OTHER.to_owned(), Some("backup:42".to_owned())),
        ])
    );
    assert_eq!(
        kms.count("GetCallerIdentity"),
        3,
        "once for each credential"
    );
}

#[test]
fn a_role_that_is_refused_leaves_its_keys_unknown_and_nothing_stands_in_for_it() {
    let refusals: [(Option<Role>, &str, &str); 6] = [
        (
            None,
            "credentials",
            "is not authorized to perform: sts:AssumeRole",
        ),
        (
            Some(Role {
                external_id: Some("another".to_owned()),
                fault: None,
            }),
            "credentials",
            "is not authorized",
        ),
        (
            Some(Role {
                external_id: None,
                fault: Some(Fault::HangUp),
            }),
            "unreachable",
            "could not be taken on",
        ),
        (
            Some(Role {
                external_id: None,
                fault: Some(Fault::body(429, "<html>slow down</html>")),
            }),
            "throttled",
            "could not be taken on",
        ),
        (
            Some(Role {
                external_id: None,
                fault: Some(Fault::body(200, "<html>sign in</html>")),
            }),
            "malformed",
            "could not be taken on",
        ),
        (
            Some(Role {
                external_id: None,
                fault: Some(Fault::body(
                    400,
                    "<ErrorResponse><Error><Code>NotFoundException</Code></Error></ErrorResponse>",
                )),
            }),
            "credentials",
            "could not be taken on",
        ),
    ];
    for (known, reason, detail) in refusals {
        let kms = Aws::start();
        if let Some(role) = known {
            kms.put_role(AUDIT, role);
        }
        // With the credentials found each would be called enabled.
        let names: Vec<String> = (0..12).map(|number| of(AUDIT, number)).collect();
        names
            .iter()
            .for_each(|name| kms.put(name, Key::in_state("Enabled")));
        let roles: Vec<_> = names
            .iter()
            .map(|name| (name.as_str(), role(AUDIT)))
            .collect();
        let targets: Vec<Target> = names.iter().map(|name| whole(name)).collect();
        let answers = ask(&kms, &roles, &targets);
        assert_eq!(answers.len(), names.len());
        for answer in &answers {
            let observation = &answer.observations[0];
            assert_eq!(short(&observation.condition), format!("unknown {reason}"));
            let told = format!("{observation:?}");
            assert!(told.contains(AUDIT) && told.contains(detail), "{told}");
            for secret in [
                SECRET,
                TOKEN,
                "secret-of-the-session",
                "token-of-the-session",
            ] {
                assert!(!told.contains(secret), "{told}");
            }
            assert_eq!(observation.identity, None);
        }
        assert_eq!(kms.count(DESCRIBE), 0, "{reason}: nobody else asks");
        assert_eq!(kms.count("GetCallerIdentity"), 0, "{reason}");
        // With the retries of one call, not once for each key.
        assert!(kms.count("AssumeRole") <= 3, "{}", kms.count("AssumeRole"));
    }
}

#[test]
fn siblings_and_bare_ids_are_asked_about_in_the_role_of_their_key() {
    let kms = Aws::start();
    kms.put_role(AUDIT, Role::default());
    let spread = |region: &str| {
        format!("arn:aws:kms:{region}:444455556666:key/mrk-0123456789abcdef0123456789abcdef")
    };
    let (primary, replica) = (spread("eu-west-1"), spread("us-east-1"));
    let regions = json!({
        "MultiRegionKeyType": "PRIMARY",
        "PrimaryKey": {"Arn": primary, "Region": "eu-west-1"},
        "ReplicaKeys": [{"Arn": replica, "Region": "us-east-1"}],
    });
    for name in [&primary, &replica] {
        kms.put(name, Key::new(json!({"MultiRegionConfiguration": regions})));
    }
    let answers = ask(&kms, &[(&primary, role(AUDIT))], &[whole(&primary)]);
    let told: Vec<_> = answers
        .iter()
        .map(|answer| {
            (
                answer.target.text(),
                short(&answer.observations[0].condition),
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            (primary.clone(), "enabled".to_owned()),
            (replica.clone(), "enabled".to_owned())
        ]
    );
    assert_eq!(
        signers(&kms.log(), DESCRIBE),
        BTreeSet::from([signer_of(AUDIT)])
    );
    assert_eq!(kms.count("AssumeRole"), 1, "one session for both regions");

    let bare = |region: &str| Target::AwsId {
        id: uuid(1),
        region: region.to_owned(),
    };
    kms.put(&arn(1), Key::in_state("Enabled"));
    let answers = ask(&kms, &[(&arn(1), role(AUDIT))], &[bare("eu-west-1")]);
    let observation = &answers[0].observations[0];
    assert_eq!(observation.key, key(&arn(1)));
    assert_eq!(
        observation.identity.as_deref(),
        Some("arn:aws:sts::444455556666:assumed-role/snapkey-audit")
    );
    assert_eq!(
        signers(&kms.log(), DESCRIBE),
        BTreeSet::from([signer_of(AUDIT)])
    );
}

#[test]
fn materials_of_an_imported_key_are_listed_in_the_role_of_its_own_account() {
    let kms = Aws::start();
    kms.put_role(AUDIT, Role::default());
    let name = of(AUDIT, 1);
    let imported = json!({
        "Origin": "EXTERNAL", "ExpirationModel": "KEY_MATERIAL_DOES_NOT_EXPIRE",
    });
    let mut missing = Key::new(imported);
    missing.rotations = vec![vec![json!({"ImportState": "PENDING_IMPORT"})]];
    kms.put(&name, missing);
    let answers = ask(&kms, &[(&name, role(AUDIT))], &[whole(&name)]);
    assert_eq!(
        short(&answers[0].observations[0].condition),
        "material-missing"
    );
    let log = kms.log();
    let listed = signers(&log, "TrentService.ListKeyRotations");
    assert_eq!(listed, BTreeSet::from([signer_of(AUDIT)]));
    // Without the role it is another account's key, whose materials nobody here may list.
    let answers = ask(&kms, &[], &[whole(&name)]);
    assert_eq!(short(&answers[0].observations[0].condition), "enabled");
}
