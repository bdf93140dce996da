# 使用者在頁面上看到的文字：發生了什麼事，該怎麼做。不用開發者的術語。

## 標題

title-forbidden = 無法進行此操作
title-not-found = 找不到內容
title-later = 請稍後再試
title-go-on = 還差一步
title-not-done = 操作未完成

## 登入

not-set-up = 此應用程式的登入設定有誤。
    .action = 請返回重試，或聯絡應用程式的營運者。
way-not-available = 這裡不支援這種登入方式。
    .action = 請改用其他登入方式。
login-again = 你尚未登入，或登入已過期。
    .action = 請重新登入。
login-request-expired = 這個登入頁面已過期。
    .action = 請回到應用程式，重新登入。
source-login-unknown = 這次登入已結束或已過期。
    .action = 請回到應用程式，重新登入。
source-login-elsewhere = 這次登入是在另一個瀏覽器中開始的。
    .action = 請重新登入，並且不要更換瀏覽器。如果你停用了 Cookie，請為本網站開啟。
source-login-denied = 你沒有同意授權，微信登入未完成。
    .action = 請重試，或換一種方式登入。
login-given-up = 你取消了登入。
    .action = 如需繼續，請重新登入。
user-code-unknown = 代碼有誤，或已失效。
    .action = 請核對裝置上的代碼；如果已過期，請在裝置上重新開始。
device-pending = 這台裝置的登入還沒有得到允許。
    .action = 請在手機或電腦上允許登入。
device-denied = 這台裝置的登入被拒絕了。
    .action = 如果不是有意拒絕，請在裝置上重新開始。
wechat-not-confirmed = 微信無法確認你的身分。
    .action = 請重新登入。
wechat-no-phone = 無法從微信取得你的手機號碼。
    .action = 請再次點選取得手機號碼的按鈕。
wechat-denied = 微信拒絕了這次登入。
    .action = 請改用其他登入方式。
wechat-app-down = 此應用程式目前已被微信暫停服務。
    .action = 請改用其他登入方式，或稍後再來。
wechat-unavailable = 這裡暫時無法使用微信登入。
    .action = 請改用其他登入方式，或稍後再來。
wechat-unreachable = 微信目前沒有回應。
    .action = 請稍後重新登入。
wechat-busy = 現在透過微信登入的人太多。
    .action = 請過 { $minutes } 分鐘再試，或改用其他登入方式。
too-often = 操作過於頻繁。
    .action = 請過 { $minutes } 分鐘再試。
no-account = 找不到你的帳號。
    .action = 請先註冊，或改用其他登入方式。
not-listed = 這個帳號不能登入此應用程式。
    .action = 請換一個帳號登入，或聯絡管理員開通。
registration-off = 這裡暫不開放註冊。
    .action = 請使用現有帳號登入，或請管理員為你開通帳號。
snapshot-user = 你正在瀏覽微信的快照頁，無法登入。
    .action = 請點選頁面右下角的「使用完整服務」，然後再試一次。
disabled = 你的帳號已被停用。
    .action = 請聯絡管理員。
deletion-pending = 你已申請刪除此帳號，它將於 { $date } 永久刪除。
    .action = 如要保留，請在此之前聯絡管理員。
deletion-under-way = 你已申請刪除此帳號。
    .action = 如需保留，請聯絡管理員。

## 登入的步驟

bind-or-create = 你在這裡還沒有帳號。
    .action = 請連結現有帳號，或建立新帳號。
bind = 你在這裡還沒有帳號。
    .action = 請連結現有帳號。
set-password = 你需要設定新密碼。
    .action = 請設定新密碼後繼續。
fill-in = 還有一些資料沒有填寫。
    .action = 請填妥後繼續。
agree = 還有協議尚未同意。
    .action = 請閱讀並同意後繼續。
choose = 你有多個帳號。
    .action = 請選擇其中一個登入，或合併它們。
flow-unknown = 這次登入已過期或已完成。
    .action = 請重新登入。
still-missing = 還有必填項目沒有完成。
    .action = 請填寫所有必填項目。
not-a-candidate = 無法選擇此帳號。
    .action = 請從清單中選擇。
step-impossible = 目前的步驟不支援此操作。
    .action = 請從頁面上的選項中選擇。

## 填寫的內容

invalid = 填寫的內容有誤。
    .action = 請檢查後再試一次。
too-large = 內容過大。
    .action = 請換小一點的再試一次。
body-slow = 網路太慢，沒有收到完整的內容。
    .action = 請檢查網路後再試一次。
wrong-code = 驗證碼錯誤或已過期。
    .action = 請檢查驗證碼，或重新取得。
no-sms-sender = 目前無法傳送簡訊。
    .action = 請改用其他方式，或聯絡管理員。
