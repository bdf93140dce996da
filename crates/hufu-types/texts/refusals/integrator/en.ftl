# What integrators read in JSON responses and logs: what is wrong, and what to do.

## The request and what it refers to

nothing-named = The request names no application: configure the SDK with an appId. A userPoolId alone is not sent with every call.
pool-unknown = There is no such user pool: check userPoolId and host.
application-unknown = There is no such application, or it is disabled: check appId and host.
no-default-application = The user pool has no default application: send an appId, or mark an application as the default.
disagreement = appId, userPoolId and token belong to different user pools: check the settings and log in again.
connection-unknown = There is no connection { $connection }: check extIdpConnidentifier.
nameless-connection-unknown = There is no such connection: check extIdpConnidentifier.
connection-off = The connection { $connection } is disabled: ask the administrator to enable it, or log in another way.
connection-not-for-application = The connection { $connection } is not enabled for this application: enable it there.
no-connection = No connection of type { $kind } is enabled for this application: create one and enable it.
connection-of-other-kind = The connection { $connection } is of type { $kind }, which this call does not support: check extIdpConnidentifier.
other-mini-program = The request comes from mini program { $app }, for which this application has no connection: check the AppID.
invalid = The request is not valid: { $reason }.
body-too-large = The body is too large: send at most { $limit } bytes.
body-slow = The body arrived too slowly: check the network and send the request again.
content-type-wrong = The content type of the body is not JSON: send content-type: application/json.

## WeChat codes and data encrypted by WeChat

code-malformed = The code is malformed: send the code as WeChat gave it (in a mini program, what wx.login returned).
code-invalid = WeChat rejected the code (unknown, expired, or from another app): start the login again for a new one (in a mini program, call wx.login again) and check the AppID.
code-used = The code was used before: start the login again for a new one (in a mini program, call wx.login again).
phone-code-invalid = WeChat rejected the phone code (unknown, expired or used): let the user tap the phone button again.
data-undecryptable = The encrypted data cannot be decrypted: call wx.login first, then get the data, and send the same code with it.
phone-malformed = The phone number from WeChat is malformed: let the user tap the phone button again.
grant-invalid = The refresh token is not valid: log in again.
grant-unsupported = This grant_type is not supported: use authorization_code, refresh_token or client_credentials.

## WeChat itself

wechat-denied = WeChat does not let this user log in: use another way to log in.
misconfigured = WeChat does not accept the settings of this connection: ask the administrator to check it, first AppID, AppSecret and IP allow-list.
launch-ticket-invalid = The ticket is unknown, has expired or was used: launch the mini program again.
app-down = WeChat has frozen this app or taken it down: log in another way; the administrator can find the reason on WeChat's platform.
connection-unavailable = The connection { $connection } is unavailable, because WeChat has taken its app out of service: log in another way; `hufu doctor` says what to do.
no-app-tokens = WeChat issues no app tokens for apps of the kind of connection { $connection }: ask for that of a mini program or an official account.
wechat-limit = WeChat's rate limit has been reached: try again in { $seconds } seconds.
wechat-slow = WeChat did not answer in time: start the login again with a new code (in a mini program, call wx.login again).
wechat-down = WeChat is busy or unreachable: start the login again in a moment with a new code (in a mini program, call wx.login again).
wechat-nonsense = WeChat's response could not be understood: try again; if it keeps happening, tell the administrator.

## The user

no-account = The user does not exist: this login method only works for existing accounts; register or bind another way first.
not-listed = The application has access = "listed" and does not list this user: list them through /admin/v1, or open the application to everybody.
registration-off = This user pool does not allow registration: log in with an existing account, or ask the administrator for one.
snapshot-user = This is WeChat's snapshot page, where nobody can log in: tap "Use full service" at its bottom right and try again.
disabled = The account is disabled: contact the administrator.
deletion-pending = The account was deleted by its owner and will be permanently deleted at { $at }: ask the administrator to restore it before then.
deletion-under-way = The account was deleted by its owner, and its days of grace run: ask the administrator to restore it.
not-logged-in = Not logged in, or the login has ended: log in again.
not-yourself = You can only act on your own account: send your own user id.
identity-taken = This WeChat identity is bound to another account: unbind it there first.
another-identity-bound = Your account is bound to another WeChat identity of this app: unbind that first.
too-often = Too many requests: wait { $seconds } seconds and try again.

