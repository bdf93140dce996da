# 集成方在 JSON 响应和日志中看到的文字：哪里不对，该怎么做。

## 请求及其指向的对象

nothing-named = 请求未指明应用：请在初始化 SDK 时填写 appId；只填 userPoolId 时，部分调用不会发送它。
pool-unknown = 用户池不存在：请核对 userPoolId 和 host。
application-unknown = 应用不存在或已停用：请核对 appId 和 host。
no-default-application = 该用户池没有默认应用：请改用 appId，或将一个应用设为默认。
disagreement = appId、userPoolId 与登录凭证不属于同一用户池：请核对配置后重新登录。
connection-unknown = 身份源连接 { $connection } 不存在：请核对 extIdpConnidentifier。
nameless-connection-unknown = 没有该连接：请核对 extIdpConnidentifier。
connection-off = 身份源连接 { $connection } 已停用：请联系管理员启用，或换一种登录方式。
connection-not-for-application = 身份源连接 { $connection } 未对该应用启用：请在应用的登录方式中启用它。
no-connection = 该应用没有启用 { $kind } 类型的身份源连接：请先创建并启用一个。
connection-of-other-kind = 身份源连接 { $connection } 的类型是 { $kind }，不适用于该接口：请核对 extIdpConnidentifier。
other-mini-program = 请求来自小程序 { $app }，但该应用没有此小程序的连接：请核对 AppID。
invalid = 请求参数有误：{ $reason }。
body-too-large = 请求内容过大：最多 { $limit } 字节。
body-slow = 请求内容发送过慢：请检查网络后重新发送。
content-type-wrong = 请求内容的类型不是 JSON：请设置 content-type: application/json。

## 微信的 code 与加密数据

code-malformed = code 格式不正确：请原样传入微信返回的 code（小程序中为 wx.login 返回的 code）。
code-invalid = 微信不接受该 code（无效、已过期或属于其他应用）：请重新发起登录以获取新的 code（小程序中请重新调用 wx.login），并核对 AppID。
code-used = 该 code 已被使用：请重新发起登录以获取新的 code（小程序中请重新调用 wx.login）。
phone-code-invalid = 微信不接受该手机号 code（无效、已过期或已使用）：请让用户再次点击手机号按钮。
data-undecryptable = 加密数据无法解密：请先调用 wx.login，再获取加密数据，并使用同一个 code。
phone-malformed = 微信返回的手机号格式不正确：请让用户再次点击手机号按钮。
grant-invalid = refresh_token 无效：请重新登录。
grant-unsupported = 不支持这种 grant_type：请使用 authorization_code、refresh_token 或 client_credentials。

## 微信

wechat-denied = 微信拒绝了该用户的登录：请换一种登录方式。
misconfigured = 微信不接受该连接的配置：请管理员检查该连接，先核对 AppID、AppSecret 和 IP 白名单。
launch-ticket-invalid = ticket 不存在、已过期或已使用：请重新拉起小程序。
app-down = 该应用已被微信冻结或下线：请换一种登录方式，管理员请到微信公众平台处理。
connection-unavailable = 微信已停用连接 { $connection } 的应用，该连接暂不可用：请换一种登录方式，处理办法见 hufu doctor。
no-app-tokens = 连接 { $connection } 这类应用在微信没有 access_token：请改用小程序或公众号的连接。
wechat-limit = 微信接口调用过于频繁：请 { $seconds } 秒后重试。
wechat-slow = 微信没有及时响应：请用新的 code 重新发起登录（小程序中请重新调用 wx.login）。
wechat-down = 微信服务繁忙或无法连接：请稍后用新的 code 重新发起登录（小程序中请重新调用 wx.login）。
wechat-nonsense = 微信返回了无法识别的内容：请稍后重试，若持续出现请联系管理员。

## 用户