no-mail-sender = 目前無法傳送電子郵件。
    .action = 請改用其他方式，或聯絡管理員。
step-token-invalid = 操作逾時。
    .action = 請重新開始。
code-needed = 以電子郵件註冊需要驗證碼。
    .action = 請先取得電子郵件驗證碼，再用它註冊。
wrong-password = 帳號或密碼錯誤。
    .action = 請檢查後再試一次，或重設密碼。
locked = 密碼錯誤次數過多，帳號已暫時鎖定。
    .action = 請 15 分鐘後再試，或用驗證碼重設密碼。
password-too-short = 密碼太短。
    .action = 請使用更長的密碼。
password-too-long = 密碼太長。
    .action = 請使用更短的密碼。
password-too-common = 這個密碼太常見，容易被猜到。
    .action = 請換一個。
password-contains-name = 密碼中含有你的姓名、電子郵件或手機號碼。
    .action = 請換一個不含這些內容的密碼。
password-too-plain = 密碼太簡單。
    .action = 請混合使用大小寫字母和數字，至少 12 個字元。
username-taken = 此使用者名稱已有人使用。
    .action = 請換一個。
phone-taken = 此手機號碼已連結其他帳號。
    .action = 請用它登入，或先在那個帳號中解除連結。
email-taken = 此電子郵件已連結其他帳號。
    .action = 請用它登入，或先在那個帳號中解除連結。
name-taken = 已有其他使用者使用。
    .action = 請換一個。
account-exists = 此帳號已存在。
    .action = 請直接登入，或重設密碼。
old-password-needed = 需要提供目前的密碼。
    .action = 請輸入目前的密碼，或用驗證碼重設密碼。
old-password-wrong = 目前的密碼錯誤。
    .action = 請檢查後再試一次，或用驗證碼重設密碼。
old-phone-mismatch = 這不是帳號目前的手機號碼，或尚未驗證。
    .action = 請輸入目前的手機號碼和收到的驗證碼。
old-email-mismatch = 這不是帳號目前的電子郵件，或尚未驗證。
    .action = 請輸入目前的電子郵件和收到的驗證碼。

## 自己的帳號

identity-taken = 此微信已連結其他帳號。
    .action = 請先在那個帳號中解除連結。
another-identity-bound = 你的帳號已連結另一個微信。
    .action = 請先解除原來的連結。
has-phone = 你的帳號已有手機號碼。
    .action = 請改用更換手機號碼。
has-email = 你的帳號已有電子郵件。
    .action = 請改用更換電子郵件。
has-username = 你的帳號已有使用者名稱。
    .action = 如要更換，請聯絡管理員。
not-bound = 你的帳號沒有連結此項目。
    .action = 不需要任何操作。
last-way-in = 這是你唯一的登入方式。
    .action = 請先新增另一種登入方式。
login-too-old = 為了帳號安全，此操作需要在 { $minutes } 分鐘內登入過。
    .action = 請重新登入後再試一次。
session-unknown = 此裝置已登出。
    .action = 請重新整理頁面以查看最新清單。
consent-unknown = 此應用程式已無法存取你的帳號。
    .action = 請重新整理頁面以查看最新清單。
merge-already-undone = 此合併已經復原。
    .action = 不需要任何操作。
merge-too-old = 此合併已超過可復原的期限。
    .action = 兩個帳號將維持合併。
survivor-merged = 你的帳號後來又與其他帳號合併。
    .action = 請先復原較晚的合併。
same-account = 這已經是同一個帳號。
    .action = 不需要合併。
merge-impossible = 其中一個帳號無法合併。
    .action = 只有使用中的帳號才能合併。
not-a-picture = 此檔案不是圖片。
    .action = 請選擇 PNG、JPEG、GIF 或 WebP 圖片。
picture-too-large = 圖片太大。
    .action = 請選擇 10 MB 以內的圖片。

## 管理

not-permitted = 你沒有進行此操作的權限。
    .action = 請聯絡有權限的管理員。
not-found = 內容不存在，或已被刪除。
    .action = 請返回重新選擇。
pool-off = 該服務已暫停使用。
    .action = 請稍後再試，或聯絡服務提供者。
application-gone = 此應用程式已不再提供服務。
    .action = 請關閉此頁面。如仍需使用，請聯絡應用程式的營運者。
last-owner = 此帳號是系統的最後一位擁有者。
    .action = 請先將其他人設為擁有者。
invitation-unknown = 邀請已失效。
    .action = 請聯絡邀請你的人重新傳送邀請。
admin-login-expired = 這次登入不是在此瀏覽器中開始的，或已過期。
    .action = 請開啟管理頁面，重新登入。
