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

/// Runs the examples of a document, in their order and in one folder with `fixtures/` in it, and
/// returns how many ran.
fn run_examples(document: &str) -> usize {
    let text = std::fs::read_to_string(repository().join(document)).unwrap();
    let place = Place::new();
    std::os::unix::fs::symlink(repository().join("fixtures"), place.path().join("fixtures"))
        .unwrap();
    let mut ran = 0;
    for shown in examples(&text).into_iter().flatten() {
        let words: Vec<&str> = shown.command.iter().map(String::as_str).collect();
        let words = match words.as_slice() {
            // What needs a service or this checkout is shown without output.
            _ if shown.lines.is_empty() && shown.exit == 0 => continue,
            ["snapkey", words @ ..] => words,
            other => panic!("{document} shows the output of {other:?}"),
        };
        let output = place.run(words);
        assert_eq!(
            output.code, shown.exit,
            "{document}: {words:?}: {}",
            output.stderr
        );
        assert_shown(&shown, &output.stdout);
        ran += 1;
    }
    ran
}

#[test]
fn the_examples_of_the_documents_print_what_they_show() {
    for (document, least) in [("README.md", 5), ("docs/rules.md", 26)] {
        let ran = run_examples(document);
        assert!(ran >= least, "only {ran} examples of {document} ran");
    }
}

/// The `snapkey` commands of a script: after any prompt, assignment or other command, up to a
/// redirection, a pipe or the next command.
fn commands(text: &str) -> Vec<Vec<String>> {
    let mut commands = Vec::new();
    for line in text
        .lines()
        .filter(|line| !line.trim_start().starts_with('#'))
    {
        let words: Vec<&str> = line.split_whitespace().collect();
        for (start, _) in words
            .iter()
            .enumerate()
            .filter(|(_, word)| **word == "snapkey")
        {
            // A word of prose, an item of a list or the name of a table.
            let is_command = words[..start].last().is_none_or(|before| {
                ["-", "$", "here$", "there$"].contains(before) || before.ends_with(';')
            });
            if is_command {
                let rest = words[start..].iter();
                let rest = rest.take_while(|word| !["|", "||", ">", ">>", "&&"].contains(word));
                let plain = rest.map(|word| word.trim_matches(['"', ';']).to_owned());
                commands.push(plain.collect());
            }
        }
    }
    commands
}

#[test]
fn the_commands_in_examples_of_pipelines_are_commands() {
    let mut read = 0;
    let examples = std::fs::read_dir(repository().join("docs/examples")).unwrap();
    let examples = examples.map(|entry| entry.unwrap().path());
    for document in examples.chain([repository().join("docs/ci.md")]) {
        let text = std::fs::read_to_string(&document).unwrap();
        let name = document.display();
        let found = commands(&text);
        assert!(!found.is_empty(), "{name}: no command");
        for command in found {
            if let Err(error) = snapkey::cli::Cli::read(&command) {
                panic!("{name}: {command:?}: {error}");
            }
            read += 1;
        }
    }
    assert!(read >= 25, "only {read} commands");
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
