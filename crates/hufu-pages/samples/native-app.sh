# What WeChat's OpenSDK returns (SendAuth.Resp). Here the sandbox plays the phone.
code=$(curl -s http://127.0.0.1:3100/__sandbox/codes \
  -d '{"app_id":"wx0de30de30de30003","user":"lin"}' | jq -r .code)

# What the app sends: the tokens come back.
curl -s http://127.0.0.1:3000/api/v3/signin-by-mobile \
  -H "x-authing-app-id: 6560c0ffee00000000000005" -H "content-type: application/json" -d "{
    \"connection\": \"wechat\",
    \"extIdpConnidentifier\": \"demo-phone\",
    \"wechatPayload\": { \"code\": \"$code\" },
    \"options\": { \"scope\": \"openid profile phone offline_access\" }
  }" | jq .data
