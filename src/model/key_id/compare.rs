//! How spellings compare, key with key and unit with spelling (design section 3). Different needs
//! something that both state and that differs: an id differs from an id, a stated scope from a
//! stated scope. What a spelling leaves out can never make it different.
//!
//! | a text without a provider, T | AWS key | Azure key | Google key | KMIP (S, U) |
//! | --- | --- | --- | --- | --- |
//! | UUID or `mrk-` id | by id, then scope | shown? | shown? | T = U: agrees if shown, else possible; T ≠ U: different |
//! | alias | by scope: possible | shown? | shown? | as above |
//! | 32 hex digits | shown? | possible | shown? | as above |
//! | opaque | possible | possible | possible | T = U as above; else possible |
//!
//! *shown?*: possible if the provider was ever shown in the spelling's project, else different.
//! Compared key with key there is no project, so every provider counts as shown. A KMIP object has
//! no name but its identifier, so a shaped text that is not U names another object, whatever it
//! is; only if nothing but case and punctuation tells the two apart are they possibly one (the
//! same holds for 32 hex digits and an AWS id). URLs and resource names state their provider and
//! differ from all keys of the others.
//!
//! Regions of multi-Region keys never make a spelling without a complete ARN different: a
//! dependant of one sibling holds them all, and only two ARNs can be told to be related.

use super::aws::{Scope, is_multi_region_id};
use super::{AwsKey, GcpKeyVersion, KeyId, KmipKey, Match, Provider, Spelling, Unit};

impl Unit {
    /// How a spelling compares with this unit (an Azure version is immaterial; a Google key
    /// without a version agrees with each of its versions). `shown` are the providers ever read
    /// in the spelling's project: an id that no complete grammar takes may be a key of the
    /// provider of its shape and of each of those; an unknown shape may be any.
    ///
    /// Another region's ARN of the same multi-Region key is `Different`; ask
    /// [`Unit::is_related`] besides.
    pub fn compare(&self, spelling: &Spelling, shown: &[Provider]) -> Match {
        let shown = shown.contains(&self.provider());
        match self {
            Self::Aws(unit) => aws(unit, spelling, shown),
            Self::Azure(unit) => match spelling {
                Spelling::Complete(KeyId::Azure(version)) => same_if(unit == version.key()),
                Spelling::AzureKey(key) => same_if(unit == key),
                // A unit knows no versions: it may have this one.
                Spelling::AzureVersion(_) | Spelling::Opaque(_) => Match::Possible,
                Spelling::AwsId { .. } | Spelling::AwsAlias(_) => possible_if(shown),
                Spelling::Complete(KeyId::Aws(_) | KeyId::Gcp(_) | KeyId::Kmip(_))
                | Spelling::GcpKey(_) => Match::Different,
            },
            Self::Gcp(unit) => gcp(unit, spelling, shown),
            Self::Kmip(unit) => kmip(unit, spelling, shown),
        }
    }
}