no-account = 用户不存在：该登录方式仅限已有账号，请先用其他方式注册或绑定。
not-listed = 该应用设置了 access = "listed"，且未列出此用户：请通过 /admin/v1 将其列入，或将应用开放给所有人。
registration-off = 该用户池已关闭注册：请使用已有账号登录，或联系管理员开通账号。
snapshot-user = 当前为微信快照页，无法登录：请点击页面右下角的“使用完整服务”后重试。
disabled = 账号已被停用：请联系管理员。
deletion-pending = 账号已申请注销，将于 { $at } 永久删除：如需恢复请联系管理员。
deletion-under-way = 账号已申请注销，正在保留期内：如需恢复请联系管理员。
not-logged-in = 尚未登录或登录已失效：请重新登录。
not-yourself = 只能操作自己的账号：请使用本人的用户 ID。
identity-taken = 该微信已绑定其他账号：请先在那个账号中解绑。
another-identity-bound = 当前账号已绑定另一个微信：请先解绑。
too-often = 操作过于频繁：请 { $seconds } 秒后再试。

## 等待下一步的登录

bind-or-create = 尚无关联账号：请绑定已有账号或创建新账号。
bind = 尚无关联账号：请绑定已有账号。
set-password = 请先设置新密码，再继续登录。
fill-in = 请先补全必填资料，再继续登录。
agree = 请先阅读并同意协议，再继续登录。
choose = 找到多个账号：请选择其中一个登录，或合并它们。
flow-unknown = 登录流程不存在或已结束：请重新登录。
method-not-permitted = 该身份源连接不支持这种绑定方式：请使用返回的 methods 中的方式。
still-missing = 仍有必填项未完成：请按返回的 missing 或 agreements 补全。
not-a-candidate = 该账号不在可选列表中：请选择返回的 accounts 中的账号。
step-impossible = 当前登录步骤不支持该操作：请按返回的 stage 和 actions 继续。

## 管理

management-key-invalid = 管理密钥、签名或管理 token 无效：请核对用户池 ID 和密钥，可用 hufu admin management-key 生成新密钥。
signature-stale = 签名请求的时间与服务器相差超过 { $most } 秒：请校准签名机器的时钟，并在发送时签名。
signature-used = 该签名请求已经收到过：请为每次请求生成新的 x-authing-signature-nonce 再签名。
not-served-yet = Hufu 暂不支持 { $subject }：支持的调用见 docs/clients.md。
field-not-served = Hufu 暂不支持 { $field }：请去掉该字段，支持的内容见 docs/clients.md。
no-such-management-key = 该用户池没有这个管理密钥：请核对 ID。
page-too-far = 该页与最近读到的位置相距超过 { $rows } 行：请从第一页起逐页读取，或缩小范围。
secret-not-kept = 应用密钥只在生成时显示一次，系统只保存哈希：请自行保存，或用 refresh-application-secret 生成新密钥。
no-such-source = 该用户池没有这个身份源：请核对 ID，可用 list-ext-idp 查看。
too-many-sources = 该用户池已有 { $most } 个身份源，达到上限：请先删除不用的身份源。
source-not-one = 该身份源有多个连接，或没有连接：请直接使用连接的 ID。
access-key-invalid = 访问密钥无效：请在 Authorization 头中携带有效的密钥，可用 hufu admin create-key 创建。
administrator-unknown = 用户名或密码错误：请核对后重试。
not-permitted = 权限不足（{ $permission }）：请换用具备该权限的密钥。
user-unknown = 用户不存在：请核对用户 ID。
pool-off = 用户池已停用：所有者可以重新启用。
pool-removed = 用户池已删除：请先恢复。
pool-not-removed = 用户池未被删除，或其数据正在清除：无法恢复。
recent-login-needed = 此操作要求在 { $minutes } 分钟内登录过：请通过 POST /admin/v1/sessions 或 prompt=login 重新登录。
application-gone = 登录进行期间，该应用已被删除或停用：请从其他应用重新发起登录。
last-owner = 该用户是最后一位可以登录的全局所有者：请先将其他人设为全局所有者。命令行不受此限制。
invitation-unknown = 邀请已被使用、撤回或已过期：请对方重新邀请。
admin-login-expired = 这不是此浏览器发起的登录，或其 code、state 已失效：请打开 /administration 重新登录。
entry-link-unknown = 链接已被使用、替换或已过期：请用 `hufu admin login-link` 重新生成。
no-such-invitation = 没有该邀请：请检查其 ID。
changed-meanwhile = 用户已被他人修改：请重新读取后再提交。
name-taken = { $field } 已被其他用户使用：请换一个。
no-such-access-key = 访问密钥不存在：请核对 ID。
no-such-administrator = 管理员不存在：请核对 ID。
no-such-session = 登录会话不存在：请核对 ID。
no-such-identity = 身份不存在：请核对 ID。
no-such-login-name = 登录名不存在：请核对。
no-such-connection = 身份源连接不存在：请核对标识。
no-such-import = 导入任务不存在：请核对 ID。
no-such-webhook = Webhook 不存在：请核对 ID。
no-such-delivery = 投递不存在：请核对 ID。
no-such-event = 审计日志中没有该记录：请核对 ID。
no-such-application = 应用不存在：请核对 ID。
no-such-secret = 应用密钥不存在：请核对 ID。
no-such-sender = 用户池没有配置这个渠道的发送服务：请先配置。
no-such-item = 用户池里没有这个名称的条目：请核对名称。
object-changed = 该对象已被他人修改，现状见 present：请在此基础上重新提交。
object-taken = { $field } 已被占用：请换一个。
configuration-invalid = 该对象不能设为所请求的样子：请按 problems 逐项更正。
only-secret = 这是该应用唯一的密钥：请先生成新的。
merged-into = 该账号已合并到 { $user }：请对该账号操作。
deletion-not-requested = 该账号没有申请注销：无需撤销。
account-archived = 该账号已归档：请先恢复。
deletion-requested = 该账号的用户已申请注销：请先撤销注销申请。
new-password-needed = 须先更换密码：请在请求中同时提供 newPassword。
import-invalid = 文件无法导入：{ $reason }。
import-unfinished = 同名文件的导入在第 { $rows } 行后中断，而文件已改变：请用原文件继续，或加 startOver=true 重新开始。
import-running = 该用户池已有导入正在进行：请等待其完成，或取消它。
import-too-large = 文件过大：最多 { $limit } 字节，更大的文件请用 hufu import。
imports-too-large = 此服务器上所有导入文件的总大小超过上限 { $limit } 字节：请等其他导入完成后重试。
import-ended = 该导入已完成或已取消，无需再取消。
too-many-webhooks = 该用户池已有 { $most } 个 Webhook：请先删除不用的。
delivery-waiting = 该投递仍在等待发送：无需重放。

