# /admin/v1 的说明页
api-title = 管理 API
api-about = 所有可以通过 HTTP 管理的内容。请求和响应都是 JSON，结果看状态码。接口和字段的含义与 OpenAPI 文档一致，用英文说明。
api-document = OpenAPI 文档
api-key = 每个请求都要带上这个请求头：
api-groups = 接口分组
api-schemas = 对象
api-parameters = 参数
api-parameter = 名称
api-place = 位置
api-type = 类型
api-meaning = 含义
api-body = 请求体
api-responses = 响应
api-status = 状态码
api-nothing = 空
api-required = 必填
api-no-key = 不需要密钥
