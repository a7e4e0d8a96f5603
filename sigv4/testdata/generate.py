"""Writes botocore.json beside itself: requests signed by botocore, which signs for the AWS CLI.

Run it again only to change the cases: python3 generate.py (needs botocore).
"""
import datetime
import json
import os
import random
from unittest import mock
from urllib.parse import quote

import botocore.auth as auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

WORD = "abcXYZ019"
TEXT = WORD + " -_.~!*'()$&+,/:;=?@#%ä漢"
SIGNERS = {(False, False): auth.SigV4Auth, (True, False): auth.S3SigV4Auth,
           (False, True): auth.SigV4QueryAuth, (True, True): auth.S3SigV4QueryAuth}
random.seed(7)


def word(alphabet, least, most):
    return "".join(random.choice(alphabet) for _ in range(random.randint(least, most)))


def segment(i):
    if random.random() < 0.8 or i % 3:
        return "s" + word(TEXT, 0, 8)
    return random.choice(["", "..", "."])


def case(i):
    s3, presigned = i % 2 == 1, i % 5 == 4
    token = word(WORD + "/+=", 20, 60) if random.random() < 0.5 else None
    keys = Credentials("AKIA" + word("ABCD234", 16, 16), word(WORD + "/+", 20, 40), token)
    method = random.choice(["GET", "POST", "PUT", "DELETE"])
    body = word(TEXT, 0, 50) if method in ("POST", "PUT") and not presigned else ""
    path = "/" + "/".join(quote(segment(i), safe="~") for _ in range(random.randint(1, 4)))
    query = "&".join(quote(word(TEXT, 1, 5), safe="~") + "=" + quote(word(TEXT, 0, 6), safe="~")
                     for _ in range(random.randint(0, 5)))
    host = random.choice(["iam.example", "s3.example:9000"])
    now = datetime.datetime(2026, random.randint(1, 12), random.randint(1, 28), random.randint(0, 23),
                            random.randint(0, 59), random.randint(0, 59))
    headers = {}
    if random.random() < 0.7:
        headers["X-Amz-Meta-" + word(WORD[:3], 1, 4)] = word(WORD + "  -=;", 1, 12).strip() or "x"
    if body:
        headers["Content-Type"] = "text/plain; charset=utf-8"
    base = "https://" + host
    request = AWSRequest(method=method, url=base + path + ("?" + query if query else ""), headers=headers,
                         data=body.encode())
    request.context["payload_signing_enabled"] = True
    service = "s3" if s3 else random.choice(["iam", "sts"])
    with mock.patch("botocore.auth.get_current_datetime", return_value=now):
        SIGNERS[s3, presigned](keys, service, "eu-central-1").add_auth(request)
    return {"method": method, "host": host, "target": request.url[len(base):],
            "headers": [list(h) for h in request.headers.items()], "body": body, "secret": keys.secret_key,
            "token": token or "", "time": request.context["timestamp"], "s3": s3, "presigned": presigned}


if __name__ == "__main__":
    with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "botocore.json"), "w") as f:
        json.dump([case(i) for i in range(60)], f, indent=1, ensure_ascii=False)
