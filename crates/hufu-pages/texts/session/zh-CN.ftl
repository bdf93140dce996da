# The pages about who is logged in to a browser
consent-title = 「{ $application }」想使用你的账号
consent-may = 它将可以
consent-openid = 在你再次访问时认出你
consent-profile = 看到你的姓名、头像和其他个人资料
consent-username = 看到你的用户名
consent-email = 看到你的邮箱
consent-phone = 看到你的手机号
consent-address = 看到你的地址
consent-offline = 在你离开后保持访问
consent-external-id = 看到你在其他系统中的编号
consent-extended-fields = 看到你账号的其他资料
consent-api = 代表你使用「{ $application }」
consent-claim = 看到你账号的这项资料
consent-never = 它看不到你的密码。
consent-allow = 允许
consent-deny = 拒绝
consent-other = 换账号
consent-back = 无论怎么选，都会回到 { $host }。

accounts-title = 选择账号
accounts-for = 继续前往「{ $application }」
accounts-none = 没有已登录的账号
accounts-none-text = 请从你要使用的应用登录。
accounts-choose = 继续
accounts-choose-this = 以 { $name } 继续
accounts-leave = 退出
accounts-leave-this = 退出 { $name }
accounts-other = 使用其他账号

sign-out-title = 要退出登录吗？
sign-out-from = 「{ $application }」请求你在此浏览器中退出登录。你用此账号在这里进入的其他应用也会一并退出。
sign-out-text = 你将在此浏览器中退出登录，用此账号在这里进入的应用也会一并退出。
sign-out-confirm = 退出登录
sign-out-cancel = 保持登录

signed-out-title = 你已退出登录
signed-out-text = 现在可以关闭此页面。
signed-out-to = 回到「{ $application }」
signed-out-continue = 继续
signed-out-frame = 应用正在退出登录

device-title = 在其他设备上登录
device-text = 请输入电视、终端等设备上显示的代码。
device-code = 设备代码
device-hint = 共 8 个字母，不区分大小写，横线可以省略。
device-submit = 继续
device-confirm-title = 允许设备登录「{ $application }」吗？
device-shows = 设备上显示的代码
device-warning = 请确认这是你自己发起的登录，并且代码与你自己设备上显示的一致。如果代码或链接是别人发给你的，请拒绝，否则对方会登录你的账号。
device-done-title = 已允许设备登录
device-done-text = 请回到你的设备，几秒后会自动继续。现在可以关闭此页面。
device-denied-title = 已拒绝登录
device-denied-text = 设备没有登录。现在可以关闭此页面。
device-another = 输入其他代码
