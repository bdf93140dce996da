# What checks of connections say to administrators: what is so or what is wrong, what it breaks, how to mend it.
# WeChat's menus are Chinese, so their names are too.

## The findings of checks

login-mini-program-missing = The connection has no mini program of its own, and the instance has none either.
    .breaks = Every login through this connection.
    .mend = Enter app_id and app_secret in the connection, or set [wechat.default_mini_program] in hufu.toml.
credentials-fine = WeChat accepts AppID and AppSecret.
app-token-fine = The app token is there; it ends in { $minutes } minutes.
unreachable = WeChat cannot be reached: { $reason }
    .breaks = Every login through WeChat.
    .mend = Let this machine connect to { $host } on port { $port }; check DNS, firewall and proxy.
nonsense = { $host } does not answer as WeChat does: { $reason }
    .breaks = Every login through WeChat.
    .mend = Look for a proxy between this machine and WeChat, and at [wechat] in hufu.toml.
unknown-error = WeChat answers with an error that Hufu does not know: { $errcode }.
    .breaks = Whatever needs this call.
    .mend = Look the request id up within seven days: 微信公众平台 › 开发者工具 › rid 查询.
kind-of-app-fine = The AppID is that of { $kind }.
kind-of-app-wrong = The AppID is not that of { $kind }: it is that of another kind of app.
    .breaks = Every login through this connection.
    .mend = Enter the AppID of { $kind }, or make a connection of the right type for this AppID.
kind-mini-program = a mini program
kind-mobile = a mobile app
kind-website = a website
kind-official-account = an official account
menu-of-app = { $app ->
    [mini-program] 微信公众平台 › 小程序 › 开发管理 › 开发设置
    [official-account] 微信公众平台 › 设置与开发 › 开发接口管理 › 基本配置
    [website] 微信开放平台 › 管理中心 › 网站应用 › 查看
    [mobile] 微信开放平台 › 管理中心 › 移动应用 › 查看
   *[any] 微信公众平台 › 小程序 › 开发管理 › 开发设置; of an official account 微信公众平台 › 设置与开发 › 开发接口管理 › 基本配置; of a website or mobile app 微信开放平台 › 管理中心
    }
menu-notices = { $app ->
    [website] 微信开放平台 › 管理中心
    [mobile] 微信开放平台 › 管理中心
   *[any] 微信公众平台 › 通知中心
    }
menu-business-domain = 微信公众平台 › 小程序 › 开发管理 › 开发设置 › 业务域名
menu-webpage-domain = 微信公众平台 › 设置与开发 › 账号设置 › 功能设置 › 网页授权域名
followers-not-permitted = The account may not ask about its followers: it is not verified, or no service account.
    .breaks = QR codes that log in, and UnionIDs of followers.
    .mend = 微信公众平台 › 设置与开发 › 账号设置 › 微信认证: verify the account; or set account = "subscription" for the connection.
connection-off = The connection is switched off.
    .breaks = Nobody can log in through it.
    .mend = Switch it on: `enabled` of the connection.
connection-unused = No enabled application uses the connection.
    .breaks = Nobody can log in through it.
    .mend = Name it under `connections` of an application.
connection-used = Used by { $applications }.
out-of-service = Since { $since } WeChat has been refusing this app, so its logins are refused at once.
    .breaks = Every login through this connection; other ways to log in go on.
    .mend = Read the notice in { menu-notices }. Hufu notices by itself when WeChat serves the app again.
server-domain-set = Compare with WeChat's settings, which cannot be queried: request and uploadFile domain { $origin }
    .mend = 微信公众平台 › 小程序 › 开发管理 › 开发设置 › 服务器域名 › request 合法域名 and uploadFile 合法域名: { $origin }
business-domain-set = Compare with WeChat's settings, which cannot be queried: business domain of web-views { $host }
    .mend = { menu-business-domain }: { $host } (not for personal accounts)
business-domain-optional = If the mini program shows login pages in a web-view, { $host } has to be a business domain of it, which cannot be queried.
    .mend = Only then: { menu-business-domain }: { $host }, with WeChat's file as verification_file of the connection.
