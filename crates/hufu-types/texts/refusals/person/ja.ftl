# ページで利用者が読む文：何が起きたか、どうすればよいか。開発者の言葉は使わない。

## 見出し

title-forbidden = この操作はできません
title-not-found = 見つかりません
title-later = しばらくしてからお試しください
title-go-on = あと少しです
title-not-done = 操作を完了できませんでした

## ログイン

not-set-up = このアプリのログイン設定に誤りがあります。
    .action = 戻ってやり直すか、アプリの運営者にお問い合わせください。
way-not-available = このログイン方法は利用できません。
    .action = 別の方法でログインしてください。
login-again = ログインしていないか、ログインの有効期限が切れています。
    .action = もう一度ログインしてください。
login-request-expired = このログインページは有効期限が切れています。
    .action = アプリに戻って、もう一度ログインしてください。
source-login-unknown = このログインはすでに終了しているか、有効期限が切れています。
    .action = アプリに戻って、もう一度ログインしてください。
source-login-elsewhere = このログインは別のブラウザーで始められました。
    .action = 同じブラウザーでもう一度ログインしてください。Cookie をブロックしている場合は、このサイトに許可してください。
source-login-denied = 許可されなかったため、WeChat でログインできませんでした。
    .action = もう一度試すか、別の方法でログインしてください。
login-given-up = ログインがキャンセルされました。
    .action = 続けるには、もう一度ログインしてください。
user-code-unknown = コードが違うか、有効期限が切れています。
    .action = デバイスのコードを確認してください。古い場合は、デバイスでやり直してください。
device-pending = このデバイスでのログインはまだ許可されていません。
    .action = スマートフォンまたはパソコンで許可してください。
device-denied = このデバイスでのログインは拒否されました。
    .action = 間違えた場合は、デバイスでやり直してください。
wechat-not-confirmed = WeChat で本人確認ができませんでした。
    .action = もう一度ログインしてください。
wechat-no-phone = WeChat から電話番号を取得できませんでした。
    .action = 電話番号のボタンをもう一度タップしてください。
wechat-denied = WeChat によりログインが拒否されました。
    .action = 別の方法でログインしてください。
wechat-app-down = このアプリは現在 WeChat で利用停止中です。
    .action = 別の方法でログインするか、後でもう一度お試しください。
wechat-unavailable = 現在、ここでは WeChat でログインできません。
    .action = 別の方法でログインするか、後でもう一度お試しください。
wechat-unreachable = WeChat から応答がありません。
    .action = しばらくしてからもう一度ログインしてください。
wechat-busy = WeChat でのログインが混み合っています。
    .action = { $minutes } 分ほど待ってからもう一度試すか、別の方法でログインしてください。
too-often = 操作の回数が多すぎます。
    .action = { $minutes } 分ほど待ってからもう一度お試しください。
no-account = アカウントが見つかりませんでした。
    .action = 先にアカウントを作成するか、別の方法でログインしてください。
not-listed = このアカウントではこのアプリにログインできません。
    .action = 別のアカウントでログインするか、管理者に利用許可を依頼してください。
registration-off = ここでは新しいアカウントを作成できません。
    .action = お持ちのアカウントでログインするか、管理者にお問い合わせください。
snapshot-user = WeChat のプレビューページのため、ログインできません。
    .action = 右下の「使用完整服务」をタップしてから、もう一度お試しください。
disabled = アカウントは停止されています。
    .action = 管理者にお問い合わせください。
deletion-pending = このアカウントは削除の申請を受けており、{ $date } に完全に削除されます。
    .action = 残したい場合は、それまでに管理者にお問い合わせください。
deletion-under-way = このアカウントは削除の申請を受けています。
    .action = 取り消すには、管理者にお問い合わせください。

## ログインの手順

bind-or-create = まだアカウントがありません。
    .action = お持ちのアカウントを連携するか、新しいアカウントを作成してください。