impl Spelling {
    /// How two spellings compare, key with key. Symmetric. `Same` only for two complete ones;
    /// aliases are at most `Possible`, as two looks at one may see two keys.
    pub fn compare(&self, other: &Self) -> Match {
        match self {
            Self::Complete(key) => against_key(key, other),
            Self::AwsId { id, .. } => match other {
                Self::Complete(_) => other.compare(self),
                Self::AwsId { id: other_id, .. } => {
                    aws_ids((id, self.scope()), (other_id, other.scope()))
                }
                Self::AwsAlias(_) => aws_alias(other.scope(), (id, self.scope())),
                Self::AzureKey(_) | Self::AzureVersion(_) | Self::GcpKey(_) | Self::Opaque(_) => {
                    Match::Possible
                }
            },
            Self::AwsAlias(_) => match other {
                Self::Complete(_) | Self::AwsId { .. } => other.compare(self),
                Self::AwsAlias(_) => possible_if(!self.scope().differs(other.scope())),
                Self::AzureKey(_) | Self::AzureVersion(_) | Self::GcpKey(_) | Self::Opaque(_) => {
                    Match::Possible
                }
            },
            Self::AzureKey(key) => match other {
                Self::Complete(_) | Self::AwsId { .. } | Self::AwsAlias(_) => other.compare(self),
                Self::AzureKey(other_key) => agrees_if(key == other_key),
                Self::AzureVersion(_) | Self::Opaque(_) => Match::Possible,
                Self::GcpKey(_) => Match::Different,
            },
            Self::AzureVersion(version) => match other {
                Self::Complete(_) | Self::AwsId { .. } | Self::AwsAlias(_) | Self::AzureKey(_) => {
                    other.compare(self)
                }
                Self::AzureVersion(other_version) => {
                    agrees_if(version.eq_ignore_ascii_case(other_version))
                }
                Self::GcpKey(_) | Self::Opaque(_) => Match::Possible,
            },
            Self::GcpKey(key) => match other {
                Self::Complete(_)
                | Self::AwsId { .. }
                | Self::AwsAlias(_)
                | Self::AzureKey(_)
                | Self::AzureVersion(_) => other.compare(self),
                Self::GcpKey(other_key) => at_most_agrees(key.compare(other_key)),
                Self::Opaque(_) => Match::Possible,
            },
            Self::Opaque(text) => match other {
                Self::Complete(_)
                | Self::AwsId { .. }
                | Self::AwsAlias(_)
                | Self::AzureKey(_)
                | Self::AzureVersion(_)
                | Self::GcpKey(_) => other.compare(self),
                Self::Opaque(other_text) if text == other_text => Match::Agrees,
                Self::Opaque(_) => Match::Possible,
            },
        }
    }

    /// Whether this incomplete spelling stands for `key`, a key of the settings of its project:
    /// an AWS id equal to the key-id part of the ARN (and nothing stated of its scope that
    /// differs), 32 hex digits equal to the version of the key URL. A Key Vault key without a
    /// version never does: it means whichever version is the latest when it is asked for.
    pub fn completed_by(&self, key: &KeyId) -> bool {
        match (self, key) {
            (Self::AwsId { id, .. }, KeyId::Aws(key)) => {
                let (a, b) = (self.scope(), key.scope());
                id.eq_ignore_ascii_case(key.id()) && !a.differs(b) && !a.region_differs(b)
            }
            (Self::AzureVersion(version), KeyId::Azure(key)) => {
                version.eq_ignore_ascii_case(key.version())
            }
            (
                Self::Complete(_)
                | Self::AwsId { .. }
                | Self::AwsAlias(_)
                | Self::AzureKey(_)
                | Self::AzureVersion(_)
                | Self::GcpKey(_)
                | Self::Opaque(_),
                KeyId::Aws(_) | KeyId::Azure(_) | KeyId::Gcp(_) | KeyId::Kmip(_),
            ) => false,
        }
    }

    /// What it states of where an AWS key is.
    fn scope(&self) -> Scope<'_> {
        match self {
            Self::Complete(KeyId::Aws(key)) => key.scope(),
            Self::AwsId {
                region, account, ..
            } => Scope {
                partition: None,
                region: region.as_deref(),
                account: account.as_deref(),
            },
            Self::AwsAlias(alias) => Scope::of_alias(alias),
            Self::Complete(KeyId::Azure(_) | KeyId::Gcp(_) | KeyId::Kmip(_))
            | Self::AzureKey(_)
            | Self::AzureVersion(_)
            | Self::GcpKey(_)
            | Self::Opaque(_) => Scope {
                partition: None,
                region: None,
                account: None,
            },
        }
    }
}

/// Key with key: every provider may be the one meant.
fn against_key(key: &KeyId, spelling: &Spelling) -> Match {
    match key {
        KeyId::Aws(key) => aws(key, spelling, true),
        KeyId::Azure(key) => match spelling {
            Spelling::Complete(KeyId::Azure(other)) => same_if(key == other),
            Spelling::AzureKey(other) => agrees_if(key.key() == other),
            Spelling::AzureVersion(version) => {
                agrees_if(key.version().eq_ignore_ascii_case(version))
            }
            Spelling::AwsId { .. } | Spelling::AwsAlias(_) | Spelling::Opaque(_) => Match::Possible,
            Spelling::Complete(KeyId::Aws(_) | KeyId::Gcp(_) | KeyId::Kmip(_))
            | Spelling::GcpKey(_) => Match::Different,
        },
        KeyId::Gcp(key) => gcp(key, spelling, true),
        KeyId::Kmip(key) => kmip(key, spelling, true),
    }
}

