# 连接检查对管理员说的话：现状或问题、影响、处理办法。

## 检查结果

login-mini-program-missing = 该连接没有自己的小程序，实例也没有设置。
    .breaks = 该连接的所有登录。
    .mend = 请在连接中填写 app_id 和 app_secret，或在 hufu.toml 中设置 [wechat.default_mini_program]。
credentials-fine = 微信接受该 AppID 和 AppSecret。
app-token-fine = access_token 可用，还剩 { $minutes } 分钟。
unreachable = 无法连接微信：{ $reason }
    .breaks = 所有微信登录。
    .mend = 请允许本机访问 { $host } 的 { $port } 端口，并检查 DNS、防火墙和代理。
nonsense = { $host } 的响应不像来自微信：{ $reason }
    .breaks = 所有微信登录。
    .mend = 请检查本机与微信之间的代理，以及 hufu.toml 中的 [wechat]。
unknown-error = 微信返回了 Hufu 不认识的错误：{ $errcode }。
    .breaks = 依赖该接口的功能。
    .mend = 请在七天内查询请求编号：微信公众平台 › 开发者工具 › rid 查询。
kind-of-app-fine = 该 AppID 属于{ $kind }。
kind-of-app-wrong = 该 AppID 不属于{ $kind }，而是另一种应用。
    .breaks = 该连接的所有登录。
    .mend = 请填写{ $kind }的 AppID，或为该 AppID 新建类型正确的连接。
kind-mini-program = 小程序
kind-mobile = 移动应用
kind-website = 网站应用
kind-official-account = 公众号
menu-of-app = { $app ->
    [mini-program] 微信公众平台 › 小程序 › 开发管理 › 开发设置
    [official-account] 微信公众平台 › 设置与开发 › 开发接口管理 › 基本配置
    [website] 微信开放平台 › 管理中心 › 网站应用 › 查看
    [mobile] 微信开放平台 › 管理中心 › 移动应用 › 查看
   *[any] 微信公众平台 › 小程序 › 开发管理 › 开发设置；公众号在微信公众平台 › 设置与开发 › 开发接口管理 › 基本配置；网站应用和移动应用在微信开放平台 › 管理中心
    }
menu-notices = { $app ->
    [website] 微信开放平台 › 管理中心
    [mobile] 微信开放平台 › 管理中心
   *[any] 微信公众平台 › 通知中心
    }
menu-business-domain = 微信公众平台 › 小程序 › 开发管理 › 开发设置 › 业务域名
menu-webpage-domain = 微信公众平台 › 设置与开发 › 账号设置 › 功能设置 › 网页授权域名
followers-not-permitted = 该公众号不能查询关注者：未认证，或不是服务号。
    .breaks = 扫码登录，以及关注者的 UnionID。
    .mend = 微信公众平台 › 设置与开发 › 账号设置 › 微信认证：认证该账号；或在连接中设置 account = "subscription"。
connection-off = 该连接已停用。
    .breaks = 无法通过它登录。
    .mend = 请启用该连接（enabled）。
connection-unused = 没有已启用的应用使用该连接。
    .breaks = 无法通过它登录。
    .mend = 请在应用的 connections 中加上它。
connection-used = 使用它的应用：{ $applications }。
out-of-service = 自 { $since } 起微信拒绝为该应用服务，因此它的登录会被立即拒绝。
    .breaks = 该连接的所有登录；其他登录方式不受影响。
    .mend = 请查看{ menu-notices }。微信恢复服务后 Hufu 会自动发现。
server-domain-set = 请与微信后台的设置核对（无法查询）：request 和 uploadFile 合法域名 { $origin }
    .mend = 微信公众平台 › 小程序 › 开发管理 › 开发设置 › 服务器域名 › request 合法域名和 uploadFile 合法域名：{ $origin }
business-domain-set = 请与微信后台的设置核对（无法查询）：web-view 的业务域名 { $host }
    .mend = { menu-business-domain }：{ $host }（个人主体的小程序不能设置）
business-domain-optional = 如果小程序要在 web-view 里打开登录页，需要把 { $host } 设为业务域名（无法查询）。
    .mend = 仅在需要时：{ menu-business-domain }：{ $host }，并把微信给的校验文件填入连接的 verification_file。
