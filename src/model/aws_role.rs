//! A role of AWS whose rights are taken on to ask about keys (`role_arn` and `external_id` of a
//! `[[key]]`). Grammars as in the API reference of STS (`AssumeRole`) and in the IAM user guide
//! ("IAM identifiers"). Holds no credentials.

use std::fmt;

/// Characters of an ARN, and of an external id (STS API reference, `AssumeRole`).
const MAX_ARN: usize = 2048;
const EXTERNAL_ID: std::ops::RangeInclusive<usize> = 2..=1224;

/// A role, and the word by which its trust policy knows who asks.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct AwsRole {
    arn: String,
    external_id: Option<String>,
}

/// Why a role cannot be taken on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AwsRoleError {
    #[error("`{0}` is no ARN of a role (arn:PARTITION:iam::ACCOUNT:role/NAME)")]
    NoRole(String),
    /// What was given is left out: whoever knows it may ask in somebody's place.
    #[error("it has 2 to 1224 letters, digits and characters of `_+=,.@:/-`")]
    NoExternalId,
}

impl AwsRole {
    /// Reads the ARN of a role.
    ///
    /// # Errors
    /// It is none.
    pub fn read(arn: &str) -> Result<Self, AwsRoleError> {
        let parts: Vec<&str> = arn.splitn(6, ':').collect();
        let well_formed = match parts.as_slice() {
            ["arn", partition, "iam", "", account, resource] => {
                let named = resource
                    .strip_prefix("role/")
                    .is_some_and(|name| !name.is_empty() && !name.ends_with('/'));
                let partition_ok = partition.split('-').next() == Some("aws")
                    && partition
                        .chars()
                        .all(|c| c.is_ascii_lowercase() || c == '-');
                let account_ok = account.len() == 12 && account.chars().all(|c| c.is_ascii_digit());
                named && partition_ok && account_ok && resource.chars().all(is_of_a_path)
            }
            _ => false,
        };
        if !well_formed || arn.len() > MAX_ARN {
            return Err(AwsRoleError::NoRole(arn.to_owned()));
        }
        Ok(Self {
            arn: arn.to_owned(),
            external_id: None,
        })
    }

    /// The same role, asked for with this external id.
    ///
    /// # Errors
    /// STS takes no such external id.
    pub fn with_external_id(self, external_id: &str) -> Result<Self, AwsRoleError> {
        let allowed = |c: char| c.is_ascii_alphanumeric() || "_+=,.@:/-".contains(c);
        if !EXTERNAL_ID.contains(&external_id.len()) || !external_id.chars().all(allowed) {
            return Err(AwsRoleError::NoExternalId);
        }
        Ok(Self {
            external_id: Some(external_id.to_owned()),
            ..self
        })
    }

    pub fn arn(&self) -> &str {
        &self.arn
    }

    pub fn external_id(&self) -> Option<&str> {
        self.external_id.as_deref()
    }

    pub fn partition(&self) -> &str {
        self.arn.split(':').nth(1).unwrap_or_default()
    }

    /// The account that the role is of, and whose quotas its calls use up.
    pub fn account(&self) -> &str {
        self.arn.split(':').nth(4).unwrap_or_default()
    }
}

/// Of a path or a name of IAM.
fn is_of_a_path(c: char) -> bool {
    c.is_ascii_alphanumeric() || "_+=,.@/-".contains(c)
}

/// The external id stays out of logs.
impl fmt::Debug for AwsRole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AwsRole")
            .field("arn", &self.arn)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_a_role_and_what_is_not() {
        for arn in [
            "arn:aws:iam::111122223333:role/snapkey-audit",
            "arn:aws-cn:iam::111122223333:role/path/of/it/Audit_1+=,.@-",
            "arn:aws-us-gov:iam::111122223333:role/a",
        ] {
            let role = AwsRole::read(arn).unwrap();
            assert_eq!((role.arn(), role.account()), (arn, "111122223333"));
            assert_eq!(
                format!("arn:{}", role.partition()),
                arn.split(":iam").next().unwrap()
            );
        }
        let long = format!("arn:aws:iam::111122223333:role/{}", "r".repeat(MAX_ARN));
        for other in [
            "",
            "snapkey-audit",
            "role/snapkey-audit",
            "arn:aws:iam::111122223333:user/mia",
            "arn:aws:iam::111122223333:role/",
            "arn:aws:iam::111122223333:role/path/",
            "arn:aws:iam::11112222333:role/a",
            "arn:aws:iam:eu-west-1:111122223333:role/a",
            "arn:aws:sts::111122223333:assumed-role/a/b",
            "arn:gcp:iam::111122223333:role/a",
            "arn:aws:iam::111122223333:role/a b",
            "arn:aws:iam::111122223333:role/a\n",
            &long,
        ] {
            assert_eq!(
                AwsRole::read(other),
                Err(AwsRoleError::NoRole(other.to_owned()))
            );
        }
    }

    #[test]
    fn an_external_id_is_checked_and_never_told() {
        let role = || AwsRole::read("arn:aws:iam::111122223333:role/a").unwrap();
        for id in ["ab", "Team=backup,env:prod/1.2@x_y-z+"] {
            let with = role().with_external_id(id).unwrap();
            assert_eq!(with.external_id(), Some(id));
            assert!(!format!("{with:?}").contains(id));
        }
        for id in ["", "a", "a b", "hunter2\n", "hünter2", &"a".repeat(1225)] {
            let told = role().with_external_id(id).unwrap_err().to_string();
            assert!(!told.contains("nter2"), "{told}");
        }
    }
}
