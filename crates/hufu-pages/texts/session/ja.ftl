# The pages about who is logged in to a browser
consent-title = 「{ $application }」がアカウントの利用を求めています
consent-may = 許可すると、次のことができます
consent-openid = 再訪時にあなたを識別する
consent-profile = 名前、写真などのプロフィールを見る
consent-username = ユーザー名を見る
consent-email = メールアドレスを見る
consent-phone = 電話番号を見る
consent-address = 住所を見る
consent-offline = 離席中もアクセスを続ける
consent-external-id = 他のシステムでの番号を見る
consent-extended-fields = アカウントの追加情報を見る
consent-api = あなたに代わって「{ $application }」を利用する
consent-claim = アカウントのこの情報を見る
consent-never = パスワードが見られることはありません。
consent-allow = 許可する
consent-deny = 拒否する
consent-other = 変更
consent-back = どちらを選んでも { $host } に戻ります。

accounts-title = アカウントを選択
accounts-for = 「{ $application }」に進みます
accounts-none = ログインしている人はいません
accounts-none-text = ご利用のアプリからログインしてください。
accounts-choose = 続ける
accounts-choose-this = { $name } として続ける
accounts-leave = ログアウト
accounts-leave-this = { $name } をログアウト
accounts-other = 別のアカウントを使う

sign-out-title = ログアウトしますか？
sign-out-from = 「{ $application }」がこのブラウザーでのログアウトを求めています。このアカウントでここから入った他のアプリからもログアウトします。
sign-out-text = このブラウザーと、このアカウントでここから入ったアプリからログアウトします。
sign-out-confirm = ログアウト
sign-out-cancel = ログインしたままにする

signed-out-title = ログアウトしました
signed-out-text = このページを閉じてかまいません。
signed-out-to = 「{ $application }」に戻る
signed-out-continue = 続ける
signed-out-frame = アプリがログアウトしています

device-title = 別のデバイスでログイン
device-text = テレビやターミナルなどのデバイスに表示されているコードを入力してください。
device-code = コード
device-hint = 8 文字の英字です。大文字と小文字の区別はなく、ハイフンは省略できます。
device-submit = 続ける
device-confirm-title = デバイスに「{ $application }」へのログインを許可しますか？
device-shows = デバイスに表示されているコード
device-warning = ご自身で始めたログインで、お手元のデバイスに同じコードが表示されている場合にだけ許可してください。コードやリンクが他の人から送られてきた場合は拒否してください。許可すると、その人があなたのアカウントにログインします。
device-done-title = デバイスのログインを許可しました
device-done-text = デバイスに戻ってください。数秒後に自動で続きます。このページは閉じてかまいません。
device-denied-title = ログインを拒否しました
device-denied-text = デバイスはログインしていません。このページは閉じてかまいません。
device-another = 別のコードを入力
