use super::*;
use crate::model::policy::{AbsentKey, CustomerKeys};

const ARN: &str = "arn:aws:kms:eu-west-1:111122223333:key/0a1b2c3d-1111-4222-8333-444455556666";
const OTHER_ARN: &str =
    "arn:aws:kms:eu-west-1:111122223333:key/99999999-1111-4222-8333-444455556666";
const UUID: &str = "0a1b2c3d-1111-4222-8333-444455556666";

fn read_here(text: &str) -> Result<Content, Vec<String>> {
    read(text, Path::new("etc"))
}

fn problems(text: &str) -> Vec<String> {
    read_here(text).expect_err("problems")
}

#[test]
fn the_example_is_every_default() {
    let example = include_str!("../../snapkey.example.toml");
    let as_it_stands = read_here(example).unwrap();
    let options: String = example
        .lines()
        .map(|line| match line.strip_prefix('#') {
            Some(option) if !option.starts_with(' ') => option,
            Some(_) | None => "",
        })
        .flat_map(|line| [line, "\n"])
        .collect();
    let spelled_out = read_here(&options).unwrap();

    for policy in [&as_it_stands.policy, &spelled_out.policy] {
        let default = Policy::default();
        assert_eq!(
            (
                policy.max_probe_age,
                policy.max_inventory_age,
                policy.max_check_age,
                policy.max_statement_age
            ),
            (
                default.max_probe_age,
                default.max_inventory_age,
                default.max_check_age,
                default.max_statement_age
            )
        );
        for code in Code::ALL {
            assert_eq!(policy.gate.level(*code), code.default_level(), "{code}");
        }
    }
    assert!(as_it_stands.policy.gate.levels.is_empty());
    assert_eq!(spelled_out.policy.gate.levels.len(), Code::ALL.len());
    assert_eq!(spelled_out.policy.gate.of_projects.len(), 1);
    assert_eq!(spelled_out.policy.gate.waivers.len(), 1);
    for content in [&as_it_stands, &spelled_out] {
        let default = Policy::default().gate;
        assert_eq!(
            content.policy.gate.rotation_max_age,
            default.rotation_max_age
        );
    }
    assert_eq!(spelled_out.policy.keys.len(), 1);
    assert_eq!(spelled_out.aws_roles.len(), 1);
    assert_eq!(spelled_out.policy.projects.len(), 1);
    assert_eq!(spelled_out.policy.holds.len(), 1);
    assert_eq!(spelled_out.policy.retired_keys.len(), 1);
    for content in [&as_it_stands, &spelled_out] {
        assert_eq!(content.collect, Collect::default());
    }
    assert_eq!(spelled_out.kmip.len(), 1);
    assert_eq!(spelled_out.kmip[0].port, KMIP_PORT);
    // A line for every option that the file may hold.
    for option in [
        "max_probe_age",
        "max_inventory_age",
        "max_check_age",
        "max_statement_age",
        "ca_file",
        "[probe]",
        "identity",
        "deadline",
        "[gcp]",
        "endpoint",
        "projects",
        "[[kmip]]",
        "name",
        "host",
        "port",
        "client_cert",
        "client_key",
        "groups",
        "[[key]]",
        "id",
        "is",
        "project",
        "role_arn",
        "external_id",
        "stated",
        "reason",
        "[[project]]",
        "customer_keys",
        "absent_key",
        "[[hold]]",
        "key",
        "until",
        "[[retired_key]]",
        "[policy]",
    ] {
        assert!(
            options.lines().any(|line| line.starts_with(option)),
            "{option}"
        );
    }
}

