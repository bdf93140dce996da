# The outbox
outbox-title = Outbox
outbox-about = Text messages and mail are not really sent. They stay here, the newest on top.
outbox-count = { $count } kept
outbox-live = Live
outbox-offline = The server does not answer
outbox-email = Mail
outbox-sms = SMS
outbox-code = Code
outbox-empty-title = No messages yet
outbox-empty-text = Ask for a code in your app, and it appears here at once. Or try it in a terminal:
outbox-foot = For development only. The latest 200 are kept, until the server stops.
