use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::Path;

use super::*;

mod said;

/// Stands in every secret of these tests, and in no text that a person may see.
const MARK: &str = "hunter2";

/// A home with a `config.toml` of either tool, and an environment.
struct World {
    home: tempfile::TempDir,
    variables: BTreeMap<String, String>,
}

impl World {
    fn new() -> Self {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().to_str().unwrap().to_owned();
        let names = ["HOME", "AppData"].map(|name| (name.to_owned(), path.clone()));
        Self {
            home,
            variables: names.into(),
        }
    }

    fn set(mut self, variables: &[(&str, &str)]) -> Self {
        for (name, value) in variables {
            self.variables
                .insert((*name).to_owned(), (*value).to_owned());
        }
        self
    }

    fn file_at(self, folder: &str, text: &str) -> Self {
        let path = self.home.path().join(folder).join("config.toml");
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        close(&path);
        self
    }

    fn file(self, text: &str) -> Self {
        let folder = folder("atlascli");
        self.file_at(&folder, text)
    }

    fn access_as(&self, tool: Tool, profile: Option<&str>) -> Result<Access, String> {
        let environment = |name: &str| self.variables.get(name).map(OsString::from);
        let found = access(tool, profile, &environment);
        let shown = format!("{found:?}");
        assert!(!shown.contains(MARK), "{shown}");
        found.map_err(|error| {
            assert_eq!(error.exit_code(), 2);
            let home = self.home.path().to_str().unwrap();
            error.render(str::to_owned).replace(home, "~")
        })
    }

    fn access(&self, profile: Option<&str>) -> Result<Access, String> {
        self.access_as(Tool::AtlasCli, profile)
    }
}

fn folder(tool: &str) -> String {
    if cfg!(windows) {
        tool.to_owned()
    } else if cfg!(target_os = "macos") {
        format!("Library/Application Support/{tool}")
    } else {
        format!(".config/{tool}")
    }
}

#[cfg(unix)]
fn close(path: &Path) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
}

#[cfg(not(unix))]
fn close(_path: &Path) {}

fn account(id: &str) -> Login {
    Login::ServiceAccount {
        client_id: id.to_owned(),
        client_secret: Secret::new(format!("{MARK}-{id}")),
    }
}

fn key(id: &str) -> Login {
    Login::ApiKey {
        public: id.to_owned(),
        private: Secret::new(format!("{MARK}-{id}")),
    }
}

const FILE: &str = "
version = 2
mongosh_path = '/usr/bin/mongosh'

[default]
  auth_type = 'service_account'
  client_id = 'sa-default'
  client_secret = 'hunter2-sa-default'
  org_id = 'org-default'
  project_id = 'project-default'
  service = 'cloud'

[Keys]
  PUBLIC_API_KEY = 'key-1'
  private_api_key = 'hunter2-key-1'

[gov]
  service = 'cloudgov'
  client_id = 'sa-gov'
  client_secret = 'hunter2-sa-gov'

[private]
  service = 'cloudgov'
  base_url = 'https://atlas.example'
  client_id = 'sa-private'
  client_secret = 'hunter2-sa-private'

[both]
  client_id = 'sa-both'
  client_secret = 'hunter2-sa-both'
  public_api_key = 'key-both'
  private_api_key = 'hunter2-key-both'

[both-keys]
  auth_type = 'api_keys'
  client_id = 'sa-both'
  client_secret = 'hunter2-sa-both'
  public_api_key = 'key-both'
  private_api_key = 'hunter2-key-both'

[ringed]
  auth_type = 'service_account'
  org_id = 'org-ringed'

[ringed-keys]
  auth_type = 'api_keys'

[half]
  public_api_key = 'key-half'

[person]
  auth_type = 'user_account'
  access_token = 'hunter2'
  refresh_token = 'hunter2'

[ringed-person]
  auth_type = 'user_account'

[manager]
  service = 'ops-manager'
  public_api_key = 'key-om'
  private_api_key = 'hunter2-key-om'
";

type Variables<'v> = &'v [(&'v str, &'v str)];

