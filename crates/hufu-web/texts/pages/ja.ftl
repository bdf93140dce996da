# レイアウトと拒否ページの文言
page-brand = 虎符
page-skip = 本文へ移動
page-language = 言語
page-theme = テーマ
page-theme-auto = システムに合わせる
page-theme-light = ライト
page-theme-dark = ダーク
page-copy = コピー
page-copied = コピーしました
page-app-home = ウェブサイト
page-app-policy = プライバシーポリシー
page-app-terms = 利用規約

refused-request = リクエスト ID
refused-time = 時刻
refused-code = コード
refused-retry = もう一度試す
refused-do-support = 解決しない場合は、下のリクエスト ID を管理者に送ってください。原因を調べられます。
refused-error = エラー

response-title = アプリに戻ります
response-continue = 続ける
