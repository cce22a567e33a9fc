//! What goes to other programs and is the same for `audit`, `gate` and `report`: metrics and the
//! bill of materials.

use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::model::evidence::{Condition, UnknownReason};
use crate::model::verdict::{KeyState, ResolvedKey};

/// An audit in a style, with the rows handed in as often as it wants them.
fn export(style: Style, estate: &Assessment, rows: &[SnapshotVerdict], summary: bool) -> String {
    let conclusion = Conclusion {
        command: "report",
        exit_code: 1,
        frame: Frame::from(estate),
        findings: &estate.findings,
        asked: false,
        answers: &[],
        estate: Some(estate),
        anchor: "snapkey.toml",
    };
    let view = AuditView { summary, all: true };
    printed(|out| {
        let mut report = audit(style, estate, conclusion, view, PIPE, out)?;
        for _pass in 0..report.passes() {
            for row in rows {
                report.row(row)?;
            }
            report.pass_ended()?;
        }
        report.finish()
    })
}

fn metrics(estate: &Assessment) -> String {
    export(Style::Prometheus, estate, &sample::snapshots(), false)
}

#[test]
fn prometheus_in_whole() {
    let text = metrics(&sample::assessment());
    let version = format!("version=\"{}\"", env!("CARGO_PKG_VERSION"));
    insta::assert_snapshot!(text.replace(&version, "version=\"[version]\""));
}

/// What the collector refuses a file for: a family in two places, a sample twice, a time behind a
/// sample, a line that is none.
#[test]
fn a_collector_takes_every_line() {
    let mut doubled = sample::assessment();
    doubled.keys.extend(sample::keys());
    doubled.projects.extend(sample::projects());
    for estate in [sample::assessment(), sample::nothing(), doubled] {
        let text = metrics(&estate);
        assert!(text.ends_with('\n'));
        let mut families: BTreeMap<&str, &str> = BTreeMap::new();
        let mut samples = BTreeSet::new();
        let mut current = "";
        for line in text.lines() {
            if let Some(help) = line.strip_prefix("# HELP ") {
                let (name, said) = help.split_once(' ').unwrap();
                assert!(said.len() > 10 && !said.contains('\\'), "{line}");
                assert!(families.insert(name, said).is_none(), "{name} twice");
                current = name;
            } else if let Some(kind) = line.strip_prefix("# TYPE ") {
                assert_eq!(kind, format!("{current} gauge"));
            } else {
                let (series, value) = line.rsplit_once(' ').unwrap();
                assert!(value.parse::<u64>().is_ok(), "{line}");
                let name = series.split('{').next().unwrap();
                assert_eq!(name, current, "{line}");
                assert!(series.ends_with('}') == series.contains('{'), "{line}");
                assert!(samples.insert(series), "{series} twice");
            }
            assert!(!line.contains(|c: char| text::is_unsafe(c)), "{line:?}");
            assert!(
                !line.contains("6ac304a00a6c9e3dd7652ff0"),
                "a snapshot's id: {line}"
            );
        }
    }
}

#[test]
fn labels_are_escaped() {
    let text = metrics(&sample::assessment());
    // What a terminal must not see first, then what the format wants.
    let key = "key=\"=cmd|'/c calc'!A1\\\\u{1b}[2J\\\\u{202e}\\\\u{a}verdict: safe\"";
    assert!(text.contains(key), "{text}");
    let mut estate = sample::nothing();
    estate.keys.push(KeyRow::Unresolved {
        provider: None,
        spelling: "a\"b\\c\nd".to_owned(),
        doubts: Vec::new(),
    });
    let text = metrics(&estate);
    assert!(
        text.contains("{provider=\"\",key=\"a\\\"b\\\\c\\\\u{a}d\","),
        "{text}"
    );
}

/// A zero would say that it is known.
#[test]
fn what_is_not_known_has_no_sample() {
    let text = metrics(&sample::assessment());
    let samples = |of: &str, id: &str| {
        let lines = text
            .lines()
            .filter(|line| line.starts_with(of) && line.contains(id));
        lines.count()
    };
    let never_asked = "keyRings/other/";
    let unresolved = "0c8d3e15-47fa-4b92-8d60-e17b2a94f5c3";
    let table = [
        ("snapkey_key_verdict{", never_asked, 1),
        ("snapkey_key_state{", never_asked, 0),
        ("snapkey_key_observed_timestamp_seconds{", never_asked, 0),
        // Held, and doubts besides: its date is no promise.
        ("snapkey_key_safe_after_timestamp_seconds{", never_asked, 0),
        ("snapkey_key_safe_after_timestamp_seconds{", ARN, 1),
        ("snapkey_key_deletion_timestamp_seconds{", ARN, 1),
        (
            "snapkey_key_deletion_timestamp_seconds{",
            sample::NEW_ARN,
            0,
        ),
        ("snapkey_key_dependants{", ARN, 2),
        ("snapkey_key_dependants{", sample::NEW_ARN, 0),
        ("snapkey_key_verdict{", unresolved, 1),
        ("snapkey_key_state{", unresolved, 0),
        ("snapkey_project_complete{", "ad002", 1),
        ("snapkey_project_covered_timestamp_seconds{", "ad002", 0),
    ];
    for (family, id, expected) in table {
        assert_eq!(samples(family, id), expected, "{family} {id}");
    }
    // An expiry is no deletion.
    let mut estate = sample::nothing();
    estate.keys = vec![key_row(Condition::Enabled {
        expires: Some(sample::as_of()),
    })];
    assert!(!metrics(&estate).contains("snapkey_key_deletion"));
}