bind = まだアカウントがありません。
    .action = お持ちのアカウントを連携してください。
set-password = 新しいパスワードが必要です。
    .action = 新しいパスワードを設定して続けてください。
fill-in = 未入力の項目があります。
    .action = 入力して続けてください。
agree = まだ同意していない規約があります。
    .action = 内容を確認し、同意して続けてください。
choose = 複数のアカウントが見つかりました。
    .action = ログインするアカウントを選ぶか、統合してください。
flow-unknown = このログインは期限切れか、すでに完了しています。
    .action = もう一度ログインしてください。
still-missing = 必須項目がまだ残っています。
    .action = 必須の項目をすべて入力してください。
not-a-candidate = このアカウントは選択できません。
    .action = 一覧から選んでください。
step-impossible = この段階ではその操作はできません。
    .action = ページ上の選択肢から選んでください。

## 入力内容

invalid = 入力内容に誤りがあります。
    .action = 確認してもう一度お試しください。
too-large = サイズが大きすぎます。
    .action = 小さいものを選んでもう一度お試しください。
body-slow = 通信が遅く、すべてを受信できませんでした。
    .action = ネットワークを確認して、もう一度お試しください。
wrong-code = 認証コードが正しくないか、有効期限が切れています。
    .action = コードを確認するか、新しいコードを取得してください。
no-sms-sender = 現在 SMS を送信できません。
    .action = 別の方法を選ぶか、管理者にお問い合わせください。
no-mail-sender = 現在メールを送信できません。
    .action = 別の方法を選ぶか、管理者にお問い合わせください。
step-token-invalid = 時間切れになりました。
    .action = 最初からやり直してください。
code-needed = メールアドレスでの登録には認証コードが必要です。
    .action = コードを受け取り、それを使って登録してください。
wrong-password = アカウントまたはパスワードが正しくありません。
    .action = 両方を確認するか、パスワードを再設定してください。
locked = パスワードの誤りが続いたため、アカウントを一時的にロックしました。
    .action = 15 分待つか、認証コードでパスワードを再設定してください。
password-too-short = パスワードが短すぎます。
    .action = もっと長いパスワードにしてください。
password-too-long = パスワードが長すぎます。
    .action = もっと短いパスワードにしてください。
password-too-common = よく使われる、推測されやすいパスワードです。
    .action = 別のパスワードにしてください。
password-contains-name = パスワードに名前、メールアドレスまたは電話番号が含まれています。
    .action = それらを含まないパスワードにしてください。
password-too-plain = パスワードが単純すぎます。
    .action = 大文字、小文字、数字を組み合わせ、12 文字以上にしてください。
username-taken = このユーザー名はすでに使われています。
    .action = 別のユーザー名にしてください。
phone-taken = この電話番号は別のアカウントで使われています。
    .action = その番号でログインするか、先にそのアカウントから削除してください。
email-taken = このメールアドレスは別のアカウントで使われています。
    .action = そのアドレスでログインするか、先にそのアカウントから削除してください。
name-taken = すでに別のユーザーが使っています。
    .action = 別のものにしてください。
account-exists = このアカウントはすでに存在します。
    .action = ログインするか、パスワードを再設定してください。
old-password-needed = 現在のパスワードが必要です。
    .action = 入力するか、認証コードでパスワードを再設定してください。
old-password-wrong = 現在のパスワードが正しくありません。
    .action = 確認するか、認証コードでパスワードを再設定してください。
old-phone-mismatch = アカウントの現在の電話番号ではないか、確認が済んでいません。
    .action = 現在の電話番号と、届いたコードを入力してください。
old-email-mismatch = アカウントの現在のメールアドレスではないか、確認が済んでいません。
    .action = 現在のメールアドレスと、届いたコードを入力してください。

## 自分のアカウント

identity-taken = この WeChat は別のアカウントと連携されています。
    .action = 先にそのアカウントで連携を解除してください。
