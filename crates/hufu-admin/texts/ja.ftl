# /admin/v1 の説明ページ
api-title = 管理 API
api-about = HTTP で管理できるすべてのものです。リクエストとレスポンスは JSON で、結果はステータスコードで示されます。ルートと項目の意味は OpenAPI 文書と同じく英語で説明しています。
api-document = OpenAPI 文書
api-key = すべてのリクエストに次のヘッダーを付けます：
api-groups = ルートのグループ
api-schemas = オブジェクト
api-parameters = パラメーター
api-parameter = 名前
api-place = 場所
api-type = 型
api-meaning = 意味
api-body = ボディ
api-responses = レスポンス
api-status = ステータス
api-nothing = なし
api-required = 必須
api-no-key = キー不要