## 密码与验证码

wrong-code = 验证码错误或已过期：请核对后重试，或重新获取验证码。
no-sms-sender = 尚未配置短信服务：请联系管理员为该用户池配置短信发送方。
no-mail-sender = 尚未配置邮件服务：请联系管理员为该用户池配置邮件发送方。
step-token-invalid = 操作凭证无效、已使用或已过期（有效期 60 秒）：请重新验证后再试。
code-needed = 使用邮箱注册需要验证码：请先向该邮箱发送注册验证码，再用验证码注册；也可改用手机号或用户名注册。
wrong-password = 账号或密码错误：请核对后重试，或重置密码。
locked = 密码错误次数过多，账号已暂时锁定：请 15 分钟后重试，或用短信、邮件验证码解锁或重置密码。
password-too-short = 密码过短：请使用更长的密码。
password-too-long = 密码过长：请使用更短的密码。
password-too-common = 密码过于常见，容易被猜到：请换一个。
password-contains-name = 密码不能包含自己的用户名、邮箱、手机号或姓名：请换一个。
password-too-plain = 密码强度不足：请同时使用字母和数字（高强度还需大小写字母且不少于 12 位）。
username-taken = 用户名已被使用：请换一个。
phone-taken = 该手机号已绑定其他账号：请直接用它登录，或先在那个账号中解绑。
email-taken = 该邮箱已绑定其他账号：请直接用它登录，或先在那个账号中解绑。
account-exists = 该账号已存在：请直接登录，或重置密码。
old-password-needed = 修改密码需要提供旧密码：请填写旧密码，或用验证码重置密码。
old-password-wrong = 旧密码错误：请核对后重试，或用验证码重置密码。
old-phone-mismatch = 原手机号不正确或未验证：请填写账号当前的手机号，并带上发送到它的验证码。
old-email-mismatch = 原邮箱不正确或未验证：请填写账号当前的邮箱，并带上发送到它的验证码。
has-phone = 账号已绑定手机号：请使用更换手机号的接口。
has-email = 账号已绑定邮箱：请使用更换邮箱的接口。
not-bound = 账号未绑定此项：无需解绑。
last-way-in = 这是账号唯一的登录方式，无法解绑：请先绑定另一种登录方式。
existence-hidden = 该用户池不允许查询账号是否存在：请联系管理员开启，或直接登录、注册。

