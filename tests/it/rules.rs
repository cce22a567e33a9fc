//! Every finding code, wherever codes are listed: `docs/rules.md`, the fixtures, the example
//! configuration and the rules of a SARIF file. A code that is missing from one of them, or one too
//! many, fails here.

use std::collections::BTreeSet;

use serde_json::Value;
use snapkey::model::verdict::Code;

use crate::support::cmd::{fixture, repository};
use crate::support::evidence::{CHECK_AS_OF, SAFE, base, read};

fn words() -> BTreeSet<String> {
    Code::ALL
        .iter()
        .map(|code| code.word().to_owned())
        .collect()
}

#[test]
fn every_code_has_its_section() {
    let rules = std::fs::read_to_string(repository().join("docs/rules.md")).unwrap();
    let mut sections = rules.split("\n## ").skip(1);
    for code in Code::ALL {
        let section = sections.next().unwrap_or_default();
        let (heading, text) = section.split_once("\n\n").unwrap_or_default();
        assert_eq!(heading, code.word(), "the sections are in another order");
        // Whatever the text adds, it begins with what the program itself says.
        let starts = format!(
            "`{}`, `{}`. {}",
            code.class().word(),
            code.default_level().word(),
            code.about().trim_end_matches('.')
        );
        assert!(text.starts_with(&starts), "{code}: not {starts:?}");
        for part in ["**Do**: ", "**False alarm**: ", "**False silence**: "] {
            assert!(text.contains(part), "{code} has no {part}");
        }
        assert!(
            text.contains("**Vendor**: ") || text.contains("**Rule**: "),
            "{code} rests on nothing"
        );
        let (_, example) = text.split_once("```console\n").unwrap_or_default();
        let found = format!("\n{}   {code} (", code.default_level().word());
        assert!(example.contains(&found), "{code} has no example");
    }
    let more: Vec<_> = sections.filter_map(|text| text.lines().next()).collect();
    assert!(more.is_empty(), "sections that are no code: {more:?}");
}

/// The codes of all findings in a document, wherever they are; of a story those that it expects,
/// not those that it excludes.
fn expected(value: &Value, codes: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) => {
            if let Some(code) = fields.get("code").and_then(Value::as_str) {
                codes.insert(code.to_owned());
            }
            let rest = fields.iter().filter(|(field, _)| *field != "lacks");
            rest.for_each(|(_, value)| expected(value, codes));
        }
        Value::Array(items) => items.iter().for_each(|item| expected(item, codes)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[test]
fn every_code_is_expected_of_some_fixture() {
    let mut codes = BTreeSet::new();
    expected(&read(&fixture("demo-expected.json")), &mut codes);
    for folder in std::fs::read_dir(fixture("scenarios")).unwrap() {
        let story = folder.unwrap().path().join("story.json");
        if story.is_file() {
            expected(&read(&story), &mut codes);
        }
    }
    assert_eq!(codes, words());
}

#[test]
fn the_example_configuration_lists_every_code_at_its_default() {
    let text = std::fs::read_to_string(repository().join("snapkey.example.toml")).unwrap();
    let (_, policy) = text.split_once("\n#[policy]\n").unwrap();
    let listed: Vec<&str> = policy.lines().take_while(|line| !line.is_empty()).collect();
    let wanted: Vec<String> = Code::ALL
        .iter()
        .map(|code| format!("#{code} = \"{}\"", code.default_level().word()))
        .collect();
    assert_eq!(listed, wanted);
}

#[test]
fn a_sarif_file_has_every_code_as_a_rule_whose_help_is_its_section() {
    let text = std::fs::read_to_string(repository().join("docs/rules.md")).unwrap();
    let place = base();
    let mut found = BTreeSet::new();
    // An audit has the rules of what it may find, a question those of its answers.
    let question = ["gate", "--for", "delete", "--key", SAFE];
    for words in [&["audit"][..], &question] {
        let start = ["--offline", "--as-of", CHECK_AS_OF, "--format", "sarif"];
        let ran = place.run(&[&start, words].concat());
        assert_eq!(ran.code, 0, "{words:?}: {}", ran.stderr);
        let log: Value = serde_json::from_str(&ran.stdout).unwrap();
        let rules = log["runs"][0]["tool"]["driver"]["rules"].as_array();
        for rule in rules.unwrap() {
            let id = rule["id"].as_str().unwrap();
            let heading = format!("\n## {id}\n\n");
            let (_, section) = text.split_once(&heading).unwrap();
            let first = section.lines().next().unwrap();
            let help = rule["help"]["markdown"].as_str().unwrap();
            assert!(help.starts_with(first), "{id}: {help}");
            found.insert(id.to_owned());
        }
    }
    assert_eq!(found, words());
}