## Waiting logins

bind-or-create = No account is linked to this identity: bind an existing account or create a new one.
bind = No account is linked to this identity: bind an existing account.
set-password = Set a new password to continue the login.
fill-in = Fill in what is missing to continue the login.
agree = Read and accept the agreements to continue the login.
choose = You have several accounts: choose one to log in with, or merge them.
flow-unknown = There is no such login in progress, or it has ended: log in again.
method-not-permitted = This connection does not allow this binding method: use one of the methods that were offered.
still-missing = Something required is still missing: see missing and agreements in the response.
not-a-candidate = This account is not one of those to choose from: send the id of one of the accounts in the response.
step-impossible = This step is not possible at this point in the login: continue as indicated by stage and actions.

## Administration

management-key-invalid = The management key, its signature or its token is not valid: check the pool's id and secret; `hufu admin management-key` makes a new one.
signature-stale = The signed request is more than { $most } seconds off: set the clock of the machine that signs, and sign each request when you send it.
signature-used = The signed request was received before: sign each request with a new `x-authing-signature-nonce`.
not-served-yet = Hufu has no { $subject } yet: docs/clients.md lists the calls that are served.
field-not-served = Hufu has nothing for { $field } yet: leave it out; docs/clients.md says what is served.
no-such-management-key = The pool has no such management key: check its id.
page-too-far = The page lies more than { $rows } rows beyond what was read lately: read the list page after page from its beginning, or narrow it.
secret-not-kept = A client secret is shown only when it is made, because only its hash is kept: keep it yourself, or make a new one with refresh-application-secret.
no-such-source = The pool has no such identity source: check its id; list-ext-idp has them.
too-many-sources = The pool has { $most } identity sources, as many as it may have: delete one that is not used.
source-not-one = The identity source has several connections, or none: name the connection by its own id.
access-key-invalid = The access key is not valid: send one as `Authorization: Bearer …`; `hufu admin create-key` creates one.
administrator-unknown = Username or password is wrong: check them and try again.
not-permitted = Your role lacks { $permission }: use a key whose role has it.
user-unknown = There is no such user: check the id.
pool-off = The user pool is switched off: an owner can switch it on again.
pool-removed = The user pool was removed: restore it first.
pool-not-removed = The user pool was not removed, or its data is being deleted: there is nothing to restore.
recent-login-needed = This needs a login within the last { $minutes } minutes: log in again with POST /admin/v1/sessions, or with prompt=login.
application-gone = The application was removed or disabled while somebody was logging in to it: start the login from another application.
last-owner = The user is the last owner of all pools who can log in: make somebody else an owner of all pools first. The command line may do this.
invitation-unknown = The invitation was used or withdrawn, or has expired: ask for another one.
admin-login-expired = The login is not the one that this browser began, or its code or state is not good any more: open /administration and log in again.
entry-link-unknown = The link was used or replaced, or has expired: make another one with `hufu admin login-link`.
no-such-invitation = There is no such invitation: check its id.
changed-meanwhile = The user has changed since you read it: read it again, then send your change.
name-taken = Another user has this { $field }: choose another one.
no-such-access-key = There is no such access key: check its id.
no-such-administrator = There is no such administrator: check the id.
no-such-session = There is no such session: check its id.
no-such-identity = There is no such identity: check its id.
no-such-login-name = There is no such login name: check it.
no-such-connection = There is no such connection: check its identifier.
no-such-import = There is no such import: check its id.
no-such-webhook = There is no such webhook: check its id.
no-such-delivery = There is no such delivery: check its id.
no-such-event = There is no such entry of the audit log: check its id.
no-such-application = There is no such application: check its id.
no-such-secret = There is no such client secret: check its id.
no-such-sender = The user pool has no sender for this channel: set one first.
no-such-item = The user pool has nothing of this name here: check the name.
object-changed = The object has changed since you read it, and is now as in "present": apply your change to that.
object-taken = The { $field } is already taken: choose another one.
configuration-invalid = The object cannot be as requested: "problems" lists what to correct.
only-secret = This is the application's only client secret: make a new one first.
merged-into = The account was merged into { $user }: use that one.
deletion-not-requested = The deletion of this account was not requested: there is nothing to cancel.
account-archived = The account is archived: restore it first.
deletion-requested = The owner has requested the deletion of this account: cancel the deletion first.
new-password-needed = The password must be replaced first: send `newPassword` as well.
import-invalid = The file cannot be imported: { $reason }.
import-unfinished = An import of a different file with this name stopped after { $rows } rows: send that file again, or `startOver=true`.
import-running = An import of this user pool is running: wait until it has finished, or cancel it.
import-too-large = The file is too large: at most { $limit } bytes; `hufu import` takes larger ones.
imports-too-large = The files of all imports on this server together are too large: at most { $limit } bytes; try again when one has finished.
import-ended = The import has finished or was cancelled: there is nothing to cancel.
too-many-webhooks = The user pool already has { $most } webhooks: delete one that is not used.
delivery-waiting = The delivery is already in progress: there is nothing to send again.