website-domain-set = 请与微信后台的设置核对（无法查询）：授权回调域 { $host }
    .mend = 微信开放平台 › 管理中心 › 网站应用 › 查看 › 授权回调域：{ $host }
webpage-domain-set = 请与微信后台的设置核对（无法查询）：网页授权域名 { $host }
    .mend = { menu-webpage-domain }：{ $host }
domain-in-plain-text = public_url 是 { $url }：code 和令牌以明文传输。
    .breaks = 网络途中的人可以冒充他人登录。
    .mend = 请用 https 提供 Hufu，并相应设置 public_url。
domain-not-https = public_url 是 { $url }，而微信只接受 https。
    .breaks = 手机上的小程序无法访问 Hufu；开发者工具勾选“不校验合法域名”后可以。
    .mend = 请用 https 提供 Hufu，并相应设置 public_url。
domain-with-port = public_url 带有端口 { $port }，而微信的网页授权域名、授权回调域和业务域名都不带端口。
    .breaks = 小程序只有把 request 合法域名设为 { $origin } 才能使用；浏览器和 web-view 中的登录无法使用。
    .mend = 请在 443 端口提供 Hufu。
domain-is-address = public_url 的主机 { $host } 不是域名。
    .breaks = 微信不接受 IP 地址：浏览器登录无法返回，手机上的小程序无法访问 Hufu。
    .mend = 请使用已备案的域名。
domain-is-local = public_url 是 { $url }，只有本机能访问。
    .breaks = 微信不接受这样的域名，手机也无法访问 Hufu；小程序在开发者工具中勾选“不校验合法域名”后可以。
    .mend = 开发以外的用途，请把 public_url 设为使用域名的 https 地址。
verification-file-fine = { $url } 可以访问，微信用它确认域名的归属。
verification-file-none = 该连接没有校验文件。在微信把 { $host } 设为域名时需要它。
    .mend = 请下载，并把文件名和内容填入连接的 verification_file：{ $menu }
verification-file-other = { $url } 返回状态 { $status }，内容与连接的 verification_file 不同。
    .breaks = 微信不接受 { $host } 作为域名。
    .mend = 请检查是否有代理自行响应了 { $url } 或做了重定向（微信不跟随重定向），然后设置 { $host }：{ $menu }
address-unreachable = 从这里无法访问 { $url }：{ $reason }
    .breaks = 若微信也无法访问，就不会接受该地址。
    .mend = 请从外部打开该地址。若能打开，就没有问题，只是本机访问不到自己的 public_url；若它在这里是内网地址，要先加入 outgoing_private 才能检查。
message-url-fine = { $url } 的响应符合微信的要求。
message-url-other = { $url } 的响应不符合微信的要求：状态 { $status }。
    .breaks = 收不到公众号的消息：无法通过关注或扫码登录。
    .mend = 请检查是否有代理自行响应了 { $url } 或去掉了参数，并确认服务器使用了这份配置。
message-url-set = 请与微信后台的设置核对（无法查询）：{ $mode }，URL { $url }
    .mend = 微信公众平台 › 设置与开发 › 开发接口管理 › 基本配置 › 服务器配置：{ $url }、连接的 Token 和 EncodingAESKey、{ $mode }，然后启用。
mode-plain = 明文模式
mode-compatible = 兼容模式
mode-safe = 安全模式
unionid-fine = 微信会返回该应用用户的 UnionID。
unionid-unknown = 还没有人通过该应用登录，因此不知道微信是否返回 UnionID。
    .mend = 若要多个应用共用账号：微信开放平台 › 管理中心，绑定该应用。
unionid-missing = 已有人通过该应用登录，但微信没有返回 UnionID。
    .breaks = 同一个人在每个应用中是不同的账号。
    .mend = 微信开放平台 › 管理中心：绑定该应用，以及同一主体的其他应用。
published-fine = 小程序已发布。
published-not = 小程序没有带首页的已发布版本。
    .breaks = 小程序码打不开；只有开发者和体验者能登录。
    .mend = 微信公众平台 › 小程序 › 版本管理：提交审核并发布。
phone-fine = 小程序可以获取手机号。付费次数的余量无法查询。
    .mend = 余量见微信公众平台 › 小程序 › 付费管理。用完时只在小程序里提示：errno 1400001。