entry-link-unknown = 連結已失效。
    .action = 請重新產生：執行 hufu admin login-link，或重新啟動 hufu dev。
changed-meanwhile = 內容已被他人修改。
    .action = 請重新整理頁面後再修改。
merged-into = 此帳號已合併到其他帳號。
    .action = 請開啟合併後的帳號。
status-forbids = 帳號目前的狀態不允許此操作。
    .action = 請先查看帳號狀態。
import-invalid = 無法匯入此檔案。
    .action = 請修改檔案後重新上傳。
import-unfinished = 同名檔案的匯入在第 { $rows } 列後中斷。
    .action = 請重新上傳原檔案，或重新開始。
import-running = 已有匯入正在進行。
    .action = 請等待其完成。
imports-too-large = 正在匯入的檔案過多。
    .action = 請等其他匯入完成後再試。
import-ended = 此匯入已經結束。
    .action = 不需要任何操作。
too-many-webhooks = 已有 { $most } 個 Webhook，達到上限。
    .action = 請先刪除不用的。
delivery-waiting = 此筆投遞正在傳送。
    .action = 不需要任何操作。

## 伺服器

overloaded = 目前使用人數較多。
    .action = 請稍後再試。
internal = 這是我們的錯，不是你的。你的帳號沒有受影響。
    .title = 伺服器出了問題
    .action = 稍等片刻，再試一次。

## 網址與表單

path-unknown = 這個網址下什麼也沒有：可能打錯了，也可能已經搬走。
    .title = 這裡沒有頁面
    .action = 核對網址，留意大小寫和結尾的斜線。
    .action-2 = 如果是從應用程式點進來的，請回到應用程式重新開啟。
wrong-method = 它只接收應用程式送來的請求，沒有可看的內容。
    .title = 這個網址不能直接開啟
    .action = 回到應用程式，從那裡重新開始。
foreign-host = 你用的網域不是這台電腦自己的名字，所以請求被拒絕了。
    .title = 開發伺服器只回應本機
    .action = 把網址裡的網域換成 localhost 或 127.0.0.1。
foreign-machine = 此頁只在執行服務的電腦上顯示。
    .action = 請在執行服務的電腦上開啟此頁。
form-expired = 頁面開啟得太久，或者表單不是從本站的頁面送出的。什麼都沒有改變。
    .title = 這張表單已經失效
    .action = 返回上一頁，重新整理，再送出一次。
    .action-2 = 如果又看到這一頁，請允許瀏覽器為本站儲存 Cookie，並關閉無痕模式。
form-too-large = 表單超過了允許的大小，沒有儲存。
    .title = 送出的內容太大
    .action = 返回上一頁，縮短內容或換一個更小的檔案。
form-incomplete = 送出的內容缺少必要的項目，沒有儲存。
    .title = 表單沒有填完整
    .action = 返回上一頁，重新整理，重新填寫。

## 欄位旁邊

field-missing = 請填寫
field-check = 請檢查
field-try-again = 出了點問題，請再試一次
field-unknown = 無法在此設定
field-choose = 請從選項中選擇
field-number = 請填寫數字
field-timestamp = 請填寫日期和時間
field-too-long = 最多 { $max } 個字元
field-too-short = 至少 { $min } 個字元
field-length = 1 到 { $max } 個字元
field-range = { $min } 到 { $max } 之間的數字
field-shorten = 內容太長
field-email = 請填寫電子郵件，如 name@example.com
field-phone = 請檢查手機號碼和國碼
field-username = 1 到 64 個字元，不能含有 @，開頭和結尾不能有空格
field-username-is-phone = 使用者名稱不能是手機號碼
field-not-mobile = 請填寫手機號碼
field-country = 暫不傳送簡訊到此國家或地區
field-past = 早於目前時間
field-same-as-old = 請換一個與原來不同的
field-address = 請填寫網址
field-not-public = 此網址不是公開網址
field-empty-file = 檔案是空的
field-not-utf-8 = 檔案不是 UTF-8 編碼，請在 Excel 中另存為「CSV UTF-8」
field-column-twice = 有一欄出現了兩次
field-unknown-columns = 有無法辨識的欄位名稱

qr-code-unknown = QR Code 不存在。
    .action = 請取得新的 QR Code，再掃描一次。
qr-code-expired = QR Code 已失效。
    .action = 請取得新的 QR Code，再掃描一次。
login-ticket-invalid = 這次登入已失效。
    .action = 請取得新的 QR Code，再掃描一次。
link-invalid = 這個連結已經使用過、已經失效，或屬於其他瀏覽器。
    .action = 請回到應用程式，重新綁定微信。
short-code-unknown = 數字碼有誤，或已失效。
    .action = 請傳送頁面目前顯示的數字碼。
