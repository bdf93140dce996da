# The texts of the layout and of refusals
page-brand = Hufu
page-skip = Skip to the content
page-language = Language
page-theme = Theme
page-theme-auto = As the system
page-theme-light = Light
page-theme-dark = Dark
page-copy = Copy
page-copied = Copied

refused-request = Request
refused-time = Time
refused-code = Code
refused-retry = Try again
refused-do-support = Still stuck? Send the request id below to the administrator, who can look up why.

refused-not-found =
    .title = There is no page here
    .text = Nothing is at this address. It may be mistyped, or the page has moved.
    .do-1 = Check the address, including capital letters and a slash at the end.
    .do-2 = If an app sent you here, go back to it and open the page again.

refused-not-for-looking =
    .title = This address cannot be opened
    .text = It takes requests from apps and has nothing to look at.
    .do-1 = Go back to the app and start from there.

refused-broken =
    .title = Something broke on the server
    .text = This is our fault, not yours. Your account is fine.
    .do-1 = Wait a moment, then try again.

refused-foreign-host =
    .title = A development server answers this machine only
    .text = The host name in the address is not one of this machine’s own, so the request was refused.
    .do-1 = Replace the host name in the address with localhost or 127.0.0.1.

refused-form =
    .title = This form has expired
    .text = The page was open for too long, or the form was not sent by a page of this site. Nothing was changed.
    .do-1 = Go back, reload the page, and send the form again.
    .do-2 = If this page comes up again, allow cookies for this site and leave private browsing.

refused-form-too-large =
    .title = That is too much for this form
    .text = The form is larger than allowed and was not saved.
    .do-1 = Go back and shorten the text, or choose a smaller file.

refused-form-unreadable =
    .title = The form is incomplete
    .text = Something the form needs was missing, so nothing was saved.
    .do-1 = Go back, reload the page, and fill in the form again.
