"""Makes one key for each state that moto knows, and a role, with AWS's own client library.

    aws_states.py URL

Prints one JSON object: the ARN of each key by name, that of the role, and credentials.
"""

import json
import sys

import botocore.session


def client(service):
    session = botocore.session.Session()
    session.set_credentials("test", "test")
    return session.create_client(service, region_name="eu-west-1", endpoint_url=sys.argv[1])


kms = client("kms")
names = ("enabled", "disabled", "deleting", "rescued", "revived")
keys = {name: kms.create_key()["KeyMetadata"]["Arn"] for name in names}
# moto changes keys by their bare ids only.
ids = {name: arn.rsplit("/", 1)[1] for name, arn in keys.items()}
kms.disable_key(KeyId=ids["disabled"])
for name in ("deleting", "rescued", "revived"):
    kms.schedule_key_deletion(KeyId=ids[name], PendingWindowInDays=7)
for name in ("rescued", "revived"):
    kms.cancel_key_deletion(KeyId=ids[name])
kms.enable_key(KeyId=ids["revived"])
keys["missing"] = keys["enabled"].rsplit("/", 1)[0] + "/00000000-0000-4000-8000-000000000000"
trust = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}],
}
role = client("iam").create_role(
    RoleName="snapkey-audit", AssumeRolePolicyDocument=json.dumps(trust)
)
keys["role"] = role["Role"]["Arn"]
json.dump({"keys": keys, "id": "test", "secret": "test"}, sys.stdout)