## 自己的账号

login-too-old = 为了账号安全，该操作要求 { $minutes } 分钟内登录过：请重新登录后再试。
field-not-editable = 字段 { $field } 只能由管理员修改：请去掉该字段后重试。
session-unknown = 登录会话不存在或已结束：请刷新会话列表。
consent-unknown = 该账号没有对此应用的授权，或已撤回：请刷新授权列表。
merge-unknown = 未找到该合并记录：请核对 ID。
merge-already-undone = 该合并已被撤销：无需再次操作。
merge-too-old = 合并已超过可撤销的期限：两个账号将保持合并状态。
survivor-merged = 合并后的账号又被合并到其他账号：请先撤销之后的那次合并。
same-account = 两者已是同一个账号：无需合并。
merge-impossible = 其中一个账号已停用、已申请注销或已合并到其他账号：请用正常使用中的账号合并。
insufficient-scope = access token 缺少 scope { $scope }：请在登录时申请。
has-username = 账号已有用户名，不能再修改：如需更换请联系管理员。

## OpenID Connect

client-unauthorized = 客户端不存在，或没有按登记的方式验证身份：请检查 client_id、client_secret 和应用的 token_auth。
redirect-uri-unknown = redirect_uri 缺失或未登记：请发送应用的 redirect_uris 之一，须逐字符相同。
grant-not-allowed = 该应用没有启用授权类型 { $grant }：请将其加入应用的 grants。
authorization-code-invalid = 授权码无效（不存在、已过期、已使用，或属于其他客户端、redirect_uri 或 PKCE 校验码）：请重新发起登录。
login-request-expired = 该登录页面所属的授权请求已过期，或不是由本服务发起的：请重新发起登录。
source-login-unknown = 这次登录的 state 不存在、已超过十分钟，或属于另一个连接：请重新发起登录。
source-login-elsewhere = 这次登录是在另一个浏览器中发起的，或浏览器未保存 Cookie：请在同一个浏览器中重新发起。
source-login-denied = 微信没有带回 code：用户未同意授权。请让用户重新发起。
source-login-answered = 这次登录已带回过另一个 code：请重新发起登录。
callback-unknown = redirect_url 未登记：请使用应用的 redirect_uris 或连接的 callback 之一。
login-given-up = 用户放弃了登录。请让用户重新发起。
login-method-off = 该应用未提供 { $method }：请将其加入应用的 login.methods 或 login.registration。
logout-uri-unknown = post_logout_redirect_uri 未登记：请发送应用的 logout_redirect_uris 之一。
third-party-token = 该令牌授予了需要用户同意的应用，只能访问 /oidc/me：请让用户在无需同意的应用中操作。
token-not-revocable = client_credentials 的令牌不能撤销，会自行过期：如有泄露，请更换 client_secret。
consent-needed = 该应用需要用户同意，只能通过登录页面（/oidc/auth）登录：请发起授权请求。
request-object-invalid = 请求对象无效：请用应用 jwks_uri 或 jwks 中的密钥签名，iss 为 client_id，aud 为 issuer，并包含 redirect_uri。
request-object-unsupported = 该应用没有可用于校验请求对象的公钥，或请求对象未签名：请设置其 jwks_uri 或 jwks，并为请求对象签名。
registration-unauthorized = 用于注册或管理客户端的令牌缺失、不存在、已过期或已被替换：请通过 `hufu admin registration-token` 获取，或使用最近一次响应中的 registration_access_token。
client-metadata-invalid = 客户端元数据 { $field } 不被接受：{ $problem }。
redirect-uri-invalid = { $field } 中的重定向地址不被接受：{ $problem }。
too-many-clients = 已注册 { $most } 个客户端，达到上限：请删除不再使用的客户端，或联系管理员。
pushed-request-unknown = request_uri 不存在、已过期、已使用，或属于其他客户端：请重新推送请求。
request-uri-invalid = request_uri 无效：请发送该应用 request_uris 中的地址，并让其服务器返回已签名的请求对象。
request-uri-unsupported = 无法从 request_uri 获取请求对象：请设置该应用的 request_uris 以及 jwks_uri 或 jwks，并为请求对象签名。
sector-invalid = 成对主体标识的扇区不明确：请将 sector_identifier_uri 设为列出全部 redirect_uris 的 JSON 列表的地址。
target-invalid = 不能为该 resource 签发令牌：请发送用户池中已启用的 api 应用在 resources 中登记的地址；在令牌端点只能发送授权请求中已有的 resource。
hint-invalid = id_token_hint 不是本服务签发的 ID 令牌：请发送登录时返回的那一个。
user-code-unknown = 用户码无效（不存在、已过期或已处理）：请使用设备当前显示的用户码。
device-pending = 用户尚未作答：请按 interval 间隔后再次轮询。
device-too-fast = 设备轮询过于频繁：此后每次轮询的间隔请再延长 5 秒。
device-denied = 用户拒绝了该设备的登录：请停止轮询。
device-code-expired = 设备码已过期，或用于批准的登录已结束：请重新申请设备码。
device-code-invalid = 设备码无效（不存在、已使用，或属于其他客户端）：请重新申请设备码。
dpop-proof-invalid = DPoP 证明缺失或无效（{ $part }）：请在唯一的请求头 DPoP 中发送针对本次方法和地址的新 JWT，并用其 jwk 中的密钥签名。
dpop-nonce-needed = DPoP 证明需要当前的 nonce：请用响应头 DPoP-Nonce 中的 nonce 重新签名，再发送一次请求。
dpop-call-unproven = 调用的 DPoP 证明缺失或无效（{ $part }）：请在唯一的请求头 DPoP 中发送针对本次方法、地址和访问令牌的新 JWT，并用令牌所绑定的密钥签名。
dpop-call-nonce-needed = 调用的 DPoP 证明需要当前的 nonce：请用响应头 DPoP-Nonce 中的 nonce 重新签名，再调用一次。
dpop-token-misused = 访问令牌的使用方式与签发时不符：绑定了密钥的令牌请以 `Authorization: DPoP` 连同该密钥的证明一起发送，其他令牌请作为 Bearer 令牌发送。

