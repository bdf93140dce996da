# A website that logs people in with Authlib and Flask.
#
# ISSUER, CLIENT_ID and CLIENT_SECRET say where and as what. People who are logged in are kept in memory.
import os
import secrets

from authlib.common.errors import AuthlibBaseError
from authlib.integrations.flask_client import OAuth
from flask import Flask, redirect, session, url_for
from joserfc.errors import JoseError

app = Flask(__name__)
app.secret_key = secrets.token_bytes()
logins = {}

hufu = OAuth(app).register(
    "hufu",
    client_id=os.environ["CLIENT_ID"],
    client_secret=os.environ["CLIENT_SECRET"],
    server_metadata_url=os.environ["ISSUER"] + "/.well-known/openid-configuration",
    client_kwargs={"scope": "openid profile email offline_access", "code_challenge_method": "S256"},
)


@app.get("/login")
def login():
    return hufu.authorize_redirect(url_for("callback", _external=True))


@app.get("/callback")
def callback():
    token = hufu.authorize_access_token()  # checks the state, the ID token and its nonce
    session["id"] = secrets.token_urlsafe()
    logins[session["id"]] = token
    return redirect("/")


@app.get("/")
def home():
    token = logins.get(session.get("id"))
    if token is None:
        return {"error": "nobody is logged in"}, 401
    return {"claims": token["userinfo"], "userinfo": hufu.userinfo(token=token)}


@app.get("/refresh")
def refresh():
    token = logins[session["id"]]
    new = hufu.fetch_access_token(grant_type="refresh_token", refresh_token=token["refresh_token"])
    logins[session["id"]] = {**token, **new}
    return redirect("/")


@app.get("/logout")
def logout():
    token = logins.pop(session.pop("id"))
    return hufu.logout_redirect(url_for("home", _external=True), id_token_hint=token["id_token"])


@app.errorhandler(AuthlibBaseError)
@app.errorhandler(JoseError)
def refused(error):
    return {"error": str(error)}, 403