phone-not-permitted = 小程序不能获取手机号。
    .breaks = “微信手机号登录”按钮。
    .mend = 获取手机号需要已认证的非个人账号：微信公众平台 › 设置 › 基本设置 › 微信认证。

## 微信错误码

busy = 微信繁忙。
    .breaks = 短时间内的个别登录。
    .mend = 无需处理，Hufu 会自动重试。
fine = 成功。
token-refused = 微信不接受该 access_token，或它已失效。
    .breaks = 影响很短：Hufu 会重新获取并重试一次。
    .mend = 若经常出现，说明有其他服务在用 /cgi-bin/token 获取 access_token：请让它向 Hufu 获取，或改用 stable_token。
secret-wrong = AppSecret 不正确，或已被重置。
    .breaks = 该连接的所有登录。
    .mend = 请重置 AppSecret 并填入该连接：{ menu-of-app }
openid-wrong = 微信不认识该 OpenID：它属于另一个应用，或用户已不存在。
    .breaks = 该用户的这次调用。
    .mend = 请该用户重新登录。
app-unknown = 对这个接口，微信不认识该 AppID：可能填错、已注销，或是另一种应用。
    .breaks = 该连接的所有登录。
    .mend = 请核对 AppID：{ menu-of-app }
code-wrong = code 无效、已过期，或属于另一个应用。
    .breaks = 这一次登录。
    .mend = 请重新登录。若所有人都这样，说明客户端的 AppID 与连接的不一致。
code-used = code 已被使用。
    .breaks = 这一次登录。
    .mend = 请重新登录；客户端只能提交一次 code。
user-token-ended = 用户的授权已失效，例如因为改了密码。
    .breaks = 代表该用户的调用。
    .mend = 请该用户重新登录。
request-wrong = 微信不理解该请求，这是调用程序的错误。
    .breaks = 依赖该接口的功能。
    .mend = 请带上请求编号反馈。若开启了“API 安全”签名，请关闭：Hufu 不签名。
page-wrong = 小程序码的页面或参数不正确。
    .breaks = 小程序码登录。
    .mend = 请修改连接的 page：开头不要斜杠，不要带参数。
page-unpublished = 已发布的小程序版本没有该页面。
    .breaks = 小程序码登录。
    .mend = 微信公众平台 › 小程序 › 版本管理：发布含该页面的版本，或修改连接的 page。
app-unpublished = 小程序没有已发布的版本。
    .breaks = 开发者以外所有人的登录。
    .mend = 微信公众平台 › 小程序 › 版本管理：提交审核并发布。
ip-not-listed = { $ip ->
    [unknown] 本机访问微信的地址不在该应用的 IP 白名单中。
   *[known] 本机访问微信的地址 { $ip } 不在该应用的 IP 白名单中。
    }
    .breaks = access_token，以及手机号、小程序码和消息。
    .mend = { $ip ->
        [unknown] 请把本机的公网地址和其他每个节点的地址加入 IP 白名单：{ menu-of-app }
       *[known] 请把 { $ip } 和其他每个节点的地址加入 IP 白名单：{ menu-of-app }
        }
ip-to-confirm = 需要该账号的管理员确认本机的地址；微信已给管理员发送消息。
    .breaks = access_token，以及手机号、小程序码和消息。
    .mend = 请在“公众平台安全助手”的消息中确认，或把该地址加入 IP 白名单：{ menu-of-app }
ip-rejected = 该账号的管理员拒绝了本机的地址；微信将屏蔽它一小时或一天。
    .breaks = access_token，以及手机号、小程序码和消息。
    .mend = 请稍后再确认，或把该地址加入 IP 白名单：{ menu-of-app }
person-blocked = 微信认为该用户风险高，不允许登录。
    .breaks = 该用户的登录。
    .mend = 这里无需处理，其他用户不受影响。
secret-frozen = 该账号的管理员冻结了 AppSecret。
    .breaks = 该连接的所有登录。
    .mend = 请解冻 AppSecret：{ menu-of-app }
not-a-follower = 该用户没有关注该账号，或在黑名单中。
    .breaks = 该用户的这次调用。
    .mend = 请用户关注该账号；黑名单见微信公众平台 › 用户管理。
quota-of-the-day = 该接口今天的次数已用完。
    .breaks = 依赖该接口的功能，直到北京时间零点。
    .mend = 次数见微信公众平台 › 开发管理 › 接口权限；clear_quota 每月可重置十次。
