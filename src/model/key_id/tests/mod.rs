//! Tables first (spelling in, form and canonical text out; two spellings in, match out), then
//! properties over generated ids and over any text.

use super::*;

mod compare;
mod grammar;
mod parts;
mod properties;

const HEX: &str = "0123456789abcdef0123456789abcdef";
const OTHER_HEX: &str = "ffffffffffffffffffffffffffffffff";
const UUID: &str = "5ce83906-6563-46b7-8045-11c20e3a5766";
const OTHER_UUID: &str = "11111111-2222-3333-4444-555555555555";
const MRK: &str = "mrk-0123456789abcdef0123456789abcdef";
const ARN: &str = "arn:aws:kms:us-east-1:111122223333:key/5ce83906-6563-46b7-8045-11c20e3a5766";
const MRK_ARN: &str = "arn:aws:kms:us-east-1:111122223333:key/mrk-0123456789abcdef0123456789abcdef";
const MRK_ARN_EU: &str =
    "arn:aws:kms:eu-west-1:111122223333:key/mrk-0123456789abcdef0123456789abcdef";
const ALIAS_ARN: &str = "arn:aws:kms:us-east-1:111122223333:alias/backup";
const AZURE: &str = "https://payments.vault.azure.net/keys/backup/0123456789abcdef0123456789abcdef";
const AZURE_KEY: &str = "https://payments.vault.azure.net/keys/backup";
const GCP_KEY: &str = "projects/payments/locations/us-east1/keyRings/Ring_1/cryptoKeys/backup";
const GCP: &str =
    "projects/payments/locations/us-east1/keyRings/Ring_1/cryptoKeys/backup/cryptoKeyVersions/3";
const GCP_NUMBER: &str =
    "projects/4711/locations/us-east1/keyRings/Ring_1/cryptoKeys/backup/cryptoKeyVersions/3";
const KMIP: &str = "kmip://hsm-a/17";

fn read(text: &str) -> Spelling {
    Spelling::read(text)
}

fn key(text: &str) -> KeyId {
    text.parse().unwrap()
}

fn unit(text: &str) -> Unit {
    Unit::parse(text).unwrap()
}

fn form(spelling: &Spelling) -> &'static str {
    match spelling {
        Spelling::Complete(KeyId::Aws(_)) => "aws",
        Spelling::Complete(KeyId::Azure(_)) => "azure",
        Spelling::Complete(KeyId::Gcp(_)) => "gcp",
        Spelling::Complete(KeyId::Kmip(_)) => "kmip",
        Spelling::AwsId { .. } => "aws id",
        Spelling::AwsAlias(_) => "aws alias",
        Spelling::AzureKey(_) => "azure key",
        Spelling::AzureVersion(_) => "azure version",
        Spelling::GcpKey(_) => "gcp key",
        Spelling::Opaque(_) => "opaque",
    }
}