#[test]
fn everything_that_can_be_said() {
    let content = read_here(&format!(
        r#"
        max_probe_age = "90s"
        max_inventory_age = "30m"
        max_check_age = "2h"
        max_statement_age = "10d"
        ca_file = "ca.pem"
        [probe]
        identity = "auditor"
        deadline = "20m"
        [gcp]
        projects = ["a", "b"]
        [collect]
        timeout = "2m"
        attempts = 2
        in_flight = 1
        [policy]
        clock-skew = "deny"
        probe-stale = "allow"
        [[project]]
        id = "P"
        customer_keys = ["{ARN}"]
        absent_key = "project-key"
        stated = "2026-10-01T12:00:00+02:00"
        reason = "known"
        [[hold]]
        key = "{ARN}"
        until = 2027-01-01
        stated = 2026-10-01
        reason = "audit"
        [[hold]]
        key = "{OTHER_ARN}"
        stated = 2026-10-01
        reason = "for good"
        "#
    ))
    .unwrap();
    let Content {
        policy,
        ca_file,
        kmip,
        gcp,
        collect,
        probe_deadline,
        aws_roles,
    } = content;
    assert!(aws_roles.is_empty());
    assert_eq!(
        (
            policy.max_probe_age,
            policy.max_inventory_age,
            policy.max_check_age,
            policy.max_statement_age
        ),
        (90, 1_800, 7_200, 864_000)
    );
    assert_eq!(ca_file, Some(PathBuf::from("etc/ca.pem")));
    assert_eq!(policy.probe_identity.as_deref(), Some("auditor"));
    assert_eq!(probe_deadline, Some(1_200));
    assert_eq!(gcp.projects, ["a", "b"]);
    assert_eq!(
        (collect.timeout, collect.attempts, collect.in_flight),
        (120, 2, 1)
    );
    assert!(kmip.is_empty());
    assert_eq!(policy.gate.level(Code::ClockSkew), Level::Deny);
    assert_eq!(policy.gate.level(Code::ProbeStale), Level::Allow);
    let project = &policy.projects[0];
    assert_eq!(project.absent_key, Some(AbsentKey::ProjectKey));
    assert_eq!(
        project.customer_keys,
        Some(CustomerKeys::Only(vec![ARN.to_owned()]))
    );
    assert_eq!(project.stated.to_string(), "2026-10-01T10:00:00Z");
    let until: Vec<_> = policy
        .holds
        .iter()
        .map(|hold| hold.until.map(|at| at.to_string()))
        .collect();
    assert_eq!(until, [Some("2027-01-02T00:00:00Z".to_owned()), None]);
}

#[test]
fn all_problems_at_once() {
    assert_eq!(
        problems(
            r#"
            max_probe_age = 24
            max_check_age = "1 hour"
            colour = true
            rotation_max_age = "90 days"
            [probe]
            name = "x"
            [collect]
            timeout = "0s"
            attempts = 0
            in_flight = "many"
            [policy]
            snapshot-lots = "deny"
            clock-skew = "ignore"
            [policy.project.P]
            clock-skew = "allow"
            estate-empty = "allow"
            snapshot-lost = 1
            [policy.project]
            Q = "deny"
            [[waiver]]
            code = "clock-skew"
            [[waiver]]
            code = "waiver-expired"
            subject = "P"
            until = 2026-12-01
            reason = "x"
            [[hold]]
            until = "soon"
            [[project]]
            id = "P"
            [[project]]
            id = "Q"
            customer_keys = []
            stated = 2026-10-01
            reason = ""
            [[kmip]]
            name = "vault"
            client_cert = "c.pem"
            "#
        ),
        [
            "[[kmip]] 1, `host`: is missing",
            "[[kmip]] 1: `client_cert` and `client_key` only go together",
            "`max_probe_age`: takes a text, not a number",
            "`max_check_age`: `1 hour` is no length of time such as 90s, 30m, 24h or 90d",
            "[probe], `name`: is no key of this table",
            "[[project]] 1, `stated`: is missing",
            "[[project]] 1, `reason`: is missing",
            "[[project]] 1: says neither `customer_keys` nor `absent_key`",
            "[[project]] 2, `customer_keys`: is an empty list; write \"none\" if the project has no key",
            "[[project]] 2, `reason`: is empty",
            "[[hold]] 1, `key`: is missing",
            "[[hold]] 1, `until`: `soon` is neither a date such as 2026-10-01 nor a time with a zone such as 2026-10-01T06:00:00Z",
            "[[hold]] 1, `stated`: is missing",
            "[[hold]] 1, `reason`: is missing",
            "[policy.project.P], `snapshot-lost`: `1` is none of \"deny\", \"warn\", \"allow\"",
            "[policy.project.P], `estate-empty`: is about no single project: set it in [policy]",
            "[policy.project], `Q`: takes a table `[Q]`, not a text",
            "[policy], `clock-skew`: `\"ignore\"` is none of \"deny\", \"warn\", \"allow\"",
            "[policy], `snapshot-lots`: is no finding that snapkey makes",
            "[[waiver]] 1, `subject`: is missing",
            "[[waiver]] 1, `until`: is missing",
            "[[waiver]] 1, `reason`: is missing",
            "[[waiver]] 2, `code`: is about waivers: set its level in [policy]",
            "`rotation_max_age`: `90 days` is no length of time such as 90s, 30m, 24h or 90d",
            "[collect], `timeout`: leaves no time for an answer",
            "[collect], `attempts`: `0` is no number of attempts (1 to 10)",
            "[collect], `in_flight`: `\"many\"` is no number of requests at once (1 to 64)",
            "`colour`: is no key of this table",
        ]
    );
}