## Passwords and codes by SMS and e-mail

wrong-code = The code is wrong or has expired: check it, or request a new one.
no-sms-sender = No SMS sender is configured: ask the administrator to set one up for this user pool.
no-mail-sender = No e-mail sender is configured: ask the administrator to set one up for this user pool.
step-token-invalid = The token of the first step is unknown, used or expired (it is valid for 60 s): start again.
code-needed = Registering with an e-mail address requires a code: send a registration code to the address, then register with that code; or register with a phone number or a username.
wrong-password = The account or the password is wrong: check both, or reset the password.
locked = Too many wrong passwords, so the account is locked for now: wait 15 minutes, or unlock it or reset the password with a code by SMS or e-mail.
password-too-short = The password is too short: choose a longer one.
password-too-long = The password is too long: choose a shorter one.
password-too-common = The password is too common and easy to guess: choose another.
password-contains-name = The password contains a name of the account: choose one that does not.
password-too-plain = The password is too simple: mix letters and digits (at the high level also lower and upper case, with 12 characters or more).
username-taken = This username is taken: choose another.
phone-taken = This phone number belongs to another account: log in with it, or unbind it there first.
email-taken = This e-mail address belongs to another account: log in with it, or unbind it there first.
account-exists = This account already exists: log in, or reset the password.
old-password-needed = The old password is required: send it too, or reset the password with a code.
old-password-wrong = The old password is wrong: check it, or reset the password with a code.
old-phone-mismatch = The old phone number is not the account's, or is not verified: send the current number with the code sent to it.
old-email-mismatch = The old e-mail address is not the account's, or is not verified: send the current address with the code sent to it.
has-phone = The account already has a phone number: change it instead of binding one.
has-email = The account already has an e-mail address: change it instead of binding one.
not-bound = Nothing of this kind is bound to the account: there is nothing to unbind.
last-way-in = This is the only way to log in to the account: bind another one first.
existence-hidden = This user pool does not reveal which accounts exist: ask the administrator to allow it, or just log in or register.

## The user's own account

login-too-old = For security, this requires a login within the last { $minutes } minutes: log in again, then retry.
field-not-editable = Only administrators can change the field { $field }: leave it out.
session-unknown = There is no such session, or it has ended: read the list again.
consent-unknown = The account has not agreed to anything for this application, or withdrew it: read the list again.
merge-unknown = There is no such merge: check its id.
merge-already-undone = This merge has already been undone: there is nothing to undo.
merge-too-old = The merge is too old to be undone: the accounts stay one.
survivor-merged = The account has since been merged into another one: undo that later merge first.
same-account = Both are already the same account: there is nothing to merge.
merge-impossible = One of the accounts is disabled, about to be deleted, or merged into another: only active accounts can be merged.
insufficient-scope = The access token lacks the scope { $scope }: request it at login.
has-username = The account already has a username: ask the administrator to change it.

## OpenID Connect

