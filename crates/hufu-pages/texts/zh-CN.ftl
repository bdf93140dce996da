# 发件箱
outbox-title = 发件箱
outbox-about = 短信和邮件不会真的发出去，都留在这里，最新的在最上面。
outbox-count = { $count } 条
outbox-live = 实时更新
outbox-offline = 连不上服务器
outbox-email = 邮件
outbox-sms = 短信
outbox-code = 验证码
outbox-empty-title = 还没有消息
outbox-empty-text = 在你的应用里请求一个验证码，它会立刻出现在这里。也可以在终端里试一下：
outbox-foot = 仅供开发，只保留最近 200 条，重启后清空。
