# 用户在页面上看到的文字：发生了什么，该怎么做。不用开发者的术语。

## 标题

title-forbidden = 无法进行此操作
title-not-found = 未找到
title-later = 请稍后再试
title-go-on = 还差一步
title-not-done = 操作未完成

## 登录

not-set-up = 该应用的登录设置有误。
    .action = 请返回重试，或联系应用的运营方。
way-not-available = 这里不支持这种登录方式。
    .action = 请换一种登录方式。
login-again = 你尚未登录，或登录已过期。
    .action = 请重新登录。
login-request-expired = 这个登录页面已过期。
    .action = 请回到应用，重新登录。
source-login-unknown = 这次登录已结束或已过期。
    .action = 请回到应用，重新登录。
source-login-elsewhere = 这次登录是在另一个浏览器中开始的。
    .action = 请重新登录，并且不要换浏览器。如果你禁用了 Cookie，请为本网站开启。
source-login-denied = 你没有同意授权，微信登录未完成。
    .action = 请重试，或换一种方式登录。
login-given-up = 你取消了登录。
    .action = 如需继续，请重新登录。
user-code-unknown = 代码有误，或已失效。
    .action = 请核对设备上的代码；如果已过期，请在设备上重新开始。
device-pending = 这台设备的登录还没有得到允许。
    .action = 请在手机或电脑上允许登录。
device-denied = 这台设备的登录被拒绝了。
    .action = 如果不是有意拒绝，请在设备上重新开始。
wechat-not-confirmed = 微信未能确认你的身份。
    .action = 请重新登录。
wechat-no-phone = 未能从微信获取你的手机号。
    .action = 请再次点击获取手机号的按钮。
wechat-denied = 微信拒绝了本次登录。
    .action = 请换一种登录方式。
wechat-app-down = 该应用目前已被微信暂停服务。
    .action = 请换一种登录方式，或稍后再来。
wechat-unavailable = 这里暂时无法使用微信登录。
    .action = 请换一种登录方式，或稍后再来。
wechat-unreachable = 微信暂时没有响应。
    .action = 请稍后重新登录。
wechat-busy = 现在通过微信登录的人太多。
    .action = 请过 { $minutes } 分钟再试，或换一种登录方式。
too-often = 操作过于频繁。
    .action = 请过 { $minutes } 分钟再试。
no-account = 没有找到你的账号。
    .action = 请先注册，或换一种登录方式。
not-listed = 这个账号不能登录此应用。
    .action = 请换一个账号登录，或联系管理员开通。
registration-off = 这里暂不开放注册。
    .action = 请使用已有账号登录，或联系管理员开通账号。
snapshot-user = 你正在浏览微信的快照页，无法登录。
    .action = 请点击页面右下角的“使用完整服务”，然后重试。
disabled = 你的账号已被停用。
    .action = 请联系管理员。
deletion-pending = 你已申请注销该账号，账号将于 { $date } 永久删除。
    .action = 如需保留，请在此之前联系管理员。
deletion-under-way = 你已申请注销该账号。
    .action = 如需保留，请联系管理员。

## 登录的步骤

bind-or-create = 你在这里还没有账号。
    .action = 请绑定已有账号，或创建新账号。
bind = 你在这里还没有账号。
    .action = 请绑定已有账号。
set-password = 你需要设置新密码。
    .action = 请设置新密码后继续。
fill-in = 还有一些资料没有填写。
    .action = 请补全后继续。
agree = 还有协议尚未同意。
    .action = 请阅读并同意后继续。
choose = 你有多个账号。
    .action = 请选择其中一个登录，或合并它们。
flow-unknown = 本次登录已过期或已完成。
    .action = 请重新登录。
still-missing = 还有必填项没有完成。
    .action = 请填写所有必填项。
not-a-candidate = 不能选择该账号。
    .action = 请从列表中选择。
step-impossible = 当前步骤不支持该操作。
    .action = 请从页面上的选项中选择。

## 填写的内容

invalid = 填写的内容有误。
    .action = 请核对后重试。
too-large = 内容过大。
    .action = 请减少内容或换更小的文件后重试。
body-slow = 网络太慢，没有收到完整的内容。
    .action = 请检查网络后重试。
wrong-code = 验证码错误或已过期。
    .action = 请核对验证码，或重新获取。
