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

refused-request = 請求編號
refused-time = 時間
refused-code = 代碼
refused-retry = 再試一次
refused-do-support = 仍然不行？把下面的請求編號傳給管理員，他們能查到原因。

refused-not-found =
    .title = 這裡沒有頁面
    .text = 這個網址下什麼也沒有：可能打錯了，也可能已經搬走。
    .do-1 = 核對網址，留意大小寫和結尾的斜線。
    .do-2 = 如果是從應用程式點進來的，請回到應用程式重新開啟。

refused-not-for-looking =
    .title = 這個網址不能直接開啟
    .text = 它只接收應用程式送來的請求，沒有可看的內容。
    .do-1 = 回到應用程式，從那裡重新開始。

refused-broken =
    .title = 伺服器出了問題
    .text = 這是我們的錯，不是你的。你的帳號沒有受影響。
    .do-1 = 稍等片刻，再試一次。

refused-foreign-host =
    .title = 開發伺服器只回應本機
    .text = 你用的網域不是這台電腦自己的名字，所以請求被拒絕了。
    .do-1 = 把網址裡的網域換成 localhost 或 127.0.0.1。

refused-form =
    .title = 這張表單已經失效
    .text = 頁面開啟得太久，或者表單不是從本站的頁面送出的。什麼都沒有改變。
    .do-1 = 返回上一頁，重新整理，再送出一次。
    .do-2 = 如果又看到這一頁，請允許瀏覽器為本站儲存 Cookie，並關閉無痕模式。

refused-form-too-large =
    .title = 送出的內容太大
    .text = 表單超過了允許的大小，沒有儲存。
    .do-1 = 返回上一頁，縮短內容或換一個更小的檔案。

refused-form-unreadable =
    .title = 表單沒有填完整
    .text = 送出的內容缺少必要的項目，沒有儲存。
    .do-1 = 返回上一頁，重新整理，重新填寫。