client-unauthorized = The client is unknown or did not authenticate as registered: check client_id, client_secret and the application's token_auth.
redirect-uri-unknown = The redirect_uri is missing or is not registered: send one of the application's redirect_uris, character by character.
grant-not-allowed = The application does not have the grant { $grant }: add it to the application's grants.
authorization-code-invalid = The authorization code is not valid (unknown, expired, used, or issued for another client, redirect_uri or PKCE verifier): start the login again.
login-request-expired = The login page belongs to an authorization request that is too old or was not made here: start the login again.
source-login-unknown = The state of this login is unknown, older than ten minutes, or of another connection: start the login again.
source-login-elsewhere = The login was started in another browser, or the browser keeps no cookies: start it again in the browser where it ends.
source-login-denied = WeChat brought no code back: the person did not agree. Let them start again.
source-login-answered = A code was brought back for this login before, and this is another one: start the login again.
callback-unknown = The redirect_url is not registered: send one of the application's redirect_uris, or of the connection's callback.
login-given-up = The person gave up the login. Let them start again.
login-method-off = The application does not offer { $method }: add it to login.methods or login.registration of the application.
logout-uri-unknown = The post_logout_redirect_uri is not registered: send one of the application's logout_redirect_uris.
third-party-token = The token was granted to an application that asks for consent, and opens /oidc/me alone: let the user do this in an application without consent.
token-not-revocable = A token of client_credentials cannot be revoked: it expires by itself; rotate the client secret if it leaked.
consent-needed = The application asks its users for consent, so they log in to it on the login page (/oidc/auth): start an authorization request.
request-object-invalid = The request object is not valid: sign it with a key of the application's jwks_uri or jwks, with iss the client_id, aud the issuer and a redirect_uri.
request-object-unsupported = The application has no public keys to verify request objects with, or the request object is not signed: set its jwks_uri or jwks, and sign it.
registration-unauthorized = The token with which clients register, or manage themselves, is missing, unknown, expired or replaced: get one from `hufu admin registration-token`, or use the registration_access_token of the last answer.
client-metadata-invalid = The client metadata { $field } is not accepted: { $problem }.
redirect-uri-invalid = The redirect URI in { $field } is not accepted: { $problem }.
too-many-clients = { $most } clients have registered, and no more may: remove those that are not used, or ask the operator.
pushed-request-unknown = The request_uri is unknown, expired, used, or another client's: push the request again.
request-uri-invalid = The request_uri is not valid: send one of the application's request_uris, where its server answers with a signed request object.
request-uri-unsupported = The request object cannot be fetched from a request_uri: set the application's request_uris and its jwks_uri or jwks, and sign the object.
sector-invalid = The sector of the pairwise subjects is not clear: set sector_identifier_uri to a JSON list of all redirect_uris.
target-invalid = The resource is not one that this client can get a token for: send addresses in `resources` of enabled api applications of the user pool, and at the token endpoint those of the authorization request alone.
hint-invalid = The id_token_hint is not an ID token of this server: send the one that the login returned.
user-code-unknown = The user code is not valid (unknown, expired, or answered before): use the one that the device shows now.
device-pending = The person has not answered yet: ask again after the interval.
device-too-fast = The device asks too often: wait five seconds longer between two questions from now on.
device-denied = The person denied the login of the device: stop asking.
device-code-expired = The device code has expired, or the login that approved it has ended: request new codes.
device-code-invalid = The device code is not valid (unknown, used, or issued for another client): request new codes.
dpop-proof-invalid = The DPoP proof is missing or not valid ({ $part }): send one header DPoP with a new JWT for this method and address, signed with the key in its jwk.
dpop-nonce-needed = The DPoP proof needs the current nonce: sign a new proof with the nonce in the header DPoP-Nonce, and send the request again.
dpop-call-unproven = The DPoP proof of the call is missing or not valid ({ $part }): send one header DPoP with a new JWT for this method, address and access token, signed with the key that the token is bound to.
dpop-call-nonce-needed = The DPoP proof of the call needs the current nonce: sign a new proof with the nonce in the header DPoP-Nonce, and call again.
dpop-token-misused = The access token is not used as it was issued: send a token that is bound to a key as `Authorization: DPoP`, with a proof by that key, and every other one as a bearer token.

## Pictures

not-a-picture = The upload is not an image: choose a PNG, JPEG, GIF or WebP.
picture-too-large = The picture is too large: at most 10 MB and 50 megapixels.

## The server

overloaded = The server is busy: try again in a moment.
internal = Internal server error: try again; if it keeps happening, give the requestId to the administrator.

## Addresses and forms