no-sms-sender = 暂时无法发送短信。
    .action = 请换一种方式，或联系管理员。
no-mail-sender = 暂时无法发送邮件。
    .action = 请换一种方式，或联系管理员。
step-token-invalid = 操作超时。
    .action = 请重新开始。
code-needed = 使用邮箱注册需要验证码。
    .action = 请先获取邮箱验证码，再用它注册。
wrong-password = 账号或密码错误。
    .action = 请核对后重试，或重置密码。
locked = 密码错误次数过多，账号已暂时锁定。
    .action = 请 15 分钟后再试，或用验证码重置密码。
password-too-short = 密码太短。
    .action = 请使用更长的密码。
password-too-long = 密码太长。
    .action = 请使用更短的密码。
password-too-common = 这个密码太常见，容易被猜到。
    .action = 请换一个。
password-contains-name = 密码中包含你的姓名、邮箱或手机号。
    .action = 请换一个不含这些内容的密码。
password-too-plain = 密码太简单。
    .action = 请混合使用大小写字母和数字，不少于 12 位。
username-taken = 该用户名已被使用。
    .action = 请换一个。
phone-taken = 该手机号已绑定其他账号。
    .action = 请用它登录，或先在那个账号中解绑。
email-taken = 该邮箱已绑定其他账号。
    .action = 请用它登录，或先在那个账号中解绑。
name-taken = 已被其他用户使用。
    .action = 请换一个。
account-exists = 该账号已存在。
    .action = 请直接登录，或重置密码。
old-password-needed = 需要提供当前密码。
    .action = 请填写当前密码，或用验证码重置密码。
old-password-wrong = 当前密码错误。
    .action = 请核对后重试，或用验证码重置密码。
old-phone-mismatch = 这不是账号当前的手机号，或尚未验证。
    .action = 请填写当前手机号及其收到的验证码。
old-email-mismatch = 这不是账号当前的邮箱，或尚未验证。
    .action = 请填写当前邮箱及其收到的验证码。

## 自己的账号

identity-taken = 该微信已绑定其他账号。
    .action = 请先在那个账号中解绑。
another-identity-bound = 你的账号已绑定另一个微信。
    .action = 请先解绑原来的微信。
has-phone = 你的账号已绑定手机号。
    .action = 如需更改，请使用更换手机号。
has-email = 你的账号已绑定邮箱。
    .action = 如需更改，请使用更换邮箱。
has-username = 你的账号已有用户名。
    .action = 如需更换，请联系管理员。
not-bound = 你的账号未绑定此项。
    .action = 无需操作。
last-way-in = 这是你唯一的登录方式。
    .action = 请先添加另一种登录方式。
login-too-old = 为了账号安全，该操作要求 { $minutes } 分钟内登录过。
    .action = 请重新登录后再试。
session-unknown = 该设备已退出登录。
    .action = 请刷新页面查看最新列表。
consent-unknown = 该应用已无权访问你的账号。
    .action = 请刷新页面查看最新列表。
merge-already-undone = 该合并已被撤销。
    .action = 无需操作。
merge-too-old = 该合并已超过可撤销的期限。
    .action = 两个账号将保持合并状态。
survivor-merged = 你的账号后来又与其他账号合并。
    .action = 请先撤销之后的那次合并。
same-account = 这两个已经是同一个账号。
    .action = 无需合并。
merge-impossible = 其中一个账号无法合并。
    .action = 只有正常使用中的账号才能合并。
not-a-picture = 该文件不是图片。
    .action = 请选择 PNG、JPEG、GIF 或 WebP 图片。
picture-too-large = 图片太大。
    .action = 请选择不超过 10 MB 的图片。

## 管理

not-permitted = 你没有权限进行此操作。
    .action = 请联系有权限的管理员。
not-found = 内容不存在，或已被删除。
    .action = 请返回重新选择。
pool-off = 该服务已暂停使用。
    .action = 请稍后再试，或联系服务提供方。
application-gone = 该应用已不再提供服务。
    .action = 请关闭此页面。如仍需使用，请联系应用的运营方。
last-owner = 该账号是系统的最后一位所有者。
    .action = 请先将其他人设为所有者。
invitation-unknown = 邀请已失效。
    .action = 请联系邀请你的人重新发送邀请。
admin-login-expired = 这次登录不是在此浏览器中开始的，或已过期。
    .action = 请打开管理页面，重新登录。
