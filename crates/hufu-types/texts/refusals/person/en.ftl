# What end users read on pages: what happened, and what to do. No developer jargon.

## Titles

title-forbidden = You can't do this
title-not-found = Not found
title-later = Please try again later
title-go-on = One more step
title-not-done = That didn't work

## Logging in

not-set-up = This app's login isn't set up correctly.
    .action = Go back and try again, or contact the people who run the app.
way-not-available = This way of logging in isn't available here.
    .action = Choose another way to log in.
login-again = You aren't logged in, or your login has expired.
    .action = Please log in again.
login-request-expired = This login page is too old.
    .action = Go back to the app and log in again.
source-login-unknown = This login has ended or is too old.
    .action = Go back to the app and log in again.
source-login-elsewhere = This login was started in another browser.
    .action = Log in again, and stay in one browser. If you blocked cookies, allow them for this site.
source-login-denied = WeChat did not log you in, because you did not agree.
    .action = Try again, or log in another way.
login-given-up = You cancelled the login.
    .action = Log in again if you want to go on.
user-code-unknown = This code is wrong or no longer valid.
    .action = Check the code on your device, and start again there if it is old.
device-pending = Your login on this device has not been approved yet.
    .action = Approve it on your phone or computer.
device-denied = The login on this device was denied.
    .action = If you didn't mean to, start again on the device.
wechat-not-confirmed = WeChat couldn't confirm who you are.
    .action = Start the login again.
wechat-no-phone = We couldn't get your phone number from WeChat.
    .action = Tap the phone number button again.
wechat-denied = WeChat didn't let you log in.
    .action = Choose another way to log in.
wechat-app-down = WeChat has taken this app out of service for now.
    .action = Choose another way to log in, or come back later.
wechat-unavailable = Logging in with WeChat isn't possible here at the moment.
    .action = Choose another way to log in, or come back later.
wechat-unreachable = WeChat isn't answering at the moment.
    .action = Wait a moment, then log in again.
wechat-busy = Too many people are logging in through WeChat here right now.
    .action = Wait { $minutes } min, then try again, or log in another way.
too-often = There were too many attempts.
    .action = Wait { $minutes } min, then try again.
no-account = We couldn't find an account for you.
    .action = Create an account or log in another way first.
not-listed = This account can't be used here.
    .action = Log in with another account, or ask whoever runs this app for access.
registration-off = New accounts can't be created here.
    .action = Log in with an account you already have, or ask the administrator for one.
snapshot-user = You're viewing a WeChat preview page, where you can't log in.
    .action = Tap "Use full service" at the bottom right, then try again.
disabled = Your account has been disabled.
    .action = Contact the administrator.
deletion-pending = You asked for this account to be deleted. It will be permanently deleted on { $date }.
    .action = To keep it, contact the administrator before then.
deletion-under-way = You asked for this account to be deleted.
    .action = To keep it, contact the administrator.

## Login steps

bind-or-create = You don't have an account here yet.
    .action = Link an account you already have, or create a new one.
bind = You don't have an account here yet.
    .action = Link an account you already have.
set-password = You need a new password.
    .action = Set a new password to continue.
fill-in = Some details are still missing.
    .action = Fill them in to continue.
agree = There are agreements you haven't accepted yet.
    .action = Read and accept them to continue.
choose = You have more than one account.
    .action = Choose the one to log in with, or merge them.
flow-unknown = This login has expired or is already finished.
    .action = Please log in again.
still-missing = Something required is still missing.
    .action = Fill in everything that is marked as required.
not-a-candidate = This account can't be chosen here.
    .action = Choose one of the accounts in the list.
step-impossible = You can't do this at this point in the login.
    .action = Continue with one of the options on the page.

## User input

invalid = Something you entered isn't right.
    .action = Check what you entered and try again.
too-large = This is too large.
    .action = Choose something smaller and try again.
body-slow = What you sent arrived too slowly, so it was not received completely.
    .action = Check your network, then try again.
