# 布局与拒绝页的文字
page-brand = 虎符
page-skip = 跳到主要内容
page-language = 语言
page-theme = 深浅色
page-theme-auto = 跟随系统
page-theme-light = 浅色
page-theme-dark = 深色
page-copy = 复制
page-copied = 已复制
page-app-home = 网站
page-app-policy = 隐私政策
page-app-terms = 服务条款

refused-request = 请求编号
refused-time = 时间
refused-code = 代码
refused-retry = 再试一次
refused-do-support = 仍不行？把下面的请求编号发给管理员，他们能查到原因。
refused-error = 错误

response-title = 正在返回应用
response-continue = 继续