quota-of-the-minute = 一分钟内调用太多。
    .breaks = 一分钟内的个别登录。
    .mend = 若会自行恢复则无需处理；否则请查找谁在频繁调用。
codes-used-up = 该应用的永久二维码已达微信的上限。
    .breaks = 新的永久二维码。
    .mend = 请使用临时二维码。
visits-used-up = 今天通过链接和 Scheme 打开的次数已用完。
    .breaks = 从微信外打开小程序，直到北京时间零点。
    .mend = 请等待，或让用户扫码。
other-kind-of-app = 该接口用于另一种应用。
    .breaks = 该连接的所有登录。
    .mend = 请填写正确应用的 AppID，或为该 AppID 新建类型正确的连接。
not-permitted = 该应用没有此接口的权限：未认证，或账号类型不支持。
    .breaks = 依赖该接口的功能。
    .mend = 缺少的权限见微信公众平台 › 开发管理 › 接口权限；在设置 › 基本设置 › 微信认证办理认证。
not-authorized-by-user = 该用户没有授权。
    .breaks = 该用户的这次调用。
    .mend = 请该用户重新登录并同意。
app-banned = 因违规，微信停用了该接口或整个应用。
    .breaks = 该连接的所有登录；其他登录方式不受影响。
    .mend = 请在{ menu-notices }查看并申诉。恢复后 Hufu 会自动发现。
app-frozen = 该应用的账号被冻结、注销或迁移。若是单个用户的调用：该用户受限。
    .breaks = 该连接的所有登录；其他登录方式不受影响。
    .mend = 请查看{ menu-notices }。恢复后 Hufu 会自动发现。
app-suspended = 监管部门或微信暂停了该应用。
    .breaks = 该连接的所有登录；其他登录方式不受影响。
    .mend = 请查看{ menu-notices }。
third-party-authorization = 该账号与第三方平台之间没有授权，或授权已失效。
    .breaks = 第三方平台为该账号提供的功能。
    .mend = 请账号主体重新授权第三方平台。
third-party-platform = 该 AppID 由第三方平台管理，获取 access_token 的方式不同。
    .breaks = 该连接的 access_token。
    .mend = 请填写账号自己的 AppID 和 AppSecret：{ menu-of-app }
quota-query = 关于请求编号或次数的查询：查不到。
    .breaks = 无影响。
    .mend = 请求编号可在七天内查询。
scheme-unusable = 打开该小程序的链接或 Scheme 不存在、已关闭、无权限或被封禁。
    .breaks = 从微信外打开小程序。
    .mend = 状态见微信公众平台 › 小程序 › 工具 › 生成 URL Scheme。
session-key-ended = 该用户的 session_key 已失效。
    .breaks = 解密该用户的数据。
    .mend = 请让小程序重新调用 wx.login。
no-open-platform = 该应用没有绑定开放平台账号。
    .breaks = 没有 UnionID：同一个人在每个应用中是不同的账号。
    .mend = 微信开放平台 › 管理中心：绑定该应用。
authorize-page = 微信的授权页面拒绝授权：10003 回调域名、10004 封禁、10005 没有该 scope 的权限、10006 未关注测试号、10009 太频繁、10010 至 10013 缺少参数、10015 未授权给平台、10016 不是公众号。
    .breaks = 通过该连接的浏览器登录。
    .mend = 10003：请把 public_url 的主机设为授权回调域：微信开放平台 › 管理中心 › 网站应用 › 授权回调域，或公众号设置 › 功能设置 › 网页授权域名。
phone-quota-used-up = 手机号的付费次数已用完，只有小程序会收到提示。
    .breaks = “微信手机号登录”按钮。
    .mend = 微信公众平台 › 小程序 › 付费管理：购买。在此之前请提供短信验证码登录。

## 测试消息没有发出时该怎么办

sender-recipient = 请检查收件人：它不存在，或者拒收这条消息。
sender-too-often = 已达到服务商的频率限制：请稍后再试，或在服务商控制台提高限额。
sender-settings = 请检查发送配置和服务商控制台：密钥、发件地址或签名、模板、余额。
sender-temporary = 服务商没有及时响应：请重试，并检查网络和防火墙。
