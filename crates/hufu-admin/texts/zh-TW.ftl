# /admin/v1 的說明頁
api-title = 管理 API
api-about = 所有可以透過 HTTP 管理的內容。請求和回應都是 JSON，結果看狀態碼。介面和欄位的含義與 OpenAPI 文件一致，以英文說明。
api-document = OpenAPI 文件
api-key = 每個請求都要帶上這個標頭：
api-groups = 介面分組
api-schemas = 物件
api-parameters = 參數
api-parameter = 名稱
api-place = 位置
api-type = 型別
api-meaning = 含義
api-body = 請求內容
api-responses = 回應
api-status = 狀態碼
api-nothing = 空
api-required = 必填
api-no-key = 不需要金鑰
