"""Asks about keys with Microsoft's own client of Key Vault (the package azure-keyvault-keys).

    azure_microsoft.py PROXY CA_FILE TOKEN

Reads URLs of keys without a version from standard input, and prints what the client made of each:
its versions with what they may be used for, or the date of its purge, or the refusal.
"""

import json
import sys
import time
import urllib.parse

from azure.core.credentials import AccessToken
from azure.core.exceptions import HttpResponseError
from azure.keyvault.keys import KeyClient

PROXY, CA_FILE, TOKEN = sys.argv[1:]


class Given:
    def get_token(self, *_scopes, **_options):
        return AccessToken(TOKEN, int(time.time()) + 3600)


def client(vault):
    return KeyClient(
        vault,
        Given(),
        proxies={"https": PROXY},
        connection_verify=CA_FILE,
        retry_total=0,
    )


def word(value):
    if value is None:
        return "-"
    return str(int(value.timestamp())) if hasattr(value, "timestamp") else str(value).lower()


def refusal(error):
    told = error.error
    inner = (told.innererror or {}).get("code") if told else None
    return f"{error.status_code} {told.code if told else '-'} {inner or '-'}"


def versions(keys, name):
    told = []
    for listed in keys.list_properties_of_key_versions(name):
        shown = keys.get_key(name, listed.version)
        dates = f"{word(listed.not_before)} {word(listed.expires_on)}"
        operations = ",".join(str(operation) for operation in shown.key_operations)
        told.append(f"{listed.version} {word(listed.enabled)} {dates} {operations}")
    return told


def deleted(keys, name):
    key = keys.get_deleted_key(name)
    return [f"deleted {key.name} {word(key.scheduled_purge_date)}"]


understood = {}
for url in json.load(sys.stdin):
    parts = urllib.parse.urlsplit(url)
    keys, name = client(f"https://{parts.netloc}"), parts.path.split("/")[2]
    try:
        understood[url] = versions(keys, name)
    except HttpResponseError as error:
        understood[url] = [refusal(error)]
        try:
            understood[url] += deleted(keys, name)
        except HttpResponseError as error:
            understood[url].append(refusal(error))
print(json.dumps(understood))