website-domain-set = Compare with WeChat's settings, which cannot be queried: callback domain { $host }
    .mend = 微信开放平台 › 管理中心 › 网站应用 › 查看 › 授权回调域: { $host }
webpage-domain-set = Compare with WeChat's settings, which cannot be queried: domain of web authorizations { $host }
    .mend = { menu-webpage-domain }: { $host }
domain-in-plain-text = public_url is { $url }: codes and tokens travel in plain text.
    .breaks = Whoever is on the way can log in as somebody else.
    .mend = Serve Hufu over https and set public_url to it.
domain-not-https = public_url is { $url }, and WeChat accepts only https.
    .breaks = Mini programs on phones cannot reach Hufu. The developer tools can, with 不校验合法域名.
    .mend = Serve Hufu over https and set public_url to it.
domain-with-port = public_url has the port { $port }. WeChat's domains for logins in browsers and for web-views have none.
    .breaks = A mini program works only if exactly { $origin } is set as its request domain; logins in browsers and in web-views do not.
    .mend = Serve Hufu on port 443.
domain-is-address = The host of public_url, { $host }, is not a domain name.
    .breaks = WeChat accepts no addresses: logins in browsers do not come back, and mini programs on phones cannot reach Hufu.
    .mend = Use a domain name with an ICP filing (备案).
domain-is-local = public_url is { $url }, which only this machine can reach.
    .breaks = WeChat does not accept it as a domain, and phones cannot reach Hufu. Mini programs in the developer tools can, with 不校验合法域名.
    .mend = For anything but development, set public_url to an https address with a domain name.
verification-file-fine = { $url } is served, by which WeChat recognizes the owner of the domain.
verification-file-none = The connection has no verification file. WeChat asks for one when { $host } is set as a domain.
    .mend = Download it at { $menu }, and enter its name and content as verification_file of the connection.
verification-file-other = { $url } answers with status { $status }, and not with the content in verification_file of the connection.
    .breaks = WeChat does not accept { $host } as a domain.
    .mend = Look for a proxy that answers { $url } itself, or redirects it: WeChat follows no redirect. Then set { $host }: { $menu }
address-unreachable = { $url } cannot be reached from here: { $reason }
    .breaks = If WeChat cannot reach it either, it does not accept the address.
    .mend = Open the address from outside. If it opens there, all is well, and only this machine cannot reach its own public_url; a private address has to be in outgoing_private for this check.
message-url-fine = { $url } answers as WeChat demands.
message-url-other = { $url } does not answer as WeChat demands: status { $status }.
    .breaks = Messages of the account do not arrive: nobody can log in by following it or scanning its code.
    .mend = Look for a proxy that answers { $url } itself or drops its query; and check that the server runs with this configuration.
message-url-set = Compare with WeChat's settings, which cannot be queried: { $mode }, URL { $url }
    .mend = 微信公众平台 › 设置与开发 › 开发接口管理 › 基本配置 › 服务器配置: { $url }, Token and EncodingAESKey of the connection, { $mode }; then 启用.
mode-plain = 明文模式
mode-compatible = 兼容模式
mode-safe = 安全模式
unionid-fine = WeChat sends UnionIDs for this app.
unionid-unknown = Nobody has logged in through this app yet, so it is not known whether WeChat sends UnionIDs.
    .mend = For one account per person across apps: 微信开放平台 › 管理中心, add the app to the account.
unionid-missing = People have logged in through this app, and WeChat has sent no UnionID.
    .breaks = One person has a different account in each app.
    .mend = 微信开放平台 › 管理中心: add the app to the account; the others of the same owner too.
published-fine = The mini program is published.
published-not = The mini program has no published version with a home page.
    .breaks = Mini program codes open nothing; only developers and trial users can log in.
    .mend = 微信公众平台 › 小程序 › 版本管理: submit the version for review and publish it.
phone-fine = The mini program may ask for phone numbers. How much of the paid quota is left cannot be queried.
    .mend = 微信公众平台 › 小程序 › 付费管理 shows it. A used-up quota is reported only in the mini program: errno 1400001.
