//! The manual page: one that covers every command, so that `man snapkey` is enough. What clap
//! knows comes from the command line itself; exit codes, files and environment are said here.

use std::io;

use clap::Command;
use clap_mangen::Man;
use clap_mangen::roff::{Inline, Roff, bold, roman};

const DESCRIPTION: &str = "snapkey tells which backup snapshots of MongoDB could be restored right \
    now, and which encryption keys may be deleted without losing one of them. It reads backup \
    inventories into a store, asks the key services for the state of the keys, and judges by what \
    both answered. What cannot be told is unknown, with the reason, and never a pass. It changes \
    nothing at any service: all that it calls reads.";

/// Codes of `docs/exit-codes.md`.
const EXIT_CODES: [(&str, &str); 5] = [
    ("0", "Passed, or printed where there is nothing to judge."),
    ("1", "A definite no. It wins over 3."),
    (
        "2",
        "Usage or configuration: an unknown option, a format that the command does not have, a \
         file that was named and is not there, an input that is no inventory.",
    ),
    (
        "3",
        "Undecided: evidence is missing, stale or incomplete, or a pass is only historical.",
    ),
    (
        "4",
        "The run itself failed: the store, the network's set-up, input or output. Nothing was \
         decided.",
    ),
];

const FILES: [(&str, &str); 4] = [
    (
        "snapkey.db",
        "The store, an SQLite file, in the working directory unless --store names another.",
    ),
    (
        "snapkey.toml",
        "The configuration, beside the store unless --config names another: age limits, \
         statements, policy and waivers.",
    ),
    (
        "manifest.json",
        "In a folder, makes it a bundle: the raw answers that collect recorded.",
    ),
    (
        "~/.config/atlascli/config.toml",
        "The profiles of the Atlas CLI, where logins to Atlas are looked for.",
    ),
];

const ENVIRONMENT: [(&str, &str); 7] = [
    ("SNAPKEY_STORE", "The store, where --store names none."),
    (
        "SNAPKEY_CONFIG",
        "The configuration, where --config names none.",
    ),
    (
        "NO_COLOR",
        "Set to anything: no color, unless --color always.",
    ),
    (
        "MONGODB_ATLAS_*, MCLI_*",
        "The login, base URL and profile of Atlas and Ops Manager, as the Atlas CLI reads them.",
    ),
    (
        "AWS_*",
        "Credentials, profile, region and endpoint of AWS KMS, as the AWS CLI reads them.",
    ),
    (
        "AZURE_*, GOOGLE_APPLICATION_CREDENTIALS",
        "Credentials of Azure Key Vault and of Google Cloud KMS, as their own tools read them.",
    ),
    (
        "HTTPS_PROXY, NO_PROXY",
        "The proxy for requests to inventory sources.",
    ),
];

/// The page in roff.
///
/// # Errors
/// None: it is written into memory.
pub(super) fn page(command: &Command) -> io::Result<Vec<u8>> {
    let top = Man::new(command.clone()).manual("snapkey manual");
    let mut page = Vec::new();
    top.render_title(&mut page)?;
    top.render_name_section(&mut page)?;
    top.render_synopsis_section(&mut page)?;
    let mut text = Roff::new();
    text.control("SH", ["DESCRIPTION"]);
    text.text([roman(DESCRIPTION)]);
    text.to_writer(&mut page)?;
    top.render_options_section(&mut page)?;
    let mut text = Roff::new();
    text.control("SH", ["COMMANDS"]);
    text.text([roman(
        "The global options stand before or after the command.",
    )]);
    text.to_writer(&mut page)?;
    for sub in command.get_subcommands() {
        described(sub, command.get_name(), &mut page)?;
    }
    let mut text = Roff::new();
    listed(&mut text, "EXIT STATUS", &EXIT_CODES);
    listed(&mut text, "FILES", &FILES);
    listed(&mut text, "ENVIRONMENT", &ENVIRONMENT);
    text.control("SH", ["SEE ALSO"]);
    text.text([bold("atlas"), roman("(1), "), bold("aws"), roman("(1)")]);
    text.to_writer(&mut page)?;
    Ok(page)
}

