# 版面與拒絕頁的文字
page-brand = 虎符
page-skip = 跳到主要內容
page-language = 語言
page-theme = 深淺色
page-theme-auto = 跟隨系統
page-theme-light = 淺色
page-theme-dark = 深色
page-copy = 複製
page-copied = 已複製
page-app-home = 網站
page-app-policy = 隱私權政策
page-app-terms = 服務條款

refused-request = 請求編號
refused-time = 時間
refused-code = 代碼
refused-retry = 再試一次
refused-do-support = 仍然不行？把下面的請求編號傳給管理員，他們能查到原因。
refused-error = 錯誤

response-title = 正在返回應用程式
response-continue = 繼續
