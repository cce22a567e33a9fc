//! The AWS KMS grammar: key ARNs, bare key ids, aliases and alias ARNs (KMS API reference,
//! `KeyId` and `AliasNameType`; KMS developer guide, "Key identifiers" and "Multi-Region keys").

use std::fmt;

use super::parts::Parts;
use super::{KeyId, Spelling};

/// Partitions in which KMS exists (botocore, `partitions.json`). A text with any other is opaque.
const PARTITIONS: [&str; 8] = [
    "aws",
    "aws-cn",
    "aws-us-gov",
    "aws-eusc",
    "aws-iso",
    "aws-iso-b",
    "aws-iso-e",
    "aws-iso-f",
];

/// Characters of an alias name after `alias/`.
const MAX_ALIAS_NAME: usize = 256;

/// A key ARN.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AwsKey {
    /// Partition, region, account, id.
    parts: Parts<4>,
}

impl AwsKey {
    pub fn partition(&self) -> &str {
        self.parts.get(0)
    }

    pub fn region(&self) -> &str {
        self.parts.get(1)
    }

    pub fn account(&self) -> &str {
        self.parts.get(2)
    }

    /// UUID or `mrk-` id, lower case.
    pub fn id(&self) -> &str {
        self.parts.get(3)
    }

    pub fn is_multi_region(&self) -> bool {
        is_multi_region_id(self.id())
    }

    /// Whether an answer from `endpoint` can be about this key's own region: not if the endpoint
    /// is KMS of another region. An endpoint of another name (a proxy, a private endpoint,
    /// `recorded`) does not say.
    pub fn may_answer(&self, endpoint: &str) -> bool {
        let mut labels = endpoint
            .split(['.', '/', ':'])
            .skip_while(|label| !label.starts_with("kms"));
        let (_service, region) = (labels.next(), labels.next());
        let is_aws = labels.any(|label| label == "amazonaws");
        !is_aws || region == Some(self.region())
    }

    /// The same multi-Region key in `region` (as AWS or as Atlas spells it); `None` for a
    /// single-Region key or a text that is no region.
    pub fn in_region(&self, region: &str) -> Option<Self> {
        if !self.is_multi_region() {
            return None;
        }
        let region = read_region(region)?;
        let parts = Parts::of([self.partition(), &region, self.account(), self.id()])?;
        Some(Self { parts })
    }

    /// The same multi-Region key in another region. Related keys share key material and id, but
    /// each has a state, a policy and a deletion of its own.
    pub(super) fn is_related(&self, other: &Self) -> bool {
        self.is_multi_region()
            && self.id() == other.id()
            && self.partition() == other.partition()
            && self.account() == other.account()
            && self.region() != other.region()
    }

    pub(super) fn scope(&self) -> Scope<'_> {
        Scope {
            partition: Some(self.partition()),
            region: Some(self.region()),
            account: Some(self.account()),
        }
    }
}

impl fmt::Display for AwsKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [partition, region] = [self.partition(), self.region()];
        let [account, id] = [self.account(), self.id()];
        write!(f, "arn:{partition}:kms:{region}:{account}:key/{id}")
    }
}

/// What a spelling states of where a key is.
#[derive(Clone, Copy)]
pub(super) struct Scope<'a> {
    pub(super) partition: Option<&'a str>,
    pub(super) region: Option<&'a str>,
    pub(super) account: Option<&'a str>,
}

impl<'a> Scope<'a> {
    /// The scope of an alias: none for a bare name.
    pub(super) fn of_alias(alias: &'a str) -> Self {
        match Arn::split(alias) {
            Some(arn) => arn.scope(),
            None => Self {
                partition: None,
                region: None,
                account: None,
            },
        }
    }

    /// Whether a partition or account that both state differs.
    pub(super) fn differs(self, other: Self) -> bool {
        both_differ(self.partition, other.partition) || both_differ(self.account, other.account)
    }

    /// Whether both state a region, and not the same.
    pub(super) fn region_differs(self, other: Self) -> bool {
        both_differ(self.region, other.region)
    }
}

fn both_differ(a: Option<&str>, b: Option<&str>) -> bool {
    a.zip(b).is_some_and(|(a, b)| a != b)
}

/// An ARN of the KMS service whose parts are well formed or empty.
struct Arn<'a> {
    partition: &'a str,
    region: &'a str,
    account: &'a str,
    resource: &'a str,
}