#[test]
fn broken_toml_is_told_by_line() {
    let told = problems("max_probe_age = \"24h\"\n\n[hold\n");
    assert_eq!(told.len(), 1);
    assert!(told[0].starts_with("line 3: "), "{told:?}");
}

fn key_statement(id: &str, is: &str, more: &str) -> String {
    format!("[[key]]\nid = '{id}'\nis = '{is}'\nstated = 2026-10-01\nreason = 'r'\n{more}\n")
}

#[test]
fn the_key_map_completes_and_never_overrides() {
    let version = "0123456789abcdef0123456789abcdef";
    let azure = format!("https://vault-a.vault.azure.net/keys/k/{version}");
    for (id, is) in [
        (UUID, ARN),
        (ARN, ARN),
        (version, azure.as_str()),
        ("4711", "kmip://vault/4711"),
    ] {
        let content = read_here(&key_statement(id, is, "")).expect(id);
        assert_eq!(content.policy.keys[0].is.to_string(), is);
    }
    let table = [
        (OTHER_ARN, ARN, "is another key than the id"),
        (UUID, OTHER_ARN, "is another key than the id"),
        (UUID, UUID, "is no complete key id"),
        (UUID, "alias/backup", "is no complete key id"),
        ("alias/backup", ARN, "is an alias"),
    ];
    for (id, is, expected) in table {
        let told = problems(&key_statement(id, is, ""));
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(told[0].contains(expected), "{told:?}");
    }
}

const ROLE: &str = "arn:aws:iam::111122223333:role/snapkey-audit";

#[test]
fn a_key_may_be_asked_about_in_a_role() {
    let plain = key_statement(UUID, ARN, "");
    assert!(read_here(&plain).unwrap().aws_roles.is_empty());
    let with = key_statement(UUID, ARN, &format!("role_arn = '{ROLE}'"));
    let both = key_statement(
        OTHER_ARN,
        OTHER_ARN,
        &format!("role_arn = '{ROLE}'\nexternal_id = 'backup:42'"),
    );
    // Said twice is said once, and what says nothing of a role takes none away.
    let content = read_here(&[with.as_str(), &with, &plain, &both].concat()).unwrap();
    let role = AwsRole::read(ROLE).unwrap();
    assert_eq!(
        content.aws_roles,
        BTreeMap::from([
            (ARN.parse().unwrap(), role.clone()),
            (
                OTHER_ARN.parse().unwrap(),
                role.with_external_id("backup:42").unwrap()
            ),
        ])
    );
    assert_eq!(content.policy.keys.len(), 4);
}

#[test]
fn everything_that_is_wrong_with_roles_is_told_at_once() {
    let azure = "https://vault-a.vault.azure.net/keys/k/0123456789abcdef0123456789abcdef";
    let google = "projects/p-12345/locations/eu/keyRings/r/cryptoKeys/k/cryptoKeyVersions/1";
    let role = format!("role_arn = '{ROLE}'");
    let text = [
        key_statement(
            UUID,
            ARN,
            "role_arn = 'snapkey-audit'\nexternal_id = 'backup 42'",
        ),
        key_statement(UUID, ARN, "external_id = 'backup:42'"),
        key_statement(azure, azure, &format!("{role}\nexternal_id = 'backup:42'")),
        key_statement(google, google, &role),
        key_statement(UUID, ARN, &role.replace("arn:aws:", "arn:aws-cn:")),
        key_statement(
            UUID,
            ARN,
            &format!("{role}\nexternal_id = 'hunter2 hunter2'"),
        ),
        key_statement(UUID, "nonsense", "role_arn = 'r'"),
    ]
    .concat();
    assert_eq!(
        problems(&text),
        [
            "[[key]] 1, `role_arn`: `snapkey-audit` is no ARN of a role \
             (arn:PARTITION:iam::ACCOUNT:role/NAME)",
            "[[key]] 2, `external_id`: there is no `role_arn` that it could be for",
            &format!("[[key]] 3, `role_arn`: `{azure}` is no AWS key; only those have roles"),
            &format!("[[key]] 3, `external_id`: `{azure}` is no AWS key; only those have roles"),
            &format!("[[key]] 4, `role_arn`: `{google}` is no AWS key; only those have roles"),
            &format!(
                "[[key]] 5, `role_arn`: `{}` is of another partition than `{ARN}`, where it \
                 counts for nothing",
                ROLE.replace("arn:aws:", "arn:aws-cn:")
            ),
            "[[key]] 6, `external_id`: it has 2 to 1224 letters, digits and characters of \
             `_+=,.@:/-`",
            "[[key]] 7, `is`: `nonsense` is no complete key id: it is no AWS key ARN, Azure key URL, \
             Google key version or kmip://SERVER/UID",
            "[[key]] 7, `role_arn`: `r` is no ARN of a role \
             (arn:PARTITION:iam::ACCOUNT:role/NAME)",
        ]
    );
    let two = [
        key_statement(UUID, ARN, &role),
        key_statement(UUID, ARN, &format!("{role}\nexternal_id = 'backup:42'")),
    ];
    let told = problems(&two.concat());
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(
        told[0].contains(ARN) && !told[0].contains("backup:42"),
        "{told:?}"
    );
}

