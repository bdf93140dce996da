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
page-app-home = Website
page-app-policy = Privacy policy
page-app-terms = Terms of service

refused-request = Request
refused-time = Time
refused-code = Code
refused-retry = Try again
refused-do-support = Still stuck? Send the request id below to the administrator, who can look up why.
refused-error = Error

response-title = Going back to the app
response-continue = Continue