/// Before and after the first of a character. Ids are read by the ten thousand, and in short texts
/// a search takes longer to set up than to look at each byte.
fn cut(text: &str, at: u8) -> Option<(&str, &str)> {
    let place = text.bytes().position(|byte| byte == at)?;
    text.get(..place).zip(text.get(place + 1..))
}

impl<'a> Arn<'a> {
    fn split(text: &'a str) -> Option<Self> {
        let (partition, rest) = cut(text.strip_prefix("arn:")?, b':')?;
        let (service, rest) = cut(rest, b':')?;
        let (region, rest) = cut(rest, b':')?;
        let (account, resource) = cut(rest, b':')?;
        let well_formed = service == "kms"
            && (partition.is_empty() || PARTITIONS.contains(&partition))
            && (region.is_empty() || is_region(region))
            && (account.is_empty() || is_account(account));
        well_formed.then_some(Self {
            partition,
            region,
            account,
            resource,
        })
    }

    fn scope(&self) -> Scope<'a> {
        let stated = |part: &'a str| (!part.is_empty()).then_some(part);
        Scope {
            partition: stated(self.partition),
            region: stated(self.region),
            account: stated(self.account),
        }
    }
}

pub(super) fn read(text: &str) -> Option<Spelling> {
    if let Some(name) = text.strip_prefix("alias/") {
        return is_alias_name(name).then(|| Spelling::AwsAlias(text.to_owned()));
    }
    if is_key_id(text) {
        return Some(Spelling::AwsId {
            id: text.to_owned(),
            region: None,
            account: None,
        });
    }
    let arn = Arn::split(text)?;
    let scope = arn.scope();
    let (kind, id) = cut(arn.resource, b'/')?;
    let parts = scope.partition.zip(scope.region).zip(scope.account);
    if kind == "alias" {
        let is_alias = parts.is_some() && is_alias_name(id);
        return is_alias.then(|| Spelling::AwsAlias(text.to_owned()));
    }
    if kind != "key" || !is_key_id(id) {
        return None;
    }
    if let Some(((partition, region), account)) = parts {
        let parts = Parts::of([partition, region, account, &id.to_ascii_lowercase()])?;
        return Some(Spelling::Complete(KeyId::Aws(AwsKey { parts })));
    }
    // Without an account or a region an ARN is a bare id that states the other one. Its partition
    // is let go: that only widens what it may be.
    (scope.region.is_some() || scope.account.is_some()).then(|| Spelling::AwsId {
        id: id.to_owned(),
        region: scope.region.map(str::to_owned),
        account: scope.account.map(str::to_owned),
    })
}

/// A region name as AWS or as Atlas spells it, in AWS's spelling.
pub(super) fn read_region(text: &str) -> Option<String> {
    if is_region(text) {
        return Some(text.to_owned());
    }
    let atlas = |b: u8| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_';
    let region = text
        .bytes()
        .all(atlas)
        .then(|| text.to_ascii_lowercase().replace('_', "-"))?;
    is_region(&region).then_some(region)
}

pub(super) fn is_multi_region_id(id: &str) -> bool {
    id.starts_with("mrk-")
}

/// `us-east-1`, `us-gov-west-1`, `eusc-de-east-1`: words and a number. The list of regions grows,
/// so only the form is checked.
fn is_region(text: &str) -> bool {
    let words = text.trim_end_matches(|c: char| c.is_ascii_digit());
    let digits = text.len() - words.len();
    let mut count = 0;
    // What comes next begins a word, or the number.
    let mut begins = true;
    for byte in words.bytes() {
        match byte {
            b'-' if !begins => {
                count += 1;
                begins = true;
            }
            b'a'..=b'z' => begins = false,
            _ => return false,
        }
    }
    text.len() <= 32 && count >= 2 && begins && (1..=2).contains(&digits)
}

fn is_account(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|b| b.is_ascii_digit())
}

fn is_key_id(text: &str) -> bool {
    match text.strip_prefix("mrk-") {
        Some(hex) => hex.len() == 32 && hex.bytes().all(|b| b.is_ascii_hexdigit()),
        None => is_uuid(text),
    }
}

fn is_uuid(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(at, b)| match at {
            8 | 13 | 18 | 23 => b == b'-',
            _ => b.is_ascii_hexdigit(),
        })
}

fn is_alias_name(name: &str) -> bool {
    (1..=MAX_ALIAS_NAME).contains(&name.len())
        && name
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b":/_-".contains(&b))
}
