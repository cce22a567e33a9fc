//! Every setting by its name in a profile, wherever it was found: environment before file, and
//! which profile of the file counts.

use super::profiles::{Profile, Profiles};
use super::{Kind, Tool, refused};
use crate::config::Environment;
use crate::error::Error;

/// Where a setting comes from, the nearest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Origin {
    Environment,
    Profile,
}

/// The settings that are read, as a profile names them.
const KEYS: [&str; 11] = [
    "public_api_key",
    "private_api_key",
    "client_id",
    "client_secret",
    "access_token",
    "refresh_token",
    "auth_type",
    "service",
    "ops_manager_url",
    "ops_manager_ca_certificate",
    "ops_manager_skip_verify",
];

/// Further variables of mongocli: they too make the Atlas CLI read its prefix alone.
const OTHER_MCLI: [&str; 7] = [
    "MCLI_ORG_ID",
    "MCLI_PROJECT_ID",
    "MCLI_OUTPUT",
    "MCLI_PROFILE",
    "MCLI_MONGOSH_PATH",
    "MCLI_SKIP_UPDATE_CHECK",
    "MCLI_TELEMETRY_ENABLED",
];

/// The settings of one run.
pub(super) struct Found {
    pub(super) tool: Tool,
    /// The profile that counts, if there is one.
    pub(super) profile: Option<String>,
    /// What the variables begin with.
    prefix: &'static str,
    environment: Profile,
    chosen: Profile,
    profiles: Profiles,
}

impl Found {
    pub(super) fn new(
        tool: Tool,
        named: Option<&str>,
        profiles: Profiles,
        environment: Environment<'_>,
        notices: &mut Vec<String>,
    ) -> Result<Self, Error> {
        let prefix = prefix(tool, environment, notices);
        let by_variable = set(environment, &format!("{prefix}_PROFILE"));
        let asked = named.map(str::to_owned).or(by_variable);
        let profile = choose(tool, asked, &profiles)?;
        let chosen = profile
            .as_ref()
            .and_then(|name| profiles.by_name.get(name))
            .cloned()
            .unwrap_or_default();
        let mut variables: Profile = KEYS
            .iter()
            .filter_map(|key| {
                let value = set(environment, &variable(prefix, key))?;
                Some(((*key).to_owned(), value))
            })
            .collect();
        if let Some(url) = set(environment, &variable(prefix, "base_url")) {
            variables.entry("ops_manager_url".to_owned()).or_insert(url);
        }
        Ok(Self {
            tool,
            profile,
            prefix,
            environment: variables,
            chosen,
            profiles,
        })
    }

    pub(super) fn text(&self, key: &str) -> Option<String> {
        [&self.environment, &self.profiles.global, &self.chosen]
            .into_iter()
            .find_map(|origin| origin.get(key).cloned())
    }

    pub(super) fn origin(&self, key: &str) -> Option<Origin> {
        if self.environment.contains_key(key) {
            Some(Origin::Environment)
        } else {
            self.text(key).map(|_| Origin::Profile)
        }
    }

    /// Where a setting was found, for a person.
    pub(super) fn place(&self, key: &str) -> String {
        match (self.origin(key), &self.profile) {
            (Some(Origin::Environment), _) => format!("in `{}`", self.variable(key)),
            (Some(Origin::Profile), Some(name)) => {
                format!("in the profile `{name}` of `{}`", self.file())
            }
            (Some(Origin::Profile), None) => format!("in `{}`", self.file()),
            (None, _) => "nowhere".to_owned(),
        }
    }

    pub(super) fn variable(&self, key: &str) -> String {
        variable(self.prefix, key)
    }

    pub(super) fn file(&self) -> String {
        self.profiles.file.as_ref().map_or_else(
            || "config.toml".to_owned(),
            |file| file.display().to_string(),
        )
    }

    pub(super) fn is_true(&self, key: &str) -> bool {
        // The words that both tools take for a yes.
        self.text(key).is_some_and(|value| {
            ["t", "true", "y", "yes", "1"].contains(&value.to_ascii_lowercase().as_str())
        })
    }