path-unknown = There is nothing at this address: check the path and the version of your SDK.
not-served = This call is not served: see docs/clients.md for those that are.
wrong-method = This address does not accept this HTTP method: check the method and the version of your SDK.
foreign-host = A development server only answers to localhost and 127.0.0.1: use one of these as host.
foreign-machine = The outbox has codes to log in with, and answers only to the machine that runs `hufu dev`: open it there.
form-expired = The form lacks this browser's token, or was submitted from another site: open the page again and submit it there.
form-too-large = The form is too large: send less.
form-incomplete = The form lacks a field, or is not application/x-www-form-urlencoded: submit it from the page.

## What can be wrong with a field: inserted into the sentences `invalid` and `import-invalid`

missing = { $field } is missing; send it
twice = { $field } is there more than once; send it once
missing-from-wechat = { $field } is missing; send what WeChat returned
one-needed = send one of { $field }
empty = { $field } is empty; fill it in or leave it out
null = { $field } is null; to remove it, use removeUdv
not-text = { $field } is not text; send a string
not-a-number = { $field } must be a number
not-a-boolean = { $field } must be true or false
not-a-timestamp = { $field } is not a valid timestamp; send one such as 2026-01-31T08:00:00Z
not-a-day = { $field } is not a day; send one such as 2026-01-31
not-a-period = { $field } must be on or before the last day, and the period at most { $max } days long
not-a-datetime = { $field } must be a timestamp such as 2025-06-15T08:00:00Z, or milliseconds since 1970
not-an-object = { $field } is not a JSON object; send one
not-a-form = { $field } must be application/x-www-form-urlencoded, with each parameter at most once
not-pairs = { $field } must be a JSON-encoded list of key-value pairs
not-one-of = { $field } must be one of { $choices }
unknown-value = { $field } has an unknown value: { $value }
unknown-name = { $field } has an unknown value; see the documentation
malformed = { $field } is malformed; check it
unknown-field = there is no field { $field }; leave it out
no-such-field = there is no field { $field }; the fields are { $choices }
set-elsewhere = { $field } cannot be set here; use { $place }
too-long = { $field } is longer than { $max } characters; shorten it
too-many-bytes = { $field } is longer than { $max } bytes; shorten it
not-a-line = { $field } must be 1 to { $max } characters in one line
not-a-trimmed-line = { $field } must be 1 to { $max } characters in one line, without leading or trailing spaces
not-ascii = { $field } must be 1 to { $max } ASCII letters, digits or symbols, without spaces
too-short-to-search = { $field } must have at least { $min } characters for a substring search; send more, or match=prefix
out-of-range = { $field } must be a number from { $min } to { $max }
nul = { $field } contains a NUL character; remove it
not-an-email = { $field } must be an e-mail address such as name@example.com, of at most 254 characters
not-a-phone = { $field } must be a phone number in international form: +, country code and number, 8 to 15 digits in all
not-a-username = { $field } must be 1 to 64 characters, without @, control characters, or leading or trailing spaces
not-an-identifier = { $field } must be 1 to 31 characters of a-z, 0-9 and -
username-is-phone = { $field } may not be a phone number; choose another
not-mobile = { $field } is not a mobile number and cannot receive SMS; send an eleven-digit mobile number
country-not-served = { $field } belongs to a country that no SMS are sent to; use a number from another country, or an e-mail address
in-the-past = { $field } is in the past
too-far-ahead = { $field } is later than { $latest }
same-as-old = { $field } is the same as the old one; choose another
not-rsa = { $field } is declared as encrypted with RSA, but is not base64 of the key's length
not-sm2 = { $field } is declared as encrypted with SM2, but is not hexadecimal
not-a-cursor = { $field } does not belong to this list; start without one
not-a-custom-key = { $field } is not a key of custom data: 1 to { $max } characters of A-Z, a-z, 0-9, _, - and .
too-many-keys = { $field } may have at most { $max } keys; remove some first
too-much-data = { $field } may have at most { $max } bytes in all; remove or shorten some first
too-deep = { $field } is nested deeper than { $max } levels; flatten it
not-a-web-address = { $field } is not an http or https address
not-an-address = { $field } is not an address
wrong-scheme = { $field } must begin with { $choices }
address-with-user = { $field } must not contain a username or a password
no-host = { $field } has no host
not-public = { $field } is not a public address, and outgoing_private does not name its network
body-broken = the body was cut off; send the request again
not-json = the body is not valid JSON (line { $line }, column { $column }); check it
wrong-shape = a field of the body is missing or has the wrong type (line { $line }, column { $column }); see the API description
wrong-query = the query has an unknown parameter, or one of the wrong type; see openapi.json
not-multipart = send the picture as multipart/form-data in the field { $field }
renewed-elsewhere = access tokens are renewed at /oidc/token; send the refresh token there
not-graphql = the document is not valid GraphQL (line { $line }, column { $column }); check it
not-in-schema = the document does not match the schema; see locations and extensions.detail
too-many-brackets = the document has more than { $max } opening brackets; simplify it
several-operations = the document has several operations; send one
several-root-fields = the document has several root fields; send one document for each
too-many-fields = the document selects more than { $max } fields; select fewer
too-many-levels = the document is nested more than { $max } levels deep; flatten it
too-many-repeats = the document repeats a field more than { $max } times in one place; select each once, without aliases
introspection = this server does not show its schema; leave __schema and __type out
format-unknown = the format of the file is unknown: send `format=csv`, `json` or `jsonl`, a `fileName` with such an ending, or the Content-Type `text/csv`, `application/json` or `application/x-ndjson`
empty-file = it is empty
not-utf-8 = it is not UTF-8 (byte { $at }). Chinese versions of Excel save CSV as GBK; save it as "CSV UTF-8", or convert it with `iconv -f GB18030 -t UTF-8`
too-many-items = { $field } has more than { $max } items; send fewer at a time
not-a-list = it is not a JSON list; if each line is a user, set the format to jsonl
column-twice = the column { $field } stands twice
unknown-columns = no fields are known for the columns { $field }: correct their names, or ask to ignore unknown fields
not-a-row = its first line is not a CSV row

