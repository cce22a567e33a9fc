//! When AWS last saw a key used: asked about a few keys after everything else, tolerated when
//! refused, and never part of an observation.

use std::time::Duration;

use super::failure::{read_failure, redact};
use super::sdk::failure_of;
use super::{Asking, AwsProbe};
use crate::model::{AwsRole, KeyId, LastUse, Timestamp};
use crate::probe::pace::Call;
use crate::probe::{Session, Target};

/// The quota is 5 calls a second for a whole account: more keys than this are not asked about.
pub(in crate::probe) const AT_MOST: usize = 10;
/// For all of them together.
pub(in crate::probe) const WITHIN: Duration = Duration::from_secs(10);

impl AwsProbe {
    /// `None` when AWS does not say: another account's key, no right, no such call, no answer.
    pub(in crate::probe) async fn last_use(
        &self,
        key: &KeyId,
        session: &Session<'_>,
    ) -> Option<LastUse> {
        let aws = key.aws()?;
        let role: Option<&AwsRole> = self.role_of(&Target::Key(key.clone()));
        let login = self.login(role, aws.region()).await;
        let regional = login.regional(aws.region());
        let asking = Asking {
            login: &login,
            regional: &regional,
            region: aws.region(),
            session,
        };
        let call = regional
            .client
            .get_key_last_usage()
            .key_id(key.to_string())
            .send();
        let answer = match asking.within(Call::GetKeyLastUsage, call).await? {
            Ok(answer) => answer,
            Err(error) => {
                let (reason, detail) = read_failure(&failure_of(&error));
                tracing::debug!(
                    key = %key,
                    reason = reason.word(),
                    detail,
                    "AWS does not tell when a key was last used"
                );
                return None;
            }
        };
        let about = answer.key_id.as_deref();
        if !about.is_some_and(|id| id == key.to_string() || id == aws.id()) {
            return None;
        }
        let time = |at: Option<aws_sdk_kms::primitives::DateTime>| {
            at.and_then(|at| Timestamp::from_unix(at.secs()))
        };
        let usage = answer.key_last_usage;
        Some(LastUse {
            key: key.clone(),
            operation: usage
                .as_ref()
                .and_then(|usage| usage.operation.as_ref())
                .map(|operation| redact(operation.as_str())),
            at: time(usage.and_then(|usage| usage.timestamp)),
            tracked_since: time(answer.tracking_start_date),
        })
    }
}
