"""Sends a message to an official account's server as WeChat does, and reads its answer, both with PyPI `wechatpy`.

The standard input is JSON: `url`, `app_id`, `token`, `aes_key`, and the members of the message, `message`. `now` is when it
is signed, in seconds, and `signed_with` another token, if it is forged. Prints JSON: `status`, and `text` of a reply, or
`raw` of what is none.
"""

import json
import secrets
import sys
import time
from xml.sax.saxutils import escape

import requests
import xmltodict
from wechatpy import parse_message
from wechatpy.crypto import WeChatCrypto
from wechatpy.exceptions import InvalidSignatureException

asked = json.load(sys.stdin)
timestamp = str(asked.get("now", int(time.time())))
nonce = secrets.token_hex(8)
members = {"CreateTime": timestamp, **asked["message"]}
message = "".join(f"<{name}>{escape(value)}</{name}>" for name, value in members.items())

sender = WeChatCrypto(asked.get("signed_with", asked["token"]), asked["aes_key"], asked["app_id"])
sealed = xmltodict.parse(sender.encrypt_message(f"<xml>{message}</xml>", nonce, timestamp))["xml"]
body = f"<xml><ToUserName>{asked['message']['ToUserName']}</ToUserName><Encrypt>{sealed['Encrypt']}</Encrypt></xml>"
parameters = {
    "timestamp": timestamp,
    "nonce": nonce,
    "openid": asked["message"]["FromUserName"],
    "encrypt_type": "aes",
    "msg_signature": sealed["MsgSignature"],
}
answer = requests.post(asked["url"], params=parameters, data=body.encode(), timeout=5)
result = {"status": answer.status_code}
if answer.status_code == 200 and b"<Encrypt>" in answer.content:
    reader = WeChatCrypto(asked["token"], asked["aes_key"], asked["app_id"])
    reply = xmltodict.parse(answer.text)["xml"]
    told = (reply["MsgSignature"], reply["TimeStamp"], reply["Nonce"])
    opened = parse_message(reader.decrypt_message(answer.text, *told))
    result |= {"kind": opened.type, "text": opened.content, "from": opened.source, "to": opened.target}
    # A signature that is not checked would pass as well.
    try:
        reader.decrypt_message(answer.text, "0" * 40, *told[1:])
        result["checks"] = False
    except InvalidSignatureException:
        result["checks"] = True
else:
    result["raw"] = answer.text
print(json.dumps(result))