another-identity-bound = あなたのアカウントは別の WeChat と連携されています。
    .action = 先にその連携を解除してください。
has-phone = アカウントにはすでに電話番号があります。
    .action = 電話番号の変更をご利用ください。
has-email = アカウントにはすでにメールアドレスがあります。
    .action = メールアドレスの変更をご利用ください。
has-username = アカウントにはすでにユーザー名があります。
    .action = 変更する場合は管理者にお問い合わせください。
not-bound = アカウントとは連携されていません。
    .action = 操作は必要ありません。
last-way-in = これは唯一のログイン方法です。
    .action = 先に別のログイン方法を追加してください。
login-too-old = 安全のため、この操作には { $minutes } 分以内のログインが必要です。
    .action = もう一度ログインしてからお試しください。
session-unknown = この端末はすでにログアウトしています。
    .action = ページを再読み込みして、最新の一覧を確認してください。
consent-unknown = このアプリはすでにあなたのアカウントにアクセスできません。
    .action = ページを再読み込みして、最新の一覧を確認してください。
merge-already-undone = この統合はすでに取り消されています。
    .action = 操作は必要ありません。
merge-too-old = この統合は取り消せる期間を過ぎています。
    .action = アカウントは統合されたままになります。
survivor-merged = アカウントはその後、別のアカウントと統合されています。
    .action = 先に新しいほうの統合を取り消してください。
same-account = すでに同じアカウントです。
    .action = 統合の必要はありません。
merge-impossible = 統合できないアカウントが含まれています。
    .action = 統合できるのは利用中のアカウントだけです。
not-a-picture = このファイルは画像ではありません。
    .action = PNG、JPEG、GIF または WebP を選んでください。
picture-too-large = 画像が大きすぎます。
    .action = 10 MB 以下の画像を選んでください。

## 管理

not-permitted = この操作を行う権限がありません。
    .action = 権限のある管理者にお問い合わせください。
not-found = 存在しないか、すでに削除されています。
    .action = 戻って選び直してください。
pool-off = このサービスは現在停止しています。
    .action = しばらくしてから、もう一度お試しいただくか、提供元にお問い合わせください。
application-gone = このアプリは現在ご利用いただけません。
    .action = このページを閉じてください。引き続き必要な場合は、アプリの運営者にお問い合わせください。
last-owner = このアカウントは、このシステムの最後のオーナーです。
    .action = 先に、ほかの人をオーナーにしてください。
invitation-unknown = この招待は無効です。
    .action = 招待した人に、もう一度招待してもらってください。
admin-login-expired = このログインは別のブラウザーで始められたか、有効期限が切れています。
    .action = 管理ページを開いて、もう一度ログインしてください。
entry-link-unknown = このリンクは無効です。
    .action = 「hufu admin login-link」を実行するか、「hufu dev」を起動し直して、新しいリンクを作ってください。
changed-meanwhile = ほかの人が内容を変更しました。
    .action = ページを再読み込みしてから、もう一度変更してください。
merged-into = このアカウントは別のアカウントに統合されています。
    .action = 統合先のアカウントを開いてください。
status-forbids = アカウントの状態により、この操作はできません。
    .action = 先に状態を確認してください。
import-invalid = このファイルは取り込めません。
    .action = ファイルを修正して、もう一度アップロードしてください。
import-unfinished = 同じ名前の別のファイルの取り込みが { $rows } 行で中断しています。
    .action = そのファイルをもう一度アップロードするか、最初からやり直してください。
import-running = 取り込みを実行中です。
    .action = 完了するまでお待ちください。
imports-too-large = 取り込み中のファイルが多すぎます。
    .action = ほかの取り込みが終わってから、もう一度お試しください。
import-ended = この取り込みはすでに終わっています。
    .action = 操作は必要ありません。
too-many-webhooks = Webhook はすでに上限の { $most } 件あります。
    .action = 使っていないものを削除してください。
