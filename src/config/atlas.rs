//! Where the Atlas CLI and mongocli keep what they log in with: environment variables, then a
//! profile of their `config.toml`. Reads the file, never the system's keyring, and writes nothing.
//!
//! Names and precedence are the vendors'
//! (<https://www.mongodb.com/docs/atlas/cli/current/atlas-cli-env-variables/>,
//! <https://www.mongodb.com/docs/atlas/cli/current/atlas-cli-save-connection-settings/>).

mod found;
mod profiles;

use std::path::PathBuf;

use super::Environment;
use crate::error::{Error, ErrorKind};
use crate::model::{Login, Secret};

use found::{Found, Origin};
use profiles::Profiles;

const CLOUD: &str = "https://cloud.mongodb.com";
const GOVERNMENT: &str = "https://cloud.mongodbgov.com";

/// Whose settings are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tool {
    /// `atlas`, for Atlas.
    AtlasCli,
    /// `mongocli`, for Ops Manager and Cloud Manager.
    MongoCli,
}

impl Tool {
    const fn name(self) -> &'static str {
        match self {
            Self::AtlasCli => "the Atlas CLI",
            Self::MongoCli => "mongocli",
        }
    }

    /// The folder of its `config.toml`.
    const fn folder(self) -> &'static str {
        match self {
            Self::AtlasCli => "atlascli",
            Self::MongoCli => "mongocli",
        }
    }
}

/// How to reach a root, and as whom. A default organization or project (`org_id`, `project_id`) is
/// none of it: it is for commands about one project, and would make the rest of an estate vanish
/// without a word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Access {
    pub login: Login,
    pub base_url: String,
    /// A private authority that the tool trusts (`ops_manager_ca_certificate`).
    pub ca_file: Option<PathBuf>,
    /// What a person should know about how this was found.
    pub notices: Vec<String>,
}

/// Finds the access to Atlas (`Tool::AtlasCli`) or to an Ops Manager (`Tool::MongoCli`).
///
/// # Errors
/// The profile does not exist, or its name cannot; the file cannot be read; there are no
/// credentials, only half of them, or only such as snapkey cannot use. The error then says where
/// was looked, and what to do.
pub fn access(
    tool: Tool,
    profile: Option<&str>,
    environment: Environment<'_>,
) -> Result<Access, Error> {
    let mut notices = Vec::new();
    let profiles = Profiles::read(tool, environment, &mut notices)?;
    let found = Found::new(tool, profile, profiles, environment, &mut notices)?;
    let base_url = base_url(tool, &found)?;
    let login = login(&found, environment, &mut notices)?;
    if found.is_true("ops_manager_skip_verify") {
        notices.push(
            "`ops_manager_skip_verify` is not followed: TLS is always verified; name a private \
             authority with `ops_manager_ca_certificate` or `ca_file`"
                .to_owned(),
        );
    }
    Ok(Access {
        login,
        base_url,
        ca_file: found.text("ops_manager_ca_certificate").map(PathBuf::from),
        notices,
    })
}

fn base_url(tool: Tool, found: &Found) -> Result<String, Error> {
    let service = found.text("service");
    let of_service = match (tool, service.as_deref()) {
        (Tool::AtlasCli, None | Some("cloud")) => Some(CLOUD),
        (Tool::AtlasCli, Some("cloudgov")) => Some(GOVERNMENT),
        (Tool::MongoCli, Some("cloud-manager")) => Some(CLOUD),
        (Tool::MongoCli, None | Some("ops-manager")) => None,
        (Tool::AtlasCli | Tool::MongoCli, Some(other)) => {
            let (what, words) = match tool {
                Tool::AtlasCli => ("no Atlas", "`cloud` or `cloudgov`"),
                Tool::MongoCli => ("no Ops Manager", "`ops-manager` or `cloud-manager`"),
            };
            return Err(refused(
                tool,
                format!(
                    "the service `{other}` ({}) is {what}",
                    found.place("service")
                ),
            )
            .hint(format!("set it to {words}")));
        }
    };
    match (found.text("ops_manager_url"), of_service) {
        // As the Atlas CLI does it: an address that is named outranks the service.
        (Some(url), _) => Ok(url),
        (None, Some(url)) => Ok(url.to_owned()),
        (None, None) => Err(refused(tool, "no base URL is set")
            .hint("set `MCLI_OPS_MANAGER_URL`, or `ops_manager_url` in the profile")),
    }
}

