//! Key identities: the four grammars (one file each), what an incomplete spelling states, and how
//! two of them compare (`compare`). No other module takes a key id apart or compares two of them.
//!
//! A [`KeyId`] is clean by construction: printable, at most [`MAX_LEN`] bytes as text, nothing to
//! trim, one text per key. A [`Spelling`] is whatever a source said: nothing is trimmed from it,
//! and what no grammar takes is kept verbatim, however long.

mod aws;
mod azure;
mod compare;
mod gcp;
mod kmip;
mod parts;

use std::fmt;
use std::str::FromStr;

pub use aws::AwsKey;
pub use azure::{AzureKey, AzureKeyVersion};
pub use gcp::{GcpKey, GcpKeyVersion};
pub use kmip::KmipKey;

/// Bytes of the longest key id: AWS takes no longer `KeyId` (KMS API reference, `KeyIdType`), and
/// the other grammars stay far below.
pub const MAX_LEN: usize = 2048;

/// The four kinds of key service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Provider {
    Aws,
    Azure,
    Gcp,
    Kmip,
}

impl Provider {
    pub const ALL: [Self; 4] = [Self::Aws, Self::Azure, Self::Gcp, Self::Kmip];

    /// The word of the contract.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Aws => "aws",
            Self::Azure => "azure",
            Self::Gcp => "gcp",
            Self::Kmip => "kmip",
        }
    }
}

/// How two spellings compare.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Match {
    /// Both are complete and name the same thing.
    Same,
    /// Maybe: they agree in everything that both state, and both state something telling
    /// (a UUID against an ARN with that UUID). Counts as a dependant.
    Agrees,
    /// Maybe: nothing that both state differs, but nothing telling agrees. A doubt.
    Possible,
    /// Something that both state differs.
    Different,
}

/// A canonical, resolved identity of one key.
///
/// ```
/// use snapkey::model::KeyId;
/// let spelled = "https://Payments.vault.azure.net:443//keys/Backup/0123456789ABCDEF0123456789ABCDEF/";
/// let key: KeyId = spelled.parse().unwrap();
/// let canonical = "https://payments.vault.azure.net/keys/backup/0123456789abcdef0123456789abcdef";
/// assert_eq!(key.to_string(), canonical);
/// assert_eq!(key.unit().to_string(), "https://payments.vault.azure.net/keys/backup");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum KeyId {
    Aws(AwsKey),
    Azure(AzureKeyVersion),
    Gcp(GcpKeyVersion),
    Kmip(KmipKey),
}

/// What a provider destroys as one piece.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Unit {
    Aws(AwsKey),
    /// A Key Vault key with all its versions.
    Azure(AzureKey),
    Gcp(GcpKeyVersion),
    Kmip(KmipKey),
}

/// A key id as somebody spelled it, read as far as it goes. Reading never fails: what no grammar
/// takes is `Opaque`.
///
/// Bare ids keep the case in which they were spelled, because the same text may turn out to be a
/// KMIP identifier, which is byte-exact; comparing ignores it where the provider does.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Spelling {
    Complete(KeyId),
    /// A bare AWS key id (UUID or `mrk-`), with what else is known of its scope.
    AwsId {
        id: String,
        region: Option<String>,
        account: Option<String>,
    },
    /// An alias name or alias ARN: a movable pointer, never compared textually.
    AwsAlias(String),
    /// A Key Vault key without a version.
    AzureKey(AzureKey),
    /// 32 hex digits: probably a Key Vault key version.
    AzureVersion(String),
    /// A Cloud KMS key without a version: all its versions.
    GcpKey(GcpKey),
    /// Anything else, verbatim.
    Opaque(String),
}

/// Why a text is no canonical key id.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("`{text}` is no complete key id: {why}")]
pub struct KeyIdError {
    /// The text, cut and with control characters escaped.
    pub text: String,
    pub why: &'static str,
}

impl KeyId {
    pub fn provider(&self) -> Provider {
        match self {
            Self::Aws(_) => Provider::Aws,
            Self::Azure(_) => Provider::Azure,
            Self::Gcp(_) => Provider::Gcp,
            Self::Kmip(_) => Provider::Kmip,
        }
    }

    /// What the provider would destroy with it.
    pub fn unit(&self) -> Unit {
        match self {
            Self::Aws(key) => Unit::Aws(key.clone()),
            Self::Azure(version) => Unit::Azure(version.key().clone()),
            Self::Gcp(version) => Unit::Gcp(version.clone()),
            Self::Kmip(key) => Unit::Kmip(key.clone()),
        }
    }

