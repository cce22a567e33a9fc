//! Exit codes of what was concluded: settled here, from verdicts and levels alone, before anything
//! is printed (design section 7).

use crate::model::verdict::{
    Assessment, Class, Deletability, KeyCheck, Level, RotationCheck, RotationVerdict,
};

/// Passed.
pub const PASSED: u8 = 0;
/// A definite no.
pub const NO: u8 = 1;
/// Undecided: evidence is missing, stale or incomplete.
pub const UNDECIDED: u8 = 3;

/// `audit`: a denied definite finding wins over a denied undecided one.
pub fn of_audit(assessment: &Assessment) -> u8 {
    let denied = |class| {
        assessment
            .findings
            .iter()
            .any(|f| f.level == Level::Deny && f.code.class() == class)
    };
    let code = if denied(Class::Definite) {
        NO
    } else if denied(Class::Undecided) {
        UNDECIDED
    } else {
        PASSED
    };
    only_now(code, assessment.historical)
}

/// `check --for delete|disable`.
pub fn of_check(check: &KeyCheck) -> u8 {
    let code = match check.verdict.verdict {
        Deletability::Held => NO,
        Deletability::Gone if check.verdict.lost || check.verdict.lost_snapshots > 0 => NO,
        Deletability::Gone if !check.verdict.doubts.is_empty() => UNDECIDED,
        Deletability::Unknown => UNDECIDED,
        Deletability::Gone | Deletability::Safe => PASSED,
    };
    only_now(code, check.historical)
}

/// `check --for rotate`.
pub fn of_rotation(check: &RotationCheck) -> u8 {
    let code = match check.verdict {
        RotationVerdict::Pass => PASSED,
        RotationVerdict::Fail => NO,
        RotationVerdict::Unknown => UNDECIDED,
    };
    only_now(code, check.historical)
}

/// A pass that later evidence in the store may contradict is no pass.
fn only_now(code: u8, historical: bool) -> u8 {
    if code == PASSED && historical {
        UNDECIDED
    } else {
        code
    }
}