delivery-waiting = この配信はすでに送信待ちです。
    .action = 操作は必要ありません。

## サーバー

overloaded = 現在アクセスが集中しています。
    .action = しばらくしてからもう一度お試しください。
internal = 原因はサーバー側にあります。アカウントに影響はありません。
    .title = サーバーで問題が発生しました
    .action = 少し待ってから、もう一度お試しください。

## アドレスとフォーム

path-unknown = このアドレスには何もありません。入力の誤りか、移動した可能性があります。
    .title = ページが見つかりません
    .action = アドレスの大文字・小文字や末尾のスラッシュを確認してください。
    .action-2 = アプリから開いた場合は、アプリに戻って開き直してください。
wrong-method = アプリからのリクエストを受け付けるためのもので、表示する内容はありません。
    .title = このアドレスは直接開けません
    .action = アプリに戻り、最初からやり直してください。
foreign-host = アドレスのホスト名がこのマシンのものではないため、リクエストを拒否しました。
    .title = 開発サーバーはこのマシンにのみ応答します
    .action = アドレスのホスト名を localhost か 127.0.0.1 に変えてください。
foreign-machine = このページはサーバーを動かしているマシンだけに表示します。
    .action = サーバーを動かしているマシンでこのページを開いてください。
form-expired = ページを長時間開いていたか、このサイト以外から送信されました。何も変更されていません。
    .title = フォームの有効期限が切れました
    .action = 前のページに戻り、再読み込みしてから送信し直してください。
    .action-2 = 再びこのページが表示される場合は、このサイトの Cookie を許可し、プライベートブラウズを終了してください。
form-too-large = フォームが許可された大きさを超えたため、保存されませんでした。
    .title = 送信内容が大きすぎます
    .action = 前のページに戻り、内容を短くするか、小さいファイルを選んでください。
form-incomplete = 必要な項目が足りないため、保存されませんでした。
    .title = フォームに不足があります
    .action = 前のページに戻り、再読み込みして入力し直してください。

## 項目の横

field-missing = 入力してください
field-check = 確認してください
field-try-again = 問題が発生しました。もう一度お試しください
field-unknown = ここでは設定できません
field-choose = 選択肢から選んでください
field-number = 数字を入力してください
field-timestamp = 日付と時刻を入力してください
field-too-long = { $max } 文字以内
field-too-short = { $min } 文字以上
field-length = 1～{ $max } 文字
field-range = { $min }～{ $max } の数字
field-shorten = 長すぎます
field-email = name@example.com のようなメールアドレスを入力してください
field-phone = 電話番号と国番号を確認してください
field-username = 1～64 文字。@ と前後の空白は使えません
field-username-is-phone = 電話番号はユーザー名にできません
field-not-mobile = 携帯電話の番号を入力してください
field-country = この国や地域には SMS を送信できません
field-past = 過去の日時です
field-same-as-old = 以前と異なるものにしてください
field-address = ウェブアドレスを入力してください
field-not-public = 公開されていないアドレスです
field-empty-file = ファイルが空です
field-not-utf-8 = ファイルが UTF-8 ではありません。Excel で「CSV UTF-8」として保存してください
field-column-twice = 同じ列が 2 回あります
field-unknown-columns = 不明な列名があります

qr-code-unknown = この QR コードは存在しません。
    .action = 新しい QR コードを表示して、もう一度読み取ってください。
qr-code-expired = この QR コードは無効になりました。
    .action = 新しい QR コードを表示して、もう一度読み取ってください。
login-ticket-invalid = このログインは無効になりました。
    .action = 新しい QR コードを表示して、もう一度読み取ってください。
link-invalid = このリンクは使用済みか期限切れ、または別のブラウザのものです。
    .action = アプリに戻り、WeChat の連携をやり直してください。
short-code-unknown = コードが違うか、有効期限が切れています。
    .action = ページに表示されているコードを送ってください。
