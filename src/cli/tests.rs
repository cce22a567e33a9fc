use super::*;

fn read(line: &str) -> Result<Cli, clap::Error> {
    Cli::read(std::iter::once("snapkey").chain(line.split_whitespace()))
}

#[test]
fn clap_accepts_its_own_definition() {
    Cli::command().debug_assert();
}

#[test]
fn accepts() {
    for line in [
        "ingest inventory",
        "ingest - --observed-at 2026-11-01T06:00:00Z --complete",
        "ingest atlas",
        "ingest download dbpath",
        "probe",
        "probe K1 K2 --refresh",
        "probe --explain --offline",
        "audit",
        "audit a b --no-probe --summary --project P",
        "audit --all",
        "snapshots --project P --project Q --cluster C --verdict lost --key K",
        "snapshots --expires-before 2026-11-01T06:00:00Z --restore-to P/C",
        "keys --verdict held --verdict safe --format csv",
        "projects --verdict incomplete",
        "check K",
        "check K --for disable --no-probe --limit 0",
        "check K --for rotate --to L",
        "check K --refresh",
        "check K --refresh --no-probe --profile p",
        "collect atlas --out d --project P --project Q --profile p --resume",
        "collect atlas --out d --org O",
        "collect ops-manager --out d",
        "ingest atlas --org O --profile p",
        "ingest atlas a --project P --cluster C",
        "audit atlas --project P --project Q",
        "download list --format csv",
        "download forget ID --reason gone",
    ] {
        assert!(read(line).is_ok(), "{line}: {}", read(line).unwrap_err());
    }
}

#[test]
fn refuses_with_exit_code_2() {
    for line in [
        "",
        "frobnicate",
        "ingest",
        "ingest x --complete",
        "ingest x --observed-at yesterday",
        "ingest atlas --offline",
        "--offline audit ops-manager",
        "audit --complete --observed-at 2026-11-01T06:00:00Z",
        "audit --project P",
        "audit --summary --all",
        "keys --format sarif",
        "check K --format md",
        "gate --for delete",
        "gate --key K",
        "gate --for disable --key K",
        "gate --for delete --key K --to L",
        "gate --probe",
        "gate --probe --for delete --key K --offline",
        "gate --format html",
        "audit --as-of 2026-11-01",
        "probe --offline",
        "--offline probe",
        "probe --format csv",
        "ingest x --format csv",
        "check",
        "check K --for keep",
        "snapshots --restore-to C",
        "snapshots --restore-to /C",
        "snapshots --restore-to P/",
        "check K --to L",
        "check K --for disable --to L",
        "check K --refresh --offline",
        "check K --refresh --as-of 2026-11-01T06:00:00Z",
        "check K --profile p",
        "collect",
        "collect atlas",
        "collect cloud --out d",
        "collect atlas --out d --org O --project P",
        "collect atlas --out d --offline",
        "collect atlas --out d --as-of 2026-11-01T06:00:00Z",
        "collect atlas --out d --format csv",
        "ingest a --org O",
        "ingest a --profile p",
        "ingest a --project P --project Q",
        "ingest atlas --org O --project P",
        "ingest atlas --complete --observed-at 2026-11-01T06:00:00Z",
        "ingest atlas --cluster C",
        "audit atlas --offline",
        "check K --limit -1",
        "snapshots --verdict safe",
        "keys --verdict lost",
        "keys --expires-before 2026-11-01T06:00:00Z",
        "download",
        "download forget ID",
        "audit --color sometimes",
    ] {
        let error = read(line).expect_err(line);
        assert_eq!(error.exit_code(), 2, "{line}");
    }
    // A shell variable that is not set; SQLite takes an empty name for a throw-away store.
    for words in [
        &["download", "forget", "ID", "--reason", ""][..],
        &["keys", "--store", ""],
        &["keys", "--config", ""],
    ] {
        let empty = Cli::read(["snapkey"].iter().chain(words).copied());
        assert_eq!(empty.unwrap_err().exit_code(), 2, "{words:?}");
    }
}

#[test]
fn global_options_count_before_and_after_the_command() {
    for line in [
        "--store s --config c --as-of 2026-11-01T06:00:00.9Z --offline --format json \
         --color never -q -v -v keys",
        "keys --store s --config c --as-of 2026-11-01T06:00:00.9Z --offline --format json \
         --color never -q -vv",
    ] {
        let Global {
            store,
            config,
            as_of,
            offline,
            format,
            color,
            quiet,
            verbose,
        } = read(line).unwrap().global;
        assert_eq!(store, Some(PathBuf::from("s")), "{line}");
        assert_eq!(config, Some(PathBuf::from("c")), "{line}");
        assert_eq!(as_of.unwrap().to_string(), "2026-11-01T06:00:00Z", "{line}");
        assert!(offline && quiet, "{line}");
        assert_eq!(
            (format, color, verbose),
            (Format::Json, Color::Never, 2),
            "{line}"
        );
    }
}

#[test]
fn words_of_ingest_are_not_paths() {
    let table = [
        ("-", Input::Stdin),
        ("atlas", Input::Atlas),
        ("ops-manager", Input::OpsManager),
        ("download", Input::Download),
        ("./atlas", Input::Path(PathBuf::from("./atlas"))),
        ("Atlas", Input::Path(PathBuf::from("Atlas"))),
    ];
    for (typed, expected) in table {
        assert_eq!(Input::from(OsString::from(typed)), expected, "{typed}");
    }
}

#[test]
fn version_names_all_three() {
    let error = read("--version").unwrap_err();
    assert_eq!(error.exit_code(), 0);
    let text = error.to_string();
    assert!(
        text.starts_with(concat!("snapkey ", env!("CARGO_PKG_VERSION"), " (")),
        "{text}"
    );
    assert!(
        text.contains("store schema") && text.contains("JSON schema"),
        "{text}"
    );
}

#[test]
fn help_of_every_command() {
    let mut command = Cli::command().term_width(100);
    let mut help = command.render_long_help().to_string();
    for sub in command.get_subcommands_mut() {
        let whole = sub.render_long_help().to_string();
        // The global options stand above once.
        let own = whole.split("\nGlobal options:").next().unwrap_or_default();
        help.push_str(&format!("\n\n=== {} ===\n\n{own}", sub.get_name()));
    }
    insta::assert_snapshot!(help);
}
