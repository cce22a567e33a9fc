//! Names that somebody chose with malice, through every format. Whatever a name is, the document
//! is valid, has the shape that it has with a harmless name, shows the name, and holds nothing that
//! a terminal obeys or hides.

use super::reread::reread;
use super::*;
use crate::model::Timestamp;
use crate::model::gate::Action;
use crate::model::reading::ProjectRef;
use crate::model::verdict::{DependantCounts, Doubt, Waived};
use crate::report::text::is_unsafe;

/// Every format; `place` breaks the build when there is another.
const STYLES: [Style; 9] = [
    Style::Plain(Format::Table),
    Style::Plain(Format::Json),
    Style::Plain(Format::Csv),
    Style::Markdown,
    Style::Sarif,
    Style::Junit,
    Style::Github,
    Style::Prometheus,
    Style::Cbom,
];

const fn place(style: Style) -> usize {
    match style {
        Style::Plain(Format::Table) => 0,
        Style::Plain(Format::Json) => 1,
        Style::Plain(Format::Csv) => 2,
        Style::Markdown => 3,
        Style::Sarif => 4,
        Style::Junit => 5,
        Style::Github => 6,
        Style::Prometheus => 7,
        Style::Cbom => 8,
    }
}

const HARMLESS: &str = "orders";

const NAMES: [&str; 40] = [
    "\u{1b}[2J\u{1b}]8;;https://evil.example\u{7}click\u{1b}]8;;\u{7}",
    "\u{9b}31m",
    "\u{202e}gpj.exe\u{202c}",
    "\u{2066}isolate\u{2069}",
    "zero\u{200b}width\u{feff}",
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "<!-- comment -->",
    "=cmd|'/c calc'!A1",
    "+1",
    "@octocat",
    "it's \"quoted\"",
    "two\nlines",
    "\n::error::forged",
    "line\r\n::add-mask::secret",
    "nul\0byte",
    "東京 🔑 𝔘",
    "\\ud800 \\udfff",
    "]]>",
    "<![CDATA[x",
    "-- --->",
    "&amp; &#64; &lt;b&gt;",
    "::error::forged",
    "::add-mask::secret",
    "::set-output name=safe::true",
    "##[add-mask]secret",
    "x ##[error]forged",
    "%0A::error::forged",
    "%250A",
    "a,b:c=d",
    "a|b\\|c",
    "`code` ``more`` `",
    "[link](https://evil.example) ![image](https://evil.example/x.png)",
    "https://evil.example/ www.evil.example",
    "# heading\n\n---\n| a | b |\n| - | - |",
    "*bold* _it_ ~no~ $x$ :tada: GH-12 #12 {0} {{",
    "\u{ffff}\u{fffe}",
    "\\",
    "\"}\n# HELP forged\nforged 1\n",
    " ",
];

/// An estate and questions in which every text from outside is this one.
struct Named {
    assessment: Assessment,
    answers: Vec<Answer>,
    rows: Vec<SnapshotVerdict>,
    anchor: String,
}

fn at(text: &str) -> Timestamp {
    sample::at(text)
}

fn named(name: &str) -> Named {
    let text = || name.to_owned();
    let project = || ProjectRef {
        id: text(),
        base_url: text(),
    };
    let finding = |code: Code, level| Finding {
        code,
        level,
        subject: text(),
        message: text(),
        waived: (level == Level::Allow).then(|| Waived {
            until: at("2026-12-01T00:00:00Z"),
            reason: text(),
        }),
    };
    let mut assessment = sample::nothing();
    assessment.findings = vec![
        finding(Code::SnapshotLost, Level::Deny),
        finding(Code::SnapshotUnknown, Level::Deny),
        finding(Code::SnapshotConditional, Level::Warn),
        finding(Code::KeyDisabledInUse, Level::Allow),
    ];
    assessment.keys = vec![KeyRow::Unresolved {
        provider: None,
        spelling: text(),
        doubts: vec![Doubt {
            kind: DoubtKind::UnresolvedKey,
            project: Some(text()),
            detail: text(),
        }],
    }];
    assessment.summary.count_key(Deletability::Unknown);
    assessment.projects = vec![ProjectVerdict {
        project: project(),
        name: Some(text()),
        complete: false,
        covered_at: None,
        gaps: vec![text()],
    }];
    assessment.roots = vec![RootVerdict {
        source: "atlas",
        base_url: text(),
        scope: text(),
        covered_at: None,
    }];
    let assumption = |kind, stated| Assumption {
        kind,
        subject: text(),
        stated,
        reason: text().into(),
    };
    assessment.assumptions = vec![
        assumption("hold", Some(at("2026-10-01T00:00:00Z"))),
        assumption("no-restore-running", None),
    ];
    let row = SnapshotVerdict {
        project: project(),
        keys: vec![text(), text()],
        reasons: vec!["destroyed".to_owned()],
        ..sample::snapshot(Restorability::Lost, "", name, name, "")
    };
    assessment.summary.count_snapshot(row.verdict);
    let answer = |exit_code, verdict| Answer {
        address: Some(text()),
        action: Action::Rotate,
        key: Some(text()),
        to: Some(text()),
        verdict,
        safe_after: SafeAfter::None,
        counts: DependantCounts::default(),
        doubts: vec![DoubtKind::UnresolvedKey],
        details: vec![text()],
        exit_code,
    };
    Named {
        assessment,
        answers: vec![answer(0, "pass"), answer(1, "fail")],
        rows: vec![row],
        anchor: name.replace('/', "_"),
    }
}