phone-not-permitted = The mini program may not ask for phone numbers.
    .breaks = The button "log in with the phone number of WeChat".
    .mend = Phone numbers need a verified account that is not a personal one: 微信公众平台 › 设置 › 基本设置 › 微信认证.

## WeChat's error codes

busy = WeChat is busy.
    .breaks = Single logins, for a moment.
    .mend = Nothing to do: Hufu tries again by itself.
fine = Success.
token-refused = WeChat does not accept the app token, or no longer.
    .breaks = Nothing for long: Hufu fetches another one and repeats the call once.
    .mend = If it happens often, another service fetches tokens for this app by /cgi-bin/token; let it ask Hufu, or use stable_token.
secret-wrong = The AppSecret is wrong, or was reset.
    .breaks = Every login through this connection.
    .mend = Reset AppSecret and enter it in the connection: { menu-of-app }
openid-wrong = WeChat does not know the OpenID: it is of another app, or the person is gone.
    .breaks = This person's call.
    .mend = Let the person log in again.
app-unknown = WeChat does not know the AppID, for this kind of call: it is mistyped, deleted, or of another kind of app.
    .breaks = Every login through this connection.
    .mend = Compare the AppID: { menu-of-app }
code-wrong = The code is unknown, has expired, or was issued to another app.
    .breaks = This one login.
    .mend = Start again. If it happens to everybody, the AppID in the client and the one in the connection differ.
code-used = The code has been used before.
    .breaks = This one login.
    .mend = Start again; a client must send a code only once.
user-token-ended = The person's authorization has ended, for example because they changed their password.
    .breaks = Calls on behalf of this person.
    .mend = Let the person log in again.
request-wrong = WeChat does not understand the request. This is a mistake of the program that made it.
    .breaks = Whatever needs this call.
    .mend = Report it, with the request id. If API signatures are switched on (API 安全), switch them off: Hufu does not sign.
page-wrong = The page or the parameters of a mini program code are not valid.
    .breaks = Logins by mini program code.
    .mend = Correct `page` of the connection: no slash in front, no query.
page-unpublished = The published version of the mini program has no such page.
    .breaks = Logins by mini program code.
    .mend = 微信公众平台 › 小程序 › 版本管理: publish a version that has the page, or correct `page` of the connection.
app-unpublished = The mini program has no published version.
    .breaks = Every login by people who are not its developers.
    .mend = 微信公众平台 › 小程序 › 版本管理: submit a version for review and publish it.
ip-not-listed = { $ip ->
    [unknown] The address from which this machine calls WeChat is not on the app's allow-list.
   *[known] The address { $ip } from which this machine calls WeChat is not on the app's allow-list.
    }
    .breaks = The app token, and so phone numbers, codes and messages.
    .mend = { $ip ->
        [unknown] Add this machine's public address, and that of every other node, to IP 白名单: { menu-of-app }
       *[known] Add { $ip }, and the address of every other node, to IP 白名单: { menu-of-app }
        }
ip-to-confirm = The administrator of the account has to confirm the address of this machine; WeChat has sent them a message.
    .breaks = The app token, and so phone numbers, codes and messages.
    .mend = Confirm it in the message from 公众平台安全助手, or add the address to IP 白名单: { menu-of-app }
ip-rejected = The administrator of the account has refused the address of this machine; WeChat blocks it for an hour or a day.
    .breaks = The app token, and so phone numbers, codes and messages.
    .mend = Wait, then confirm it; or add the address to IP 白名单: { menu-of-app }
person-blocked = WeChat takes this person for a high risk and does not let them log in.
    .breaks = This person's login.
    .mend = Nothing to do here; other people are not affected.
secret-frozen = The administrator of the account has frozen the AppSecret.
    .breaks = Every login through this connection.
    .mend = Unfreeze AppSecret: { menu-of-app }
not-a-follower = The person does not follow the account, or is on its blacklist.
    .breaks = This person's call.
    .mend = Let the person follow the account; see 微信公众平台 › 用户管理 for the blacklist.
quota-of-the-day = The quota of the day for this call is used up.
    .breaks = Whatever needs this call, until midnight in Beijing.
    .mend = 微信公众平台 › 开发管理 › 接口权限 shows the quotas; clear_quota resets them ten times a month.
