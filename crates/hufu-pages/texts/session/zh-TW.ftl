# The pages about who is logged in to a browser
consent-title = 「{ $application }」想使用你的帳號
consent-may = 它將可以
consent-openid = 在你再次造訪時認出你
consent-profile = 看到你的姓名、頭像和其他個人資料
consent-username = 看到你的使用者名稱
consent-email = 看到你的電子郵件
consent-phone = 看到你的手機號碼
consent-address = 看到你的地址
consent-offline = 在你離開後保持存取
consent-external-id = 看到你在其他系統中的編號
consent-extended-fields = 看到你帳號的其他資料
consent-api = 代表你使用「{ $application }」
consent-claim = 看到你帳號的這項資料
consent-never = 它看不到你的密碼。
consent-allow = 允許
consent-deny = 拒絕
consent-other = 換帳號
consent-back = 無論怎麼選，都會回到 { $host }。

accounts-title = 選擇帳號
accounts-for = 繼續前往「{ $application }」
accounts-none = 沒有已登入的帳號
accounts-none-text = 請從你要使用的應用程式登入。
accounts-choose = 繼續
accounts-choose-this = 以 { $name } 繼續
accounts-leave = 登出
accounts-leave-this = 登出 { $name }
accounts-other = 使用其他帳號

sign-out-title = 要登出嗎？
sign-out-from = 「{ $application }」請求你在此瀏覽器中登出。你用此帳號在這裡進入的其他應用程式也會一併登出。
sign-out-text = 你將在此瀏覽器中登出，用此帳號在這裡進入的應用程式也會一併登出。
sign-out-confirm = 登出
sign-out-cancel = 保持登入

signed-out-title = 你已登出
signed-out-text = 現在可以關閉此頁面。
signed-out-to = 回到「{ $application }」
signed-out-continue = 繼續
signed-out-frame = 應用程式正在登出

device-title = 在其他裝置上登入
device-text = 請輸入電視、終端機等裝置上顯示的代碼。
device-code = 裝置代碼
device-hint = 共 8 個字母，不分大小寫，連字號可以省略。
device-submit = 繼續
device-confirm-title = 允許裝置登入「{ $application }」嗎？
device-shows = 裝置上顯示的代碼
device-warning = 請確認這是你自己發起的登入，並且代碼與你自己裝置上顯示的一致。如果代碼或連結是別人傳給你的，請拒絕，否則對方會登入你的帳號。
device-done-title = 已允許裝置登入
device-done-text = 請回到你的裝置，幾秒後會自動繼續。現在可以關閉此頁面。
device-denied-title = 已拒絕登入
device-denied-text = 裝置沒有登入。現在可以關閉此頁面。
device-another = 輸入其他代碼