## 图片

not-a-picture = 上传的文件不是图片：请选择 PNG、JPEG、GIF 或 WebP 图片。
picture-too-large = 图片过大：最大 10 MB、5000 万像素。

## 服务器

overloaded = 服务繁忙：请稍后重试。
internal = 服务器内部错误：请稍后重试，若持续出现请把 requestId 告诉管理员。

## 地址与表单

path-unknown = 该地址不存在：请核对路径和 SDK 的版本。
not-served = 暂不支持该调用：支持的调用见 docs/clients.md。
wrong-method = 该地址不支持此 HTTP 方法：请核对方法和 SDK 的版本。
foreign-host = 开发服务器只响应 localhost 和 127.0.0.1：请改用其中之一作为主机名。
foreign-machine = 发件箱里有登录用的验证码，只响应运行 `hufu dev` 的机器：请在那台机器上打开。
form-expired = 表单缺少该浏览器的令牌，或不是从本站页面提交的：请重新打开页面后提交。
form-too-large = 表单过大：请缩短内容。
form-incomplete = 表单缺少字段，或不是 application/x-www-form-urlencoded：请从本站页面提交。

## 字段可能的问题：作为 invalid 与 import-invalid 的一部分

missing = 缺少 { $field }，请提供
twice = { $field } 重复出现，请只发送一次
missing-from-wechat = 缺少 { $field }，请传入微信返回的内容
one-needed = 请提供以下之一：{ $field }
empty = { $field } 为空，请填写或去掉
null = { $field } 为 null，如需删除请使用 removeUdv
not-text = { $field } 不是文本，请传字符串
not-a-number = { $field } 必须是数字
not-a-boolean = { $field } 必须是 true 或 false
not-a-timestamp = { $field } 不是有效的时间，格式如 2026-01-31T08:00:00Z
not-a-day = { $field } 不是有效的日期，格式如 2026-01-31
not-a-period = { $field } 不能晚于最后一天，且期间最长 { $max } 天
not-a-datetime = { $field } 必须是时间，如 2025-06-15T08:00:00Z，或自 1970 年起的毫秒数
not-an-object = { $field } 不是 JSON 对象，请传对象
not-a-form = { $field } 必须是 application/x-www-form-urlencoded，每个参数最多一次
not-pairs = { $field } 必须是 JSON 格式的键值对列表
not-one-of = { $field } 必须是以下之一：{ $choices }
unknown-value = { $field } 的值无法识别：{ $value }
unknown-name = { $field } 的值无法识别，请对照接口文档
malformed = { $field } 格式不正确，请核对
unknown-field = 没有 { $field } 这个字段，请去掉
no-such-field = 没有 { $field } 这个字段，可用的字段：{ $choices }
set-elsewhere = { $field } 不能在此设置，请使用 { $place }
too-long = { $field } 超过 { $max } 个字符，请缩短
too-many-bytes = { $field } 超过 { $max } 字节，请缩短
not-a-line = { $field } 必须是 1 到 { $max } 个字符，不能换行
not-a-trimmed-line = { $field } 必须是 1 到 { $max } 个字符，不能换行，首尾不能有空格
not-ascii = { $field } 必须是 1 到 { $max } 个 ASCII 字母、数字或符号，不能有空格
too-short-to-search = { $field } 至少需要 { $min } 个字符才能进行包含匹配，请多输入一些，或使用 match=prefix
out-of-range = { $field } 必须是 { $min } 到 { $max } 之间的数字
nul = { $field } 含有 NUL 字符，请去掉
not-an-email = { $field } 不是邮箱地址，格式如 name@example.com，最多 254 个字符
not-a-phone = { $field } 不是国际格式的手机号：以 + 开头，接国家代码和号码，共 8 到 15 位数字
not-a-username = { $field } 必须是 1 到 64 个字符，不能含有 @ 和控制字符，首尾不能有空格
not-an-identifier = { $field } 必须是 1 到 31 个字符，只能使用 a-z、0-9 和 -
username-is-phone = { $field } 不能是手机号，请换一个
not-mobile = { $field } 不是可以接收短信的手机号，请填写 11 位手机号
country-not-served = 暂不向 { $field } 所属的国家或地区发送短信，请换用其他号码或邮箱
in-the-past = { $field } 早于当前时间
too-far-ahead = { $field } 不能晚于 { $latest }
same-as-old = { $field } 与旧的相同，请换一个
not-rsa = { $field } 声明为 RSA 加密，但不是长度与密钥一致的 base64
not-sm2 = { $field } 声明为 SM2 加密，但不是十六进制
not-a-cursor = { $field } 不属于该列表，请从头开始
not-a-custom-key = { $field } 不能作为自定义数据的键：须为 1 到 { $max } 个字符，只能使用 A-Z、a-z、0-9、_、- 和 .
too-many-keys = { $field } 最多 { $max } 个键，请先删除一些
too-much-data = { $field } 总共最多 { $max } 字节，请先删除或缩短一些
too-deep = { $field } 的嵌套超过 { $max } 层，请减少层数
not-a-web-address = { $field } 不是 http 或 https 地址
not-an-address = { $field } 不是网址
wrong-scheme = { $field } 必须以 { $choices } 开头
address-with-user = { $field } 不能包含用户名或密码
no-host = { $field } 没有主机名
not-public = { $field } 不是公网地址，且 outgoing_private 未包含其网络
body-broken = 请求内容中断，请重新发送
not-json = 请求内容不是有效的 JSON（第 { $line } 行第 { $column } 列），请核对
wrong-shape = 请求内容中有字段类型不对或缺失（第 { $line } 行第 { $column } 列），请对照接口文档
wrong-query = 网址中有未知或类型不对的查询参数，请对照 openapi.json
not-multipart = 请以 multipart/form-data 上传图片，字段名为 { $field }
renewed-elsewhere = access_token 须到 /oidc/token 续期，请在那里提交 refresh_token
not-graphql = 文档不是有效的 GraphQL（第 { $line } 行第 { $column } 列），请核对
not-in-schema = 文档与接口的模式不符，详见 locations 和 extensions.detail
too-many-brackets = 文档的左括号超过 { $max } 个，请简化
several-operations = 文档含有多个操作，每次只能发送一个
several-root-fields = 文档含有多个根字段，请分开发送
too-many-fields = 文档选取的字段超过 { $max } 个，请减少
too-many-levels = 文档的层数超过 { $max }，请减少
too-many-repeats = 文档在同一处重复某个字段超过 { $max } 次，请去掉别名，每个字段只选一次
introspection = 本服务不公开 schema，请去掉 __schema 和 __type
format-unknown = 无法判断文件格式：请加 `format=csv`、`json` 或 `jsonl`，或让 `fileName` 以此结尾，或将 Content-Type 设为 `text/csv`、`application/json` 或 `application/x-ndjson`
empty-file = 文件为空
not-utf-8 = 不是 UTF-8 编码（第 { $at } 字节）。中文版 Excel 默认以 GBK 保存 CSV，请另存为“CSV UTF-8”，或用 `iconv -f GB18030 -t UTF-8` 转换
too-many-items = { $field } 超过 { $max } 项，请分批发送
not-a-list = 不是 JSON 列表，如果每行是一个用户，请把格式指定为 jsonl
column-twice = 列 { $field } 出现了两次
unknown-columns = 无法识别的列：{ $field }，请改正列名，或选择忽略未知字段
not-a-row = 第一行不是有效的 CSV