    /// AWS: the same `mrk-` key in another region of the same partition and account.
    pub fn is_related(&self, other: &Self) -> bool {
        match (self.aws(), other.aws()) {
            (Some(a), Some(b)) => a.is_related(b),
            (Some(_) | None, _) => false,
        }
    }

    pub fn aws(&self) -> Option<&AwsKey> {
        match self {
            Self::Aws(key) => Some(key),
            Self::Azure(_) | Self::Gcp(_) | Self::Kmip(_) => None,
        }
    }
}

impl Unit {
    /// What the provider would destroy with `key`.
    pub fn from_key(key: &KeyId) -> Self {
        key.unit()
    }

    /// Reads any spelling that names one unit: its canonical text, or a key of it.
    pub fn parse(text: &str) -> Option<Self> {
        units_named_by(&Spelling::read(text))
    }

    pub fn provider(&self) -> Provider {
        match self {
            Self::Aws(_) => Provider::Aws,
            Self::Azure(_) => Provider::Azure,
            Self::Gcp(_) => Provider::Gcp,
            Self::Kmip(_) => Provider::Kmip,
        }
    }

    /// Whether the key is part of the unit.
    pub fn contains(&self, key: &KeyId) -> bool {
        match (self, key) {
            (Self::Aws(unit), KeyId::Aws(key)) => unit == key,
            (Self::Azure(unit), KeyId::Azure(version)) => unit == version.key(),
            (Self::Gcp(unit), KeyId::Gcp(version)) => unit == version,
            (Self::Kmip(unit), KeyId::Kmip(key)) => unit == key,
            (Self::Aws(_) | Self::Azure(_) | Self::Gcp(_) | Self::Kmip(_), _) => false,
        }
    }

    /// AWS: another region's replica of the same multi-Region key.
    pub fn is_related(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Aws(a), Self::Aws(b)) => a.is_related(b),
            (Self::Aws(_) | Self::Azure(_) | Self::Gcp(_) | Self::Kmip(_), _) => false,
        }
    }
}

/// The unit that a spelling names for certain: a complete key, or a Key Vault key without a
/// version. A Google key without one names all its versions, an alias whatever it points to now.
pub fn units_named_by(spelling: &Spelling) -> Option<Unit> {
    match spelling {
        Spelling::Complete(key) => Some(key.unit()),
        Spelling::AzureKey(key) => Some(Unit::Azure(key.clone())),
        Spelling::AwsId { .. }
        | Spelling::AwsAlias(_)
        | Spelling::AzureVersion(_)
        | Spelling::GcpKey(_)
        | Spelling::Opaque(_) => None,
    }
}

impl Spelling {
    /// Reads a key id as a snapshot, a setting or a person spells it. Total.
    pub fn read(raw: &str) -> Self {
        read_any(raw).unwrap_or_else(|| Self::Opaque(raw.to_owned()))
    }

    /// The provider whose grammar takes it; `None` for `Opaque`.
    pub fn provider(&self) -> Option<Provider> {
        match self {
            Self::Complete(key) => Some(key.provider()),
            Self::AwsId { .. } | Self::AwsAlias(_) => Some(Provider::Aws),
            Self::AzureKey(_) | Self::AzureVersion(_) => Some(Provider::Azure),
            Self::GcpKey(_) => Some(Provider::Gcp),
            Self::Opaque(_) => None,
        }
    }

    /// The key, if nothing is missing.
    pub fn complete(&self) -> Option<&KeyId> {
        match self {
            Self::Complete(key) => Some(key),
            Self::AwsId { .. }
            | Self::AwsAlias(_)
            | Self::AzureKey(_)
            | Self::AzureVersion(_)
            | Self::GcpKey(_)
            | Self::Opaque(_) => None,
        }
    }

    /// Adds an AWS region to a bare id that has none, as AWS or as Atlas spells it (`us-east-1`,
    /// `US_EAST_1`). What is no region name adds nothing.
    pub fn with_region(self, region: &str) -> Self {
        match self {
            Self::AwsId {
                id,
                region: None,
                account,
            } => Self::AwsId {
                id,
                region: aws::read_region(region),
                account,
            },
            other @ (Self::Complete(_)
            | Self::AwsId { .. }
            | Self::AwsAlias(_)
            | Self::AzureKey(_)
            | Self::AzureVersion(_)
            | Self::GcpKey(_)
            | Self::Opaque(_)) => other,
        }
    }

