//! The Azure grammar: key identifiers of Key Vault and Managed HSM (Azure Key Vault, "About keys,
//! secrets, and certificates": DNS suffixes, object identifiers, which are case-insensitive).
//!
//! The URL is split by hand over a closed alphabet: a text with user information, an escape, a
//! dot segment, a backslash or a character outside ASCII is refused before anything is read into
//! it, so there is no host that two URL parsers could disagree about. A test holds this against
//! the `url` crate.

use std::fmt;
use std::sync::Arc;

use super::parts::Parts;
use super::{KeyId, Spelling};

/// Each in front of a dot and a vault name; nothing else is a key service.
const HOST_SUFFIXES: [&str; 6] = [
    "vault.azure.net",
    "vault.azure.cn",
    "vault.usgovcloudapi.net",
    "managedhsm.azure.net",
    "managedhsm.azure.cn",
    "managedhsm.usgovcloudapi.net",
];

/// `https://host/keys/name`, lower case.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AzureKey {
    /// Host, name.
    parts: Parts<2>,
}

/// A versioned Key Vault or Managed HSM key.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AzureKeyVersion {
    key: AzureKey,
    version: Arc<str>,
}

impl AzureKey {
    /// The vault's or HSM's host name, without a port.
    pub fn host(&self) -> &str {
        self.parts.get(0)
    }

    pub fn name(&self) -> &str {
        self.parts.get(1)
    }

    pub fn is_managed_hsm(&self) -> bool {
        self.host().contains(".managedhsm.")
    }

    /// One version of it; `None` if `version` is not 32 hex digits.
    pub fn at_version(&self, version: &str) -> Option<AzureKeyVersion> {
        is_version(version).then(|| AzureKeyVersion {
            key: self.clone(),
            version: Arc::from(version.to_ascii_lowercase()),
        })
    }
}

impl AzureKeyVersion {
    pub fn key(&self) -> &AzureKey {
        &self.key
    }

    /// 32 hex digits, lower case.
    pub fn version(&self) -> &str {
        &self.version
    }
}

impl fmt::Display for AzureKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "https://{}/keys/{}", self.host(), self.name())
    }
}

impl fmt::Display for AzureKeyVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.key, self.version())
    }
}

/// What follows `https://`, whose letters may be of either case.
pub(super) fn strip_scheme(text: &str) -> Option<&str> {
    let (scheme, rest) = text.split_at_checked("https://".len())?;
    scheme.eq_ignore_ascii_case("https://").then_some(rest)
}

/// Reads what follows `https://`.
pub(super) fn read(rest: &str) -> Option<Spelling> {
    if !rest.bytes().all(|b| b.is_ascii_graphic()) {
        return None;
    }
    let resource = match rest.split_once('?') {
        Some((resource, _query)) => resource,
        None => rest,
    };
    let (authority, path) = resource.split_once('/')?;
    let host = read_host(authority)?;
    let mut segments = path.split('/').filter(|segment| !segment.is_empty());
    let kind = segments.next()?;
    let name = segments.next().filter(|name| is_name(name))?;
    let version = segments.next();
    if segments.next().is_some() {
        return None;
    }
    let parts = Parts::of([host.as_str(), &name.to_ascii_lowercase()])?;
    let key = AzureKey { parts };
    match version {
        None if kind.eq_ignore_ascii_case("keys") => Some(Spelling::AzureKey(key)),
        // The recovery id of a soft-deleted key: the key with all its versions.
        None if kind.eq_ignore_ascii_case("deletedkeys") => Some(Spelling::AzureKey(key)),
        Some(version) if kind.eq_ignore_ascii_case("keys") => key
            .at_version(version)
            .map(|version| Spelling::Complete(KeyId::Azure(version))),
        None | Some(_) => None,
    }
}

fn read_host(authority: &str) -> Option<String> {
    let host = match authority.split_once(':') {
        None => authority,
        Some((host, "443")) => host,
        Some((_, _)) => return None,
    };
    let host = host.to_ascii_lowercase();
    let (vault, suffix) = host.split_once('.')?;
    let is_vault = (3..=24).contains(&vault.len()) && vault.bytes().all(is_name_byte);
    (is_vault && HOST_SUFFIXES.contains(&suffix)).then_some(host)
}

/// 32 hex digits.
pub(super) fn is_version(text: &str) -> bool {
    text.len() == 32 && text.bytes().all(|b| b.is_ascii_hexdigit())
}

fn is_name(text: &str) -> bool {
    (1..=127).contains(&text.len()) && text.bytes().all(is_name_byte)
}

fn is_name_byte(b: u8) -> bool {
    b.is_ascii_alphanumeric() || b == b'-'
}
