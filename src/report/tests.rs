//! Every format from one set of conclusions. The snapshots show whole outputs; the assertions say
//! what must hold whatever they show.

use serde_json::Value;

use super::sample::{self, ARN, HOSTILE};
use super::*;
use crate::model::gate::Answer;
use crate::model::verdict::{
    Code, Deletability, DoubtKind, Finding, Intent, Level, Obstacle, ObstacleKind, Restorability,
    RotationVerdict, SafeAfter, SnapshotVerdict, UnitVerdict, Until,
};

mod audit;
mod exports;
mod formats;
mod hostile;
mod reread;

const NARROW: Layout = Layout {
    width: Some(80),
    color: false,
};
const WIDE: Layout = Layout {
    width: Some(200),
    color: false,
};
const PIPE: Layout = Layout {
    width: None,
    color: false,
};

fn printed(print: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> String {
    let mut bytes = Vec::new();
    print(&mut bytes).unwrap();
    String::from_utf8(bytes).unwrap()
}

fn audit_of(
    assessment: &Assessment,
    rows: &[SnapshotVerdict],
    format: Format,
    view: AuditView,
    layout: Layout,
) -> String {
    let mut bytes = Vec::new();
    let conclusion = Conclusion {
        command: "audit",
        exit_code: 1,
        frame: Frame::from(assessment),
        findings: &assessment.findings,
        asked: false,
        answers: &[],
        estate: Some(assessment),
        anchor: "snapkey.toml",
    };
    let style = Style::Plain(format);
    let mut report = audit(style, assessment, conclusion, view, layout, &mut bytes).unwrap();
    for row in rows {
        report.row(row).unwrap();
    }
    report.finish().unwrap();
    String::from_utf8(bytes).unwrap()
}

/// A document, held against its published schema if it is one of snapkey's own.
fn json(text: &str) -> Value {
    let document: Value = serde_json::from_str(text).expect(text);
    if document.get("schema").is_some() {
        json::schema::assert_valid(&document);
    }
    document
}

/// The version of the tool is no promise of the format.
fn unversioned(text: &str) -> String {
    text.replace(
        &format!("\"version\":\"{}\"", env!("CARGO_PKG_VERSION")),
        "\"version\":\"[version]\"",
    )
}

/// Everything that `sample` holds, in a format.
fn everything(format: Format, layout: Layout) -> Vec<(&'static str, String)> {
    let assessment = sample::assessment();
    let frame = Frame::from(&assessment);
    let mut all = vec![(
        "audit",
        audit_of(
            &assessment,
            &sample::snapshots(),
            format,
            AuditView::default(),
            layout,
        ),
    )];
    all.push((
        "snapshots",
        printed(|out| {
            let mut rows = snapshots(format, frame, None, layout, out)?;
            for row in sample::snapshots() {
                rows.row(&row)?;
            }
            rows.finish()
        }),
    ));
    all.push((
        "keys",
        printed(|out| keys(format, frame, &sample::keys(), layout, out)),
    ));
    all.push((
        "projects",
        printed(|out| projects(format, frame, &sample::projects(), layout, out)),
    ));
    let held = sample::check(Intent::Delete, ARN, sample::held());
    all.push((
        "check held",
        printed(|out| check(format, &held, 1, layout, out)),
    ));
    let unknown = sample::check(Intent::Disable, ARN, sample::unknown());
    all.push((
        "check unknown",
        printed(|out| check(format, &unknown, 3, layout, out)),
    ));
    let rotate = sample::rotation(RotationVerdict::Fail);
    all.push((
        "check rotate",
        printed(|out| rotation(format, &rotate, 1, layout, out)),
    ));
    all.push((
        "download",
        printed(|out| downloads(format, sample::as_of(), &[download()], layout, out)),
    ));
    all
}

fn download() -> DownloadRow {
    DownloadRow {
        id: "d1".to_owned(),
        project: Some(sample::PROJECT.to_owned()),
        cluster: Some(HOSTILE.to_owned()),
        snapshot: None,
        keys: vec![ARN.to_owned(), HOSTILE.to_owned()],
        finished_at: None,
        forgotten_at: Some(sample::as_of()),
        reason: Some(HOSTILE.to_owned()),
    }
}

fn probe_report() -> (Vec<Observation>, Vec<String>) {
    (sample::observations(), vec![HOSTILE.to_owned()])
}

/// What a probe tells besides its observations.
fn beside_probe() -> (Vec<CauseRow>, Vec<LastUse>) {
    let keys: Vec<_> = sample::observations().into_iter().map(|o| o.key).collect();
    let cause = CauseRow {
        provider: Provider::Aws,
        reason: "access-denied",
        keys: 1,
        example: Some(HOSTILE.to_owned()),
        fix: "allow it",
    };
    let used = LastUse {
        key: keys[0].clone(),
        operation: Some("Decrypt".to_owned()),
        at: Some(sample::as_of()),
        tracked_since: Some(sample::as_of()),
    };
    let unused = LastUse {
        key: keys[1].clone(),
        operation: None,
        at: None,
        tracked_since: None,
    };
    (vec![cause], vec![used, unused])
}

fn collect_report(format: Format) -> String {
    let sentences = [format!("project list: answered 503 {HOSTILE}")];
    let report = CollectReport {
        as_of: sample::as_of(),
        exit_code: 3,
        out: HOSTILE,
        started_at: Some(sample::as_of()),
        was_finished: false,
        projects: 2,
        clusters: 1,
        requests: 17,
        asked: 12,
        gaps: &sentences,
        assumptions: &sentences,
    };
    printed(|out| collect(format, &report, NARROW, out))
}

#[test]
fn what_a_collection_came_to() {
    let table = collect_report(Format::Table);
    for line in [
        "collected 2 projects, 1 cluster in 17 requests into ",
        "5 requests of them kept from the run that was stopped\n",
        "no answer is older than 2026-",
        "1 gap: the inventory is not complete\n",
        "1 list not read for want of rights: later answers name the assumptions\n",
    ] {
        assert!(table.contains(line), "{line}\n{table}");
    }
    let document = json(&collect_report(Format::Json));
    assert_eq!(document["bundle"], HOSTILE);
    assert_eq!(
        document["gaps"][0],
        format!("project list: answered 503 {HOSTILE}")
    );
}

fn ingest_report(format: Format, rejects: &[Reject], gaps: &[String]) -> String {
    let report = IngestReport {
        as_of: sample::as_of(),
        exit_code: 3,
        unchanged: rejects.is_empty(),
        files: 2,
        snapshots: 1,
        readings: 7,
        observations: 0,
        not_needed: 1,
        rejects,
        gaps,
    };
    printed(|out| ingest(format, &report, NARROW, out))
}

fn shown(all: &[(&str, String)]) -> String {
    all.iter()
        .map(|(name, text)| format!("=== {name} ===\n{text}\n"))
        .collect()
}

#[test]
fn tables_at_80_columns() {
    insta::assert_snapshot!(shown(&everything(Format::Table, NARROW)));
}

#[test]
fn tables_at_200_columns() {
    insta::assert_snapshot!(shown(&everything(Format::Table, WIDE)));
}

#[test]
fn json_documents() {
    insta::assert_snapshot!(unversioned(&shown(&everything(Format::Json, NARROW))));
}

#[test]
fn csv_tables() {
    insta::assert_snapshot!(shown(&everything(Format::Csv, NARROW)).replace('\r', "␍"));
}

#[test]
fn probe_and_ingest() {
    let (observations, unresolved) = probe_report();
    let (causes, last_uses) = beside_probe();
    let report = ProbeReport {
        as_of: sample::as_of(),
        exit_code: 3,
        observations: &observations,
        unresolved: &unresolved,
        still_fresh: 4,
        not_asked: &[],
        causes: &causes,
        last_uses: &last_uses,
    };
    let rejects = [Reject {
        file: HOSTILE.to_owned(),
        record: Some("record 3".into()),
        reason: "`id` is missing".to_owned(),
    }];
    let gaps = ["cluster `orders`: no snapshot list".to_owned()];
    let mut all = String::new();
    for format in [Format::Table, Format::Json] {
        all.push_str(&printed(|out| probe(format, &report, NARROW, out)));
        all.push_str(&ingest_report(format, &rejects, &gaps));
        all.push_str(&ingest_report(format, &[], &[]));
    }
    insta::assert_snapshot!(unversioned(&all));
    assert!(probe(Format::Csv, &report, NARROW, &mut Vec::new()).is_err());
}

#[test]
fn empty_estates() {
    let nothing = sample::nothing();
    let frame = Frame::from(&nothing);
    let mut all = String::new();
    for format in [Format::Table, Format::Json, Format::Csv] {
        let view = AuditView::default();
        let mut texts = vec![audit_of(&nothing, &[], format, view, NARROW)];
        texts.push(printed(|out| {
            snapshots(format, frame, None, NARROW, out)?.finish()
        }));
        texts.push(printed(|out| keys(format, frame, &[], NARROW, out)));
        texts.push(printed(|out| projects(format, frame, &[], NARROW, out)));
        texts.push(printed(|out| {
            downloads(format, sample::as_of(), &[], NARROW, out)
        }));
        if format == Format::Json {
            for text in &texts {
                json(text);
            }
        }
        assert!(texts.iter().all(|text| !text.is_empty()), "{texts:?}");
        all.push_str(&texts.join("\n"));
    }
    insta::assert_snapshot!(unversioned(&all).replace('\r', "␍"));
}

#[test]
fn every_verdict_of_a_check_in_words() {
    let unit = |verdict: UnitVerdict| sample::check(Intent::Delete, ARN, verdict);
    let mut all = String::new();
    let doubtful = sample::unknown().doubts;
    let mut indefinite = unit(UnitVerdict {
        safe_after: SafeAfter::Indefinite,
        ..sample::held()
    });
    indefinite.verdict.dependants[2].until = Until::Indefinite;
    let as_json = printed(|out| check(Format::Json, &indefinite, 1, NARROW, out));
    assert_eq!(json(&as_json)["dependants"][2]["until"], Value::Null);
    let mut cases = vec![
        unit(sample::safe()),
        unit(UnitVerdict {
            safe_after: SafeAfter::NotBefore(None),
            doubts: doubtful.clone(),
            ..sample::held()
        }),
        indefinite.clone(),
        unit(UnitVerdict {
            verdict: Deletability::Gone,
            ..sample::safe()
        }),
        unit(UnitVerdict {
            verdict: Deletability::Gone,
            lost_snapshots: 2,
            lost: true,
            ..sample::safe()
        }),
        unit(UnitVerdict {
            verdict: Deletability::Gone,
            doubts: doubtful,
            ..sample::safe()
        }),
    ];
    let mut historical = unit(sample::safe());
    historical.historical = true;
    cases.push(historical);
    let mut disable = sample::check(Intent::Disable, sample::AZURE, sample::safe());
    disable.covered_at = None;
    cases.push(disable);
    for case in &cases {
        let text = printed(|out| check(Format::Table, case, 0, NARROW, out));
        all.push_str(text.split("\n\n").next().unwrap());
        all.push_str("\n\n");
    }
    for verdict in [RotationVerdict::Pass, RotationVerdict::Unknown] {
        let case = sample::rotation(verdict);
        let text = printed(|out| rotation(Format::Table, &case, 0, NARROW, out));
        all.push_str(text.split("\n\n").next().unwrap());
        all.push_str("\n\n");
    }
    insta::assert_snapshot!(all);
}

/// Nobody reads "go ahead" out of an answer that exits 3.
#[test]
fn a_historical_pass_says_that_it_is_not_now() {
    let mut safe = sample::check(Intent::Delete, ARN, sample::safe());
    safe.historical = true;
    let mut pass = sample::rotation(RotationVerdict::Pass);
    pass.historical = true;
    for text in [
        printed(|out| check(Format::Table, &safe, 3, PIPE, out)),
        printed(|out| rotation(Format::Table, &pass, 3, PIPE, out)),
    ] {
        assert!(
            text.lines().next().unwrap().contains("not now: do not"),
            "{text}"
        );
        assert!(
            !text.contains("may be deleted") && !text.contains("may go ahead"),
            "{text}"
        );
    }
}

/// A renderer can neither change the exit code nor the verdict.
#[test]
fn the_exit_code_is_printed_as_given() {
    let held = sample::check(Intent::Delete, ARN, sample::held());
    for exit_code in [0, 1, 3] {
        let text = printed(|out| check(Format::Json, &held, exit_code, NARROW, out));
        assert_eq!(json(&text)["exit_code"], exit_code);
        assert_eq!(json(&text)["verdict"], "held");
    }
}

#[test]
fn hostile_names_reach_no_terminal() {
    for format in [Format::Table, Format::Json, Format::Csv] {
        for layout in [NARROW, WIDE, PIPE] {
            for (name, text) in everything(format, layout) {
                let bad = text
                    .chars()
                    .find(|c| text::is_unsafe(*c) && !matches!(c, '\n' | '\r'));
                assert_eq!(bad, None, "{name} {format:?}");
                assert!(
                    !text.lines().any(|line| line.starts_with("verdict: safe")),
                    "{name} {format:?}"
                );
            }
        }
    }
}

#[test]
fn no_cell_of_a_csv_is_a_formula() {
    for (name, text) in everything(Format::Csv, NARROW) {
        let mut reader = ::csv::ReaderBuilder::new().from_reader(text.as_bytes());
        assert!(text.ends_with("\r\n") && !text.replace("\r\n", "").contains(['\r', '\n']));
        let mut hostile = 0;
        for record in reader.records() {
            for cell in &record.expect(name) {
                for part in cell.split(';') {
                    assert!(
                        !part.trim_start().starts_with(['=', '+', '-', '@']),
                        "{cell}"
                    );
                }
                hostile += usize::from(cell.contains("cmd|"));
            }
        }
        // Or else nothing was tried.
        assert!(
            hostile > 0 || matches!(name, "check held" | "check rotate"),
            "{name}"
        );
    }
}

#[test]
fn json_says_what_the_contract_says() {
    let texts = everything(Format::Json, NARROW);
    let of = |name: &str| json(&texts.iter().find(|(n, _)| *n == name).unwrap().1);

    let audit = of("audit");
    assert_eq!(audit["schema"], "snapkey.audit/1");
    assert_eq!(audit["summary"]["snapshots"]["restorable"], 2);
    assert_eq!(audit["summary"]["keys"]["held"], 2);
    assert_eq!(audit["summary"]["keys"]["unknown"], 3);
    let blocked = &audit["snapshots"][2];
    assert_eq!(blocked["actions"][0], "cancel-deletion");
    assert_eq!(blocked["deadline"], "2026-11-20T09:30:00Z");
    let hostile = &audit["snapshots"][8];
    assert_eq!(hostile["cluster"], HOSTILE, "JSON keeps texts as they are");
    assert_eq!(audit["snapshots"].as_array().unwrap().len(), 9);
    let never_asked = &audit["keys"][4];
    assert_eq!(never_asked["condition"], Value::Null);
    assert_eq!(never_asked["safe_after_kind"], "not-before");
    let unresolved = &audit["keys"][5];
    assert_eq!(unresolved["resolved"], false);
    assert_eq!(unresolved["verdict"], "unknown");
    assert_eq!(unresolved["dependant_counts"].as_object().unwrap().len(), 8);

    let check = of("check held");
    assert_eq!(check["schema"], "snapkey.check/1");
    assert_eq!(check["safe_after"], "2027-01-05T02:00:00Z");
    assert_eq!(check["dependants"][0]["match"], "same");
    assert_eq!(check["dependants"][1]["match"], "maybe");
    assert_eq!(check["dependants"][2]["until"], "2026-12-01T00:00:00Z");
    assert_eq!(check["dependant_counts"]["snapshot"], 12);
    assert_eq!(check["dependant_counts"]["hold"], 0);
    let rotate = of("check rotate");
    assert_eq!(rotate["intent"], "rotate");
    assert_eq!(rotate["verdict"], "fail");
    assert_eq!(rotate["to"]["condition"], "disabled");
    assert_eq!(rotate["keep_until"], "2027-01-05T02:00:00Z");
    let names = |document: &Value| -> Vec<String> {
        document.as_object().unwrap().keys().cloned().collect()
    };
    assert_eq!(
        names(&check),
        names(&rotate),
        "one schema, one set of fields"
    );
}

/// Rows are separate lines, and their fields come in the order of the contract.
#[test]
fn json_rows_have_their_fields_in_order() {
    let text = audit_of(
        &sample::assessment(),
        &sample::snapshots(),
        Format::Json,
        AuditView::default(),
        NARROW,
    );
    let row = text
        .lines()
        .find(|line| line.contains("6ac304a00a6c9e3dd7652ff0\",\"v"))
        .unwrap();
    assert_eq!(
        row,
        format!(
            "{{\"project\":\"{}\",\"cluster\":\"ledger\",\"id\":\"6ac304a00a6c9e3dd7652ff0\",\
             \"verdict\":\"blocked\",\"keys\":[\"{ARN}\"],\"reasons\":[\"pending-deletion\"],\
             \"actions\":[\"cancel-deletion\",\"enable\"],\"deadline\":\"2026-11-20T09:30:00Z\",\
             \"expires_at\":\"2027-01-05T02:00:00Z\"}},",
            sample::PROJECT
        )
    );
}

#[test]
fn every_doubt_has_a_hint() {
    for kind in DoubtKind::ALL {
        assert!(!words::doubt_hint(kind).is_empty(), "{}", kind.word());
    }
}

#[test]
fn a_failed_write_is_told() {
    struct Full;
    impl Write for Full {
        fn write(&mut self, _bytes: &[u8]) -> io::Result<usize> {
            Err(io::Error::other("no space"))
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let held = sample::check(Intent::Delete, ARN, sample::held());
    for format in [Format::Table, Format::Json, Format::Csv] {
        assert!(
            check(format, &held, 1, NARROW, &mut Full).is_err(),
            "{format:?}"
        );
    }
}

/// What `docs/json.md` publishes, field by field.
#[test]
fn the_documents_have_the_fields_that_are_published() {
    let published: Vec<(&str, Vec<&str>)> = include_str!("../../docs/json.md")
        .lines()
        .filter_map(|line| line.strip_prefix("| `snapkey.")?.split_once("` | "))
        .map(|(schema, fields)| (schema, fields.split('`').skip(1).step_by(2).collect()))
        .collect();
    let mut texts = everything(Format::Json, NARROW);
    let (observations, unresolved) = probe_report();
    let (causes, last_uses) = beside_probe();
    let report = ProbeReport {
        as_of: sample::as_of(),
        exit_code: 3,
        observations: &observations,
        unresolved: &unresolved,
        still_fresh: 4,
        not_asked: &[],
        causes: &causes,
        last_uses: &last_uses,
    };
    texts.push((
        "probe",
        printed(|out| probe(Format::Json, &report, NARROW, out)),
    ));
    let explained = ExplainedKey {
        subject: "K".to_owned(),
        provider: Provider::Aws,
        endpoint: "https://kms.example".to_owned(),
        login: "somehow",
        calls: vec![("a call".to_owned(), "always", "a right")],
    };
    texts.push((
        "explain",
        printed(|out| explain(Format::Json, sample::as_of(), &[explained], NARROW, out)),
    ));
    let assessment = sample::assessment();
    let conclusion = Conclusion {
        command: "gate",
        exit_code: 1,
        frame: Frame::from(&assessment),
        findings: &assessment.findings,
        asked: false,
        answers: &[],
        estate: Some(&assessment),
        anchor: "snapkey.toml",
    };
    let style = Style::Plain(Format::Json);
    texts.push((
        "gate",
        printed(|out| gate(style, conclusion, NARROW, out)?.finish()),
    ));
    texts.push(("collect", collect_report(Format::Json)));
    texts.push(("ingest", ingest_report(Format::Json, &[], &[])));
    let mut compared = std::collections::BTreeSet::new();
    for (name, text) in texts {
        let schema = json(&text)["schema"]
            .as_str()
            .unwrap()
            .replace("snapkey.", "");
        let (_, fields) = published
            .iter()
            .find(|(published, _)| *published == schema)
            .expect(name);
        // Members are the lines that begin with a name; rows begin with a brace or a bare text.
        let written: Vec<&str> = text
            .lines()
            .filter_map(|line| line.strip_prefix('"')?.split_once("\":"))
            .map(|(member, _)| member)
            .collect();
        let mut expected = vec!["as_of", "tool"];
        expected.extend(fields.iter().filter(|field| **field != "created_at"));
        assert_eq!(written, expected, "{name}");
        compared.insert(schema);
    }
    assert_eq!(
        compared.len(),
        published.len(),
        "every document was compared"
    );
}

#[test]
fn no_page_is_too_narrow() {
    for width in [0, 1, 7, 40] {
        let layout = Layout {
            width: Some(width),
            color: true,
        };
        assert!(!everything(Format::Table, layout).is_empty());
    }
}

/// Rows of `snapshots --restore-to`: nothing in the way, something, and what cannot be told.
fn to_another_cluster(format: Format, layout: Layout) -> String {
    let nothing = sample::nothing();
    let obstacle = |kind, known, detail: &str| Obstacle {
        kind,
        known,
        detail: detail.to_owned(),
    };
    let rows = [
        vec![],
        vec![
            obstacle(ObstacleKind::Tier, true, "the target is M5"),
            obstacle(ObstacleKind::Version, false, HOSTILE),
        ],
        vec![obstacle(ObstacleKind::Tier, true, "the target is M5")],
    ];
    printed(|out| {
        let frame = Frame::from(&nothing);
        let mut list = snapshots(format, frame, Some("p/c"), layout, out)?;
        for (no, obstacles) in rows.into_iter().enumerate() {
            let id = format!("s{no}");
            list.row(&SnapshotVerdict {
                obstacles: Some(obstacles),
                ..sample::snapshot(Restorability::Restorable, "p", "c", &id, ARN)
            })?;
        }
        list.finish()
    })
}

#[test]
fn obstacles_are_told_in_every_format() {
    let document = json(&to_another_cluster(Format::Json, PIPE));
    assert_eq!(document["restore_to"], "p/c");
    let rows: Vec<_> = document["snapshots"].as_array().unwrap().iter().collect();
    assert_eq!(rows[0]["obstacles"], serde_json::json!([]));
    assert_eq!(
        rows[1]["obstacles"],
        serde_json::json!([
            {"kind": "tier", "known": true, "detail": "the target is M5"},
            {"kind": "version", "known": false, "detail": HOSTILE}
        ])
    );
    let csv = to_another_cluster(Format::Csv, PIPE);
    let last: Vec<&str> = csv
        .lines()
        .map(|line| line.rsplit(',').next().unwrap())
        .collect();
    let expected = [
        r#""obstacles""#,
        r#""none""#,
        r#""tier;version?""#,
        r#""tier""#,
    ];
    assert_eq!(last, expected);
    let mut tables = String::new();
    for layout in [PIPE, NARROW, WIDE] {
        tables.push_str(&to_another_cluster(Format::Table, layout));
        tables.push('\n');
    }
    insta::assert_snapshot!(tables);
}
