//! The `config.toml` of the Atlas CLI or mongocli: where it is, and the profiles in it.

use std::collections::BTreeMap;
use std::io::ErrorKind as IoErrorKind;
use std::path::{Path, PathBuf};

use toml::{Table, Value};

use super::found::set;
use super::{Tool, refused};
use crate::config::Environment;
use crate::error::Error;

/// Texts of one profile, by key.
pub(super) type Profile = BTreeMap<String, String>;

/// What the file holds. Names and keys are in lower case: both tools read them without regard to
/// case.
#[derive(Default)]
pub(super) struct Profiles {
    /// Where the file is, or would be.
    pub(super) file: Option<PathBuf>,
    /// Keys above all profiles; they outrank those inside one, as both tools have it.
    pub(super) global: Profile,
    pub(super) by_name: BTreeMap<String, Profile>,
}

impl Profiles {
    /// A file that is not there holds no profile.
    pub(super) fn read(
        tool: Tool,
        environment: Environment<'_>,
        notices: &mut Vec<String>,
    ) -> Result<Self, Error> {
        let Some(file) = path(tool, environment) else {
            return Ok(Self::default());
        };
        let text = match std::fs::read_to_string(&file) {
            Ok(text) => text,
            Err(error) if error.kind() == IoErrorKind::NotFound => String::new(),
            Err(error) => {
                let cause = format!("cannot read `{}`", file.display());
                return Err(refused(tool, cause).caused_by(&error));
            }
        };
        let table = parse(&text).map_err(|line| {
            // Not the parser's words: they may quote what stands there.
            refused(
                tool,
                format!("`{}` is no TOML in line {line}", file.display()),
            )
        })?;
        let mut profiles = Self::of(table);
        if profiles.holds_secret() && is_readable_by_others(&file) {
            notices.push(format!(
                "others can read the secrets in `{}`: `chmod 600` it",
                file.display()
            ));
        }
        profiles.file = Some(file);
        Ok(profiles)
    }

    fn of(table: Table) -> Self {
        let mut profiles = Self::default();
        for (name, value) in table {
            let name = name.to_ascii_lowercase();
            if let Value::Table(table) = value {
                let texts = table.iter().filter_map(|(key, value)| text(key, value));
                profiles.by_name.insert(name, texts.collect());
            } else {
                profiles.global.extend(text(&name, &value));
            }
        }
        profiles
    }

    fn holds_secret(&self) -> bool {
        const SECRETS: [&str; 4] = [
            "private_api_key",
            "client_secret",
            "access_token",
            "refresh_token",
        ];
        let holds = |profile: &Profile| SECRETS.iter().any(|key| profile.contains_key(*key));
        holds(&self.global) || self.by_name.values().any(holds)
    }
}

fn parse(text: &str) -> Result<Table, usize> {
    toml::from_str(text).map_err(|error| {
        let before = error.span().and_then(|span| text.get(..span.start));
        before.map_or(1, |before| before.matches('\n').count() + 1)
    })
}

/// What is empty is not set. `base_url` is another name for `ops_manager_url`.
fn text(key: &str, value: &Value) -> Option<(String, String)> {
    let key = match key.to_ascii_lowercase() {
        key if key == "base_url" => "ops_manager_url".to_owned(),
        key => key,
    };
    let value = match value {
        Value::String(text) => text.clone(),
        Value::Integer(number) => number.to_string(),
        Value::Boolean(answer) => answer.to_string(),
        Value::Float(_) | Value::Datetime(_) | Value::Array(_) | Value::Table(_) => return None,
    };
    (!value.is_empty()).then_some((key, value))
}

/// The user's configuration folder, as Go's `os.UserConfigDir` names it.
fn path(tool: Tool, environment: Environment<'_>) -> Option<PathBuf> {
    let folder = |name: &str| set(environment, name).map(PathBuf::from);
    let home = || folder("HOME");
    let base = if cfg!(windows) {
        folder("AppData")?
    } else if cfg!(target_os = "macos") {
        home()?.join("Library/Application Support")
    } else {
        // A relative path is no configuration folder to either tool.
        folder("XDG_CONFIG_HOME")
            .filter(|path| path.is_absolute())
            .or_else(|| Some(home()?.join(".config")))?
    };
    Some(base.join(tool.folder()).join("config.toml"))
}

#[cfg(unix)]
fn is_readable_by_others(file: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    file.metadata()
        .is_ok_and(|metadata| metadata.permissions().mode() & 0o077 != 0)
}

#[cfg(not(unix))]
fn is_readable_by_others(_file: &Path) -> bool {
    false
}