/// A sum over no series is no zero: each code that is looked for is there.
#[test]
fn every_code_is_counted() {
    let text = metrics(&sample::assessment());
    for code in Code::ALL {
        let of_code = format!("snapkey_findings{{code=\"{code}\",");
        let lines = text.lines().filter(|line| line.starts_with(&of_code));
        assert_eq!(
            lines.count(),
            if code.is_answer() { 0 } else { 3 },
            "{code}"
        );
    }
    assert!(text.contains("snapkey_findings{code=\"snapshot-blocked\",level=\"deny\"} 5\n"));
    assert!(text.contains("snapkey_findings{code=\"clock-skew\",level=\"warn\"} 0\n"));
}

fn key_row(condition: Condition) -> KeyRow {
    KeyRow::Resolved(Box::new(ResolvedKey {
        key: ARN.parse().unwrap(),
        state: sample::state(condition),
        verdict: sample::held(),
    }))
}

fn bill(estate: &Assessment, rows: &[SnapshotVerdict], summary: bool) -> Value {
    json(&export(Style::Cbom, estate, rows, summary))
}

fn property<'v>(component: &'v Value, name: &str) -> Vec<&'v str> {
    let all = component["properties"].as_array().unwrap();
    let named = all.iter().filter(|property| property["name"] == name);
    named
        .map(|property| property["value"].as_str().unwrap())
        .collect()
}

fn component<'v>(bill: &'v Value, name: &str) -> &'v Value {
    let all = bill["components"].as_array().unwrap();
    let mut named = all.iter().filter(|component| component["name"] == name);
    let found = named.next().expect(name);
    assert!(named.next().is_none(), "{name} twice");
    found
}

#[test]
fn cbom_in_whole() {
    let text = export(
        Style::Cbom,
        &sample::assessment(),
        &sample::snapshots(),
        false,
    );
    insta::assert_snapshot!(unversioned(&text));
}

#[test]
fn every_reference_is_unique_and_leads_somewhere() {
    let mut rows = sample::snapshots();
    // Parts that run into each other when they are put together without care.
    for (cluster, id) in [("a/b", "c"), ("a", "b/c"), ("a", "b%2Fc"), ("a", "B/C")] {
        rows.push(sample::snapshot(
            Restorability::Unknown,
            "p",
            cluster,
            id,
            "named nowhere",
        ));
    }
    let mut estate = sample::assessment();
    estate.keys.extend(sample::keys());
    let bill = bill(&estate, &rows, false);
    let components = bill["components"].as_array().unwrap();
    let references: BTreeSet<&str> = components
        .iter()
        .map(|component| component["bom-ref"].as_str().unwrap())
        .collect();
    assert_eq!(references.len(), components.len());
    assert_eq!(components.len(), sample::keys().len() + rows.len() + 1);
    assert_eq!(
        property(component(&bill, "named nowhere"), "snapkey:resolved"),
        ["false"]
    );
    for dependency in bill["dependencies"].as_array().unwrap() {
        let to = dependency["dependsOn"].as_array().unwrap();
        for reference in to.iter().chain([&dependency["ref"]]) {
            assert!(
                references.contains(reference.as_str().unwrap()),
                "{reference}"
            );
        }
    }
}

/// A snapshot of which nobody knows the key must not look like one that needs none.
#[test]
fn only_a_settled_snapshot_has_an_empty_list_of_keys() {
    let keyless = |verdict, id: &str| SnapshotVerdict {
        keys: Vec::new(),
        ..sample::snapshot(verdict, "p", "c", id, "")
    };
    let rows: Vec<_> = Restorability::ALL
        .iter()
        .map(|verdict| keyless(*verdict, verdict.word()))
        .collect();
    let bill = bill(&sample::nothing(), &rows, false);
    assert_eq!(bill["components"].as_array().unwrap().len(), 7);
    let dependencies = bill["dependencies"].as_array().unwrap();
    assert_eq!(dependencies.len(), 1, "{dependencies:?}");
    assert!(
        dependencies[0]["ref"]
            .as_str()
            .unwrap()
            .ends_with("/restorable")
    );
    assert_eq!(dependencies[0]["dependsOn"], Value::Array(Vec::new()));
}

