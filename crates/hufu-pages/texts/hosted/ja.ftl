# ログインページに共通のもの
account = 電話番号、メールアドレス、またはユーザー名
password = パスワード
phone = 電話番号
country = 国番号
email = メールアドレス
code = 認証コード
code-hint = 届かない場合は、1 分後にもう一度取得できます。
send-code = コードを取得
send-code-again = 再取得
code-sent = { $to } に認証コードを送信しました。
code-sent-perhaps = { $to } がアカウントに登録されていれば、認証コードが届きます。
new-password = 新しいパスワード
new-password-optional = パスワード（任意）
new-password-hint = { $min } 文字以上で入力してください。
show-password = パスワードを表示
tries-left = あと { $count } 回お試しいただけます。
keep = この端末でログインしたままにする
choose-one = 選択してください
nameless = 名前未設定
person-since = { $date } に登録
person-logins = ログイン { $count } 回
comma = 、
or = または
back = 戻る
cancel = ログインを中止
agreements = 次の内容をお読みください：

# ログイン
login-title = { $app } にログイン
method = ログイン方法
method-password = パスワード
method-phone-code = SMS コード
method-email-code = メールコード
forgot = パスワードをお忘れですか？
log-in = ログイン
log-in-or-register = ログインまたは新規登録
merged = はじめての方は、確認後に自動で登録されます。
no-account = アカウントをお持ちでないですか？
register = 新規登録
no-methods = このアプリで使えるログイン方法がありません。アプリの管理者にお問い合わせください。
other-ways = その他の方法
open-in-wechat = WeChat でこのページを開くと、WeChat でログインできます。
connection-unavailable = 「{ $connection }」でのログインは現在ご利用いただけません。しばらくしてからお試しください。
web-view-how = ミニプログラムでこのページを開くと、ログインできます。
web-view-failed = ミニプログラムのログインページを開けませんでした。運営者にお知らせください。
open-on-computer = パソコンでこのページを開くと、WeChat でコードをスキャンしてログインできます。
already = すでにログインしています。続けるアカウント：
another = 別のアカウントを使う
password-was-reset = パスワードを変更しました。新しいパスワードでログインしてください。

# 新規登録
register-title = { $app } に新規登録
register-method = 登録方法
method-email-password = メールとパスワード
register-closed = ここでは新しいアカウントを作成できません。
have-account = アカウントをお持ちですか？

# パスワードを忘れたとき
forgot-title = パスワードの再設定
forgot-text = 電話番号またはメールアドレスに認証コードをお送りします。確認後、新しいパスワードを設定できます。すべての端末からログアウトされます。
forgot-method = 認証コードの送り先
forgot-submit = パスワードを再設定
remembered = 思い出しましたか？

# 待機中のログイン：アカウントの連携
associate-title = はじめてのご利用です
associate-text = 電話番号やメールアドレスで登録済みのアカウントがあれば、連携してひとつにまとめられます。新しいアカウントを作成することもできます。
associate-only-text = お持ちのアカウントを連携すると、先に進めます。
bind-title = 登録済みのアカウントと連携
bind-method = 確認方法
bind-username-password = ユーザー名
bind-phone-password = 電話番号
bind-email-password = メール
bind-submit = 連携してログイン
create = 新しいアカウントを作成

# 待機中のログイン：アカウントの選択
select-title = アカウントの選択
select-text = 複数のアカウントがあります。どのアカウントでログインしますか？
merge = ひとつに統合する
merge-hint = 統合の前に、変更される内容を確認できます。
merge-title = アカウントを統合しますか？
merge-text = 統合後は、どの方法でログインしても、残したアカウントに入ります。
merge-survivor = 残すアカウント
merge-merged = 統合されるアカウント
merge-moves = 引き継がれるもの
merge-collides = 両方にあり、残す側を優先するもの
merge-submit = 統合してログイン
merge-swap = もう一方を残す

# 待機中のログイン：そのほか
new-password-title = 新しいパスワードの設定
new-password-text = 先に進むには、現在のパスワードを変更する必要があります。
new-password-submit = 保存してログイン
complete-title = あと少しです
complete-text = このアプリを使うには、次の情報が必要です。
complete-submit = 続ける
agree-title = 内容をご確認ください
agree-text = 先に進むには、以下への同意が必要です。
accept = 同意して続ける
ended-title = ログインの有効期限が切れました
ended-text = ページを長く開いていたか、別のタブでログインが完了しています。アカウントに問題はありません。もう一度お試しください。
again = もう一度ログイン

# アカウントの情報
field-username = ユーザー名
field-nickname = ニックネーム
field-photo = 写真（URL）
field-name = 氏名
field-given-name = 名
field-family-name = 姓
field-middle-name = ミドルネーム
field-profile = プロフィールページ
field-website = ウェブサイト
field-gender = 性別
gender-male = 男性
gender-female = 女性
gender-unknown = 回答しない
field-birthdate = 生年月日
field-zoneinfo = タイムゾーン
field-locale = 言語
field-address = 住所
field-street-address = 町名・番地
field-postal-code = 郵便番号
field-city = 市区町村
field-province = 都道府県
field-country = 国・地域
field-company = 会社
yes = はい
no = いいえ

qr-alt = { $source } の QR コード
qr-scan = WeChat でスキャン
qr-scan-how = スマートフォンで確認すると、ここで { $app } が開きます。
qr-send-code = WeChat で「{ $account }」にこの番号を送ってください
qr-send-code-how = アカウントをフォローし、番号をメッセージとして送ると、ここでログインできます。
qr-left = 残り時間
qr-scanned = スキャンしました
qr-scanned-how = スマートフォンで確認してください。
qr-not-me = 別の QR コードを表示
qr-expired = QR コードの有効期限が切れました
qr-expired-how = 新しい QR コードをスキャンしてください。前のものはもう使えません。
qr-new = 新しい QR コード
qr-cancelled = スマートフォンでキャンセルされました
qr-cancelled-how = ログインしていません。別の方法も使えます。
qr-failed = ログインできませんでした

link-title = この WeChat を連携しますか
link-ask = 連携すると、この WeChat でアカウント { $account } にログインできるようになります。ご自分のアカウントでない場合や、心当たりがない場合は、連携しないでください。
link-yes = 連携する
link-no = 連携しない
link-done-title = WeChat を連携しました
link-done = 今後はこれでログインできます。このページを閉じてかまいません。
link-not-title = 連携しませんでした
link-not = このページを閉じてかまいません。