wrong-code = The code is wrong or has expired.
    .action = Check the code, or request a new one.
no-sms-sender = We can't send text messages at the moment.
    .action = Choose another way, or contact the administrator.
no-mail-sender = We can't send e-mail at the moment.
    .action = Choose another way, or contact the administrator.
step-token-invalid = This took too long.
    .action = Please start again.
code-needed = You need a code to register with an e-mail address.
    .action = Request a code for this address, then use it to register.
wrong-password = The account or the password is wrong.
    .action = Check both, or reset your password.
locked = Too many wrong passwords. Your account is locked for a while.
    .action = Wait 15 minutes, or reset your password with a code.
password-too-short = The password is too short.
    .action = Choose a longer one.
password-too-long = The password is too long.
    .action = Choose a shorter one.
password-too-common = This password is too common and easy to guess.
    .action = Choose another one.
password-contains-name = The password contains your name, e-mail address or phone number.
    .action = Choose one without them.
password-too-plain = The password is too simple.
    .action = Mix upper and lower case letters and digits, 12 characters or more.
username-taken = This username is taken.
    .action = Choose another one.
phone-taken = This phone number belongs to another account.
    .action = Log in with it, or remove it from that account first.
email-taken = This e-mail address belongs to another account.
    .action = Log in with it, or remove it from that account first.
name-taken = This is already taken by another user.
    .action = Choose another one.
account-exists = This account already exists.
    .action = Log in, or reset your password.
old-password-needed = Your current password is required.
    .action = Enter it, or reset your password with a code.
old-password-wrong = Your current password is wrong.
    .action = Check it, or reset your password with a code.
old-phone-mismatch = This isn't your account's current phone number, or it isn't confirmed.
    .action = Enter the current number and the code sent to it.
old-email-mismatch = This isn't your account's current e-mail address, or it isn't confirmed.
    .action = Enter the current address and the code sent to it.

## The user's own account

identity-taken = This WeChat account is linked to another account.
    .action = Unlink it there first.
another-identity-bound = Your account is already linked to another WeChat account.
    .action = Unlink that one first.
has-phone = Your account already has a phone number.
    .action = Change the number instead.
has-email = Your account already has an e-mail address.
    .action = Change the address instead.
has-username = Your account already has a username.
    .action = To change it, contact the administrator.
not-bound = This isn't linked to your account.
    .action = There is nothing you need to do.
last-way-in = This is the only way you can log in.
    .action = Add another way to log in first.
login-too-old = To keep your account safe, this requires a login within the last { $minutes } minutes.
    .action = Log in again, then try once more.
session-unknown = This device is already logged out.
    .action = Reload the page to see the current list.
consent-unknown = This app no longer has access to your account.
    .action = Reload the page to see the current list.
merge-already-undone = This merge has already been undone.
    .action = There is nothing you need to do.
merge-too-old = This merge is too old to be undone.
    .action = The accounts stay merged.
survivor-merged = Your account has since been merged with another one.
    .action = Undo that later merge first.
same-account = These are already the same account.
    .action = There is nothing to merge.
merge-impossible = One of the accounts can't be merged.
    .action = Only active accounts can be merged.
not-a-picture = This file isn't a picture.
    .action = Choose a PNG, JPEG, GIF or WebP file.
picture-too-large = The picture is too large.
    .action = Choose one that is 10 MB or smaller.

## Administration

not-permitted = You don't have permission for this.
    .action = Ask an administrator who has it.
not-found = This doesn't exist, or no longer does.
    .action = Go back and choose again.
pool-off = This service is switched off at the moment.
    .action = Try again later, or ask whoever runs it.
application-gone = This app isn't available any more.
    .action = Close this page. If you still need the app, contact the people who run it.
last-owner = This account is the last owner of this installation.
    .action = Make somebody else an owner first.
invitation-unknown = This invitation is not valid any more.
    .action = Ask whoever invited you for another one.
admin-login-expired = This login was begun in another browser, or took too long.
    .action = Open the administration page and log in again.