/// The credentials that the nearest origin names decide; a half that it leaves out is taken from
/// further away, as both tools do it.
fn login(
    found: &Found,
    environment: Environment<'_>,
    notices: &mut Vec<String>,
) -> Result<Login, Error> {
    match found.kind() {
        Some(Kind::ServiceAccount) => {
            let origin = found.origin("client_id");
            let both = origin.is_some() && origin == found.origin("public_api_key");
            if both && found.text("auth_type").is_none() {
                notices.push(
                    "both a service account and an API key are set: the service account is used"
                        .to_owned(),
                );
            }
            let (client_id, client_secret) = pair(found, "client_id", "client_secret")?;
            Ok(Login::ServiceAccount {
                client_id,
                client_secret,
            })
        }
        Some(Kind::ApiKey) => {
            let (public, private) = pair(found, "public_api_key", "private_api_key")?;
            Ok(Login::ApiKey { public, private })
        }
        None => terraform(environment, notices)
            .filter(|_| found.tool == Tool::AtlasCli)
            .map_or_else(|| Err(nothing(found)), Ok),
        Some(Kind::UserAccount) => Err(refused(
            found.tool,
            "the login is a person's (`user_account`), whose tokens would have to be refreshed and \
             written back",
        )
        .hint(EXPORT)),
    }
}

/// What a login is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    ServiceAccount,
    ApiKey,
    UserAccount,
}

const EXPORT: &str = "export `MONGODB_ATLAS_CLIENT_ID` and `MONGODB_ATLAS_CLIENT_SECRET` of a \
                      service account with the role Project Read Only or Organization Read Only";

fn pair(found: &Found, public: &str, private: &str) -> Result<(String, Secret), Error> {
    match (found.text(public), found.text(private)) {
        (Some(id), Some(secret)) => Ok((id, Secret::new(secret))),
        (Some(_), None) => Err(half(found, public, private, (public, private))),
        (None, Some(_) | None) => Err(half(found, private, public, (public, private))),
    }
}

/// Only one half of the credentials is there.
fn half(found: &Found, there: &str, missing: &str, (id, secret): (&str, &str)) -> Error {
    let error = refused(
        found.tool,
        format!(
            "`{there}` is set ({}), `{missing}` is not",
            found.place(there)
        ),
    );
    if found.origin(there) == Some(Origin::Profile) {
        error.hint(found.keyring_hint(id, secret))
    } else {
        error.hint(format!("export `{}` as well", found.variable(missing)))
    }
}

/// Terraform's provider names the API key differently. What is found this way is said.
fn terraform(environment: Environment<'_>, notices: &mut Vec<String>) -> Option<Login> {
    let set = |name| found::set(environment, name);
    let login = Login::ApiKey {
        public: set("MONGODB_ATLAS_PUBLIC_KEY")?,
        private: Secret::new(set("MONGODB_ATLAS_PRIVATE_KEY")?),
    };
    notices.push(
        "logging in with `MONGODB_ATLAS_PUBLIC_KEY` and `MONGODB_ATLAS_PRIVATE_KEY`, as Terraform \
         names them; there is nothing under the names of the Atlas CLI"
            .to_owned(),
    );
    Some(login)
}

/// No credentials anywhere.
fn nothing(found: &Found) -> Error {
    let tool = found.tool;
    let variables = match tool {
        Tool::AtlasCli => EXPORT,
        Tool::MongoCli => "export `MCLI_PUBLIC_API_KEY` and `MCLI_PRIVATE_API_KEY`",
    };
    match (&found.profile, found.says_logged_in()) {
        (Some(name), true) => refused(
            tool,
            format!(
                "the profile `{name}` of `{}` holds no credentials: they are in the system's \
                 keyring, which snapkey does not read",
                found.file()
            ),
        )
        .hint({
            let (id, secret) = found.usual_pair();
            found.keyring_hint(id, secret)
        }),
        (Some(name), false) => refused(
            tool,
            format!(
                "neither the environment nor the profile `{name}` of `{}` holds credentials",
                found.file()
            ),
        )
        .hint(variables),
        (None, _) => refused(
            tool,
            format!(
                "no credentials in the environment, and no profile in `{}`",
                found.file()
            ),
        )
        .hint(variables),
    }
}

fn refused(tool: Tool, cause: impl Into<String>) -> Error {
    let root = match tool {
        Tool::AtlasCli => "Atlas",
        Tool::MongoCli => "Ops Manager",
    };
    Error::new(ErrorKind::Config, format!("cannot log in to {root}")).cause(cause)
}

#[cfg(test)]
mod tests;
