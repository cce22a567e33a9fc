//! What a person is told: refusals with what to do, and notices.

use super::*;

#[test]
fn what_cannot_be_used_is_said_with_what_to_do() {
    let config = format!("~/{}/config.toml", folder("atlascli"));
    let export = "export `MONGODB_ATLAS_CLIENT_ID` and `MONGODB_ATLAS_CLIENT_SECRET`";
    let table: [(Variables<'_>, Option<&str>, Vec<String>); 12] = [
        (
            &[],
            Some("prod"),
            vec![
                format!(
                    "no profile `prod` in `{config}`: there are `both`, `both-keys`, `default`, "
                ),
                "`ringed-person`\n".to_owned(),
            ],
        ),
        (
            &[("MONGODB_ATLAS_PROFILE", "prod")],
            None,
            vec!["no profile `prod`".to_owned()],
        ),
        (
            &[],
            Some("a.b"),
            vec!["`a.b` is no profile: a name has no dot".to_owned()],
        ),
        (
            &[],
            Some("ringed"),
            vec![
                format!("the profile `ringed` of `{config}` holds no credentials"),
                "in the system's keyring, which snapkey does not read".to_owned(),
                format!("hint:  {export}"),
                "under `atlascli_ringed`".to_owned(),
            ],
        ),
        (
            &[],
            Some("ringed-keys"),
            vec![
                "export `MONGODB_ATLAS_PUBLIC_API_KEY` and `MONGODB_ATLAS_PRIVATE_API_KEY`"
                    .to_owned(),
            ],
        ),
        (
            &[],
            Some("half"),
            vec![
                format!(
                    "`public_api_key` is set (in the profile `half` of `{config}`), \
                     `private_api_key` is not"
                ),
                "keyring under `atlascli_half`".to_owned(),
            ],
        ),
        (
            &[],
            Some("person"),
            vec!["a person's (`user_account`)".to_owned(), export.to_owned()],
        ),
        (
            &[],
            Some("ringed-person"),
            vec!["a person's (`user_account`)".to_owned()],
        ),
        (
            &[("MONGODB_ATLAS_ACCESS_TOKEN", "hunter2")],
            None,
            vec!["a person's".to_owned()],
        ),
        (
            &[],
            Some("manager"),
            vec![format!(
                "the service `ops-manager` (in the profile `manager` of `{config}`) is no Atlas"
            )],
        ),
        (
            &[("MONGODB_ATLAS_CLIENT_ID", "sa-env")],
            Some("keys"),
            vec![
                "`client_id` is set (in `MONGODB_ATLAS_CLIENT_ID`), `client_secret` is not"
                    .to_owned(),
                "export `MONGODB_ATLAS_CLIENT_SECRET` as well".to_owned(),
            ],
        ),
        (
            &[("MONGODB_ATLAS_CLIENT_SECRET", "hunter2")],
            Some("keys"),
            vec![
                "`client_secret` is set (in `MONGODB_ATLAS_CLIENT_SECRET`), `client_id` is not"
                    .to_owned(),
            ],
        ),
    ];
    for (variables, profile, parts) in table {
        let world = World::new().file(FILE).set(variables);
        let refused = world.access(profile).unwrap_err();
        assert!(
            refused.starts_with("error: cannot log in to Atlas\n"),
            "{refused}"
        );
        for part in parts {
            assert!(refused.contains(&part), "{part}\n{refused}");
        }
    }
    let refused = World::new().access(None).unwrap_err();
    assert!(
        refused.contains("no credentials in the environment, and no profile in"),
        "{refused}"
    );
    assert!(refused.contains(export), "{refused}");
    let bare = World::new().file("[default]\noutput = 'json'").access(None);
    let refused = bare.unwrap_err();
    assert!(
        refused.contains("neither the environment nor the profile `default`"),
        "{refused}"
    );
}

#[test]
fn names_of_terraform_come_last_and_are_said() {
    let terraform = &[
        ("MONGODB_ATLAS_PUBLIC_KEY", "key-tf"),
        ("MONGODB_ATLAS_PRIVATE_KEY", "hunter2-key-tf"),
    ];
    let found = World::new().set(terraform).access(None).unwrap();
    assert_eq!(found.login, key("key-tf"));
    assert!(
        found.notices[0].contains("`MONGODB_ATLAS_PUBLIC_KEY`"),
        "{:?}",
        found.notices
    );
    let found = World::new().file(FILE).set(terraform).access(None).unwrap();
    assert_eq!(found.login, account("sa-default"));
    let half = World::new().set(&terraform[..1]).access(None);
    assert!(half.unwrap_err().contains("no credentials"));
}

#[test]
fn two_kinds_in_one_place_are_said() {
    let found = World::new().file(FILE).access(Some("both")).unwrap();
    assert!(
        found.notices[0].contains("the service account is used"),
        "{:?}",
        found.notices
    );
    let found = World::new().file(FILE).access(Some("both-keys")).unwrap();
    assert_eq!(found.notices, Vec::<String>::new());
}

#[test]
fn a_file_that_cannot_be_read_is_no_absent_file() {
    let keys = &[
        ("MONGODB_ATLAS_PUBLIC_API_KEY", "key-env"),
        ("MONGODB_ATLAS_PRIVATE_API_KEY", "hunter2-key-env"),
    ];
    let broken = World::new()
        .set(keys)
        .file("[default]\nprivate_api_key = hunter2\n");
    let refused = broken.access(None).unwrap_err();
    assert!(refused.contains("is no TOML in line 2"), "{refused}");
    let world = World::new().set(keys);
    let path = world
        .home
        .path()
        .join(folder("atlascli"))
        .join("config.toml");
    std::fs::create_dir_all(path).unwrap();
    let refused = world.access(None).unwrap_err();
    assert!(refused.contains("cannot read `~/"), "{refused}");
}

#[cfg(unix)]
#[test]
fn secrets_that_others_can_read_are_warned_about() {
    use std::os::unix::fs::PermissionsExt;
    for (mode, warned) in [(0o600, false), (0o400, false), (0o640, true), (0o604, true)] {
        let world = World::new().file(FILE);
        let path = world
            .home
            .path()
            .join(folder("atlascli"))
            .join("config.toml");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        let notices = world.access(None).unwrap().notices;
        assert_eq!(
            notices.iter().any(|notice| notice.contains("chmod 600")),
            warned,
            "{mode:o}"
        );
    }
    let world = World::new().file("[default]\norg_id = 'o'").set(&[
        ("MONGODB_ATLAS_CLIENT_ID", "sa-env"),
        ("MONGODB_ATLAS_CLIENT_SECRET", "hunter2-sa-env"),
    ]);
    let path = world
        .home
        .path()
        .join(folder("atlascli"))
        .join("config.toml");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
    assert_eq!(world.access(None).unwrap().notices, Vec::<String>::new());
}
