# What login pages have in common
account = Phone number, email or username
password = Password
phone = Phone number
country = Country or region code
email = Email
code = Code
code-hint = No code? You can get another one after a minute.
send-code = Get code
send-code-again = Get another
code-sent = We sent a code to { $to }.
code-sent-perhaps = If { $to } belongs to an account, a code is on its way.
new-password = New password
new-password-optional = Password (optional)
new-password-hint = At least { $min } characters.
show-password = Show password
tries-left = { $count } tries left.
keep = Keep me logged in on this device
choose-one = Choose
nameless = No name yet
person-since = Since { $date }
person-logins = Logins: { $count }
comma = , { "" }
or = or
back = Back
cancel = Cancel this login
agreements = Please read:

# Logging in
login-title = Log in to { $app }
method = How to log in
method-password = Password
method-phone-code = SMS code
method-email-code = Email code
forgot = Forgot your password?
log-in = Log in
log-in-or-register = Log in or sign up
merged = If you are new here, we create an account for you.
no-account = No account yet?
register = Sign up
no-methods = No way to log in is switched on for this app. Please ask the people who run it.
other-ways = Other ways
open-in-wechat = Open this page in WeChat to log in with WeChat.
connection-unavailable = Logging in with { $connection } is not possible at the moment. Please try again later.
web-view-how = Open this page in the mini program to log in there.
web-view-failed = The mini program did not open its login page. Please tell the people who run it.
open-on-computer = Open this page on a computer to log in by scanning a code with WeChat.
already = You are logged in already. Continue as
another = Use another account
password-was-reset = Your password is changed. Log in with the new one.

# Registering
register-title = Sign up for { $app }
register-method = How to sign up
method-email-password = Email and password
register-closed = New accounts can't be created here.
have-account = Already have an account?

# A forgotten password
forgot-title = Reset your password
forgot-text = We send a code to your phone or email. With it you set a new password, and all your devices are logged out.
forgot-method = Where the code goes
forgot-submit = Reset password
remembered = Remembered it?

# A login that waits: linking an account
associate-title = You are new here
associate-text = Have you been here before, with a phone number or an email? Link that account and everything stays in one place. Or create a new one.
associate-only-text = Link the account you already have to go on.
bind-title = Link your account
bind-method = How to confirm that it is yours
bind-username-password = Username
bind-phone-password = Phone and password
bind-email-password = Email and password
bind-submit = Link and log in
create = Create a new account

# A login that waits: choosing an account
select-title = Choose an account
select-text = You have more than one account here. Which one do you want to log in to?
merge = Merge them into one
merge-hint = You see what it changes before anything happens.
merge-title = Merge these accounts?
merge-text = From then on, every way you log in leads to the account that is kept.
merge-survivor = Kept
merge-merged = Merged into it
merge-moves = Moves over
merge-collides = In both, stays as in the kept one
merge-submit = Merge and log in
merge-swap = Keep the other

# A login that waits: the rest
new-password-title = Set a new password
new-password-text = Your current password has to be replaced before you go on.
new-password-submit = Save and log in
complete-title = Almost there
complete-text = This app needs a few more details.
complete-submit = Continue
agree-title = Please read and agree
agree-text = To go on, you need to accept what follows.
accept = Agree and continue
ended-title = This login has expired
ended-text = The page was open for too long, or the login was finished in another tab. Your account is fine: just start again.
again = Log in again

# Fields of an account
field-username = Username
field-nickname = Nickname
field-photo = Picture (web address)
field-name = Name
field-given-name = Given name
field-family-name = Family name
field-middle-name = Middle name
field-profile = Profile page
field-website = Website
field-gender = Gender
gender-male = Male
gender-female = Female
gender-unknown = Prefer not to say
field-birthdate = Date of birth
field-zoneinfo = Time zone
field-locale = Language
field-address = Address
field-street-address = Street and number
field-postal-code = Postal code
field-city = City
field-province = State or province
field-country = Country
field-company = Company
yes = Yes
no = No

qr-alt = QR code for { $source }
qr-scan = Scan with WeChat
qr-scan-how = Confirm on your phone, and { $app } opens here.
qr-send-code = Send this code to { $account } in WeChat
qr-send-code-how = Follow the account, type the digits as a message, and you are logged in here.
qr-left = Time left
qr-scanned = Scanned
qr-scanned-how = Please confirm on your phone.
qr-not-me = Not you? Show a new code
qr-expired = The code has expired
qr-expired-how = Get a new code and scan that one. The one before can't be used any more.
qr-new = New code
qr-cancelled = Cancelled on the phone
qr-cancelled-how = You are not logged in. You can also use another way.
qr-failed = The login didn't work

link-title = Link this WeChat?
link-ask = Once it is linked, this WeChat can log in to the account { $account }. If that isn't your account, or you didn't start this, don't link it.
link-yes = Link it
link-no = Do not link
link-done-title = WeChat is linked
link-done = You can log in to your account with it from now on. You can close this page.
link-not-title = Nothing was linked
link-not = You can close this page.