#[test]
fn a_summary_says_that_it_left_the_snapshots_out() {
    for (summary, said, components) in [(true, "left-out", 7), (false, "all", 16)] {
        let bill = bill(&sample::assessment(), &sample::snapshots(), summary);
        assert_eq!(property(&bill["metadata"], "snapkey:snapshots"), [said]);
        assert_eq!(bill["components"].as_array().unwrap().len(), components);
        assert_eq!(bill["dependencies"].as_array().unwrap().is_empty(), summary);
    }
}

/// NIST SP 800-57 has no word for "could not be told": then there is no state, and never `active`.
#[test]
fn states_of_keys() {
    let answer = |condition: Condition, native: Option<&str>| KeyState {
        native: native.map(str::to_owned),
        ..sample::state(condition)
    };
    let stale = |condition| KeyState {
        fresh: false,
        ..sample::state(condition)
    };
    let unwrap_only = || Condition::UnwrapOnly {
        why: "x".to_owned(),
    };
    let not_found = Condition::Unknown {
        reason: UnknownReason::NotFound,
        detail: None,
    };
    let enabled = || Condition::Enabled { expires: None };
    let scheduled = Condition::PendingDeletion { deadline: None };
    let table = [
        (answer(enabled(), Some("Enabled")), Ok("active")),
        (stale(enabled()), Err("probe-stale")),
        (KeyState::default(), Err("not-probed")),
        (
            answer(not_found, Some("NotFoundException")),
            Err("not-found"),
        ),
        (
            answer(unwrap_only(), Some("Deactivated")),
            Ok("deactivated"),
        ),
        (
            answer(unwrap_only(), Some("Compromised")),
            Ok("compromised"),
        ),
        (answer(unwrap_only(), None), Ok("deactivated")),
        (
            answer(Condition::Disabled, Some("Disabled")),
            Ok("suspended"),
        ),
        (
            answer(Condition::Disabled, Some("Pre-Active")),
            Ok("pre-activation"),
        ),
        (
            answer(scheduled, Some("PendingDeletion")),
            Ok("deactivated"),
        ),
        (
            answer(Condition::SoftDeleted { purge: None }, None),
            Ok("deactivated"),
        ),
        (
            answer(Condition::MaterialMissing, Some("PendingImport")),
            Ok("pre-activation"),
        ),
        (
            answer(Condition::Unavailable { what: None }, None),
            Ok("suspended"),
        ),
        (
            answer(Condition::Transient, Some("PENDING_GENERATION")),
            Ok("pre-activation"),
        ),
        (answer(Condition::Transient, None), Err("transient")),
        (
            answer(
                Condition::Destroyed {
                    proof: "x".to_owned(),
                },
                Some("DESTROYED"),
            ),
            Ok("destroyed"),
        ),
    ];
    for (state, expected) in table {
        let mut estate = sample::nothing();
        estate.keys = vec![KeyRow::Resolved(Box::new(ResolvedKey {
            key: ARN.parse().unwrap(),
            state: state.clone(),
            verdict: sample::held(),
        }))];
        let bill = bill(&estate, &[], false);
        let key = component(&bill, ARN);
        let material = &key["cryptoProperties"]["relatedCryptoMaterialProperties"];
        assert_eq!(material["state"].as_str(), expected.ok(), "{state:?}");
        let why: Vec<&str> = expected.err().into_iter().collect();
        assert_eq!(property(key, "snapkey:state_unknown"), why, "{state:?}");
        assert_eq!(material.get("value"), None);
    }
}

/// The document of a gate, asked about keys and not: held against its schema as all others are.
#[test]
fn gates_keep_to_their_schema() {
    use crate::model::gate::{Action, Answer};
    let estate = sample::assessment();
    let answers = [Answer {
        address: Some("aws_kms_key.old".to_owned()),
        action: Action::Replace,
        key: Some(HOSTILE.to_owned()),
        to: None,
        verdict: Deletability::Held.word(),
        safe_after: SafeAfter::NotBefore(None),
        counts: sample::held().counts,
        doubts: vec![DoubtKind::MaybeMatch],
        details: vec![HOSTILE.to_owned()],
        exit_code: 1,
    }];
    for (asked, answers, estate_of) in [(true, &answers[..], None), (false, &[], Some(&estate))] {
        let conclusion = Conclusion {
            command: "gate",
            exit_code: 1,
            frame: Frame::from(&estate),
            findings: &estate.findings,
            asked,
            answers,
            estate: estate_of,
            anchor: "snapkey.toml",
        };
        let style = Style::Plain(Format::Json);
        let text = printed(|out| gate(style, conclusion, PIPE, out)?.finish());
        let document = json(&text);
        assert_eq!(document["schema"], "snapkey.gate/1");
        assert_eq!(document["summary"].is_null(), asked);
        assert_eq!(document["answers"].as_array().unwrap().len(), answers.len());
    }
}