    /// Places a bare KMIP identifier on a server. KMIP servers issue what they like, UUIDs
    /// included; a text that states its provider, or is not clean, is no identifier.
    pub fn kmip_on(self, server: &str) -> Option<KeyId> {
        match self {
            Self::AwsId {
                id: uid,
                region: None,
                account: None,
            }
            | Self::AzureVersion(uid)
            | Self::Opaque(uid) => KmipKey::new(server, &uid).map(KeyId::Kmip),
            Self::Complete(_)
            | Self::AwsId { .. }
            | Self::AwsAlias(_)
            | Self::AzureKey(_)
            | Self::GcpKey(_) => None,
        }
    }
}

/// `None`: no grammar takes it.
fn read_any(raw: &str) -> Option<Spelling> {
    if raw.len() > MAX_LEN {
        return None;
    }
    // The first bytes decide, so that a million bare ids cost no more than a look at each.
    if let Some(rest) = kmip::strip_scheme(raw) {
        kmip::read(rest)
    } else if let Some(name) = gcp::strip_service(raw) {
        gcp::read(name)
    } else if let Some(rest) = azure::strip_scheme(raw) {
        azure::read(rest)
    } else if azure::is_version(raw) {
        Some(Spelling::AzureVersion(raw.to_owned()))
    } else {
        aws::read(raw)
    }
}

/// Printable, nothing to trim, not empty, not too long.
fn is_clean(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= MAX_LEN
        && text.trim().len() == text.len()
        && !text.chars().any(char::is_control)
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Aws(key) => key.fmt(f),
            Self::Azure(version) => version.fmt(f),
            Self::Gcp(version) => version.fmt(f),
            Self::Kmip(key) => key.fmt(f),
        }
    }
}

impl fmt::Display for Unit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Aws(key) => key.fmt(f),
            Self::Azure(key) => key.fmt(f),
            Self::Gcp(version) => version.fmt(f),
            Self::Kmip(key) => key.fmt(f),
        }
    }
}

/// Text that reads to the same spelling: verbatim for what was not taken apart; a bare AWS id with
/// a region or account as an ARN whose unknown parts are empty.
impl fmt::Display for Spelling {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Complete(key) => key.fmt(f),
            Self::AwsId {
                id,
                region: None,
                account: None,
            } => f.write_str(id),
            Self::AwsId {
                id,
                region,
                account,
            } => {
                let region = region.as_deref().unwrap_or_default();
                let account = account.as_deref().unwrap_or_default();
                write!(f, "arn::kms:{region}:{account}:key/{id}")
            }
            Self::AzureKey(key) => key.fmt(f),
            Self::GcpKey(key) => key.fmt(f),
            Self::AwsAlias(text) | Self::AzureVersion(text) | Self::Opaque(text) => {
                f.write_str(text)
            }
        }
    }
}

impl FromStr for KeyId {
    type Err = KeyIdError;

    fn from_str(text: &str) -> Result<Self, KeyIdError> {
        let why = match Spelling::read(text) {
            Spelling::Complete(key) => return Ok(key),
            Spelling::AwsId { .. } => {
                "an AWS key id is unique only within its account and region; give the key ARN"
            }
            Spelling::AwsAlias(_) => "an alias may point to another key at any time",
            Spelling::AzureKey(_) => "the key version is missing",
            Spelling::AzureVersion(_) => "the vault and the name of the key are missing",
            Spelling::GcpKey(_) => "`/cryptoKeyVersions/N` is missing",
            Spelling::Opaque(_) if text.is_empty() => "it is empty",
            Spelling::Opaque(_) if text.len() > MAX_LEN => "it is longer than 2048 bytes",
            Spelling::Opaque(_) if !is_clean(text) => {
                "it has control characters, or white space at an end"
            }
            Spelling::Opaque(_) => {
                "it is no AWS key ARN, Azure key URL, Google key version or kmip://SERVER/UID"
            }
        };
        let text = quotable(text);
        Err(KeyIdError { text, why })
    }
}

/// Short and printable, for an error message.
fn quotable(text: &str) -> String {
    const SHOWN: usize = 200;
    let mut shown = String::new();
    for (at, c) in text.chars().enumerate() {
        if at == SHOWN {
            shown.push('…');
            break;
        }
        if c.is_control() {
            shown.extend(c.escape_default());
        } else {
            shown.push(c);
        }
    }
    shown
}

#[cfg(test)]
mod tests;