#[test]
fn environment_before_profile_and_a_profile_by_name() {
    let sa = &[
        ("MONGODB_ATLAS_CLIENT_ID", "sa-env"),
        ("MONGODB_ATLAS_CLIENT_SECRET", "hunter2-sa-env"),
    ];
    let keys = &[
        ("MONGODB_ATLAS_PUBLIC_API_KEY", "key-env"),
        ("MONGODB_ATLAS_PRIVATE_API_KEY", "hunter2-key-env"),
    ];
    let both = &[sa[0], sa[1], keys[0], keys[1]];
    let both_keys = &[
        sa[0],
        sa[1],
        keys[0],
        keys[1],
        ("MONGODB_ATLAS_AUTH_TYPE", "api_keys"),
    ];
    let by_variable = &[("MONGODB_ATLAS_PROFILE", "gov")];
    let url = &[
        ("MONGODB_ATLAS_OPS_MANAGER_URL", "https://first.example"),
        ("MONGODB_ATLAS_BASE_URL", "https://second.example"),
    ];
    let second = &[url[1]];
    let service = &[("MONGODB_ATLAS_SERVICE", "cloudgov")];
    let empty = &[
        ("MONGODB_ATLAS_CLIENT_ID", ""),
        ("MONGODB_ATLAS_SERVICE", ""),
    ];
    let secret = &[("MONGODB_ATLAS_PRIVATE_API_KEY", "hunter2-key-half")];
    let table: [(Variables<'_>, Option<&str>, Login, &str); 16] = [
        (&[], None, account("sa-default"), CLOUD),
        (&[], Some("default"), account("sa-default"), CLOUD),
        (&[], Some("keys"), key("key-1"), CLOUD),
        (&[], Some("KEYS"), key("key-1"), CLOUD),
        (&[], Some("gov"), account("sa-gov"), GOVERNMENT),
        (
            &[],
            Some("private"),
            account("sa-private"),
            "https://atlas.example",
        ),
        (&[], Some("both"), account("sa-both"), CLOUD),
        (&[], Some("both-keys"), key("key-both"), CLOUD),
        (sa, Some("keys"), account("sa-env"), CLOUD),
        (keys, Some("gov"), key("key-env"), GOVERNMENT),
        (both, None, account("sa-env"), CLOUD),
        (both_keys, None, key("key-env"), CLOUD),
        (by_variable, None, account("sa-gov"), GOVERNMENT),
        (by_variable, Some("keys"), key("key-1"), CLOUD),
        (url, Some("gov"), account("sa-gov"), "https://first.example"),
        // The half that is missing in the profile.
        (secret, Some("half"), key("key-half"), CLOUD),
    ];
    for (variables, profile, login, base_url) in table {
        let world = World::new().file(FILE).set(variables);
        let found = world.access(profile).unwrap();
        assert_eq!((&found.login, found.base_url.as_str()), (&login, base_url));
    }
    let bases: [(Variables<'_>, &str); 3] = [
        (second, "https://second.example"),
        (service, GOVERNMENT),
        (empty, CLOUD),
    ];
    for (variables, base_url) in bases {
        let world = World::new().file(FILE).set(variables);
        assert_eq!(world.access(None).unwrap().base_url, base_url);
    }
    // Without a file, the environment is enough.
    let found = World::new().set(sa).access(None).unwrap();
    assert_eq!((found.login, found.notices), (account("sa-env"), vec![]));
}

#[test]
fn the_only_profile_needs_no_name() {
    let only = "[work]\npublic_api_key = 'key-1'\nprivate_api_key = 'hunter2-key-1'";
    let found = World::new().file(only).access(None).unwrap();
    assert_eq!(found.login, key("key-1"));
    let two = format!("{only}\n[rest]\npublic_api_key = 'key-2'");
    let refused = World::new().file(&two).access(None).unwrap_err();
    assert!(refused.contains("no profile in"), "{refused}");
}

#[test]
fn a_named_folder_for_configuration() {
    if cfg!(any(windows, target_os = "macos")) {
        return;
    }
    let world = World::new().file("").file_at("xdg/atlascli", FILE);
    let xdg = world.home.path().join("xdg");
    let world = world.set(&[("XDG_CONFIG_HOME", xdg.to_str().unwrap())]);
    assert_eq!(world.access(None).unwrap().login, account("sa-default"));
    let world = world.set(&[("XDG_CONFIG_HOME", "xdg")]);
    assert!(world.access(None).is_err());
}

/// The half that the profile has not may come from the environment: then nothing is missing.
#[test]
fn secrets_in_a_keyring_can_be_exported_beside_the_profile() {
    let world = World::new().file(FILE).set(&[
        ("MONGODB_ATLAS_CLIENT_ID", "sa-env"),
        ("MONGODB_ATLAS_CLIENT_SECRET", "hunter2-sa-env"),
    ]);
    let found = world.access(Some("ringed")).unwrap();
    assert_eq!(found.login, account("sa-env"));
}

#[test]
fn variables_of_mongocli_take_the_place_of_all_others() {
    let own = &[
        ("MONGODB_ATLAS_PUBLIC_API_KEY", "key-own"),
        ("MONGODB_ATLAS_PRIVATE_API_KEY", "hunter2-key-own"),
    ];
    let theirs = &[
        ("MCLI_PUBLIC_API_KEY", "key-mcli"),
        ("MCLI_PRIVATE_API_KEY", "hunter2-key-mcli"),
    ];
    let found = World::new().set(own).set(theirs).access(None).unwrap();
    assert_eq!(found.login, key("key-mcli"));
    assert!(
        found.notices[0].contains("`MONGODB_ATLAS_PUBLIC_API_KEY`"),
        "{:?}",
        found.notices
    );
    assert!(
        found.notices[0].contains("`MCLI_PUBLIC_API_KEY` is set"),
        "{:?}",
        found.notices
    );
    // One is enough, whatever it says.
    for name in [
        "MCLI_OUTPUT",
        "MCLI_OPS_MANAGER_SKIP_VERIFY",
        "MCLI_ORG_ID",
        "MCLI_PROJECT_ID",
    ] {
        let refused = World::new().set(own).set(&[(name, "x")]).access(None);
        assert!(refused.is_err(), "{name}");
    }
    let found = World::new().set(theirs).access(None).unwrap();
    assert_eq!(found.notices, Vec::<String>::new());
}

#[test]
fn ops_manager_is_found_where_mongocli_keeps_it() {
    let file = "[default]\nservice = 'ops-manager'\nops_manager_url = 'https://om.example:8443/'\n\
                public_api_key = 'key-om'\nprivate_api_key = 'hunter2-key-om'\n\
                ops_manager_ca_certificate = '/etc/om-ca.pem'\nops_manager_skip_verify = 'yes'";
    let world = World::new().file(FILE).file_at(&folder("mongocli"), file);
    let found = world.access_as(Tool::MongoCli, None).unwrap();
    assert_eq!(
        (&found.login, found.base_url.as_str()),
        (&key("key-om"), "https://om.example:8443/")
    );
    assert_eq!(found.ca_file.as_deref(), Some(Path::new("/etc/om-ca.pem")));
    assert!(
        found.notices[0].contains("TLS is always verified"),
        "{:?}",
        found.notices
    );

    let keys = &[
        ("MCLI_PUBLIC_API_KEY", "key-env"),
        ("MCLI_PRIVATE_API_KEY", "hunter2-key-env"),
    ];
    let refused = World::new().set(keys).access_as(Tool::MongoCli, None);
    assert!(refused.unwrap_err().contains("no base URL is set"));
    let world = World::new()
        .set(keys)
        .set(&[("MCLI_OPS_MANAGER_URL", "https://om.example")]);
    assert_eq!(
        world.access_as(Tool::MongoCli, None).unwrap().base_url,
        "https://om.example"
    );
    let world = World::new()
        .set(keys)
        .set(&[("MCLI_SERVICE", "cloud-manager")]);
    assert_eq!(
        world.access_as(Tool::MongoCli, None).unwrap().base_url,
        CLOUD
    );
    let world = World::new().set(keys).set(&[("MCLI_SERVICE", "cloud")]);
    assert!(world.access_as(Tool::MongoCli, None).is_err());
}