/// One command, or those below it: usage, what it does, its own options.
fn described(command: &Command, above: &str, page: &mut Vec<u8>) -> io::Result<()> {
    let path = format!("{above} {}", command.get_name());
    if command.has_subcommands() {
        return command
            .get_subcommands()
            .try_for_each(|sub| described(sub, &path, page));
    }
    let command = command
        .clone()
        .bin_name(path.clone())
        // Said once, at the top.
        .disable_help_flag(true);
    let has_more = command.get_after_help().is_some() || command.get_after_long_help().is_some();
    let man = Man::new(command);
    let mut heading = Roff::new();
    heading.control("SS", [path.as_str()]);
    heading.to_writer(page)?;
    let mut section = Vec::new();
    man.render_synopsis_section(&mut section)?;
    section.extend_from_slice(b".PP\n");
    man.render_description_section(&mut section)?;
    man.render_options_section(&mut section)?;
    if has_more {
        section.extend_from_slice(b".PP\n");
        man.render_extra_section(&mut section)?;
    }
    page.extend(below_heading(&String::from_utf8_lossy(&section)).bytes());
    Ok(())
}

/// Sections of a page of its own as parts of a subsection: the headings that every command has are
/// dropped, others become a line in bold.
fn below_heading(section: &str) -> String {
    let mut text = String::new();
    for line in section.lines() {
        match line.strip_prefix(".SH ") {
            Some("SYNOPSIS" | "DESCRIPTION" | "OPTIONS" | "EXTRA") => {}
            Some(heading) => {
                let heading = heading.trim_matches('"').to_lowercase();
                text.push_str(&format!(".PP\n\\fB{heading}:\\fR\n"));
            }
            None => {
                text.push_str(line);
                text.push('\n');
            }
        }
    }
    text
}

fn listed(text: &mut Roff, heading: &str, rows: &[(&str, &str)]) {
    text.control("SH", [heading]);
    for (term, said) in rows {
        let term: [Inline; 1] = [bold(*term)];
        text.control("TP", []);
        text.text(term);
        text.text([roman(*said)]);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use clap::{CommandFactory, ValueEnum};

    use super::*;
    use crate::cli::Cli;

    /// The words of every command and option, but for `help`.
    fn words(command: &Command, all: &mut BTreeSet<String>) {
        for argument in command.get_arguments() {
            all.extend(argument.get_long().map(|long| format!("--{long}")));
        }
        for sub in command.get_subcommands() {
            all.insert(sub.get_name().to_owned());
            words(sub, all);
        }
    }

    fn all_words() -> BTreeSet<String> {
        let mut all = BTreeSet::new();
        words(&Cli::command(), &mut all);
        assert!(all.contains("forget") && all.contains("--summary") && all.len() > 40);
        all
    }

    #[test]
    fn the_page_has_every_command_and_option() {
        let page = String::from_utf8(page(&Cli::command()).unwrap()).unwrap();
        let plain = page
            .replace("\\-", "-")
            .replace("\\fR", "")
            .replace("\\fB", "");
        for word in all_words() {
            assert!(plain.contains(&word), "{word}\n{plain}");
        }
        for heading in [
            ".SH COMMANDS",
            ".SS \"snapkey check\"",
            ".SS \"snapkey download forget\"",
            ".SH \"EXIT STATUS\"",
            ".SH FILES",
            ".SH ENVIRONMENT",
        ] {
            let lines = page.lines().filter(|line| *line == heading);
            assert_eq!(lines.count(), 1, "{heading}\n{page}");
        }
        assert_eq!(page.matches("\n.TH ").count(), 1);
        // Global options are said once.
        assert_eq!(plain.matches("Refuse every network call").count(), 1);
        assert!(!page.contains('\u{1b}'));
    }

    #[test]
    fn every_shell_completes_every_command_and_option() {
        for shell in clap_complete::Shell::value_variants() {
            let mut script = Vec::new();
            clap_complete::generate(*shell, &mut Cli::command(), "snapkey", &mut script);
            let script = String::from_utf8(script).unwrap();
            for word in all_words() {
                // fish gives long options without their dashes.
                let bare = word.trim_start_matches('-');
                assert!(script.contains(bare), "{shell}: {word}");
            }
        }
    }
}