#[test]
fn statements_must_not_contradict_each_other() {
    let other_account = ARN.replace("111122223333", "444455556666");
    let told = problems(
        &[
            key_statement(UUID, ARN, ""),
            key_statement(UUID, &other_account, ""),
        ]
        .concat(),
    );
    assert_eq!(
        told,
        [format!(
            "`key`: `{UUID}` is said to be `{ARN}` and `{other_account}`"
        )]
    );
    // Another project is another matter, and saying a thing twice contradicts nothing.
    for second in [
        key_statement(UUID, &other_account, "project = 'P'"),
        key_statement(UUID, ARN, ""),
    ] {
        read_here(&[key_statement(UUID, ARN, ""), second].concat()).unwrap();
    }

    let project =
        "[[project]]\nid = 'P'\nabsent_key = 'not-enabled'\nstated = 2026-10-01\nreason = 'r'\n";
    assert_eq!(
        problems(&project.repeat(2)),
        ["`project`: two statements about `P`"]
    );

    let server = |name: &str| format!("[[kmip]]\nname = '{name}'\nhost = 'h'\ngroups = ['G']\n");
    assert_eq!(
        problems(&[server("a"), server("b")].concat()),
        ["`kmip`: the group `G` is given to the servers `a` and `b`"]
    );
    assert_eq!(
        problems(&server("a").repeat(2)),
        ["`kmip`: two servers have the name `a`"]
    );
}

#[test]
fn statements_about_aliases_and_running_nodes() {
    let said = "stated = 2026-10-01\nreason = 'r'\n";
    for (text, key) in [
        ("[[hold]]\nkey = 'alias/backup'\n", "[[hold]] 1, `key`"),
        (
            "[[project]]\nid = 'P'\ncustomer_keys = ['alias/backup']\n",
            "[[project]] 1, `customer_keys`",
        ),
    ] {
        let told = problems(&[text, said].concat());
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(
            told[0].starts_with(key) && told[0].contains("is an alias"),
            "{told:?}"
        );
    }
    let told = problems(&format!("[[retired_key]]\nkey = '{ARN}'\n{said}"));
    assert!(told[0].contains("is no KMIP key"), "{told:?}");
    // KMIP UIDs may look like anything.
    read_here(&format!("[[retired_key]]\nkey = '{UUID}'\n{said}")).unwrap();
}

fn global(words: &[&str]) -> cli::Global {
    let line = ["snapkey", "keys"].iter().chain(words).copied();
    cli::Cli::read(line).unwrap().global
}

fn nothing_set(_name: &str) -> Option<OsString> {
    None
}