/// Both an audit and a gate that was asked about keys.
fn documents(style: Style, named: &Named, view: AuditView) -> [String; 2] {
    let estate = Conclusion {
        command: "audit",
        exit_code: 1,
        frame: Frame::from(&named.assessment),
        findings: &named.assessment.findings,
        asked: false,
        answers: &[],
        estate: Some(&named.assessment),
        anchor: &named.anchor,
    };
    let of_estate = formats::printed_as(style, estate, &named.rows, view);
    let asked = Conclusion {
        command: "gate",
        asked: true,
        answers: &named.answers,
        // These two are about the estate, whatever was asked.
        estate: match style {
            Style::Prometheus | Style::Cbom => Some(&named.assessment),
            Style::Plain(_) | Style::Markdown | Style::Sarif | Style::Junit | Style::Github => None,
        },
        ..estate
    };
    [
        of_estate,
        formats::printed_as(style, asked, &named.rows, view),
    ]
}

/// How a document of the format shows a name to its reader.
fn shown(style: Style, name: &str) -> String {
    match style {
        Style::Plain(Format::Json) => name.to_owned(),
        Style::Plain(Format::Table | Format::Csv) | Style::Junit | Style::Github => {
            text::escape(name).into_owned()
        }
        Style::Sarif => text::escape(name).replace('{', "{{").replace('}', "}}"),
        Style::Markdown => text::escape(name)
            .replace('|', "\\u{7c}")
            .replace('`', "\\u{60}"),
        // What they show of an estate is told by their own tests.
        Style::Prometheus | Style::Cbom => String::new(),
    }
}

const VIEWS: [AuditView; 2] = [
    AuditView {
        summary: false,
        all: false,
    },
    AuditView {
        summary: false,
        all: true,
    },
];

#[test]
fn no_name_gets_out_of_its_place() {
    for (at, style) in STYLES.into_iter().enumerate() {
        assert_eq!(place(style), at);
        for view in VIEWS {
            let harmless = documents(style, &named(HARMLESS), view);
            for name in NAMES {
                let hostile = documents(style, &named(name), view);
                for (hostile, harmless) in hostile.iter().zip(&harmless) {
                    let raw = |c: char| is_unsafe(c) && c != '\n';
                    let hidden = match style {
                        Style::Plain(Format::Csv) => hostile.replace("\r\n", "\n").find(raw),
                        Style::Plain(_)
                        | Style::Markdown
                        | Style::Sarif
                        | Style::Junit
                        | Style::Github
                        | Style::Prometheus
                        | Style::Cbom => hostile.find(raw),
                    };
                    assert_eq!(hidden, None, "{style:?} {name:?}\n{hostile}");
                    let (read, expected) = (reread(style, hostile), reread(style, harmless));
                    assert_eq!(read.shape, expected.shape, "{style:?} {name:?}\n{hostile}");
                    let name = shown(style, name);
                    let seen = read.texts.iter().any(|text| text.contains(name.trim()));
                    assert!(seen, "{style:?} {name:?}\n{hostile}");
                }
            }
        }
    }
}

/// The runner of GitHub Actions reads whatever is printed, in any format.
#[test]
fn no_line_is_an_order_to_the_runner() {
    for style in STYLES {
        for name in NAMES {
            for text in documents(style, &named(name), VIEWS[0]) {
                for line in text.lines() {
                    let ours = style == Style::Github;
                    assert!(ours || !line.trim_start().starts_with("::"), "{line}");
                    assert!(ours || !line.contains("##["), "{style:?} {line}");
                }
            }
        }
    }
}

#[test]
fn an_id_of_a_megabyte() {
    for unit in ["🔑", "a@\u{1b} "] {
        let name = unit.repeat(1_000_000 / unit.len());
        let mut named = named(HARMLESS);
        named.assessment.findings[0].subject = name.clone();
        named.answers[1].key = Some(name.clone());
        named.rows[0].id = name.clone();
        named.assessment.keys = vec![KeyRow::Unresolved {
            provider: None,
            spelling: name,
            doubts: Vec::new(),
        }];
        for style in STYLES {
            for (place, text) in documents(style, &named, VIEWS[0]).iter().enumerate() {
                reread(style, text);
                let most = match style {
                    Style::Markdown => 1 << 20,
                    Style::Github => 100_000,
                    Style::Plain(_)
                    | Style::Sarif
                    | Style::Junit
                    | Style::Prometheus
                    | Style::Cbom => usize::MAX,
                };
                assert!(text.len() < most, "{style:?} {place}: {} bytes", text.len());
                if most != usize::MAX {
                    assert!(text.contains('…'), "{style:?}: what was cut out shows");
                }
            }
        }
    }
}