entry-link-unknown = 链接已失效。
    .action = 请重新生成：运行 hufu admin login-link，或重新启动 hufu dev。
changed-meanwhile = 内容已被他人修改。
    .action = 请刷新页面后重新修改。
merged-into = 该账号已合并到其他账号。
    .action = 请打开合并后的账号。
status-forbids = 账号的当前状态不允许此操作。
    .action = 请先查看账号状态。
import-invalid = 该文件无法导入。
    .action = 请修改文件后重新上传。
import-unfinished = 同名文件的导入在第 { $rows } 行后中断。
    .action = 请重新上传原文件，或重新开始。
import-running = 已有导入正在进行。
    .action = 请等待导入完成。
imports-too-large = 正在导入的文件过多。
    .action = 请等其他导入完成后重试。
import-ended = 该导入已经结束。
    .action = 无需操作。
too-many-webhooks = 已有 { $most } 个 Webhook，达到上限。
    .action = 请先删除不用的。
delivery-waiting = 该投递正在发送中。
    .action = 无需操作。

## 服务器

overloaded = 当前访问人数较多。
    .action = 请稍后重试。
internal = 这是我们的问题，你的账号不受影响。
    .title = 服务器出了问题
    .action = 请稍后再试。

## 地址与表单

path-unknown = 该地址不存在，可能是输入有误，或页面已被移动。
    .title = 页面不存在
    .action = 请检查地址，注意大小写和末尾的斜杠。
    .action-2 = 如果是从应用里点进来的，请回到应用重新打开。
wrong-method = 该地址仅供应用调用，没有可查看的页面。
    .title = 无法直接打开此地址
    .action = 请返回应用重新操作。
foreign-host = 地址中的主机名不属于本机，请求已被拒绝。
    .title = 开发服务只回应本机
    .action = 请将地址中的主机名改为 localhost 或 127.0.0.1。
foreign-machine = 此页只在运行服务的机器上显示。
    .action = 请在运行服务的机器上打开此页。
form-expired = 页面打开时间过长，或表单不是从本站提交的。未做任何更改。
    .title = 表单已失效
    .action = 请返回上一页，刷新后重新提交。
    .action-2 = 如果再次出现此页面，请允许本站使用 Cookie，并退出无痕模式。
form-too-large = 表单内容超出大小限制，未能保存。
    .title = 提交的内容过大
    .action = 请返回上一页，缩短内容或换一个更小的文件。
form-incomplete = 缺少必要的内容，未能保存。
    .title = 表单填写不完整
    .action = 请返回上一页，刷新后重新填写。

## 字段旁边

field-missing = 请填写
field-check = 请核对
field-try-again = 出了点问题，请重试
field-unknown = 不能在此设置
field-choose = 请从选项中选择
field-number = 请填写数字
field-timestamp = 请填写日期和时间
field-too-long = 最多 { $max } 个字符
field-too-short = 至少 { $min } 个字符
field-length = 1 到 { $max } 个字符
field-range = { $min } 到 { $max } 之间的数字
field-shorten = 内容太长
field-email = 请填写邮箱地址，如 name@example.com
field-phone = 请检查手机号和国家代码
field-username = 1 到 64 个字符，不能含有 @，首尾不能有空格
field-username-is-phone = 用户名不能是手机号
field-not-mobile = 请填写手机号
field-country = 暂不向该国家或地区发送短信
field-past = 不能早于当前时间
field-same-as-old = 不能与原来的相同
field-address = 请填写网址
field-not-public = 该地址不是公网地址
field-empty-file = 文件为空
field-not-utf-8 = 文件不是 UTF-8 编码，请在 Excel 中另存为“CSV UTF-8”
field-column-twice = 有重复的列
field-unknown-columns = 有无法识别的列名

qr-code-unknown = 二维码不存在。
    .action = 请获取新的二维码，再扫一次。
qr-code-expired = 二维码已失效。
    .action = 请获取新的二维码，再扫一次。
login-ticket-invalid = 这次登录已失效。
    .action = 请获取新的二维码，再扫一次。
link-invalid = 这个链接已使用、已失效，或属于其他浏览器。
    .action = 请回到应用，重新绑定微信。
short-code-unknown = 数字码有误，或已失效。
    .action = 请发送页面当前显示的数字码。
