import secrets

from authlib.integrations.flask_client import OAuth
from flask import Flask, url_for

app = Flask(__name__)
app.secret_key = secrets.token_bytes()
hufu = OAuth(app).register(
    "hufu",
    client_id="6560c0ffee00000000000003",
    client_secret="demonstration-secret-of-the-website-01",
    server_metadata_url="http://127.0.0.1:3000/oidc/.well-known/openid-configuration",
    client_kwargs={"scope": "openid profile phone", "code_challenge_method": "S256"},
)


@app.get("/login")
def login():
    return hufu.authorize_redirect(url_for("callback", _external=True))


@app.get("/callback")
def callback():
    token = hufu.authorize_access_token()  # checks the state, the ID token and its nonce
    return {"claims": token["userinfo"]}  # sub is the user's id