/// An AWS key is its own unit.
fn aws(key: &AwsKey, spelling: &Spelling, shown: bool) -> Match {
    match spelling {
        Spelling::Complete(KeyId::Aws(other)) => same_if(key == other),
        Spelling::AwsId { id, .. } => aws_ids((key.id(), key.scope()), (id, spelling.scope())),
        Spelling::AwsAlias(_) => aws_alias(spelling.scope(), (key.id(), key.scope())),
        Spelling::AzureVersion(text) => possible_if(shown || look_alike(text, key.id())),
        Spelling::Opaque(_) => Match::Possible,
        Spelling::Complete(KeyId::Azure(_) | KeyId::Gcp(_) | KeyId::Kmip(_))
        | Spelling::AzureKey(_)
        | Spelling::GcpKey(_) => Match::Different,
    }
}

/// Two AWS ids, of which at most one is an ARN's.
fn aws_ids((a, a_scope): (&str, Scope<'_>), (b, b_scope): (&str, Scope<'_>)) -> Match {
    agrees_if(a.eq_ignore_ascii_case(b) && !elsewhere(a, a_scope, b_scope))
}

/// An alias lives in one region and may point to any key there, or to one whose siblings are
/// elsewhere.
fn aws_alias(alias: Scope<'_>, (id, scope): (&str, Scope<'_>)) -> Match {
    possible_if(!elsewhere(id, scope, alias))
}

/// Whether what both state of where the key `id` is differs.
fn elsewhere(id: &str, a: Scope<'_>, b: Scope<'_>) -> bool {
    a.differs(b) || (!is_multi_region_id(id) && a.region_differs(b))
}

/// A Google key version is its own unit.
fn gcp(key: &GcpKeyVersion, spelling: &Spelling, shown: bool) -> Match {
    match spelling {
        Spelling::Complete(KeyId::Gcp(other)) => key.compare(other),
        Spelling::GcpKey(other) => at_most_agrees(key.key().compare(other)),
        Spelling::Opaque(_) => Match::Possible,
        Spelling::AwsId { .. } | Spelling::AwsAlias(_) | Spelling::AzureVersion(_) => {
            possible_if(shown)
        }
        Spelling::Complete(KeyId::Aws(_) | KeyId::Azure(_) | KeyId::Kmip(_))
        | Spelling::AzureKey(_) => Match::Different,
    }
}

/// A KMIP object is its own unit.
fn kmip(key: &KmipKey, spelling: &Spelling, shown: bool) -> Match {
    match spelling {
        Spelling::Complete(KeyId::Kmip(other)) => same_if(key == other),
        Spelling::AwsId { id: text, .. }
        | Spelling::AwsAlias(text)
        | Spelling::AzureVersion(text)
        | Spelling::Opaque(text)
            if text == key.uid() && shown =>
        {
            Match::Agrees
        }
        Spelling::AwsId { id: text, .. }
        | Spelling::AwsAlias(text)
        | Spelling::AzureVersion(text) => possible_if(look_alike(text, key.uid())),
        Spelling::Opaque(_) => Match::Possible,
        Spelling::Complete(KeyId::Aws(_) | KeyId::Azure(_) | KeyId::Gcp(_))
        | Spelling::AzureKey(_)
        | Spelling::GcpKey(_) => Match::Different,
    }
}

/// Whether nothing but case and punctuation tells two ids apart.
fn look_alike(a: &str, b: &str) -> bool {
    significant(a).eq(significant(b))
}

fn significant(text: &str) -> impl Iterator<Item = char> + '_ {
    text.chars()
        .filter(|c| c.is_alphanumeric())
        .map(|c| c.to_ascii_lowercase())
}

fn same_if(same: bool) -> Match {
    if same { Match::Same } else { Match::Different }
}

fn agrees_if(agrees: bool) -> Match {
    if agrees {
        Match::Agrees
    } else {
        Match::Different
    }
}

fn possible_if(possible: bool) -> Match {
    if possible {
        Match::Possible
    } else {
        Match::Different
    }
}

/// For spellings that are equal as far as they go, and do not go all the way.
fn at_most_agrees(found: Match) -> Match {
    match found {
        Match::Same | Match::Agrees => Match::Agrees,
        Match::Possible | Match::Different => found,
    }
}