entry-link-unknown = This link is not valid any more.
    .action = Make another one: run “hufu admin login-link”, or start “hufu dev” again.
changed-meanwhile = Somebody else changed this in the meantime.
    .action = Reload the page, then make your change again.
merged-into = This account was merged into another one.
    .action = Open that account instead.
status-forbids = The account's status doesn't allow this.
    .action = Check its status first.
import-invalid = This file can't be imported.
    .action = Correct the file and upload it again.
import-unfinished = An import of a different file with this name stopped after { $rows } rows.
    .action = Upload that file again, or start over.
import-running = An import is running.
    .action = Wait until it has finished.
imports-too-large = Too many files are being imported right now.
    .action = Try again when one of the imports has finished.
import-ended = This import has already ended.
    .action = There is nothing you need to do.
too-many-webhooks = There are already { $most } webhooks, which is the limit.
    .action = Delete one you don't use.
delivery-waiting = This delivery is already on its way.
    .action = There is nothing you need to do.

## The server

overloaded = We're very busy at the moment.
    .action = Wait a moment, then try again.
internal = This is our fault, not yours. Your account is fine.
    .title = Something broke on the server
    .action = Wait a moment, then try again.

## Addresses and forms

path-unknown = There is nothing at this address. It may be mistyped, or the page may have moved.
    .title = There is no page here
    .action = Check the address, including capital letters and a slash at the end.
    .action-2 = If an app sent you here, go back to it and open the page again.
wrong-method = It only accepts requests from apps and has nothing to show you.
    .title = This address cannot be opened
    .action = Go back to the app and start from there.
foreign-host = The host name in the address doesn't belong to this machine, so the request was rejected.
    .title = A development server only answers this machine
    .action = Replace the host name in the address with localhost or 127.0.0.1.
foreign-machine = Only the machine that runs this server may see this.
    .action = Open the page on the machine that runs the server.
form-expired = The page was open for too long, or the form wasn't submitted from this site. Nothing was changed.
    .title = This form has expired
    .action = Go back, reload the page, and send the form again.
    .action-2 = If this page comes up again, allow cookies for this site and leave private browsing.
form-too-large = The form is larger than allowed and was not saved.
    .title = This form is too large
    .action = Go back and shorten the text, or choose a smaller file.
form-incomplete = Something the form requires was missing, so nothing was saved.
    .title = The form is incomplete
    .action = Go back, reload the page, and fill in the form again.

## Next to a field

field-missing = Please fill this in
field-check = Please check this
field-try-again = Something went wrong here, please try again
field-unknown = This can't be set here
field-choose = Please choose one of the options
field-number = Please enter a number
field-timestamp = Please enter a date and time
field-too-long = At most { $max } characters
field-too-short = At least { $min } characters
field-length = 1 to { $max } characters
field-range = A number from { $min } to { $max }
field-shorten = This is too long
field-email = Please enter an e-mail address such as name@example.com
field-phone = Please check the phone number and its country code
field-username = 1 to 64 characters, without @ and without spaces at the start or end
field-username-is-phone = A username can't be a phone number
field-not-mobile = Please enter a mobile number
field-country = We don't send text messages to this country
field-past = This is in the past
field-same-as-old = Please choose one that is different from the old one
field-address = Please enter a web address
field-not-public = This address isn't public
field-empty-file = The file is empty
field-not-utf-8 = The file isn't UTF-8; save it in Excel as "CSV UTF-8"
field-column-twice = A column appears twice
field-unknown-columns = Some columns have unknown names

qr-code-unknown = This QR code doesn't exist any more.
    .action = Get a new one and scan that.
qr-code-expired = This QR code is no longer valid.
    .action = Get a new one and scan that.
login-ticket-invalid = This login is no longer valid.
    .action = Get a new QR code and scan that.
link-invalid = This link has been used or has expired, or it was made for another browser.
    .action = Go back to the app and start linking WeChat again.
short-code-unknown = This code is wrong or no longer valid.
    .action = Send the code that the page shows now.
