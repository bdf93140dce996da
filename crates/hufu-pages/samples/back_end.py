import sys

import jwt

issuer = "http://127.0.0.1:3000/oidc"
keys = jwt.PyJWKClient(issuer + "/.well-known/jwks.json")


def user_of(token):
    verified = jwt.decode_complete(
        token,
        keys.get_signing_key_from_jwt(token),
        algorithms=["ES256"],
        issuer=issuer,
        audience="6560c0ffee00000000000002",
        options={"require": ["iss", "aud", "sub", "exp"]},
    )
    if verified["header"].get("typ") != "hufu-user+jwt":
        raise jwt.InvalidTokenError("not a user token")
    return verified["payload"]["sub"]  # the user's id, the same in every application of the pool


print(user_of(sys.argv[1]))
