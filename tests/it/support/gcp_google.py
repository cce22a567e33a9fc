"""Google's own definitions of Cloud KMS (the package google-cloud-kms), on either side of a socket.

    gcp_google.py serve       answers the v1 REST interface with Google's messages, one key for each
                              state that Google's enum has and for what else qualifies a state;
                              prints its port
    gcp_google.py ask URL     asks URL with Google's REST client about the keys whose names come in
                              on standard input, and prints what it understood
"""

import http.server
import json
import sys
import urllib.parse

import grpc
from google.api_core import exceptions
from google.auth.credentials import AnonymousCredentials
from google.cloud import kms_v1
from google.cloud.kms_v1.services.key_management_service import transports
from google.protobuf import any_pb2, json_format, timestamp_pb2
from google.rpc import error_details_pb2, status_pb2

PARENT = "projects/payments/locations/europe-west3"
State = kms_v1.CryptoKeyVersion.CryptoKeyVersionState
Purpose = kms_v1.CryptoKey.CryptoKeyPurpose


def version(key, **fields):
    fields = {"state": State.ENABLED, "protection_level": kms_v1.ProtectionLevel.SOFTWARE} | fields
    return kms_v1.CryptoKeyVersion(name=f"{key}/cryptoKeyVersions/1", **fields)


def world():
    """Name of a key -> the key and its version."""
    made = {}

    def put(name, key=None, **fields):
        path = f"{PARENT}/keyRings/r/cryptoKeys/{name}"
        key = {"purpose": Purpose.ENCRYPT_DECRYPT} | (key or {})
        made[path] = (kms_v1.CryptoKey(name=path, **key), version(path, **fields))

    for state in State:
        put(f"state-{state.name}", state=state)
    for level in kms_v1.ProtectionLevel:
        put(f"level-{level.name}", protection_level=level)
    later = timestamp_pb2.Timestamp(seconds=4_000_000_000, nanos=750_000_000)
    put("dated", state=State.DESTROY_SCHEDULED, destroy_time=later)
    put("importable", state=State.DESTROYED, reimport_eligible=True)
    policy = kms_v1.KeyAccessJustificationsPolicy
    reason = kms_v1.AccessReason
    put("deny-all", key={"key_access_justifications_policy": policy()})
    customer = policy(allowed_access_reasons=[reason.CUSTOMER_INITIATED_ACCESS])
    put("justified", key={"key_access_justifications_policy": customer})
    google = policy(allowed_access_reasons=[reason.GOOGLE_INITIATED_SERVICE])
    put("unjustified", key={"key_access_justifications_policy": google})
    put("signing", key={"purpose": Purpose.ASYMMETRIC_SIGN})
    return made


def error(code, message, reason=None):
    """HTTP status and body of a google.rpc.Status (AIP-193)."""
    status = status_pb2.Status(code=code.value[0], message=message)
    if reason:
        info = error_details_pb2.ErrorInfo(reason=reason, domain="googleapis.com")
        info.metadata["consumer"] = "projects/4711"
        packed = any_pb2.Any()
        packed.Pack(info)
        status.details.append(packed)
    body = json_format.MessageToDict(status)
    body["code"] = exceptions.from_grpc_status(code, message).code
    body["status"] = code.name
    return int(body["code"]), json.dumps({"error": body})


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    keys = world()

    def do_GET(self):
        url = urllib.parse.urlsplit(self.path)
        query = dict(urllib.parse.parse_qsl(url.query))
        name = url.path.removeprefix("/v1/")
        status, body = self.answer(name, "enum-encoding=int" in query.get("$alt", ""))
        data = body.encode()
        head = f"HTTP/1.1 {status} X\r\nContent-Type: application/json\r\n"
        self.wfile.write(head.encode() + b"Content-Length: %d\r\n\r\n" % len(data) + data)

    def answer(self, name, numbers):
        key, _, one = name.partition("/cryptoKeyVersions")
        if name.endswith("/retiredResources"):
            return 200, self.text(kms_v1.ListRetiredResourcesResponse(), numbers)
        if key.endswith("/hidden"):
            text = f"Permission 'cloudkms.x' denied on resource '{key}' (or it may not exist)."
            return error(grpc.StatusCode.PERMISSION_DENIED, text, "IAM_PERMISSION_DENIED")
        if key.endswith("/switched-off"):
            return error(grpc.StatusCode.PERMISSION_DENIED, "switched off", "SERVICE_DISABLED")
        if key not in self.keys:
            return error(grpc.StatusCode.NOT_FOUND, f"CryptoKey {key} not found.")
        if name == key:
            return 200, self.text(self.keys[key][0], numbers)
        if one:
            return 200, self.text(self.keys[key][1], numbers)
        versions = [self.keys[key][1]]
        page = kms_v1.ListCryptoKeyVersionsResponse(crypto_key_versions=versions, total_size=1)
        return 200, self.text(page, numbers)

    @staticmethod
    def text(message, numbers):
        # Without fields at their defaults: so the service leaves out `false` and empty lists.
        return type(message).to_json(
            message, use_integers_for_enums=numbers, including_default_value_fields=False
        )

    def log_message(self, *_arguments):
        pass


def serve():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    print(json.dumps({"port": server.server_port, "keys": sorted(Handler.keys)}), flush=True)
    server.serve_forever()


def ask(url):
    host = urllib.parse.urlsplit(url).netloc
    transport = transports.KeyManagementServiceRestTransport(
        host=host, url_scheme="http", credentials=AnonymousCredentials()
    )
    client = kms_v1.KeyManagementServiceClient(transport=transport)

    def word(value):
        return getattr(value, "name", None) or str(int(value))

    understood = {}
    for name in json.load(sys.stdin):
        try:
            versions = client.list_crypto_key_versions(parent=name, retry=None)
            states = [word(one.state) for one in versions]
            key = client.get_crypto_key(name=name, retry=None)
            understood[name] = f"{' '.join(states)} {word(key.purpose)}"
        except exceptions.GoogleAPICallError as refusal:
            understood[name] = f"{int(refusal.code)} {refusal.reason or '-'}"
    print(json.dumps(understood))


if __name__ == "__main__":
    serve() if sys.argv[1] == "serve" else ask(sys.argv[2])