## 扫码登录

qr-code-unknown = 二维码不存在：请重新获取。浏览器使用自己的密钥查询，手机使用扫到的内容。
qr-code-expired = 二维码已过期：请重新获取。
qr-code-not-scanned = 二维码尚未被扫描：请先上报扫码，再上报用户的决定。
qr-code-decided = 该二维码的登录已确认、已取消、已使用或已失败：请重新获取二维码。
qr-code-of-another = 该二维码已被他人扫描：只有扫码的人可以确认或取消登录。
login-ticket-invalid = ticket 无效（不存在、已使用、已过期、尚未确认，或属于其他应用）：请重新获取二维码。每个 ticket 只能使用一次。
link-invalid = 该地址已使用、已过期，或属于其他浏览器：请用 `GET /api/v3/generate-link-extidp-url` 重新获取。
link-needs-login = id token 只说明是哪个账号。请先在本浏览器的登录页登录，或用 access token 调用 `GET /api/v3/generate-link-extidp-url` 获取地址。
login-ticket-elsewhere = 该 ticket 属于其他浏览器，或属于托管登录页：只能在那里登录。
qr-code-by-device = 该 token 来自在别处获得批准的登录（设备或扫码）：请使用 App 中的登录来确认。
no-login-mini-program = 该连接没有配置小程序，服务器也没有默认小程序：请设置连接的 app_id 和 app_secret，或服务器的 [wechat.default_mini_program]。
launch-code-unbound = 该 code 来自整个服务器共用的小程序，而服务器上有多个用户池：请使用 /oauth/app2wxapp/grant/ 返回的 ticket（只属于一个用户池）登录，或为连接配置自己的小程序。
short-code-unknown = 该数字码不属于此公众号，或已过期：请发送页面当前显示的数字码。
connection-without-qr-code = 连接 { $connection } 不提供二维码：请指定提供二维码的连接。

## 公众号消息

push-unsigned = 消息没有签名或签名错误：请检查微信后台的令牌 (Token) 与该连接的是否一致。
push-stale = 消息的签名时间与现在相差超过十分钟：请检查本服务器的时钟。
push-not-encrypted = 消息没有加密，而该连接未设为 encryption = "plain"：请在微信后台选择相同的方式。
push-undecryptable = 消息无法解密：请检查微信后台的 AppID 和消息加解密密钥 (EncodingAESKey) 与该连接的是否一致。
push-malformed = 消息不是微信格式的 XML 或 JSON，或者声明了实体：请按微信的格式发送。
push-replayed = 消息以前收到过，或其签名属于另一条消息：不作处理。
push-for-another = 消息属于另一个账号：请检查该连接的 original_id。
