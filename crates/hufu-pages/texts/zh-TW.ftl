# 寄件匣
outbox-title = 寄件匣
outbox-about = 簡訊和郵件不會真的寄出，都留在這裡，最新的在最上面。
outbox-count = { $count } 則
outbox-live = 即時更新
outbox-offline = 連不上伺服器
outbox-email = 郵件
outbox-sms = 簡訊
outbox-code = 驗證碼
outbox-empty-title = 還沒有訊息
outbox-empty-text = 在你的應用程式裡要求一個驗證碼，它會立刻出現在這裡。也可以在終端機試試：
outbox-foot = 僅供開發，只保留最近 200 則，重新啟動後清空。