## Logins by QR code

qr-code-unknown = There is no such QR code: request a new one. A browser asks by its own secret; a phone names what it scanned.
qr-code-expired = The QR code has expired: request a new one.
qr-code-not-scanned = The QR code has not been scanned: report the scan first, then what the person decides.
qr-code-decided = The login of this QR code was confirmed, cancelled or used before, or failed: request a new code.
qr-code-of-another = Somebody else has scanned this QR code: only they confirm or cancel its login.
login-ticket-invalid = The ticket is not valid (unknown, used, expired, not confirmed, or of another application): request a new QR code. A ticket is used once.
link-invalid = The address was used, has expired, or belongs to another browser: ask for a new one with `GET /api/v3/generate-link-extidp-url`.
link-needs-login = An id token only says whose account is meant. Log the person in on the login page of this browser first, or ask for the address with their access token: `GET /api/v3/generate-link-extidp-url`.
login-ticket-elsewhere = The ticket belongs to another browser, or to a hosted login page: it logs in there and nowhere else.
qr-code-by-device = The token is of a login that was approved elsewhere, on a device or by a QR code: confirm with the login of an app.
no-login-mini-program = The connection has no mini program of its own, and the instance has none either: set app_id and app_secret of the connection, or [wechat.default_mini_program] of the server.
launch-code-unbound = The code is of the mini program of the whole instance, which serves several user pools: log in with the ticket of /oauth/app2wxapp/grant/, which belongs to one pool, or give the connection a mini program of its own.
short-code-unknown = The code is not one of this official account's, or has expired: send the one that the page shows now.
connection-without-qr-code = The connection { $connection } shows no QR code: name one that does.

## Messages of official accounts

push-unsigned = The signature of the message is missing or wrong: check that the token in WeChat's settings is the connection's.
push-stale = The message was signed more than ten minutes ago, or in the future: check the clock of this server.
push-not-encrypted = The message is not encrypted, and the connection does not have encryption = "plain": set the same in WeChat's settings.
push-undecryptable = The message cannot be decrypted: check that the AppID and the EncodingAESKey in WeChat's settings are the connection's.
push-malformed = The message is neither XML nor JSON as WeChat writes it, or declares entities: send it as WeChat does.
push-replayed = The message arrived before, or its signature belongs to another one: nothing is done with it.
push-for-another = The message is for another account: check the original_id of the connection.
