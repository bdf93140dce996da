# 登录页共有的
account = 手机号、邮箱或用户名
password = 密码
phone = 手机号
country = 国家或地区代码
email = 邮箱
code = 验证码
code-hint = 没收到？一分钟后可以重新获取。
send-code = 获取验证码
send-code-again = 重新获取
code-sent = 验证码已发送到 { $to }。
code-sent-perhaps = 如果 { $to } 已绑定账号，验证码就会发送过去。
new-password = 新密码
new-password-optional = 密码（选填）
new-password-hint = 至少 { $min } 个字符。
show-password = 显示密码
tries-left = 还可以再试 { $count } 次。
keep = 在这台设备上保持登录
choose-one = 请选择
nameless = 还没有名字
person-since = { $date } 注册
person-logins = 登录 { $count } 次
comma = 、
or = 或者
back = 返回
cancel = 取消登录
agreements = 请先阅读：

# 登录
login-title = 登录{ $app }
method = 登录方式
method-password = 密码
method-phone-code = 短信验证码
method-email-code = 邮箱验证码
forgot = 忘记密码？
log-in = 登录
log-in-or-register = 登录或注册
merged = 第一次来？验证后会自动注册。
no-account = 还没有账号？
register = 注册
no-methods = 这个应用还没有打开任何登录方式，请联系应用的管理员。
other-ways = 其他方式
open-in-wechat = 在微信中打开本页面，即可用微信登录。
connection-unavailable = “{ $connection }”暂时无法登录，请稍后再试。
web-view-how = 请在小程序中打开本页面，再登录。
web-view-failed = 小程序没有打开登录页，请联系小程序的管理员。
open-on-computer = 在电脑上打开本页面，即可用微信扫码登录。
already = 你已经登录，用这个账号继续？
another = 使用其他账号
password-was-reset = 密码已经重置，请用新密码登录。

# 注册
register-title = 注册{ $app }
register-method = 注册方式
method-email-password = 邮箱和密码
register-closed = 这里暂时不能注册新账号。
have-account = 已有账号？

# 忘记密码
forgot-title = 重置密码
forgot-text = 验证码会发到你的手机或邮箱，验证后就能设置新密码。所有设备都会退出登录。
forgot-method = 验证码发到哪里
forgot-submit = 重置密码
remembered = 想起来了？

# 等待中的登录：绑定账号
associate-title = 你是第一次来
associate-text = 以前用手机号或邮箱注册过？绑定后，一切都在同一个账号里。也可以创建新账号。
associate-only-text = 绑定你已有的账号，就能继续。
bind-title = 绑定已有账号
bind-method = 验证方式
bind-username-password = 用户名密码
bind-phone-password = 手机号密码
bind-email-password = 邮箱密码
bind-submit = 绑定并登录
create = 创建新账号

# 等待中的登录：选择账号
select-title = 选择账号
select-text = 你在这里有不止一个账号，要登录哪一个？
merge = 合并成一个账号
merge-hint = 合并之前，会先让你看到有什么变化。
merge-title = 合并这两个账号？
merge-text = 合并之后，无论用哪种方式登录，进入的都是保留的账号。
merge-survivor = 保留
merge-merged = 并入
merge-moves = 会并入的
merge-collides = 两边都有，以保留的为准
merge-submit = 合并并登录
merge-swap = 改为保留另一个

# 等待中的登录：其余步骤
new-password-title = 设置新密码
new-password-text = 继续之前，需要换掉现在的密码。
new-password-submit = 保存并登录
complete-title = 还差一步
complete-text = 这个应用还需要下面的资料。
complete-submit = 继续
agree-title = 请阅读并同意
agree-text = 同意以下内容后才能继续。
accept = 同意并继续
ended-title = 这次登录已经过期
ended-text = 页面打开太久，或者已经在另一个标签页里登录过。账号没有问题，重新开始就好。
again = 重新登录

# 账号的资料
field-username = 用户名
field-nickname = 昵称
field-photo = 头像（网址）
field-name = 姓名
field-given-name = 名
field-family-name = 姓
field-middle-name = 中间名
field-profile = 个人主页
field-website = 网站
field-gender = 性别
gender-male = 男
gender-female = 女
gender-unknown = 不便透露
field-birthdate = 生日
field-zoneinfo = 时区
field-locale = 语言
field-address = 地址
field-street-address = 街道和门牌号
field-postal-code = 邮政编码
field-city = 城市
field-province = 省份
field-country = 国家或地区
field-company = 公司
yes = 是
no = 否

qr-alt = { $source }二维码
qr-scan = 用微信扫一扫
qr-scan-how = 在手机上确认后，即可在这里进入{ $app }。
qr-send-code = 在微信中把这个数字发给“{ $account }”
qr-send-code-how = 关注公众号，把数字作为消息发出，即可在这里登录。
qr-left = 剩余时间
qr-scanned = 已扫码
qr-scanned-how = 请在手机上确认。
qr-not-me = 不是我，换一个二维码
qr-expired = 二维码已过期
qr-expired-how = 请换一个新的再扫，之前的那个不能再用。
qr-new = 换一个
qr-cancelled = 已在手机上取消
qr-cancelled-how = 你还没有登录，也可以换一种方式。
qr-failed = 登录没有成功

link-title = 绑定这个微信？
link-ask = 绑定后，用这个微信可以登录账号 { $account }。如果这不是你的账号，或者不是你发起的，请不要绑定。
link-yes = 绑定
link-no = 不绑定
link-done-title = 微信已绑定
link-done = 以后可以用它登录你的账号。现在可以关闭本页面。
link-not-title = 没有绑定
link-not = 可以关闭本页面。