    /// What the login is: of the origins that name any credential, the nearest decides; inside
    /// one, `auth_type` does, else a service account goes before an API key.
    pub(super) fn kind(&self) -> Option<Kind> {
        [Origin::Environment, Origin::Profile]
            .into_iter()
            .find_map(|origin| {
                let here = |key| self.origin(key) == Some(origin);
                let account = here("client_id") || here("client_secret");
                let key = here("public_api_key") || here("private_api_key");
                let person = here("access_token") || here("refresh_token");
                let said = self.text("auth_type");
                match said.as_deref() {
                    Some("service_account") if account => Some(Kind::ServiceAccount),
                    Some("api_keys") if key => Some(Kind::ApiKey),
                    Some("user_account") if person => Some(Kind::UserAccount),
                    _ if account => Some(Kind::ServiceAccount),
                    _ if key => Some(Kind::ApiKey),
                    _ if person => Some(Kind::UserAccount),
                    _ => None,
                }
            })
            .or_else(|| {
                // Its tokens are in the keyring, and would be of no use anyway.
                (self.text("auth_type")? == "user_account").then_some(Kind::UserAccount)
            })
    }

    /// Whether the profile was logged in with, although it holds no credentials: since version 2
    /// of the file they are in the keyring wherever there is one.
    pub(super) fn says_logged_in(&self) -> bool {
        let version = self.profiles.global.get("version");
        self.chosen.contains_key("auth_type")
            || (version.is_some_and(|version| version != "1") && !self.chosen.is_empty())
    }

    /// What to do about credentials that are in the keyring: these two settings.
    pub(super) fn keyring_hint(&self, id: &str, secret: &str) -> String {
        format!(
            "export `{}` and `{}`; {} keeps its own in the keyring under `{}_{}`",
            self.variable(id),
            self.variable(secret),
            self.tool.name(),
            self.tool.folder(),
            self.profile.as_deref().unwrap_or("default"),
        )
    }

    /// The two settings that a login of the profile's kind is made of.
    pub(super) fn usual_pair(&self) -> (&'static str, &'static str) {
        let keys = self.text("auth_type").as_deref() == Some("api_keys");
        if keys || self.tool == Tool::MongoCli {
            ("public_api_key", "private_api_key")
        } else {
            ("client_id", "client_secret")
        }
    }
}

/// What the names of the variables begin with. With any variable of mongocli set, the Atlas CLI
/// reads those instead of its own.
fn prefix(tool: Tool, environment: Environment<'_>, notices: &mut Vec<String>) -> &'static str {
    const OWN: &str = "MONGODB_ATLAS";
    const MCLI: &str = "MCLI";
    if tool == Tool::MongoCli {
        return MCLI;
    }
    let is_set = |name: &String| environment(name).is_some();
    let names = |prefix| KEYS.iter().map(move |key| variable(prefix, key));
    let others = OTHER_MCLI.iter().map(|name| (*name).to_owned());
    let Some(swap) = names(MCLI).chain(others).find(is_set) else {
        return OWN;
    };
    if let Some(unread) = names(OWN).find(is_set) {
        notices.push(format!(
            "`{unread}` and all of `{OWN}_…` are not read, because `{swap}` is set: the Atlas CLI \
             then reads `{MCLI}_…` instead; unset one or the other"
        ));
    }
    MCLI
}

/// The profile that counts. A name that was given must be there; without one, the only profile
/// there is counts, else `default`.
fn choose(tool: Tool, asked: Option<String>, profiles: &Profiles) -> Result<Option<String>, Error> {
    let names = || profiles.by_name.keys();
    let Some(asked) = asked else {
        let only = names().next().filter(|_| names().len() == 1);
        let default = names().find(|name| *name == "default");
        return Ok(only.or(default).cloned());
    };
    let name = asked.to_lowercase();
    if name.contains('.') {
        let cause = format!("`{asked}` is no profile: a name has no dot");
        return Err(refused(tool, cause));
    }
    if profiles.by_name.contains_key(&name) {
        return Ok(Some(name));
    }
    let file = profiles.file.as_ref().map_or_else(
        || "config.toml".to_owned(),
        |file| file.display().to_string(),
    );
    let there: Vec<String> = names().map(|name| format!("`{name}`")).collect();
    let there = if there.is_empty() {
        "there is none".to_owned()
    } else {
        format!("there are {}", there.join(", "))
    };
    Err(refused(
        tool,
        format!("no profile `{name}` in `{file}`: {there}"),
    ))
}

fn variable(prefix: &str, key: &str) -> String {
    format!("{prefix}_{}", key.to_ascii_uppercase())
}

/// A variable that is set to nothing is not set.
pub(super) fn set(environment: Environment<'_>, name: &str) -> Option<String> {
    environment(name)
        .and_then(|value| value.into_string().ok())
        .filter(|value| !value.is_empty())
}