#[test]
fn the_flag_beats_the_environment_and_that_the_default() {
    let set = |name: &str| (name == "SNAPKEY_STORE").then(|| OsString::from("from-env.db"));
    let set_to_nothing = |_: &str| Some(OsString::new());
    let table: [(&[&str], Environment<'_>, StoreAt); 5] = [
        (
            &[],
            &nothing_set,
            StoreAt::File(PathBuf::from("snapkey.db")),
        ),
        (
            &[],
            &set_to_nothing,
            StoreAt::File(PathBuf::from("snapkey.db")),
        ),
        (&[], &set, StoreAt::File(PathBuf::from("from-env.db"))),
        (
            &["--store", "typed.db"],
            &set,
            StoreAt::File(PathBuf::from("typed.db")),
        ),
        (&["--store", ":memory:"], &set, StoreAt::Memory),
    ];
    for (words, environment, expected) in table {
        assert_eq!(store_at(&global(words), environment), expected, "{words:?}");
    }
}

#[test]
fn the_file_stands_beside_the_store() {
    for (store, expected) in [
        (StoreAt::Memory, "snapkey.toml"),
        (StoreAt::File(PathBuf::from("snapkey.db")), "snapkey.toml"),
        (
            StoreAt::File(PathBuf::from("/srv/audit/estate.db")),
            "/srv/audit/snapkey.toml",
        ),
    ] {
        assert_eq!(beside(&store), PathBuf::from(expected));
    }

    let folder = tempfile::tempdir().unwrap();
    let store = folder.path().join("estate.db");
    let store = store.to_str().unwrap();
    let without = load(&global(&["--store", store]), &nothing_set).unwrap();
    assert_eq!(without.file, None);
    assert_eq!(without.policy.max_check_age, 3_600);

    let beside = folder.path().join("snapkey.toml");
    std::fs::write(&beside, "max_check_age = '5m'").unwrap();
    let with = load(&global(&["--store", store]), &nothing_set).unwrap();
    assert_eq!(with.file.as_ref(), Some(&beside));
    assert_eq!(with.policy.max_check_age, 300);

    let elsewhere = folder.path().join("other.toml");
    std::fs::write(&elsewhere, "max_check_age = '7m'").unwrap();
    let typed = load(
        &global(&["--store", store, "--config", elsewhere.to_str().unwrap()]),
        &nothing_set,
    )
    .unwrap();
    assert_eq!(typed.policy.max_check_age, 420);
    let set = |name: &str| (name == "SNAPKEY_CONFIG").then(|| elsewhere.clone().into_os_string());
    let from_environment = load(&global(&["--store", store]), &set).unwrap();
    assert_eq!(from_environment.policy.max_check_age, 420);
}

#[test]
fn a_named_file_must_be_there_and_a_broken_one_is_no_absent_one() {
    let folder = tempfile::tempdir().unwrap();
    let store = folder.path().join("estate.db");
    let store = store.to_str().unwrap();
    let absent = folder.path().join("absent.toml");
    let absent = absent.to_str().unwrap();
    let named = load(
        &global(&["--store", store, "--config", absent]),
        &nothing_set,
    )
    .unwrap_err();
    assert_eq!((named.kind(), named.exit_code()), (ErrorKind::Config, 2));
    assert!(named.message().contains(absent), "{named}");

    let beside = folder.path().join("snapkey.toml");
    std::fs::write(&beside, "max_probe_age = 1\ncolour = 2").unwrap();
    let broken = load(&global(&["--store", store]), &nothing_set).unwrap_err();
    assert_eq!(
        (broken.kind(), broken.causes().len()),
        (ErrorKind::Config, 2)
    );

    #[cfg(unix)]
    {
        std::fs::remove_file(&beside).unwrap();
        std::os::unix::fs::symlink(absent, &beside).unwrap();
        let dangling = load(&global(&["--store", store]), &nothing_set).unwrap_err();
        assert_eq!(dangling.kind(), ErrorKind::Config);
    }
}

#[test]
fn color_is_for_terminals_that_want_it() {
    let no_color = |name: &str| (name == "NO_COLOR").then(|| OsString::from("1"));
    let empty = |name: &str| (name == "NO_COLOR").then(OsString::new);
    let dumb = |name: &str| (name == "TERM").then(|| OsString::from("dumb"));
    let table: [(cli::Color, Environment<'_>, bool, bool); 8] = [
        (cli::Color::Auto, &nothing_set, true, true),
        (cli::Color::Auto, &nothing_set, false, false),
        (cli::Color::Auto, &no_color, true, false),
        (cli::Color::Auto, &empty, true, true),
        (cli::Color::Auto, &dumb, true, false),
        (cli::Color::Always, &no_color, false, true),
        (cli::Color::Always, &dumb, false, true),
        (cli::Color::Never, &nothing_set, true, false),
    ];
    for (choice, environment, terminal, expected) in table {
        assert_eq!(
            colored(choice, environment, terminal),
            expected,
            "{choice:?} {terminal}"
        );
    }
}
