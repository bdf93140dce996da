# 送信箱
outbox-title = 送信箱
outbox-about = SMS とメールは実際には送信されず、ここに残ります。新しいものが上です。
outbox-count = { $count } 件
outbox-live = 自動更新中
outbox-offline = サーバーが応答しません
outbox-email = メール
outbox-sms = SMS
outbox-code = 認証コード
outbox-empty-title = まだメッセージはありません
outbox-empty-text = アプリで認証コードをリクエストすると、すぐここに表示されます。ターミナルでも試せます。
outbox-foot = 開発専用です。最新の 200 件を、サーバーの停止まで保持します。
