# The pages about who is logged in to a browser
consent-title = { $application } wants to use your account
consent-may = It will be able to
consent-openid = Recognise you when you come back
consent-profile = See your name, picture and other profile details
consent-username = See your username
consent-email = See your e-mail address
consent-phone = See your phone number
consent-address = See your postal address
consent-offline = Keep its access while you are away
consent-external-id = See your number in the provider's other systems
consent-extended-fields = See the additional details of your account
consent-api = Use { $application } on your behalf
consent-claim = See this detail of your account
consent-never = It never sees your password.
consent-allow = Allow
consent-deny = Deny
consent-other = Change
consent-back = Either way, you will go back to { $host }.

accounts-title = Choose an account
accounts-for = to continue to { $application }
accounts-none = Nobody is logged in
accounts-none-text = Log in from the app that you want to use.
accounts-choose = Continue
accounts-choose-this = Continue as { $name }
accounts-leave = Log out
accounts-leave-this = Log { $name } out
accounts-other = Use another account

sign-out-title = Do you want to log out?
sign-out-from = { $application } asks to log you out in this browser. You will also be logged out of other apps that you entered with this account here.
sign-out-text = You will be logged out in this browser, and of the apps that you entered with this account here.
sign-out-confirm = Log out
sign-out-cancel = Stay logged in

signed-out-title = You are logged out
signed-out-text = You can close this page now.
signed-out-to = Back to { $application }
signed-out-continue = Continue
signed-out-frame = An app ends its own login

device-title = Log in on another device
device-text = Type the code that your television, terminal or other device shows.
device-code = Code
device-hint = Eight letters. It does not matter whether you type capitals or the dash.
device-submit = Continue
device-confirm-title = Let a device log in to { $application }?
device-shows = Code on your device
device-warning = Allow this only if you started it yourself and your own device shows this code. If somebody sent you the code or the link, deny: they would be logged in to your account.
device-done-title = Your device is being logged in
device-done-text = Go back to your device; it goes on in a few seconds. You can close this page now.
device-denied-title = You denied the login
device-denied-text = The device is not logged in. You can close this page now.
device-another = Enter another code
