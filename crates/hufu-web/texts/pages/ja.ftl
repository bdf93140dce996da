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

refused-request = リクエスト ID
refused-time = 時刻
refused-code = コード
refused-retry = もう一度試す
refused-do-support = 解決しない場合は、下のリクエスト ID を管理者に送ってください。原因を調べられます。

refused-not-found =
    .title = ページが見つかりません
    .text = このアドレスには何もありません。入力の誤りか、移動した可能性があります。
    .do-1 = アドレスの大文字・小文字や末尾のスラッシュを確認してください。
    .do-2 = アプリから開いた場合は、アプリに戻って開き直してください。

refused-not-for-looking =
    .title = このアドレスは直接開けません
    .text = アプリからのリクエストを受け付けるためのもので、表示する内容はありません。
    .do-1 = アプリに戻り、最初からやり直してください。

refused-broken =
    .title = サーバーで問題が発生しました
    .text = 原因はサーバー側にあります。アカウントに影響はありません。
    .do-1 = 少し待ってから、もう一度お試しください。

refused-foreign-host =
    .title = 開発サーバーはこのマシンにのみ応答します
    .text = アドレスのホスト名がこのマシンのものではないため、リクエストを拒否しました。
    .do-1 = アドレスのホスト名を localhost か 127.0.0.1 に変えてください。

refused-form =
    .title = フォームの有効期限が切れました
    .text = ページを長時間開いていたか、このサイト以外から送信されました。何も変更されていません。
    .do-1 = 前のページに戻り、再読み込みしてから送信し直してください。
    .do-2 = 再びこのページが表示される場合は、このサイトの Cookie を許可し、プライベートブラウズを終了してください。

refused-form-too-large =
    .title = 送信内容が大きすぎます
    .text = フォームが許可された大きさを超えたため、保存されませんでした。
    .do-1 = 前のページに戻り、内容を短くするか、小さいファイルを選んでください。

refused-form-unreadable =
    .title = フォームに不足があります
    .text = 必要な項目が足りないため、保存されませんでした。
    .do-1 = 前のページに戻り、再読み込みして入力し直してください。
