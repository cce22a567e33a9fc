"""Makes a world of keys in an emulator of AWS KMS and IAM, with AWS's own client library.

    aws_world.py URL

Prints one JSON object: the ARN of each key by name, and the credentials of an auditor who may
describe every key but one.
"""

import datetime
import json
import os
import sys

import botocore.session
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding

URL = sys.argv[1]
HOME, AWAY = "eu-west-1", "us-east-1"
# Far enough ahead that the world does not age: 2040-01-01.
VALID_TO = datetime.datetime(2040, 1, 1, tzinfo=datetime.timezone.utc)


def client(service, region=HOME):
    session = botocore.session.Session()
    session.set_credentials("test", "test")
    return session.create_client(service, region_name=region, endpoint_url=URL)


kms = client("kms")


def make(**options):
    return kms.create_key(**options)["KeyMetadata"]["Arn"]


def import_material(arn, **options):
    parameters = kms.get_parameters_for_import(
        KeyId=arn, WrappingAlgorithm="RSAES_OAEP_SHA_256", WrappingKeySpec="RSA_2048"
    )
    wrapping = serialization.load_der_public_key(parameters["PublicKey"])
    sha256 = hashes.SHA256()
    wrapped = wrapping.encrypt(
        os.urandom(32), padding.OAEP(mgf=padding.MGF1(sha256), algorithm=sha256, label=None)
    )
    kms.import_key_material(
        KeyId=arn,
        ImportToken=parameters["ImportToken"],
        EncryptedKeyMaterial=wrapped,
        **options,
    )


keys = {name: make() for name in ("enabled", "disabled", "deleting", "rescued", "denied")}
kms.disable_key(KeyId=keys["disabled"])
for name in ("deleting", "rescued"):
    kms.schedule_key_deletion(KeyId=keys[name], PendingWindowInDays=7)
kms.cancel_key_deletion(KeyId=keys["rescued"])

for name in ("awaiting", "imported", "expiring", "emptied"):
    keys[name] = make(Origin="EXTERNAL")
import_material(keys["imported"], ExpirationModel="KEY_MATERIAL_DOES_NOT_EXPIRE")
import_material(keys["expiring"], ExpirationModel="KEY_MATERIAL_EXPIRES", ValidTo=VALID_TO)
import_material(keys["emptied"], ExpirationModel="KEY_MATERIAL_DOES_NOT_EXPIRE")
kms.delete_imported_key_material(KeyId=keys["emptied"])

for name in ("spread", "shrinking"):
    keys[name] = make(MultiRegion=True)
    kms.replicate_key(KeyId=keys[name], ReplicaRegion=AWAY)
kms.schedule_key_deletion(KeyId=keys["shrinking"], PendingWindowInDays=7)

keys["missing"] = keys["enabled"].rsplit("/", 1)[0] + "/00000000-0000-4000-8000-000000000000"
keys["elsewhere"] = keys["enabled"].replace(HOME, AWAY)

iam = client("iam")
iam.create_user(UserName="auditor")
others = sorted(set(keys.values()) - {keys["denied"]})
others += [keys[name].replace(HOME, AWAY) for name in ("spread", "shrinking")]
iam.put_user_policy(
    UserName="auditor",
    PolicyName="read",
    PolicyDocument=json.dumps(
        {
            "Version": "2012-10-17",
            "Statement": [
                {"Effect": "Allow", "Action": "kms:DescribeKey", "Resource": others},
                {"Effect": "Allow", "Action": "sts:GetCallerIdentity", "Resource": "*"},
            ],
        }
    ),
)
access = iam.create_access_key(UserName="auditor")["AccessKey"]
json.dump(
    {"keys": keys, "id": access["AccessKeyId"], "secret": access["SecretAccessKey"]}, sys.stdout
)
