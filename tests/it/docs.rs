//! The documents against the program: what the README shows is what is printed.

use crate::support::cmd::{Place, repository};

/// A command of a `console` block and the lines shown under it. `…` stands for lines left out, or
/// at the end of a line for the rest of it.
struct Shown {
    command: Vec<String>,
    lines: Vec<String>,
    exit: i32,
}

fn examples(text: &str) -> Vec<Vec<Shown>> {
    let mut blocks = Vec::new();
    for block in text.split("```console\n").skip(1) {
        let block = block.split("```").next().unwrap();
        let mut shown: Vec<Shown> = Vec::new();
        for line in block.lines() {
            if let Some(command) = line.strip_prefix("$ ") {
                let command = command.split_whitespace().map(ToOwned::to_owned).collect();
                shown.push(Shown {
                    command,
                    lines: Vec::new(),
                    exit: 0,
                });
            } else if let Some(exit) = line.strip_prefix("[exit ") {
                shown.last_mut().unwrap().exit = exit.trim_end_matches(']').parse().unwrap();
            } else {
                shown.last_mut().unwrap().lines.push(line.to_owned());
            }
        }
        blocks.push(shown);
    }
    blocks
}

fn assert_shown(shown: &Shown, printed: &str) {
    let mut rest = printed.lines();
    let mut skipping = false;
    for line in &shown.lines {
        if line == "…" {
            skipping = true;
            continue;
        }
        let fits = |found: &str| match line.strip_suffix('…') {
            Some(start) => found.starts_with(start),
            None => found == line,
        };
        let found = if skipping {
            rest.find(|found| fits(found))
        } else {
            rest.next().filter(|found| fits(found))
        };
        assert!(
            found.is_some(),
            "{:?}: not printed: {line}\nprinted:\n{printed}",
            shown.command
        );
        skipping = false;
    }
    assert!(
        skipping || rest.next().is_none(),
        "{:?} prints more:\n{printed}",
        shown.command
    );
}

#[test]
fn the_examples_of_the_readme_print_what_it_shows() {
    let readme = std::fs::read_to_string(repository().join("README.md")).unwrap();
    let place = Place::new();
    std::os::unix::fs::symlink(repository().join("fixtures"), place.path().join("fixtures"))
        .unwrap();
    let mut ran = 0;
    for shown in examples(&readme).into_iter().flatten() {
        let words: Vec<&str> = shown.command.iter().map(String::as_str).collect();
        let words = match words.as_slice() {
            // What needs a service or this checkout is shown without output.
            _ if shown.lines.is_empty() && shown.exit == 0 => continue,
            ["snapkey", words @ ..] => words,
            other => panic!("the README shows the output of {other:?}"),
        };
        let output = place.run(words);
        assert_eq!(output.code, shown.exit, "{words:?}: {}", output.stderr);
        assert_shown(&shown, &output.stdout);
        ran += 1;
    }
    assert!(ran >= 5, "only {ran} examples ran");
}

#[test]
fn every_exit_code_of_the_readme_is_the_published_one() {
    let rows = |name: &str| -> Vec<String> {
        let text = std::fs::read_to_string(repository().join(name)).unwrap();
        (0..5)
            .map(|code| {
                let start = format!("| {code} |");
                text.lines()
                    .find(|line| line.starts_with(&start))
                    .unwrap_or_default()
                    .to_owned()
            })
            .collect()
    };
    for (code, row) in rows("README.md").into_iter().enumerate() {
        assert!(!row.is_empty(), "README.md has no exit code {code}");
    }
    for (code, row) in rows("docs/exit-codes.md").into_iter().enumerate() {
        assert!(
            !row.is_empty(),
            "docs/exit-codes.md has no exit code {code}"
        );
    }
}

#[test]
fn every_finding_has_a_section() {
    let rules = std::fs::read_to_string(repository().join("docs/rules.md")).unwrap();
    for code in snapkey::model::verdict::Code::ALL {
        let heading = format!("# `{}`", code.word());
        let plain = format!("# {}", code.word());
        assert!(
            rules.lines().any(|line| line.trim_start_matches('#').trim()
                == heading.trim_start_matches("# ")
                || line.trim_start_matches('#').trim() == plain.trim_start_matches("# ")),
            "docs/rules.md has no section for {code}"
        );
    }
}

#[test]
fn the_version_names_the_schemas_in_use() {
    let printed = Place::new().run(&["--version"]);
    let expected = format!(
        "snapkey {} (store schema {}, JSON schema {})\n",
        env!("CARGO_PKG_VERSION"),
        snapkey::store::SCHEMA_VERSION,
        snapkey::report::JSON_VERSION
    );
    assert_eq!(printed.stdout, expected);
}
