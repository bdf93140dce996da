# 登入頁共有的
account = 手機號碼、電子郵件或使用者名稱
password = 密碼
phone = 手機號碼
country = 國碼
email = 電子郵件
code = 驗證碼
code-hint = 沒收到？一分鐘後可以重新取得。
send-code = 取得驗證碼
send-code-again = 重新取得
code-sent = 驗證碼已傳送到 { $to }。
code-sent-perhaps = 如果 { $to } 已連結帳號，驗證碼就會傳送過去。
new-password = 新密碼
new-password-optional = 密碼（選填）
new-password-hint = 至少 { $min } 個字元。
show-password = 顯示密碼
tries-left = 還可以再試 { $count } 次。
keep = 在這台裝置上保持登入
choose-one = 請選擇
nameless = 還沒有名字
person-since = { $date } 註冊
person-logins = 登入 { $count } 次
comma = 、
or = 或者
back = 返回
cancel = 取消登入
agreements = 請先閱讀：

# 登入
login-title = 登入{ $app }
method = 登入方式
method-password = 密碼
method-phone-code = 簡訊驗證碼
method-email-code = 郵件驗證碼
forgot = 忘記密碼？
log-in = 登入
log-in-or-register = 登入或註冊
merged = 第一次來？驗證後會自動註冊。
no-account = 還沒有帳號？
register = 註冊
no-methods = 這個應用程式還沒有開啟任何登入方式，請聯絡應用程式的管理員。
other-ways = 其他方式
open-in-wechat = 在微信中開啟本頁面，即可用微信登入。
connection-unavailable = 「{ $connection }」暫時無法登入，請稍後再試。
web-view-how = 請在小程式中開啟本頁面，再登入。
web-view-failed = 小程式沒有開啟登入頁，請聯絡小程式的管理員。
open-on-computer = 在電腦上開啟本頁面，即可用微信掃碼登入。
already = 你已經登入，用這個帳號繼續？
another = 使用其他帳號
password-was-reset = 密碼已經重設，請用新密碼登入。

# 註冊
register-title = 註冊{ $app }
register-method = 註冊方式
method-email-password = 電子郵件和密碼
register-closed = 這裡暫時不能註冊新帳號。
have-account = 已有帳號？

# 忘記密碼
forgot-title = 重設密碼
forgot-text = 驗證碼會傳到你的手機或電子郵件，驗證後就能設定新密碼。所有裝置都會登出。
forgot-method = 驗證碼傳到哪裡
forgot-submit = 重設密碼
remembered = 想起來了？

# 等待中的登入：連結帳號
associate-title = 你是第一次來
associate-text = 以前用手機號碼或電子郵件註冊過？連結後，一切都在同一個帳號裡。也可以建立新帳號。
associate-only-text = 連結你已有的帳號，就能繼續。
bind-title = 連結已有帳號
bind-method = 驗證方式
bind-username-password = 使用者名稱密碼
bind-phone-password = 手機密碼
bind-email-password = 郵件密碼
bind-submit = 連結並登入
create = 建立新帳號

# 等待中的登入：選擇帳號
select-title = 選擇帳號
select-text = 你在這裡有不只一個帳號，要登入哪一個？
merge = 合併成一個帳號
merge-hint = 合併之前，會先讓你看到有什麼變化。
merge-title = 合併這兩個帳號？
merge-text = 合併之後，無論用哪種方式登入，進入的都是保留的帳號。
merge-survivor = 保留
merge-merged = 併入
merge-moves = 會併入的
merge-collides = 兩邊都有，以保留的為準
merge-submit = 合併並登入
merge-swap = 改為保留另一個

# 等待中的登入：其餘步驟
new-password-title = 設定新密碼
new-password-text = 繼續之前，需要換掉現在的密碼。
new-password-submit = 儲存並登入
complete-title = 還差一步
complete-text = 這個應用程式還需要下面的資料。
complete-submit = 繼續
agree-title = 請閱讀並同意
agree-text = 同意以下內容後才能繼續。
accept = 同意並繼續
ended-title = 這次登入已經過期
ended-text = 頁面開啟太久，或者已經在另一個分頁裡登入過。帳號沒有問題，重新開始就好。
again = 重新登入

# 帳號的資料
field-username = 使用者名稱
field-nickname = 暱稱
field-photo = 大頭貼（網址）
field-name = 姓名
field-given-name = 名字
field-family-name = 姓氏
field-middle-name = 中間名
field-profile = 個人網頁
field-website = 網站
field-gender = 性別
gender-male = 男
gender-female = 女
gender-unknown = 不便透露
field-birthdate = 生日
field-zoneinfo = 時區
field-locale = 語言
field-address = 地址
field-street-address = 街道和門牌號碼
field-postal-code = 郵遞區號
field-city = 城市
field-province = 省份
field-country = 國家或地區
field-company = 公司
yes = 是
no = 否

qr-alt = { $source } QR Code
qr-scan = 用微信掃一掃
qr-scan-how = 在手機上確認後，即可在這裡進入{ $app }。
qr-send-code = 在微信中把這個數字傳給「{ $account }」
qr-send-code-how = 追蹤公眾號，把數字當作訊息傳送，即可在這裡登入。
qr-left = 剩餘時間
qr-scanned = 已掃碼
qr-scanned-how = 請在手機上確認。
qr-not-me = 不是我，換一個 QR Code
qr-expired = QR Code 已過期
qr-expired-how = 請換一個新的再掃，之前的那個不能再用。
qr-new = 換一個
qr-cancelled = 已在手機上取消
qr-cancelled-how = 你還沒有登入，也可以換一種方式。
qr-failed = 登入沒有成功

link-title = 綁定這個微信？
link-ask = 綁定後，用這個微信可以登入帳號 { $account }。如果這不是你的帳號，或者不是你發起的，請不要綁定。
link-yes = 綁定
link-no = 不綁定
link-done-title = 微信已綁定
link-done = 以後可以用它登入你的帳號。現在可以關閉本頁面。
link-not-title = 沒有綁定
link-not = 可以關閉本頁面。