quota-of-the-minute = Too many calls in a minute.
    .breaks = Single logins, for a minute.
    .mend = Nothing to do if it passes; otherwise look for who calls so often.
codes-used-up = The app has as many permanent codes as WeChat allows.
    .breaks = New permanent codes.
    .mend = Use temporary codes.
visits-used-up = The visits by links and schemes that WeChat allows in a day are used up.
    .breaks = Opening the mini program from outside WeChat, until midnight in Beijing.
    .mend = Wait, or let people scan the code.
other-kind-of-app = The call is for another kind of app.
    .breaks = Every login through this connection.
    .mend = Enter the AppID of the right app, or make a connection of the right type for this AppID.
not-permitted = The app has no permission for this call: it is not verified, or is of a kind that does not get it.
    .breaks = Whatever needs this call.
    .mend = 微信公众平台 › 开发管理 › 接口权限 shows what is missing; 设置 › 基本设置 › 微信认证 verifies the account.
not-authorized-by-user = The person has not allowed this.
    .breaks = This person's call.
    .mend = Let the person log in again and agree.
app-banned = WeChat has taken this call, or the whole app, away for a violation of its rules.
    .breaks = Every login through this connection; other ways to log in go on.
    .mend = Read the notice in { menu-notices } and appeal there. Hufu notices by itself when it is over.
app-frozen = The account of the app is frozen, cancelled or moved. Of a single person's call: the person is limited.
    .breaks = Every login through this connection; other ways to log in go on.
    .mend = Read the notice in { menu-notices }. Hufu notices by itself when it is over.
app-suspended = A supervising authority or WeChat has suspended the app for some time.
    .breaks = Every login through this connection; other ways to log in go on.
    .mend = Read the notice in { menu-notices }.
third-party-authorization = The authorization between the account and a third-party platform is missing or has ended.
    .breaks = Whatever the platform does for the account.
    .mend = Let the owner of the account authorize the platform again.
third-party-platform = The AppID is looked after by a third-party platform, which fetches its tokens differently.
    .breaks = The app token of this connection.
    .mend = Enter AppID and AppSecret of the account itself: { menu-of-app }
quota-query = An answer about request ids or quotas: what was asked for is not there.
    .breaks = Nothing.
    .mend = A request id can be looked up for seven days.
scheme-unusable = Links or schemes to this mini program are not there, switched off, not permitted or banned.
    .breaks = Opening the mini program from outside WeChat.
    .mend = 微信公众平台 › 小程序 › 工具 › 生成 URL Scheme shows the state.
session-key-ended = The session key of the person has ended.
    .breaks = Decrypting this person's data.
    .mend = Let the mini program call wx.login again.
no-open-platform = The app is not bound to an Open Platform account.
    .breaks = There are no UnionIDs: one person has a different account in each app.
    .mend = 微信开放平台 › 管理中心: add the app to the account.
authorize-page = WeChat's own page refuses the authorization: 10003 callback domain, 10004 banned, 10005 scope not permitted, 10006 not a follower of the test account, 10009 too often, 10010 to 10013 a parameter is missing, 10015 not authorized to the platform, 10016 not an official account.
    .breaks = Logins in browsers through this connection.
    .mend = 10003: set the host of public_url as callback domain: 微信开放平台 › 管理中心 › 网站应用 › 授权回调域, or 公众号设置 › 功能设置 › 网页授权域名.
phone-quota-used-up = The paid quota of phone numbers is used up. Only the mini program is told.
    .breaks = The button "log in with the phone number of WeChat".
    .mend = 微信公众平台 › 小程序 › 付费管理: buy more. Until then, offer codes by SMS.

## What to do about a test message that was not sent

sender-recipient = Check the recipient: it does not exist, or does not take the message.
sender-too-often = The provider's limit is reached: wait, or raise it in the provider's console.
sender-settings = Check the settings of the sender and the provider's console: credentials, sender address or signature, template, balance.
sender-temporary = The provider did not answer in time: try again, and check network and firewall.
