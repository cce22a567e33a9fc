//! The enums of Cloud KMS as the numbers of its API definition.

use serde_json::{Value, json};

/// The numbers of the API definition for the words that stand in enums.
const NUMBERS: [(&str, &str, u32); 30] = [
    ("state", "CRYPTO_KEY_VERSION_STATE_UNSPECIFIED", 0),
    ("state", "ENABLED", 1),
    ("state", "DISABLED", 2),
    ("state", "DESTROYED", 3),
    ("state", "DESTROY_SCHEDULED", 4),
    ("state", "PENDING_GENERATION", 5),
    ("state", "PENDING_IMPORT", 6),
    ("state", "IMPORT_FAILED", 7),
    ("state", "GENERATION_FAILED", 8),
    ("state", "PENDING_EXTERNAL_DESTRUCTION", 9),
    ("state", "EXTERNAL_DESTRUCTION_FAILED", 10),
    ("protectionLevel", "PROTECTION_LEVEL_UNSPECIFIED", 0),
    ("protectionLevel", "SOFTWARE", 1),
    ("protectionLevel", "HSM", 2),
    ("protectionLevel", "EXTERNAL", 3),
    ("protectionLevel", "EXTERNAL_VPC", 4),
    ("protectionLevel", "HSM_SINGLE_TENANT", 5),
    ("algorithm", "GOOGLE_SYMMETRIC_ENCRYPTION", 1),
    ("purpose", "CRYPTO_KEY_PURPOSE_UNSPECIFIED", 0),
    ("purpose", "ENCRYPT_DECRYPT", 1),
    ("purpose", "ASYMMETRIC_SIGN", 5),
    ("purpose", "ASYMMETRIC_DECRYPT", 6),
    ("purpose", "RAW_ENCRYPT_DECRYPT", 7),
    ("purpose", "MAC", 9),
    ("allowedAccessReasons", "REASON_UNSPECIFIED", 0),
    ("allowedAccessReasons", "CUSTOMER_INITIATED_SUPPORT", 1),
    ("allowedAccessReasons", "GOOGLE_INITIATED_SERVICE", 2),
    ("allowedAccessReasons", "GOOGLE_INITIATED_REVIEW", 4),
    ("allowedAccessReasons", "CUSTOMER_INITIATED_ACCESS", 5),
    (
        "allowedAccessReasons",
        "GOOGLE_INITIATED_SYSTEM_OPERATION",
        6,
    ),
];

/// Turns words in the fields of enums into numbers, at any depth.
pub(super) fn encode(value: &mut Value, numbers: bool) {
    if !numbers {
        return;
    }
    let Some(fields) = value.as_object_mut() else {
        return;
    };
    for (field, value) in fields {
        let number = |word: &Value| {
            NUMBERS
                .iter()
                .find(|(of, name, _)| of == field && word == name)
                .map(|(_, _, number)| json!(number))
        };
        match value {
            Value::Array(words) => {
                for word in words {
                    *word = number(word).unwrap_or_else(|| word.clone());
                }
            }
            Value::Object(_) => encode(value, numbers),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
                *value = number(value).unwrap_or_else(|| value.clone());
            }
        }
    }
}
